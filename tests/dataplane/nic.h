/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wires of the modelled NIC, which moves when the test says.
 */
#ifndef SHUNT_TESTS_DP_NIC_H
#define SHUNT_TESTS_DP_NIC_H

#include "dp.h"
#include "nicmodel.h"

extern const struct dp_nic nic_wires;

/* More arguments of the ports that dp_start() makes next: "destroy_us=100". Default "". */
void nic_set_args(const char *args);

/* A port's statistics since dp_start(). */
struct nicmodel_stats nic_stats(enum dp_port port);

/* Rules of flows: without those that each port has from the start. */
uint32_t nic_rules(void);
/* What the rule table has now is what each port has from the start. */
void nic_rules_zero(void);

#endif
