/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * An offload with two ports on a NIC that tests command, rounds by hand, and
 * what its workers were told.
 */
#ifndef SHUNT_TESTS_OFFLOAD_RIG_H
#define SHUNT_TESTS_OFFLOAD_RIG_H

#include "nic.h"
#include "offload.h"
#include "unit.h"

/** The ethdevs of ports 0 and 1, and the rules of a root program. */
#define LAN  10
#define WAN  11
#define ROOT 6
/** Period of counter polling. */
#define POLL_NS 1000000000ULL
/** Offers are numbered below this; the number is their IPv4 source as well. */
#define RIG_OFFERS 300000

/** What a worker was told of an offer. */
struct told {
	unsigned int live, refused, removed, counted;
	uint8_t reason; /**< of the first refusal */
	bool late;	/**< LIVE, COUNTED or REMOVED came after a last word */
	uint64_t packets, bytes;
};

extern struct offload *offload;
extern struct told told[RIG_OFFERS];

/** Create, with the injected clock; ports too unless bare. Needs EAL. */
void rig_start(unsigned int workers, uint32_t max_rules, bool bare);
/** Free; asserts that the NIC is empty. */
void rig_stop(void);

/** The handle of a worker's offer number n. */
uint64_t rig_handle(unsigned int worker, uint32_t n);

/** A masqueraded UDP direction, LAN to WAN, of this source. */
struct offload_offer rig_offer(unsigned int worker, uint32_t n);

/** Offer rig_offer(); asserts that there is room. */
void rig_send(unsigned int worker, uint32_t n);
/** Withdraw it; asserts that there is room. */
void rig_withdraw(unsigned int worker, uint32_t n);

/** So many rounds. @return what the last one did */
unsigned int rig_run(unsigned int rounds);

/** Take at most max of a worker's events into told. @return how many */
unsigned int rig_drain(unsigned int worker, unsigned int max);

/** One round, and all events of worker 0. */
void rig_round(void);

extern CU_TestInfo life_tests[], full_tests[], change_tests[], root_tests[], translate_tests[],
	random_tests[];

#endif
