/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addrtype: what routing says of the packet's addresses (xt_addrtype.c). As fib
 * does: routes that change unsettle every flow, so an answer holds for the flow.
 */
#include <errno.h>
#include <string.h>

#include <linux/netfilter/xt_addrtype.h>
#include <linux/rtnetlink.h>

#include "xt_rows.h"

#define EARLY (1 << HOOK_PREROUTING | 1 << HOOK_INPUT)
#define LATE  (1 << HOOK_POSTROUTING | 1 << HOOK_OUTPUT)

/* Types that match_type6() asks the routing table for. */
#define LOOKED_UP                                                                                  \
	(XT_ADDRTYPE_LOCAL | XT_ADDRTYPE_ANYCAST | XT_ADDRTYPE_PROHIBIT | XT_ADDRTYPE_UNREACHABLE)

/* addrtype_mt_checkentry_v1 */
static int
check_1(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	const struct xt_addrtype_info_v1 *info = (const void *)data;
	uint32_t hooks = ctx->compat.own_hooks;
	unsigned int types = info->source | info->dest;
	bool in = info->flags & XT_ADDRTYPE_LIMIT_IFACE_IN;
	bool out = info->flags & XT_ADDRTYPE_LIMIT_IFACE_OUT;

	if ((in && out) || ((hooks & EARLY) && out) || ((hooks & LATE) && in))
		return -EINVAL;
	if (ctx->family == NFPROTO_IPV6 &&
		((types & (XT_ADDRTYPE_BLACKHOLE | XT_ADDRTYPE_BROADCAST)) ||
			types >= XT_ADDRTYPE_PROHIBIT))
		return -EINVAL;
	return 0;
}

/* Revision 0 has its flags as words. */
static int
check_0(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	struct xt_addrtype_info old;
	struct xt_addrtype_info_v1 *info = (void *)data;

	(void)ctx;
	memcpy(&old, data, sizeof(old));
	memset(data, 0, sizeof(*data));
	info->source = old.source;
	info->dest = old.dest;
	info->flags = (old.invert_source ? XT_ADDRTYPE_INVERT_SOURCE : 0) |
		      (old.invert_dest ? XT_ADDRTYPE_INVERT_DEST : 0);
	return 0;
}

/* match_lookup_rt6 */
static bool
looked_up(uint16_t mask, uint32_t type)
{
	switch (type) {
	case RTN_LOCAL: return mask & XT_ADDRTYPE_LOCAL;
	case RTN_ANYCAST: return mask & XT_ADDRTYPE_ANYCAST;
	case RTN_UNREACHABLE:
	case RTN_PROHIBIT:
	case RTN_BLACKHOLE: return mask & XT_ADDRTYPE_UNREACHABLE;
	default: return false;
	}
}

/* match_type6: IPv6 types are of the address first (ipv6_addr_type), of the routes then. */
static bool
type6(const struct nft_eval *eval, const union address *address, uint16_t port, uint16_t mask)
{
	static const uint8_t zero[16];
	const uint8_t *bytes = (const uint8_t *)address;
	bool any = memcmp(bytes, zero, sizeof(zero)) == 0;
	bool multicast = bytes[0] == 0xff;

	if ((mask & XT_ADDRTYPE_MULTICAST) && !multicast)
		return false;
	/* ::/96 but ::1 and mapped addresses have no bit of unicast's there but ::1's. */
	if ((mask & XT_ADDRTYPE_UNICAST) && (multicast || any))
		return false;
	if ((mask & XT_ADDRTYPE_UNSPEC) && !any)
		return false;
	if (mask & LOOKED_UP)
		return looked_up(mask, eval->env->fib_type(eval->pkt, address, port));
	return true;
}

static bool
has_type(const struct nft_eval *eval, const union address *address, uint16_t port, uint16_t mask)
{
	uint32_t type;

	if (eval->pkt->flags & PKT_IPV6)
		return type6(eval, address, port, mask);
	type = eval->env->fib_type(eval->pkt, address, port);
	return type < 16 && (mask & 1U << type);
}

/* addrtype_mt_v1, addrtype_mt6 */
static bool
match(const struct nft_xt_data *data, struct nft_eval *eval)
{
	const struct xt_addrtype_info_v1 *info = (const void *)data;
	const struct pkt *pkt = eval->pkt;
	uint16_t port = info->flags & XT_ADDRTYPE_LIMIT_IFACE_IN    ? pkt->in_port
			: info->flags & XT_ADDRTYPE_LIMIT_IFACE_OUT ? pkt->out_port
								    : PORT_NONE;

	if (info->source != 0 && has_type(eval, &pkt->tuple.src, port, info->source) ==
					 ((info->flags & XT_ADDRTYPE_INVERT_SOURCE) != 0))
		return false;
	return info->dest == 0 || has_type(eval, &pkt->tuple.dst, port, info->dest) !=
					  ((info->flags & XT_ADDRTYPE_INVERT_DEST) != 0);
}

const struct nft_xt xt_addrtype_0 = {.name = "addrtype",
	.families = NFT_ON_IP,
	.size = sizeof(struct xt_addrtype_info),
	.check = check_0,
	.match = match};
const struct nft_xt xt_addrtype_1 = {.name = "addrtype",
	.revision = 1,
	.size = sizeof(struct xt_addrtype_info_v1),
	.check = check_1,
	.match = match};
