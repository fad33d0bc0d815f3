/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The structure of the config file for libcyaml: which keys there are, and which
 * of them are lists or mappings. Every scalar stays text here: libcyaml takes
 * "1x" for a number and any word for a boolean, config_check.c does not.
 */
#ifndef SHUNT_APP_CONFIG_SCHEMA_H
#define SHUNT_APP_CONFIG_SCHEMA_H

#include "config_place.h"

struct raw_port {
	char *name;
	char *device;
	char **addresses;
	unsigned int addresses_count;
	char *mtu;
	char *mac;
};

struct raw_route {
	char *to;
	char *via;
};

struct raw_neighbour {
	char *port;
	char *address;
	char *mac;
};

struct raw_timeouts {
#define X(name, seconds) char *name;
	CONFIG_TIMEOUTS(X)
#undef X
};

struct raw_runtime {
	char **workers;
	unsigned int workers_count;
	char *memory;
	char *idle;
	char **eal;
	unsigned int eal_count;
	char *engine;
};

struct raw_host {
	char *twins;
	char *netns;
};

struct raw_conntrack {
	char *max;
	struct raw_timeouts timeouts;
};

struct raw_offload {
	char *mode;
};

struct raw_control {
	char *socket;
	char *nft;
	char *admin_group;
	char *view_group;
};

/** The file as text; what is not in it is NULL or empty. */
struct raw_config {
	struct raw_runtime runtime;
	struct raw_port *ports;
	unsigned int ports_count;
	struct raw_host host;
	struct raw_route *routes;
	unsigned int routes_count;
	struct raw_neighbour *neighbours;
	unsigned int neighbours_count;
	char *ruleset;
	char *follow;
	struct raw_conntrack conntrack;
	struct raw_offload offload;
	struct raw_control control;
};

/**
 * Load a text that has been indexed.
 * @return 0; -EINVAL with error set: an unknown key, or a value of the wrong
 *         kind; -ENOMEM
 */
int raw_load(const char *text, size_t len, const struct place_index *index, struct raw_config **out,
	struct place_error *error);

/** Free it. NULL is fine. */
void raw_free(struct raw_config *raw);

#endif
