/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * range: registers within or outside of two constants (nft_range.c).
 */
#include <errno.h>
#include <string.h>

#include "expr_rows.h"

struct range {
	struct expr head;
	uint8_t reg;
	uint8_t len;
	bool outside; /* NFT_RANGE_NEQ */
	uint8_t from[NFT_DATA_MAX];
	uint8_t to[NFT_DATA_MAX];
};

static const struct nft_feature features[] = {
	NFT_HAS("A-B", NFT_RANGE_EQ),
	NFT_HAS("!= A-B", NFT_RANGE_NEQ),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct range *range = (struct range *)expr;
	uint32_t from_len, to_len, op;
	int rc = attr_value(attrs[NFTA_RANGE_FROM_DATA], ctx, range->from, &from_len);

	if (rc == 0)
		rc = attr_value(attrs[NFTA_RANGE_TO_DATA], ctx, range->to, &to_len);
	if (rc == 0 && from_len != to_len)
		rc = attr_refuse(ctx, attrs[NFTA_RANGE_TO_DATA], -EINVAL);
	if (rc == 0)
		rc = attr_load(attrs[NFTA_RANGE_SREG], ctx, from_len, &range->reg);
	if (rc == 0)
		rc = attr_u32(attrs[NFTA_RANGE_OP], ctx, &op);
	if (rc == 0 && !nft_feature_built(features, op))
		rc = attr_refuse(ctx, attrs[NFTA_RANGE_OP], -EINVAL);
	if (rc != 0)
		return rc;
	range->outside = op == NFT_RANGE_NEQ;
	range->len = (uint8_t)from_len;
	return 0;
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct range *range = (const struct range *)expr;
	const uint8_t *value = nft_reg(eval, range->reg);
	bool inside = memcmp(value, range->from, range->len) >= 0 &&
		      memcmp(value, range->to, range->len) <= 0;

	nft_test(eval, range->reg, range->len);
	if (inside == range->outside)
		nft_break(eval);
}

const struct expr_ops expr_range = {
	"range", sizeof(struct range), NFTA_RANGE_MAX, parse, evaluate, false, features, 0};
