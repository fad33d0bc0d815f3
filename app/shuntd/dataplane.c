/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "daemon.h"
#include "log.h"
#include "rcu.h"
#include "ruleset.h"

/* Connections that find memory before the first tick. */
#define START_CONNECTIONS 16384
/* How often memory is made ready, old objects are freed, links are read. */
#define TICK_NS (5 * NS_PER_MS)

static void
take_ports(const struct daemon *d, struct path_config *path)
{
	unsigned int workers = d->config->runtime.worker_count;

	for (unsigned int i = 0; i < PATH_PORTS; i++) {
		const struct port *port = port_get((uint16_t)i);
		struct path_port *p = &path->ports[i];

		if (port == NULL)
			continue;
		*p = (struct path_port){.used = true, .ethdev = port->ethdev, .mtu = port->mtu};
		memcpy(&p->mac, &port->mac, sizeof(port->mac));
		for (unsigned int w = 0; w < workers; w++) {
			p->tx_owner[w] = (uint8_t)port_tx_via(port, (uint16_t)w);
			p->txq[w] = port_tx_queue(port, (uint16_t)w);
		}
	}
	for (unsigned int w = 0; w < workers; w++) {
		struct port_rxq rxqs[PATH_PORTS];
		unsigned int n = port_worker_rxqs((uint16_t)w, rxqs, PATH_PORTS);

		for (unsigned int i = 0; i < RTE_MIN(n, (unsigned int)PATH_PORTS); i++)
			path->queues[path->queue_count++] = (struct path_queue){
				.port = rxqs[i].port, .queue = rxqs[i].queue, .worker = (uint8_t)w};
	}
}

/* What the control thread does for the workers now and then. */
static void
tick(void *arg)
{
	struct daemon *d = arg;
	bool alive = true;

	if (path_prepare(d->path) != 0)
		log_warning("no memory for more connections");
	rcu_poll();
	if (d->ruleset != NULL) {
		ruleset_log(d);
		ruleset_trace(d->ruleset);
	}
	if (d->watchdog_ns == 0 || clock_ns() - d->fed_ns < d->watchdog_ns)
		return;
	/* Fed only while every worker walks. */
	for (unsigned int w = 0; w < d->config->runtime.worker_count; w++) {
		uint64_t walks = path_counters(d->path, w)->walks;

		alive = alive && walks != d->fed_walks[w];
		d->fed_walks[w] = walks;
	}
	d->fed_ns = clock_ns();
	if (alive)
		notify("WATCHDOG=1");
}

int
dataplane_init(struct daemon *d, char err[DAEMON_ERR_LEN])
{
	static struct path_config config;
	const struct config *c = d->config;
	int rc;

	if (c->runtime.worker_count > PATH_WORKERS) {
		snprintf(err, DAEMON_ERR_LEN, "%u workers: %d are possible",
			c->runtime.worker_count, PATH_WORKERS);
		return -EINVAL;
	}
	config = (struct path_config){
		.workers = c->runtime.worker_count,
		.conntrack = {.max = c->conntrack.max, .checksum = true},
		.start_connections = RTE_MIN(START_CONNECTIONS, c->conntrack.max),
		.pool = d->pool,
		.route = d->route,
		.offload = d->offload,
		.no_records = c->offload.mode == CONFIG_OFFLOAD_OFF,
		.name = "shunt",
	};
	tracker_defaults(&config.conntrack.tracker);
	for (unsigned int i = 0; i < CONFIG_TIMEOUT_COUNT; i++)
		if (tracker_set_timeout(&config.conntrack.tracker,
			    config_timeout_name((enum config_timeout)i),
			    c->conntrack.timeouts[i]) != 0) {
			snprintf(err, DAEMON_ERR_LEN, "timeout %s is not known to conntrack",
				config_timeout_name((enum config_timeout)i));
			return -EINVAL;
		}
	if (getrandom(config.secret, sizeof(config.secret), 0) != sizeof(config.secret)) {
		snprintf(err, DAEMON_ERR_LEN, "no random numbers: %s", strerror(errno));
		return -errno;
	}
	take_ports(d, &config);
	d->path = path_create(&config, err, DAEMON_ERR_LEN);
	if (d->path == NULL)
		return -errno;
	rc = loop_timer_create(d->loop, tick, d, &d->tick);
	if (rc != 0) {
		snprintf(err, DAEMON_ERR_LEN, "%s", strerror(-rc));
		path_destroy(d->path);
		return rc;
	}
	d->watchdog_ns = notify_watchdog_ns();
	loop_timer_arm(d->tick, TICK_NS, TICK_NS);
	return 0;
}

void
dataplane_fini(struct daemon *d)
{
	loop_timer_destroy(d->tick);
	path_destroy(d->path);
	d->path = NULL;
}
