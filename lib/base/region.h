/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * A region: an array that never moves and grows in place. Its whole address
 * range is reserved at creation and costs nothing; memory comes in when the
 * owner's control thread makes more of it ready. So a worker's record keeps its
 * address and its number, and no worker ever allocates or faults.
 */
#ifndef SHUNT_BASE_REGION_H
#define SHUNT_BASE_REGION_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/** An array of elements of one size. Zero-initialise, then region_reserve(). */
struct region {
	uint8_t *base;		/**< immutable after region_reserve() */
	size_t stride;		/**< bytes an element; immutable */
	uint64_t max;		/**< elements reserved; immutable */
	_Atomic uint64_t ready; /**< elements backed by memory, zeroed. control: rw, worker: ro */
};

/**
 * Reserve address space. Control thread.
 * @param stride bytes an element, above 0
 * @param max elements, above 0
 * @return 0, -EINVAL, or -ENOMEM if the address space is refused
 */
int region_reserve(struct region *region, size_t stride, uint64_t max);

/**
 * Back the first elements with zeroed memory, faulted in now. Control thread,
 * while workers use what was ready before. Never shrinks.
 * @param count elements wanted; more than max is cut to max
 * @return 0, or -ENOMEM: what was ready stays
 */
int region_make_ready(struct region *region, uint64_t count);

/** Return everything. Control thread, no user left. A zeroed region is fine. */
void region_release(struct region *region);

/** Bytes backed by memory. Any thread. */
uint64_t region_bytes(const struct region *region);

#endif
