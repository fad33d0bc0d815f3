/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Within lib/port. Control thread throughout.
 */
#ifndef SHUNT_PORT_PORT_PRIV_H
#define SHUNT_PORT_PORT_PRIV_H

#include <stddef.h>

#include "port.h"

/** The largest table of homes that is taken over to a device. */
#define PORT_RETA_MAX 512

/** What only port_start() still needs of the config. */
struct port_rss_wish {
	bool exact;	    /**< the device offers all that it takes */
	uint16_t size;	    /**< of reta; a power of two */
	uint16_t reta_size; /**< of the device */
	uint64_t hash_functions;
	uint8_t key_len;
	uint8_t reta[PORT_RETA_MAX];
};

/** Write an error text. @return ret */
int port_error(char err[PORT_ERR_LEN], int ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** A driver's return value as a negative errno. */
int port_errno(int ret);

/**
 * Find the ethdev of a device string, or make it, and take its ownership.
 * @param ethdev set on success
 * @param probed whether it was made here
 * @return 0 or as port_open()
 */
int port_device_open(const char *device, uint16_t *ethdev, bool *probed, char err[PORT_ERR_LEN]);

/** Give it back, or remove it. */
void port_device_close(uint16_t ethdev, bool probed);

/**
 * Turn the offloads of a kernel interface off that make it send or deliver what
 * is no frame of a wire: GRO, LRO, TSO, GSO, checksums, VLAN tags out of line.
 * @param kernel filled; kernel->name says the interface
 * @return 0, or a negative errno of the ioctl
 */
int port_kernel_quiet(const char *interface, struct port_kernel *kernel);

/** Ask for what was turned off again. @return 0, or a negative errno: the interface is gone */
int port_kernel_restore(struct port_kernel *kernel);

/** The MTU of a kernel interface, or a negative errno. */
int port_kernel_mtu(const char *interface);

/** Whether a kernel interface is up and has its carrier. Drivers on packet sockets do not always
 * know. */
bool port_kernel_up(const char *interface);

/**
 * Who owns which queue. Reads the other ports, to spread receive queues over
 * the workers that have fewest.
 */
void port_map_queues(struct port *port);

/** What of RSS the device offers; fills conf for rte_eth_dev_configure(). */
void port_rss_plan(const struct port *port, const struct port_config *config,
	const struct rte_eth_dev_info *info, struct rte_eth_conf *conf, struct port_rss_wish *wish);

/** Program key and RETA of a started port, and read them back. @return what it came to */
enum port_rss port_rss_apply(const struct port *port, const struct port_rss_wish *wish);

#endif
