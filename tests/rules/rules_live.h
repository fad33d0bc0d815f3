/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program that is in force.
 */
#ifndef SHUNT_TESTS_RULES_LIVE_H
#define SHUNT_TESTS_RULES_LIVE_H

#include "program.h"

struct rules;

/* The first base chain of hook forward, IPv4. Until the next load. */
const struct nft_base *rules_forward(const struct rules *rules);

#endif
