/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is in force changes: generations, ports, the end.
 */
#include <errno.h>

#include "clock.h"
#include "rig.h"

/* Offer n as judged by a generation. */
static void
send_of(uint32_t n, uint32_t generation)
{
	struct offload_offer offer = rig_offer(0, n);

	offer.generation = generation;
	CU_ASSERT_EQUAL(offload_offer(offload, 0, &offer), 0);
}

/* Offer n between two ports. */
static void
send_between(uint32_t n, uint16_t in, uint16_t out)
{
	struct offload_offer offer = rig_offer(0, n);

	offer.in_port = in;
	offer.out_port = out;
	CU_ASSERT_EQUAL(offload_offer(offload, 0, &offer), 0);
}

static void
test_generation(void)
{
	rig_start(1, 16, false);
	CU_ASSERT(offload_flushed(offload));
	send_of(1, 0);
	send_of(2, 1);
	send_of(3, 2);
	rig_round();
	CU_ASSERT_EQUAL(offload_live(offload), 3);
	nic_find(1)->packets = 4;
	/* Taken up after the change, judged before: refused. */
	send_of(4, 1);
	offload_set_generation(offload, 2);
	CU_ASSERT(!offload_flushed(offload));
	nic.fail_destroys = 2;
	rig_round();
	CU_ASSERT(!offload_flushed(offload));
	CU_ASSERT_PTR_NOT_NULL(nic_find(1));
	CU_ASSERT_EQUAL(told[1].removed, 0);
	CU_ASSERT_EQUAL(told[4].refused, 1);
	CU_ASSERT_EQUAL(told[4].reason, OFFLOAD_STALE);
	nic.fail_destroys = 1;
	rig_round();
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT + 2);
	CU_ASSERT(!offload_flushed(offload));
	rig_round();
	rig_round();
	CU_ASSERT(offload_flushed(offload));
	CU_ASSERT_PTR_NULL(nic_find(1));
	CU_ASSERT_PTR_NULL(nic_find(2));
	CU_ASSERT_PTR_NOT_NULL(nic_find(3));
	CU_ASSERT_EQUAL(told[1].removed, 1);
	CU_ASSERT_EQUAL(told[1].packets, 4);
	CU_ASSERT_EQUAL(told[2].removed, 1);
	CU_ASSERT_EQUAL(told[3].removed, 0);
	send_of(5, 1);
	send_of(6, 2);
	rig_round();
	CU_ASSERT_EQUAL(told[5].refused, 1);
	CU_ASSERT_EQUAL(told[5].reason, OFFLOAD_STALE);
	CU_ASSERT_EQUAL(told[6].live, 1);
	CU_ASSERT_EQUAL(offload_live(offload), 2);
	rig_stop();
}

/* A second change before the first is through; a withdrawal of what is going anyway. */
static void
test_generation_twice(void)
{
	rig_start(1, 16, false);
	send_of(1, 1);
	send_of(2, 2);
	rig_round();
	nic.fail_destroys = UINT32_MAX;
	offload_set_generation(offload, 2);
	rig_round();
	rig_withdraw(0, 1);
	offload_set_generation(offload, 3);
	rig_round();
	CU_ASSERT(!offload_flushed(offload));
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT + 2);
	nic.fail_destroys = 0;
	rig_round();
	rig_round();
	CU_ASSERT(offload_flushed(offload));
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT);
	for (uint32_t n = 1; n <= 2; n++) {
		CU_ASSERT_EQUAL(told[n].removed, 1);
		CU_ASSERT_EQUAL(told[n].refused, 0);
	}
	rig_stop();
}

/* More stale rules than one round destroys: flushed only after the last. */
static void
test_generation_many(void)
{
	enum { N = 1000 };
	unsigned int rounds = 0;

	rig_start(1, N, false);
	for (uint32_t n = 0; n < N; n++)
		rig_send(0, n);
	while (rig_run(1) != 0)
		rig_drain(0, UINT32_MAX);
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT + N);
	offload_set_generation(offload, 1);
	for (; !offload_flushed(offload) && rounds < 100; rounds++) {
		CU_ASSERT(nic.held > 2 * ROOT || rounds > N / 128);
		rig_round();
	}
	CU_ASSERT(rounds > 2 && rounds < 100);
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT);
	for (uint32_t n = 0; n < N; n++)
		CU_ASSERT_EQUAL(told[n].removed, 1);
	rig_stop();
}

/* Rules from a port and to it go with their counts; the others stay. */
static void
test_port_remove(void)
{
	struct offload_port_info info;

	rig_start(1, 16, false);
	CU_ASSERT_EQUAL(offload_port_add(offload, 2, 12), 0);
	send_between(1, LAN, WAN);
	send_between(2, WAN, LAN);
	send_between(3, LAN, 12);
	rig_round();
	CU_ASSERT_EQUAL(offload_live(offload), 3);
	for (uint32_t n = 1; n <= 3; n++)
		nic_find(n)->packets = n;
	send_between(4, LAN, WAN);
	rig_withdraw(0, 1);
	offload_port_remove(offload, WAN);
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT + 1);
	CU_ASSERT_PTR_NULL(nic_find(1));
	CU_ASSERT_PTR_NULL(nic_find(2));
	CU_ASSERT_PTR_NOT_NULL(nic_find(3));
	rig_round();
	for (uint32_t n = 1; n <= 2; n++) {
		CU_ASSERT_EQUAL(told[n].removed, 1);
		CU_ASSERT_EQUAL(told[n].packets, n);
	}
	CU_ASSERT_EQUAL(told[3].removed, 0);
	CU_ASSERT_EQUAL(told[4].refused, 1);
	CU_ASSERT_EQUAL(told[4].reason, OFFLOAD_DRIVER_UNSUPPORTED);
	CU_ASSERT_EQUAL(offload_live(offload), 1);
	offload_port(offload, WAN, &info);
	CU_ASSERT(!info.usable);
	CU_ASSERT_STRING_EQUAL(info.why, "not a port of the NIC");
	/* It comes back. */
	CU_ASSERT_EQUAL(offload_port_add(offload, 1, WAN), 0);
	send_between(5, LAN, WAN);
	rig_round();
	CU_ASSERT_EQUAL(told[5].live, 1);
	rig_stop();
}

/* A removed port whose rules resist for a while: it waits for them. */
static void
test_port_remove_busy(void)
{
	rig_start(1, 16, false);
	send_between(1, LAN, WAN);
	send_between(2, WAN, LAN);
	rig_round();
	nic.fail_destroys = 500;
	offload_port_remove(offload, LAN);
	CU_ASSERT_EQUAL(nic.fail_destroys, 0);
	CU_ASSERT_EQUAL(nic.held, ROOT);
	rig_round();
	CU_ASSERT_EQUAL(told[1].removed, 1);
	CU_ASSERT_EQUAL(told[2].removed, 1);
	rig_stop();
}

/*
 * One whose rules resist for ever: its own go with it, and are never touched
 * again; those that other ports have to it are tried on.
 */
static void
test_port_remove_stubborn(void)
{
	rig_start(1, 16, false);
	send_between(1, LAN, WAN);
	send_between(2, WAN, LAN);
	rig_round();
	nic_find(1)->packets = 5;
	nic.fail_destroys = UINT32_MAX;
	offload_port_remove(offload, LAN);
	nic_close(LAN);
	rig_round();
	CU_ASSERT_EQUAL(told[1].removed, 1);
	CU_ASSERT_EQUAL(told[1].packets, 5);
	CU_ASSERT_EQUAL(told[2].removed, 0);
	CU_ASSERT_PTR_NOT_NULL(nic_find(2));
	CU_ASSERT_EQUAL(offload_live(offload), 1);
	nic.fail_destroys = 0;
	rig_round();
	CU_ASSERT_EQUAL(told[2].removed, 1);
	CU_ASSERT_EQUAL(nic.held, ROOT);
	CU_ASSERT_EQUAL(offload_live(offload), 0);
	rig_stop();
}

/* More rules than one round destroys. */
static void
test_port_remove_many(void)
{
	enum { N = 1000 };

	rig_start(1, N, false);
	for (uint32_t n = 0; n < N; n++)
		send_between(n, n % 2 != 0 ? LAN : WAN, n % 2 != 0 ? WAN : LAN);
	while (rig_run(1) != 0)
		rig_drain(0, UINT32_MAX);
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT + N);
	nic.fail_destroys = 50;
	offload_port_remove(offload, WAN);
	CU_ASSERT_EQUAL(nic.held, ROOT);
	rig_drain(0, UINT32_MAX);
	for (uint32_t n = 0; n < N; n++)
		CU_ASSERT_EQUAL(told[n].removed, 1);
	rig_stop();
}

/* Freed with rules of all kinds, also of a generation that is yet to come. */
static void
test_free(void)
{
	rig_start(1, 16, false);
	send_of(1, 0);
	send_of(2, 1);
	send_of(3, 1000);
	rig_run(1);
	CU_ASSERT_EQUAL(offload_live(offload), 3);
	rig_withdraw(0, 2);
	send_of(4, 0);
	nic.fail_destroys = 100;
	rig_stop();
}

/* A NIC that keeps its rules does not keep the daemon from ending. */
static void
test_free_stubborn(void)
{
	rig_start(1, 512, false);
	for (uint32_t n = 0; n < 256; n++)
		rig_send(0, n);
	rig_run(8);
	CU_ASSERT_EQUAL(offload_live(offload), 256);
	nic.fail_destroys = UINT32_MAX;
	offload_free(offload);
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT + 256);
	/* Each try is a tenth of a millisecond at most, with all rules in it. */
	CU_ASSERT(nic.call_count < 1000000);
	nic_reset();
	clock_restore();
}

static void
test_bad_config(void)
{
	struct offload_config config = {.workers = 1, .max_rules = 1, .driver = &nic_driver};

	config.workers = 0;
	CU_ASSERT_PTR_NULL(offload_new(&config));
	CU_ASSERT_EQUAL(errno, EINVAL);
	config.workers = OFFLOAD_WORKERS + 1;
	CU_ASSERT_PTR_NULL(offload_new(&config));
	CU_ASSERT_EQUAL(errno, EINVAL);
	config.workers = 1;
	config.max_rules = 0;
	CU_ASSERT_PTR_NULL(offload_new(&config));
	CU_ASSERT_EQUAL(errno, EINVAL);
	offload_free(NULL);
}

CU_TestInfo change_tests[] = {
	{"a generation", test_generation},
	{"a generation before the last one is through", test_generation_twice},
	{"a generation of many rules", test_generation_many},
	{"a port goes", test_port_remove},
	{"a port goes, its rules resist", test_port_remove_busy},
	{"a port goes, its rules resist for ever", test_port_remove_stubborn},
	{"a port goes, many rules", test_port_remove_many},
	{"the end", test_free},
	{"the end, the NIC resists", test_free_stubborn},
	{"impossible configs", test_bad_config},
	CU_TEST_INFO_NULL,
};
