/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "home.h"

#include <errno.h>

/* 32 bits of the endless key 6d5a6d5a... from a bit on. */
static uint32_t
key_at(unsigned int bit)
{
	const uint64_t key = 0x6d5a6d5a6d5a6d5aULL;

	return (uint32_t)(key << (bit % 16) >> 32);
}

/* The Toeplitz hash of 16 bits in network order at a place that is a multiple of 16. */
static uint32_t
hash16(uint16_t x)
{
	uint32_t hash = 0;

	for (unsigned int bit = 0; bit < 16; bit++)
		if (x & (0x8000U >> bit))
			hash ^= key_at(bit);
	return hash;
}

int
home_table_init(struct home_table *table, uint8_t workers)
{
	if (workers == 0)
		return -EINVAL;
	for (unsigned int i = 0; i < 256; i++) {
		table->high[i] = hash16((uint16_t)(i << 8));
		table->low[i] = hash16((uint16_t)i);
	}
	for (unsigned int i = 0; i < HOME_RETA; i++)
		table->reta[i] = (uint8_t)(i % workers);
	return 0;
}
