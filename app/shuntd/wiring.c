/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one place that knows all parts: brought up in this order, taken down in
 * reverse. Ports start before the ruleset is in, to be probed; workers, who
 * alone receive and send, start after it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"
#include "rcu.h"

static int
rcu_up(struct daemon *d, char err[DAEMON_ERR_LEN])
{
	int rc = rcu_init(d->config->runtime.worker_count);

	if (rc != 0)
		snprintf(err, DAEMON_ERR_LEN, "%s", strerror(-rc));
	return rc;
}

static void
rcu_down(struct daemon *d)
{
	(void)d;
	rcu_fini();
}

static int
loop_up(struct daemon *d, char err[DAEMON_ERR_LEN])
{
	int rc = loop_create(&d->loop);

	if (rc != 0)
		snprintf(err, DAEMON_ERR_LEN, "%s", strerror(-rc));
	return rc;
}

static void
loop_down(struct daemon *d)
{
	loop_destroy(d->loop);
	d->loop = NULL;
}

static const struct daemon_part parts[] = {
	{"event loop", loop_up, loop_down},
	{"EAL", eal_init, eal_fini},
	{"rcu", rcu_up, rcu_down},
	{"ports", ports_init, ports_fini},
	{"routes", routes_init, routes_fini},
	{"offload", offload_init, offload_fini},
	{"dataplane", dataplane_init, dataplane_fini},
	{"ruleset", ruleset_init, ruleset_fini},
	{"workers", workers_init, workers_fini},
	{"control socket", show_init, show_fini},
};

#define PARTS (sizeof(parts) / sizeof(parts[0]))

static void
down_from(struct daemon *d, unsigned int count)
{
	while (count-- > 0)
		parts[count].fini(d);
}

int
wiring_up(struct daemon *d, char err[DAEMON_ERR_LEN])
{
	for (unsigned int i = 0; i < PARTS; i++) {
		char text[DAEMON_ERR_LEN] = "";
		int rc = parts[i].init(d, text);

		if (rc == 0)
			continue;
		down_from(d, i);
		snprintf(err, DAEMON_ERR_LEN, "%s: %.480s", parts[i].name, text);
		return rc;
	}
	return 0;
}

void
wiring_down(struct daemon *d)
{
	down_from(d, PARTS);
}
