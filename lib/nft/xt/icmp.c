/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * icmp, icmp6: type and code of the message (icmp_match, icmp6_match).
 */
#include <errno.h>
#include <netinet/in.h>

#include "xt_rows.h"

/* struct ipt_icmp, struct ip6t_icmp */
struct icmp_info {
	uint8_t type;
	uint8_t code[2]; /* from, to */
	uint8_t invert;
};

#define ANY_TYPE 0xff

static int
check(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	(void)ctx;
	return ((const struct icmp_info *)(const void *)data)->invert & ~1 ? -EINVAL : 0;
}

static bool
match(const struct nft_xt_data *data, struct nft_eval *eval)
{
	const struct icmp_info *info = (const void *)data;
	bool any = info->type == ANY_TYPE && !(eval->pkt->flags & PKT_IPV6);
	const uint8_t *icmp;

	nft_bind_to_packet(eval, NFT_INPUT_PAYLOAD);
	if (eval->pkt->flags & PKT_LATER_FRAGMENT)
		return false;
	icmp = nft_xt_l4(eval->pkt, 8);
	if (icmp == NULL)
		return nft_xt_hotdrop(eval);
	return (any || (icmp[0] == info->type && icmp[1] >= info->code[0] &&
			       icmp[1] <= info->code[1])) != (info->invert != 0);
}

const struct nft_xt xt_icmp_0 = {.name = "icmp",
	.families = NFT_ON_IP,
	.size = sizeof(struct icmp_info),
	.proto = IPPROTO_ICMP,
	.check = check,
	.match = match};
const struct nft_xt xt_icmp6_0 = {.name = "icmp6",
	.families = NFT_ON_IP6,
	.size = sizeof(struct icmp_info),
	.proto = IPPROTO_ICMPV6,
	.check = check,
	.match = match};
