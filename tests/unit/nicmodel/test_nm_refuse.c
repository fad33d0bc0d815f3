/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is not supported is refused, and the error points at it.
 */
#include <errno.h>
#include <stdio.h>

#include <rte_errno.h>

#include "nm_rig.h"

static void
refused(const struct rule *r, int err, enum rte_flow_error_type type, const void *cause)
{
	uint32_t before = nm_flow_count(sw, UINT16_MAX);

	CU_ASSERT_PTR_NULL_FATAL(rule_prepare(r));
	CU_ASSERT_EQUAL(rte_errno, err);
	CU_ASSERT_EQUAL(rig_error.type, type);
	CU_ASSERT_PTR_EQUAL(rig_error.cause, cause);
	CU_ASSERT_PTR_NOT_NULL(rig_error.message);
	CU_ASSERT_EQUAL(nm_flow_count(sw, UINT16_MAX), before);
}

static void
test_attr(void)
{
	static const struct {
		struct rte_flow_attr attr;
		int err;
		enum rte_flow_error_type type;
	} rows[] = {
		{{.egress = 1}, ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_EGRESS},
		{{.transfer = 1, .egress = 1}, ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_EGRESS},
		{{0}, EINVAL, RTE_FLOW_ERROR_TYPE_ATTR},
		{{.transfer = 1, .ingress = 1}, EINVAL, RTE_FLOW_ERROR_TYPE_ATTR},
		{{.transfer = 1, .group = NM_GROUPS}, ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_GROUP},
		{{.ingress = 1, .group = UINT32_MAX}, ENOTSUP, RTE_FLOW_ERROR_TYPE_ATTR_GROUP},
		{{.transfer = 1, .priority = NM_PRIORITIES}, ENOTSUP,
			RTE_FLOW_ERROR_TYPE_ATTR_PRIORITY},
	};

	rig_open();
	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		struct rule r = rule_of(true, 0, 0);

		rule_action(&r, ACTION(DROP), NULL);
		r.attr = rows[i].attr;
		refused(&r, rows[i].err, rows[i].type, &r.attr);
	}
	rig_close();
}

/* Masks of fields that silicon does not compare. */
static void
test_masks(void)
{
	static const uint8_t spec[64];
	static const struct rte_flow_item_eth eth = {.reserved = 1};
	static const struct rte_flow_item_vlan vlan = {.has_more_vlan = 1};
	static const struct rte_flow_item_ipv4 ip4[] = {
		{.hdr.total_length = 1}, {.hdr.packet_id = 0x100}, {.hdr.hdr_checksum = 0xffff}};
	static const struct rte_flow_item_ipv6 ip6[] = {
		{.hdr.payload_len = 1}, {.has_frag_ext = 1}};
	static const struct rte_flow_item_tcp tcp[] = {{.hdr.sent_seq = 1}, {.hdr.recv_ack = 1},
		{.hdr.data_off = 0xf0}, {.hdr.rx_win = 1}, {.hdr.cksum = 1}, {.hdr.tcp_urp = 1}};
	static const struct rte_flow_item_udp udp[] = {
		{.hdr.dgram_len = 1}, {.hdr.dgram_cksum = 1}};
	static const struct rte_flow_item_ethdev port = {.port_id = 0x00ff};
	const struct {
		enum rte_flow_item_type type;
		const void *mask;
	} rows[] = {{ITEM(ETH), &eth}, {ITEM(VLAN), &vlan}, {ITEM(IPV4), &ip4[0]},
		{ITEM(IPV4), &ip4[1]}, {ITEM(IPV4), &ip4[2]}, {ITEM(IPV6), &ip6[0]},
		{ITEM(IPV6), &ip6[1]}, {ITEM(TCP), &tcp[0]}, {ITEM(TCP), &tcp[1]},
		{ITEM(TCP), &tcp[2]}, {ITEM(TCP), &tcp[3]}, {ITEM(TCP), &tcp[4]},
		{ITEM(TCP), &tcp[5]}, {ITEM(UDP), &udp[0]}, {ITEM(UDP), &udp[1]},
		{ITEM(REPRESENTED_PORT), &port}};

	rig_open();
	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		struct rule r = rule_of(true, 0, 0);

		rule_item(&r, ITEM(VOID), NULL, NULL);
		rule_item(&r, rows[i].type, spec, rows[i].mask);
		rule_action(&r, ACTION(DROP), NULL);
		refused(&r, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_MASK, &r.items[1]);
	}
	rig_close();
}

static void
test_items(void)
{
	static const enum rte_flow_item_type types[] = {ITEM(ICMP), ITEM(SCTP), ITEM(GRE),
		ITEM(VXLAN), ITEM(RAW), ITEM(IPV6_EXT), ITEM(MARK), ITEM(PORT_REPRESENTOR)};
	static const struct rte_flow_item_udp udp;
	struct rule r;

	rig_open();
	for (unsigned int i = 0; i < RTE_DIM(types); i++) {
		r = rule_of(true, 0, 0);
		rule_item(&r, ITEM(ETH), NULL, NULL);
		rule_item(&r, types[i], NULL, NULL);
		rule_action(&r, ACTION(DROP), NULL);
		refused(&r, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM, &r.items[1]);
	}
	r = rule_of(true, 0, 0);
	rule_item(&r, ITEM(UDP), &udp, NULL);
	rule_action(&r, ACTION(DROP), NULL);
	r.items[0].last = &udp;
	refused(&r, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_LAST, &r.items[0]);
	r.items[0].spec = NULL;
	refused(&r, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_SPEC, &r.items[0]);
	r.items[0].last = NULL;
	r.items[0].mask = &udp;
	refused(&r, EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_SPEC, &r.items[0]);
	/* The wire is of the other domain. */
	r = rule_of(false, 0, 0);
	rule_item(&r, ITEM(REPRESENTED_PORT), NULL, NULL);
	rule_action(&r, ACTION(DROP), NULL);
	refused(&r, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM_MASK, &r.items[0]);
	rig_close();
}

/* Headers that no frame has in this order would be half compared. */
static void
test_order(void)
{
	static const enum rte_flow_item_type rows[][3] = {
		{ITEM(IPV4), ITEM(ETH), 0},
		{ITEM(TCP), ITEM(IPV4), 0},
		{ITEM(IPV4), ITEM(IPV6), 0},
		{ITEM(IPV6), ITEM(IPV6), 0},
		{ITEM(UDP), ITEM(TCP), 0},
		{ITEM(IPV4), ITEM(VLAN), 0},
		{ITEM(VLAN), ITEM(VLAN), 0},
	};

	rig_open();
	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		struct rule r = rule_of(true, 0, 0);

		rule_item(&r, rows[i][0], NULL, NULL);
		rule_item(&r, ITEM(VOID), NULL, NULL);
		rule_item(&r, rows[i][1], NULL, NULL);
		rule_action(&r, ACTION(DROP), NULL);
		refused(&r, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM, &r.items[2]);
	}
	rig_close();
}

/* Bytes that every configuration below is long enough to be read from. */
static const uint8_t zeros[16];

static void
test_actions(void)
{
	static const struct {
		bool transfer;
		enum rte_flow_action_type type;
		const void *conf;
		int err;
	} rows[] = {
		{true, ACTION(RSS), zeros, ENOTSUP},
		{false, ACTION(RSS), zeros, ENOTSUP},
		{true, ACTION(SECURITY), zeros, ENOTSUP},
		{true, ACTION(AGE), zeros, ENOTSUP},
		{true, ACTION(QUEUE), zeros, ENOTSUP},
		{true, ACTION(MARK), zeros, ENOTSUP},
		{false, ACTION(REPRESENTED_PORT), zeros, ENOTSUP},
		{false, ACTION(PORT_REPRESENTOR), zeros, ENOTSUP},
		{true, ACTION(JUMP), NULL, EINVAL},
		{false, ACTION(QUEUE), NULL, EINVAL},
		{true, ACTION(SET_MAC_SRC), NULL, EINVAL},
		{true, ACTION(SET_IPV4_SRC), zeros, EINVAL},
		{true, ACTION(SET_IPV4_DST), zeros, EINVAL},
		{true, ACTION(SET_IPV6_SRC), zeros, EINVAL},
		{true, ACTION(SET_IPV6_DST), zeros, EINVAL},
		{true, ACTION(SET_TP_SRC), zeros, EINVAL},
		{true, ACTION(SET_TP_DST), zeros, EINVAL},
		{true, ACTION(DEC_TTL), NULL, EINVAL},
	};

	rig_open();
	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		struct rule r = rule_of(rows[i].transfer, 0, 0);

		rule_action(&r, ACTION(COUNT), NULL);
		rule_action(&r, rows[i].type, rows[i].conf);
		rule_action(&r, ACTION(DROP), NULL);
		refused(&r, rows[i].err, RTE_FLOW_ERROR_TYPE_ACTION, &r.actions[1]);
	}
	rig_close();
}

/* Rewrites of the other family. */
static void
test_families(void)
{
	rig_open();
	for (unsigned int i = 0; i < 4; i++) {
		struct rule r = rule_of(true, 0, 0);

		rule_item(&r, i < 2 ? ITEM(IPV4) : ITEM(IPV6), NULL, NULL);
		rule_action(&r,
			i == 0	 ? ACTION(SET_IPV6_SRC)
			: i == 1 ? ACTION(SET_IPV6_DST)
			: i == 2 ? ACTION(SET_IPV4_SRC)
				 : ACTION(SET_IPV4_DST),
			zeros);
		rule_action(&r, ACTION(DROP), NULL);
		refused(&r, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, &r.actions[0]);
	}
	rig_close();
}

static void
test_fates(void)
{
	static const struct rte_flow_action_jump jumps[] = {
		{.group = 3}, {.group = 2}, {.group = 0}, {.group = NM_GROUPS}};
	static const struct rte_flow_action_ethdev ports[] = {
		{.port_id = NM_PORTS}, {.port_id = UINT16_MAX}};
	struct rule r;

	rig_open();
	/* Forward only: no loops. */
	for (unsigned int i = 0; i < RTE_DIM(jumps); i++) {
		r = rule_of(true, 3, 0);
		rule_action(&r, ACTION(JUMP), &jumps[i]);
		refused(&r, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, &r.actions[0]);
	}
	for (unsigned int i = 0; i < RTE_DIM(ports); i++) {
		r = rule_of(true, 0, 0);
		rule_action(&r, ACTION(REPRESENTED_PORT), &ports[i]);
		refused(&r, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, &r.actions[0]);
	}
	r = rule_of(true, 0, 0);
	rule_action(&r, ACTION(DROP), NULL);
	rule_action(&r, ACTION(PORT_REPRESENTOR), zeros);
	refused(&r, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, &r.actions[1]);
	/* No fate: the end is where it is missed. */
	r = rule_of(true, 0, 0);
	rule_action(&r, ACTION(COUNT), NULL);
	refused(&r, EINVAL, RTE_FLOW_ERROR_TYPE_ACTION, &r.actions[1]);
	/* More than a rule holds. */
	r = rule_of(true, 0, 0);
	rule_action(&r, ACTION(DROP), NULL);
	for (unsigned int i = 0; i < 16; i++)
		rule_action(&r, ACTION(COUNT), NULL);
	refused(&r, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION, &r.actions[16]);
	rig_close();
}

/* What it is told to refuse by name; and a validate that lies about it. */
static void
test_told(void)
{
	static const struct {
		const char *name;
		bool item;
	} rows[] = {{"ipv4", true}, {"tcp", true}, {"eth", true}, {"dec_ttl", false},
		{"set_ipv4_src", false}, {"count", false}, {"drop", false}};
	struct rte_flow_error error;
	struct rule r = rule_of(true, 0, 0);

	rule_item(&r, ITEM(ETH), NULL, NULL);
	rule_item(&r, ITEM(IPV4), NULL, NULL);
	rule_item(&r, ITEM(TCP), NULL, NULL);
	rule_action(&r, ACTION(DEC_TTL), NULL);
	rule_action(&r, ACTION(SET_IPV4_SRC), zeros);
	rule_action(&r, ACTION(COUNT), NULL);
	rule_action(&r, ACTION(DROP), NULL);
	rig_open();
	for (unsigned int i = 0; i < 2 * RTE_DIM(rows); i++) {
		struct nm_limits limits = {.max_rules = 10, .lie = i & 1};
		int rc;

		(void)snprintf(limits.refuse, sizeof(limits.refuse), "%s", rows[i / 2].name);
		nm_switch_limits(sw, &limits);
		rc = nm_flow_validate(sw, 0, &r.attr, r.items, r.actions, &error);
		CU_ASSERT_EQUAL(rc, i & 1 ? 0 : -ENOTSUP);
		CU_ASSERT_PTR_NULL(rule_prepare(&r));
		CU_ASSERT_EQUAL(rte_errno, ENOTSUP);
		CU_ASSERT_EQUAL(rig_error.type,
			rows[i / 2].item ? RTE_FLOW_ERROR_TYPE_ITEM : RTE_FLOW_ERROR_TYPE_ACTION);
	}
	nm_switch_limits(sw, &(struct nm_limits){.max_rules = 10});
	(void)rule_install(&r);
	rig_close();
}

static void
test_full(void)
{
	struct rule r = rule_of(true, 0, 0);

	rule_action(&r, ACTION(DROP), NULL);
	rig_open();
	nm_switch_limits(sw, &(struct nm_limits){.max_rules = 2});
	for (r.attr.priority = 0; r.attr.priority < 2; r.attr.priority++)
		(void)rule_install(&r);
	CU_ASSERT_PTR_NULL(rule_prepare(&r));
	CU_ASSERT_EQUAL(rte_errno, ENOSPC);
	CU_ASSERT_EQUAL(nm_flow_flush(sw, UINT16_MAX), 2);
	(void)rule_install(&r);
	/* Told to be smaller than it is: what is there stays. */
	nm_switch_limits(sw, &(struct nm_limits){.max_rules = 0});
	CU_ASSERT_EQUAL(nm_flow_count(sw, 0), 1);
	rig_close();
}

CU_TestInfo refuse_tests[] = {
	{"attributes", test_attr},
	{"masks", test_masks},
	{"items", test_items},
	{"items out of order", test_order},
	{"actions", test_actions},
	{"rewrites of the other family", test_families},
	{"fates", test_fates},
	{"told to refuse", test_told},
	{"a full table", test_full},
	CU_TEST_INFO_NULL,
};
