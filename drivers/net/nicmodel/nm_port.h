/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NM_PORT_H
#define NM_PORT_H

#include <stdatomic.h>

#include <ethdev_driver.h>
#include <ethdev_vdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_spinlock.h>

#include "flow/nm_flow.h"
#include "nicmodel.h"

#if RTE_VER_YEAR != 22 || RTE_VER_MONTH != 11
#error "the driver's headers are those of DPDK 22.11"
#endif

#define NM_QUEUES 16
#define NM_BURST  32
#define NM_RETA	  128
#define NM_KEY	  40

/* A receive queue: the silicon fills the ring, software takes from it. */
struct nm_rxq {
	struct rte_ring *ring;
	struct rte_mempool *pool;
	uint16_t port;
	uint64_t packets, bytes; /* by whoever takes */
};

/* A transmit queue, the other way. */
struct nm_txq {
	struct rte_ring *ring;
	uint64_t packets, bytes;
};

/* A port. */
struct nm_port {
	struct rte_eth_dev *dev;
	uint16_t id; /* ethdev */
	struct rte_ether_addr mac;
	uint16_t max_queues;
	bool rings;
	struct rte_ring *wire_in, *wire_out;
	char wire_name[64]; /* of the ethdev that is the wire */
	bool wire_own;	    /* made by this driver */
	uint16_t wire;	    /* ethdev, RTE_MAX_ETHPORTS with rings */
	_Atomic bool started;
	struct nm_rxq rxq[NM_QUEUES];
	struct nm_txq txq[NM_QUEUES];
	uint8_t key[NM_KEY];
	uint32_t key_be[NM_KEY / 4]; /* as rte_softrss_be wants it */
	uint64_t rss_hf;
	uint16_t reta[NM_RETA];
	bool checks; /* software asked for checksum flags */
	struct nicmodel_stats stats;
	uint64_t nombuf;
	struct rte_mbuf *out[NM_BURST]; /* for the wire */
	unsigned int out_count;
	uint16_t out_from[NM_BURST]; /* whose frame each is, NM_PORTS: software's */
};

/* The NIC: all ports of the process. The lock is over ports, switch and silicon. */
struct nm_nic {
	rte_spinlock_t lock;
	_Atomic int waiting; /* for the lock, the silicon aside */
	struct nm_switch *sw;
	struct nm_limits limits;
	struct nm_port *ports[NM_PORTS]; /* by ethdev */
	struct rte_mempool *pool;	 /* of frames on the wires */
	bool step;
	uint64_t steps;
	uint32_t create_us, destroy_us, fail_create;
	uint64_t creates;
	unsigned int running; /* started ports */
	pthread_t thread;
	_Atomic bool stop;
};

extern struct nm_nic nm_nic;
extern const struct eth_dev_ops nm_dev_ops;
extern const struct rte_flow_ops nm_flow_ops;

/* nm_silicon.c */
unsigned int nm_silicon_move(void); /* under the lock */
int nm_silicon_start(void);
void nm_silicon_stop(void);

/* nm_rss.c */
void nm_rss_defaults(struct nm_port *p);
uint32_t nm_rss_hash(const struct nm_port *p, const struct rte_mbuf *frame);
int nm_reta_update(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size);
int nm_reta_query(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size);
int nm_rss_update(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf);
int nm_rss_get(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf);
/* What the silicon says of a frame's checksums: mbuf flags. */
uint64_t nm_checksums(const struct rte_mbuf *frame);

/* nm_stats.c */
int nm_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats);
int nm_stats_reset(struct rte_eth_dev *dev);
int nm_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats, unsigned int n);
int nm_xstats_names(struct rte_eth_dev *dev, struct rte_eth_xstat_name *names, unsigned int n);

static inline struct nm_port *
nm_port(const struct rte_eth_dev *dev)
{
	return dev->data->dev_private;
}

/* The port closes: its wire goes, with the last port the switch too. */
void nm_port_gone(struct nm_port *p);

/* Stop the silicon between two steps; unlock with rte_spinlock_unlock(). */
static inline void
nm_lock(void)
{
	atomic_fetch_add(&nm_nic.waiting, 1);
	rte_spinlock_lock(&nm_nic.lock);
	atomic_fetch_sub(&nm_nic.waiting, 1);
}

#endif
