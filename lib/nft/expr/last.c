/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * last: when a packet came here the last time (nft_last.c).
 */
#include "expr_rows.h"
#include "program.h"

struct last {
	struct expr head;
	uint32_t state;
	struct nft_statement statement;
};

static const struct nft_feature features[] = {
	NFT_HAS("last", 0, .text = true, .note = "also `used`"),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct last *last = (struct last *)expr;
	uint64_t words[2] = {0};
	int rc = nft_last_parse(&last->statement, attrs, ctx, words);

	return rc != 0 ? rc : ctx->state(ctx->owner, NFT_STATE_WORDS, &last->state);
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct last *last = (const struct last *)expr;

	nft_run_statement(eval, &last->statement, last->state);
}

const struct expr_ops expr_last = {
	"last", sizeof(struct last), NFTA_LAST_MAX, parse, evaluate, false, features, 0};
