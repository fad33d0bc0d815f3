/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The tuple: what identifies one direction of a connection, as in Linux's
 * struct nf_conntrack_tuple.
 */
#ifndef SHUNT_PACKET_TUPLE_H
#define SHUNT_PACKET_TUPLE_H

#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>

/** Address families by their netfilter numbers (NFPROTO_IPV4, NFPROTO_IPV6). */
enum {
	FAMILY_IPV4 = 2,
	FAMILY_IPV6 = 10,
};

/** An address, network order. IPv4: the first four bytes, the others zero. */
union address {
	uint8_t v6[16]; /* first: an initializer {0} clears the first member only */
	rte_be32_t v4;
	uint32_t w[4];
	uint64_t q[2];
};

/**
 * A tuple. Network order where a header has it so.
 *
 * sport and dport are the ports of TCP and UDP. ICMP and ICMPv6 have the
 * identifier in sport and, in dport, type and code as (type << 8 | code) in
 * network order, as in the first two bytes of the header. Other protocols have
 * zero in both.
 */
struct tuple {
	union address src;
	union address dst;
	rte_be16_t sport;
	rte_be16_t dport;
	uint8_t proto;
	uint8_t family; /**< FAMILY_IPV4 or FAMILY_IPV6 */
	uint16_t zone;
};
static_assert(sizeof(struct tuple) == 40, "a hash key: no padding");

static inline bool
tuple_equal(const struct tuple *a, const struct tuple *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/**
 * The tuple of the other direction without translation (nf_ct_invert_tuple):
 * addresses and ports swapped; ICMP requests become their replies.
 * @return false for an ICMP type that has no reply (out is left as it was)
 */
bool tuple_invert(const struct tuple *in, struct tuple *out);

/**
 * The 16-bit XOR from which a packet's home follows (doc/architecture.md,
 * homes): of addresses and, for TCP and UDP, ports; the same both ways, and
 * what a NIC hashes with the periodic key.
 */
static inline uint16_t
tuple_fold(const struct tuple *t)
{
	uint64_t a = t->src.q[0] ^ t->src.q[1] ^ t->dst.q[0] ^ t->dst.q[1];
	uint32_t b = (uint32_t)(a >> 32) ^ (uint32_t)a;
	uint16_t x = (uint16_t)(b >> 16) ^ (uint16_t)b;

	if (t->proto == 6 || t->proto == 17)
		x ^= t->sport ^ t->dport;
	return x;
}

/** Bytes that tuple_print() needs at most, the NUL included. */
#define TUPLE_STRLEN 192

/**
 * Print a tuple as `tcp 10.0.0.1:1024 192.0.2.1:80` (IPv6 in brackets; ICMP
 * `icmp SRC DST type T code C id I`).
 * @param buf at least TUPLE_STRLEN bytes; NUL-terminated on return
 * @return buf
 */
char *tuple_print(const struct tuple *t, char *buf);

#endif
