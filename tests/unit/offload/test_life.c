/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An offer's life: live, counted, withdrawn, refused; each ends in one last word.
 */
#include <errno.h>

#include "clock.h"
#include "rig.h"

static void
carry(uint32_t n, uint64_t packets, uint64_t bytes)
{
	struct nic_rule *rule = nic_find(n);

	CU_ASSERT_PTR_NOT_NULL_FATAL(rule);
	rule->packets += packets;
	rule->bytes += bytes;
}

static struct offload_port_info
info_of(uint16_t ethdev)
{
	struct offload_port_info info;

	offload_port(offload, ethdev, &info);
	return info;
}

static void
test_live(void)
{
	rig_start(1, 16, false);
	rig_send(0, 1);
	CU_ASSERT_EQUAL(rig_drain(0, 64), 0);
	CU_ASSERT_EQUAL(offload_live(offload), 0);
	CU_ASSERT_NOT_EQUAL(rig_run(1), 0);
	CU_ASSERT_EQUAL(rig_drain(0, 64), 1);
	CU_ASSERT_EQUAL(told[1].live, 1);
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT + 1);
	CU_ASSERT_EQUAL(nic_find(1)->ethdev, LAN);
	CU_ASSERT_EQUAL(offload_live(offload), 1);
	CU_ASSERT_EQUAL(info_of(LAN).live, 1);
	CU_ASSERT_EQUAL(info_of(LAN).created, 1);
	CU_ASSERT_EQUAL(info_of(WAN).live, 0);
	/* Nothing more to do: the thread may sleep. */
	CU_ASSERT_EQUAL(rig_run(1), 0);
	CU_ASSERT_EQUAL(rig_drain(0, 64), 0);
	rig_stop();
}

/* The counts are read before the rule goes: after, they are gone with it. */
static void
test_withdraw(void)
{
	rig_start(1, 16, false);
	rig_send(0, 1);
	rig_round();
	carry(1, 5, 500);
	nic.call_count = 0;
	rig_withdraw(0, 1);
	rig_withdraw(0, 1);
	rig_round();
	CU_ASSERT_EQUAL(nic.call_count, 2);
	CU_ASSERT_EQUAL(nic.calls[0].what, 'Q');
	CU_ASSERT_EQUAL(nic.calls[1].what, 'D');
	CU_ASSERT_EQUAL(told[1].removed, 1);
	CU_ASSERT_EQUAL(told[1].refused, 0);
	CU_ASSERT_EQUAL(told[1].packets, 5);
	CU_ASSERT_EQUAL(told[1].bytes, 500);
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT);
	CU_ASSERT_EQUAL(offload_live(offload), 0);
	CU_ASSERT_EQUAL(info_of(LAN).live, 0);
	CU_ASSERT_EQUAL(info_of(LAN).destroyed, 1);
	rig_stop();
}

static void
test_withdraw_early(void)
{
	rig_start(1, 16, false);
	rig_send(0, 1);
	rig_withdraw(0, 1);
	rig_withdraw(0, 1);
	rig_run(3);
	CU_ASSERT_EQUAL(rig_drain(0, 64), 1);
	CU_ASSERT_EQUAL(told[1].refused, 1);
	CU_ASSERT_EQUAL(told[1].reason, OFFLOAD_CLOSING);
	CU_ASSERT_EQUAL(nic.call_count, 0);
	CU_ASSERT_EQUAL(offload_live(offload), 0);
	rig_stop();
}

static void
test_withdraw_unknown(void)
{
	rig_start(2, 16, false);
	rig_withdraw(1, 7);
	rig_run(1);
	CU_ASSERT_EQUAL(rig_drain(0, 64), 0);
	CU_ASSERT_EQUAL(rig_drain(1, 64), 1);
	CU_ASSERT_EQUAL(told[7].refused, 1);
	CU_ASSERT_EQUAL(told[7].reason, OFFLOAD_CLOSING);
	CU_ASSERT_EQUAL(nic.call_count, 0);
	rig_stop();
}

static void
test_create_fails(void)
{
	static const struct {
		int err;
		enum offload_reason reason;
	} rows[] = {{ENOSPC, OFFLOAD_TABLE_FULL}, {EINVAL, OFFLOAD_INSERT_FAILED},
		{EBUSY, OFFLOAD_INSERT_FAILED}, {EEXIST, OFFLOAD_INSERT_FAILED},
		{ENOMEM, OFFLOAD_INSERT_FAILED}};

	rig_start(1, 16, false);
	for (uint32_t i = 0; i < RTE_DIM(rows); i++) {
		nic.fail_creates = 1;
		nic.fail_errno = rows[i].err;
		rig_send(0, i);
		rig_round();
		CU_ASSERT_EQUAL(told[i].refused, 1);
		CU_ASSERT_EQUAL(told[i].live, 0);
		CU_ASSERT_EQUAL(told[i].reason, rows[i].reason);
		CU_ASSERT_EQUAL(info_of(LAN).failed, i + 1);
		CU_ASSERT_EQUAL(info_of(LAN).refused, i + 1);
	}
	CU_ASSERT_EQUAL(info_of(LAN).created, 0);
	/* Its place is free again: the table of 16 was never filled by failures. */
	for (uint32_t i = 0; i < 40; i++) {
		nic.fail_creates = 1;
		rig_send(0, 100 + i);
		rig_round();
		CU_ASSERT_EQUAL(told[100 + i].reason, OFFLOAD_INSERT_FAILED);
	}
	rig_send(0, 200);
	rig_round();
	CU_ASSERT_EQUAL(told[200].live, 1);
	rig_stop();
}

/* As long as the NIC may forward by it, a rule is neither gone nor uncounted. */
static void
test_destroy_fails(void)
{
	rig_start(1, 16, false);
	rig_send(0, 1);
	rig_round();
	nic.fail_destroys = 3;
	rig_withdraw(0, 1);
	for (unsigned int i = 0; i < 3; i++) {
		carry(1, 10, 1000);
		rig_round();
		CU_ASSERT_EQUAL(told[1].removed, 0);
		CU_ASSERT_EQUAL(told[1].packets, 10 * (i + 1));
		CU_ASSERT_EQUAL(offload_live(offload), 1);
		CU_ASSERT_EQUAL(info_of(LAN).live, 1);
		CU_ASSERT_PTR_NOT_NULL(nic_find(1));
	}
	carry(1, 1, 100);
	rig_round();
	CU_ASSERT_EQUAL(told[1].removed, 1);
	CU_ASSERT_EQUAL(told[1].packets, 31);
	CU_ASSERT_EQUAL(told[1].bytes, 3100);
	CU_ASSERT_EQUAL(offload_live(offload), 0);
	CU_ASSERT_PTR_NULL(nic_find(1));
	rig_stop();
}

/* One that will not go does not keep the others. */
static void
test_destroy_fails_others_go(void)
{
	rig_start(1, 16, false);
	for (uint32_t n = 1; n <= 3; n++)
		rig_send(0, n);
	rig_round();
	nic.fail_destroys = 1;
	for (uint32_t n = 1; n <= 3; n++)
		rig_withdraw(0, n);
	rig_send(0, 4);
	rig_round();
	CU_ASSERT_EQUAL(told[1].removed, 0);
	CU_ASSERT_EQUAL(told[2].removed, 1);
	CU_ASSERT_EQUAL(told[3].removed, 1);
	CU_ASSERT_EQUAL(told[4].live, 1);
	rig_round();
	CU_ASSERT_EQUAL(told[1].removed, 1);
	rig_stop();
}

/* Destroy before create: the table of the NIC may be full. */
static void
test_order(void)
{
	rig_start(1, 16, false);
	rig_send(0, 1);
	rig_round();
	nic.call_count = 0;
	rig_send(0, 2);
	rig_withdraw(0, 1);
	clock_advance(POLL_NS);
	rig_round();
	rig_round();
	CU_ASSERT_EQUAL(nic.call_count, 3);
	CU_ASSERT_EQUAL(nic.calls[0].what, 'Q');
	CU_ASSERT_EQUAL(nic.calls[1].what, 'D');
	CU_ASSERT_EQUAL(nic.calls[2].what, 'C');
	rig_stop();
}

static void
test_counted(void)
{
	rig_start(1, 16, false);
	rig_send(0, 1);
	rig_round();
	carry(1, 3, 300);
	clock_advance(POLL_NS - 1);
	rig_round();
	CU_ASSERT_EQUAL(nic.queries, 0);
	clock_advance(1);
	/* A pass over all rules begins at most an eighth of the period after the last. */
	clock_advance(POLL_NS / 8);
	rig_round();
	CU_ASSERT_EQUAL(nic.queries, 1);
	CU_ASSERT_EQUAL(told[1].counted, 1);
	CU_ASSERT_EQUAL(told[1].packets, 3);
	CU_ASSERT_EQUAL(told[1].bytes, 300);
	rig_round();
	CU_ASSERT_EQUAL(nic.queries, 1);
	/* Nothing carried, nothing said. */
	clock_advance(POLL_NS);
	rig_round();
	CU_ASSERT_EQUAL(nic.queries, 2);
	CU_ASSERT_EQUAL(told[1].counted, 1);
	/* A query that fails loses nothing. */
	carry(1, 4, 400);
	nic.fail_queries = 1;
	clock_advance(POLL_NS);
	rig_round();
	CU_ASSERT_EQUAL(told[1].counted, 1);
	clock_advance(POLL_NS);
	rig_round();
	CU_ASSERT_EQUAL(told[1].counted, 2);
	CU_ASSERT_EQUAL(told[1].packets, 7);
	CU_ASSERT_EQUAL(told[1].bytes, 700);
	/* The last word has what came after the last report alone. */
	carry(1, 2, 200);
	rig_withdraw(0, 1);
	rig_round();
	CU_ASSERT_EQUAL(told[1].packets, 9);
	CU_ASSERT_EQUAL(told[1].bytes, 900);
	rig_stop();
}

/* Many: each once a period, the calls spread over rounds. */
static void
test_counted_many(void)
{
	enum { N = 1000 };

	rig_start(1, 2 * N, false);
	for (uint32_t n = 0; n < N; n++)
		rig_send(0, n);
	for (unsigned int i = 0; i < 20; i++)
		rig_round();
	CU_ASSERT_EQUAL(offload_live(offload), N);
	for (uint32_t n = 0; n < N; n++)
		carry(n, n + 1, n + 64);
	clock_advance(2 * POLL_NS);
	for (unsigned int i = 0; i < 20; i++) {
		unsigned int before = nic.queries;

		rig_round();
		CU_ASSERT(nic.queries - before <= 128);
	}
	CU_ASSERT_EQUAL(nic.queries, N);
	for (uint32_t n = 0; n < N; n++) {
		CU_ASSERT_EQUAL(told[n].counted, 1);
		CU_ASSERT_EQUAL(told[n].packets, n + 1);
	}
	rig_stop();
}

/* What is not for a NIC, or for ports that are not of it, never gets there. */
static void
test_refused_unasked(void)
{
	struct offload_offer offer;

	rig_start(1, 16, false);
	offer = rig_offer(0, 1);
	offer.tuple.proto = offer.out.proto = IPPROTO_ICMP;
	CU_ASSERT_EQUAL(offload_offer(offload, 0, &offer), 0);
	offer = rig_offer(0, 2);
	offer.in_port = 12;
	CU_ASSERT_EQUAL(offload_offer(offload, 0, &offer), 0);
	offer = rig_offer(0, 3);
	offer.out_port = 12;
	CU_ASSERT_EQUAL(offload_offer(offload, 0, &offer), 0);
	rig_round();
	CU_ASSERT_EQUAL(told[1].refused, 1);
	CU_ASSERT_EQUAL(told[1].reason, OFFLOAD_PROTOCOL);
	CU_ASSERT_EQUAL(told[2].refused, 1);
	CU_ASSERT_EQUAL(told[2].reason, OFFLOAD_DRIVER_UNSUPPORTED);
	CU_ASSERT_EQUAL(told[3].refused, 1);
	CU_ASSERT_EQUAL(told[3].reason, OFFLOAD_DRIVER_UNSUPPORTED);
	CU_ASSERT_EQUAL(nic.call_count, 0);
	CU_ASSERT_EQUAL(info_of(LAN).failed, 0);
	rig_stop();
}

static void
test_reason_names(void)
{
	CU_ASSERT_STRING_EQUAL(offload_reason_name(OFFLOAD_NONE), "none");
	CU_ASSERT_STRING_EQUAL(offload_reason_name(OFFLOAD_TABLE_FULL), "table-full");
	CU_ASSERT_STRING_EQUAL(offload_reason_name(OFFLOAD_DISABLED), "disabled");
	CU_ASSERT_STRING_EQUAL(offload_reason_name(OFFLOAD_REASON_COUNT), "unknown");
	CU_ASSERT_STRING_EQUAL(offload_reason_name((enum offload_reason) - 1), "unknown");
	for (unsigned int i = 0; i < OFFLOAD_REASON_COUNT; i++)
		CU_ASSERT_PTR_NOT_NULL(offload_reason_name((enum offload_reason)i));
}

CU_TestInfo life_tests[] = {
	{"an offer becomes live", test_live},
	{"withdrawn: query, destroy, removed", test_withdraw},
	{"withdrawn before it was created", test_withdraw_early},
	{"a withdrawal of nothing", test_withdraw_unknown},
	{"a create that fails", test_create_fails},
	{"a destroy that fails", test_destroy_fails},
	{"a destroy that fails keeps nobody else", test_destroy_fails_others_go},
	{"destroy before create", test_order},
	{"counts once a period", test_counted},
	{"counts of many", test_counted_many},
	{"refused without asking the NIC", test_refused_unasked},
	{"names of reasons", test_reason_names},
	CU_TEST_INFO_NULL,
};
