/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "region.h"

#include <errno.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Two megabytes: the size of a huge page, so that growth fills whole ones. */
#define GRAIN (2UL << 20)

static size_t
round_up(size_t bytes, size_t grain)
{
	return (bytes + grain - 1) / grain * grain;
}

int
region_reserve(struct region *region, size_t stride, uint64_t max)
{
	size_t bytes;
	void *base;

	if (stride == 0 || max == 0 || max > (SIZE_MAX / 2) / stride)
		return -EINVAL;
	/* One grain more than asked, to start at a huge page. */
	bytes = round_up(stride * max, GRAIN) + GRAIN;
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return -ENOMEM;
	region->base = (uint8_t *)round_up((size_t)base, GRAIN);
	if (region->base != base)
		munmap(base, (size_t)(region->base - (uint8_t *)base));
	bytes -= (size_t)(region->base - (uint8_t *)base);
	if (bytes > round_up(stride * max, GRAIN))
		munmap(region->base + round_up(stride * max, GRAIN),
			bytes - round_up(stride * max, GRAIN));
	/* Fails where the kernel has no transparent huge pages: then ordinary ones serve. */
	(void)madvise(region->base, round_up(stride * max, GRAIN), MADV_HUGEPAGE);
	region->stride = stride;
	region->max = max;
	atomic_store(&region->ready, 0);
	return 0;
}

int
region_make_ready(struct region *region, uint64_t count)
{
	uint64_t ready = atomic_load(&region->ready);
	size_t from, to, limit;

	if (count > region->max)
		count = region->max;
	if (count <= ready)
		return 0;
	limit = round_up(region->stride * region->max, 4096);
	from = region->stride * ready / 4096 * 4096;
	to = round_up(region->stride * count, GRAIN);
	if (to > limit)
		to = limit;
	if (madvise(region->base + from, to - from, MADV_POPULATE_WRITE) != 0) {
		if (errno != EINVAL)
			return -ENOMEM;
		/* A kernel before 5.14: touch every page. Reading keeps what is there. */
		for (size_t at = from; at < to; at += 4096)
			((volatile uint8_t *)region->base)[at] |= 0;
	}
	ready = to / region->stride;
	atomic_store_explicit(
		&region->ready, ready < region->max ? ready : region->max, memory_order_release);
	return 0;
}

void
region_release(struct region *region)
{
	if (region->base != NULL)
		munmap(region->base, round_up(region->stride * region->max, GRAIN));
	region->base = NULL;
	atomic_store(&region->ready, 0);
}

uint64_t
region_bytes(const struct region *region)
{
	return atomic_load(&region->ready) * region->stride;
}
