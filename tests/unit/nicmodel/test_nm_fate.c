/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a frame goes, and what is counted.
 */
#include <errno.h>

#include "nm_rig.h"

static struct bytes
tcp_frame(void)
{
	struct frame_spec spec = spec_of(true, IPPROTO_TCP);

	return frame_of(&spec);
}

static void
test_default(void)
{
	struct bytes frame = tcp_frame();

	rig_open();
	for (uint16_t port = 0; port < NM_PORTS; port++) {
		struct nm_result result = frame_run(port, &frame);

		CU_ASSERT_EQUAL(result.fate, NM_TO_PORT);
		CU_ASSERT_EQUAL(result.port, port);
		CU_ASSERT(!result.by_rule && !result.has_queue && !result.has_mark);
	}
	rig_close();
}

/* represented_port: out of the wire; port_representor: to the software. */
static void
test_ports(void)
{
	const struct rte_flow_action_ethdev to = {.port_id = 5};
	struct bytes frame = tcp_frame();

	for (unsigned int i = 0; i < 2; i++) {
		struct rule r = rule_of(true, 0, 0);
		struct nm_result result;

		rig_open();
		rule_item(&r, ITEM(ETH), NULL, NULL);
		rule_action(&r, i == 0 ? ACTION(REPRESENTED_PORT) : ACTION(PORT_REPRESENTOR), &to);
		(void)rule_install(&r);
		result = frame_run(2, &frame);
		CU_ASSERT_EQUAL(result.fate, i == 0 ? NM_TO_WIRE : NM_TO_PORT);
		CU_ASSERT_EQUAL(result.port, 5);
		CU_ASSERT(result.by_rule);
	}
	rig_close();
}

/* An ingress rule of the port that a frame ends up at. */
static void
install_queue(uint16_t port, uint16_t queue, uint32_t mark)
{
	const struct rte_flow_action_queue to = {.index = queue};
	const struct rte_flow_action_mark id = {.id = mark};
	struct rule r = rule_of(false, 0, 0);

	r.port = port;
	rule_item(&r, ITEM(TCP), NULL, NULL);
	rule_action(&r, ACTION(MARK), &id);
	rule_action(&r, ACTION(QUEUE), &to);
	(void)rule_install(&r);
}

static void
test_queue_and_mark(void)
{
	const struct rte_flow_action_ethdev to = {.port_id = 5};
	struct rule r = rule_of(true, 0, 0);
	struct bytes frame = tcp_frame();
	struct nm_result result;

	rig_open();
	install_queue(2, 7, 0xabcdef01);
	install_queue(5, 9, 3);
	result = frame_run(2, &frame);
	CU_ASSERT_EQUAL(result.fate, NM_TO_PORT);
	CU_ASSERT_EQUAL(result.port, 2);
	CU_ASSERT(result.by_rule && result.has_queue && result.has_mark);
	CU_ASSERT_EQUAL(result.queue, 7);
	CU_ASSERT_EQUAL(result.mark, 0xabcdef01);
	result = frame_run(3, &frame);
	CU_ASSERT(!result.by_rule && !result.has_queue && !result.has_mark);
	/* Sent to another port's software: its rules, not those of the port that it came by. */
	rule_action(&r, ACTION(PORT_REPRESENTOR), &to);
	(void)rule_install(&r);
	result = frame_run(2, &frame);
	CU_ASSERT_EQUAL(result.port, 5);
	CU_ASSERT(result.has_queue && result.has_mark);
	CU_ASSERT_EQUAL(result.queue, 9);
	CU_ASSERT_EQUAL(result.mark, 3);
	rig_close();
}

/* A frame for a wire meets no ingress rule; one that a rule drops is dropped in either domain. */
static void
test_domains(void)
{
	const struct rte_flow_action_ethdev to = {.port_id = 5};
	struct rule wire = rule_of(true, 0, 0), drop = rule_of(false, 0, 0);
	struct rte_flow *flow;
	struct bytes frame = tcp_frame();

	rig_open();
	drop.port = 5;
	rule_action(&drop, ACTION(COUNT), NULL);
	rule_action(&drop, ACTION(DROP), NULL);
	flow = rule_install(&drop);
	rule_action(&wire, ACTION(REPRESENTED_PORT), &to);
	(void)rule_install(&wire);
	CU_ASSERT_EQUAL(frame_run(0, &frame).fate, NM_TO_WIRE);
	CU_ASSERT_EQUAL(frame_run(5, &frame).fate, NM_TO_WIRE);
	CU_ASSERT_EQUAL(rule_hits(flow), 0);
	(void)nm_flow_flush(sw, 0);
	CU_ASSERT_EQUAL(frame_run(0, &frame).fate, NM_TO_PORT);
	CU_ASSERT_EQUAL(frame_run(5, &frame).fate, NM_DROP);
	CU_ASSERT_EQUAL(rule_hits(flow), 1);
	rig_close();
}

/* Frames as they are on the wire; each rule its own; read with and without reset. */
static void
test_count(void)
{
	struct rule r = rule_of(true, 0, 0), silent = rule_of(true, 0, 1);
	struct rte_flow_query_count count = {0};
	struct frame_spec spec = spec_of(false, IPPROTO_UDP);
	struct rte_flow *flow, *mute;
	uint64_t bytes = 0;

	rig_open();
	rule_item(&r, ITEM(UDP), NULL, NULL);
	rule_action(&r, ACTION(COUNT), NULL);
	rule_action(&r, ACTION(DROP), NULL);
	flow = rule_install(&r);
	rule_action(&silent, ACTION(DROP), NULL);
	mute = rule_install(&silent);
	for (uint16_t payload = 0; payload < 100; payload++) {
		struct bytes frame;

		spec.payload = payload;
		frame = frame_of(&spec);
		bytes += frame.len;
		CU_ASSERT_EQUAL(frame_run(0, &frame).fate, NM_DROP);
	}
	CU_ASSERT_EQUAL(nm_flow_query(mute, &count), -ENOTSUP);
	CU_ASSERT_EQUAL(rule_hits(flow), 100);
	count.reset = 1;
	CU_ASSERT_EQUAL(nm_flow_query(flow, &count), 0);
	CU_ASSERT_EQUAL(count.hits, 100);
	CU_ASSERT_EQUAL(count.bytes, bytes);
	CU_ASSERT_EQUAL(rule_hits(flow), 0);
	rig_close();
}

/* An ingress rule may leave the queue to RSS: it does its work, the frame arrives. */
static void
test_no_fate(void)
{
	const struct rte_flow_action_mark mark = {.id = 11};
	struct rule r = rule_of(false, 0, 0);
	struct bytes frame = tcp_frame();
	struct nm_result result;

	rig_open();
	rule_action(&r, ACTION(MARK), &mark);
	(void)rule_install(&r);
	result = frame_run(0, &frame);
	CU_ASSERT_EQUAL(result.fate, NM_TO_PORT);
	CU_ASSERT(result.has_mark && !result.has_queue && result.by_rule);
	CU_ASSERT_EQUAL(result.mark, 11);
	rig_close();
}

CU_TestInfo fate_tests[] = {
	{"no rule", test_default},
	{"wires and software of ports", test_ports},
	{"queue and mark", test_queue_and_mark},
	{"two domains", test_domains},
	{"count", test_count},
	{"ingress without a fate", test_no_fate},
	CU_TEST_INFO_NULL,
};
