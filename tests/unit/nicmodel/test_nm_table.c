/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which rule wins: priorities, groups, jumps, the default, rules that come and go.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_errno.h>

#include "nm_rig.h"

static struct bytes
udp_frame(void)
{
	struct frame_spec spec = spec_of(false, IPPROTO_UDP);

	return frame_of(&spec);
}

/* The rule of a priority that counts, and leaves the frame to software. */
static struct rte_flow *
install_counting(uint32_t priority, enum rte_flow_item_type type)
{
	static const struct rte_flow_action_ethdev self = {.port_id = 0};
	struct rule r = rule_of(true, 0, priority);

	rule_item(&r, type, NULL, NULL);
	rule_action(&r, ACTION(COUNT), NULL);
	rule_action(&r, ACTION(PORT_REPRESENTOR), &self);
	return rule_install(&r);
}

/* Lower numbers win, whichever was made first. */
static void
test_priority(void)
{
	static const enum rte_flow_item_type types[] = {ITEM(IPV4), ITEM(UDP), ITEM(ETH)};
	struct bytes frame = udp_frame();

	/* All orders in which three can be made. */
	for (unsigned int order = 0; order < 6; order++) {
		struct rte_flow *flows[3];
		unsigned int first = order % 3, second = (first + 1 + order / 3) % 3;

		rig_open();
		flows[first] = install_counting(first, types[first]);
		flows[second] = install_counting(second, types[second]);
		flows[3 - first - second] =
			install_counting(3 - first - second, types[3 - first - second]);
		for (unsigned int best = 0; best < 3; best++) {
			CU_ASSERT_EQUAL(frame_run(0, &frame).by_rule, true);
			for (unsigned int i = best; i < 3; i++)
				CU_ASSERT_EQUAL(rule_hits(flows[i]), i == best);
			nm_flow_destroy(sw, flows[best]);
		}
		CU_ASSERT(!frame_run(0, &frame).by_rule);
		CU_ASSERT_EQUAL(nm_flow_count(sw, UINT16_MAX), 0);
	}
	rig_close();
}

static void
test_activation(void)
{
	struct rule r = rule_of(true, 0, 0);
	struct bytes frame = udp_frame();
	struct rte_flow *flow, *below;

	rig_open();
	below = install_counting(1, ITEM(ETH));
	rule_item(&r, ITEM(UDP), NULL, NULL);
	rule_action(&r, ACTION(DROP), NULL);
	flow = rule_prepare(&r);
	CU_ASSERT_PTR_NOT_NULL_FATAL(flow);
	CU_ASSERT_EQUAL(frame_run(0, &frame).fate, NM_TO_PORT);
	CU_ASSERT_EQUAL(rule_hits(below), 1);
	nm_flow_activate_at(flow, 3);
	nm_flow_tick(sw, 2);
	CU_ASSERT_EQUAL(frame_run(0, &frame).fate, NM_TO_PORT);
	nm_flow_tick(sw, 3);
	CU_ASSERT_EQUAL(frame_run(0, &frame).fate, NM_DROP);
	nm_flow_tick(sw, 4);
	CU_ASSERT_EQUAL(frame_run(0, &frame).fate, NM_DROP);
	CU_ASSERT_EQUAL(*nm_flow_due(flow), 0);
	rig_close();
}

static struct rte_flow *
install_jump(uint32_t from, uint32_t to, bool transfer)
{
	struct rte_flow_action_jump jump = {.group = to};
	struct rule r = rule_of(transfer, from, 0);

	rule_item(&r, ITEM(ETH), NULL, NULL);
	rule_action(&r, ACTION(COUNT), NULL);
	rule_action(&r, ACTION(JUMP), &jump);
	return rule_install(&r);
}

/* A miss in group 0 is software's; in a group above, whoever jumps there, it drops. */
static void
test_groups(void)
{
	static const uint32_t groups[] = {0, 1, 5, NM_GROUPS - 1};

	for (unsigned int transfer = 0; transfer < 2; transfer++) {
		struct rte_flow *flows[RTE_DIM(groups)];
		struct bytes frame = udp_frame();
		struct rule r = rule_of(transfer, NM_GROUPS - 1, 0);
		struct nm_result result;

		rig_open();
		for (unsigned int i = 0; i + 1 < RTE_DIM(groups); i++) {
			result = frame_run(0, &frame);
			CU_ASSERT_EQUAL(result.fate, i == 0 ? NM_TO_PORT : NM_DROP);
			if (i > 0)
				CU_ASSERT_STRING_EQUAL(result.why, "group-miss");
			flows[i] = install_jump(groups[i], groups[i + 1], transfer);
		}
		result = frame_run(0, &frame);
		CU_ASSERT_EQUAL(result.fate, NM_DROP);
		CU_ASSERT_STRING_EQUAL(result.why, "group-miss");
		rule_action(&r, ACTION(DROP), NULL);
		(void)rule_install(&r);
		result = frame_run(0, &frame);
		CU_ASSERT_STRING_EQUAL(result.why, "rule");
		CU_ASSERT_EQUAL(rule_hits(flows[0]), 4);
		CU_ASSERT_EQUAL(rule_hits(flows[1]), 3);
		CU_ASSERT_EQUAL(rule_hits(flows[2]), 2);
	}
	rig_close();
}

/* A group behind a rewrite sees the frame as it is then. */
static void
test_jump_after_rewrite(void)
{
	const struct rte_flow_action_jump jump = {.group = 1};
	const struct rte_flow_action_set_tp port = {.port = rte_cpu_to_be_16(4242)};
	const struct rte_flow_item_udp udp = {.hdr.dst_port = rte_cpu_to_be_16(4242)};
	const struct rte_flow_item_udp mask = {.hdr.dst_port = 0xffff};
	struct rule first = rule_of(true, 0, 0), second = rule_of(true, 1, 0);
	struct bytes frame = udp_frame();

	rig_open();
	rule_item(&first, ITEM(UDP), NULL, NULL);
	rule_action(&first, ACTION(SET_TP_DST), &port);
	rule_action(&first, ACTION(JUMP), &jump);
	(void)rule_install(&first);
	rule_item(&second, ITEM(UDP), &udp, &mask);
	rule_action(&second, ACTION(DROP), NULL);
	(void)rule_install(&second);
	CU_ASSERT_STRING_EQUAL(frame_run(0, &frame).why, "rule");
	rig_close();
}

/* Many of one class, in tables that grow; every second one goes. */
static void
test_many(void)
{
	enum { N = 3000 };
	static struct rte_flow *flows[N];
	const struct rte_flow_item_udp mask = {.hdr.dst_port = 0xffff};
	struct frame_spec fs = spec_of(false, IPPROTO_UDP);

	rig_open();
	for (unsigned int i = 0; i < N; i++) {
		struct rte_flow_item_udp udp = {.hdr.dst_port = rte_cpu_to_be_16((uint16_t)i)};
		struct rule r = rule_of(true, 0, 0);

		r.port = i % 3;
		rule_item(&r, ITEM(UDP), &udp, &mask);
		rule_action(&r, ACTION(COUNT), NULL);
		rule_action(&r, ACTION(DROP), NULL);
		flows[i] = rule_install(&r);
		/* The same pattern again, at this priority. */
		CU_ASSERT_PTR_NULL(rule_prepare(&r));
		CU_ASSERT_EQUAL(rte_errno, EEXIST);
	}
	CU_ASSERT_EQUAL(nm_flow_count(sw, UINT16_MAX), N);
	CU_ASSERT_EQUAL(nm_flow_count(sw, 1), N / 3);
	for (unsigned int i = 0; i < N; i += 2)
		nm_flow_destroy(sw, flows[i]);
	for (unsigned int i = 0; i < N; i++) {
		struct bytes frame;

		fs.t.dport = rte_cpu_to_be_16((uint16_t)i);
		frame = frame_of(&fs);
		CU_ASSERT_EQUAL(frame_run(0, &frame).fate == NM_DROP, i % 2 == 1);
		if (i % 2 == 1)
			CU_ASSERT_EQUAL(rule_hits(flows[i]), 1);
	}
	CU_ASSERT_EQUAL(nm_flow_flush(sw, 2), N / 6);
	CU_ASSERT_EQUAL(nm_flow_count(sw, 2), 0);
	CU_ASSERT_EQUAL(nm_flow_flush(sw, UINT16_MAX), N / 3);
	CU_ASSERT_EQUAL(nm_flow_count(sw, UINT16_MAX), 0);
	rig_close();
}

/* Random rules of few values, against a walk over all of them. */
struct plain {
	struct rte_flow_item_udp spec, mask;
	struct rte_flow_item_ipv4 ip, ip_mask;
	struct rte_flow *flow;
	uint32_t priority;
	uint64_t hits;
};

static bool
plain_matches(const struct plain *p, const struct frame_spec *fs)
{
	return ((p->spec.hdr.src_port ^ fs->t.sport) & p->mask.hdr.src_port) == 0 &&
	       ((p->spec.hdr.dst_port ^ fs->t.dport) & p->mask.hdr.dst_port) == 0 &&
	       ((p->ip.hdr.src_addr ^ fs->t.src.v4) & p->ip_mask.hdr.src_addr) == 0;
}

static void
plain_make(struct plain *p, uint64_t *state)
{
	static const struct rte_flow_action_ethdev self = {.port_id = 0};
	uint64_t r = random_next(state);
	struct rule rule;

	memset(p, 0, sizeof(*p));
	p->priority = r % 5;
	p->mask.hdr.src_port = r & 0x100 ? UINT16_MAX : (uint16_t)(r >> 48);
	p->mask.hdr.dst_port = r & 0x200 ? UINT16_MAX : 0;
	p->ip_mask.hdr.src_addr = r & 0x400 ? UINT32_MAX : 0;
	p->spec.hdr.src_port = r >> 12 & 3;
	p->spec.hdr.dst_port = r >> 16 & 3;
	p->ip.hdr.src_addr = r >> 20 & 3;
	rule = rule_of(true, 0, p->priority);
	rule_item(&rule, ITEM(IPV4), &p->ip, &p->ip_mask);
	rule_item(&rule, ITEM(UDP), &p->spec, &p->mask);
	rule_action(&rule, ACTION(COUNT), NULL);
	rule_action(&rule, ACTION(PORT_REPRESENTOR), &self);
	p->flow = rule_prepare(&rule);
	if (p->flow != NULL)
		nm_flow_activate(p->flow);
	else
		CU_ASSERT_EQUAL(rte_errno, EEXIST);
}

/* @return what is wrong: not one hit, or one of a rule that another one beats */
static unsigned int
plain_check(struct plain *rules, unsigned int n, const struct frame_spec *fs)
{
	struct bytes frame = frame_of(fs);
	uint32_t best = UINT32_MAX, won = UINT32_MAX;
	unsigned int hits = 0;

	for (unsigned int i = 0; i < n; i++)
		if (rules[i].flow != NULL && plain_matches(&rules[i], fs))
			best = RTE_MIN(best, rules[i].priority);
	CU_ASSERT_EQUAL(frame_run(0, &frame).by_rule, best != UINT32_MAX);
	for (unsigned int i = 0; i < n; i++) {
		uint64_t now = rules[i].flow != NULL ? rule_hits(rules[i].flow) : 0;

		if (rules[i].flow == NULL || now == rules[i].hits)
			continue;
		hits += (unsigned int)(now - rules[i].hits);
		rules[i].hits = now;
		won = plain_matches(&rules[i], fs) ? rules[i].priority : best + 1;
	}
	return hits != (best != UINT32_MAX) || won != best;
}

static void
test_random(void)
{
	enum { N = 60 };
	const char *text = getenv("SEED");
	unsigned int wrong = 0, taken = 0;
	struct plain rules[N];
	struct timespec now;
	uint64_t state;

	clock_gettime(CLOCK_MONOTONIC, &now);
	state = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)now.tv_nsec;
	printf("\n    SEED=0x%llx ", (unsigned long long)state);
	rig_open();
	for (unsigned int i = 0; i < N; i++)
		plain_make(&rules[i], &state);
	for (unsigned int i = 0; i < 20000; i++) {
		struct plain *p = &rules[random_next(&state) % N];
		struct frame_spec fs = spec_of(false, IPPROTO_UDP);

		if (i % 10 == 0) {
			if (p->flow != NULL)
				nm_flow_destroy(sw, p->flow);
			plain_make(p, &state);
			taken += p->flow != NULL;
		}
		fs.t.sport = random_next(&state) & 3;
		fs.t.dport = random_next(&state) & 3;
		fs.t.src.v4 = random_next(&state) & 3;
		wrong += plain_check(rules, N, &fs);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(taken > 1000);
	rig_close();
}

CU_TestInfo table_tests[] = {
	{"priorities", test_priority},
	{"rules that are not active yet", test_activation},
	{"groups and jumps", test_groups},
	{"a jump after a rewrite", test_jump_after_rewrite},
	{"many rules", test_many},
	{"random rules", test_random},
	CU_TEST_INFO_NULL,
};
