/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From prefixes to intervals. Both families are handled as 128-bit numbers,
 * IPv4 in the upper 32 bits.
 */
#include "route_prefix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct key6
key_of(const union address *address, uint8_t family)
{
	if (family == FAMILY_IPV4)
		return (struct key6){(uint64_t)rte_be_to_cpu_32(address->v4) << 32, 0};
	return (struct key6){rte_be_to_cpu_64(address->q[0]), rte_be_to_cpu_64(address->q[1])};
}

union address
address_of(const struct key6 *key)
{
	return (union address){.q = {rte_cpu_to_be_64(key->high), rte_cpu_to_be_64(key->low)}};
}

/* The bits beyond a length of len. */
static struct key6
host_bits(uint8_t len)
{
	struct key6 bits;

	bits.high = len >= 64 ? 0 : UINT64_MAX >> len;
	bits.low = len >= 128 ? 0 : len <= 64 ? UINT64_MAX : UINT64_MAX >> (len - 64);
	return bits;
}

union address
prefix_of(const union address *address, uint8_t len)
{
	struct key6 key = key_of(address, FAMILY_IPV6);
	struct key6 bits = host_bits(len);

	key.high &= ~bits.high;
	key.low &= ~bits.low;
	return address_of(&key);
}

bool
prefix_holds(const union address *prefix, uint8_t len, const union address *address)
{
	struct key6 a = key_of(prefix, FAMILY_IPV6);
	struct key6 b = key_of(address, FAMILY_IPV6);
	struct key6 bits = host_bits(len);

	return ((a.high ^ b.high) & ~bits.high) == 0 && ((a.low ^ b.low) & ~bits.low) == 0;
}

void
prefix_add(struct prefix_list *list, uint8_t family, const union address *dst, uint8_t len,
	enum prefix_class class, const struct leaf *leaf, const struct route_entry *entry)
{
	struct prefix *p = &list->prefixes[list->count];
	struct key6 bits = host_bits(len);

	p->start = key_of(dst, family);
	p->start.high &= ~bits.high;
	p->start.low &= ~bits.low;
	p->end.high = p->start.high | bits.high;
	p->end.low = p->start.low | bits.low;
	p->len = len;
	p->class = class;
	p->order = list->count++;
	p->leaf = *leaf;
	p->entry = entry;
}

/* By start, the wider first; of equal prefixes the one that counts first. */
static int
compare_prefixes(const void *a, const void *b)
{
	const struct prefix *x = a, *y = b;
	int diff = key_compare(&x->start, &y->start);

	if (diff != 0)
		return diff;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

const struct prefix *
prefixes_sort(struct prefix_list *list)
{
	const struct prefix *clash = NULL;
	struct prefix *p = list->prefixes;
	uint32_t i, out = 0;

	qsort(p, list->count, sizeof(*p), compare_prefixes);
	for (i = 0; i < list->count; i++) {
		if (out == 0 || key_compare(&p[out - 1].start, &p[i].start) != 0 ||
			p[out - 1].len != p[i].len)
			p[out++] = p[i];
		else if (p[i].entry != NULL && p[out - 1].class == PREFIX_MAIN)
			clash = &p[out - 1];
	}
	list->count = out;
	return clash;
}

static void
emit(struct interval_list *out, struct key6 start, uint16_t leaf)
{
	if (out->count > 0 && key_compare(&out->intervals[out->count - 1].start, &start) == 0)
		out->count--;
	out->intervals[out->count++] = (struct interval){start, leaf};
}

/* Close the prefixes on the stack that end before `next` (all without it). */
static uint32_t
close_prefixes(const struct prefix_list *list, const uint32_t *stack, uint32_t depth,
	const struct key6 *next, struct interval_list *out)
{
	const struct prefix *top;
	struct key6 after;

	while (depth > 0) {
		top = &list->prefixes[stack[depth - 1]];
		if (next != NULL && key_compare(&top->end, next) >= 0)
			break;
		depth--;
		after = top->end;
		if (++after.low == 0 && ++after.high == 0)
			continue; /* the end of the address space */
		emit(out, after, depth > 0 ? (uint16_t)(stack[depth - 1] + 1) : 0);
	}
	return depth;
}

int
intervals_build(const struct prefix_list *list, struct interval_list *out)
{
	/* Prefixes nest, each longer than the one around it: 0 .. 128. */
	uint32_t stack[130];
	uint32_t depth = 0, i, kept;

	out->intervals = malloc(((size_t)list->count * 2 + 1) * sizeof(*out->intervals));
	if (out->intervals == NULL)
		return -ENOMEM;
	out->count = 0;
	emit(out, (struct key6){0, 0}, 0);
	for (i = 0; i < list->count; i++) {
		depth = close_prefixes(list, stack, depth, &list->prefixes[i].start, out);
		stack[depth++] = i;
		emit(out, list->prefixes[i].start, (uint16_t)(i + 1));
	}
	close_prefixes(list, stack, depth, NULL, out);
	/* Neighbours of one outcome become one. */
	for (i = 1, kept = 1; i < out->count; i++) {
		if (out->intervals[i].leaf != out->intervals[kept - 1].leaf)
			out->intervals[kept++] = out->intervals[i];
	}
	out->count = kept;
	return 0;
}

uint16_t
interval_find(const struct interval_list *list, const struct key6 *key)
{
	uint32_t low = 0, high = list->count, middle;

	while (high - low > 1) {
		middle = low + (high - low) / 2;
		if (key_compare(&list->intervals[middle].start, key) <= 0)
			low = middle;
		else
			high = middle;
	}
	return list->intervals[low].leaf;
}
