/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Ports: the devices that the router receives from and sends to. A port has an
 * index (0 .. PORT_MAX - 1, what packets and rules carry), a name (the
 * interface name that rules use), an ethdev behind it, and queues, each owned
 * by one worker.
 *
 * The control thread opens, starts, stops and closes; it alone writes struct
 * port, except what is marked otherwise. Workers read ports whose start came
 * before theirs; a port is stopped or closed only while no worker walks it.
 *
 * An ethdev that somebody else owns (rte_eth_dev_owner_set: the wires behind
 * another device) is never touched. The ones opened here are owned by "shunt",
 * so RTE_ETH_FOREACH_DEV skips them.
 */
#ifndef SHUNT_PORT_PORT_H
#define SHUNT_PORT_PORT_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mempool.h>

/** The most ports; indices are below it. */
#define PORT_MAX 32
/** The most workers, and queues of a kind that are used on a port. */
#define PORT_WORKERS_MAX 64
/** Bytes of a name, the NUL included: IFNAMSIZ. */
#define PORT_NAME_LEN 16
/** Bytes of a device string, the NUL included. */
#define PORT_DEVICE_LEN 256
/** Bytes that an error text needs at most, the NUL included. */
#define PORT_ERR_LEN 256
/** Bytes of a list of offloads, the NUL included. */
#define PORT_FEATURES_LEN 768
/** Ethernet header and one VLAN tag: what a frame has before an IP packet of the MTU. */
#define PORT_L2_MAX 18
/** port_tx_queue(): this worker owns no transmit queue of the port. */
#define PORT_QUEUE_NONE UINT16_MAX
/** Bytes of the RSS key; a device with a longer one gets it periodically continued. */
#define PORT_RSS_KEY_LEN 40

/** How a port's packets come to their homes (doc/architecture.md, homes). */
enum port_rss {
	PORT_RSS_SINGLE, /**< one worker: there is nothing to spread */
	PORT_RSS_EXACT,	 /**< the device took our key and RETA: TCP and UDP come in at their home */
	PORT_RSS_SPREAD, /**< the device cannot: software hash and hand-off */
};

/** What to open. */
struct port_config {
	const char *name; /**< 1 .. 15 bytes, as an interface name: no '/', no white space */
	/**
	 * A PCI address ("0000:03:00.0", "03:00.0"), "mac:02:00:..", an ethdev
	 * that exists already by its name, a DPDK vdev with its arguments
	 * ("net_af_packet0,iface=veth1"), or a kernel interface ("eth1": the
	 * ethdev bound to it, else one of net_af_packet on it).
	 */
	const char *device;
	uint16_t mtu; /**< IP packet bytes, 68 .. 65517; 0: the device's */
	bool has_mac; /**< take mac in place of the device's */
	struct rte_ether_addr mac;
	uint16_t workers; /**< 1 .. PORT_WORKERS_MAX: queues are asked for each */
	uint16_t rx_desc; /**< descriptors of a receive queue; 0: the driver's choice */
	uint16_t tx_desc;
	struct rte_mempool
		*pool; /**< of received packets; outlives the port; one segment must hold the MTU */
	/**
	 * The homes' table: reta[hash & (reta_size - 1)] is a worker. NULL: no
	 * exact RSS is tried. Read during port_open() only.
	 */
	const uint8_t *reta;
	uint16_t reta_size; /**< a power of two */
};

/** Offloads of a kernel interface that port_open() turned off; for the restoring. */
struct port_kernel {
	char name[PORT_NAME_LEN]; /**< the interface; empty: the port is none */
	uint32_t blocks;	  /**< words of saved[] */
	uint32_t saved[8]; /**< features that were asked for and were turned off, a bit each */
	char changed[PORT_FEATURES_LEN]; /**< their names, as ethtool -k has them; empty: nothing
				       was to change */
	char left_on[PORT_FEATURES_LEN]; /**< those that the driver does not let go; frames may come
				       unfinished */
};

/** A receive queue as its worker polls it. */
struct port_rxq {
	uint16_t port; /**< index */
	uint16_t ethdev;
	uint16_t queue;
};

/** Frames and bytes since the port was opened (rte_eth_stats). */
struct port_stats {
	uint64_t rx_packets, rx_bytes;
	uint64_t tx_packets, tx_bytes;
	uint64_t rx_missed; /**< the device dropped them: its queue was full */
	uint64_t rx_errors;
	uint64_t tx_errors;
	uint64_t rx_nombuf; /**< the mempool was empty */
};

/** A port. Control thread writes, workers read; `up` and `ethdev` as said above. */
struct port {
	bool used; /**< the slot holds a port */
	bool started;
	bool up;	  /**< link, as of the last port_link_poll(); workers read it relaxed */
	bool probed;	  /**< port_open() made the device, so port_close() removes it */
	bool promiscuous; /**< set because the device cannot take our MAC */
	bool mac_set;	  /**< the device's own MAC was replaced: device_mac is put back */
	bool mtu_set;	  /**< the device's MTU was changed: device_mtu is put back */
	uint16_t index;
	uint16_t ethdev;
	uint16_t mtu;	     /**< IP packet bytes */
	uint16_t device_mtu; /**< before the opening, put back at close */
	uint16_t workers;
	uint16_t rx_queues;
	uint16_t tx_queues;
	enum port_rss rss;
	struct rte_ether_addr mac;
	struct rte_ether_addr device_mac;
	uint64_t rx_offloads; /**< RTE_ETH_RX_OFFLOAD_*_CKSUM that are on: their mbuf flags can be
				 trusted */
	uint32_t speed_mbps;  /**< of the link; 0 unknown */
	uint16_t rx_owner[PORT_WORKERS_MAX]; /**< by receive queue: the worker that polls it */
	uint16_t tx_owner[PORT_WORKERS_MAX]; /**< by transmit queue: the worker that fills it */
	uint16_t
		tx_queue[PORT_WORKERS_MAX]; /**< by worker: the queue it owns, or PORT_QUEUE_NONE */
	uint16_t tx_via[PORT_WORKERS_MAX];  /**< by worker: who transmits its frames; itself if it
					       owns a queue */
	char name[PORT_NAME_LEN];
	char device[PORT_DEVICE_LEN]; /**< as configured */
	char driver[32];	      /**< as the ethdev names it, "net_af_packet" */
	struct port_kernel kernel;
};

/** All ports; only those with used set mean anything. For the inline functions below. */
extern struct port port_table[PORT_MAX];

/** The port of an index, or NULL. Any thread. */
static inline const struct port *
port_get(uint16_t index)
{
	return index < PORT_MAX && port_table[index].used ? &port_table[index] : NULL;
}

/** The port of an interface name, or NULL. Control thread. */
const struct port *port_by_name(const char *name);

/** The port of an ethdev, or NULL. Control thread, offload thread. */
const struct port *port_by_ethdev(uint16_t ethdev);

/** The number of ports. Control thread. */
unsigned int port_count(void);

/**
 * Open and configure a port in the lowest free slot; it is not started. A
 * kernel interface behind it gets its offloads (GRO, TSO, GSO, checksums, VLAN)
 * turned off, see port->kernel. On failure everything is as it was.
 * @param port the port, valid until port_close()
 * @param err what is wrong, for the operator; size PORT_ERR_LEN
 * @return 0; -EINVAL a value is impossible, -EEXIST the name is taken, -ENOSPC
 *   no slot is left, -ENODEV no such device, -EBUSY the device belongs to a port
 *   or to somebody else, -ENOTSUP the device cannot do it, -EPERM, or what the
 *   driver said
 */
int port_open(const struct port_config *config, const struct port **port, char err[PORT_ERR_LEN]);

/** Start receiving and transmitting. @return 0, -EINVAL if there is no such port or it runs, or
 * what the driver said */
int port_start(uint16_t index, char err[PORT_ERR_LEN]);

/** Stop. Nothing happens if it does not run. No worker walks it. */
void port_stop(uint16_t index);

/**
 * Stop the port, put the kernel interface's offloads, MAC and MTU back, remove
 * the device if port_open() made it (else give it back), free the slot. Nothing
 * happens without such a port.
 */
void port_close(uint16_t index);

/** port_close() for all. */
void port_close_all(void);

/**
 * The receive queues that a worker polls, over all open ports, in order of
 * index.
 * @param max room in rxqs
 * @return how many there are; those beyond max are not written
 */
unsigned int port_worker_rxqs(uint16_t worker, struct port_rxq *rxqs, unsigned int max);

/** The transmit queue that a worker owns on a port, or PORT_QUEUE_NONE. Any thread. */
static inline uint16_t
port_tx_queue(const struct port *port, uint16_t worker)
{
	return port->tx_queue[worker];
}

/** Who transmits a worker's frames on a port: itself, or whom it hands them to. Any thread. */
static inline uint16_t
port_tx_via(const struct port *port, uint16_t worker)
{
	return port->tx_via[worker];
}

/** Whether the link is up, as of the last poll. Any thread. */
static inline bool
port_is_up(const struct port *port)
{
	return __atomic_load_n(&port->up, __ATOMIC_RELAXED);
}

/**
 * Read the links of all started ports. Does not wait. Control thread, each
 * second or on a link interrupt.
 * @param changed called for each port whose link changed; may be NULL
 * @return how many changed
 */
unsigned int port_link_poll(void (*changed)(const struct port *port, void *arg), void *arg);

/** Read a port's counters. Control thread. @return 0, -EINVAL without such a port, or what the
 * driver said */
int port_stats(uint16_t index, struct port_stats *stats);

/**
 * Call fn for each of the driver's own counters. Control thread.
 * @return 0, -EINVAL without such a port, -ENOMEM, or what the driver said
 */
int port_xstats(uint16_t index, void (*fn)(const char *name, uint64_t value, void *arg), void *arg);

/** The name of an RSS mode: "single", "exact", "spread". Static. */
const char *port_rss_name(enum port_rss rss);

#endif
