/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmp: registers against a constant (nft_cmp.c).
 */
#include <errno.h>
#include <string.h>

#include "compile_priv.h"
#include "expr_rows.h"

struct cmp {
	struct expr head;
	uint8_t reg;
	uint8_t op; /* enum nft_cmp_ops */
	uint8_t len;
	uint8_t data[NFT_DATA_MAX];
};

static const struct nft_feature features[] = {
	NFT_HAS("==", NFT_CMP_EQ),
	NFT_HAS("!=", NFT_CMP_NEQ),
	NFT_HAS("<", NFT_CMP_LT),
	NFT_HAS("<=", NFT_CMP_LTE),
	NFT_HAS(">", NFT_CMP_GT),
	NFT_HAS(">=", NFT_CMP_GTE),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct cmp *cmp = (struct cmp *)expr;
	uint32_t len, op;
	int rc = attr_value(attrs[NFTA_CMP_DATA], ctx, cmp->data, &len);

	if (rc == 0)
		rc = attr_u32(attrs[NFTA_CMP_OP], ctx, &op);
	if (rc == 0 && !nft_feature_built(features, op))
		rc = attr_refuse(ctx, attrs[NFTA_CMP_OP], -EINVAL);
	if (rc == 0)
		rc = attr_load(attrs[NFTA_CMP_SREG], ctx, len, &cmp->reg);
	if (rc != 0)
		return rc;
	cmp->op = (uint8_t)op;
	cmp->len = (uint8_t)len;
	return 0;
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct cmp *cmp = (const struct cmp *)expr;
	int d;
	bool match = false;

	nft_test(eval, cmp->reg, cmp->len);
	d = memcmp(nft_reg(eval, cmp->reg), cmp->data, cmp->len);
	switch (cmp->op) {
	case NFT_CMP_EQ: match = d == 0; break;
	case NFT_CMP_NEQ: match = d != 0; break;
	case NFT_CMP_LT: match = d < 0; break;
	case NFT_CMP_LTE: match = d <= 0; break;
	case NFT_CMP_GT: match = d > 0; break;
	case NFT_CMP_GTE: match = d >= 0; break;
	}
	if (!match)
		nft_break(eval);
}

bool
cmp_test(
	const struct expr *expr, uint8_t *reg, uint8_t *len, bool *differ, uint8_t value[MATCH_MAX])
{
	const struct cmp *cmp = (const struct cmp *)expr;

	*reg = cmp->reg;
	*len = cmp->len;
	*differ = cmp->op == NFT_CMP_NEQ;
	if ((cmp->op != NFT_CMP_EQ && cmp->op != NFT_CMP_NEQ) || cmp->len > MATCH_MAX)
		return false;
	memcpy(value, cmp->data, cmp->len);
	return true;
}

const struct expr_ops expr_cmp = {
	"cmp", sizeof(struct cmp), NFTA_CMP_MAX, parse, evaluate, false, features, 0};
