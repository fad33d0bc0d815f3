/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The config file, read and checked: a struct config in hand means that every
 * value in it is possible. Control thread; immutable once loaded, so a reload
 * makes a new one.
 */
#ifndef SHUNT_APP_CONFIG_H
#define SHUNT_APP_CONFIG_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "tuple.h"

/** The default config file. */
#define CONFIG_FILE "/etc/shunt/shunt.yaml"

/** Bounds: the ports and workers that the libraries take, and lists that a file may have. */
#define CONFIG_PORTS_MAX      32
#define CONFIG_WORKERS_MAX    64
#define CONFIG_ADDRESSES_MAX  1024
#define CONFIG_ROUTES_MAX     4096
#define CONFIG_NEIGHBOURS_MAX 16384

/** Where in the file a thing stands, from 1; line 0: not in the file, a default. */
struct config_place {
	unsigned int line;
	unsigned int column;
};

/** An address with a prefix length, or a prefix. */
struct config_prefix {
	union address address; /**< network order */
	uint8_t family;	       /**< FAMILY_IPV4 or FAMILY_IPV6 */
	uint8_t len;	       /**< bits */
};

struct config_port {
	char *name;   /**< as an interface name */
	char *device; /**< as port_open() takes it */
	struct config_prefix *addresses;
	unsigned int address_count;
	uint16_t mtu; /**< 0: the device's */
	bool has_mac;
	uint8_t mac[6];
	struct config_place place; /**< of device */
};

struct config_route {
	struct config_prefix to;
	union address via; /**< of the family of to */
	unsigned int port; /**< index in ports: has a prefix with via in it */
	struct config_place place;
};

struct config_neighbour {
	unsigned int port; /**< index in ports */
	uint8_t family;
	union address address;
	uint8_t mac[6];
	struct config_place place;
};

/** runtime.idle */
enum config_idle {
	CONFIG_IDLE_ADAPTIVE, /**< back off when there is no traffic */
	CONFIG_IDLE_BUSY,     /**< always poll */
};

/** runtime.engine */
enum config_engine {
	CONFIG_ENGINE_COMPILED,
	CONFIG_ENGINE_REFERENCE,
};

/** offload.mode */
enum config_offload {
	CONFIG_OFFLOAD_OFF,	  /**< every packet through the ruleset */
	CONFIG_OFFLOAD_SOFTWARE,  /**< flow table, no NIC */
	CONFIG_OFFLOAD_FLOWTABLE, /**< NIC for what `flow add` permits */
	CONFIG_OFFLOAD_AUTO,	  /**< NIC for all that is cacheable */
};

/**
 * Conntrack's timeouts: X(name, seconds), in the file's names (the sysctls
 * without nf_conntrack_ and timeout) with Linux's defaults.
 */
#define CONFIG_TIMEOUTS(X)                                                                         \
	X(tcp_syn_sent, 120)                                                                       \
	X(tcp_syn_recv, 60)                                                                        \
	X(tcp_established, 432000)                                                                 \
	X(tcp_fin_wait, 120)                                                                       \
	X(tcp_close_wait, 60)                                                                      \
	X(tcp_last_ack, 30)                                                                        \
	X(tcp_time_wait, 120)                                                                      \
	X(tcp_close, 10)                                                                           \
	X(tcp_max_retrans, 300)                                                                    \
	X(tcp_unacknowledged, 300)                                                                 \
	X(udp, 30)                                                                                 \
	X(udp_stream, 120)                                                                         \
	X(icmp, 30)                                                                                \
	X(icmpv6, 30)                                                                              \
	X(generic, 600)

enum config_timeout {
#define X(name, seconds) CONFIG_TIMEOUT_##name,
	CONFIG_TIMEOUTS(X)
#undef X
		CONFIG_TIMEOUT_COUNT,
};

/** The longest timeout, in seconds: half of what 32 bits of milliseconds tell apart. */
#define CONFIG_TIMEOUT_MAX (INT32_MAX / 1000)

struct config {
	struct {
		unsigned int *workers; /**< CPU ids, ascending order not implied, none twice */
		unsigned int worker_count;
		uint64_t memory; /**< bytes; 0: auto */
		enum config_idle idle;
		char **eal; /**< further EAL arguments */
		unsigned int eal_count;
		enum config_engine engine;
	} runtime;
	struct config_port *ports;
	unsigned int port_count;
	struct config_route *routes;
	unsigned int route_count;
	struct config_neighbour *neighbours;
	unsigned int neighbour_count;
	char *ruleset; /**< path; a relative one has been joined to the config file's folder */
	struct config_place ruleset_place;
	bool follow; /**< the kernel's ruleset is copied, and no file loaded */
	struct {
		uint32_t max;
		uint32_t timeouts[CONFIG_TIMEOUT_COUNT]; /**< seconds */
	} conntrack;
	struct {
		enum config_offload mode;
	} offload;
	struct {
		char *socket;	   /**< path */
		char *nft;	   /**< path */
		gid_t admin_group; /**< (gid_t)-1: the default group does not exist here */
		gid_t view_group;
	} control;
};

/** The config name of a timeout: "tcp_established". Static. */
const char *config_timeout_name(enum config_timeout timeout);

/**
 * Read and check a config file. Every error is written to err as
 * FILE:LINE:COLUMN: TEXT, a line each.
 * @param cpus the CPUs that workers may have (sched_getaffinity); the default
 *        for runtime.workers is all but the first, the only one if there is one
 * @param out set on success; config_free() it
 * @return 0; -EINVAL: errors were written; -ENOMEM; or why the file cannot be
 *         read (-ENOENT, -EACCES, -EISDIR; -EFBIG: over 1 MiB), written too
 */
int config_load(const char *path, const cpu_set_t *cpus, FILE *err, struct config **out);

/** The same from text in memory; path is for messages and for what is relative to it. */
int config_parse(const char *path, const char *text, size_t len, const cpu_set_t *cpus, FILE *err,
	struct config **out);

/** Free it. NULL is fine. */
void config_free(struct config *config);

/** Print what a config says with its defaults, for `shuntd --check`: a line each. */
void config_print(const struct config *config, FILE *out);

/** An address as text. @param buf INET6_ADDRSTRLEN bytes @return buf */
const char *config_address_text(uint8_t family, const union address *address, char *buf);

#endif
