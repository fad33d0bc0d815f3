/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From where chains are reached: how deep, by which hooks and types
 * (nft_chain_validate).
 */
#ifndef SHUNT_NFT_REACH_H
#define SHUNT_NFT_REACH_H

#include "store.h"

/*
 * Fill in the chains' reach members.
 * Returns 0, or -EMLINK with the rule of this batch by whose coming it is so, or
 * NULL if there is none.
 */
int nft_reach(const struct store *store, struct store_rule **blame);

#endif
