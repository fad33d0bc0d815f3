/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "wheel.h"

#define ENTRIES 3000
/* Where the clock starts: level 0 and level 1 are about to begin a new turn. */
#define START_MS ((1ULL << 16) * WHEEL_TICK_MS - 50)

static struct wheel_link links[ENTRIES];
static struct wheel wheel;
static uint64_t due[ENTRIES]; /* the model: 0 is not in the wheel */
static uint32_t live;

static struct wheel_link *
link_of(void *owner, uint32_t entry)
{
	CU_ASSERT_FATAL(owner == links && entry < ENTRIES);
	return &links[entry];
}

static void
start(uint64_t now_ms)
{
	for (unsigned int i = 0; i < ENTRIES; i++)
		links[i].place = WHEEL_OUT;
	memset(due, 0, sizeof(due));
	live = 0;
	wheel_init(&wheel, now_ms, link_of, links);
}

static void
add(uint32_t entry, uint64_t due_ms)
{
	/* What is beyond the wheel comes out at its end. */
	uint64_t end_ms = (wheel.tick + (1ULL << 24) - (1ULL << 16)) * WHEEL_TICK_MS;

	wheel_add(&wheel, entry, due_ms);
	due[entry] = due_ms < end_ms ? due_ms : end_ms;
	live++;
}

/* Take all that a budget allows. Returns whether the wheel said that there is no more. */
static bool
take(uint64_t now_ms, unsigned int budget)
{
	unsigned int work = budget, taken = 0;
	uint32_t entry;

	while ((entry = wheel_next(&wheel, now_ms, &work)) != WHEEL_NONE) {
		CU_ASSERT_NOT_EQUAL_FATAL(due[entry], 0);
		CU_ASSERT_FATAL(due[entry] <= now_ms);
		CU_ASSERT_EQUAL(links[entry].place, WHEEL_OUT);
		due[entry] = 0;
		live--;
		taken++;
	}
	CU_ASSERT(taken <= budget);
	CU_ASSERT_EQUAL(wheel.count, live);
	return work != 0;
}

/* Nobody is left behind: two ticks after its time an entry is out. */
static void
check_late(uint64_t now_ms)
{
	unsigned int late = 0;

	for (uint32_t i = 0; i < ENTRIES; i++)
		late += due[i] != 0 && due[i] + 2 * WHEEL_TICK_MS <= now_ms;
	CU_ASSERT_EQUAL(late, 0);
}

/* Spans from a millisecond to five days, all orders of magnitude alike. */
static uint64_t
random_span(void)
{
	static const uint64_t most[] = {20, 300, 5000, 70000, 1200000, 20000000, 432000000};

	return 1 + (uint64_t)random() % most[(uint64_t)random() % 7];
}

static void
model(unsigned int seed, bool long_jumps)
{
	uint64_t now = START_MS;

	srandom(seed);
	start(now);
	for (unsigned int step = 0; step < 20000; step++) {
		uint32_t entry = (uint32_t)random() % ENTRIES;
		unsigned int budget = 1 + (unsigned int)random() % 40;

		for (unsigned int i = 0; i < 4; i++, entry = (entry + 1) % ENTRIES) {
			if (due[entry] == 0) {
				add(entry, now + random_span());
			} else if (random() % 3 == 0) {
				wheel_del(&wheel, entry);
				wheel_del(&wheel, entry);
				due[entry] = 0;
				live--;
			}
		}
		now += long_jumps && random() % 8 == 0 ? random_span() : (uint64_t)random() % 40;
		if (random() % 4 == 0)
			continue;
		/* A budget that is too small ends early; the next call goes on from there. */
		while (!take(now, budget))
			;
		check_late(now);
	}
	now += 432000000ULL + 2 * WHEEL_TICK_MS;
	while (!take(now, 100))
		;
	CU_ASSERT_EQUAL(wheel.count, 0);
	CU_ASSERT_EQUAL(live, 0);
	for (unsigned int level = 0; level < WHEEL_LEVELS; level++)
		for (unsigned int word = 0; word < WHEEL_SLOTS / 64; word++)
			CU_ASSERT_EQUAL(wheel.filled[level][word], 0);
}

static void
test_small_steps(void)
{
	for (unsigned int seed = 1; seed <= 3; seed++)
		model(seed, false);
}

static void
test_long_jumps(void)
{
	for (unsigned int seed = 11; seed <= 14; seed++)
		model(seed, true);
}

/* A higher level's slot that begins with the turn, before the first filled one below it. */
static void
test_turn(void)
{
	static const uint64_t ticks[][2] = {{261, 300}, {65536 + 5 * 256, 65536 + 70000}};

	for (unsigned int i = 0; i < 2; i++) {
		uint64_t begin = i == 0 ? 255 : 65535;

		start(begin * WHEEL_TICK_MS);
		add(0, ticks[i][0] * WHEEL_TICK_MS);
		add(1, ticks[i][1] * WHEEL_TICK_MS);
		for (uint64_t tick = begin; tick < ticks[i][1] + 3; tick++) {
			CU_ASSERT(take(tick * WHEEL_TICK_MS, 10));
			check_late(tick * WHEEL_TICK_MS);
		}
		CU_ASSERT_EQUAL(wheel.count, 0);
	}
}

/* A budget of one at a time, entries due at the same moment, moved between levels first. */
static void
test_budget(void)
{
	uint64_t when = START_MS + 70000ULL * WHEEL_TICK_MS;
	unsigned int calls = 0;

	start(START_MS);
	for (uint32_t i = 0; i < 100; i++)
		add(i, when);
	CU_ASSERT_FALSE(take(when + 2 * WHEEL_TICK_MS, 0));
	CU_ASSERT_EQUAL(wheel.count, 100);
	while (!take(when + 2 * WHEEL_TICK_MS, 1))
		calls++;
	CU_ASSERT_EQUAL(wheel.count, 0);
	/* Each is taken once, and moved no more often than there are levels below. */
	CU_ASSERT(calls >= 100 && calls <= 300);
}

/* A time that is over comes out at the next tick, not at once and not in the next turn. */
static void
test_past(void)
{
	start(START_MS);
	add(0, START_MS - 1000);
	CU_ASSERT(take(START_MS, 10));
	CU_ASSERT(take(START_MS + WHEEL_TICK_MS, 10));
	CU_ASSERT_EQUAL(wheel.count, 0);
	wheel_del(&wheel, 0);
	CU_ASSERT_EQUAL(wheel.count, 0);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"random entries, small steps", test_small_steps},
		{"random entries, long jumps", test_long_jumps},
		{"slots at the begin of a turn", test_turn},
		{"a budget of one", test_budget},
		{"a time that is over", test_past},
		CU_TEST_INFO_NULL,
	};

	return unit_run("wheel", tests);
}
