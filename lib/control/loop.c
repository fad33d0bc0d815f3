/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"

/* Descriptors served in a round; the rest wait for the next. */
#define ROUND_EVENTS 64

struct loop_fd {
	struct loop *loop;
	int fd;
	uint32_t events;
	loop_fd_fn *fn;
	void *arg;
	bool dead; /* removed: freed when the round is over */
	LIST_ENTRY(loop_fd) link;
};

struct loop_timer {
	struct loop *loop;
	loop_fn *fn;
	void *arg;
	uint64_t due_ns;
	uint64_t period_ns;
	uint64_t armed_in; /* the round */
	bool armed;
	LIST_ENTRY(loop_timer) all;
	TAILQ_ENTRY(loop_timer) link; /* on armed, in order of due_ns, while armed */
};

struct loop {
	int epoll;
	int wake;
	int timerfd;
	uint64_t timerfd_due; /* what timerfd is set to, 0 for nothing */
	struct loop_fd *wake_watch;
	struct loop_fd *timer_watch;
	LIST_HEAD(watch_list, loop_fd) watches;
	LIST_HEAD(grave_list, loop_fd) graveyard;
	LIST_HEAD(timer_list, loop_timer) timers;
	TAILQ_HEAD(timer_queue, loop_timer) armed;
	struct loop_work *deferred;	    /* first in, first out */
	struct loop_work **deferred_tail;   /* where the next one goes */
	_Atomic(struct loop_work *) posted; /* last in, first out */
	uint64_t round;
	_Atomic bool stop;
};

static void
drain(int fd)
{
	uint64_t n;

	/* Both descriptors are non-blocking counters: one read empties them. */
	while (read(fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}

static void
on_wake(void *arg, uint32_t events)
{
	struct loop *loop = arg;

	(void)events;
	drain(loop->wake);
}

static void
on_timerfd(void *arg, uint32_t events)
{
	struct loop *loop = arg;

	(void)events;
	drain(loop->timerfd);
	loop->timerfd_due = 0;
}

int
loop_create(struct loop **out)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int err;

	if (loop == NULL)
		return -ENOMEM;
	LIST_INIT(&loop->watches);
	LIST_INIT(&loop->graveyard);
	LIST_INIT(&loop->timers);
	TAILQ_INIT(&loop->armed);
	loop->deferred_tail = &loop->deferred;
	loop->wake = -1;
	loop->timerfd = -1;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		goto fail;
	loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->wake < 0)
		goto fail;
	loop->timerfd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (loop->timerfd < 0)
		goto fail;
	err = loop_add(loop, loop->wake, EPOLLIN, on_wake, loop, &loop->wake_watch);
	if (err == 0)
		err = loop_add(loop, loop->timerfd, EPOLLIN, on_timerfd, loop, &loop->timer_watch);
	if (err != 0) {
		loop_destroy(loop);
		return err;
	}
	*out = loop;
	return 0;
fail:
	err = -errno;
	loop_destroy(loop);
	return err;
}

static void
bury(struct loop *loop)
{
	struct loop_fd *watch;

	while ((watch = LIST_FIRST(&loop->graveyard)) != NULL) {
		LIST_REMOVE(watch, link);
		free(watch);
	}
}

void
loop_destroy(struct loop *loop)
{
	struct loop_timer *timer;
	struct loop_fd *watch;

	if (loop == NULL)
		return;
	while ((watch = LIST_FIRST(&loop->watches)) != NULL)
		loop_remove(watch);
	bury(loop);
	while ((timer = LIST_FIRST(&loop->timers)) != NULL)
		loop_timer_destroy(timer);
	if (loop->timerfd >= 0)
		close(loop->timerfd);
	if (loop->wake >= 0)
		close(loop->wake);
	if (loop->epoll >= 0)
		close(loop->epoll);
	free(loop);
}

int
loop_add(
	struct loop *loop, int fd, uint32_t events, loop_fd_fn *fn, void *arg, struct loop_fd **out)
{
	struct loop_fd *watch = calloc(1, sizeof(*watch));
	struct epoll_event ev = {.events = events, .data.ptr = watch};

	if (watch == NULL)
		return -ENOMEM;
	*watch = (struct loop_fd){.loop = loop, .fd = fd, .events = events, .fn = fn, .arg = arg};
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
		int err = -errno;

		free(watch);
		return err;
	}
	LIST_INSERT_HEAD(&loop->watches, watch, link);
	*out = watch;
	return 0;
}

void
loop_modify(struct loop_fd *watch, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = watch};

	if (watch->events == events)
		return;
	watch->events = events;
	/* It was added, so this can only fail if the caller closed fd: his bug. */
	epoll_ctl(watch->loop->epoll, EPOLL_CTL_MOD, watch->fd, &ev);
}

void
loop_remove(struct loop_fd *watch)
{
	if (watch == NULL)
		return;
	epoll_ctl(watch->loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->dead = true;
	LIST_REMOVE(watch, link);
	/* This round's events may still point to it. */
	LIST_INSERT_HEAD(&watch->loop->graveyard, watch, link);
}

int
loop_timer_create(struct loop *loop, loop_fn *fn, void *arg, struct loop_timer **out)
{
	struct loop_timer *timer = calloc(1, sizeof(*timer));

	if (timer == NULL)
		return -ENOMEM;
	timer->loop = loop;
	timer->fn = fn;
	timer->arg = arg;
	LIST_INSERT_HEAD(&loop->timers, timer, all);
	*out = timer;
	return 0;
}

/* The control plane has tens of timers, not thousands: an ordered list does. */
static void
timer_queue(struct loop_timer *timer, uint64_t due_ns)
{
	struct loop *loop = timer->loop;
	struct loop_timer *before;

	timer->due_ns = due_ns;
	timer->armed = true;
	timer->armed_in = timer->loop->round;
	for (before = TAILQ_FIRST(&loop->armed); before != NULL;
		before = TAILQ_NEXT(before, link)) {
		if (before->due_ns > due_ns) {
			TAILQ_INSERT_BEFORE(before, timer, link);
			return;
		}
	}
	TAILQ_INSERT_TAIL(&loop->armed, timer, link);
}

void
loop_timer_arm(struct loop_timer *timer, uint64_t delay_ns, uint64_t period_ns)
{
	uint64_t now = clock_ns();

	loop_timer_disarm(timer);
	timer->period_ns = period_ns;
	timer_queue(timer, delay_ns > UINT64_MAX - now ? UINT64_MAX : now + delay_ns);
}

void
loop_timer_disarm(struct loop_timer *timer)
{
	if (!timer->armed)
		return;
	TAILQ_REMOVE(&timer->loop->armed, timer, link);
	timer->armed = false;
}

void
loop_timer_destroy(struct loop_timer *timer)
{
	if (timer == NULL)
		return;
	loop_timer_disarm(timer);
	LIST_REMOVE(timer, all);
	free(timer);
}

/* Set timerfd to the first timer. */
static void
timerfd_program(struct loop *loop)
{
	struct loop_timer *first = TAILQ_FIRST(&loop->armed);
	uint64_t due = first == NULL || clock_injected() ? 0 : first->due_ns;
	struct itimerspec at = {0};

	if (due == loop->timerfd_due)
		return;
	/* A time that passed already fires at once. */
	at.it_value.tv_sec = (time_t)(due / NS_PER_SEC);
	at.it_value.tv_nsec = (long)(due % NS_PER_SEC);
	if (timerfd_settime(loop->timerfd, TFD_TIMER_ABSTIME, &at, NULL) == 0)
		loop->timerfd_due = due;
}

static struct loop_timer *
timer_due(struct loop *loop, uint64_t now)
{
	struct loop_timer *timer;

	for (timer = TAILQ_FIRST(&loop->armed); timer != NULL; timer = TAILQ_NEXT(timer, link)) {
		if (timer->due_ns > now)
			return NULL;
		/* Armed by a callback of this round: it waits for the next. */
		if (timer->armed_in != loop->round)
			return timer;
	}
	return NULL;
}

static int
timers_run(struct loop *loop)
{
	uint64_t now = clock_ns();
	struct loop_timer *timer;
	int ran = 0;

	loop->round++;
	while ((timer = timer_due(loop, now)) != NULL) {
		loop_timer_disarm(timer);
		if (timer->period_ns != 0) {
			uint64_t missed = (now - timer->due_ns) / timer->period_ns;

			timer_queue(timer, timer->due_ns + (missed + 1) * timer->period_ns);
		}
		ran++;
		timer->fn(timer->arg);
	}
	return ran;
}

static void
work_append(struct loop *loop, struct loop_work *work)
{
	work->next = NULL;
	*loop->deferred_tail = work;
	loop->deferred_tail = &work->next;
}

void
loop_defer(struct loop *loop, struct loop_work *work)
{
	if (!atomic_exchange(&work->queued, true))
		work_append(loop, work);
}

static void
wake(struct loop *loop)
{
	const uint64_t one = 1;

	/* EAGAIN: the counter is full, so the loop wakes anyway. */
	while (write(loop->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void
loop_post(struct loop *loop, struct loop_work *work)
{
	struct loop_work *head;

	if (atomic_exchange(&work->queued, true))
		return;
	head = atomic_load(&loop->posted);
	do {
		work->next = head;
	} while (!atomic_compare_exchange_weak(&loop->posted, &head, work));
	if (head == NULL)
		wake(loop);
}

/* Take over what other threads have posted, oldest first. */
static void
work_collect(struct loop *loop)
{
	struct loop_work *stack = atomic_exchange(&loop->posted, NULL);
	struct loop_work *oldest = NULL;

	while (stack != NULL) {
		struct loop_work *next = stack->next;

		stack->next = oldest;
		oldest = stack;
		stack = next;
	}
	while (oldest != NULL) {
		struct loop_work *next = oldest->next;

		work_append(loop, oldest);
		oldest = next;
	}
}

void
loop_cancel(struct loop *loop, struct loop_work *work)
{
	struct loop_work **at;

	if (!atomic_load(&work->queued))
		return;
	work_collect(loop);
	for (at = &loop->deferred; *at != NULL; at = &(*at)->next) {
		if (*at != work)
			continue;
		*at = work->next;
		if (work->next == NULL)
			loop->deferred_tail = at;
		break;
	}
	atomic_store(&work->queued, false);
}

static struct loop_work *
work_pop(struct loop *loop)
{
	struct loop_work *work = loop->deferred;

	loop->deferred = work->next;
	if (loop->deferred == NULL)
		loop->deferred_tail = &loop->deferred;
	return work;
}

static int
work_run(struct loop *loop)
{
	struct loop_work end = {0};
	struct loop_work *work;
	int ran = 0;

	work_collect(loop);
	if (loop->deferred == NULL)
		return 0;
	/* What a callback puts off waits for the next round: descriptors get their turn. */
	work_append(loop, &end);
	while ((work = work_pop(loop)) != &end) {
		atomic_store(&work->queued, false);
		ran++;
		work->run(work->arg);
	}
	return ran;
}

/* Whether the round has something to do without an event. */
static bool
work_pending(const struct loop *loop)
{
	const struct loop_timer *first = TAILQ_FIRST(&loop->armed);

	return loop->deferred != NULL || (first != NULL && first->due_ns <= clock_ns());
}

int
loop_once(struct loop *loop, int timeout_ms)
{
	struct epoll_event ready[ROUND_EVENTS];
	int ran = 0;
	int n;
	int i;

	timerfd_program(loop);
	n = epoll_wait(loop->epoll, ready, ROUND_EVENTS, work_pending(loop) ? 0 : timeout_ms);
	if (n < 0 && errno != EINTR)
		return -errno;
	for (i = 0; i < n; i++) {
		struct loop_fd *watch = ready[i].data.ptr;

		if (watch->dead)
			continue;
		ran += watch != loop->wake_watch && watch != loop->timer_watch;
		watch->fn(watch->arg, ready[i].events);
	}
	ran += timers_run(loop);
	ran += work_run(loop);
	bury(loop);
	return ran;
}

int
loop_run(struct loop *loop)
{
	int n = 0;

	while (n >= 0 && !atomic_load(&loop->stop))
		n = loop_once(loop, -1);
	atomic_store(&loop->stop, false);
	return n < 0 ? n : 0;
}

void
loop_stop(struct loop *loop)
{
	int saved = errno;

	atomic_store(&loop->stop, true);
	wake(loop);
	errno = saved;
}
