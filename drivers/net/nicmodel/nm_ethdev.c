/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an ethdev does: configuration, queues, bursts.
 */
#include "nm_port.h"

#include <rte_malloc.h>

#define RX_OFFLOADS                                                                                \
	(RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |                            \
		RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_RSS_HASH)
#define RSS_TYPES                                                                                  \
	(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_NONFRAG_IPV4_TCP |                      \
		RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_TCP |                      \
		RTE_ETH_RSS_NONFRAG_IPV6_UDP)

static uint16_t
receive(void *queue, struct rte_mbuf **frames, uint16_t count)
{
	struct nm_rxq *q = queue;
	uint16_t n = (uint16_t)rte_ring_sc_dequeue_burst(q->ring, (void **)frames, count, NULL);

	q->packets += n;
	for (uint16_t i = 0; i < n; i++)
		q->bytes += frames[i]->pkt_len;
	return n;
}

static uint16_t
transmit(void *queue, struct rte_mbuf **frames, uint16_t count)
{
	struct nm_txq *q = queue;
	uint16_t n = (uint16_t)rte_ring_sp_enqueue_burst(q->ring, (void **)frames, count, NULL);

	q->packets += n;
	return n;
}

static int
configure(struct rte_eth_dev *dev)
{
	struct nm_port *p = nm_port(dev);
	const struct rte_eth_conf *conf = &dev->data->dev_conf;

	p->checks = (conf->rxmode.offloads &
			    (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
				    RTE_ETH_RX_OFFLOAD_TCP_CKSUM)) != 0;
	for (unsigned int i = 0; i < NM_RETA; i++)
		p->reta[i] = (uint16_t)(i % RTE_MAX(dev->data->nb_rx_queues, 1));
	if (!(conf->rxmode.mq_mode & RTE_ETH_MQ_RX_RSS_FLAG)) {
		p->rss_hf = 0;
		return 0;
	}
	return nm_rss_update(
		dev, (struct rte_eth_rss_conf *)(uintptr_t)&conf->rx_adv_conf.rss_conf);
}

/* The wire runs with one queue each way. */
static int
start_wire(struct nm_port *p)
{
	static const struct rte_eth_conf conf;
	int rc;

	if (p->rings)
		return 0;
	rc = rte_eth_dev_configure(p->wire, 1, 1, &conf);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(p->wire, 0, 512, SOCKET_ID_ANY, NULL, nm_nic.pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(p->wire, 0, 512, SOCKET_ID_ANY, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(p->wire);
	if (rc == 0)
		(void)rte_eth_promiscuous_enable(p->wire);
	return rc;
}

static int
start(struct rte_eth_dev *dev)
{
	struct nm_port *p = nm_port(dev);
	int rc = start_wire(p);

	if (rc != 0)
		return rc;
	atomic_store(&p->started, true);
	dev->data->dev_link.link_status = RTE_ETH_LINK_UP;
	return nm_silicon_start();
}

static void
empty(struct rte_ring *ring)
{
	struct rte_mbuf *m;

	while (ring != NULL && rte_ring_dequeue(ring, (void **)&m) == 0)
		rte_pktmbuf_free(m);
}

static int
stop(struct rte_eth_dev *dev)
{
	struct nm_port *p = nm_port(dev);

	if (!atomic_load(&p->started))
		return 0;
	nm_silicon_stop();
	nm_lock();
	atomic_store(&p->started, false);
	rte_spinlock_unlock(&nm_nic.lock);
	if (!p->rings)
		(void)rte_eth_dev_stop(p->wire);
	dev->data->dev_link.link_status = RTE_ETH_LINK_DOWN;
	for (unsigned int i = 0; i < NM_QUEUES; i++) {
		empty(p->rxq[i].ring);
		empty(p->txq[i].ring);
	}
	return 0;
}

static int
close_port(struct rte_eth_dev *dev)
{
	struct nm_port *p = nm_port(dev);

	(void)stop(dev);
	nm_lock();
	nm_flow_flush(nm_nic.sw, p->id);
	rte_spinlock_unlock(&nm_nic.lock);
	for (unsigned int i = 0; i < NM_QUEUES; i++) {
		rte_ring_free(p->rxq[i].ring);
		rte_ring_free(p->txq[i].ring);
		p->rxq[i].ring = p->txq[i].ring = NULL;
	}
	nm_port_gone(p);
	/* Its address is part of the private data. */
	dev->data->mac_addrs = NULL;
	return 0;
}

static int
infos_get(struct rte_eth_dev *dev, struct rte_eth_dev_info *info)
{
	const struct nm_port *p = nm_port(dev);

	info->max_mac_addrs = 1;
	info->min_rx_bufsize = 64;
	info->max_rx_pktlen = RTE_ETHER_MAX_LEN;
	info->max_mtu = RTE_ETHER_MTU;
	info->min_mtu = RTE_ETHER_MIN_MTU;
	info->max_rx_queues = info->max_tx_queues = p->max_queues;
	info->rx_offload_capa = RX_OFFLOADS;
	info->flow_type_rss_offloads = RSS_TYPES;
	info->hash_key_size = NM_KEY;
	info->reta_size = NM_RETA;
	info->rx_desc_lim = (struct rte_eth_desc_lim){.nb_max = 4096, .nb_min = 32, .nb_align = 1};
	info->tx_desc_lim = info->rx_desc_lim;
	info->default_rxportconf.ring_size = info->default_txportconf.ring_size = 1024;
	return 0;
}

static struct rte_ring *
queue_ring(const struct nm_port *p, char kind, uint16_t queue, uint16_t count)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "nm-%c-%u-%u", kind, p->id, queue);
	return rte_ring_create(name, rte_align32pow2(count + 1U), SOCKET_ID_ANY, 0);
}

static int
rx_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t count, unsigned int socket,
	const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	struct nm_port *p = nm_port(dev);
	struct nm_rxq *q = &p->rxq[queue];

	(void)socket;
	(void)conf;
	if (q->ring == NULL)
		q->ring = queue_ring(p, 'r', queue, count);
	q->pool = pool;
	q->port = p->id;
	dev->data->rx_queues[queue] = q;
	return q->ring != NULL ? 0 : -ENOMEM;
}

static int
tx_setup(struct rte_eth_dev *dev, uint16_t queue, uint16_t count, unsigned int socket,
	const struct rte_eth_txconf *conf)
{
	struct nm_port *p = nm_port(dev);
	struct nm_txq *q = &p->txq[queue];

	(void)socket;
	(void)conf;
	if (q->ring == NULL)
		q->ring = queue_ring(p, 't', queue, count);
	dev->data->tx_queues[queue] = q;
	return q->ring != NULL ? 0 : -ENOMEM;
}

static int
link_update(struct rte_eth_dev *dev, int wait)
{
	const struct nm_port *p = nm_port(dev);
	struct rte_eth_link link;

	(void)wait;
	if (p->rings || rte_eth_link_get_nowait(p->wire, &link) != 0)
		return 0;
	dev->data->dev_link.link_status = atomic_load(&p->started) && link.link_status;
	return 0;
}

/* The wire delivers everything, and rules match addresses. */
static int
always(struct rte_eth_dev *dev)
{
	(void)dev;
	return 0;
}

static int
mac_set(struct rte_eth_dev *dev, struct rte_ether_addr *mac)
{
	nm_port(dev)->mac = *mac;
	return 0;
}

static int
mtu_set(struct rte_eth_dev *dev, uint16_t mtu)
{
	(void)dev;
	(void)mtu;
	return 0;
}

static int
flow_ops_get(struct rte_eth_dev *dev, const struct rte_flow_ops **ops)
{
	(void)dev;
	*ops = &nm_flow_ops;
	return 0;
}

/* The bursts belong to the ethdev; set when it is configured. */
static int
configure_bursts(struct rte_eth_dev *dev)
{
	dev->rx_pkt_burst = receive;
	dev->tx_pkt_burst = transmit;
	return configure(dev);
}

const struct eth_dev_ops nm_dev_ops = {
	.dev_configure = configure_bursts,
	.dev_start = start,
	.dev_stop = stop,
	.dev_close = close_port,
	.dev_infos_get = infos_get,
	.rx_queue_setup = rx_setup,
	.tx_queue_setup = tx_setup,
	.link_update = link_update,
	.promiscuous_enable = always,
	.promiscuous_disable = always,
	.allmulticast_enable = always,
	.allmulticast_disable = always,
	.mac_addr_set = mac_set,
	.mtu_set = mtu_set,
	.stats_get = nm_stats_get,
	.stats_reset = nm_stats_reset,
	.xstats_get = nm_xstats_get,
	.xstats_get_names = nm_xstats_names,
	.reta_update = nm_reta_update,
	.reta_query = nm_reta_query,
	.rss_hash_update = nm_rss_update,
	.rss_hash_conf_get = nm_rss_get,
	.flow_ops_get = flow_ops_get,
};
