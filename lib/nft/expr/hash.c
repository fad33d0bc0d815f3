/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hash: jhash of registers, symhash of the packet's flow (nft_hash.c). What
 * symhash gives is Linux's secret; here it is as even, and another.
 */
#include <errno.h>
#include <string.h>

#include <rte_jhash.h>
#include <rte_random.h>

#include "expr_rows.h"
#include "tuple.h"

struct hash {
	struct expr head;
	uint8_t from;
	uint8_t to;
	uint8_t len;
	bool symmetric;
	uint32_t modulus;
	uint32_t seed;
	uint32_t offset;
};

static const struct nft_feature features[] = {
	NFT_HAS("jhash", NFT_HASH_JENKINS, .note = "the numbers of a seed are Linux's"),
	NFT_HAS("symhash", NFT_HASH_SYM, .note = "even; the numbers are others than Linux's"),
	NFT_END,
};

/* What jhash is of; a seed that nobody gives is chosen. */
static int
parse_jhash(struct hash *h, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	uint32_t len;
	int rc = attr_u32(attrs[NFTA_HASH_LEN], ctx, &len);

	if (rc == 0 && (len == 0 || len > UINT8_MAX))
		rc = attr_refuse(ctx, attrs[NFTA_HASH_LEN], -ERANGE);
	if (rc == 0)
		rc = attr_load(attrs[NFTA_HASH_SREG], ctx, len, &h->from);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_HASH_SEED], ctx, (uint32_t)rte_rand(), &h->seed);
	h->len = rc == 0 ? (uint8_t)len : 0;
	return rc;
}

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct hash *h = (struct hash *)expr;
	const struct nft_feature *row;
	uint32_t type;
	int rc = attr_u32_or(attrs[NFTA_HASH_TYPE], ctx, NFT_HASH_JENKINS, &type);

	if (rc == 0)
		rc = expr_feature(features, type, false, ctx, attrs[NFTA_HASH_TYPE], &row);
	h->symmetric = type == NFT_HASH_SYM;
	if (rc == 0 && !h->symmetric)
		rc = parse_jhash(h, attrs, ctx);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_HASH_OFFSET], ctx, 0, &h->offset);
	if (rc == 0)
		rc = attr_u32(attrs[NFTA_HASH_MODULUS], ctx, &h->modulus);
	if (rc == 0 && h->modulus < (h->symmetric ? 1 : 2))
		rc = attr_refuse(ctx, attrs[NFTA_HASH_MODULUS], -ERANGE);
	if (rc == 0 && h->offset + h->modulus - 1 < h->offset)
		rc = attr_refuse(ctx, attrs[NFTA_HASH_OFFSET], -EOVERFLOW);
	return rc != 0 ? rc : attr_reg(attrs[NFTA_HASH_DREG], ctx, 4, &h->to);
}

/* reciprocal_scale */
static uint32_t
scale(uint32_t value, uint32_t modulus)
{
	return (uint32_t)((uint64_t)value * modulus >> 32);
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct hash *h = (const struct hash *)expr;
	uint32_t value;

	if (h->symmetric) {
		value = tuple_fold(&eval->pkt->tuple) * 0x9e3779b1U;
	} else {
		nft_test(eval, h->from, h->len);
		value = rte_jhash(nft_reg(eval, h->from), h->len, h->seed);
	}
	nft_mark(eval, h->to, 4, 0);
	nft_store(eval, h->to, scale(value, h->modulus) + h->offset);
}

const struct expr_ops expr_hash = {
	"hash", sizeof(struct hash), NFTA_HASH_MAX, parse, evaluate, false, features, 0};
