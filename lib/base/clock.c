/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "clock.h"

#include <stdatomic.h>
#include <time.h>

/* 0: the real clock. An injected clock therefore never stands at 0. */
static _Atomic uint64_t injected;

uint64_t
clock_ns(void)
{
	uint64_t fixed = atomic_load_explicit(&injected, memory_order_relaxed);
	struct timespec ts;

	if (fixed != 0)
		return fixed;
	/* BOOTTIME: timeouts run on while a virtual machine is suspended. */
	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

void
clock_inject(uint64_t ns)
{
	atomic_store(&injected, ns != 0 ? ns : 1);
}

void
clock_advance(uint64_t ns)
{
	atomic_fetch_add(&injected, ns);
}

void
clock_restore(void)
{
	atomic_store(&injected, 0);
}

bool
clock_injected(void)
{
	return atomic_load_explicit(&injected, memory_order_relaxed) != 0;
}
