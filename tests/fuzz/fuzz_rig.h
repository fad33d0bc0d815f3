/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store with its wire, loaded and compiled as shuntd does, without packets; one at a time.
 */
#ifndef SHUNT_TESTS_FUZZ_RIG_H
#define SHUNT_TESTS_FUZZ_RIG_H

#include <stdbool.h>

#include "nft_wire.h"
#include "store.h"

struct fuzz_rig {
	struct nft_states *states;
	struct store *store;
	struct nft_backend backend;
	struct nft_wire *wire;
};

/* Ends the process without memory. */
void fuzz_rig_new(struct fuzz_rig *rig);
void fuzz_rig_free(struct fuzz_rig *rig);

/* Commits come into force by fuzz_release(), not at once. */
extern bool fuzz_hold_commits;

/* The held commit is in force. Returns whether there was one. */
bool fuzz_release(void);

/* Every use is of somebody, every list as long as it says, or the process crashes. */
void fuzz_check(const struct store *store);

#endif
