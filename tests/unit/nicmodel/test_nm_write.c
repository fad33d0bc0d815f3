/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rewrites: the frame is the one that is built anew with the new values, its
 * checksums summed over everything.
 */
#include <netinet/in.h>
#include <string.h>

#include "nm_rig.h"

/* Every rewrite, with a value for each. */
struct values {
	struct rte_flow_action_set_mac src_mac, dst_mac;
	struct tuple t;
	struct rte_flow_action_set_tp sport, dport;
};

/* Rewrites, in the order of their bits below. */
enum { SRC = 1, DST = 2, SPORT = 4, DPORT = 8, TTL = 16, MACS = 32, ALL = 63 };

static void
add_rewrites(struct rule *r, const struct values *v, bool ipv6, unsigned int which)
{
	if (which & SRC)
		rule_action(r, ipv6 ? ACTION(SET_IPV6_SRC) : ACTION(SET_IPV4_SRC), &v->t.src);
	if (which & DST)
		rule_action(r, ipv6 ? ACTION(SET_IPV6_DST) : ACTION(SET_IPV4_DST), &v->t.dst);
	if (which & SPORT)
		rule_action(r, ACTION(SET_TP_SRC), &v->sport);
	if (which & DPORT)
		rule_action(r, ACTION(SET_TP_DST), &v->dport);
	if (which & TTL)
		rule_action(r, ACTION(DEC_TTL), NULL);
	if (which & MACS) {
		rule_action(r, ACTION(SET_MAC_SRC), &v->src_mac);
		rule_action(r, ACTION(SET_MAC_DST), &v->dst_mac);
	}
}

/* What must come of a frame. */
static struct bytes
wanted(const struct frame_spec *spec, const struct values *v, unsigned int which)
{
	struct frame_spec to = *spec;
	struct bytes frame;

	if (which & SRC)
		to.t.src = v->t.src;
	if (which & DST)
		to.t.dst = v->t.dst;
	if (which & SPORT)
		to.t.sport = v->sport.port;
	if (which & DPORT)
		to.t.dport = v->dport.port;
	if (which & TTL)
		to.ttl = (uint8_t)((spec->ttl == 0 ? 64 : spec->ttl) - 1);
	frame = frame_of(&to);
	if (which & MACS) {
		memcpy(frame.at, v->dst_mac.mac_addr, 6);
		memcpy(frame.at + 6, v->src_mac.mac_addr, 6);
	}
	return frame;
}

/* One rule with rewrites for all frames of a kind; l4: their ports can be written. */
static void
install(const struct values *v, bool ipv6, uint8_t l4, unsigned int which)
{
	static const struct rte_flow_action_ethdev out = {.port_id = 1};
	struct rule r = rule_of(true, 0, 0);

	rig_open();
	rule_item(&r, ITEM(ETH), NULL, NULL);
	rule_item(&r, ipv6 ? ITEM(IPV6) : ITEM(IPV4), NULL, NULL);
	if (l4 != 0)
		rule_item(&r, l4 == IPPROTO_TCP ? ITEM(TCP) : ITEM(UDP), NULL, NULL);
	add_rewrites(&r, v, ipv6, which);
	rule_action(&r, ACTION(REPRESENTED_PORT), &out);
	(void)rule_install(&r);
}

static void
random_values(struct values *v, uint64_t *state, bool ipv6, uint8_t proto)
{
	uint64_t macs = random_next(state);

	v->t = random_tuple(state, ipv6, proto);
	v->sport.port = v->t.sport;
	v->dport.port = v->t.dport;
	memcpy(v->src_mac.mac_addr, &macs, 6);
	macs = random_next(state);
	memcpy(v->dst_mac.mac_addr, &macs, 6);
}

/* Each set of rewrites on each kind of frame, some values each. */
static void
test_rewrites(void)
{
	uint64_t state = 1;
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < 4 * (ALL + 1) * 8; i++) {
		bool ipv6 = i & 1;
		uint8_t proto = i & 2 ? IPPROTO_TCP : IPPROTO_UDP;
		unsigned int which = i / 4 % (ALL + 1);
		struct frame_spec spec = spec_of(ipv6, proto);
		struct bytes frame, want;
		struct nm_result result;
		struct values v;

		random_values(&v, &state, ipv6, proto);
		spec.t = random_tuple(&state, ipv6, proto);
		spec.payload = (uint16_t)(random_next(&state) % 60);
		spec.ttl = (uint8_t)(2 + random_next(&state) % 250);
		spec.ext = ipv6 ? 0 : (uint8_t)(random_next(&state) % 11);
		install(&v, ipv6, proto, which);
		frame = frame_of(&spec);
		want = wanted(&spec, &v, which);
		result = frame_run(0, &frame);
		wrong += result.fate != NM_TO_WIRE || result.port != 1;
		wrong += !frame_same(&frame, &want);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	rig_close();
}

/* All ports: sums that become zero, and such that were. */
static void
all_ports(bool ipv6, uint8_t proto, unsigned int zero_at)
{
	uint64_t state = 2;
	unsigned int wrong = 0, zeros = 0;
	struct values v;

	random_values(&v, &state, ipv6, proto);
	for (uint32_t port = 0; port < 65536; port++) {
		struct frame_spec spec = spec_of(ipv6, proto);
		struct bytes frame, want;

		/* There, and back from what may be a zero. */
		v.sport.port = (uint16_t)port;
		install(&v, ipv6, proto, SPORT);
		frame = frame_of(&spec);
		want = wanted(&spec, &v, SPORT);
		(void)frame_run(0, &frame);
		wrong += !frame_same(&frame, &want);
		zeros += want.at[zero_at] == want.at[zero_at + 1] &&
			 want.at[zero_at] == (proto == IPPROTO_UDP ? 0xff : 0);
		v.sport.port = spec.t.sport;
		install(&v, ipv6, proto, SPORT);
		(void)frame_run(0, &frame);
		want = frame_of(&spec);
		wrong += !frame_same(&frame, &want);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(zeros > 0);
	rig_close();
}

/* UDP: a sum of zero is sent as 0xffff (RFC 768); TCP: as it is. */
static void
test_zero(void)
{
	all_ports(false, IPPROTO_UDP, 14 + 20 + 6);
	all_ports(true, IPPROTO_UDP, 14 + 40 + 6);
	all_ports(false, IPPROTO_TCP, 14 + 20 + 16);
}

/* UDP without a checksum stays without. */
static void
test_no_check(void)
{
	uint64_t state = 3;

	for (unsigned int i = 0; i < 100; i++) {
		struct frame_spec spec = spec_of(false, IPPROTO_UDP);
		struct bytes frame, want;
		struct values v;

		random_values(&v, &state, false, IPPROTO_UDP);
		spec.no_check = true;
		install(&v, false, IPPROTO_UDP, ALL);
		frame = frame_of(&spec);
		want = wanted(&spec, &v, ALL);
		(void)frame_run(0, &frame);
		CU_ASSERT_EQUAL(frame.at[40] | frame.at[41], 0);
		CU_ASSERT(frame_same(&frame, &want));
	}
	rig_close();
}

/* A wrong checksum is as wrong afterwards: it is not made anew. */
static void
test_wrong_stays(void)
{
	uint64_t state = 4;

	for (unsigned int i = 0; i < 200; i++) {
		bool ipv6 = i & 1;
		uint8_t proto = i & 2 ? IPPROTO_TCP : IPPROTO_UDP;
		uint32_t l4 = ipv6 ? 54 : 34, at = l4 + (proto == IPPROTO_TCP ? 16 : 6);
		struct frame_spec spec = spec_of(ipv6, proto);
		struct bytes frame = frame_of(&spec);
		struct values v;

		random_values(&v, &state, ipv6, proto);
		install(&v, ipv6, proto, SRC | DST | SPORT | DPORT | TTL);
		frame.at[at] ^= 0x55;
		frame.at[24] ^= ipv6 ? 0 : 0x11;
		(void)frame_run(0, &frame);
		CU_ASSERT_NOT_EQUAL(
			naive_l4_sum(frame.at + 14, proto, frame.at + l4, frame.len - l4), 0xffff);
		if (!ipv6)
			CU_ASSERT_NOT_EQUAL(naive_sum(0, frame.at + 14, 20), 0xffff);
	}
	rig_close();
}

/* As silicon: 0 becomes 255. Who minds guards against it. */
static void
test_ttl_wraps(void)
{
	for (unsigned int i = 0; i < 2 * 256; i++) {
		bool ipv6 = i & 1;
		uint32_t at = ipv6 ? 14 + 7 : 14 + 8;
		struct frame_spec spec = spec_of(ipv6, IPPROTO_TCP);
		struct values v = {0};
		struct bytes frame, want;

		spec.ttl = 1;
		frame = frame_of(&spec);
		want = frame;
		frame.at[at] = (uint8_t)(i / 2);
		want.at[at] = (uint8_t)(i / 2 - 1);
		seal(frame.at + 14, IPPROTO_TCP, NULL, 0);
		seal(want.at + 14, IPPROTO_TCP, NULL, 0);
		install(&v, ipv6, 0, TTL);
		(void)frame_run(0, &frame);
		CU_ASSERT(frame_same(&frame, &want));
	}
	rig_close();
}

/* Behind tags the headers are elsewhere. */
static void
test_tagged(void)
{
	uint64_t state = 5;

	for (unsigned int i = 0; i < 8; i++) {
		bool ipv6 = i & 1;
		uint8_t proto = i & 2 ? IPPROTO_TCP : IPPROTO_UDP;
		struct frame_spec spec = spec_of(ipv6, proto);
		struct bytes frame = frame_of(&spec), want;
		struct values v;

		random_values(&v, &state, ipv6, proto);
		install(&v, ipv6, proto, ALL);
		want = wanted(&spec, &v, ALL);
		frame = frame_tagged(&frame, 1 + i / 4, 0x88a8);
		want = frame_tagged(&want, 1 + i / 4, 0x88a8);
		(void)frame_run(0, &frame);
		CU_ASSERT(frame_same(&frame, &want));
	}
	rig_close();
}

/* No ports in the frame: ICMP has no pseudo header, a later fragment no header at all. */
static void
test_without_ports(void)
{
	uint64_t state = 6;

	for (unsigned int i = 0; i < 3; i++) {
		struct frame_spec spec = spec_of(false, i == 0 ? IPPROTO_ICMP : IPPROTO_UDP);
		struct bytes frame, want;
		struct values v;

		random_values(&v, &state, false, IPPROTO_UDP);
		spec.icmp_type = 8;
		frame = frame_of(&spec);
		/* A later fragment of UDP or TCP: the same bytes, but they are payload. */
		if (i > 0)
			frame.at[14 + 7] = 5;
		if (i > 1)
			frame.at[14 + 9] = IPPROTO_TCP;
		seal(frame.at + 14, 0, NULL, 0);
		want = frame;
		memcpy(want.at + 14 + 12, &v.t.src, 4);
		memcpy(want.at + 14 + 16, &v.t.dst, 4);
		want.at[14 + 8]--;
		seal(want.at + 14, 0, NULL, 0);
		install(&v, false, 0, SRC | DST | TTL);
		(void)frame_run(0, &frame);
		CU_ASSERT(frame_same(&frame, &want));
	}
	rig_close();
}

CU_TestInfo write_tests[] = {
	{"all sets of rewrites", test_rewrites},
	{"sums of zero", test_zero},
	{"UDP without a checksum", test_no_check},
	{"a wrong checksum stays wrong", test_wrong_stays},
	{"TTL", test_ttl_wraps},
	{"behind tags", test_tagged},
	{"frames without ports", test_without_ports},
	CU_TEST_INFO_NULL,
};
