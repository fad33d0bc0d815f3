/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which tuple a connection gets: nf_nat_core.c's get_unique_tuple and what it
 * calls, in its order, since an operator sees the result on the wire. The one
 * difference: where Linux would take any free port at random, a port whose
 * reply has its home on this worker is taken, so that the reply arrives here.
 */
#include "nat_priv.h"

#include <errno.h>
#include <string.h>

#include <rte_jhash.h>

static bool
is_icmp(const struct tuple *t)
{
	return t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6;
}

static bool
has_ports(const struct tuple *t)
{
	return t->proto == IPPROTO_TCP || t->proto == IPPROTO_UDP;
}

/* The port, or identifier, that a translation of this end changes. */
static rte_be16_t *
key_of(struct tuple *t, enum nat_manip manip)
{
	return manip == NAT_MANIP_SRC || is_icmp(t) ? &t->sport : &t->dport;
}

uint8_t
nat_reply_home(const struct nat *nat, const struct tuple *t)
{
	/* The fold is the same both ways, so the inverse need not be made. */
	return home_of(nat->homes, tuple_fold(t));
}

bool
nat_used(struct nat *nat, uint32_t conn, const struct tuple *t)
{
	struct tuple reply;

	return tuple_invert(t, &reply) && conntrack_tuple_taken(nat->ct, &reply, conn);
}

/* nf_nat_inet_in_range, for a source. */
static bool
address_in_range(const union address *a, uint8_t family, const struct nat_range *range)
{
	size_t size = family == FAMILY_IPV4 ? 4 : 16;

	return memcmp(a, &range->min_addr, size) >= 0 && memcmp(a, &range->max_addr, size) <= 0;
}

/* l4proto_in_range */
static bool
port_in_range(struct tuple *t, enum nat_manip manip, const struct nat_range *range)
{
	uint16_t port = rte_be_to_cpu_16(*key_of(t, manip));

	if (!has_ports(t) && !is_icmp(t))
		return true;
	return port >= rte_be_to_cpu_16(range->min_port) &&
	       port <= rte_be_to_cpu_16(range->max_port);
}

/* nf_in_range */
static bool
source_in_range(const struct tuple *t, const struct nat_range *range)
{
	struct tuple copy = *t;

	if ((range->flags & NAT_RANGE_MAP_IPS) && !address_in_range(&t->src, t->family, range))
		return false;
	return !(range->flags & NAT_RANGE_PROTO_SPECIFIED) ||
	       port_in_range(&copy, NAT_MANIP_SRC, range);
}

/* find_best_ips_proto: the address of a range by a hash of both ends. */
static void
choose_address(struct tuple *t, const struct nat_range *range, enum nat_manip manip)
{
	union address *var = manip == NAT_MANIP_SRC ? &t->src : &t->dst;
	unsigned int max = t->family == FAMILY_IPV4 ? 0 : 3;
	bool full = false;
	uint32_t j;

	if (!(range->flags & NAT_RANGE_MAP_IPS))
		return;
	if (memcmp(&range->min_addr, &range->max_addr, sizeof(range->min_addr)) == 0) {
		*var = range->min_addr;
		return;
	}
	j = rte_jhash_32b(
		t->src.w, 4, range->flags & NAT_RANGE_PERSISTENT ? 0 : t->dst.w[max] ^ t->zone);
	for (unsigned int i = 0; i <= max; i++) {
		uint32_t min = 0, dist = ~0U;

		if (!full) {
			min = rte_be_to_cpu_32(range->min_addr.w[i]);
			dist = rte_be_to_cpu_32(range->max_addr.w[i]) - min + 1;
		}
		var->w[i] = rte_cpu_to_be_32(min + (uint32_t)((uint64_t)j * dist >> 32));
		if (var->w[i] != range->max_addr.w[i])
			full = true;
		/* For a destination this is the word just written, as in Linux. */
		if (!(range->flags & NAT_RANGE_PERSISTENT))
			j ^= t->dst.w[i];
	}
}

/* The ports that may be tried: their first and how many. */
static bool
port_span(struct tuple *t, const struct nat_range *range, enum nat_manip manip, unsigned int *first,
	unsigned int *size)
{
	uint16_t port = rte_be_to_cpu_16(*key_of(t, manip));

	if (!has_ports(t) && !is_icmp(t))
		return false;
	if (range->flags & NAT_RANGE_PROTO_SPECIFIED) {
		unsigned int min = rte_be_to_cpu_16(range->min_port);
		unsigned int max = rte_be_to_cpu_16(range->max_port);

		*first = RTE_MIN(min, max);
		*size = RTE_MAX(min, max) - *first + 1;
		return true;
	}
	if (is_icmp(t)) {
		*first = 0;
		*size = 65536;
		return true;
	}
	/* A destination port is not changed without being told to which. */
	if (manip == NAT_MANIP_DST)
		return false;
	/* Privileged ports stay privileged: below 512, below 1024, above. */
	*first = port >= 1024 ? 1024 : port < 512 ? 1 : 600;
	*size = port >= 1024 ? 65536 - 1024 : port < 512 ? 511 : 1024 - 600;
	return true;
}

/*
 * nf_nat_l4proto_unique_tuple. Linux gives up after some hundred tries; here
 * the ports at home are all tried, so a range is exhausted only when it is. A
 * destination is never refused: its source end, bound later, may yet make the
 * tuple unique. For the same reason its home is not known yet.
 */
static int
choose_port(struct nat *nat, uint32_t conn, struct tuple *t, const struct nat_range *range,
	enum nat_manip manip, bool local)
{
	unsigned int first, size, start = 0;
	rte_be16_t *key = key_of(t, manip);
	rte_be16_t away = 0;
	bool have_away = false;

	if (!port_span(t, range, manip, &first, &size))
		return manip == NAT_MANIP_SRC && nat_used(nat, conn, t) ? -ENOSPC : 0;
	if (manip == NAT_MANIP_SRC ||
		(range->flags & (NAT_RANGE_PROTO_RANDOM | NAT_RANGE_PROTO_RANDOM_FULLY)))
		start = (unsigned int)(nat_random(nat) % size);
	for (unsigned int i = 0; i < size; i++) {
		*key = rte_cpu_to_be_16((uint16_t)(first + (start + i) % size));
		if (manip == NAT_MANIP_SRC && nat_reply_home(nat, t) != nat->ct->worker) {
			if (!have_away)
				away = *key;
			have_away = true;
			continue;
		}
		if (!nat_used(nat, conn, t))
			return 0;
	}
	if (manip == NAT_MANIP_DST)
		return 0;
	if (!have_away || local)
		return -ENOSPC;
	*key = away;
	return 0;
}

int
nat_choose(struct nat *nat, uint32_t conn, const struct tuple *current,
	const struct nat_range *range, enum nat_manip manip, bool local, struct tuple *out)
{
	bool random = (range->flags & (NAT_RANGE_PROTO_RANDOM | NAT_RANGE_PROTO_RANDOM_FULLY)) != 0;

	if (manip == NAT_MANIP_SRC && !random && !local) {
		if (source_in_range(current, range)) {
			*out = *current;
			if (!nat_used(nat, conn, out))
				return 0;
		} else if (nat_source_find(nat, current, out, source_in_range, range) &&
			   !nat_used(nat, conn, out)) {
			return 0;
		}
	}
	*out = *current;
	choose_address(out, range, manip);
	if (!random && !local) {
		if (range->flags & NAT_RANGE_PROTO_SPECIFIED) {
			if (port_in_range(out, manip, range) &&
				(range->min_port == range->max_port || !nat_used(nat, conn, out)))
				return 0;
		} else if (!nat_used(nat, conn, out)) {
			return 0;
		}
	}
	return choose_port(nat, conn, out, range, manip, local);
}

int
nat_choose_away(struct nat *nat, const struct tuple *current, const struct nat_range *range,
	struct tuple *out)
{
	unsigned int first, size, start;

	*out = *current;
	choose_address(out, range, NAT_MANIP_SRC);
	if (!port_span(out, range, NAT_MANIP_SRC, &first, &size))
		return -ENOSPC;
	start = (unsigned int)(nat_random(nat) % size);
	for (unsigned int i = 0; i < size; i++) {
		out->sport = rte_cpu_to_be_16((uint16_t)(first + (start + i) % size));
		if (nat_reply_home(nat, out) != nat->ct->worker)
			return 0;
	}
	return -ENOSPC;
}
