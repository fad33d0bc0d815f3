/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Workers as real threads: clients of lan talk to servers behind wan through
 * masquerade while control makes memory ready and publishes hooks and routes
 * anew. Every request is answered, nothing is lost.
 *
 * It runs under ThreadSanitizer too, built with RTE_USE_C11_MEM_MODEL so that
 * rte_ring's order is visible there. Two parts of DPDK are not instrumented and
 * are kept out of the way: the wires' burst functions are this program's own,
 * and no buffer is used twice (its mempool's order cannot be seen).
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <sched.h>

#include "dp.h"
#include "unit.h"

#define FLOWS	 200U
#define REQUESTS 2000U

static _Atomic bool running;
static void *
work(void *arg)
{
	unsigned int worker = *(unsigned int *)arg;

	while (atomic_load_explicit(&running, memory_order_relaxed)) {
		path_walk(dp_path(), worker);
		/* Two busy threads may share a CPU. */
		sched_yield();
	}
	return NULL;
}

static void
request(unsigned int n)
{
	dp_put(&(struct dp_packet){.port = LAN,
		.src = "10.0.1.10",
		.dst = "198.51.100.7",
		.proto = IPPROTO_UDP,
		.sport = (uint16_t)(2000 + n % FLOWS),
		.dport = 53,
		.payload = 20});
}

/* What came out of wan goes back in, from the server. Returns how many. */
static unsigned int
answer(void)
{
	struct dp_frame frame;
	struct dp_seen seen;
	unsigned int count = 0;

	while (dp_receive(WAN, &frame)) {
		CU_ASSERT_TRUE(dp_see(WAN, &frame, &seen) && seen.sums_ok);
		dp_put(&(struct dp_packet){.port = WAN,
			.src = seen.dst,
			.dst = seen.src,
			.proto = IPPROTO_UDP,
			.sport = seen.dport,
			.dport = seen.sport,
			.payload = 20});
		count++;
	}
	return count;
}

static unsigned int
answers(void)
{
	struct dp_frame frame;
	struct dp_seen seen;
	unsigned int count = 0;

	while (dp_receive(LAN, &frame)) {
		CU_ASSERT_TRUE(dp_see(LAN, &frame, &seen) && seen.sums_ok);
		CU_ASSERT_TRUE(seen.sport == 53 && seen.dport >= 2000 && seen.dport < 2000 + FLOWS);
		count++;
	}
	return count;
}

static void
run(unsigned int workers)
{
	pthread_t threads[PATH_WORKERS];
	unsigned int ids[PATH_WORKERS];
	unsigned int sent = 0, forwarded = 0, answered = 0, turns = 0;

	dp_start(&(struct dp_setup){
		.workers = workers, .masquerade = true, .real_clock = true, .start = 1});
	atomic_store(&running, true);
	for (unsigned int w = 0; w < workers; w++) {
		ids[w] = w;
		pthread_create(&threads[w], NULL, work, &ids[w]);
	}
	while (answered < REQUESTS && turns < 10000000) {
		if (sent < REQUESTS && sent - answered < 64)
			request(sent++);
		forwarded += answer();
		answered += answers();
		path_prepare(dp_path());
		if (turns++ % 256 == 0)
			dp_publish();
		sched_yield();
	}
	atomic_store(&running, false);
	for (unsigned int w = 0; w < workers; w++)
		pthread_join(threads[w], NULL);
	CU_ASSERT_TRUE(sent == REQUESTS && forwarded == REQUESTS && answered == REQUESTS);
	CU_ASSERT_TRUE(dp_connections() == FLOWS);
	CU_ASSERT_TRUE(path_conservation(dp_path()) == 0);
	printf("%u workers: %u requests, %u answers, %lu packets on records, %u connections\n",
		workers, sent, answered, dp_established(), dp_connections());
	dp_stop();
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

int
main(int argc, char **argv)
{
	CU_TestInfo tests[] = {
		{"one worker", test_one},
		{"two workers", test_two},
		{"four workers", test_four},
		CU_TEST_INFO_NULL,
	};

	(void)argc;
	dp_init(argv[0]);
	dp_own_bursts();
	return unit_run("threads", tests);
}
