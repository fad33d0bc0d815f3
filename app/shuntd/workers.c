/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The workers' threads: walk, and back off when there is nothing to do.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include <rte_launch.h>
#include <rte_pause.h>

#include "daemon.h"
#include "rcu.h"

/* adaptive: for 10 ms after the last packet a worker sleeps 50 us at most, then 1 ms. */
#define IDLE_AFTER_NS (10 * NS_PER_MS)
#define NAP_SHORT_NS  20000
#define NAP_LONG_NS   1000000
/* Empty walks before the first nap. */
#define IDLE_WALKS 64

static uint64_t
moved(const struct path_counters *c)
{
	return c->received + c->taken_over;
}

static void
nap(unsigned int worker, long ns)
{
	struct timespec ts = {.tv_nsec = ns};

	/* Asleep, it holds nothing: nobody waits for it. */
	rcu_offline(worker);
	nanosleep(&ts, NULL);
	rcu_online(worker);
}

static int
work(void *arg)
{
	struct daemon_worker *w = arg;
	struct daemon *d = w->daemon;
	const struct path_counters *c = path_counters(d->path, w->id);
	bool adaptive = d->config->runtime.idle == CONFIG_IDLE_ADAPTIVE;
	uint64_t last = 0, busy_ns = clock_ns();
	unsigned int idle = 0;

	rcu_online(w->id);
	atomic_store(&w->running, true);
	while (!atomic_load_explicit(&d->stop, memory_order_relaxed)) {
		path_walk(d->path, w->id);
		if (moved(c) != last) {
			last = moved(c);
			idle = 0;
			continue;
		}
		if (!adaptive || ++idle < IDLE_WALKS) {
			rte_pause();
			continue;
		}
		if (idle == IDLE_WALKS)
			busy_ns = clock_ns();
		nap(w->id, clock_ns() - busy_ns < IDLE_AFTER_NS ? NAP_SHORT_NS : NAP_LONG_NS);
	}
	rcu_offline(w->id);
	atomic_store(&w->running, false);
	return 0;
}

int
workers_init(struct daemon *d, char err[DAEMON_ERR_LEN])
{
	atomic_store(&d->stop, false);
	d->walking = true;
	for (unsigned int i = 0; i < d->config->runtime.worker_count; i++) {
		struct daemon_worker *w = &d->workers[i];
		int rc;

		*w = (struct daemon_worker){
			.daemon = d, .id = i, .lcore = i + 1, .cpu = d->config->runtime.workers[i]};
		rc = rte_eal_remote_launch(work, w, w->lcore);
		if (rc != 0) {
			snprintf(err, DAEMON_ERR_LEN, "worker %u does not start", i);
			workers_fini(d);
			return rc;
		}
	}
	return 0;
}

void
workers_fini(struct daemon *d)
{
	atomic_store(&d->stop, true);
	for (unsigned int i = 0; i < d->config->runtime.worker_count; i++)
		rte_eal_wait_lcore(i + 1);
	d->walking = false;
}
