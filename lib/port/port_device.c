/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a device string to an ethdev.
 */
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_pci.h>

#include "port_priv.h"

#define OWNER_NAME "shunt"

/* Every ethdev, owned or not; RTE_ETH_FOREACH_DEV leaves the owned ones out. */
#define FOREACH_DEV(id)                                                                            \
	for (id = rte_eth_find_next(0); id < RTE_MAX_ETHPORTS;                                     \
		id = rte_eth_find_next((uint16_t)(id + 1)))

int
port_errno(int ret)
{
	if (ret == 0)
		return 0;
	/* Some drivers return a bare -1 and leave the reason in rte_errno. */
	if (ret == -1)
		return rte_errno > 0 ? -rte_errno : -EIO;
	return ret < 0 ? ret : -ret;
}

static int
own(uint16_t ethdev, const char *device, char err[PORT_ERR_LEN])
{
	static struct rte_eth_dev_owner us = {.name = OWNER_NAME};
	struct rte_eth_dev_owner them;
	int ret;

	if (us.id == RTE_ETH_DEV_NO_OWNER && rte_eth_dev_owner_new(&us.id) != 0)
		return port_error(err, -EIO, "no owner id for %s", device);
	if (port_by_ethdev(ethdev) != NULL)
		return port_error(err, -EBUSY, "device %s is in use by port %s", device,
			port_by_ethdev(ethdev)->name);
	ret = rte_eth_dev_owner_get(ethdev, &them);
	if (ret == 0 && them.id != RTE_ETH_DEV_NO_OWNER)
		return port_error(err, -EBUSY, "device %s belongs to %s", device, them.name);
	ret = port_errno(rte_eth_dev_owner_set(ethdev, &us));
	if (ret != 0)
		return port_error(err, ret, "device %s: %s", device, rte_strerror(-ret));
	return 0;
}

/* The ethdev of a name, hidden or not; PCI devices with several have the address as a prefix. */
static bool
by_name(const char *name, uint16_t *ethdev)
{
	struct rte_eth_dev_info info;
	uint16_t id;

	if (rte_eth_dev_get_port_by_name(name, ethdev) == 0)
		return true;
	FOREACH_DEV(id)
	{
		if (rte_eth_dev_info_get(id, &info) == 0 && info.device != NULL &&
			strcmp(rte_dev_name(info.device), name) == 0) {
			*ethdev = id;
			return true;
		}
	}
	return false;
}

/* Somebody else's: a wire behind another device. Nobody asks for it by what it shares with that. */
static bool
is_hidden(uint16_t ethdev)
{
	struct rte_eth_dev_owner owner;

	return rte_eth_dev_owner_get(ethdev, &owner) == 0 && owner.id != RTE_ETH_DEV_NO_OWNER &&
	       port_by_ethdev(ethdev) == NULL;
}

static bool
by_mac(const struct rte_ether_addr *mac, uint16_t *ethdev)
{
	struct rte_ether_addr have;
	uint16_t id;

	FOREACH_DEV(id)
	{
		if (!is_hidden(id) && rte_eth_macaddr_get(id, &have) == 0 &&
			rte_is_same_ether_addr(&have, mac)) {
			*ethdev = id;
			return true;
		}
	}
	return false;
}

/* A device whose driver left it to the kernel too (mlx5), or one of ours on an interface. */
static bool
by_interface(unsigned int if_index, uint16_t *ethdev)
{
	struct rte_eth_dev_info info;
	uint16_t id;

	FOREACH_DEV(id)
	{
		if (!is_hidden(id) && rte_eth_dev_info_get(id, &info) == 0 &&
			info.if_index == if_index) {
			*ethdev = id;
			return true;
		}
	}
	return false;
}

/* Before the driver fails without a word: does the interface that the arguments name exist? */
static int
check_interface(const char *device, char err[PORT_ERR_LEN])
{
	const char *at = strstr(device, "iface=");
	char name[PORT_NAME_LEN];
	size_t len;

	if (at == NULL)
		return 0;
	at += strlen("iface=");
	len = strcspn(at, ",");
	if (len == 0 || len >= sizeof(name))
		return port_error(
			err, -EINVAL, "device %s: no interface can have that name", device);
	memcpy(name, at, len);
	name[len] = '\0';
	if (if_nametoindex(name) == 0)
		return port_error(
			err, -ENODEV, "device %s: there is no kernel interface %s", device, name);
	return 0;
}

/* Make a device and find its ethdev by the name before the arguments. */
static int
probe(const char *device, uint16_t *ethdev, char err[PORT_ERR_LEN])
{
	char name[PORT_DEVICE_LEN];
	struct rte_pci_addr pci;
	bool is_pci;
	int ret;

	snprintf(name, sizeof(name), "%s", device);
	name[strcspn(name, ",")] = '\0';
	is_pci = rte_pci_addr_parse(name, &pci) == 0;
	if (is_pci)
		rte_pci_device_name(&pci, name, sizeof(name));
	if (by_name(name, ethdev)) {
		if (strchr(device, ',') != NULL)
			return port_error(err, -EBUSY,
				"device %s exists already, without these arguments", name);
		return 1;
	}
	ret = check_interface(device, err);
	if (ret != 0)
		return ret;
	ret = port_errno(rte_dev_probe(device));
	if (ret == -EPERM || ret == -EACCES)
		return port_error(err, ret, "device %s: %s", device, rte_strerror(-ret));
	if (ret != 0)
		return port_error(err, -ENODEV, "device %s: %s (%s)", device,
			is_pci ? "no driver can take it; is it bound to vfio-pci?"
			       : "no DPDK driver can make it",
			rte_strerror(-ret));
	if (!by_name(name, ethdev))
		return port_error(err, -ENODEV, "device %s is no network device", device);
	return 0;
}

/* @return 0 made, 1 found, else an error */
static int
find_or_make(const char *device, uint16_t *ethdev, char err[PORT_ERR_LEN])
{
	char made[PORT_DEVICE_LEN];
	struct rte_ether_addr mac;
	struct rte_pci_addr pci;
	unsigned int if_index;
	char name[PORT_DEVICE_LEN];

	if (strncmp(device, "mac:", 4) == 0) {
		if (rte_ether_unformat_addr(device + 4, &mac) != 0)
			return port_error(err, -EINVAL, "device %s: not a MAC address", device);
		if (!by_mac(&mac, ethdev))
			return port_error(
				err, -ENODEV, "device %s: no device has that MAC address", device);
		return 1;
	}
	if (strncmp(device, "net_", 4) == 0 || strncmp(device, "eth_", 4) == 0)
		return probe(device, ethdev, err);
	snprintf(name, sizeof(name), "%s", device);
	name[strcspn(name, ",")] = '\0';
	if (rte_pci_addr_parse(name, &pci) == 0)
		return probe(device, ethdev, err);
	if (by_name(device, ethdev))
		return 1;
	if_index = if_nametoindex(device);
	if (if_index == 0)
		return port_error(err, -ENODEV,
			"device %s: neither a PCI address, mac:…, a kernel interface nor a DPDK "
			"device",
			device);
	if (by_interface(if_index, ethdev))
		return 1;
	snprintf(made, sizeof(made), "net_af_packet_%s,iface=%s", device, device);
	return probe(made, ethdev, err);
}

int
port_device_open(const char *device, uint16_t *ethdev, bool *probed, char err[PORT_ERR_LEN])
{
	int found = find_or_make(device, ethdev, err);
	int ret;

	if (found < 0)
		return found;
	*probed = found == 0;
	ret = own(*ethdev, device, err);
	if (ret != 0 && *probed)
		port_device_close(*ethdev, true);
	return ret;
}

void
port_device_close(uint16_t ethdev, bool probed)
{
	struct rte_eth_dev_owner owner;
	struct rte_eth_dev_info info;

	if (rte_eth_dev_owner_get(ethdev, &owner) == 0 && owner.id != RTE_ETH_DEV_NO_OWNER)
		rte_eth_dev_owner_unset(ethdev, owner.id);
	if (probed && rte_eth_dev_info_get(ethdev, &info) == 0 && info.device != NULL)
		rte_dev_remove(info.device);
}
