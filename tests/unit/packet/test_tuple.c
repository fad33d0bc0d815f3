/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tuples, homes and sums.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <rte_thash.h>

#include "checksum.h"
#include "frames.h"
#include "home.h"
#include "unit.h"

#define TUPLES 100000
#define SUMS   20000

/* Types that have a reply, and it. */
static const struct {
	uint8_t proto, type, reply;
} replies[] = {
	{IPPROTO_ICMP, 8, 0},
	{IPPROTO_ICMP, 0, 8},
	{IPPROTO_ICMP, 13, 14},
	{IPPROTO_ICMP, 14, 13},
	{IPPROTO_ICMP, 15, 16},
	{IPPROTO_ICMP, 16, 15},
	{IPPROTO_ICMP, 17, 18},
	{IPPROTO_ICMP, 18, 17},
	{IPPROTO_ICMPV6, 128, 129},
	{IPPROTO_ICMPV6, 129, 128},
	{IPPROTO_ICMPV6, 139, 140},
	{IPPROTO_ICMPV6, 140, 139},
};

static int
reply_of(uint8_t proto, uint8_t type)
{
	for (unsigned int i = 0; i < RTE_DIM(replies); i++)
		if (replies[i].proto == proto && replies[i].type == type)
			return replies[i].reply;
	return -1;
}

static void
test_invert_ports(void)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ESP};
	uint64_t seed = 2;

	for (unsigned int i = 0; i < 3000; i++) {
		bool ipv6 = i & 1;
		struct tuple t = random_tuple(&seed, ipv6, protos[i % 3]), out, back;

		t.zone = (uint16_t)i;
		CU_ASSERT_TRUE_FATAL(tuple_invert(&t, &out));
		CU_ASSERT_EQUAL(memcmp(&out.src, &t.dst, 16), 0);
		CU_ASSERT_EQUAL(memcmp(&out.dst, &t.src, 16), 0);
		CU_ASSERT_EQUAL(out.sport, t.dport);
		CU_ASSERT_EQUAL(out.dport, t.sport);
		CU_ASSERT_EQUAL(out.zone, t.zone);
		CU_ASSERT_TRUE(tuple_invert(&out, &back));
		CU_ASSERT_TRUE(tuple_equal(&back, &t));
		/* In place. */
		CU_ASSERT_TRUE(tuple_invert(&t, &t));
		CU_ASSERT_TRUE(tuple_equal(&t, &out));
	}
}

static void
test_invert_icmp(void)
{
	uint64_t seed = 3;

	for (unsigned int i = 0; i < 512; i++) {
		bool ipv6 = i >= 256;
		uint8_t proto = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		struct tuple t = random_tuple(&seed, ipv6, proto), out;
		int reply = reply_of(proto, (uint8_t)i);

		t.dport = rte_cpu_to_be_16((uint16_t)((i & 0xff) << 8 | 5));
		memset(&out, 0xee, sizeof(out));
		CU_ASSERT_EQUAL(tuple_invert(&t, &out), reply >= 0);
		if (reply < 0) {
			CU_ASSERT_EQUAL(out.zone, 0xeeee);
			continue;
		}
		CU_ASSERT_EQUAL(out.dport, rte_cpu_to_be_16((uint16_t)(reply << 8 | 5)));
		CU_ASSERT_EQUAL(out.sport, t.sport);
		CU_ASSERT_EQUAL(memcmp(&out.src, &t.dst, 16), 0);
	}
}

static void
test_print(void)
{
	char text[TUPLE_STRLEN];
	struct tuple t = {
		.src.v4 = RTE_BE32(0x0a000001),
		.dst.v4 = RTE_BE32(0xc0000201),
		.sport = RTE_BE16(1024),
		.dport = RTE_BE16(80),
		.proto = IPPROTO_TCP,
		.family = FAMILY_IPV4,
	};
	struct tuple longest;

	CU_ASSERT_STRING_EQUAL(tuple_print(&t, text), "tcp 10.0.0.1:1024 192.0.2.1:80");
	t.proto = IPPROTO_ICMP;
	t.sport = RTE_BE16(7);
	t.dport = RTE_BE16(0x0301);
	CU_ASSERT_STRING_EQUAL(tuple_print(&t, text), "icmp 10.0.0.1 192.0.2.1 type 3 code 1 id 7");
	t.proto = 50;
	t.sport = t.dport = 0;
	CU_ASSERT_STRING_EQUAL(tuple_print(&t, text), "50 10.0.0.1 192.0.2.1");
	memset(&longest, 0xff, sizeof(longest));
	longest.family = FAMILY_IPV6;
	longest.proto = IPPROTO_UDP;
	CU_ASSERT_STRING_EQUAL(tuple_print(&longest, text),
		"udp [ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535 "
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
	longest.proto = IPPROTO_ICMPV6;
	CU_ASSERT_STRING_EQUAL(tuple_print(&longest, text),
		"icmpv6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff type 255 code 255 id 65535");
}

/* What a NIC computes: DPDK's Toeplitz of the whole tuple, in the order that RSS takes it. */
static uint32_t
nic_hash(const struct tuple *t)
{
	uint8_t key[40], bytes[36];
	uint32_t words[9], len = t->family == FAMILY_IPV6 ? 16 : 4;

	for (unsigned int i = 0; i < sizeof(key); i++)
		key[i] = i & 1 ? 0x5a : 0x6d;
	memcpy(bytes, &t->src, len);
	memcpy(bytes + len, &t->dst, len);
	memcpy(bytes + 2 * len, &t->sport, 2);
	memcpy(bytes + 2 * len + 2, &t->dport, 2);
	/* rte_softrss takes words in host order. */
	memcpy(words, bytes, 2 * len + 4);
	for (unsigned int i = 0; i < (2 * len + 4) / 4; i++)
		words[i] = rte_be_to_cpu_32(words[i]);
	return rte_softrss(words, (2 * len + 4) / 4, key);
}

static void
test_home(void)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	unsigned int wrong = 0, asymmetric = 0, got[3] = {0};
	struct home_table table;
	uint64_t seed = 4;

	CU_ASSERT_EQUAL(home_table_init(&table, 0), -EINVAL);
	CU_ASSERT_EQUAL(home_table_init(&table, 3), 0);
	for (unsigned int i = 0; i < 2 * TUPLES; i++) {
		struct tuple t = random_tuple(&seed, i & 1, protos[i / 2 & 1]), back;
		uint32_t hash = home_hash(&table, tuple_fold(&t));
		uint8_t home = home_of(&table, tuple_fold(&t));

		wrong += hash != nic_hash(&t);
		tuple_invert(&t, &back);
		asymmetric += home != home_of(&table, tuple_fold(&back));
		CU_ASSERT_TRUE_FATAL(home < 3 && home == table.reta[hash % HOME_RETA]);
		got[home]++;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(asymmetric, 0);
	/* A third each, within five percent of it. */
	for (unsigned int i = 0; i < 3; i++)
		CU_ASSERT_TRUE(got[i] > 2 * TUPLES / 3 * 0.95 && got[i] < 2 * TUPLES / 3 * 1.05);
}

/* ICMP has no ports: the identifier and the type do not move its home. */
static void
test_fold_icmp(void)
{
	uint64_t seed = 5;
	struct tuple t = random_tuple(&seed, false, IPPROTO_ICMP);
	uint16_t x = tuple_fold(&t);

	t.sport ^= 0x55;
	t.dport ^= 0x0301;
	CU_ASSERT_EQUAL(tuple_fold(&t), x);
}

/* A run of random bytes: any, all zero or all ones, the ends of one's complement. */
static void
fill(uint64_t *seed, uint8_t *p, uint32_t len)
{
	uint64_t kind = random_next(seed) % 8;

	for (uint32_t i = 0; i < len; i++)
		p[i] = kind == 0 ? 0 : kind == 1 ? 0xff : (uint8_t)random_next(seed);
}

static uint16_t
big(uint16_t sum)
{
	return rte_be_to_cpu_16(sum);
}

static void
test_sum(void)
{
	_Alignas(16) uint8_t bytes[512];
	unsigned int wrong = 0;
	uint64_t seed = 6;

	for (unsigned int i = 0; i < SUMS; i++) {
		uint32_t at = (uint32_t)random_next(&seed) % 16;
		uint32_t len = (uint32_t)random_next(&seed) % (sizeof(bytes) - at);

		fill(&seed, bytes, sizeof(bytes));
		wrong += big(sum_fold(sum_bytes(0, bytes + at, len))) !=
			 naive_sum(0, bytes + at, len);
		/* In two runs, the first of them even. */
		if (len > 2)
			wrong += big(sum_fold(sum_bytes(sum_bytes(0, bytes + at, 2), bytes + at + 2,
					 len - 2))) != naive_sum(0, bytes + at, len);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(sum_fold(0), 0);
	CU_ASSERT_EQUAL(sum_fold(UINT64_MAX), 0xffff);
	CU_ASSERT_EQUAL(sum_add(UINT64_MAX, UINT64_MAX), UINT64_MAX);
}

static void
test_pseudo(void)
{
	uint8_t ip[40] = {0}, l4[64];
	unsigned int wrong = 0;
	uint64_t seed = 7;

	for (unsigned int i = 0; i < SUMS; i++) {
		bool ipv6 = i & 1;
		struct tuple t = random_tuple(&seed, ipv6, IPPROTO_UDP);
		uint32_t len = (uint32_t)random_next(&seed) % sizeof(l4);

		ip[0] = ipv6 ? 0x60 : 0x45;
		memcpy(ip + (ipv6 ? 8 : 12), &t.src, ipv6 ? 16 : 4);
		memcpy(ip + (ipv6 ? 24 : 16), &t.dst, ipv6 ? 16 : 4);
		fill(&seed, l4, sizeof(l4));
		wrong += big(sum_fold(sum_bytes(sum_pseudo(&t, len), l4, len))) !=
			 naive_l4_sum(ip, IPPROTO_UDP, l4, len);
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

/* A replaced run gives the checksum that a new sum gives. */
static void
test_replace(void)
{
	unsigned int wrong = 0;
	uint8_t bytes[64], to[16];
	uint64_t seed = 8;

	for (unsigned int i = 0; i < SUMS; i++) {
		uint32_t len = 2 + 2 * (uint32_t)(random_next(&seed) % 8);
		uint32_t at = 2 * (uint32_t)(random_next(&seed) % 24);
		uint16_t check;

		fill(&seed, bytes, sizeof(bytes));
		fill(&seed, to, sizeof(to));
		/* No packet sums to 0: there is always a protocol or a version. */
		bytes[62] = 6;
		check = (uint16_t)~sum_fold(sum_bytes(0, bytes, sizeof(bytes)));
		check = check_replace(check, bytes + at, to, len);
		memcpy(bytes + at, to, len);
		wrong += big((uint16_t)~check) != naive_sum(0, bytes, sizeof(bytes));
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"invert ports", test_invert_ports},
		{"invert ICMP types", test_invert_icmp},
		{"print", test_print},
		{"homes are what a NIC hashes", test_home},
		{"ICMP's fold", test_fold_icmp},
		{"sums", test_sum},
		{"pseudo headers", test_pseudo},
		{"replaced runs", test_replace},
		CU_TEST_INFO_NULL,
	};

	return unit_run("packet/tuple", tests);
}
