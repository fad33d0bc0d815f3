/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reject: drop, and tell the sender (nft_reject_ipv4.c, _ipv6.c, _inet.c).
 */
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include "expr_rows.h"

struct reject {
	struct expr head;
	uint8_t type; /* enum nft_reject_types */
	uint8_t code;
};

/* nft_reject_icmp_code, nft_reject_icmpv6_code: a code for both families. */
static const uint8_t icmpx[][2] = {
	[NFT_REJECT_ICMPX_NO_ROUTE] = {ICMP_NET_UNREACH, ICMP6_DST_UNREACH_NOROUTE},
	[NFT_REJECT_ICMPX_PORT_UNREACH] = {ICMP_PORT_UNREACH, ICMP6_DST_UNREACH_NOPORT},
	[NFT_REJECT_ICMPX_HOST_UNREACH] = {ICMP_HOST_UNREACH, ICMP6_DST_UNREACH_ADDR},
	[NFT_REJECT_ICMPX_ADMIN_PROHIBITED] = {ICMP_PKT_FILTERED, ICMP6_DST_UNREACH_ADMIN},
};

/* nft_reject_validate: not in postrouting, where nobody could be told. */
#define HOOKS                                                                                      \
	(1 << HOOK_PREROUTING | 1 << HOOK_INPUT | 1 << HOOK_FORWARD | 1 << HOOK_OUTPUT |           \
		1 << HOOK_INGRESS)

/* There the answer goes back as a frame, past routing and all hooks. */
#define LATER .later = 1 << HOOK_INGRESS, .note = "not at ingress yet"

static const struct nft_feature features[] = {
	NFT_HAS("reject with icmp, icmpv6 CODE", NFT_REJECT_ICMP_UNREACH, .hooks = HOOKS, LATER),
	NFT_HAS("reject with tcp reset", NFT_REJECT_TCP_RST, .hooks = HOOKS, LATER),
	NFT_HAS("reject with icmpx CODE", NFT_REJECT_ICMPX_UNREACH,
		.families = NFT_ON_INET | NFT_ON_BRIDGE | NFT_ON_NETDEV, .hooks = HOOKS, LATER),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct reject *r = (struct reject *)expr;
	const struct nft_feature *row;
	uint32_t type;
	int rc = attr_u32(attrs[NFTA_REJECT_TYPE], ctx, &type);

	if (rc == 0 && type > NFT_REJECT_ICMPX_UNREACH)
		rc = attr_refuse(ctx, attrs[NFTA_REJECT_TYPE], -EINVAL);
	if (rc == 0)
		rc = expr_feature(features, type, false, ctx, attrs[NFTA_REJECT_TYPE], &row);
	if (rc != 0)
		return rc;
	r->type = (uint8_t)type;
	if (type == NFT_REJECT_TCP_RST)
		return 0;
	if (attrs[NFTA_REJECT_ICMP_CODE] == NULL ||
		mnl_attr_get_payload_len(attrs[NFTA_REJECT_ICMP_CODE]) != 1)
		return attr_refuse(ctx, attrs[NFTA_REJECT_ICMP_CODE], -EINVAL);
	r->code = mnl_attr_get_u8(attrs[NFTA_REJECT_ICMP_CODE]);
	if (type == NFT_REJECT_ICMPX_UNREACH && r->code > NFT_REJECT_ICMPX_ADMIN_PROHIBITED)
		return attr_refuse(ctx, attrs[NFTA_REJECT_ICMP_CODE], -EINVAL);
	return 0;
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct reject *r = (const struct reject *)expr;
	bool ipv6 = (eval->pkt->flags & PKT_IPV6) != 0;

	nft_bind_to_packet(eval, NFT_INPUT_REJECT);
	eval->env->reject(eval->pkt, r->type,
		r->type == NFT_REJECT_ICMPX_UNREACH ? icmpx[r->code][ipv6] : r->code);
	eval->pkt->drop = DROP_REJECT;
	eval->regs.code = NF_DROP;
}

const struct expr_ops expr_reject = {"reject", sizeof(struct reject), NFTA_REJECT_MAX, parse,
	evaluate, false, features,
	NFT_ON_IP | NFT_ON_IP6 | NFT_ON_INET | NFT_ON_BRIDGE | NFT_ON_NETDEV};
