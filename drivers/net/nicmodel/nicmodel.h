/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * A modelled NIC with an embedded switch: vdev `net_nicmodel*`.
 *
 * Arguments of a port:
 *   iface=NAME     its wire is a kernel interface, by net_af_packet
 *   wire=NAME      its wire is the ethdev of that name, made before
 *   ring=1         its wire is a pair of rings: nicmodel_wire()
 *   mac=XX:...     its MAC address
 *   queues=N       receive and transmit queues at most (4)
 * and of the NIC as a whole, last one wins:
 *   step=1         silicon moves only in nicmodel_step()
 *   rules=N        size of the rule table (1048576): ENOSPC beyond
 *   create_us=N    a create takes so long; with step, so many steps until it acts
 *   destroy_us=N   a destroy takes so long; with step, so many steps of EBUSY
 *   fail_create=N  every N-th create fails with ENOMEM
 *   refuse=NAME    an item or action, by testpmd's name, is not supported
 *   lie=1          validate takes it nevertheless
 *
 * All net_nicmodel ports of a process are ports of one switch.
 */
#ifndef NICMODEL_H
#define NICMODEL_H

#include <stdint.h>

#include <rte_ring.h>

/** What a port's silicon has seen; wire_rx = forwarded + received + missed + dropped. */
struct nicmodel_stats {
	uint64_t wire_rx;   /**< frames from its wire */
	uint64_t wire_tx;   /**< frames out of its wire, whoever sent them */
	uint64_t forwarded; /**< frames from its wire that rules sent out of a wire */
	uint64_t received;  /**< frames from its wire for software */
	uint64_t missed;    /**< the same, without room in the queue or without buffer */
	uint64_t dropped;   /**< frames from its wire that the rules dropped, or a wire refused */
	uint64_t sent;	    /**< frames from its software */
};

/** Statistics of a port. @param port ethdev. @return 0, -ENODEV */
int nicmodel_stats(uint16_t port, struct nicmodel_stats *stats);

/**
 * Change arguments of the NIC as a whole while it runs: "destroy_us=100". What
 * is in the switch stays as it is. @return 0, -EINVAL
 */
int nicmodel_set(const char *args);

/** Rules in the switch. */
uint32_t nicmodel_rules(void);

/** Move the silicon: one burst of every wire and transmit queue. With step=1. @return frames moved
 */
unsigned int nicmodel_step(void);

/** The rings of a port's wire: what goes in, what comes out. With ring=1. @return 0, -ENODEV */
int nicmodel_wire(uint16_t port, struct rte_ring **in, struct rte_ring **out);

#endif
