/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * numgen: a number that counts up, or a random one (nft_numgen.c).
 */
#include <errno.h>

#include <rte_random.h>

#include "expr_rows.h"
#include "program.h"

struct numgen {
	struct expr head;
	uint8_t reg;
	bool random;
	uint32_t modulus;
	uint32_t offset;
	uint32_t state; /* the next number, in a bucket: one for all workers */
};

static const struct nft_feature features[] = {
	NFT_HAS("numgen inc", NFT_NG_INCREMENTAL, .note = "one count for all workers"),
	NFT_HAS("numgen random", NFT_NG_RANDOM),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct numgen *ng = (struct numgen *)expr;
	const struct nft_feature *row;
	uint32_t type;
	int rc = attr_u32(attrs[NFTA_NG_TYPE], ctx, &type);

	if (rc == 0)
		rc = expr_feature(features, type, false, ctx, attrs[NFTA_NG_TYPE], &row);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_NG_OFFSET], ctx, 0, &ng->offset);
	if (rc == 0)
		rc = attr_u32(attrs[NFTA_NG_MODULUS], ctx, &ng->modulus);
	if (rc == 0 && ng->modulus == 0)
		rc = attr_refuse(ctx, attrs[NFTA_NG_MODULUS], -ERANGE);
	if (rc == 0 && ng->offset + ng->modulus - 1 < ng->offset)
		rc = attr_refuse(ctx, attrs[NFTA_NG_OFFSET], -EOVERFLOW);
	if (rc == 0)
		rc = attr_reg(attrs[NFTA_NG_DREG], ctx, 4, &ng->reg);
	if (rc != 0)
		return rc;
	ng->random = type == NFT_NG_RANDOM;
	return ng->random ? 0 : ctx->state(ctx->owner, NFT_STATE_WORDS, &ng->state);
}

static uint32_t
next(const struct numgen *ng, struct nft_bucket *bucket)
{
	uint64_t now = atomic_load_explicit(&bucket->words[0], memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(&bucket->words[0], &now,
		now + 1 < ng->modulus ? now + 1 : 0, memory_order_relaxed, memory_order_relaxed))
		;
	return (uint32_t)now;
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct numgen *ng = (const struct numgen *)expr;
	uint32_t number = ng->random ? (uint32_t)((rte_rand() >> 32) * ng->modulus >> 32)
				     : next(ng, &eval->program->states->buckets[ng->state]);

	nft_bind_to_packet(eval, NFT_INPUT_NUMGEN);
	nft_mark(eval, ng->reg, 4, 0);
	nft_store(eval, ng->reg, number + ng->offset);
}

const struct expr_ops expr_numgen = {
	"numgen", sizeof(struct numgen), NFTA_NG_OFFSET, parse, evaluate, false, features, 0};
