/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bitwise: and-xor with constants, shifts (nft_bitwise.c).
 */
#include <errno.h>
#include <string.h>

#include "compile_priv.h"
#include "expr_rows.h"

struct bitwise {
	struct expr head;
	uint8_t from;
	uint8_t to;
	uint8_t words;
	uint8_t op; /* enum nft_bitwise_ops */
	uint32_t shift;
	uint32_t mask[NFT_DATA_MAX / 4];
	uint32_t flip[NFT_DATA_MAX / 4];
};

static int
parse_constants(
	struct bitwise *b, uint32_t len, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	uint8_t data[NFT_DATA_MAX];
	uint32_t mask_len, xor_len, shift_len;
	int rc;

	if (b->op != NFT_BITWISE_BOOL) {
		rc = attr_value(attrs[NFTA_BITWISE_DATA], ctx, data, &shift_len);
		if (rc != 0)
			return rc;
		memcpy(&b->shift, data, sizeof(b->shift));
		if (shift_len != sizeof(b->shift) || b->shift >= 32)
			return attr_refuse(ctx, attrs[NFTA_BITWISE_DATA], -EINVAL);
		return 0;
	}
	rc = attr_value(attrs[NFTA_BITWISE_MASK], ctx, (uint8_t *)b->mask, &mask_len);
	if (rc == 0)
		rc = attr_value(attrs[NFTA_BITWISE_XOR], ctx, (uint8_t *)b->flip, &xor_len);
	if (rc == 0 && mask_len != len)
		rc = attr_refuse(ctx, attrs[NFTA_BITWISE_MASK], -EINVAL);
	if (rc == 0 && xor_len != len)
		rc = attr_refuse(ctx, attrs[NFTA_BITWISE_XOR], -EINVAL);
	return rc;
}

static const struct nft_feature features[] = {
	NFT_HAS("& and ^ with constants", NFT_BITWISE_BOOL),
	NFT_HAS("<< by a constant", NFT_BITWISE_LSHIFT),
	NFT_HAS(">> by a constant", NFT_BITWISE_RSHIFT),
	NFT_HAS_NOT("&, | and ^ of two values that are no constants", 0,
		"newer than the headers of Debian 12: an older kernel's answer", .text = true),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct bitwise *b = (struct bitwise *)expr;
	const struct nft_feature *row;
	uint32_t len, op;
	int rc = attr_u32(attrs[NFTA_BITWISE_LEN], ctx, &len);

	if (rc == 0 && (len == 0 || len > NFT_DATA_MAX))
		rc = attr_refuse(ctx, attrs[NFTA_BITWISE_LEN], -ERANGE);
	if (rc == 0)
		rc = attr_load(attrs[NFTA_BITWISE_SREG], ctx, len, &b->from);
	if (rc == 0)
		rc = attr_reg(attrs[NFTA_BITWISE_DREG], ctx, len, &b->to);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_BITWISE_OP], ctx, NFT_BITWISE_BOOL, &op);
	if (rc == 0)
		rc = expr_feature(features, op, false, ctx, attrs[NFTA_BITWISE_OP], &row);
	if (rc != 0)
		return rc;
	b->words = (uint8_t)((len + 3) / 4);
	b->op = (uint8_t)op;
	return parse_constants(b, len, attrs, ctx);
}

/* The registers are one number, its first word the highest (nft_bitwise_eval_lshift). */
static void
shift_left(const struct bitwise *b, const uint32_t *from, uint32_t *to)
{
	uint32_t carry = 0;

	for (unsigned int i = b->words; i-- > 0;) {
		uint32_t word = from[i];

		to[i] = word << b->shift | carry;
		carry = b->shift != 0 ? word >> (32 - b->shift) : 0;
	}
}

static void
shift_right(const struct bitwise *b, const uint32_t *from, uint32_t *to)
{
	uint32_t carry = 0;

	for (unsigned int i = 0; i < b->words; i++) {
		uint32_t word = from[i];

		to[i] = carry | word >> b->shift;
		carry = b->shift != 0 ? word << (32 - b->shift) : 0;
	}
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct bitwise *b = (const struct bitwise *)expr;
	const uint32_t *from = &eval->regs.word[b->from];
	uint32_t *to = &eval->regs.word[b->to];

	const uint32_t *from_unknown = &eval->unknown[b->from];
	uint32_t *to_unknown = &eval->unknown[b->to];

	switch (b->op) {
	case NFT_BITWISE_LSHIFT:
		shift_left(b, from, to);
		shift_left(b, from_unknown, to_unknown);
		break;
	case NFT_BITWISE_RSHIFT:
		shift_right(b, from, to);
		shift_right(b, from_unknown, to_unknown);
		break;
	default:
		/* What the mask takes away is known to be gone. */
		for (unsigned int i = 0; i < b->words; i++) {
			to[i] = (from[i] & b->mask[i]) ^ b->flip[i];
			to_unknown[i] = from_unknown[i] & b->mask[i];
		}
		break;
	}
}

bool
bitwise_mask(const struct expr *expr, uint8_t *reg, uint8_t *len, uint64_t mask[2])
{
	const struct bitwise *b = (const struct bitwise *)expr;

	*reg = b->from;
	*len = (uint8_t)(b->words * 4);
	if (b->from != b->to || b->op != NFT_BITWISE_BOOL || *len > MATCH_MAX)
		return false;
	for (unsigned int i = 0; i < b->words; i++)
		if (b->flip[i] != 0)
			return false;
	memcpy(mask, b->mask, *len);
	return true;
}

const struct expr_ops expr_bitwise = {
	"bitwise", sizeof(struct bitwise), NFTA_BITWISE_MAX, parse, evaluate, false, features, 0};
