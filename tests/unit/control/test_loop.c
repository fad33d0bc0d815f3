/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "control_tests.h"

static struct loop *loop;

static void
count(void *arg)
{
	++*(int *)arg;
}

struct reader {
	int fd;
	int calls;
	struct loop_fd *watch;
	struct reader *victim; /* removed by the first call */
};

static void
on_readable(void *arg, uint32_t events)
{
	struct reader *r = arg;
	char c;

	CU_ASSERT(events & EPOLLIN);
	CU_ASSERT_EQUAL(read(r->fd, &c, 1), 1);
	r->calls++;
	if (r->victim != NULL) {
		loop_remove(r->victim->watch);
		r->victim->watch = NULL;
	}
}

static void
test_descriptors(void)
{
	struct reader r = {0};
	int p[2];

	CU_ASSERT_EQUAL_FATAL(loop_create(&loop), 0);
	CU_ASSERT_EQUAL_FATAL(pipe(p), 0);
	r.fd = p[0];
	CU_ASSERT_EQUAL(loop_add(loop, p[0], EPOLLIN, on_readable, &r, &r.watch), 0);
	CU_ASSERT_EQUAL(loop_once(loop, 0), 0);
	CU_ASSERT_EQUAL(write(p[1], "ab", 2), 2);
	CU_ASSERT_EQUAL(loop_once(loop, PATIENCE_MS), 1);
	CU_ASSERT_EQUAL(r.calls, 1);
	/* Level-triggered: the second byte is reported again, unless nobody listens. */
	loop_modify(r.watch, 0);
	CU_ASSERT_EQUAL(loop_once(loop, 0), 0);
	loop_modify(r.watch, EPOLLIN);
	CU_ASSERT_EQUAL(loop_once(loop, PATIENCE_MS), 1);
	CU_ASSERT_EQUAL(r.calls, 2);
	loop_remove(r.watch);
	CU_ASSERT_EQUAL(write(p[1], "c", 1), 1);
	CU_ASSERT_EQUAL(loop_once(loop, 0), 0);
	loop_destroy(loop);
	close(p[0]);
	close(p[1]);
}

/* Both are ready; whichever runs first removes the other: no call on freed memory. */
static void
test_remove_other(void)
{
	struct reader a = {0};
	struct reader b = {0};
	int pa[2];
	int pb[2];

	CU_ASSERT_EQUAL_FATAL(loop_create(&loop), 0);
	CU_ASSERT_EQUAL_FATAL(pipe(pa), 0);
	CU_ASSERT_EQUAL_FATAL(pipe(pb), 0);
	a = (struct reader){.fd = pa[0], .victim = &b};
	b = (struct reader){.fd = pb[0], .victim = &a};
	CU_ASSERT_EQUAL(loop_add(loop, pa[0], EPOLLIN, on_readable, &a, &a.watch), 0);
	CU_ASSERT_EQUAL(loop_add(loop, pb[0], EPOLLIN, on_readable, &b, &b.watch), 0);
	CU_ASSERT_EQUAL(write(pa[1], "x", 1) + write(pb[1], "x", 1), 2);
	CU_ASSERT_EQUAL(loop_once(loop, PATIENCE_MS), 1);
	CU_ASSERT_EQUAL(a.calls + b.calls, 1);
	CU_ASSERT_EQUAL(loop_add(loop, -1, EPOLLIN, on_readable, &a, &a.watch), -EBADF);
	loop_destroy(loop);
	close(pa[0]);
	close(pa[1]);
	close(pb[0]);
	close(pb[1]);
}

static void
test_timers(void)
{
	struct loop_timer *once;
	struct loop_timer *often;
	int n_once = 0;
	int n_often = 0;

	clock_inject(1000 * NS_PER_SEC);
	CU_ASSERT_EQUAL_FATAL(loop_create(&loop), 0);
	CU_ASSERT_EQUAL(loop_timer_create(loop, count, &n_once, &once), 0);
	CU_ASSERT_EQUAL(loop_timer_create(loop, count, &n_often, &often), 0);
	loop_timer_arm(once, 5 * NS_PER_SEC, 0);
	loop_timer_arm(often, 2 * NS_PER_SEC, 2 * NS_PER_SEC);
	CU_ASSERT_EQUAL(loop_once(loop, 0), 0);
	clock_advance(2 * NS_PER_SEC - 1);
	CU_ASSERT_EQUAL(loop_once(loop, 0), 0);
	clock_advance(1);
	CU_ASSERT_EQUAL(loop_once(loop, -1), 1);
	CU_ASSERT_EQUAL(n_often, 1);
	clock_advance(3 * NS_PER_SEC);
	CU_ASSERT_EQUAL(loop_once(loop, -1), 2);
	CU_ASSERT_EQUAL(n_once, 1);
	CU_ASSERT_EQUAL(n_often, 2);
	/* Late by many periods: one call, and the next one in step with the first. */
	clock_advance(1000 * NS_PER_SEC);
	CU_ASSERT_EQUAL(loop_once(loop, -1), 1);
	clock_advance(NS_PER_SEC - 1);
	CU_ASSERT_EQUAL(loop_once(loop, 0), 0);
	clock_advance(1);
	CU_ASSERT_EQUAL(loop_once(loop, -1), 1);
	CU_ASSERT_EQUAL(n_often, 4);
	loop_timer_disarm(often);
	clock_advance(10 * NS_PER_SEC);
	CU_ASSERT_EQUAL(loop_once(loop, 0), 0);
	loop_timer_destroy(once);
	clock_restore();
	/* And by the real clock. */
	loop_timer_arm(often, NS_PER_MS, 0);
	CU_ASSERT_EQUAL(loop_once(loop, PATIENCE_MS), 1);
	CU_ASSERT_EQUAL(n_often, 5);
	loop_destroy(loop);
}

static struct loop_timer *again;

static void
rearm(void *arg)
{
	++*(int *)arg;
	loop_timer_arm(again, 0, 0);
}

static void
test_timer_yields(void)
{
	int n = 0;

	clock_inject(NS_PER_SEC);
	CU_ASSERT_EQUAL_FATAL(loop_create(&loop), 0);
	CU_ASSERT_EQUAL(loop_timer_create(loop, rearm, &n, &again), 0);
	loop_timer_arm(again, 0, 0);
	CU_ASSERT_EQUAL(loop_once(loop, -1), 1);
	CU_ASSERT_EQUAL(loop_once(loop, -1), 1);
	CU_ASSERT_EQUAL(n, 2);
	loop_destroy(loop);
	clock_restore();
}

static int order[4];
static int ordered;
static struct loop_work works[4];

static void
note(void *arg)
{
	order[ordered++] = (int)((struct loop_work *)arg - works);
}

static void
defer_again(void *arg)
{
	note(arg);
	loop_defer(loop, &works[3]);
	loop_cancel(loop, &works[2]);
}

static void
test_work(void)
{
	int i;

	ordered = 0;
	CU_ASSERT_EQUAL_FATAL(loop_create(&loop), 0);
	for (i = 0; i < 4; i++)
		works[i] = (struct loop_work){.run = note, .arg = &works[i]};
	works[1].run = defer_again;
	for (i = 0; i < 3; i++)
		loop_defer(loop, &works[i]);
	loop_defer(loop, &works[0]);
	/* 2 is cancelled by 1, and 3 waits for the next round. */
	CU_ASSERT_EQUAL(loop_once(loop, -1), 2);
	CU_ASSERT_EQUAL(loop_once(loop, -1), 1);
	CU_ASSERT_EQUAL(loop_once(loop, 0), 0);
	CU_ASSERT_EQUAL_FATAL(ordered, 3);
	CU_ASSERT_EQUAL(order[0], 0);
	CU_ASSERT_EQUAL(order[1], 1);
	CU_ASSERT_EQUAL(order[2], 3);
	loop_post(loop, &works[2]);
	loop_cancel(loop, &works[2]);
	CU_ASSERT_EQUAL(loop_once(loop, 0), 0);
	loop_destroy(loop);
}

#define POSTERS 4
#define POSTS	20000

struct post {
	struct loop_work work;
	int poster;
	int number;
};

static struct post *posts;
static int seen[POSTERS];
static int total;
static bool out_of_order;

static void
on_post(void *arg)
{
	struct post *post = arg;

	out_of_order |= post->number != seen[post->poster]++;
	if (++total == POSTERS * POSTS)
		loop_stop(loop);
}

static void *
poster(void *arg)
{
	struct post *mine = arg;
	int i;

	for (i = 0; i < POSTS; i++)
		loop_post(loop, &mine[i].work);
	return NULL;
}

static void
test_post(void)
{
	pthread_t threads[POSTERS];
	int i;

	posts = calloc(POSTERS * POSTS, sizeof(*posts));
	CU_ASSERT_PTR_NOT_NULL_FATAL(posts);
	CU_ASSERT_EQUAL_FATAL(loop_create(&loop), 0);
	for (i = 0; i < POSTERS * POSTS; i++) {
		posts[i].work = (struct loop_work){.run = on_post, .arg = &posts[i]};
		posts[i].poster = i / POSTS;
		posts[i].number = i % POSTS;
	}
	for (i = 0; i < POSTERS; i++)
		CU_ASSERT_EQUAL(
			pthread_create(&threads[i], NULL, poster, &posts[(size_t)i * POSTS]), 0);
	CU_ASSERT_EQUAL(loop_run(loop), 0);
	for (i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(total, POSTERS * POSTS);
	CU_ASSERT_FALSE(out_of_order);
	loop_destroy(loop);
	free(posts);
}

static void
on_signal(int number)
{
	(void)number;
	loop_stop(loop);
}

static void *
interrupter(void *arg)
{
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

static void
test_stop(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	pthread_t self = pthread_self();
	pthread_t thread;

	CU_ASSERT_EQUAL_FATAL(loop_create(&loop), 0);
	/* A stop that comes early counts. */
	loop_stop(loop);
	CU_ASSERT_EQUAL(loop_run(loop), 0);
	sigaction(SIGUSR1, &action, NULL);
	CU_ASSERT_EQUAL(pthread_create(&thread, NULL, interrupter, &self), 0);
	CU_ASSERT_EQUAL(loop_run(loop), 0);
	pthread_join(thread, NULL);
	loop_destroy(loop);
	signal(SIGUSR1, SIG_DFL);
}

CU_TestInfo loop_tests[] = {
	{"descriptors: level-triggered, changed, removed", test_descriptors},
	{"a callback may remove another descriptor of its round", test_remove_other},
	{"timers: once, periodic, late, by both clocks", test_timers},
	{"a timer that arms itself lets the round end", test_timer_yields},
	{"work: in order, once, cancelled, put off", test_work},
	{"work from four threads arrives whole and in order", test_post},
	{"stop from a signal handler, and early", test_stop},
	CU_TEST_INFO_NULL,
};
