/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REJECT: drop, and tell the sender (ipt_REJECT.c, ip6t_REJECT.c).
 */
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <linux/netfilter_ipv6/ip6t_REJECT.h>

#include "xt_rows.h"

#define HOOKS (1 << HOOK_INPUT | 1 << HOOK_FORWARD | 1 << HOOK_OUTPUT)
/* Linux answers nothing, and drops. */
#define SILENT -1

static const int8_t codes4[] = {
	[IPT_ICMP_NET_UNREACHABLE] = ICMP_NET_UNREACH,
	[IPT_ICMP_HOST_UNREACHABLE] = ICMP_HOST_UNREACH,
	[IPT_ICMP_PROT_UNREACHABLE] = ICMP_PROT_UNREACH,
	[IPT_ICMP_PORT_UNREACHABLE] = ICMP_PORT_UNREACH,
	[IPT_ICMP_ECHOREPLY] = SILENT,
	[IPT_ICMP_NET_PROHIBITED] = ICMP_NET_ANO,
	[IPT_ICMP_HOST_PROHIBITED] = ICMP_HOST_ANO,
	[IPT_TCP_RESET] = SILENT,
	[IPT_ICMP_ADMIN_PROHIBITED] = ICMP_PKT_FILTERED,
};
static const int8_t codes6[] = {
	[IP6T_ICMP6_NO_ROUTE] = ICMP6_DST_UNREACH_NOROUTE,
	[IP6T_ICMP6_ADM_PROHIBITED] = ICMP6_DST_UNREACH_ADMIN,
	[IP6T_ICMP6_NOT_NEIGHBOUR] = ICMP6_DST_UNREACH_BEYONDSCOPE,
	[IP6T_ICMP6_ADDR_UNREACH] = ICMP6_DST_UNREACH_ADDR,
	[IP6T_ICMP6_PORT_UNREACH] = ICMP6_DST_UNREACH_NOPORT,
	[IP6T_ICMP6_ECHOREPLY] = SILENT,
	[IP6T_TCP_RESET] = SILENT,
	[IP6T_ICMP6_POLICY_FAIL] = 5,
	[IP6T_ICMP6_REJECT_ROUTE] = 6,
};

/* The struct of either is one number, and so are the numbers of what cannot be. */
struct reject_info {
	uint32_t with;
};
static_assert(sizeof(struct reject_info) == sizeof(struct ipt_reject_info), "the same");
static_assert(sizeof(struct reject_info) == sizeof(struct ip6t_reject_info), "the same");

static int
check(const struct reject_info *info, const struct expr_ctx *ctx, uint32_t echo, uint32_t reset)
{
	if (info->with == echo)
		return -EINVAL;
	if (info->with == reset && (ctx->compat.proto != IPPROTO_TCP || ctx->compat.invert))
		return -EINVAL;
	return 0;
}

static int
check_4(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	return check((const void *)data, ctx, IPT_ICMP_ECHOREPLY, IPT_TCP_RESET);
}

static int
check_6(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	return check((const void *)data, ctx, IP6T_ICMP6_ECHOREPLY, IP6T_TCP_RESET);
}

static void
reject(struct nft_eval *eval, bool reset, int code)
{
	nft_bind_to_packet(eval, NFT_INPUT_REJECT);
	if (reset)
		eval->env->reject(eval->pkt, NFT_REJECT_TCP_RST, 0);
	else if (code != SILENT)
		eval->env->reject(eval->pkt, NFT_REJECT_ICMP_UNREACH, (uint8_t)code);
	eval->pkt->drop = DROP_REJECT;
	eval->regs.code = NF_DROP;
}

static void
target_4(const struct nft_xt_data *data, struct nft_eval *eval)
{
	uint32_t with = ((const struct reject_info *)(const void *)data)->with;

	reject(eval, with == IPT_TCP_RESET, with < sizeof(codes4) ? codes4[with] : SILENT);
}

static void
target_6(const struct nft_xt_data *data, struct nft_eval *eval)
{
	uint32_t with = ((const struct reject_info *)(const void *)data)->with;

	reject(eval, with == IP6T_TCP_RESET, with < sizeof(codes6) ? codes6[with] : SILENT);
}

const struct nft_xt xt_reject4_0 = {.name = "REJECT",
	.families = NFT_ON_IP,
	.size = sizeof(struct ipt_reject_info),
	.hooks = HOOKS,
	.table = "filter",
	.check = check_4,
	.target = target_4};
const struct nft_xt xt_reject6_0 = {.name = "REJECT",
	.families = NFT_ON_IP6,
	.size = sizeof(struct ip6t_reject_info),
	.hooks = HOOKS,
	.table = "filter",
	.check = check_6,
	.target = target_6};
