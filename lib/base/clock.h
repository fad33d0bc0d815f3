/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The clock. Every time that the product acts on comes from here: the real
 * clock is CLOCK_BOOTTIME, a test injects its own and moves it by hand.
 *
 * A worker reads the clock once a walk (clock_ns) and hands the value down, so
 * that all packets of one burst share one time.
 */
#ifndef SHUNT_BASE_CLOCK_H
#define SHUNT_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/** Nanoseconds in a millisecond and in a second. */
#define NS_PER_MS  1000000ULL
#define NS_PER_SEC 1000000000ULL

/**
 * Time since boot, in nanoseconds; the injected time while there is one.
 * Monotonic. Any thread.
 */
uint64_t clock_ns(void);

/** Milliseconds of clock_ns() in 32 bits: compare by signed difference only. Any thread. */
static inline uint32_t
clock_ms32(uint64_t ns)
{
	return (uint32_t)(ns / NS_PER_MS);
}

/**
 * Replace the clock by a fixed value, for tests. Call it again to move it.
 * One thread; the others see the new value on their next clock_ns().
 */
void clock_inject(uint64_t ns);

/** Add to the injected time, in nanoseconds. Only after clock_inject(). */
void clock_advance(uint64_t ns);

/** Return to the real clock. */
void clock_restore(void);

/** Whether a clock is injected. Any thread. */
bool clock_injected(void);

#endif
