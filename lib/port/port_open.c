/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening, starting, stopping, closing.
 */
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>

#include "log.h"
#include "port_priv.h"

/* What drivers take where they have no choice of their own. */
#define DESC_DEFAULT 512
#define MTU_MIN	     68
#define MTU_MAX	     (UINT16_MAX - PORT_L2_MAX)
#define CHECKSUMS                                                                                  \
	(RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |                            \
		RTE_ETH_RX_OFFLOAD_TCP_CKSUM)

static struct port_rss_wish wishes[PORT_MAX];

/* dev_valid_name() of the kernel: rules name ports like interfaces. */
static bool
name_valid(const char *name)
{
	size_t i, len = strnlen(name, PORT_NAME_LEN);

	if (len == 0 || len == PORT_NAME_LEN || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (i = 0; i < len; i++) {
		if (name[i] == '/' || name[i] == ':' || isspace((unsigned char)name[i]))
			return false;
	}
	return true;
}

static int
config_check(const struct port_config *c, char err[PORT_ERR_LEN])
{
	uint16_t i;

	if (!name_valid(c->name))
		return port_error(err, -EINVAL,
			"a port's name has 1 to 15 characters, none of them '/', ':' or white "
			"space");
	if (port_by_name(c->name) != NULL)
		return port_error(err, -EEXIST, "there is a port %s already", c->name);
	if (c->device[0] == '\0' || strnlen(c->device, PORT_DEVICE_LEN) == PORT_DEVICE_LEN)
		return port_error(err, -EINVAL, "port %s: the device has 1 to %u characters",
			c->name, PORT_DEVICE_LEN - 1);
	if (c->mtu != 0 && (c->mtu < MTU_MIN || c->mtu > MTU_MAX))
		return port_error(err, -EINVAL, "port %s: the MTU is from %u to %u, not %u",
			c->name, MTU_MIN, MTU_MAX, c->mtu);
	if (c->has_mac && !rte_is_valid_assigned_ether_addr(&c->mac))
		return port_error(
			err, -EINVAL, "port %s: no host can have that MAC address", c->name);
	if (c->workers == 0 || c->workers > PORT_WORKERS_MAX)
		return port_error(err, -EINVAL, "port %s: 1 to %u workers, not %u", c->name,
			PORT_WORKERS_MAX, c->workers);
	if (c->pool == NULL)
		return port_error(err, -EINVAL, "port %s: no buffers", c->name);
	if (c->reta == NULL)
		return 0;
	if (c->reta_size == 0 || (c->reta_size & (c->reta_size - 1)) != 0)
		return port_error(
			err, -EINVAL, "port %s: the homes' table has a power of two", c->name);
	for (i = 0; i < c->reta_size; i++) {
		if (c->reta[i] >= c->workers)
			return port_error(
				err, -EINVAL, "port %s: a home beyond the workers", c->name);
	}
	return 0;
}

/* What a driver refused, in one form. */
static int
refused(const struct port *port, int ret, const char *what, char err[PORT_ERR_LEN])
{
	ret = port_errno(ret);
	return port_error(err, ret, "port %s (%.100s): %s: %s", port->name, port->device, what,
		rte_strerror(-ret));
}

/*
 * The kernel interface behind a virtual device, if the device gets its frames
 * there. A PCI device that the kernel shows too (mlx5) does not, and a tap is
 * the far end.
 */
static bool
kernel_interface(const struct rte_eth_dev_info *info, char name[IF_NAMESIZE])
{
	return info->if_index != 0 && info->device != NULL &&
	       strcmp(rte_bus_name(rte_dev_bus(info->device)), "vdev") == 0 &&
	       strcmp(info->driver_name, "net_tap") != 0 &&
	       if_indextoname(info->if_index, name) != NULL;
}

static int
kernel_open(struct port *port, const struct rte_eth_dev_info *info, char err[PORT_ERR_LEN])
{
	char name[IF_NAMESIZE];
	int ret;

	if (!kernel_interface(info, name))
		return 0;
	ret = port_kernel_quiet(name, &port->kernel);
	if (ret != 0)
		return port_error(err, ret,
			"port %s: interface %s: its offloads cannot be turned off: %s", port->name,
			name, rte_strerror(-ret));
	if (port->kernel.changed[0] != '\0')
		log_notice("port %s: offloads of interface %s turned off: %s", port->name, name,
			port->kernel.changed);
	if (port->kernel.left_on[0] != '\0')
		log_warning("port %s: offloads of interface %s stay on: %s", port->name, name,
			port->kernel.left_on);
	ret = port_kernel_mtu(name);
	if (ret > 0)
		port->device_mtu = (uint16_t)RTE_MIN(ret, MTU_MAX);
	return 0;
}

static int
mac_open(struct port *port, const struct port_config *config, const struct rte_eth_dev_info *info,
	char err[PORT_ERR_LEN])
{
	struct rte_ether_addr mac = config->mac;
	int ret;

	ret = rte_eth_macaddr_get(port->ethdev, &port->device_mac);
	if (ret != 0)
		return refused(port, ret, "MAC address", err);
	port->mac = config->has_mac ? config->mac : port->device_mac;
	if (rte_is_same_ether_addr(&port->mac, &port->device_mac))
		return 0;
	ret = rte_eth_dev_default_mac_addr_set(port->ethdev, &mac);
	if (ret == 0) {
		port->mac_set = true;
		return 0;
	}
	if (ret != -ENOTSUP)
		return refused(port, ret, "setting the MAC address", err);
	/* We fill in and compare addresses ourselves; the device only must not filter. */
	ret = rte_eth_promiscuous_enable(port->ethdev);
	if (ret == 0) {
		port->promiscuous = true;
		return 0;
	}
	if (ret == -ENOTSUP && strcmp(rte_bus_name(rte_dev_bus(info->device)), "vdev") == 0)
		return 0; /* a virtual device without either has no filter */
	return refused(port, ret, "it takes no other MAC address, and not promiscuous mode", err);
}

static int
mtu_open(struct port *port, const struct port_config *config, const struct rte_eth_dev_info *info,
	char err[PORT_ERR_LEN])
{
	uint32_t room = rte_pktmbuf_data_room_size(config->pool) - RTE_PKTMBUF_HEADROOM;
	int ret;

	port->mtu = config->mtu != 0 ? config->mtu : port->device_mtu;
	if ((uint32_t)port->mtu + PORT_L2_MAX > room)
		return port_error(err, -EINVAL,
			"port %s: an MTU of %u does not fit buffers of %u bytes", port->name,
			port->mtu, room);
	if (port->mtu == port->device_mtu)
		return 0;
	ret = rte_eth_dev_set_mtu(port->ethdev, port->mtu);
	/* Rings and the like know no MTU: it is ours to keep. */
	if (ret == -ENOTSUP && (uint64_t)port->mtu + RTE_ETHER_HDR_LEN <= info->max_rx_pktlen)
		return 0;
	if (ret != 0)
		return refused(port, ret, "setting the MTU", err);
	port->mtu_set = true;
	return 0;
}

static int
queues_open(struct port *port, const struct port_config *config,
	const struct rte_eth_dev_info *info, char err[PORT_ERR_LEN])
{
	uint16_t rx = config->rx_desc, tx = config->tx_desc, q;
	int socket = rte_eth_dev_socket_id(port->ethdev);
	struct rte_eth_rxconf rxconf = info->default_rxconf;
	int ret;

	if (rx == 0)
		rx = info->default_rxportconf.ring_size ? info->default_rxportconf.ring_size
							: DESC_DEFAULT;
	if (tx == 0)
		tx = info->default_txportconf.ring_size ? info->default_txportconf.ring_size
							: DESC_DEFAULT;
	ret = rte_eth_dev_adjust_nb_rx_tx_desc(port->ethdev, &rx, &tx);
	if (ret != 0)
		return refused(port, ret, "descriptors", err);
	rxconf.offloads = port->rx_offloads;
	for (q = 0; q < port->rx_queues; q++) {
		ret = rte_eth_rx_queue_setup(
			port->ethdev, q, rx, (unsigned int)socket, &rxconf, config->pool);
		if (ret != 0)
			return refused(port, ret, "receive queue", err);
	}
	for (q = 0; q < port->tx_queues; q++) {
		ret = rte_eth_tx_queue_setup(port->ethdev, q, tx, (unsigned int)socket, NULL);
		if (ret != 0)
			return refused(port, ret, "transmit queue", err);
	}
	return 0;
}

static int
device_configure(struct port *port, const struct port_config *config, char err[PORT_ERR_LEN])
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = {0};
	int ret;

	ret = rte_eth_dev_info_get(port->ethdev, &info);
	if (ret != 0)
		return refused(port, ret, "device information", err);
	snprintf(port->driver, sizeof(port->driver), "%s", info.driver_name);
	if (info.max_rx_queues == 0 || info.max_tx_queues == 0)
		return port_error(err, -ENOTSUP, "port %s (%.100s): the device has no %s queue",
			port->name, port->device, info.max_rx_queues == 0 ? "receive" : "transmit");
	if (rte_eth_dev_get_mtu(port->ethdev, &port->device_mtu) != 0)
		port->device_mtu = RTE_ETHER_MTU;
	ret = kernel_open(port, &info, err);
	if (ret != 0)
		return ret;
	port->rx_queues = RTE_MIN(config->workers, info.max_rx_queues);
	port->tx_queues = RTE_MIN(config->workers, info.max_tx_queues);
	port->rx_offloads = info.rx_offload_capa & CHECKSUMS;
	conf.rxmode.offloads = port->rx_offloads;
	port_rss_plan(port, config, &info, &conf, &wishes[port->index]);
	ret = rte_eth_dev_configure(port->ethdev, port->rx_queues, port->tx_queues, &conf);
	if (ret != 0)
		return refused(port, ret, "configuration", err);
	ret = mac_open(port, config, &info, err);
	if (ret == 0)
		ret = mtu_open(port, config, &info, err);
	if (ret == 0)
		ret = queues_open(port, config, &info, err);
	return ret;
}

/* Undo what device_configure() changed, also half of it, and let the device go. */
static void
device_restore(struct port *port)
{
	struct rte_ether_addr mac = port->device_mac;
	int ret;

	if (port->mac_set)
		rte_eth_dev_default_mac_addr_set(port->ethdev, &mac);
	if (port->mtu_set)
		rte_eth_dev_set_mtu(port->ethdev, port->device_mtu);
	if (port->promiscuous)
		rte_eth_promiscuous_disable(port->ethdev);
	ret = port_kernel_restore(&port->kernel);
	if (ret != 0)
		log_warning("port %s: the offloads of interface %s could not be restored: %s",
			port->name, port->kernel.name, rte_strerror(-ret));
	port_device_close(port->ethdev, port->probed);
}

static struct port *
free_slot(void)
{
	uint16_t i;

	for (i = 0; i < PORT_MAX; i++) {
		if (!port_table[i].used) {
			memset(&port_table[i], 0, sizeof(port_table[i]));
			port_table[i].index = i;
			return &port_table[i];
		}
	}
	return NULL;
}

int
port_open(const struct port_config *config, const struct port **out, char err[PORT_ERR_LEN])
{
	struct port *port;
	int ret = config_check(config, err);

	if (ret != 0)
		return ret;
	port = free_slot();
	if (port == NULL)
		return port_error(err, -ENOSPC, "port %s: there are %u ports already", config->name,
			PORT_MAX);
	ret = port_device_open(config->device, &port->ethdev, &port->probed, err);
	if (ret != 0)
		return ret;
	snprintf(port->name, sizeof(port->name), "%s", config->name);
	snprintf(port->device, sizeof(port->device), "%s", config->device);
	port->workers = config->workers;
	port->rss = config->workers == 1 ? PORT_RSS_SINGLE : PORT_RSS_SPREAD;
	ret = device_configure(port, config, err);
	if (ret != 0) {
		device_restore(port);
		return ret;
	}
	rte_eth_stats_reset(port->ethdev);
	port_map_queues(port);
	port->used = true;
	*out = port;
	return 0;
}

int
port_start(uint16_t index, char err[PORT_ERR_LEN])
{
	struct port *port = index < PORT_MAX ? &port_table[index] : NULL;
	int ret;

	if (port == NULL || !port->used)
		return port_error(err, -EINVAL, "there is no port %u", index);
	if (port->started)
		return port_error(err, -EINVAL, "port %s runs already", port->name);
	ret = rte_eth_dev_start(port->ethdev);
	if (ret != 0)
		return refused(port, ret, "start", err);
	/* Some drivers write their own key and RETA at start: so after it. */
	port->rss = port_rss_apply(port, &wishes[index]);
	port->started = true;
	port_link_poll(NULL, NULL);
	return 0;
}

void
port_stop(uint16_t index)
{
	struct port *port = index < PORT_MAX ? &port_table[index] : NULL;

	if (port == NULL || !port->used || !port->started)
		return;
	rte_eth_dev_stop(port->ethdev);
	port->started = false;
	__atomic_store_n(&port->up, false, __ATOMIC_RELAXED);
}

void
port_close(uint16_t index)
{
	struct port *port = index < PORT_MAX ? &port_table[index] : NULL;

	if (port == NULL || !port->used)
		return;
	port_stop(index);
	device_restore(port);
	port->used = false;
}

void
port_close_all(void)
{
	uint16_t i;

	for (i = 0; i < PORT_MAX; i++)
		port_close(i);
}
