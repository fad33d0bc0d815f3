/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"
#include "log.h"

static int
open_one(struct daemon *d, const struct config_port *p, char err[DAEMON_ERR_LEN])
{
	struct port_config config = {
		.name = p->name,
		.device = p->device,
		.mtu = p->mtu,
		.has_mac = p->has_mac,
		.workers = (uint16_t)d->config->runtime.worker_count,
		.pool = d->pool,
		.reta = d->homes.reta,
		.reta_size = HOME_RETA,
	};
	const struct port *port;
	char text[PORT_ERR_LEN] = "";
	int rc;

	memcpy(&config.mac, p->mac, sizeof(config.mac));
	rc = port_open(&config, &port, text);
	if (rc == 0)
		rc = port_start(port->index, text);
	if (rc != 0) {
		snprintf(err, DAEMON_ERR_LEN, "line %u: port %s, device %.200s: %s", p->place.line,
			p->name, p->device, text);
		return rc;
	}
	log_info("port %s: %s, %u receive and %u transmit queues, RSS %s", port->name, port->driver,
		port->rx_queues, port->tx_queues, port_rss_name(port->rss));
	if (port->kernel.changed[0] != '\0')
		log_notice("port %s: turned off on %s until shuntd ends: %s", port->name,
			port->kernel.name, port->kernel.changed);
	if (port->kernel.left_on[0] != '\0')
		log_warning("port %s: %s does not let go of: %s", port->name, port->kernel.name,
			port->kernel.left_on);
	return 0;
}

int
ports_init(struct daemon *d, char err[DAEMON_ERR_LEN])
{
	int rc = home_table_init(&d->homes, (uint8_t)d->config->runtime.worker_count);

	for (unsigned int i = 0; i < d->config->port_count && rc == 0; i++)
		rc = open_one(d, &d->config->ports[i], err);
	if (rc != 0)
		port_close_all();
	return rc;
}

void
ports_fini(struct daemon *d)
{
	(void)d;
	port_close_all();
}
