/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mutated frames through the whole dataplane: two workers, conntrack, NAT by a
 * masquerade and a port forward, rejects, records, the clock moving on. Nothing
 * may crash, and every frame leaves or is dropped for a reason.
 *
 * SHUNT_FUZZ_FRAMES  frames, 1,000,000 unless told
 * SHUNT_FUZZ_SEED    where the random numbers begin; else the clock says
 */
#include <CUnit/Basic.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_tcp.h>

#include "dp.h"

#define FRAMES	1000000ULL
#define EPISODE 100000
#define BATCH	64

static uint64_t state;

static uint32_t
below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % n;
}

static uint64_t
from_environment(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 10) : fallback;
}

/* A frame of few connections, so that they meet each other. */
static uint16_t
make(uint8_t frame[DP_FRAME_MAX], enum dp_port *port)
{
	static const char *const outside[2] = {"198.51.100.7", "2001:db8:99::7"};
	static const char *const inside[2] = {"10.0.1.10", "2001:db8:1::10"};
	static const char *const router[2] = {"203.0.113.1", "2001:db8:f::1"};
	static const uint8_t flags[] = {RTE_TCP_SYN_FLAG, RTE_TCP_ACK_FLAG, RTE_TCP_ACK_FLAG,
		RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG, RTE_TCP_FIN_FLAG | RTE_TCP_ACK_FLAG,
		RTE_TCP_RST_FLAG};
	static const uint8_t protos[] = {
		IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMP, 132};
	static uint8_t quoted[DP_FRAME_MAX];
	uint32_t six = below(4) == 0;
	struct dp_packet p = {.proto = protos[below(6)],
		.tcp_flags = flags[below(6)],
		.seq = below(4) * 100,
		.ack = below(4) * 100,
		.payload = (uint16_t)below(200),
		.ttl = (uint8_t)(below(20) == 0 ? 1 : 64),
		.bad_l4_sum = below(40) == 0,
		.bad_ip_sum = below(40) == 0,
		.no_udp_sum = below(4) == 0};

	switch (below(4)) {
	case 0: p.port = LAN, p.src = inside[six], p.dst = outside[six]; break;
	case 1: p.port = WAN, p.src = outside[six], p.dst = router[six]; break;
	case 2: p.port = LAN, p.src = inside[six], p.dst = router[six]; break;
	default: p.port = DMZ, p.src = six ? "2001:db8:2::10" : "10.0.2.10", p.dst = inside[six];
	}
	p.sport = (uint16_t)(below(2) ? 5000 + below(8) : 80);
	p.dport = (uint16_t)(below(3) == 0 ? 8080 : below(2) ? 5000 + below(8) : 80 + below(2));
	if (p.proto == IPPROTO_ICMP) {
		p.proto = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		p.dport = (uint16_t)((six ? 128 + below(2) : below(2) * 8) << 8);
		if (below(2)) {
			struct dp_packet inner = {.port = LAN,
				.src = p.dst,
				.dst = p.src,
				.proto = IPPROTO_UDP,
				.sport = (uint16_t)(5000 + below(8)),
				.dport = (uint16_t)(80 + below(2)),
				.payload = 20};
			uint16_t n = dp_build(quoted, &inner);

			p.dport = (uint16_t)((six ? 1 : ICMP_DEST_UNREACH) << 8 | 1);
			p.quote = quoted + 14;
			p.quote_len = (uint16_t)(below(3) ? n - 14U : below(n - 14U));
		}
	}
	*port = p.port;
	return dp_build(frame, &p);
}

/* Bytes, bits, words that mean something, and the length. */
static uint16_t
mutate(uint8_t *frame, uint16_t len)
{
	static const uint8_t words[] = {0, 1, 5, 0x45, 0x60, 0x7f, 0x80, 0xff};

	for (uint32_t n = below(4); n > 0; n--) {
		/* Mostly the headers. */
		uint32_t at = below(4) ? below(RTE_MIN(len, (uint16_t)80)) : below(len);

		switch (below(3)) {
		case 0: frame[at] ^= (uint8_t)(1U << below(8)); break;
		case 1: frame[at] = words[below(8)]; break;
		default: frame[at] = (uint8_t)below(256); break;
		}
	}
	if (below(10) == 0)
		len = (uint16_t)(1 + below(len));
	return len;
}

static void
episode(uint64_t frames)
{
	uint8_t frame[DP_FRAME_MAX];
	struct dp_frame out;

	dp_start(&(struct dp_setup){.workers = 2,
		.masquerade = true,
		.port_forward = true,
		.reject = true,
		.max = 3000,
		.start = 3000});
	for (uint64_t i = 0; i < frames; i++) {
		enum dp_port port;
		uint16_t len = make(frame, &port);

		dp_send(port, frame, mutate(frame, len));
		if (i % BATCH != BATCH - 1)
			continue;
		dp_walk();
		if (below(50) == 0)
			clock_advance((uint64_t)below(below(20) ? 40 : 500000) * NS_PER_SEC);
		if (below(200) == 0)
			dp_publish();
		for (unsigned int p = 0; p < DP_PORTS; p++)
			while (dp_receive((enum dp_port)p, &out))
				;
	}
	dp_settle();
	printf("  connections %u, on records %" PRIu64 "\n", dp_connections(), dp_established());
	dp_stop();
}

static void
test_fuzz(void)
{
	uint64_t frames = from_environment("SHUNT_FUZZ_FRAMES", FRAMES);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	state = from_environment("SHUNT_FUZZ_SEED",
			(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) |
		1;
	printf("SHUNT_FUZZ_SEED=%" PRIu64 " SHUNT_FUZZ_FRAMES=%" PRIu64 "\n", state, frames);
	fflush(stdout);
	for (uint64_t done = 0; done < frames; done += EPISODE)
		episode(EPISODE);
}

static CU_TestInfo tests[] = {{"mutated frames", test_fuzz}, CU_TEST_INFO_NULL};

int
main(int argc, char **argv)
{
	CU_SuiteInfo suites[] = {{"fuzz", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	(void)argc;
	dp_init(argv[0]);
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures == 0 ? 0 : 1;
}
