/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Items: each bit of a header is compared if and only if it is in the mask.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nm_rig.h"

#define ROUNDS 40

static uint64_t state;

/* A rule that drops what matches; else the frame goes to software. */
static bool
matches(const struct bytes *frame)
{
	struct bytes copy = *frame;
	struct nm_result result = frame_run(3, &copy);

	CU_ASSERT(frame_same(&copy, frame));
	if (result.fate == NM_DROP) {
		CU_ASSERT(result.by_rule);
		CU_ASSERT_STRING_EQUAL(result.why, "rule");
		return true;
	}
	CU_ASSERT_EQUAL(result.fate, NM_TO_PORT);
	CU_ASSERT_EQUAL(result.port, 3);
	CU_ASSERT(!result.by_rule);
	return false;
}

/* A header of an item: where it is in the frame, and what of it can be matched. */
struct header {
	enum rte_flow_item_type type;
	bool ipv6, tagged;
	uint8_t proto;
	uint32_t at, len;
	const char *able; /* of len */
	uint32_t vital;	  /* leading bits without which it is no header of the item */
};

#define F2 "\xff\xff"
#define F4 F2 F2
#define F8 F4 F4
#define O4 "\0\0\0\0"

static const struct header headers[] = {
	{ITEM(ETH), false, false, IPPROTO_UDP, 0, 14, F8 F4 F2, 0},
	{ITEM(ETH), true, false, IPPROTO_TCP, 0, 14, F8 F4 F2, 0},
	{ITEM(VLAN), false, true, IPPROTO_TCP, 14, 4, F4, 0},
	{ITEM(VLAN), true, true, IPPROTO_UDP, 14, 4, F4, 0},
	{ITEM(IPV4), false, false, IPPROTO_TCP, 14, 20, F2 "\0\0\0\0" F4 "\0\0" F8, 8},
	{ITEM(IPV4), false, true, IPPROTO_UDP, 18, 20, F2 "\0\0\0\0" F4 "\0\0" F8, 8},
	{ITEM(IPV6), true, false, IPPROTO_UDP, 14, 40, F4 "\0\0" F2 F8 F8 F8 F8, 4},
	{ITEM(IPV6), true, true, IPPROTO_TCP, 18, 40, F4 "\0\0" F2 F8 F8 F8 F8, 4},
	{ITEM(TCP), false, false, IPPROTO_TCP, 34, 20, F4 O4 O4 "\0\xff\0\0" O4, 0},
	{ITEM(TCP), true, false, IPPROTO_TCP, 54, 20, F4 O4 O4 "\0\xff\0\0" O4, 0},
	{ITEM(UDP), false, false, IPPROTO_UDP, 34, 8, F4 O4, 0},
	{ITEM(UDP), true, true, IPPROTO_UDP, 58, 8, F4 O4, 0},
};

/* An item's struct is as long as its header here, or a little longer (eth, vlan). */
struct filled {
	uint8_t spec[64], mask[64];
};

static struct bytes
frame_with(const struct header *h)
{
	struct frame_spec spec = spec_of(h->ipv6, h->proto);
	struct bytes frame = frame_of(&spec);

	return h->tagged ? frame_tagged(&frame, 1, 0x8100) : frame;
}

/* A random mask; the spec has other bits where they do not matter. */
static void
fill(const struct header *h, const struct bytes *frame, struct filled *f)
{
	memset(f, 0, sizeof(*f));
	for (uint32_t i = 0; i < h->len; i++) {
		uint8_t noise = (uint8_t)random_next(&state);

		f->mask[i] = (uint8_t)(random_next(&state) & (uint8_t)h->able[i]);
		if (random_next(&state) % 3 == 0)
			f->mask[i] = (uint8_t)h->able[i];
		f->spec[i] = (uint8_t)((frame->at[h->at + i] & f->mask[i]) | (noise & ~f->mask[i]));
	}
}

static void
check_bits(const struct header *h, const struct bytes *frame, const struct filled *f)
{
	struct bytes other = *frame;

	CU_ASSERT(matches(frame));
	for (uint32_t bit = 0; bit < h->len * 8; bit++) {
		uint8_t in = (uint8_t)(0x80 >> bit % 8);
		bool compared = f->mask[bit / 8] & in;

		if (bit < h->vital && !compared)
			continue;
		other.at[h->at + bit / 8] ^= in;
		if (matches(&other) == compared) {
			printf("\n    item %u bit %u of mask 0x%02x\n", h->type, bit,
				f->mask[bit / 8]);
			CU_FAIL("a bit is not compared as the mask says");
		}
		other.at[h->at + bit / 8] ^= in;
	}
}

static void
test_bits(void)
{
	const char *text = getenv("SEED");
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	state = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)now.tv_nsec;
	printf("\n    SEED=0x%llx ", (unsigned long long)state);
	for (unsigned int i = 0; i < RTE_DIM(headers) * ROUNDS; i++) {
		const struct header *h = &headers[i % RTE_DIM(headers)];
		struct rule r = rule_of(true, 0, 0);
		struct bytes frame = frame_with(h);
		struct filled f;

		rig_open();
		fill(h, &frame, &f);
		rule_item(&r, h->type, f.spec, f.mask);
		rule_action(&r, ACTION(DROP), NULL);
		(void)rule_install(&r);
		check_bits(h, &frame, &f);
	}
	rig_close();
}

/* Headers that are not an item's own do not match it, whatever is asked of them. */
static void
test_kinds(void)
{
	static const enum rte_flow_item_type types[] = {
		ITEM(IPV4), ITEM(IPV6), ITEM(TCP), ITEM(UDP), ITEM(VLAN), ITEM(ETH)};

	for (unsigned int i = 0; i < RTE_DIM(types) * 8; i++) {
		bool ipv6 = i & 1, tcp = i & 2, tagged = i & 4;
		struct frame_spec spec = spec_of(ipv6, tcp ? IPPROTO_TCP : IPPROTO_UDP);
		struct bytes plain = frame_of(&spec);
		struct bytes frame = tagged ? frame_tagged(&plain, 1, 0x8100) : plain;
		struct rule r = rule_of(true, 0, 0);
		const bool wanted[] = {!ipv6, ipv6, tcp, !tcp, tagged, true};

		rig_open();
		rule_item(&r, types[i / 8], NULL, NULL);
		rule_action(&r, ACTION(DROP), NULL);
		(void)rule_install(&r);
		CU_ASSERT_EQUAL(matches(&frame), wanted[i / 8]);
	}
	rig_close();
}

/* Without a mask: rte_flow's own, addresses of IPv4. */
static void
test_default_mask(void)
{
	struct frame_spec spec = spec_of(false, IPPROTO_UDP);
	struct rte_flow_item_ipv4 ip = {.hdr = {.version_ihl = 0x99,
						.time_to_live = 1,
						.src_addr = spec.t.src.v4,
						.dst_addr = spec.t.dst.v4}};
	struct rule r = rule_of(true, 0, 0);
	struct bytes frame = frame_of(&spec);

	rig_open();
	rule_item(&r, ITEM(VOID), NULL, NULL);
	rule_item(&r, ITEM(ETH), NULL, NULL);
	rule_item(&r, ITEM(IPV4), &ip, NULL);
	rule_action(&r, ACTION(VOID), NULL);
	rule_action(&r, ACTION(DROP), NULL);
	(void)rule_install(&r);
	CU_ASSERT(matches(&frame));
	spec.t.dst.v4 ^= 1;
	frame = frame_of(&spec);
	CU_ASSERT(!matches(&frame));
	rig_close();
}

static void
test_has_vlan(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct rte_flow_item_eth spec = {.has_vlan = i}, mask = {.has_vlan = 1};
		struct frame_spec fs = spec_of(false, IPPROTO_UDP);
		struct bytes plain = frame_of(&fs), tagged = frame_tagged(&plain, 1, 0x88a8);
		struct rule r = rule_of(true, 0, 0);

		rig_open();
		rule_item(&r, ITEM(ETH), &spec, &mask);
		rule_action(&r, ACTION(DROP), NULL);
		(void)rule_install(&r);
		CU_ASSERT_EQUAL(matches(&plain), i == 0);
		CU_ASSERT_EQUAL(matches(&tagged), i == 1);
	}
	rig_close();
}

/* Two tags: the outer one is matched, the headers behind them found. Three: none. */
static void
test_tags(void)
{
	struct frame_spec fs = spec_of(true, IPPROTO_TCP);
	struct rte_flow_item_vlan spec = {.hdr.vlan_tci = rte_cpu_to_be_16(0x0123)};
	struct rte_flow_item_vlan mask = {.hdr.vlan_tci = 0xffff};
	struct rte_flow_item_tcp tcp = {.hdr = {.src_port = fs.t.sport, .dst_port = fs.t.dport}};
	struct bytes plain = frame_of(&fs);
	struct rule r = rule_of(true, 0, 0);

	rig_open();
	rule_item(&r, ITEM(ETH), NULL, NULL);
	rule_item(&r, ITEM(VLAN), &spec, &mask);
	rule_item(&r, ITEM(IPV6), NULL, NULL);
	rule_item(&r, ITEM(TCP), &tcp, NULL);
	rule_action(&r, ACTION(DROP), NULL);
	(void)rule_install(&r);
	CU_ASSERT(!matches(&plain));
	for (unsigned int tags = 1; tags <= 3; tags++) {
		struct bytes frame = frame_tagged(&plain, tags, 0x8100);

		CU_ASSERT_EQUAL(matches(&frame), tags < 3);
		frame = frame_tagged(&plain, tags, 0x88a8);
		CU_ASSERT_EQUAL(matches(&frame), tags < 3);
	}
	rig_close();
}

/* As silicon: a first fragment has ports, a later one has not; options move them. */
static void
test_fragments(void)
{
	static const struct {
		uint16_t fragment;
		uint8_t ext;
		bool ports;
	} rows[] = {{0, 0, true}, {0x4000, 0, true}, {0x2000, 0, true}, {0x2001, 0, false},
		{0x0001, 0, false}, {0x1fff, 0, false}, {0, 1, true}, {0, 10, true},
		{0x2000, 10, true}};
	struct frame_spec spec = spec_of(false, IPPROTO_UDP);
	struct rte_flow_item_udp udp = {
		.hdr = {.src_port = spec.t.sport, .dst_port = spec.t.dport}};
	struct rule r = rule_of(true, 0, 0);

	rig_open();
	rule_item(&r, ITEM(UDP), &udp, NULL);
	rule_action(&r, ACTION(DROP), NULL);
	(void)rule_install(&r);
	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		struct bytes frame;

		spec.fragment = rows[i].fragment;
		spec.ext = rows[i].ext;
		frame = frame_of(&spec);
		CU_ASSERT_EQUAL(matches(&frame), rows[i].ports);
	}
	/* Extension headers of IPv6 are not followed. */
	spec = spec_of(true, IPPROTO_UDP);
	udp.hdr.src_port = spec.t.sport;
	udp.hdr.dst_port = spec.t.dport;
	rig_open();
	(void)rule_install(&r);
	for (uint8_t ext = 0; ext < 3; ext++) {
		struct bytes frame;

		spec.ext = ext;
		frame = frame_of(&spec);
		CU_ASSERT_EQUAL(matches(&frame), ext == 0);
	}
	rig_close();
}

/* A wire's number is compared, in the transfer domain; an ingress rule is its port's own. */
static void
test_ports(void)
{
	const struct rte_flow_item_ethdev port = {.port_id = 3}, any = {0};
	struct frame_spec fs = spec_of(false, IPPROTO_UDP);
	struct bytes frame = frame_of(&fs);

	for (unsigned int i = 0; i < 3; i++) {
		struct rule r = rule_of(i < 2, 0, 0);

		rig_open();
		r.port = 3;
		if (i < 2)
			rule_item(&r, ITEM(REPRESENTED_PORT), &port, i == 1 ? &any : NULL);
		rule_action(&r, ACTION(DROP), NULL);
		(void)rule_install(&r);
		CU_ASSERT_EQUAL(frame_run(3, &frame).fate, NM_DROP);
		CU_ASSERT_EQUAL(frame_run(2, &frame).fate == NM_DROP, i == 1);
	}
	rig_close();
}

CU_TestInfo match_tests[] = {
	{"every bit of every header", test_bits},
	{"items without spec", test_kinds},
	{"items without mask", test_default_mask},
	{"has_vlan", test_has_vlan},
	{"tags", test_tags},
	{"fragments, options, extension headers", test_fragments},
	{"ports", test_ports},
	CU_TEST_INFO_NULL,
};
