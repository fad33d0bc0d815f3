/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * One's complement sums (RFC 1071) and their changes (RFC 1624), in memory
 * order: a sum of 16-bit words as they lie in the packet needs no swapping.
 */
#ifndef SHUNT_PACKET_CHECKSUM_H
#define SHUNT_PACKET_CHECKSUM_H

#include <stdint.h>
#include <string.h>

#include "tuple.h"

/** A sum with 64 bits more. */
static inline uint64_t
sum_add(uint64_t sum, uint64_t more)
{
	sum += more;
	return sum + (sum < more);
}

/** A sum in 16 bits. 0 only if everything summed was 0. */
static inline uint16_t
sum_fold(uint64_t sum)
{
	uint32_t half = (uint32_t)sum + (uint32_t)(sum >> 32);

	half += half < (uint32_t)sum;
	half = (half & 0xffff) + (half >> 16);
	return (uint16_t)(half + (half >> 16));
}

/** A sum with a run of bytes more, at any alignment; an odd last byte is padded by a zero. */
static inline uint64_t
sum_bytes(uint64_t sum, const void *bytes, uint32_t len)
{
	const uint8_t *p = bytes;
	uint64_t word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		sum = sum_add(sum, word);
	}
	if (len == 0)
		return sum;
	word = 0;
	memcpy(&word, p, len);
	return sum_add(sum, word);
}

/** The sum of a pseudo header (RFC 793, RFC 8200 8.1). len: bytes of the L4 packet. */
static inline uint64_t
sum_pseudo(const struct tuple *t, uint32_t len)
{
	uint64_t sum = sum_bytes(0, &t->src, sizeof(t->src));

	sum = sum_bytes(sum, &t->dst, sizeof(t->dst));
	sum = sum_add(sum, rte_cpu_to_be_16(t->proto));
	return sum_add(sum, rte_cpu_to_be_32(len));
}

/** A checksum of which one run of bytes is replaced by another of the same even length. */
static inline uint16_t
check_replace(uint16_t check, const void *from, const void *to, uint32_t len)
{
	uint64_t sum = sum_add((uint16_t)~check, (uint16_t)~sum_fold(sum_bytes(0, from, len)));

	return (uint16_t)~sum_fold(sum_bytes(sum, to, len));
}

#endif
