/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rule of a direction, to the last bit: what it matches, what must not
 * match, what it does in which order.
 */
#include <string.h>

#include <rte_tcp.h>
#include <rte_udp.h>

#include "rig.h"

static const uint8_t in_mac[6] = {2, 0, 0, 0, 0, LAN};
static const uint8_t dst_mac[6] = {2, 0, 0, 0, 0, 0xfe};
static const uint8_t src_mac[6] = {2, 0, 0, 0, 0, WAN};

enum { INSIDE = 1, OUTSIDE = 2, SERVER = 3 };

static union address
address_of(bool ip6, uint8_t host)
{
	union address a = {0};

	if (!ip6) {
		a.v4 = rte_cpu_to_be_32(0xc0000200U | host);
		return a;
	}
	a.v6[0] = 0x20;
	a.v6[1] = 0x01;
	a.v6[7] = 7;
	a.v6[15] = host;
	return a;
}

/* A direction of a masqueraded connection: to the server, or back. */
static struct offload_offer
masqueraded(bool ip6, uint8_t proto, bool back)
{
	struct offload_offer offer = rig_offer(0, 1);
	struct tuple *from = back ? &offer.out : &offer.tuple;
	struct tuple *to = back ? &offer.tuple : &offer.out;

	memset(&offer.tuple, 0, sizeof(offer.tuple));
	offer.tuple.proto = proto;
	offer.tuple.family = ip6 ? FAMILY_IPV6 : FAMILY_IPV4;
	offer.out = offer.tuple;
	if (!back) {
		from->src = address_of(ip6, INSIDE);
		from->sport = rte_cpu_to_be_16(1111);
		to->src = address_of(ip6, OUTSIDE);
		to->sport = rte_cpu_to_be_16(2222);
		from->dst = to->dst = address_of(ip6, SERVER);
		from->dport = to->dport = rte_cpu_to_be_16(443);
		return offer;
	}
	to->src = from->src = address_of(ip6, SERVER);
	to->sport = from->sport = rte_cpu_to_be_16(443);
	to->dst = address_of(ip6, OUTSIDE);
	to->dport = rte_cpu_to_be_16(2222);
	from->dst = address_of(ip6, INSIDE);
	from->dport = rte_cpu_to_be_16(1111);
	return offer;
}

/* The rule that becomes of an offer. */
static const struct nic_rule *
rule_of(const struct offload_offer *offer)
{
	CU_ASSERT_EQUAL(offload_offer(offload, 0, offer), 0);
	rig_round();
	CU_ASSERT_EQUAL_FATAL(told[1].live, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(nic.rules[2 * ROOT].rule);
	return &nic.rules[2 * ROOT];
}

static void
same(const void *got, const void *want, size_t len)
{
	CU_ASSERT_PTR_NOT_NULL_FATAL(got);
	CU_ASSERT_EQUAL(memcmp(got, want, len), 0);
}

static void
check_l2(const struct rte_flow_item *item, bool ip6)
{
	const struct rte_flow_item_ethdev port = {.port_id = LAN}, all = {.port_id = UINT16_MAX};
	struct rte_flow_item_eth eth, mask;

	CU_ASSERT_EQUAL_FATAL(item[0].type, RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT);
	same(item[0].spec, &port, sizeof(port));
	same(item[0].mask, &all, sizeof(all));
	memset(&eth, 0, sizeof(eth));
	memset(&mask, 0, sizeof(mask));
	memcpy(&eth.hdr.dst_addr, in_mac, 6);
	memset(&mask.hdr.dst_addr, 0xff, 6);
	eth.hdr.ether_type = rte_cpu_to_be_16(ip6 ? 0x86dd : 0x0800);
	mask.hdr.ether_type = UINT16_MAX;
	CU_ASSERT_EQUAL_FATAL(item[1].type, RTE_FLOW_ITEM_TYPE_ETH);
	same(item[1].spec, &eth, sizeof(eth));
	same(item[1].mask, &mask, sizeof(mask));
}

static void
check_l3(const struct rte_flow_item *item, const struct tuple *t)
{
	struct rte_flow_item_ipv4 ip4 = {.hdr = {.version_ihl = 0x45, .next_proto_id = t->proto}};
	struct rte_flow_item_ipv4 mask4 = {.hdr = {.version_ihl = 0xff,
						   .fragment_offset = rte_cpu_to_be_16(0x3fff),
						   .next_proto_id = 0xff,
						   .src_addr = UINT32_MAX,
						   .dst_addr = UINT32_MAX}};
	struct rte_flow_item_ipv6 ip6, mask6;

	if (t->family == FAMILY_IPV4) {
		ip4.hdr.src_addr = t->src.v4;
		ip4.hdr.dst_addr = t->dst.v4;
		CU_ASSERT_EQUAL_FATAL(item->type, RTE_FLOW_ITEM_TYPE_IPV4);
		same(item->spec, &ip4, sizeof(ip4));
		same(item->mask, &mask4, sizeof(mask4));
		return;
	}
	memset(&ip6, 0, sizeof(ip6));
	memset(&mask6, 0, sizeof(mask6));
	ip6.hdr.proto = t->proto;
	memcpy(ip6.hdr.src_addr, &t->src, 16);
	memcpy(ip6.hdr.dst_addr, &t->dst, 16);
	mask6.hdr.proto = 0xff;
	memset(mask6.hdr.src_addr, 0xff, 16);
	memset(mask6.hdr.dst_addr, 0xff, 16);
	CU_ASSERT_EQUAL_FATAL(item->type, RTE_FLOW_ITEM_TYPE_IPV6);
	same(item->spec, &ip6, sizeof(ip6));
	same(item->mask, &mask6, sizeof(mask6));
}

static void
check_l4(const struct rte_flow_item *item, const struct tuple *t)
{
	const struct rte_flow_item_tcp tcp = {.hdr = {
						      .src_port = t->sport,
						      .dst_port = t->dport,
						      .tcp_flags = 0x10,
					      }};
	const struct rte_flow_item_tcp tcp_mask = {.hdr = {
							   .src_port = UINT16_MAX,
							   .dst_port = UINT16_MAX,
							   .tcp_flags = 0x17,
						   }};
	const struct rte_flow_item_udp udp = {.hdr = {.src_port = t->sport, .dst_port = t->dport}};
	const struct rte_flow_item_udp udp_mask = {
		.hdr = {.src_port = UINT16_MAX, .dst_port = UINT16_MAX}};

	if (t->proto == IPPROTO_TCP) {
		CU_ASSERT_EQUAL_FATAL(item->type, RTE_FLOW_ITEM_TYPE_TCP);
		same(item->spec, &tcp, sizeof(tcp));
		same(item->mask, &tcp_mask, sizeof(tcp_mask));
	} else {
		CU_ASSERT_EQUAL_FATAL(item->type, RTE_FLOW_ITEM_TYPE_UDP);
		same(item->spec, &udp, sizeof(udp));
		same(item->mask, &udp_mask, sizeof(udp_mask));
	}
}

/* One action after the other; each rewrites before the fate, which is the last. */
static void
check_action(const struct rte_flow_action **at, enum rte_flow_action_type type, const void *conf,
	size_t len)
{
	CU_ASSERT_EQUAL_FATAL((*at)->type, type);
	if (conf != NULL)
		same((*at)->conf, conf, len);
	(*at)++;
}

static void
check_addresses(const struct rte_flow_action **at, const struct tuple *from, const struct tuple *to)
{
	bool ip6 = from->family == FAMILY_IPV6;
	size_t len = ip6 ? 16 : 4;

	if (memcmp(&from->src, &to->src, 16) != 0)
		check_action(at,
			ip6 ? RTE_FLOW_ACTION_TYPE_SET_IPV6_SRC : RTE_FLOW_ACTION_TYPE_SET_IPV4_SRC,
			&to->src, len);
	if (memcmp(&from->dst, &to->dst, 16) != 0)
		check_action(at,
			ip6 ? RTE_FLOW_ACTION_TYPE_SET_IPV6_DST : RTE_FLOW_ACTION_TYPE_SET_IPV4_DST,
			&to->dst, len);
	if (from->sport != to->sport)
		check_action(at, RTE_FLOW_ACTION_TYPE_SET_TP_SRC, &to->sport, 2);
	if (from->dport != to->dport)
		check_action(at, RTE_FLOW_ACTION_TYPE_SET_TP_DST, &to->dport, 2);
}

static void
check_rule(const struct nic_rule *rule, const struct offload_offer *offer)
{
	const struct rte_flow_item *items = rule->rule->pattern;
	const struct rte_flow_action *at = rule->rule->actions;
	const struct rte_flow_attr *attr = rule->rule->attr;
	const struct rte_flow_action_ethdev out = {.port_id = WAN};

	/* Below the guards, above the catch-all. */
	CU_ASSERT_EQUAL(attr->group, 1);
	CU_ASSERT_EQUAL(attr->priority, 1);
	CU_ASSERT(attr->transfer && !attr->ingress && !attr->egress);
	CU_ASSERT_EQUAL(rule->ethdev, LAN);
	check_l2(items, offer->tuple.family == FAMILY_IPV6);
	check_l3(items + 2, &offer->tuple);
	check_l4(items + 3, &offer->tuple);
	CU_ASSERT_EQUAL(items[4].type, RTE_FLOW_ITEM_TYPE_END);
	check_addresses(&at, &offer->tuple, &offer->out);
	check_action(&at, RTE_FLOW_ACTION_TYPE_DEC_TTL, NULL, 0);
	check_action(&at, RTE_FLOW_ACTION_TYPE_SET_MAC_SRC, src_mac, 6);
	check_action(&at, RTE_FLOW_ACTION_TYPE_SET_MAC_DST, dst_mac, 6);
	check_action(&at, RTE_FLOW_ACTION_TYPE_COUNT, NULL, 0);
	check_action(&at, RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, &out, sizeof(out));
	CU_ASSERT_EQUAL(at->type, RTE_FLOW_ACTION_TYPE_END);
}

static void
test_masqueraded(void)
{
	for (unsigned int i = 0; i < 8; i++) {
		struct offload_offer offer =
			masqueraded(i & 1, i & 2 ? IPPROTO_TCP : IPPROTO_UDP, i & 4);
		unsigned int count = 0;
		const struct nic_rule *rule;

		rig_start(1, 16, false);
		rule = rule_of(&offer);
		check_rule(rule, &offer);
		while (rule->rule->actions[count].type != RTE_FLOW_ACTION_TYPE_END)
			count++;
		/* An address and a port alone: what does not change is not written. */
		CU_ASSERT_EQUAL(count, 7);
		rig_stop();
	}
}

/* Routed: no rewrite but the hop's. All rewritten at once: a probe has that too. */
static void
test_extremes(void)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct offload_offer offer =
			masqueraded(i & 1, i & 2 ? IPPROTO_TCP : IPPROTO_UDP, false);

		rig_start(1, 16, false);
		offer.out = offer.tuple;
		check_rule(rule_of(&offer), &offer);
		rig_stop();
		rig_start(1, 16, false);
		offer.out.src = address_of(i & 1, 9);
		offer.out.dst = address_of(i & 1, 10);
		offer.out.sport = rte_cpu_to_be_16(9);
		offer.out.dport = rte_cpu_to_be_16(10);
		check_rule(rule_of(&offer), &offer);
		rig_stop();
	}
}

/* Which headers come up to software, since no flow's rule takes them. */
static void
test_ipv4_comes_up(void)
{
	static const struct {
		uint8_t version_ihl;
		uint16_t fragment;
		bool taken;
	} rows[] = {
		{0x45, 0, true},
		{0x45, 0x4000, true},  /* DF */
		{0x45, 0x8000, true},  /* the reserved bit: no fragment, as in ip_is_fragment() */
		{0x45, 0x2000, false}, /* a first fragment */
		{0x45, 0x2001, false}, /* a middle one */
		{0x45, 0x0001, false}, /* a last one */
		{0x45, 0x1fff, false},
		{0x46, 0, false}, /* options */
		{0x4f, 0, false},
		{0x44, 0, false},
		{0x65, 0, false},
	};
	struct offload_offer offer = masqueraded(false, IPPROTO_TCP, false);
	const struct rte_flow_item *item;
	struct rte_ipv4_hdr ip;

	rig_start(1, 16, false);
	item = nic_item(rule_of(&offer), RTE_FLOW_ITEM_TYPE_IPV4);
	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		memset(&ip, 0x5a, sizeof(ip));
		ip.version_ihl = rows[i].version_ihl;
		ip.fragment_offset = rte_cpu_to_be_16(rows[i].fragment);
		ip.next_proto_id = IPPROTO_TCP;
		ip.src_addr = offer.tuple.src.v4;
		ip.dst_addr = offer.tuple.dst.v4;
		CU_ASSERT_EQUAL(nic_matches(item, &ip, sizeof(ip)), rows[i].taken);
	}
	rig_stop();
}

static void
test_ipv6_comes_up(void)
{
	static const uint8_t others[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT,
		IPPROTO_DSTOPTS, IPPROTO_AH, IPPROTO_ICMPV6, IPPROTO_UDP};
	struct offload_offer offer = masqueraded(true, IPPROTO_TCP, false);
	const struct rte_flow_item *item;
	struct rte_ipv6_hdr ip;

	rig_start(1, 16, false);
	item = nic_item(rule_of(&offer), RTE_FLOW_ITEM_TYPE_IPV6);
	memset(&ip, 0x5a, sizeof(ip));
	memcpy(ip.src_addr, &offer.tuple.src, 16);
	memcpy(ip.dst_addr, &offer.tuple.dst, 16);
	ip.proto = IPPROTO_TCP;
	CU_ASSERT(nic_matches(item, &ip, sizeof(ip)));
	for (unsigned int i = 0; i < RTE_DIM(others); i++) {
		ip.proto = others[i];
		CU_ASSERT(!nic_matches(item, &ip, sizeof(ip)));
	}
	rig_stop();
}

/* All 256 flag bytes: ACK, and none of SYN, FIN, RST; the others do not matter. */
static void
test_tcp_comes_up(void)
{
	struct offload_offer offer = masqueraded(false, IPPROTO_TCP, true);
	const struct rte_flow_item *item;
	struct rte_tcp_hdr tcp;

	rig_start(1, 16, false);
	item = nic_item(rule_of(&offer), RTE_FLOW_ITEM_TYPE_TCP);
	memset(&tcp, 0x5a, sizeof(tcp));
	tcp.src_port = offer.tuple.sport;
	tcp.dst_port = offer.tuple.dport;
	for (unsigned int flags = 0; flags < 256; flags++) {
		tcp.tcp_flags = (uint8_t)flags;
		CU_ASSERT_EQUAL(nic_matches(item, &tcp, sizeof(tcp)),
			(flags & 0x10) != 0 && (flags & 0x07) == 0);
	}
	rig_stop();
}

/* What a probe was made of: every rewrite that a flow may need. */
static void
test_probe(void)
{
	static const enum rte_flow_action_type rewrites[] = {RTE_FLOW_ACTION_TYPE_SET_TP_SRC,
		RTE_FLOW_ACTION_TYPE_SET_TP_DST, RTE_FLOW_ACTION_TYPE_SET_MAC_SRC,
		RTE_FLOW_ACTION_TYPE_SET_MAC_DST, RTE_FLOW_ACTION_TYPE_DEC_TTL,
		RTE_FLOW_ACTION_TYPE_COUNT, RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT};

	rig_start(1, 16, true);
	/* Its rules stay, so that they can be looked at. */
	nic.fail_destroys = UINT32_MAX;
	CU_ASSERT_NOT_EQUAL(offload_port_add(offload, 0, LAN), 0);
	CU_ASSERT_EQUAL_FATAL(nic.held, ROOT + 4);
	for (unsigned int i = 0; i < 4; i++) {
		const struct nic_rule *rule = &nic.rules[ROOT + i];
		bool ip6 = i >= 2;

		CU_ASSERT_PTR_NOT_NULL(
			nic_item(rule, ip6 ? RTE_FLOW_ITEM_TYPE_IPV6 : RTE_FLOW_ITEM_TYPE_IPV4));
		CU_ASSERT_PTR_NOT_NULL(nic_item(
			rule, i % 2 != 0 ? RTE_FLOW_ITEM_TYPE_UDP : RTE_FLOW_ITEM_TYPE_TCP));
		CU_ASSERT_PTR_NOT_NULL(nic_action(rule, ip6 ? RTE_FLOW_ACTION_TYPE_SET_IPV6_SRC
							    : RTE_FLOW_ACTION_TYPE_SET_IPV4_SRC));
		CU_ASSERT_PTR_NOT_NULL(nic_action(rule, ip6 ? RTE_FLOW_ACTION_TYPE_SET_IPV6_DST
							    : RTE_FLOW_ACTION_TYPE_SET_IPV4_DST));
		for (unsigned int a = 0; a < RTE_DIM(rewrites); a++)
			CU_ASSERT_PTR_NOT_NULL(nic_action(rule, rewrites[a]));
	}
	nic_close(LAN);
	rig_stop();
}

CU_TestInfo translate_tests[] = {
	{"masqueraded directions", test_masqueraded},
	{"nothing and everything rewritten", test_extremes},
	{"IPv4 that comes up", test_ipv4_comes_up},
	{"IPv6 that comes up", test_ipv6_comes_up},
	{"TCP flags that come up", test_tcp_comes_up},
	{"a probe has it all", test_probe},
	CU_TEST_INFO_NULL,
};
