/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The offload thread and the ports that it serves.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "daemon.h"
#include "log.h"

/* Directions in hardware at once, at most. */
#define MAX_RULES (1U << 18)
/* How often the counters of a rule are read. */
#define POLL_NS (NS_PER_SEC / 2)
/* After work the thread looks again soon, for a while. */
#define BUSY_NS	  (20 * NS_PER_MS)
#define NAP_BUSY  50000
#define NAP_QUIET 150000

static void *
run(void *arg)
{
	struct daemon *d = arg;
	uint64_t worked_ns = 0;

	/* It works little, but soon: what it is late for comes to a worker. Of this thread alone.
	 */
	(void)setpriority(PRIO_PROCESS, 0, -20);

	while (!atomic_load_explicit(&d->offload_stop, memory_order_relaxed)) {
		struct timespec nap = {0};
		uint64_t now = clock_ns();

		if (offload_run(d->offload) != 0)
			worked_ns = now;
		nap.tv_nsec = now - worked_ns < BUSY_NS ? NAP_BUSY : NAP_QUIET;
		nanosleep(&nap, NULL);
	}
	return NULL;
}

static void
add_port(struct daemon *d, const struct port *port)
{
	struct offload_port_info info;

	if (offload_port_add(d->offload, port->index, port->ethdev) == 0) {
		log_info("port %s: flows can be offloaded", port->name);
		return;
	}
	offload_port(d->offload, port->ethdev, &info);
	log_notice("port %s: its flows stay in software: %s", port->name, info.why);
}

int
offload_init(struct daemon *d, char err[DAEMON_ERR_LEN])
{
	const struct offload_config config = {
		.workers = d->config->runtime.worker_count,
		.max_rules = RTE_MIN(2 * (uint64_t)d->config->conntrack.max, (uint64_t)MAX_RULES),
		.poll_ns = POLL_NS,
	};
	int rc;

	if (d->config->offload.mode != CONFIG_OFFLOAD_FLOWTABLE)
		return 0;
	d->offload = offload_new(&config);
	if (d->offload == NULL) {
		snprintf(err, DAEMON_ERR_LEN, "%s", strerror(errno));
		return -errno;
	}
	for (uint16_t i = 0; i < PORT_MAX; i++)
		if (port_get(i) != NULL)
			add_port(d, port_get(i));
	atomic_store(&d->offload_stop, false);
	rc = pthread_create(&d->offload_thread, NULL, run, d);
	if (rc != 0) {
		snprintf(err, DAEMON_ERR_LEN, "no thread: %s", strerror(rc));
		offload_free(d->offload);
		d->offload = NULL;
		return -rc;
	}
	(void)pthread_setname_np(d->offload_thread, "offload");
	return 0;
}

void
offload_fini(struct daemon *d)
{
	if (d->offload == NULL)
		return;
	atomic_store(&d->offload_stop, true);
	pthread_join(d->offload_thread, NULL);
	offload_free(d->offload);
	d->offload = NULL;
}

static const char *
mode_name(enum config_offload mode)
{
	switch (mode) {
	case CONFIG_OFFLOAD_OFF: return "off";
	case CONFIG_OFFLOAD_SOFTWARE: return "software";
	default: return "flowtable";
	}
}

static json_t *
port_row(const struct daemon *d, const struct port *port)
{
	struct offload_port_info info = {.why = "offload.mode of the config"};

	if (d->offload != NULL)
		offload_port(d->offload, port->ethdev, &info);
	return json_pack("{ss ss ss sb sI sI sI sI sI ss}", "port", port->name, "driver",
		port->driver, "mode", mode_name(d->config->offload.mode), "usable", info.usable,
		"live", (json_int_t)info.live, "created", (json_int_t)info.created, "destroyed",
		(json_int_t)info.destroyed, "refused", (json_int_t)info.refused, "failed",
		(json_int_t)info.failed, "why", info.why);
}

void
offload_show(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	static const struct rpc_column columns[] = {{"port", "PORT", 'l'},
		{"driver", "DRIVER", 'l'}, {"mode", "MODE", 'l'}, {"usable", "USABLE", 'l'},
		{"live", "FLOWS", 'r'}, {"created", "CREATED", 'r'},
		{"destroyed", "DESTROYED", 'r'}, {"refused", "REFUSED", 'r'},
		{"failed", "FAILED", 'r'}, {"why", "WHY NOT", 'l'}, {NULL, NULL, 0}};
	json_t *rows = json_array();

	(void)params;
	for (uint16_t i = 0; i < PORT_MAX; i++)
		if (port_get(i) != NULL)
			json_array_append_new(rows, port_row(ctx, port_get(i)));
	rpc_table(reply, columns, rows);
}
