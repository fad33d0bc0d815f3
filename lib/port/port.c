/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of ports, and what is read of them.
 */
#include "port.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port_priv.h"

struct port port_table[PORT_MAX];

int
port_error(char err[PORT_ERR_LEN], int ret, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, PORT_ERR_LEN, fmt, ap);
	va_end(ap);
	return ret;
}

const struct port *
port_by_name(const char *name)
{
	uint16_t i;

	for (i = 0; i < PORT_MAX; i++) {
		if (port_table[i].used && strcmp(port_table[i].name, name) == 0)
			return &port_table[i];
	}
	return NULL;
}

const struct port *
port_by_ethdev(uint16_t ethdev)
{
	uint16_t i;

	for (i = 0; i < PORT_MAX; i++) {
		if (port_table[i].used && port_table[i].ethdev == ethdev)
			return &port_table[i];
	}
	return NULL;
}

unsigned int
port_count(void)
{
	unsigned int count = 0;
	uint16_t i;

	for (i = 0; i < PORT_MAX; i++)
		count += port_table[i].used;
	return count;
}

unsigned int
port_worker_rxqs(uint16_t worker, struct port_rxq *rxqs, unsigned int max)
{
	unsigned int count = 0;
	uint16_t i, q;

	for (i = 0; i < PORT_MAX; i++) {
		const struct port *port = &port_table[i];

		if (!port->used)
			continue;
		for (q = 0; q < port->rx_queues; q++) {
			if (port->rx_owner[q] != worker)
				continue;
			if (count < max)
				rxqs[count] = (struct port_rxq){i, port->ethdev, q};
			count++;
		}
	}
	return count;
}

unsigned int
port_link_poll(void (*changed)(const struct port *port, void *arg), void *arg)
{
	struct rte_eth_link link;
	unsigned int count = 0;
	uint16_t i;

	for (i = 0; i < PORT_MAX; i++) {
		struct port *port = &port_table[i];
		bool up;

		if (!port->used || !port->started ||
			rte_eth_link_get_nowait(port->ethdev, &link) != 0)
			continue;
		up = link.link_status == RTE_ETH_LINK_UP &&
		     (port->kernel.name[0] == '\0' || port_kernel_up(port->kernel.name));
		port->speed_mbps =
			link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
		if (up == port->up)
			continue;
		__atomic_store_n(&port->up, up, __ATOMIC_RELAXED);
		count++;
		if (changed != NULL)
			changed(port, arg);
	}
	return count;
}

int
port_stats(uint16_t index, struct port_stats *stats)
{
	const struct port *port = port_get(index);
	struct rte_eth_stats s;
	int ret;

	if (port == NULL)
		return -EINVAL;
	ret = port_errno(rte_eth_stats_get(port->ethdev, &s));
	if (ret != 0)
		return ret;
	*stats = (struct port_stats){
		.rx_packets = s.ipackets,
		.rx_bytes = s.ibytes,
		.tx_packets = s.opackets,
		.tx_bytes = s.obytes,
		.rx_missed = s.imissed,
		.rx_errors = s.ierrors,
		.tx_errors = s.oerrors,
		.rx_nombuf = s.rx_nombuf,
	};
	return 0;
}

int
port_xstats(uint16_t index, void (*fn)(const char *name, uint64_t value, void *arg), void *arg)
{
	const struct port *port = port_get(index);
	struct rte_eth_xstat_name *names;
	struct rte_eth_xstat *values;
	int count, i, ret = -ENOMEM;

	if (port == NULL)
		return -EINVAL;
	count = rte_eth_xstats_get_names(port->ethdev, NULL, 0);
	if (count <= 0)
		return count;
	names = calloc((size_t)count, sizeof(*names));
	values = calloc((size_t)count, sizeof(*values));
	if (names == NULL || values == NULL)
		goto out;
	ret = -EIO;
	/* A set that grew in between does not fit: try again at the next reading. */
	if (rte_eth_xstats_get_names(port->ethdev, names, (unsigned int)count) != count ||
		rte_eth_xstats_get(port->ethdev, values, (unsigned int)count) != count)
		goto out;
	for (i = 0; i < count; i++) {
		if (values[i].id < (uint64_t)count)
			fn(names[values[i].id].name, values[i].value, arg);
	}
	ret = 0;
out:
	free(names);
	free(values);
	return ret;
}

const char *
port_rss_name(enum port_rss rss)
{
	static const char *const names[] = {
		[PORT_RSS_SINGLE] = "single",
		[PORT_RSS_EXACT] = "exact",
		[PORT_RSS_SPREAD] = "spread",
	};

	return (unsigned int)rss < RTE_DIM(names) ? names[rss] : "unknown";
}
