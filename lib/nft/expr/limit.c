/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * limit: a token bucket, one for all workers (nft_limit.c).
 */
#include <errno.h>

#include "expr_rows.h"
#include "limit.h"
#include "program.h"

#define NS_A_SECOND 1000000000ULL
/* NFT_LIMIT_PKT_BURST_DEFAULT */
#define BURST 5

struct limit {
	struct expr head;
	uint32_t state;
	struct nft_limit limit;
};

static const struct nft_feature features[] = {
	NFT_HAS("limit rate N/UNIT", NFT_LIMIT_PKTS,
		.note = "also `over`, `burst`; one for all workers"),
	NFT_HAS("limit rate N bytes/UNIT", NFT_LIMIT_PKT_BYTES,
		.note = "also `over`, `burst`; one for all workers"),
	NFT_END,
};

/* nft_limit_init: what overflows is refused. */
static int
sizes(struct nft_limit *l, uint64_t unit, uint64_t burst, const struct nlattr *const *attrs,
	struct expr_ctx *ctx)
{
	if (l->rate == 0)
		return attr_refuse(ctx, attrs[NFTA_LIMIT_RATE], -EINVAL);
	if (__builtin_mul_overflow(unit, NS_A_SECOND, &l->unit_ns))
		return attr_refuse(ctx, attrs[NFTA_LIMIT_UNIT], -EOVERFLOW);
	if (!l->bytes && burst == 0)
		burst = BURST;
	if (l->rate + burst < l->rate)
		return attr_refuse(ctx, attrs[NFTA_LIMIT_BURST], -EOVERFLOW);
	if (l->bytes) {
		if (__builtin_mul_overflow(l->unit_ns, l->rate + burst, &l->max_ns))
			return attr_refuse(ctx, attrs[NFTA_LIMIT_RATE], -EOVERFLOW);
		l->max_ns /= l->rate;
		return 0;
	}
	l->cost_ns = l->unit_ns / l->rate;
	if (__builtin_mul_overflow(l->cost_ns, burst, &l->max_ns))
		return attr_refuse(ctx, attrs[NFTA_LIMIT_RATE], -EOVERFLOW);
	return 0;
}

int
limit_parse(struct nft_limit *l, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	const struct nft_feature *row;
	uint32_t burst, type, flags;
	uint64_t unit;
	int rc = attr_u64(attrs[NFTA_LIMIT_RATE], ctx, &l->rate);

	if (rc == 0)
		rc = attr_u64(attrs[NFTA_LIMIT_UNIT], ctx, &unit);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_LIMIT_BURST], ctx, 0, &burst);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_LIMIT_TYPE], ctx, NFT_LIMIT_PKTS, &type);
	if (rc == 0)
		rc = expr_feature(features, type, false, ctx, attrs[NFTA_LIMIT_TYPE], &row);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_LIMIT_FLAGS], ctx, 0, &flags);
	if (rc == 0 && (flags & ~(uint32_t)NFT_LIMIT_F_INV))
		rc = attr_refuse(ctx, attrs[NFTA_LIMIT_FLAGS], -EOPNOTSUPP);
	if (rc != 0)
		return rc;
	l->bytes = type == NFT_LIMIT_PKT_BYTES;
	l->invert = (flags & NFT_LIMIT_F_INV) != 0;
	return sizes(l, unit, burst, attrs, ctx);
}

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct limit *l = (struct limit *)expr;
	int rc = limit_parse(&l->limit, attrs, ctx);

	return rc != 0 ? rc : ctx->state(ctx->owner, NFT_STATE_WORDS, &l->state);
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct limit *l = (const struct limit *)expr;
	struct nft_bucket *bucket = &eval->program->states->buckets[l->state];

	nft_bind_to_packet(eval, NFT_INPUT_LIMIT);
	if (!nft_limit_pass(&l->limit, &bucket->words[0], eval->pkt->now_ns, pkt_len(eval->pkt)))
		nft_break(eval);
}

const struct expr_ops expr_limit = {
	"limit", sizeof(struct limit), NFTA_LIMIT_FLAGS, parse, evaluate, false, features, 0};
