/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Path ids: the counters that a recorded walk passes, interned. An established
 * packet adds to its worker's line for the path, and not to each counter; what a
 * counter says is computed when it is read. When a worker takes over another
 * program, it adds what its paths have to the counters themselves, and forgets
 * them.
 *
 * One a worker, which alone writes; any thread reads by paths_read().
 */
#ifndef SHUNT_PATH_PATHS_PRIV_H
#define SHUNT_PATH_PATHS_PRIV_H

#include <stdatomic.h>

#include "path.h"
#include "states.h"
#include "trail.h"

/* Counters that all paths of a worker have together; on average 16 a path. */
#define PATHS_POOL (PATH_IDS * 16)

struct path_entry {
	uint32_t first; /* in the pool */
	uint32_t count;
};

struct paths {
	struct path_counter *effects; /* by id */
	struct path_entry *entries;
	uint32_t *pool;
	uint32_t *slots;	/* hash to id, 0: free */
	_Atomic uint32_t used;	/* ids below are in use; 0 always is */
	_Atomic uint32_t folds; /* odd while counts move */
	uint32_t pool_used;
};

int paths_init(struct paths *paths);
void paths_fini(struct paths *paths);

/* The id of a trail's counters, or PATH_IDS: no more are free. Worker. */
uint32_t paths_intern(struct paths *paths, const struct nft_trail *trail);

/* Move all counts to the counters of this worker, and forget the paths. Worker. */
void paths_fold(struct paths *paths, struct nft_count *counters);

/* What a counter has on this worker: its own, and what the paths have of it. Any thread. */
struct nft_count paths_read(
	const struct paths *paths, const struct nft_count *counters, uint32_t counter);

#endif
