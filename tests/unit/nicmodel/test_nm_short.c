/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames cut at every byte, and frames of noise: nothing behind their end is
 * read or written. Each lies twice: in heap memory of its size, for the address
 * sanitizer, and right before a page that cannot be touched.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "nm_rig.h"

/* All rewrites for whatever has the headers for them, by rules that ask for no more. */
static void
install_all(void)
{
	static const uint8_t conf[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	static const struct rte_flow_action_ethdev out = {.port_id = 1};
	static const enum rte_flow_item_type l3[] = {ITEM(IPV4), ITEM(IPV6)};
	static const enum rte_flow_item_type l4[] = {ITEM(TCP), ITEM(UDP), ITEM(VOID)};

	rig_open();
	for (unsigned int i = 0; i < 7; i++) {
		struct rule r = rule_of(true, 0, i);

		if (i < 6) {
			rule_item(&r, l3[i % 2], NULL, NULL);
			rule_item(&r, l4[i / 2], NULL, NULL);
			rule_action(
				&r, i % 2 == 0 ? ACTION(SET_IPV4_SRC) : ACTION(SET_IPV6_SRC), conf);
			rule_action(
				&r, i % 2 == 0 ? ACTION(SET_IPV4_DST) : ACTION(SET_IPV6_DST), conf);
			rule_action(&r, ACTION(DEC_TTL), NULL);
		}
		if (i < 4) {
			rule_action(&r, ACTION(SET_TP_SRC), conf);
			rule_action(&r, ACTION(SET_TP_DST), conf);
		}
		rule_action(&r, ACTION(SET_MAC_SRC), conf);
		rule_action(&r, ACTION(SET_MAC_DST), conf);
		rule_action(&r, ACTION(COUNT), NULL);
		rule_action(&r, ACTION(REPRESENTED_PORT), &out);
		(void)rule_install(&r);
	}
}

/* A page, and one behind it that cannot be touched. */
static uint8_t *
guarded(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *at =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED || mprotect(at + page, page, PROT_NONE) != 0)
		abort();
	return at + page;
}

/* @return the bytes that came of it are the same in both places */
static bool
run_exact(uint8_t *guard, const uint8_t *bytes, uint32_t len)
{
	uint8_t *heap = malloc(len != 0 ? len : 1), *before = guard - len;
	struct nm_result result;
	struct fake fake;
	bool same;

	if (heap == NULL)
		abort();
	memcpy(heap, bytes, len);
	memcpy(before, bytes, len);
	nm_flow_run(sw, 0, fake_mbuf(&fake, heap, len, len), &result);
	CU_ASSERT_EQUAL(result.fate, NM_TO_WIRE);
	nm_flow_run(sw, 0, fake_mbuf(&fake, before, len, len), &result);
	CU_ASSERT_EQUAL(result.fate, NM_TO_WIRE);
	same = memcmp(heap, before, len) == 0;
	free(heap);
	return same;
}

static void
test_cut(void)
{
	uint8_t *guard = guarded();
	unsigned int wrong = 0;

	install_all();
	for (unsigned int i = 0; i < 2 * 2 * 3 * 3; i++) {
		struct frame_spec spec = spec_of(i & 1, i & 2 ? IPPROTO_TCP : IPPROTO_UDP);
		struct bytes frame;

		spec.payload = 4;
		spec.ext = i / 12 == 2 ? 3 : 0;
		frame = frame_of(&spec);
		frame = frame_tagged(&frame, i / 4 % 3, 0x8100);
		for (uint32_t len = 0; len <= frame.len; len++)
			wrong += !run_exact(guard, frame.at, len);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	rig_close();
	(void)munmap(guard - sysconf(_SC_PAGESIZE), 2 * (size_t)sysconf(_SC_PAGESIZE));
}

/* A header that is not whole is no header: its item does not match. */
static void
test_whole(void)
{
	for (unsigned int i = 0; i < 8; i++) {
		bool ipv6 = i & 1, tcp = i & 2;
		/* The options of IPv4 are of its header. */
		uint8_t options = ipv6 || i < 4 ? 0 : 3;
		struct frame_spec spec = spec_of(ipv6, tcp ? IPPROTO_TCP : IPPROTO_UDP);
		struct rule l3 = rule_of(true, 0, 1), l4 = rule_of(true, 0, 0);
		uint32_t ip_end = (ipv6 ? 54U : 34U) + 4U * options,
			 l4_end = ip_end + (tcp ? 20 : 8);
		struct rte_flow *ip_flow, *l4_flow;
		struct bytes frame;
		uint32_t full;

		spec.ext = options;
		frame = frame_of(&spec);
		full = frame.len;
		rig_open();
		rule_item(&l3, ipv6 ? ITEM(IPV6) : ITEM(IPV4), NULL, NULL);
		rule_action(&l3, ACTION(COUNT), NULL);
		rule_action(&l3, ACTION(DROP), NULL);
		ip_flow = rule_install(&l3);
		rule_item(&l4, tcp ? ITEM(TCP) : ITEM(UDP), NULL, NULL);
		rule_action(&l4, ACTION(COUNT), NULL);
		rule_action(&l4, ACTION(DROP), NULL);
		l4_flow = rule_install(&l4);
		for (frame.len = 0; frame.len <= full; frame.len++) {
			uint64_t ip_hits = rule_hits(ip_flow), l4_hits = rule_hits(l4_flow);

			(void)frame_run(0, &frame);
			CU_ASSERT_EQUAL(rule_hits(ip_flow) - ip_hits,
				frame.len >= ip_end && frame.len < l4_end);
			CU_ASSERT_EQUAL(rule_hits(l4_flow) - l4_hits, frame.len >= l4_end);
		}
	}
	rig_close();
}

/* Frames with some bytes changed at random, cut at random. */
static void
test_noise(void)
{
	const char *text = getenv("SEED");
	uint8_t *guard = guarded();
	unsigned int wrong = 0;
	struct timespec now;
	uint64_t state;

	clock_gettime(CLOCK_MONOTONIC, &now);
	state = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)now.tv_nsec;
	printf("\n    SEED=0x%llx ", (unsigned long long)state);
	install_all();
	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t r = random_next(&state);
		struct frame_spec spec = spec_of(r & 1, r & 2 ? IPPROTO_TCP : IPPROTO_UDP);
		struct bytes frame = frame_of(&spec);

		if (r & 4)
			frame = frame_tagged(&frame, 1 + (r >> 3 & 1), 0x88a8);
		for (unsigned int n = r >> 4 & 7; n > 0; n--) {
			uint64_t where = random_next(&state);

			frame.at[where % frame.len] = (uint8_t)(where >> 32);
		}
		wrong += !run_exact(guard, frame.at, (uint32_t)(r >> 8) % (frame.len + 1));
	}
	CU_ASSERT_EQUAL(wrong, 0);
	rig_close();
	(void)munmap(guard - sysconf(_SC_PAGESIZE), 2 * (size_t)sysconf(_SC_PAGESIZE));
}

CU_TestInfo short_tests[] = {
	{"cut at every byte", test_cut},
	{"headers that are not whole", test_whole},
	{"noise", test_noise},
	CU_TEST_INFO_NULL,
};
