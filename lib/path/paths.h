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

/*
 * Ids are in two banks: the program's in force, and one whose last counts are
 * still to come from the NICs. Counters that all paths of a bank have together:
 * on average 16 a path.
 */
#define PATHS_BANK (PATH_IDS / 2)
#define PATHS_POOL (PATHS_BANK * 16)
/* Of the hash, which is the bank's where new ids come from. */
#define PATHS_SLOTS (2 * PATHS_BANK)

struct path_entry {
	uint32_t first; /* in the pool */
	uint32_t count;
};

struct paths {
	struct path_counter *effects; /* by id */
	struct path_entry *entries;
	uint32_t *pool;
	uint32_t *slots;	  /* hash to id, 0: free */
	_Atomic uint32_t used[2]; /* by bank: ids below are in use; the first always is */
	_Atomic uint32_t folds;	  /* odd while counts move */
	uint32_t pool_used[2];
	uint32_t bank; /* where new ids come from */
};

int paths_init(struct paths *paths);
void paths_fini(struct paths *paths);

/* The id of a trail's counters, or PATH_IDS: no more are free. Worker. */
uint32_t paths_intern(struct paths *paths, const struct nft_trail *trail);

/* From now on ids come from the other bank, which is empty. Worker. */
void paths_turn(struct paths *paths);

/* Move a bank's counts to the counters of this worker, and forget its paths. Worker. */
void paths_fold(struct paths *paths, uint32_t bank, struct nft_count *counters);

/* What a counter has on this worker: its own, and what the paths have of it. Any thread. */
struct nft_count paths_read(
	const struct paths *paths, const struct nft_count *counters, uint32_t counter);

#endif
