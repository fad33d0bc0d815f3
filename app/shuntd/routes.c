/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"

/* What the config says goes into routing: ports opened in the config's order have its indices. */
static int
stage(struct daemon *d, char err[DAEMON_ERR_LEN])
{
	const struct config *c = d->config;
	int rc = 0;

	for (unsigned int i = 0; i < c->port_count && rc == 0; i++) {
		const struct port *port = port_by_name(c->ports[i].name);
		struct route_port info = {.mtu = port->mtu};

		memcpy(info.mac, &port->mac, sizeof(info.mac));
		rc = route_set_port(d->route, port->index, &info);
		for (unsigned int j = 0; j < c->ports[i].address_count && rc == 0; j++) {
			const struct config_prefix *a = &c->ports[i].addresses[j];
			struct route_address address = {.port = port->index,
				.family = a->family,
				.len = a->len,
				.address = a->address};

			rc = route_add_address(d->route, &address);
		}
		if (rc != 0)
			snprintf(err, DAEMON_ERR_LEN, "line %u: port %s: %s",
				c->ports[i].place.line, c->ports[i].name, strerror(-rc));
	}
	for (unsigned int i = 0; i < c->route_count && rc == 0; i++) {
		const struct config_route *r = &c->routes[i];
		struct route_entry entry = {.family = r->to.family,
			.len = r->to.len,
			.type = ROUTE_UNICAST,
			.has_via = true,
			.dst = r->to.address,
			.via = r->via,
			.port = port_by_name(c->ports[r->port].name)->index};

		rc = route_add(d->route, &entry);
		if (rc != 0)
			snprintf(err, DAEMON_ERR_LEN, "line %u: %s", r->place.line, strerror(-rc));
	}
	for (unsigned int i = 0; i < c->neighbour_count && rc == 0; i++) {
		const struct config_neighbour *n = &c->neighbours[i];
		struct route_neighbour neighbour = {.family = n->family,
			.address = n->address,
			.port = port_by_name(c->ports[n->port].name)->index};

		memcpy(neighbour.mac, n->mac, sizeof(neighbour.mac));
		rc = route_set_neighbour(d->route, &neighbour);
		if (rc != 0)
			snprintf(err, DAEMON_ERR_LEN, "line %u: %s", n->place.line, strerror(-rc));
	}
	return rc;
}

int
routes_init(struct daemon *d, char err[DAEMON_ERR_LEN])
{
	char text[ROUTE_ERR_LEN];
	int rc;

	d->route = route_new();
	if (d->route == NULL) {
		snprintf(err, DAEMON_ERR_LEN, "no memory");
		return -ENOMEM;
	}
	rc = stage(d, err);
	if (rc == 0) {
		rc = route_commit(d->route, NULL, text);
		if (rc != 0)
			snprintf(err, DAEMON_ERR_LEN, "%s", text);
	}
	if (rc != 0)
		routes_fini(d);
	return rc;
}

void
routes_fini(struct daemon *d)
{
	route_free(d->route);
	d->route = NULL;
}
