/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The root program of a port: each rule as it was handed over; and what is said
 * of a port that does not take it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rig.h"

/* The rule that was handed over as the n-th of those that are there. */
static const struct nic_rule *
rule_at(unsigned int n)
{
	CU_ASSERT_PTR_NOT_NULL_FATAL(nic.rules[n].rule);
	return &nic.rules[n];
}

static void
check_attr(const struct nic_rule *rule, uint32_t group, uint32_t priority)
{
	const struct rte_flow_attr *attr = rule->rule->attr;

	CU_ASSERT_EQUAL(attr->group, group);
	CU_ASSERT_EQUAL(attr->priority, priority);
	CU_ASSERT_EQUAL(attr->transfer, 1);
	/* ethdev takes transfer alone. */
	CU_ASSERT_EQUAL(attr->ingress, 0);
	CU_ASSERT_EQUAL(attr->egress, 0);
	CU_ASSERT_EQUAL(rule->ethdev, LAN);
}

/* Items after each other, and no more: every rule begins with the wire of the port. */
static void
check_items(const struct nic_rule *rule, const enum rte_flow_item_type *types)
{
	const struct rte_flow_item *item = rule->rule->pattern;
	const struct rte_flow_item_ethdev *spec = item->spec, *mask = item->mask;

	CU_ASSERT_EQUAL_FATAL(item->type, RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT);
	CU_ASSERT_EQUAL(spec->port_id, LAN);
	CU_ASSERT_EQUAL(mask->port_id, UINT16_MAX);
	for (unsigned int i = 0; types[i] != RTE_FLOW_ITEM_TYPE_END; i++) {
		item++;
		CU_ASSERT_EQUAL_FATAL(item->type, types[i]);
		CU_ASSERT_PTR_NULL(item->last);
	}
	CU_ASSERT_EQUAL(item[1].type, RTE_FLOW_ITEM_TYPE_END);
}

static void
check_to_software(const struct nic_rule *rule)
{
	const struct rte_flow_action *action = rule->rule->actions;
	const struct rte_flow_action_ethdev *conf = action->conf;

	CU_ASSERT_EQUAL_FATAL(action->type, RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR);
	CU_ASSERT_EQUAL(conf->port_id, LAN);
	CU_ASSERT_EQUAL(action[1].type, RTE_FLOW_ACTION_TYPE_END);
}

static void
check_ttl(const struct nic_rule *rule, bool ip6, uint8_t ttl)
{
	const enum rte_flow_item_type types[] = {RTE_FLOW_ITEM_TYPE_ETH,
		ip6 ? RTE_FLOW_ITEM_TYPE_IPV6 : RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ITEM_TYPE_END};
	struct rte_flow_item_ipv4 spec4 = {.hdr.time_to_live = ttl};
	struct rte_flow_item_ipv4 mask4 = {.hdr.time_to_live = 0xff};
	struct rte_flow_item_ipv6 spec6 = {.hdr.hop_limits = ttl};
	struct rte_flow_item_ipv6 mask6 = {.hdr.hop_limits = 0xff};
	const struct rte_flow_item *ip;

	check_attr(rule, 1, 0);
	check_items(rule, types);
	CU_ASSERT_PTR_NULL(nic_item(rule, RTE_FLOW_ITEM_TYPE_ETH)->spec);
	ip = nic_item(rule, types[1]);
	if (ip6) {
		CU_ASSERT_EQUAL(memcmp(ip->spec, &spec6, sizeof(spec6)), 0);
		CU_ASSERT_EQUAL(memcmp(ip->mask, &mask6, sizeof(mask6)), 0);
	} else {
		CU_ASSERT_EQUAL(memcmp(ip->spec, &spec4, sizeof(spec4)), 0);
		CU_ASSERT_EQUAL(memcmp(ip->mask, &mask4, sizeof(mask4)), 0);
	}
	check_to_software(rule);
}

static void
test_program(void)
{
	static const enum rte_flow_item_type none[] = {RTE_FLOW_ITEM_TYPE_END};
	const struct rte_flow_action *jump;
	const struct rte_flow_action_jump *group;
	struct offload_port_info info;

	rig_start(1, 16, true);
	CU_ASSERT_EQUAL(offload_port_add(offload, 0, LAN), 0);
	CU_ASSERT_EQUAL(nic.held, ROOT);
	/* In the order in which they were made: first the catch-all, last the way in. */
	check_attr(rule_at(0), 1, 2);
	check_items(rule_at(0), none);
	check_to_software(rule_at(0));
	check_ttl(rule_at(1), false, 0);
	check_ttl(rule_at(2), true, 0);
	check_ttl(rule_at(3), false, 1);
	check_ttl(rule_at(4), true, 1);
	check_attr(rule_at(5), 0, 2);
	check_items(rule_at(5), none);
	jump = rule_at(5)->rule->actions;
	CU_ASSERT_EQUAL_FATAL(jump->type, RTE_FLOW_ACTION_TYPE_JUMP);
	group = jump->conf;
	CU_ASSERT_EQUAL(group->group, 1);
	CU_ASSERT_EQUAL(jump[1].type, RTE_FLOW_ACTION_TYPE_END);
	/* One of each kind was tried and taken away again. */
	CU_ASSERT_EQUAL(nic.creates, ROOT + 4);
	CU_ASSERT_EQUAL(nic.destroys, 4);
	offload_port(offload, LAN, &info);
	CU_ASSERT(info.usable);
	CU_ASSERT_STRING_EQUAL(info.why, "");
	/* Taken away from the way in on: no packet meets a half of it. */
	nic.call_count = 0;
	offload_port_remove(offload, LAN);
	CU_ASSERT_EQUAL(nic.call_count, ROOT);
	CU_ASSERT_PTR_EQUAL(nic.calls[0].rule, &nic.rules[5]);
	CU_ASSERT_PTR_EQUAL(nic.calls[ROOT - 1].rule, &nic.rules[0]);
	rig_stop();
}

/* Nothing of the program is there, and it is said what was refused. */
static void
check_refused(const char *why)
{
	struct offload_port_info info;

	CU_ASSERT_EQUAL(offload_port_add(offload, 0, LAN), -ENOTSUP);
	offload_port(offload, LAN, &info);
	CU_ASSERT(!info.usable);
	if (strcmp(info.why, why) != 0)
		printf("\n    %s, not %s\n", info.why, why);
	CU_ASSERT_STRING_EQUAL(info.why, why);
	CU_ASSERT_EQUAL(nic.held, 0);
	rig_send(0, 1);
	rig_round();
	CU_ASSERT_EQUAL(told[1].reason, OFFLOAD_DRIVER_UNSUPPORTED);
	CU_ASSERT_EQUAL(told[1].live, 0);
	rig_stop();
}

static void
test_program_refused(void)
{
	static const char *const names[ROOT] = {
		"catch-all", "ttl", "hop-limit", "ttl", "hop-limit", "jump"};
	char why[OFFLOAD_ERR_LEN];

	for (unsigned int i = 0; i < ROOT; i++) {
		rig_start(1, 16, true);
		nic.pass_creates = i;
		nic.fail_creates = 1;
		nic.fail_errno = ENOTSUP;
		nic.fail_text = "no such table";
		snprintf(why, sizeof(why), "driver-unsupported:%s: no such table", names[i]);
		check_refused(why);
	}
	/* A driver that says nothing: the error's own text. */
	rig_start(1, 16, true);
	nic.fail_creates = UINT32_MAX;
	nic.fail_errno = ENOSYS;
	check_refused("driver-unsupported:catch-all: Function not implemented");
}

static void
test_item_refused(void)
{
	static const struct {
		enum rte_flow_item_type item;
		enum rte_flow_action_type action;
		const char *why;
	} rows[] = {
		{RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT, RTE_FLOW_ACTION_TYPE_END,
			"catch-all: represented_port"},
		{RTE_FLOW_ITEM_TYPE_IPV4, RTE_FLOW_ACTION_TYPE_END, "ttl: ipv4"},
		{RTE_FLOW_ITEM_TYPE_IPV6, RTE_FLOW_ACTION_TYPE_END, "hop-limit: ipv6"},
		{RTE_FLOW_ITEM_TYPE_END, RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR,
			"catch-all: port_representor"},
		{RTE_FLOW_ITEM_TYPE_END, RTE_FLOW_ACTION_TYPE_JUMP, "jump: jump"},
		{RTE_FLOW_ITEM_TYPE_END, RTE_FLOW_ACTION_TYPE_DEC_TTL, "ipv4-tcp: dec_ttl"},
		{RTE_FLOW_ITEM_TYPE_END, RTE_FLOW_ACTION_TYPE_COUNT, "ipv4-tcp: count"},
		{RTE_FLOW_ITEM_TYPE_END, RTE_FLOW_ACTION_TYPE_SET_TP_SRC, "ipv4-tcp: set_tp_src"},
		{RTE_FLOW_ITEM_TYPE_END, RTE_FLOW_ACTION_TYPE_SET_MAC_DST, "ipv4-tcp: set_mac_dst"},
		{RTE_FLOW_ITEM_TYPE_END, RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT,
			"ipv4-tcp: represented_port"},
	};
	char why[OFFLOAD_ERR_LEN];

	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		rig_start(1, 16, true);
		nic.refuse_item = rows[i].item;
		nic.refuse_action = rows[i].action;
		snprintf(why, sizeof(why), "driver-unsupported:%s: not in this silicon",
			rows[i].why);
		check_refused(why);
	}
}

/* A kind that the NIC does not take stays in software; the others do not. */
static void
test_kind_refused(void)
{
	struct offload_offer offer;
	struct offload_port_info info;

	rig_start(1, 16, true);
	nic.refuse_item = RTE_FLOW_ITEM_TYPE_TCP;
	CU_ASSERT_EQUAL(offload_port_add(offload, 0, LAN), 0);
	CU_ASSERT_EQUAL(offload_port_add(offload, 1, WAN), 0);
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT);
	offload_port(offload, LAN, &info);
	CU_ASSERT(info.usable);
	CU_ASSERT_STRING_EQUAL(info.why, "driver-unsupported:ipv4-tcp: tcp: not in this silicon");
	nic.refuse_item = RTE_FLOW_ITEM_TYPE_END;
	rig_send(0, 1);
	offer = rig_offer(0, 2);
	offer.tuple.proto = offer.out.proto = IPPROTO_TCP;
	CU_ASSERT_EQUAL(offload_offer(offload, 0, &offer), 0);
	rig_round();
	CU_ASSERT_EQUAL(told[1].live, 1);
	CU_ASSERT_EQUAL(told[2].live, 0);
	CU_ASSERT_EQUAL(told[2].reason, OFFLOAD_DRIVER_UNSUPPORTED);
	rig_stop();
}

static void
test_added_twice(void)
{
	struct offload_port_info info;

	rig_start(1, 16, false);
	CU_ASSERT_EQUAL(offload_port_add(offload, 0, LAN), -EEXIST);
	CU_ASSERT_EQUAL(offload_port_add(offload, 0, 12), -EEXIST);
	CU_ASSERT_EQUAL(offload_port_add(offload, 2, LAN), -EEXIST);
	CU_ASSERT_EQUAL(offload_port_add(offload, OFFLOAD_PORTS, 12), -EINVAL);
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT);
	offload_port(offload, 12, &info);
	CU_ASSERT(!info.usable);
	/* One that was refused may be tried again. */
	nic.refuse_item = RTE_FLOW_ITEM_TYPE_IPV6;
	CU_ASSERT_EQUAL(offload_port_add(offload, 2, 12), -ENOTSUP);
	nic.refuse_item = RTE_FLOW_ITEM_TYPE_END;
	CU_ASSERT_EQUAL(offload_port_add(offload, 2, 12), 0);
	offload_port(offload, 12, &info);
	CU_ASSERT(info.usable);
	CU_ASSERT_EQUAL(nic.held, 3 * ROOT);
	rig_stop();
}

CU_TestInfo root_tests[] = {
	{"the program, rule by rule", test_program},
	{"a rule of it is refused", test_program_refused},
	{"an item or action is refused", test_item_refused},
	{"a kind of flow is refused", test_kind_refused},
	{"added twice", test_added_twice},
	CU_TEST_INFO_NULL,
};
