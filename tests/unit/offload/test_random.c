/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random offers, withdrawals, changes and failures. Each offer has its last
 * word, exactly once; each packet that the NIC carried is told; nothing is left.
 * SEED=… repeats a run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "rig.h"

#define WORKERS	  3
#define MAX_RULES 200
/* Rules are in the first places of the NIC. */
#define PLACES (MAX_RULES + 2 * ROOT + 4)

/* What the test knows of an offer. */
struct known {
	uint64_t packets; /* that the NIC carried */
	uint32_t generation;
	uint16_t withdrawals;
	uint8_t worker;
	bool judged; /* a round has seen it */
};

static struct known known[RIG_OFFERS];
static uint32_t offers, judged, generation;
static uint64_t state;
/* Whether workers listen before they talk, and withdraw only what they have. */
static bool careful;

static uint32_t
roll(uint32_t below)
{
	/* xorshift64* */
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dULL) >> 33) % below;
}

static void
seed(void)
{
	const char *text = getenv("SEED");

	state = text != NULL ? strtoull(text, NULL, 0) : clock_ns() | 1;
	printf("\n    SEED=0x%llx ", (unsigned long long)state);
}

static void
offer_one(void)
{
	uint8_t worker = (uint8_t)roll(WORKERS);
	struct offload_offer offer = rig_offer(worker, offers);

	if (offers == RIG_OFFERS)
		return;
	offer.generation = generation - (generation > 0 && roll(16) == 0) + (roll(16) == 0);
	if (roll(2) == 0) {
		offer.in_port = WAN;
		offer.out_port = LAN;
	}
	if (offload_offer(offload, worker, &offer) != 0)
		return;
	known[offers] = (struct known){.worker = worker, .generation = offer.generation};
	offers++;
}

static bool
ended(uint32_t n)
{
	return told[n].refused + told[n].removed > 0;
}

static void
withdraw(uint32_t n)
{
	if (careful && (ended(n) || n >= judged))
		return;
	if (offload_withdraw(offload, known[n].worker, rig_handle(known[n].worker, n)) == 0)
		known[n].withdrawals++;
}

/* Traffic over a rule of the NIC. */
static void
carry(void)
{
	struct nic_rule *rule = &nic.rules[roll(PLACES)];
	uint32_t n, packets = 1 + roll(9);

	if (rule->rule == NULL)
		return;
	n = nic_source(rule);
	if (n >= offers)
		return;
	rule->packets += packets;
	rule->bytes += packets * 100;
	known[n].packets += packets;
}

static void
fail(void)
{
	static const int errors[] = {ENOSPC, EINVAL, EBUSY, ENOMEM};

	if (roll(2) == 0) {
		nic.fail_creates = roll(5);
		nic.fail_errno = errors[roll(RTE_DIM(errors))];
	} else {
		nic.fail_destroys = roll(20);
	}
}

/* What holds after every round. */
static void
check_round(void)
{
	unsigned int held = 0, wrong = 0, old = 0;
	bool flushed = offload_flushed(offload);

	for (unsigned int i = 0; i < PLACES; i++) {
		uint32_t n = nic.rules[i].rule != NULL ? nic_source(&nic.rules[i]) : UINT32_MAX;

		if (n == UINT32_MAX)
			continue;
		held++;
		wrong += ended(n);
		old += flushed && known[n].generation < generation;
	}
	CU_ASSERT_EQUAL(held, offload_live(offload));
	CU_ASSERT_EQUAL(nic.held, held + 2 * ROOT);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(old, 0);
}

static void
listen_all(void)
{
	for (unsigned int w = 0; w < WORKERS; w++)
		rig_drain(w, UINT32_MAX);
}

static void
one_round(void)
{
	/* A round takes 256 messages of a worker: a careful one does not send more. */
	(void)offload_run(offload);
	judged = offers;
	if (careful)
		listen_all();
	check_round();
}

static void
step(void)
{
	uint32_t what = roll(200);

	if (what < 70)
		offer_one();
	else if (what < 120 && offers > 0)
		withdraw(offers - 1 - roll(RTE_MIN(offers, 400U)));
	else if (what < 170)
		carry();
	else if (what < 185)
		one_round();
	else if (what < 192)
		rig_drain(roll(WORKERS), careful ? UINT32_MAX : roll(50));
	else if (what < 194)
		fail();
	else if (what < 199)
		clock_advance(roll(1 << 30));
	else if (roll(20) == 0)
		offload_set_generation(offload, ++generation);
}

/* All is withdrawn, nothing fails any more: till nothing happens. */
static void
finish(void)
{
	unsigned int quiet = 0;

	nic.fail_creates = nic.fail_destroys = 0;
	one_round();
	listen_all();
	for (uint32_t n = 0; n < offers; n++) {
		uint16_t before = known[n].withdrawals;

		while (!ended(n) && known[n].withdrawals == before) {
			withdraw(n);
			one_round();
			listen_all();
		}
	}
	while (quiet < 3) {
		quiet = offload_run(offload) == 0 ? quiet + 1 : 0;
		listen_all();
	}
}

/* Each offer by what was told of it. @return how many of them are told wrong */
static unsigned int
check_offers(unsigned int seen[OFFLOAD_REASON_COUNT])
{
	unsigned int wrong = 0;

	for (uint32_t n = 0; n < offers; n++) {
		const struct told *t = &told[n];
		bool bad = t->late || t->live > 1 || t->removed > 1;

		/* The last word; then one more for each withdrawal that came after it. */
		bad = bad || t->removed + t->refused == 0;
		bad = bad || t->removed + t->refused > 1U + known[n].withdrawals;
		bad = bad || (careful && t->removed + t->refused != 1);
		bad = bad || (careful && t->live != t->removed);
		bad = bad || (t->live > 0 && t->removed == 0);
		bad = bad || t->packets != known[n].packets || t->bytes != t->packets * 100;
		seen[t->removed > 0 ? OFFLOAD_NONE : t->reason]++;
		wrong += bad;
		if (bad && wrong == 1)
			printf("\n    offer %u: live %u removed %u refused %u late %d packets %llu "
			       "of %llu, %u withdrawals\n",
				n, t->live, t->removed, t->refused, t->late,
				(unsigned long long)t->packets,
				(unsigned long long)known[n].packets, known[n].withdrawals);
	}
	return wrong;
}

static void
run(bool be_careful, unsigned int steps)
{
	unsigned int seen[OFFLOAD_REASON_COUNT] = {0};

	seed();
	offers = judged = generation = 0;
	memset(known, 0, sizeof(known));
	careful = be_careful;
	rig_start(WORKERS, MAX_RULES, false);
	for (unsigned int i = 0; i < steps; i++)
		step();
	finish();
	CU_ASSERT_EQUAL(check_offers(seen), 0);
	CU_ASSERT_EQUAL(offload_live(offload), 0);
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT);
	CU_ASSERT(offload_flushed(offload));
	/* Everything happened that this is about. */
	CU_ASSERT(seen[OFFLOAD_NONE] > 100);
	CU_ASSERT(seen[OFFLOAD_TABLE_FULL] > 100);
	CU_ASSERT(seen[OFFLOAD_INSERT_FAILED] > 10);
	CU_ASSERT(seen[OFFLOAD_STALE] > 10);
	CU_ASSERT(careful || seen[OFFLOAD_CLOSING] > 100);
	rig_stop();
}

static void
test_careful(void)
{
	run(true, 200000);
}

static void
test_wild(void)
{
	run(false, 800000);
}

CU_TestInfo random_tests[] = {
	{"workers that listen first: exactly one last word", test_careful},
	{"workers that do not", test_wild},
	CU_TEST_INFO_NULL,
};
