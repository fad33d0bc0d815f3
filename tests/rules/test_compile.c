/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The compiled program against the reference: random rulesets, random packets;
 * verdict, marks, counters, trace events and what a record would hold are the same.
 *
 * SHUNT_COMPILE_RULESETS  how many, 60 unless told
 * SHUNT_COMPILE_SEED      where the random numbers begin; else the clock says
 *
 * usage: test_compile LIBSHUNT_NFT
 */
#include <CUnit/Basic.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_tcp.h>

#include "compile.h"
#include "dp.h"
#include "rules.h"
#include "rules_live.h"
#include "trace.h"

#define PACKETS 3000

static uint64_t state;
static const char *shim;

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

/* --- rulesets */

static char text[64 * 1024];
static size_t used;

static void
say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	used += (size_t)vsnprintf(text + used, sizeof(text) - used, format, args);
	va_end(args);
}

/* A comparison with one of few values, so that packets meet them. nft refuses what contradicts. */
static void
say_match(bool tcp, bool ip6)
{
	static const char *const ops[] = {"", "", "", "!= "};
	static const unsigned int ip4_only = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 13 | 1 << 15;
	static const unsigned int ip6_only = 1 << 10;
	const char *op = ops[below(4)];
	unsigned int what = below(16);

	if ((ip6 ? ip4_only : ip6_only) & 1U << what)
		what = 5;
	if (what == 3 && tcp)
		what = 4;
	if ((what == 4 || what == 12) && !tcp)
		what = 3;
	switch (what) {
	case 0: say("ip saddr %s10.0.1.%u ", op, below(8)); return;
	case 1: say("ip daddr %s10.0.%u.0/24 ", op, below(4)); return;
	case 2: say("ip saddr %s10.0.0.0/13 ", op); return;
	case 3: say("udp dport %s%u ", op, 80 + below(6)); return;
	case 4: say("tcp sport %s%u ", op, 80 + below(6)); return;
	case 5: say("iifname %s%s ", op, below(2) ? "lan" : "wan"); return;
	case 6: say("oifname %sl* ", op); return;
	case 7: say("meta l4proto %s ", tcp ? "tcp" : "udp"); return;
	case 8: say("ct state %s ", below(2) ? "invalid" : "untracked,new"); return;
	case 9: say("meta mark %s%u ", op, below(3)); return;
	case 10: say("ip6 saddr %s2001:db8:1::%u ", op, below(8)); return;
	case 11: say("meta nfproto %s ", ip6 ? "ipv6" : "ipv4"); return;
	case 12: say("tcp flags syn "); return;
	case 13: say("ip ttl %s64 ", op); return;
	case 14: say("th dport { 80, 82-83 } "); return;
	default: say("ip protocol %s ", tcp ? "tcp" : "udp"); return;
	}
}

static void
say_rule(unsigned int chain, unsigned int chains)
{
	bool tcp = below(2), ip6 = below(4) == 0;

	for (uint32_t n = below(4); n > 0; n--)
		say_match(tcp, ip6);
	/* What is behind it may break the rule: the packet is traced all the same. */
	if (below(8) == 0) {
		say("meta nftrace set %u ", below(3) != 0);
		if (below(2))
			say_match(tcp, ip6);
	}
	/* And what is behind it sees what it wrote. */
	if (below(6) == 0) {
		static const char *const writes[] = {"ip dscp set cs1", "ip ttl set 64",
			"ip daddr set 10.0.1.9", "udp dport set 82", "tcp sport set 83",
			"ip6 hoplimit set 3", "@nh,72,8 set 6"};
		unsigned int n = below(sizeof(writes) / sizeof(writes[0]));

		/* nft refuses what contradicts. */
		if (n < 5 ? !ip6 && (n < 3 || tcp == (n == 4)) : n == 6 || ip6)
			say("%s ", writes[n]);
		if (below(2))
			say("counter ");
	}
	switch (below(10)) {
	case 0: say("counter accept\n"); return;
	case 1: say("drop\n"); return;
	case 2: say("meta mark set %u\n", below(3)); return;
	case 3: say("return\n"); return;
	case 4:
	case 5:
		if (chain + 1 < chains) {
			say("%s c%u\n", below(2) ? "jump" : "goto",
				chain + 1 + below(chains - chain - 1));
			return;
		}
		/* fallthrough */
	default: say("counter\n"); return;
	}
}

/* Rules that compare the same bytes, which become runs. */
static void
say_run(void)
{
	uint32_t n = 5 + below(20), kind = below(3);

	for (uint32_t i = 0; i < n; i++) {
		if (below(8) == 0)
			say("iifname lan ");
		if (kind == 0)
			say("ip saddr 10.0.1.%u ", below(8));
		else if (kind == 1)
			say("udp dport %u ", 80 + below(6));
		else
			say("ip6 saddr 2001:db8:1::%u ", below(8));
		say("%s\n", below(6) ? "counter" : below(2) ? "accept" : "drop");
	}
}

static void
make_ruleset(void)
{
	const unsigned int chains = 4;

	used = 0;
	say("flush ruleset\ntable inet t {\n");
	for (unsigned int chain = chains; chain-- > 0;) {
		say("chain c%u {\n", chain);
		if (chain == 0)
			say("type filter hook forward priority 0; policy %s;\n",
				below(2) ? "accept" : "drop");
		for (uint32_t n = below(12); n > 0; n--) {
			if (below(4) == 0)
				say_run();
			else
				say_rule(chain, chains);
		}
		say("}\n");
	}
	say("}\n");
}

/* --- packets */

static struct rte_mbuf *
make_packet(struct rte_mempool *pool)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMP};
	char src[48], dst[48];
	uint8_t frame[DP_FRAME_MAX];
	bool six = below(4) == 0;
	struct dp_packet p = {.port = (enum dp_port)below(3),
		.src = src,
		.dst = dst,
		.proto = protos[below(4)],
		.sport = (uint16_t)(79 + below(8)),
		.dport = (uint16_t)(79 + below(8)),
		.tcp_flags = below(2) ? RTE_TCP_SYN_FLAG : RTE_TCP_ACK_FLAG,
		.ttl = (uint8_t)(63 + below(3)),
		.payload = (uint16_t)below(20),
		.fragment = (uint16_t)(below(20) == 0 ? 0x2001 : 0)};
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct pkt *pkt = pkt_of(m);
	uint16_t len;

	if (p.proto == IPPROTO_ICMP && six)
		p.proto = IPPROTO_ICMPV6;
	snprintf(src, sizeof(src), six ? "2001:db8:1::%u" : "10.0.1.%u", below(10));
	snprintf(dst, sizeof(dst), six ? "2001:db8:2::%u" : "10.0.%u.9", below(6));
	len = dp_build(frame, &p);
	memcpy(rte_pktmbuf_append(m, len), frame, len);
	*pkt = (struct pkt){.in_port = (uint16_t)p.port,
		.out_port = (uint16_t)below(3),
		.hook = HOOK_FORWARD,
		.conn = CONN_NONE};
	if (pkt_parse(m, pkt) != 0) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	if (below(4) == 0)
		pkt->flags |= PKT_UNTRACKED;
	return m;
}

/* --- traces */

#define EVENTS 512

static _Atomic bool tracing = true;
static struct nft_trace_event events[2][EVENTS];
static unsigned int event_count[2], telling;
static uint64_t all_events;

static void
hear(const struct nft_trace_event *event)
{
	if (event_count[telling] < EVENTS)
		events[telling][event_count[telling]] = *event;
	event_count[telling]++;
}

/* Both tell the same, each with one number for the packet. */
static void
same_traces(void)
{
	unsigned int count = RTE_MIN(event_count[0], (unsigned int)EVENTS);
	uint32_t ids[2] = {events[0][0].id, events[1][0].id};
	unsigned int different = 0;

	CU_ASSERT_EQUAL(event_count[0], event_count[1]);
	all_events += event_count[0];
	if (event_count[0] != event_count[1])
		return;
	for (unsigned int i = 0; i < count; i++) {
		different += events[0][i].id != ids[0] || ids[0] == 0;
		different += events[1][i].id != ids[1] || ids[1] == 0;
		events[1][i].id = events[0][i].id;
		different += memcmp(&events[0][i], &events[1][i], sizeof(events[0][i])) != 0;
	}
	CU_ASSERT_EQUAL(different, 0);
}

/* Packets that rules wrote to. */
static uint64_t written;

static void
same(const struct nft_base *base, struct rte_mbuf *m)
{
	struct nft_states *states = base->program->states;
	struct pkt *pkt = pkt_of(m), first = *pkt, after;
	struct nft_trail a, b;
	static struct nft_count before[4096], one[4096];
	uint8_t came[DP_FRAME_MAX], left[DP_FRAME_MAX];
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	size_t bytes = sizeof(before);
	enum verdict verdict;

	memcpy(came, frame, m->data_len);
	nft_trail_clear(&a);
	nft_trail_clear(&b);
	memcpy(before, states->counters[0], bytes);
	event_count[0] = event_count[1] = 0;
	telling = 0;
	pkt->trail = &a;
	verdict = nft_reference_run(base, pkt);
	after = *pkt;
	memcpy(left, frame, m->data_len);
	memcpy(frame, came, m->data_len);
	memcpy(one, states->counters[0], bytes);
	memcpy(states->counters[0], before, bytes);
	*pkt = first;
	pkt->trail = &b;
	telling = 1;
	CU_ASSERT_EQUAL(nft_compiled_run(base, pkt), verdict);
	CU_ASSERT_EQUAL(pkt->mark, after.mark);
	CU_ASSERT_EQUAL(pkt->flags, after.flags);
	CU_ASSERT_EQUAL(memcmp(frame, left, m->data_len), 0);
	written += memcmp(frame, came, m->data_len) != 0;
	same_traces();
	CU_ASSERT_EQUAL(memcmp(states->counters[0], one, bytes), 0);
	CU_ASSERT_EQUAL(a.count, b.count);
	CU_ASSERT_EQUAL(memcmp(a.counters, b.counters, a.count * sizeof(a.counters[0])), 0);
	/* Rules that a run passes by are not asked what they would have read. */
	CU_ASSERT_TRUE(a.input != NFT_INPUT_NONE || b.input == NFT_INPUT_NONE);
}

static void
walk(void *arg)
{
	(void)arg;
	dp_walk();
}

static void
test_compiled(void)
{
	static const char *const names[] = {"lan", "wan", "dmz", NULL};
	uint64_t count = from_environment("SHUNT_COMPILE_RULESETS", 60);
	struct nft_compiled facts, all = {0};
	struct nft_program program;
	struct nft_base heard;
	struct nft_env env;
	struct timespec now;
	struct rules *rules;
	char out[2048];

	clock_gettime(CLOCK_REALTIME, &now);
	state = from_environment("SHUNT_COMPILE_SEED",
			(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) |
		1;
	printf("SHUNT_COMPILE_SEED=%" PRIu64 " SHUNT_COMPILE_RULESETS=%" PRIu64 "\n", state, count);
	fflush(stdout);
	dp_start(&(struct dp_setup){.real_clock = true});
	rules = rules_new(dp_path(), 1, names, shim);
	for (uint64_t i = 0; i < count; i++) {
		const struct nft_base *base;

		make_ruleset();
		if (rules_load(rules, walk, NULL, text, out, sizeof(out)) != 0) {
			CU_FAIL("a ruleset was refused");
			puts(out);
			break;
		}
		base = rules_forward(rules);
		/* The same program, with ears of our own. */
		program = *base->program;
		env = *program.env;
		env.tracing = &tracing;
		env.trace = hear;
		program.env = &env;
		heard = (struct nft_base){&program, base->chain};
		for (uint32_t c = 0; c < base->program->chain_count; c++) {
			nft_compiled_facts(&base->program->chains[c], &facts);
			all.matches += facts.matches;
			all.runs += facts.runs;
			all.in_runs += facts.in_runs;
		}
		for (unsigned int n = 0; n < PACKETS; n++) {
			struct rte_mbuf *m = make_packet(dp_pool());

			if (m == NULL)
				continue;
			same(&heard, m);
			rte_pktmbuf_free(m);
		}
	}
	printf("  %u matches, %u runs of %u rules, %" PRIu64 " trace events\n", all.matches,
		all.runs, all.in_runs, all_events);
	CU_ASSERT_TRUE(all.matches > 100 && all.runs > 10 && all.in_runs > 100);
	CU_ASSERT_TRUE(all_events > 1000);
	CU_ASSERT_TRUE(written > 1000);
	dp_settle();
	/* No walk behind this: the hooks are gone. */
	rules_free(rules);
	dp_stop();
}

static CU_TestInfo tests[] = {{"compiled and reference", test_compiled}, CU_TEST_INFO_NULL};

int
main(int argc, char **argv)
{
	CU_SuiteInfo suites[] = {{"compile", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (argc != 2)
		return 2;
	shim = argv[1];
	dp_init(argv[0]);
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures == 0 ? 0 : 1;
}
