/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * limit: a token bucket, one for all workers (xt_limit.c).
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <linux/netfilter/xt_limit.h>

#include "limit.h"
#include "program.h"
#include "xt_rows.h"

/* Nanoseconds of a ten-thousandth of a second. */
#define SCALE_NS (1000000000ULL / XT_LIMIT_SCALE)
/* Linux counts in jiffies of this machine's kind: HZ 250. */
#define HZ 250U
/* MAX_CPJ rounded down to a power of two: 0xffffffff / (HZ * a day's seconds) = 198. */
#define CREDITS_PER_JIFFY 128U

struct bucket {
	struct nft_limit limit;
	uint32_t state;
};

/* user2credits: 32 bits, which wrap. */
static uint32_t
credits(uint32_t user)
{
	if (user > UINT32_MAX / (HZ * CREDITS_PER_JIFFY))
		return user / XT_LIMIT_SCALE * HZ * CREDITS_PER_JIFFY;
	return user * HZ * CREDITS_PER_JIFFY / XT_LIMIT_SCALE;
}

/* limit_mt_check: what overflows there is refused here. */
static int
check(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	struct bucket *b = (void *)data;
	struct xt_rateinfo info;

	memcpy(&info, data, sizeof(info));
	if (info.burst == 0 || credits(info.avg * info.burst) < credits(info.avg))
		return -ERANGE;
	memset(data, 0, sizeof(*data));
	b->limit.rate = 1;
	b->limit.cost_ns = info.avg * SCALE_NS;
	b->limit.max_ns = (uint64_t)(info.avg * info.burst) * SCALE_NS;
	return ctx->state(ctx->owner, NFT_STATE_WORDS, &b->state);
}

static bool
match(const struct nft_xt_data *data, struct nft_eval *eval)
{
	const struct bucket *b = (const void *)data;
	struct nft_bucket *bucket = &eval->program->states->buckets[b->state];

	nft_bind_to_packet(eval, NFT_INPUT_LIMIT);
	return nft_limit_pass(&b->limit, &bucket->words[0], eval->pkt->now_ns, 0);
}

const struct nft_xt xt_limit_0 = {.name = "limit",
	.size = sizeof(struct xt_rateinfo),
	.shown = offsetof(struct xt_rateinfo, prev),
	.check = check,
	.match = match,
	.note = "one for all workers"};
