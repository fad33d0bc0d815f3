/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hundred rulesets that are refused, loaded by the stock nft while a flow
 * passes: not a packet is lost, and handles, counters and listing stay as they
 * were. Traffic comes as fast as it leaves; it waits where there is no room.
 *
 * usage: test_dataplane_loads LIBSHUNT_NFT
 */
#include <CUnit/Basic.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dp.h"
#include "rules.h"

#define LOADS 100
/* Frames under way at most: less than a ring holds. */
#define WINDOW 256

static const char good[] = "table inet t {\n"
			   "	set s { type inet_service; elements = { 53, 80 }; }\n"
			   "	chain f {\n"
			   "		type filter hook forward priority 0; policy drop;\n"
			   "		udp dport @s counter accept\n"
			   "		ct state established counter accept\n"
			   "	}\n"
			   "}\n";

/* What is refused: by nft, by the store, by what evaluates it; early and late in the batch. */
static const char *const bad[] = {
	"table inet t { chain f { jump nowhere; }; }\n",
	"table inet t { chain g { counter; }; chain h { meta skuid 0 drop; }; }\n",
	"flush ruleset\ntable inet u { chain d { jump d; }; chain c { type filter hook input "
	"priority 0; "
	"jump d; }; }\n",
	"delete rule inet t f handle 4711\n",
	"flush chain inet t f\ndelete set inet t s\nadd rule inet t f udp dport @s accept\n",
	"add element inet t s { 443 }\nadd chain inet t x { type nat hook forward priority 0; }\n",
};

static uint64_t sent, received;
static struct rules *rules;
static const char *shim;

static void
pump(void *arg)
{
	struct dp_frame frame;

	(void)arg;
	for (unsigned int i = 0; i < 32 && sent - received < WINDOW; i++, sent++)
		dp_put(&(struct dp_packet){.port = LAN,
			.src = "10.0.1.10",
			.dst = "198.51.100.7",
			.proto = IPPROTO_UDP,
			.sport = (uint16_t)(5000 + sent % 16),
			.dport = 53,
			.payload = 20});
	dp_walk();
	while (dp_receive(WAN, &frame))
		received++;
}

/* What the first counter says; the numbers of all are taken out of the listing. */
static uint64_t
counted(char *listing)
{
	uint64_t first = UINT64_MAX;
	char *at = listing;

	while ((at = strstr(at, "packets ")) != NULL) {
		char *rest = strstr(at, "accept");

		if (first == UINT64_MAX)
			first = strtoull(at + strlen("packets "), NULL, 10);
		if (rest == NULL)
			break;
		memmove(at, rest, strlen(rest) + 1);
	}
	return first;
}

static void
list_all(char *listing, size_t size)
{
	CU_ASSERT_EQUAL(rules_nft(rules, pump, NULL, "-a", "list", "ruleset", listing, size), 0);
}

static void
test_refused_loads(void)
{
	static const char *const names[] = {"lan", "wan", "dmz", NULL};
	static char before[4096], after[4096], errors[4096];
	unsigned int carets = 0;
	uint64_t passed, without;

	dp_start(&(struct dp_setup){.real_clock = true});
	rules = rules_new(dp_path(), 1, names, shim);
	CU_ASSERT_EQUAL_FATAL(rules_load(rules, pump, NULL, good, errors, sizeof(errors)), 0);
	without = sent;
	while (sent < without + 1000)
		pump(NULL);
	list_all(before, sizeof(before));
	CU_ASSERT_TRUE(counted(before) >= 1000 - WINDOW);
	for (unsigned int i = 0; i < LOADS; i++) {
		CU_ASSERT_EQUAL(rules_load(rules, pump, NULL, bad[i % RTE_DIM(bad)], errors,
					sizeof(errors)),
			1);
		carets += strstr(errors, "^") != NULL;
	}
	CU_ASSERT_EQUAL(carets, LOADS);
	/* What is under way arrives: then nothing was lost. */
	for (unsigned int i = 0; i < 1000 && received < sent; i++) {
		struct dp_frame frame;

		dp_walk();
		while (dp_receive(WAN, &frame))
			received++;
	}
	printf("%lu packets passed meanwhile... ", (unsigned long)sent);
	CU_ASSERT_EQUAL(received, sent);
	CU_ASSERT_EQUAL(dp_drops(DROP_RULE), 0);
	passed = received;
	list_all(after, sizeof(after));
	/* Listing pumps a few more: not one less was counted than had passed under these rules. */
	CU_ASSERT_TRUE(counted(after) >= passed - without);
	CU_ASSERT_STRING_EQUAL(before, after);
	dp_settle();
	/* No walk behind this: the hooks are gone. */
	rules_free(rules);
	dp_stop();
}

static CU_TestInfo tests[] = {
	{"a hundred refused rulesets under traffic", test_refused_loads},
	CU_TEST_INFO_NULL,
};

int
main(int argc, char **argv)
{
	CU_SuiteInfo suites[] = {
		{"loads", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};
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
