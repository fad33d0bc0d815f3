/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NM_TABLE_H
#define NM_TABLE_H

#include "nm_priv.h"

uint32_t nm_hash(const struct nm_fields *fields);
/* The active rule that wins, or NULL. */
struct rte_flow *nm_lookup(const struct nm_table *table, const struct nm_fields *fields);

#endif
