/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SNAT, DNAT, MASQUERADE, REDIRECT: bind an end of the connection (xt_nat.c,
 * xt_MASQUERADE.c, xt_REDIRECT.c). Whatever came, evaluation has a struct nat_range.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter/nf_nat.h>

#include "xt_rows.h"

#define SRC_HOOKS (1 << HOOK_POSTROUTING | 1 << HOOK_INPUT)
#define DST_HOOKS (1 << HOOK_PREROUTING | 1 << HOOK_OUTPUT)

#define FLAGS                                                                                      \
	(NAT_RANGE_MAP_IPS | NAT_RANGE_PROTO_SPECIFIED | NAT_RANGE_PROTO_RANDOM |                  \
		NAT_RANGE_PROTO_RANDOM_FULLY | NAT_RANGE_PERSISTENT)

static struct nat_range
range_of(const struct nft_xt_data *data)
{
	struct nat_range range;

	memcpy(&range, data, sizeof(range));
	return range;
}

static int
keep(struct nft_xt_data *data, const struct nat_range *range)
{
	/* Port offsets and whole networks are not built. */
	if (range->flags & ~(uint32_t)FLAGS)
		return -EOPNOTSUPP;
	memset(data, 0, sizeof(*data));
	memcpy(data, range, sizeof(*range));
	return 0;
}

/* xt_nat_checkentry_v0: a list of one. */
static int
check_list(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	struct nf_nat_ipv4_multi_range_compat info;
	struct nat_range range;

	(void)ctx;
	memcpy(&info, data, sizeof(info));
	if (info.rangesize != 1)
		return -EINVAL;
	memset(&range, 0, sizeof(range));
	range.flags = info.range[0].flags;
	range.min_addr.v4 = info.range[0].min_ip;
	range.max_addr.v4 = info.range[0].max_ip;
	range.min_port = info.range[0].min.all;
	range.max_port = info.range[0].max.all;
	return keep(data, &range);
}

static int
check_range(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	struct nf_nat_range info;
	struct nat_range range;

	(void)ctx;
	memcpy(&info, data, sizeof(info));
	memset(&range, 0, sizeof(range));
	range.flags = info.flags;
	memcpy(&range.min_addr, &info.min_addr, sizeof(range.min_addr));
	memcpy(&range.max_addr, &info.max_addr, sizeof(range.max_addr));
	range.min_port = info.min_proto.all;
	range.max_port = info.max_proto.all;
	return keep(data, &range);
}

/* masquerade_tg_check, redirect_tg4_check and their like: the address is the router's own. */
static int
check_own_list(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	const struct nf_nat_ipv4_multi_range_compat *info = (const void *)data;

	if (info->range[0].flags & NF_NAT_RANGE_MAP_IPS)
		return -EINVAL;
	return check_list(data, ctx);
}

static int
check_own_range(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	const struct nf_nat_range *info = (const void *)data;

	return info->flags & NF_NAT_RANGE_MAP_IPS ? -EINVAL : check_range(data, ctx);
}

static void
bind_end(struct nft_eval *eval, const struct nat_range *range, enum nat_manip manip)
{
	eval->regs.code = eval->env->ct->nat(eval->pkt, range, manip) == 0 ? NF_ACCEPT : NF_DROP;
}

static void
snat(const struct nft_xt_data *data, struct nft_eval *eval)
{
	struct nat_range range = range_of(data);

	bind_end(eval, &range, NAT_MANIP_SRC);
}

static void
dnat(const struct nft_xt_data *data, struct nft_eval *eval)
{
	struct nat_range range = range_of(data);

	bind_end(eval, &range, NAT_MANIP_DST);
}

static void
masquerade(const struct nft_xt_data *data, struct nft_eval *eval)
{
	struct nat_range range = range_of(data);

	if (eval->env->ct->masquerade_address(eval->pkt, &range.min_addr) != 0) {
		eval->regs.code = NF_DROP;
		return;
	}
	range.max_addr = range.min_addr;
	range.flags |= NAT_RANGE_MAP_IPS;
	bind_end(eval, &range, NAT_MANIP_SRC);
}

static void
redirect(const struct nft_xt_data *data, struct nft_eval *eval)
{
	struct nat_range range = range_of(data);

	if (eval->env->ct->redirect_address(eval->pkt, &range.min_addr) != 0) {
		eval->pkt->drop = DROP_NAT_NO_ADDRESS;
		eval->regs.code = NF_DROP;
		return;
	}
	range.max_addr = range.min_addr;
	range.flags |= NAT_RANGE_MAP_IPS;
	bind_end(eval, &range, NAT_MANIP_DST);
}

#define NAT(symbol, name_, revision_, families_, struct_, hooks_, check_, target_, ...)            \
	const struct nft_xt symbol = {.name = name_,                                               \
		.revision = revision_,                                                             \
		.families = families_,                                                             \
		.size = sizeof(struct_),                                                           \
		.hooks = hooks_,                                                                   \
		.table = "nat",                                                                    \
		.tracks = true,                                                                    \
		.check = check_,                                                                   \
		.target = target_,                                                                 \
		__VA_ARGS__}

#define LIST	struct nf_nat_ipv4_multi_range_compat
#define BOTH	(NFT_ON_IP | NFT_ON_IP6)
#define SINGLES .note = "not a range of ports with a base (`A-B/C`)"

NAT(xt_snat_0, "SNAT", 0, NFT_ON_IP, LIST, SRC_HOOKS, check_list, snat, );
NAT(xt_snat_1, "SNAT", 1, BOTH, struct nf_nat_range, SRC_HOOKS, check_range, snat, );
NAT(xt_snat_2, "SNAT", 2, BOTH, struct nf_nat_range2, SRC_HOOKS, check_range, snat, );
NAT(xt_dnat_0, "DNAT", 0, NFT_ON_IP, LIST, DST_HOOKS, check_list, dnat, );
NAT(xt_dnat_1, "DNAT", 1, BOTH, struct nf_nat_range, DST_HOOKS, check_range, dnat, );
NAT(xt_dnat_2, "DNAT", 2, BOTH, struct nf_nat_range2, DST_HOOKS, check_range, dnat, SINGLES);
NAT(xt_masquerade4_0, "MASQUERADE", 0, NFT_ON_IP, LIST, 1 << HOOK_POSTROUTING, check_own_list,
	masquerade, );
NAT(xt_masquerade6_0, "MASQUERADE", 0, NFT_ON_IP6, struct nf_nat_range, 1 << HOOK_POSTROUTING,
	check_own_range, masquerade, );
NAT(xt_redirect4_0, "REDIRECT", 0, NFT_ON_IP, LIST, DST_HOOKS, check_own_list, redirect, );
NAT(xt_redirect6_0, "REDIRECT", 0, NFT_ON_IP6, struct nf_nat_range, DST_HOOKS, check_own_range,
	redirect, );
