/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHUNT_NAT_NAT_PRIV_H
#define SHUNT_NAT_NAT_PRIV_H

#include "nat.h"

/* The hold of a connection, or NULL. */
struct nat_hold *nat_hold_of(struct nat *nat, uint32_t conn);

/* Remember the source of a translated connection, for mapping reuse. */
void nat_source_add(struct nat *nat, uint32_t conn);
void nat_source_del(struct nat *nat, uint32_t conn);

/* find_appropriate_src: a mapping of the same source that fits the range; the tuple it gives. */
bool nat_source_find(struct nat *nat, const struct tuple *t, struct tuple *mapped,
	bool (*fits)(const struct tuple *, const struct nat_range *),
	const struct nat_range *range);

/*
 * get_unique_tuple: choose the translated original tuple.
 * local: only tuples whose reply has its home here, and whose answer is thus
 * known at once. Returns 0 or -ENOSPC.
 */
int nat_choose(struct nat *nat, uint32_t conn, const struct tuple *current,
	const struct nat_range *range, enum nat_manip manip, bool local, struct tuple *out);

/*
 * A tuple of the range whose reply has its home elsewhere, from a random start:
 * whether it is free, only that home can tell. Returns 0 or -ENOSPC.
 */
int nat_choose_away(struct nat *nat, const struct tuple *current, const struct nat_range *range,
	struct tuple *out);

/* Whether the reply of a tuple belongs to another connection, as far as this worker knows. */
bool nat_used(struct nat *nat, uint32_t conn, const struct tuple *t);

/* The home of the reply of a tuple. */
uint8_t nat_reply_home(const struct nat *nat, const struct tuple *t);

/* 64 random bits (splitmix64; only spreads ports, guards nothing). */
static inline uint64_t
nat_random(struct nat *nat)
{
	uint64_t z = (nat->random += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

#endif
