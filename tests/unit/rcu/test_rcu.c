/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rcu.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "unit.h"

static int order[64];
static int freed;

static void
note(void *object)
{
	order[freed++ % 64] = (int)(intptr_t)object;
}

static struct rcu_batch *
batch_of(int first, int last)
{
	struct rcu_batch *batch = rcu_batch_new();
	int i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
	for (i = first; i <= last; i++)
		CU_ASSERT_EQUAL(rcu_batch_add(batch, note, (void *)(intptr_t)i), 0);
	return batch;
}

static void
test_refusals(void)
{
	struct rcu_batch *batch;

	CU_ASSERT_EQUAL(rcu_init(0), -EINVAL);
	CU_ASSERT_EQUAL(rcu_init(RCU_MAX_WORKERS + 1), -EINVAL);
	CU_ASSERT_EQUAL(rcu_init(RCU_MAX_WORKERS), 0);
	CU_ASSERT_EQUAL(rcu_init(1), -EBUSY);
	batch = rcu_batch_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
	CU_ASSERT_EQUAL(rcu_batch_add(batch, NULL, &freed), -EINVAL);
	rcu_batch_drop(batch);
	rcu_batch_drop(NULL);
	rcu_fini();
	rcu_fini();
}

/* Two workers, driven by hand: nothing is freed before both have moved. */
static void
test_grace(void)
{
	rcu_token token;

	freed = 0;
	CU_ASSERT_EQUAL_FATAL(rcu_init(2), 0);
	rcu_online(0);
	rcu_online(1);
	token = rcu_retire(batch_of(1, 40));
	CU_ASSERT_EQUAL(rcu_poll(), 1);
	CU_ASSERT_FALSE(rcu_done(token));
	rcu_quiescent(0);
	rcu_quiescent(0);
	CU_ASSERT_EQUAL(rcu_poll(), 1);
	CU_ASSERT_EQUAL(freed, 0);
	rcu_quiescent(1);
	CU_ASSERT_TRUE(rcu_done(token));
	CU_ASSERT_EQUAL(freed, 0);
	CU_ASSERT_EQUAL(rcu_poll(), 0);
	CU_ASSERT_EQUAL(freed, 40);
	CU_ASSERT_EQUAL(order[0], 1);
	CU_ASSERT_EQUAL(order[39], 40);

	/* A second batch, retired after worker 0 moved, waits for it again. */
	rcu_retire(batch_of(50, 50));
	rcu_quiescent(0);
	rcu_retire(batch_of(51, 51));
	rcu_quiescent(1);
	CU_ASSERT_EQUAL(rcu_poll(), 1);
	CU_ASSERT_EQUAL(freed, 41);
	CU_ASSERT_EQUAL(order[40], 50);
	rcu_quiescent(0);
	CU_ASSERT_EQUAL(rcu_poll(), 0);
	CU_ASSERT_EQUAL(freed, 42);
	rcu_offline(0);
	rcu_offline(1);
	rcu_fini();
}

/* Who is offline is not waited for; who comes online later neither. */
static void
test_offline(void)
{
	rcu_token token;

	freed = 0;
	CU_ASSERT_EQUAL_FATAL(rcu_init(3), 0);
	token = rcu_start();
	CU_ASSERT_TRUE(rcu_done(token));
	rcu_online(0);
	token = rcu_retire(batch_of(1, 1));
	rcu_online(1);
	CU_ASSERT_FALSE(rcu_done(token));
	rcu_offline(0);
	CU_ASSERT_TRUE(rcu_done(token));
	CU_ASSERT_EQUAL(rcu_poll(), 0);
	CU_ASSERT_EQUAL(freed, 1);
	/* The end frees what still waits, once. */
	rcu_retire(batch_of(2, 3));
	CU_ASSERT_EQUAL(rcu_poll(), 1);
	rcu_fini();
	CU_ASSERT_EQUAL(freed, 3);
}

static void
retire_another(void *object)
{
	note(object);
	rcu_retire(batch_of(8, 8));
}

/* A callback may retire something itself. */
static void
test_nested(void)
{
	struct rcu_batch *batch = rcu_batch_new();

	freed = 0;
	CU_ASSERT_EQUAL_FATAL(rcu_init(1), 0);
	CU_ASSERT_EQUAL(rcu_batch_add(batch, retire_another, (void *)(intptr_t)7), 0);
	rcu_retire(batch);
	CU_ASSERT_EQUAL(rcu_poll(), 0);
	CU_ASSERT_EQUAL(freed, 2);
	CU_ASSERT_EQUAL(order[1], 8);
	rcu_fini();
}

#define THREADS 3
#define SWAPS	20000
#define LIVE	0x11223344
#define DEAD	0xdead

struct object {
	_Atomic int state;
	int copy; /* plain: the publication must order it */
};

static struct object *current;
static _Atomic bool stop;
static _Atomic int bad;
static _Atomic uint64_t walks[THREADS];

static void *
reader(void *arg)
{
	unsigned int worker = (unsigned int)(uintptr_t)arg;
	struct object *o;
	int i;

	rcu_online(worker);
	while (!stop) {
		rcu_quiescent(worker);
		o = rcu_read(&current);
		for (i = 0; i < 20; i++) {
			if (o->state != LIVE || o->copy != LIVE)
				bad++;
		}
		walks[worker]++;
		if (walks[worker] % 512 == 0) {
			rcu_offline(worker);
			sched_yield();
			rcu_online(worker);
		}
	}
	rcu_offline(worker);
	return NULL;
}

static void
kill_object(void *object)
{
	struct object *o = object;

	o->state = DEAD;
	free(o);
	freed++;
}

static struct object *
object_new(void)
{
	struct object *o = malloc(sizeof(*o));

	if (o == NULL)
		abort();
	o->copy = LIVE;
	o->state = LIVE;
	return o;
}

/* Readers never see an object that was freed. */
static void
test_threads(void)
{
	struct rcu_batch *batch;
	pthread_t threads[THREADS];
	struct object *old;
	unsigned int i;

	freed = 0;
	CU_ASSERT_EQUAL_FATAL(rcu_init(THREADS), 0);
	current = object_new();
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, reader, (void *)(uintptr_t)i);
	for (i = 0; i < THREADS; i++) {
		while (walks[i] == 0)
			sched_yield();
	}
	for (i = 0; i < SWAPS; i++) {
		batch = rcu_batch_new();
		old = current;
		rcu_batch_add(batch, kill_object, old);
		rcu_publish(&current, object_new());
		rcu_retire(batch);
		while (rcu_poll() > 64)
			sched_yield();
	}
	rcu_synchronize();
	CU_ASSERT_EQUAL(freed, SWAPS);
	CU_ASSERT_EQUAL(rcu_poll(), 0);
	stop = true;
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(bad, 0);
	free(current);
	rcu_fini();
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"impossible arguments are refused", test_refusals},
		{"a batch waits for every worker online", test_grace},
		{"nobody waits for a worker offline", test_offline},
		{"a callback can retire", test_nested},
		{"threads never see a freed object", test_threads},
		CU_TEST_INFO_NULL,
	};

	return unit_run("rcu", tests);
}
