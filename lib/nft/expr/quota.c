/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quota: bytes up to which a rule matches, or behind which (nft_quota.c). One for
 * all workers.
 */
#include "expr_rows.h"
#include "program.h"

struct quota {
	struct expr head;
	uint32_t state;
	struct nft_statement statement;
};

static const struct nft_feature features[] = {
	NFT_HAS("quota N bytes", 0, .text = true,
		.note = "also `over`, `used`; one for all workers"),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct quota *q = (struct quota *)expr;
	uint64_t words[2] = {0};
	int rc = nft_quota_parse(&q->statement, attrs, ctx, words);

	return rc != 0 ? rc : ctx->state(ctx->owner, NFT_STATE_WORDS, &q->state);
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct quota *q = (const struct quota *)expr;

	nft_run_statement(eval, &q->statement, q->state);
}

const struct expr_ops expr_quota = {
	"quota", sizeof(struct quota), NFTA_QUOTA_MAX, parse, evaluate, false, features, 0};
