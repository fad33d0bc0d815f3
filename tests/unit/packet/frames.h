/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Frames for tests: made from a description, held by mbufs that need no EAL,
 * and summed by a plain loop that shares nothing with lib/packet/checksum.h.
 */
#ifndef SHUNT_TESTS_FRAMES_H
#define SHUNT_TESTS_FRAMES_H

#include "packet.h"

/** Bytes that a frame of frame_build() has at most. */
#define FRAME_MAX 2048U
#define FRAME_L2  14U

/** An mbuf with the private area that the metadata needs, and no pool. */
struct fake {
	struct rte_mbuf m;
	uint8_t priv[PKT_PRIV_SIZE];
};

/** What frame_build() makes. */
struct frame_spec {
	bool ipv6;
	uint8_t proto;	      /**< the L4 protocol; others than TCP, UDP and ICMP get bytes */
	uint8_t ext;	      /**< IPv4: words of options; IPv6: extension headers */
	uint8_t ttl;	      /**< 0: 64 */
	uint8_t tcp_flags;    /**< 0: ACK */
	uint8_t icmp_type;    /**< with icmp_code */
	uint8_t icmp_code;    /**< not used without ICMP */
	bool no_check;	      /**< UDP without checksum */
	uint16_t fragment;    /**< IPv4: the header's field; IPv6: that of a fragment header */
	uint16_t payload;     /**< bytes after the L4 header */
	const uint8_t *quote; /**< what the payload is; NULL: any bytes */
	struct tuple t;	      /**< addresses; ports; ICMP: sport is the identifier */
};

/** A random word (splitmix64). */
uint64_t random_next(uint64_t *state);

/** A random tuple of TCP, UDP or ICMP with its family's addresses. */
struct tuple random_tuple(uint64_t *state, bool ipv6, uint8_t proto);

/** Point an mbuf at bytes: len of data, room bytes in all. Its metadata is cleared. */
struct rte_mbuf *fake_mbuf(struct fake *fake, uint8_t *bytes, uint32_t len, uint32_t room);

/** Build a frame with right checksums. Returns its length. */
uint32_t frame_build(uint8_t *out, const struct frame_spec *spec);

/** The folded sum of big-endian words, begun with start. */
uint16_t naive_sum(uint32_t start, const uint8_t *p, uint32_t len);

/** The folded sum of an L4 packet and what it is summed with: 0xffff if its checksum is right. */
uint16_t naive_l4_sum(const uint8_t *ip, uint8_t proto, const uint8_t *l4, uint32_t len);

/** Write the checksums of an IP packet whose L4 header is at l4. */
void seal(uint8_t *ip, uint8_t proto, uint8_t *l4, uint32_t len);

#endif
