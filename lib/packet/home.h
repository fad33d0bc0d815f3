/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Homes: the worker that a tuple belongs to. x is the XOR of the tuple's 16-bit
 * words (tuple_fold); the home is reta[F(x)], F being the Toeplitz hash with the
 * key 6d5a repeated. That key has a period of 16 bits, so the hash of a whole
 * tuple depends on x alone, is the same both ways, and is what a NIC with this
 * key computes.
 */
#ifndef SHUNT_PACKET_HOME_H
#define SHUNT_PACKET_HOME_H

#include <stdint.h>

/** Entries of the redirection table; a power of two. */
#define HOME_RETA 512

/** The table of a dataplane. Immutable while workers run. */
struct home_table {
	uint32_t high[256]; /**< hash of a word with only its upper byte */
	uint32_t low[256];  /**< the same of the lower byte */
	uint8_t reta[HOME_RETA];
};

/**
 * Fill a table: the workers take turns in the redirection table.
 * @return 0, or -EINVAL without workers
 */
int home_table_init(struct home_table *table, uint8_t workers);

/** F(x): the Toeplitz hash that a NIC computes of a tuple with this fold. Any thread. */
static inline uint32_t
home_hash(const struct home_table *table, uint16_t x)
{
	/* x is in memory order: its first byte is the low one here. */
	return table->high[x & 0xff] ^ table->low[x >> 8];
}

/** The home of a tuple with this fold. Any thread. */
static inline uint8_t
home_of(const struct home_table *table, uint16_t x)
{
	return table->reta[home_hash(table, x) & (HOME_RETA - 1)];
}

#endif
