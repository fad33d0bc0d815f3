/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * byteorder: network to host and back, in pieces of 2, 4 or 8 bytes (nft_byteorder.c).
 */
#include <errno.h>
#include <string.h>

#include "expr_rows.h"

struct byteorder {
	struct expr head;
	uint8_t from;
	uint8_t to;
	uint8_t len;
	uint8_t size;
};

static const struct nft_feature features[] = {
	NFT_HAS("network to host order", NFT_BYTEORDER_NTOH),
	NFT_HAS("host to network order", NFT_BYTEORDER_HTON),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct byteorder *b = (struct byteorder *)expr;
	uint32_t op, len, size;
	int rc = attr_u32(attrs[NFTA_BYTEORDER_OP], ctx, &op);

	if (rc == 0 && !nft_feature_built(features, op))
		rc = attr_refuse(ctx, attrs[NFTA_BYTEORDER_OP], -EINVAL);
	if (rc == 0)
		rc = attr_u32(attrs[NFTA_BYTEORDER_SIZE], ctx, &size);
	if (rc == 0 && size != 2 && size != 4 && size != 8)
		rc = attr_refuse(ctx, attrs[NFTA_BYTEORDER_SIZE], -EINVAL);
	if (rc == 0)
		rc = attr_u32(attrs[NFTA_BYTEORDER_LEN], ctx, &len);
	if (rc == 0 && (len == 0 || len > NFT_DATA_MAX))
		rc = attr_refuse(ctx, attrs[NFTA_BYTEORDER_LEN], -ERANGE);
	if (rc == 0)
		rc = attr_load(attrs[NFTA_BYTEORDER_SREG], ctx, len, &b->from);
	if (rc == 0)
		rc = attr_reg(attrs[NFTA_BYTEORDER_DREG], ctx, len, &b->to);
	if (rc != 0)
		return rc;
	b->len = (uint8_t)len;
	b->size = (uint8_t)size;
	return 0;
}

/* Swapping is its own inverse, so both directions are one. */
static void
swap(const struct byteorder *b, const uint8_t *from, uint8_t *to)
{
	for (unsigned int i = 0; i + b->size <= b->len; i += b->size) {
		uint8_t piece[8] = {0};

		for (unsigned int j = 0; j < b->size; j++)
			piece[j] = from[i + b->size - 1 - j];
		memcpy(to + i, piece, b->size);
	}
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct byteorder *b = (const struct byteorder *)expr;

	swap(b, nft_reg(eval, b->from), nft_reg(eval, b->to));
	swap(b, (const uint8_t *)&eval->unknown[b->from], (uint8_t *)&eval->unknown[b->to]);
}

const struct expr_ops expr_byteorder = {"byteorder", sizeof(struct byteorder), NFTA_BYTEORDER_MAX,
	parse, evaluate, false, features, 0};
