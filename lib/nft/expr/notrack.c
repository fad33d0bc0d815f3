/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notrack: the packet leaves conntrack (nft_ct.c, nft_notrack_eval).
 */
#include "expr_rows.h"

static const struct nft_feature features[] = {
	NFT_HAS("notrack", 0, .text = true),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	(void)expr;
	(void)attrs;
	(void)ctx;
	return 0;
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	(void)expr;
	eval->env->ct->notrack(eval->pkt);
}

const struct expr_ops expr_notrack = {
	"notrack", sizeof(struct expr), 0, parse, evaluate, false, features, 0};
