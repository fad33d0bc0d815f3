/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rt: of the packet's route (nft_rt.c). The largest TCP segment that the path
 * takes both ways.
 */
#include <errno.h>

#include "expr_rows.h"

/* TCP_MSS_DEFAULT */
#define MSS_DEFAULT 536
#define TCP_HEADER  20

struct rt {
	struct expr head;
	uint8_t reg;
};

#define NOT_YET "not built yet"

static const struct nft_feature features[] = {
	NFT_HAS_NOT("rt classid", NFT_RT_CLASSID, NOT_YET, .len = 4),
	NFT_HAS_NOT("rt ip nexthop", NFT_RT_NEXTHOP4, NOT_YET, .len = 4),
	NFT_HAS_NOT("rt ip6 nexthop", NFT_RT_NEXTHOP6, NOT_YET, .len = 16),
	NFT_HAS("rt mtu", NFT_RT_TCPMSS, .len = 2,
		.hooks = 1 << HOOK_FORWARD | 1 << HOOK_OUTPUT | 1 << HOOK_POSTROUTING,
		.note = "the largest TCP segment both ways"),
	NFT_HAS_NOT("rt ipsec", NFT_RT_XFRM, NOT_YET, .len = 1),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct rt *rt = (struct rt *)expr;
	const struct nft_feature *row;
	uint32_t key;
	int rc = attr_u32(attrs[NFTA_RT_KEY], ctx, &key);

	if (rc == 0)
		rc = expr_feature(features, key, false, ctx, attrs[NFTA_RT_KEY], &row);
	return rc != 0 ? rc : attr_reg(attrs[NFTA_RT_DREG], ctx, row->len, &rt->reg);
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct rt *rt = (const struct rt *)expr;
	uint32_t mtu = eval->env->path_mtu(eval->pkt);
	uint32_t headers = (eval->pkt->flags & PKT_IPV6 ? 40 : 20) + TCP_HEADER;

	nft_mark(eval, rt->reg, 2, 0);
	nft_store(eval, rt->reg, mtu <= headers || mtu > UINT16_MAX ? MSS_DEFAULT : mtu - headers);
}

const struct expr_ops expr_rt = {
	"rt", sizeof(struct rt), NFTA_RT_KEY, parse, evaluate, false, features, 0};
