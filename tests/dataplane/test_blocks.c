/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In force when nft returns: an element or a rule that blocks a flow which is
 * carried by records, or by the modelled NIC, and behind nft's exit a packet of
 * that flow on every worker. None passes; those of the other flows do.
 *
 * usage: test_blocks LIBSHUNT_NFT; SHUNT_BLOCKS: how often, for each number of
 * workers
 */
#include <CUnit/Basic.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "dp.h"
#include "rules.h"
#ifdef WITH_NIC
#include "nic.h"
#endif

#define HOST   "10.0.1.10"
#define SERVER "198.51.100.7"
#define FLOWS  4 /* one for each worker, at most */

static const char ruleset[] = "table inet t {\n"
			      "	flowtable ft { hook ingress priority 0; devices = { lan, wan }; }\n"
			      "	set blocked { type inet_service; }\n"
			      "	chain extra { }\n"
			      "	chain permit {\n"
			      "		meta l4proto udp flow add @ft\n"
			      "	}\n"
			      "	chain f {\n"
			      "		type filter hook forward priority 0; policy accept;\n"
			      "		udp sport @blocked drop\n"
			      "		jump extra\n"
			      "		ct state established jump permit\n"
			      "	}\n"
			      "}\n";

static struct rules *rules;
static const char *shim;
static unsigned int times = 40;
static uint16_t ports[FLOWS];
static unsigned int flows;

static void
meanwhile(void *arg)
{
	(void)arg;
	dp_walk();
#ifdef WITH_NIC
	dp_offload();
#endif
}

static void
say(uint16_t port, bool reply)
{
	dp_put(&(struct dp_packet){.port = reply ? WAN : LAN,
		.src = reply ? SERVER : HOST,
		.dst = reply ? HOST : SERVER,
		.proto = IPPROTO_UDP,
		.sport = reply ? 53 : port,
		.dport = reply ? port : 53,
		.payload = 20});
}

static void
drain(void)
{
	struct dp_frame frame;

	while (dp_receive(LAN, &frame) || dp_receive(WAN, &frame))
		;
}

/* What carries flows, apart from walks: a count that grows. */
static uint64_t
carried(void)
{
#ifdef WITH_NIC
	return nic_stats(LAN).forwarded;
#else
	return dp_established();
#endif
}

/* Packets both ways until one is carried without a walk. */
static bool
settle(uint16_t port)
{
	for (unsigned int i = 0; i < 10; i++) {
		uint64_t before;

		say(port, false);
		dp_settle();
		say(port, true);
		dp_settle();
		meanwhile(NULL);
		before = carried();
		say(port, false);
		dp_settle();
		drain();
		if (carried() > before)
			return true;
	}
	return false;
}

/* A packet of each flow: which of them came out, as bits. */
static unsigned int
probe(void)
{
	struct dp_frame frame;
	struct dp_seen seen;
	unsigned int out = 0;

	for (unsigned int i = 0; i < flows; i++)
		say(ports[i], false);
	dp_settle();
	while (dp_receive(WAN, &frame))
		for (unsigned int i = 0; dp_see(WAN, &frame, &seen) && i < flows; i++)
			out |= (seen.sport == ports[i]) << i;
	drain();
	return out;
}

static int
nft(const char *command)
{
	static char out[4096];
	int rc = rules_nft(rules, meanwhile, NULL, command, NULL, NULL, out, sizeof(out));

	if (rc != 0)
		printf("nft %s: %s\n", command, out);
	return rc;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Block a flow, by an element or by a rule, and let it go again. Returns nft's milliseconds. */
static double
block(unsigned int i, unsigned int *passed, unsigned int *stopped)
{
	unsigned int victim = i % flows;
	char add[64], undo[64];
	uint64_t start;
	double took;

	snprintf(add, sizeof(add),
		i % 5 == 4 ? "add rule inet t extra udp sport %u drop"
			   : "add element inet t blocked { %u }",
		ports[victim]);
	snprintf(undo, sizeof(undo),
		i % 5 == 4 ? "flush chain inet t extra" : "delete element inet t blocked { %u }",
		ports[victim]);
	CU_ASSERT_TRUE(settle(ports[victim]));
	start = rte_rdtsc();
	CU_ASSERT_EQUAL(nft(add), 0);
	took = (double)(rte_rdtsc() - start) * 1000 / (double)rte_get_tsc_hz();
	for (unsigned int out = probe(), n = 0; n < flows; n++) {
		*passed += n == victim && (out >> n & 1);
		*stopped += n != victim && !(out >> n & 1);
	}
	CU_ASSERT_EQUAL(nft(undo), 0);
	return took;
}

static void
run(unsigned int workers)
{
	static const char *const names[] = {"lan", "wan", "dmz", NULL};
	unsigned int passed = 0, stopped = 0;
	double *took = calloc(times, sizeof(*took));
	char errors[1024];

	CU_ASSERT_PTR_NOT_NULL_FATAL(took);
#ifdef WITH_NIC
	dp_start(&(struct dp_setup){.workers = workers, .real_clock = true, .offload = true});
#else
	dp_start(&(struct dp_setup){.workers = workers, .real_clock = true});
#endif
	flows = workers;
	for (unsigned int w = 0; w < workers; w++)
		for (ports[w] = 5000; dp_home(IPPROTO_UDP, HOST, ports[w], SERVER, 53) != w;)
			ports[w]++;
	rules = rules_new(dp_path(), workers, names, shim);
	CU_ASSERT_EQUAL_FATAL(
		rules_load(rules, meanwhile, NULL, ruleset, errors, sizeof(errors)), 0);
	for (unsigned int i = 0; i < times; i++)
		took[i] = block(i, &passed, &stopped);
	CU_ASSERT_EQUAL(passed, 0);
	CU_ASSERT_EQUAL(stopped, 0);
	qsort(took, times, sizeof(*took), compare);
	printf("\n    %u workers: %u blocked, %u packets passed; nft took p50 %.2f ms, p99 %.2f ms",
		workers, times, passed, took[times / 2], took[times * 99 / 100]);
	rules_stand(rules);
	dp_settle();
	meanwhile(NULL);
	rules_free(rules);
	dp_stop();
	free(took);
}

static void
test_one(void)
{
	run(1);
}

static void
test_two(void)
{
	run(2);
}

static void
test_four(void)
{
	run(4);
}

static CU_TestInfo tests[] = {
	{"one worker", test_one},
	{"two workers", test_two},
	{"four workers", test_four},
	CU_TEST_INFO_NULL,
};

int
main(int argc, char **argv)
{
	CU_SuiteInfo suites[] = {
		{"in force when nft returns", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};
	unsigned int failures;

	if (argc != 2)
		return 2;
	shim = argv[1];
	if (getenv("SHUNT_BLOCKS") != NULL)
		times = (unsigned int)strtoul(getenv("SHUNT_BLOCKS"), NULL, 10);
	times = times != 0 ? times : 1;
#ifdef WITH_NIC
	dp_init_nic(argv[0], &nic_wires);
#else
	dp_init(argv[0]);
#endif
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures == 0 ? 0 : 1;
}
