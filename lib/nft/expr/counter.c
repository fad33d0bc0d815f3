/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * counter: packets and layer-3 bytes that came by (nft_counter.c). One a worker,
 * summed when read.
 */
#include "expr_rows.h"
#include "program.h"

struct counter {
	struct expr head;
	uint32_t state;
};

static const struct nft_feature features[] = {
	NFT_HAS("counter", 0, .text = true, .note = "also with `packets N bytes N` to begin with"),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct counter *counter = (struct counter *)expr;
	uint64_t ignored;
	int rc = 0;

	/* What a restored ruleset says it had counted is the store's to add. */
	if (attrs[NFTA_COUNTER_PACKETS] != NULL)
		rc = attr_u64(attrs[NFTA_COUNTER_PACKETS], ctx, &ignored);
	if (rc == 0 && attrs[NFTA_COUNTER_BYTES] != NULL)
		rc = attr_u64(attrs[NFTA_COUNTER_BYTES], ctx, &ignored);
	return rc != 0 ? rc : ctx->state(ctx->owner, NFT_STATE_COUNTER, &counter->state);
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct counter *counter = (const struct counter *)expr;
	struct nft_count *count =
		&eval->program->states->counters[eval->pkt->worker][counter->state];

	count->packets++;
	count->bytes += pkt_len(eval->pkt);
	nft_pass_counter(eval, counter->state);
}

const struct expr_ops expr_counter = {
	"counter", sizeof(struct counter), NFTA_COUNTER_MAX, parse, evaluate, false, features, 0};
