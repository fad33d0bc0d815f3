/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is full: the table, the rings. Nothing that a worker must know is lost.
 */
#include <errno.h>

#include "clock.h"
#include "rig.h"

/* Numbers of withdrawals of nothing begin here. */
#define FILLER 100000

static void
test_table_full(void)
{
	rig_start(1, 4, false);
	for (uint32_t n = 0; n < 5; n++)
		rig_send(0, n);
	rig_round();
	for (uint32_t n = 0; n < 4; n++)
		CU_ASSERT_EQUAL(told[n].live, 1);
	CU_ASSERT_EQUAL(told[4].live, 0);
	CU_ASSERT_EQUAL(told[4].refused, 1);
	CU_ASSERT_EQUAL(told[4].reason, OFFLOAD_TABLE_FULL);
	CU_ASSERT_EQUAL(offload_live(offload), 4);
	/* The place is free once the rule is gone, not when that was asked for. */
	nic.fail_destroys = 1;
	rig_withdraw(0, 2);
	rig_round();
	rig_send(0, 5);
	rig_round();
	CU_ASSERT_EQUAL(told[5].reason, OFFLOAD_TABLE_FULL);
	CU_ASSERT_EQUAL(told[2].removed, 1);
	rig_send(0, 6);
	rig_round();
	CU_ASSERT_EQUAL(told[6].live, 1);
	rig_stop();
}

/* A worker that does not listen: fill its ring of events. @return the events in it */
static uint32_t
fill_events(uint32_t *filler)
{
	uint32_t first = *filler;

	/* Until withdrawals back up: then no answer has found room for some rounds. */
	for (unsigned int idle = 0; idle < 4;) {
		if (offload_withdraw(offload, 0, rig_handle(0, *filler)) == 0)
			(*filler)++;
		idle = rig_run(1) == 0 ? idle + 1 : 0;
		if (*filler - first > 50000) {
			CU_FAIL("the ring of events never fills");
			break;
		}
	}
	return *filler - first;
}

static void
fillers_told(uint32_t filler)
{
	unsigned int wrong = 0;

	for (uint32_t n = FILLER; n < filler; n++)
		wrong += told[n].refused != 1 || told[n].reason != OFFLOAD_CLOSING;
	CU_ASSERT_EQUAL(wrong, 0);
}

static void
test_events_full(void)
{
	uint32_t filler = FILLER;

	rig_start(1, 8, false);
	for (uint32_t n = 0; n < 4; n++)
		rig_send(0, n);
	rig_round();
	CU_ASSERT_EQUAL(offload_live(offload), 4);
	for (uint32_t n = 0; n < 4; n++)
		nic_find(n)->packets = n + 1;
	/* In the batch that finds no room: a flush, so that it does not need the worker. */
	(void)fill_events(&filler);
	offload_set_generation(offload, 1);
	rig_run(4);
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT);
	CU_ASSERT(offload_flushed(offload));
	/* Into the same ring: an offer that will be refused, and one more than the table has. */
	for (uint32_t n = 10; n < 20; n++)
		rig_send(0, n);
	rig_run(4);
	for (unsigned int i = 0; i < 2000; i++) {
		rig_drain(0, 64);
		rig_run(1);
	}
	CU_ASSERT_EQUAL(rig_drain(0, 64), 0);
	fillers_told(filler);
	for (uint32_t n = 0; n < 4; n++) {
		CU_ASSERT_EQUAL(told[n].removed, 1);
		CU_ASSERT_EQUAL(told[n].refused, 0);
		CU_ASSERT_EQUAL(told[n].packets, n + 1);
	}
	for (uint32_t n = 10; n < 20; n++) {
		CU_ASSERT_EQUAL(told[n].refused, 1);
		CU_ASSERT_EQUAL(told[n].live, 0);
	}
	rig_stop();
}

/* Counts of a rule that will not go, and no room for them: told in the end. */
static void
test_counts_without_room(void)
{
	uint32_t filler = FILLER;

	rig_start(1, 8, false);
	rig_send(0, 1);
	rig_round();
	(void)fill_events(&filler);
	nic.fail_destroys = 10;
	offload_set_generation(offload, 1);
	for (unsigned int i = 0; i < 5; i++) {
		nic_find(1)->packets += 7;
		nic_find(1)->bytes += 700;
		rig_run(1);
	}
	CU_ASSERT(!offload_flushed(offload));
	while (rig_drain(0, UINT32_MAX) + rig_run(1) != 0)
		nic.fail_destroys = 0;
	CU_ASSERT_EQUAL(told[1].removed, 1);
	CU_ASSERT_EQUAL(told[1].packets, 35);
	CU_ASSERT_EQUAL(told[1].bytes, 3500);
	CU_ASSERT(offload_flushed(offload));
	fillers_told(filler);
	rig_stop();
}

/* Polling leaves room for last words, and forgets nothing that it could not say. */
static void
test_poll_without_room(void)
{
	uint32_t filler = FILLER;

	rig_start(1, 8, false);
	rig_send(0, 1);
	rig_round();
	nic_find(1)->packets = 9;
	(void)fill_events(&filler);
	for (unsigned int i = 0; i < 4; i++) {
		clock_advance(2 * POLL_NS);
		rig_run(1);
	}
	CU_ASSERT_EQUAL(nic.queries, 0);
	while (rig_drain(0, UINT32_MAX) + rig_run(1) != 0)
		;
	CU_ASSERT_EQUAL(told[1].packets, 0);
	clock_advance(2 * POLL_NS);
	rig_round();
	CU_ASSERT_EQUAL(told[1].packets, 9);
	fillers_told(filler);
	rig_stop();
}

/* Offers leave room for withdrawals; a deaf worker keeps no other from its answers. */
static void
test_messages_full(void)
{
	struct offload_offer offer;
	uint32_t offers = 0, filler = FILLER;

	rig_start(2, 8192, false);
	for (; offers < 10000; offers++) {
		offer = rig_offer(0, offers);
		if (offload_offer(offload, 0, &offer) != 0)
			break;
	}
	CU_ASSERT(offers > 0 && offers < 10000);
	for (uint32_t n = 0; n < offers / 2; n++)
		rig_withdraw(0, n);
	CU_ASSERT_EQUAL(offload_offer(offload, 0, &offer), -ENOSPC);
	while (rig_run(1) != 0)
		rig_drain(0, UINT32_MAX);
	for (uint32_t n = 0; n < offers; n++) {
		CU_ASSERT_EQUAL(told[n].removed + told[n].refused, n < offers / 2);
		CU_ASSERT(n < offers / 2 || told[n].live == 1);
	}
	CU_ASSERT_EQUAL(offload_live(offload), offers - offers / 2);
	(void)fill_events(&filler);
	rig_send(1, 9000);
	rig_run(1);
	CU_ASSERT_EQUAL(rig_drain(1, 64), 1);
	CU_ASSERT_EQUAL(told[9000].live, 1);
	rig_stop();
}

CU_TestInfo full_tests[] = {
	{"the table", test_table_full},
	{"the ring of events", test_events_full},
	{"counts without room", test_counts_without_room},
	{"polling without room", test_poll_without_room},
	{"the ring of offers", test_messages_full},
	CU_TEST_INFO_NULL,
};
