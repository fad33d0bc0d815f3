/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * A token bucket (nft_limit.c): what a `limit` says, apart from where its bucket
 * is. The tokens at a time t are min(max, t - empty_at): one word says it all.
 */
#ifndef SHUNT_NFT_LIMIT_H
#define SHUNT_NFT_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** A limit. Immutable. */
struct nft_limit {
	bool bytes;
	bool invert;
	uint64_t rate;
	uint64_t unit_ns; /**< nanoseconds in which rate may pass */
	uint64_t max_ns;  /**< of the bucket */
	uint64_t cost_ns; /**< of a packet, where packets are limited */
};

/** Take what a packet costs. False: there is not that much, and it stays. */
static inline bool
nft_limit_take(
	const struct nft_limit *l, _Atomic uint64_t *empty_at_ns, uint64_t now, uint64_t cost)
{
	uint64_t empty_at = atomic_load_explicit(empty_at_ns, memory_order_relaxed);
	uint64_t from;

	do {
		/* Not more than full; and workers' clocks may differ by a walk. */
		from = now > l->max_ns && empty_at < now - l->max_ns ? now - l->max_ns : empty_at;
		if (now < from || now - from < cost)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		empty_at_ns, &empty_at, from + cost, memory_order_relaxed, memory_order_relaxed));
	return true;
}

/** Whether a packet passes. Any worker. @param empty_at_ns 0 at first: the bucket is full */
static inline bool
nft_limit_pass(
	const struct nft_limit *l, _Atomic uint64_t *empty_at_ns, uint64_t now, uint32_t ip_len)
{
	uint64_t cost = l->bytes ? l->unit_ns * ip_len / l->rate : l->cost_ns;

	return nft_limit_take(l, empty_at_ns, now, cost) != l->invert;
}

#endif
