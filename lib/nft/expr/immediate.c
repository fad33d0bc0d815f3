/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * immediate: a constant into registers, or a verdict (nft_immediate.c).
 */
#include <errno.h>
#include <string.h>

#include "compile_priv.h"
#include "expr_rows.h"

struct immediate {
	struct expr head;
	bool is_verdict;
	uint8_t reg;
	uint8_t len;
	struct nft_verdict verdict;
	uint8_t data[NFT_DATA_MAX];
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct immediate *i = (struct immediate *)expr;
	uint32_t reg, len;
	int rc = attr_u32(attrs[NFTA_IMMEDIATE_DREG], ctx, &reg);

	if (rc != 0)
		return rc;
	i->is_verdict = reg == NFT_REG_VERDICT;
	if (i->is_verdict)
		return attr_verdict(attrs[NFTA_IMMEDIATE_DATA], ctx, &i->verdict);
	rc = attr_value(attrs[NFTA_IMMEDIATE_DATA], ctx, i->data, &len);
	if (rc == 0)
		rc = attr_reg(attrs[NFTA_IMMEDIATE_DREG], ctx, len, &i->reg);
	if (rc == 0)
		i->len = (uint8_t)len;
	return rc;
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct immediate *i = (const struct immediate *)expr;

	if (i->is_verdict) {
		eval->regs.code = i->verdict.code;
		eval->regs.chain = i->verdict.chain;
		return;
	}
	/* Whole words: nft_data_copy zeroes the rest of the last one. */
	memset(nft_reg(eval, i->reg), 0, (i->len + 3U) / 4 * 4);
	memcpy(nft_reg(eval, i->reg), i->data, i->len);
	nft_mark(eval, i->reg, i->len, 0);
}

uint32_t
immediate_writes(const struct expr *expr)
{
	const struct immediate *i = (const struct immediate *)expr;

	return i->is_verdict ? 0 : words_of(i->reg, i->len);
}

const struct expr_ops expr_immediate = {"immediate", sizeof(struct immediate), NFTA_IMMEDIATE_MAX,
	parse, evaluate, false, expr_verdicts, 0};
