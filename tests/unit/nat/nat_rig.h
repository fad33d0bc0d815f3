/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * One worker's conntrack and NAT, with nat chains that are a range each, and a
 * home elsewhere that only notes what it is asked.
 */
#ifndef SHUNT_TESTS_NAT_RIG_H
#define SHUNT_TESTS_NAT_RIG_H

#include "frame.h"
#include "nat.h"
#include "unit.h"

/** The worker under test, number 0. */
extern struct conntrack ct;
extern struct nat nat;
/** What the nat chains bind; a range without flags: no rule matches. */
extern struct nat_range snat, dnat;

/** What the other home was asked. */
extern struct asked {
	unsigned int asked;
	unsigned int unreserved;
	int answer; /**< of the next question: 0, or -ENOSPC */
	uint32_t conn;
	uint8_t home;
	struct tuple reply; /**< of the last call of either kind */
} asked;

/** Start with so many workers, of which this is one. No chains. */
void rig_start(uint8_t workers);
/** End all connections; nothing may be left of them. */
void rig_finish(void);

/** Range of addresses, no ports. */
struct nat_range range_ip(rte_be32_t min, rte_be32_t max);
/** The same with ports, in host order. */
struct nat_range range_port(rte_be32_t addr, uint16_t min, uint16_t max);

/** conntrack and prerouting. A dropped packet's connection is forgotten. */
enum verdict walk_in(struct frame *f);
/** Postrouting and confirm. */
enum verdict walk_out(struct frame *f);
/** Both. */
enum verdict walk(struct frame *f);
/** Make a packet of a tuple and walk it. */
enum verdict walk_tuple(struct frame *f, const struct tuple *t);

/** The tests of the other file. */
void test_granted(void);
void test_taken(void);
void test_all_taken(void);
void test_gone(void);
void test_hold_bound(void);
void test_ring_full(void);

#endif
