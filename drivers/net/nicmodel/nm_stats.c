/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nm_port.h"

int
nm_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats)
{
	const struct nm_port *p = nm_port(dev);

	for (unsigned int i = 0; i < p->max_queues; i++) {
		stats->ipackets += p->rxq[i].packets;
		stats->ibytes += p->rxq[i].bytes;
		stats->opackets += p->txq[i].packets;
		if (i < RTE_ETHDEV_QUEUE_STAT_CNTRS) {
			stats->q_ipackets[i] = p->rxq[i].packets;
			stats->q_opackets[i] = p->txq[i].packets;
		}
	}
	stats->imissed = p->stats.missed;
	stats->rx_nombuf = p->nombuf;
	return 0;
}

int
nm_stats_reset(struct rte_eth_dev *dev)
{
	struct nm_port *p = nm_port(dev);

	nm_lock();
	memset(&p->stats, 0, sizeof(p->stats));
	p->nombuf = 0;
	rte_spinlock_unlock(&nm_nic.lock);
	for (unsigned int i = 0; i < NM_QUEUES; i++) {
		p->rxq[i].packets = p->rxq[i].bytes = 0;
		p->txq[i].packets = 0;
	}
	return 0;
}

static const struct {
	const char *name;
	size_t offset;
} rows[] = {
	{"wire_rx", offsetof(struct nicmodel_stats, wire_rx)},
	{"wire_tx", offsetof(struct nicmodel_stats, wire_tx)},
	{"hw_forwarded", offsetof(struct nicmodel_stats, forwarded)},
	{"hw_dropped", offsetof(struct nicmodel_stats, dropped)},
	{"sw_received", offsetof(struct nicmodel_stats, received)},
	{"sw_missed", offsetof(struct nicmodel_stats, missed)},
	{"sw_sent", offsetof(struct nicmodel_stats, sent)},
};
/* And the rules of the port. */
#define XSTATS (RTE_DIM(rows) + 1)

int
nm_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int n)
{
	const struct nm_port *p = nm_port(dev);

	if (xstats == NULL || n < XSTATS)
		return XSTATS;
	nm_lock();
	for (unsigned int i = 0; i < RTE_DIM(rows); i++) {
		xstats[i].id = i;
		memcpy(&xstats[i].value, (const char *)&p->stats + rows[i].offset,
			sizeof(uint64_t));
	}
	xstats[RTE_DIM(rows)].id = RTE_DIM(rows);
	xstats[RTE_DIM(rows)].value = nm_flow_count(nm_nic.sw, p->id);
	rte_spinlock_unlock(&nm_nic.lock);
	return XSTATS;
}

int
nm_xstats_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *names, unsigned int n)
{
	(void)dev;
	for (unsigned int i = 0; names != NULL && i < RTE_MIN(n, (unsigned int)XSTATS); i++)
		strlcpy(names[i].name, i < RTE_DIM(rows) ? rows[i].name : "flow_rules",
			sizeof(names[i].name));
	return XSTATS;
}
