/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * multiport: any of up to fifteen ports or ranges (xt_multiport.c).
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter/xt_multiport.h>

#include "xt_rows.h"

/* multiport_mt_check */
static int
check(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	const struct xt_multiport_v1 *info = (const void *)data;
	uint16_t proto = ctx->compat.proto;

	if ((proto != IPPROTO_TCP && proto != IPPROTO_UDP && proto != IPPROTO_UDPLITE &&
		    proto != IPPROTO_SCTP && proto != IPPROTO_DCCP) ||
		ctx->compat.invert)
		return -EINVAL;
	if (info->flags > XT_MULTIPORT_EITHER || info->count > XT_MULTI_PORTS)
		return -EINVAL;
	/* A range without an end: iptables makes none, and Linux reads on behind the ports. */
	return info->count == XT_MULTI_PORTS && info->pflags[XT_MULTI_PORTS - 1] ? -EINVAL : 0;
}

static bool
one_of(const struct xt_multiport_v1 *info, uint16_t port)
{
	for (unsigned int i = 0; i < info->count; i++) {
		uint16_t from = info->ports[i];
		uint16_t to = info->pflags[i] ? info->ports[++i] : from;

		if (port >= from && port <= to)
			return true;
	}
	return false;
}

static bool
match(const struct nft_xt_data *data, struct nft_eval *eval)
{
	const struct xt_multiport_v1 *info = (const void *)data;
	const uint8_t *l4;
	bool found = false;

	if (eval->pkt->flags & PKT_LATER_FRAGMENT)
		return false;
	l4 = nft_xt_l4(eval->pkt, 4);
	if (l4 == NULL)
		return nft_xt_hotdrop(eval);
	if (info->flags != XT_MULTIPORT_DESTINATION)
		found = one_of(info, (uint16_t)(l4[0] << 8 | l4[1]));
	if (info->flags != XT_MULTIPORT_SOURCE)
		found |= one_of(info, (uint16_t)(l4[2] << 8 | l4[3]));
	return found != (info->invert != 0);
}

const struct nft_xt xt_multiport_1 = {.name = "multiport",
	.revision = 1,
	.families = NFT_ON_IP | NFT_ON_IP6,
	.size = sizeof(struct xt_multiport_v1),
	.check = check,
	.match = match};
