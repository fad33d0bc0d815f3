/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The event loop of the control thread: file descriptors by epoll(7), timers
 * on lib/base/clock.h, work put off to the end of the round, work posted by
 * other threads.
 *
 * A loop belongs to one thread. Everything here is called on that thread, save
 * loop_post() and loop_stop(), which say otherwise. Callbacks may add, change
 * and remove anything, themselves included.
 */
#ifndef SHUNT_CONTROL_LOOP_H
#define SHUNT_CONTROL_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;
struct loop_fd;
struct loop_timer;

/** A descriptor is ready. @param events EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP… */
typedef void loop_fd_fn(void *arg, uint32_t events);
/** A timer ran out, or work came up. */
typedef void loop_fn(void *arg);

/**
 * Work for the loop, a member of its owner's structure: queueing it allocates
 * nothing and cannot fail. The owner sets run and arg, the rest starts at zero.
 * It must live until it has run or loop_cancel() has returned.
 */
struct loop_work {
	loop_fn *run;
	void *arg;
	struct loop_work *next; /**< the loop's */
	_Atomic bool queued;	/**< the loop's */
};

/**
 * Make a loop.
 * @return 0, -ENOMEM, or what epoll_create1, eventfd or timerfd_create gave (-EMFILE…)
 */
int loop_create(struct loop **out);

/** Free it with its timers and registrations; no descriptor of the caller's is closed. NULL is
 * fine. */
void loop_destroy(struct loop *loop);

/**
 * Watch a descriptor, level-triggered. The caller keeps the descriptor and
 * closes it after loop_remove().
 * @param events EPOLLIN, EPOLLOUT, or 0 for errors and hang-up alone
 * @return 0, -ENOMEM, or epoll_ctl's error (-EPERM: a regular file; -EEXIST)
 */
int loop_add(struct loop *loop, int fd, uint32_t events, loop_fd_fn *fn, void *arg,
	struct loop_fd **out);

/** Watch for other events from now on. No system call if nothing changes. */
void loop_modify(struct loop_fd *watch, uint32_t events);

/** Stop watching. No call comes after this, even one that epoll reported already. NULL is fine. */
void loop_remove(struct loop_fd *watch);

/**
 * Make a timer, not armed.
 * @return 0 or -ENOMEM
 */
int loop_timer_create(struct loop *loop, loop_fn *fn, void *arg, struct loop_timer **out);

/**
 * Arm a timer, or arm it anew.
 * @param delay_ns from now (clock_ns()); armed with 0 by a timer, it fires in the next round
 * @param period_ns then every so many nanoseconds, 0 for once. A loop that was
 *        late fires once for all the periods that it missed.
 */
void loop_timer_arm(struct loop_timer *timer, uint64_t delay_ns, uint64_t period_ns);

/** Disarm a timer; it can be armed again. */
void loop_timer_disarm(struct loop_timer *timer);

/** Disarm and free. NULL is fine. */
void loop_timer_destroy(struct loop_timer *timer);

/** Queue work for the end of this round; once, however often it is called before it runs. */
void loop_defer(struct loop *loop, struct loop_work *work);

/**
 * The same from any thread, with a wake-up (one write(2) at most): not for
 * workers on the packet path. Work posted by one thread runs in that order.
 */
void loop_post(struct loop *loop, struct loop_work *work);

/** Take work back that has not run, deferred or posted. No other thread may be posting it. */
void loop_cancel(struct loop *loop, struct loop_work *work);

/**
 * One round: wait for events, then run callbacks, timers that are due, work.
 * With an injected clock, timers are judged by it alone and the wait is not
 * shortened for them.
 * @param timeout_ms how long to wait at most, -1 for as long as it takes
 * @return callbacks run, or a negative errno from epoll_wait (an interrupted wait is 0)
 */
int loop_once(struct loop *loop, int timeout_ms);

/**
 * Rounds until loop_stop().
 * @return 0 or a negative errno from epoll_wait
 */
int loop_run(struct loop *loop);

/** End loop_run() after its round. Any thread, signal handlers too; one that comes early counts. */
void loop_stop(struct loop *loop);

#endif
