/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The daemon: what its parts share. Control thread, save where it says otherwise.
 */
#ifndef SHUNT_APP_DAEMON_H
#define SHUNT_APP_DAEMON_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "home.h"
#include "loop.h"
#include "offload.h"
#include "path.h"
#include "port.h"
#include "route.h"
#include "rpc_server.h"

/** Bytes that an error text of a part needs at most. */
#define DAEMON_ERR_LEN 512

struct ruleset;

struct daemon_worker {
	struct daemon *daemon;
	unsigned int id; /**< of the dataplane */
	unsigned int cpu;
	unsigned int lcore; /**< EAL's */
	_Atomic bool running;
};

struct daemon {
	struct config *config;
	struct loop *loop;
	struct rpc_server *rpc;
	struct rte_mempool *pool;
	uint32_t pool_size;
	struct home_table homes;
	struct route *route;
	struct offload *offload; /**< NULL: software only */
	pthread_t offload_thread;
	_Atomic bool offload_stop;
	struct path *path;
	struct ruleset *ruleset;
	bool walking; /**< workers are up: what they hold is waited for */
	struct daemon_worker workers[PATH_WORKERS];
	_Atomic bool stop; /**< the workers end */
	struct loop_timer *tick;
	uint64_t started_ns;
	uint64_t fed_walks[PATH_WORKERS]; /**< walks when the watchdog was fed last */
	uint64_t watchdog_ns;		  /**< between two feedings; 0: none */
	uint64_t fed_ns;
	bool hugepages;
};

/** A part of the daemon: brought up in the order of the table, down in reverse. */
struct daemon_part {
	const char *name;
	/** @return 0 or a negative errno, with a sentence in err */
	int (*init)(struct daemon *d, char err[DAEMON_ERR_LEN]);
	void (*fini)(struct daemon *d);
};

/** Bring everything up. On failure nothing is left. @return 0 or a negative errno, err set */
int wiring_up(struct daemon *d, char err[DAEMON_ERR_LEN]);
/** Take everything down. */
void wiring_down(struct daemon *d);

/* eal.c */
int eal_init(struct daemon *d, char err[DAEMON_ERR_LEN]);
void eal_fini(struct daemon *d);
/** Packet buffers that a config needs. */
uint32_t eal_buffers(const struct config *config);
/** Megabytes of EAL memory that a config needs. */
uint32_t eal_megabytes(const struct config *config);
/** Free 2 MB huge pages, in megabytes. */
uint64_t eal_hugepages_mb(void);

/* ports.c */
int ports_init(struct daemon *d, char err[DAEMON_ERR_LEN]);
void ports_fini(struct daemon *d);

/* routes.c */
int routes_init(struct daemon *d, char err[DAEMON_ERR_LEN]);
void routes_fini(struct daemon *d);

/* offload.c */
int offload_init(struct daemon *d, char err[DAEMON_ERR_LEN]);
void offload_fini(struct daemon *d);
/** The method show.offload. */
void offload_show(void *ctx, const json_t *params, struct rpc_reply *reply);

/* connections.c: their methods of the control socket. @return 0 or a negative errno */
int connections_init(struct daemon *d);

/* dataplane.c */
int dataplane_init(struct daemon *d, char err[DAEMON_ERR_LEN]);
void dataplane_fini(struct daemon *d);

/* workers.c */
int workers_init(struct daemon *d, char err[DAEMON_ERR_LEN]);
void workers_fini(struct daemon *d);

/* ruleset.c */
/** Load the ruleset file into a store without a dataplane. @return 0, or why not with err */
int ruleset_check(struct config *config, char err[DAEMON_ERR_LEN]);
/** The hooks in force, rows for `show program`. @return a new reference */
json_t *ruleset_program(const struct daemon *d);
int ruleset_init(struct daemon *d, char err[DAEMON_ERR_LEN]);
void ruleset_fini(struct daemon *d);

/* notify.c: systemd's notification socket; nothing without one. */
void notify(const char *state);
/** Half the watchdog's period in nanoseconds, 0 without. */
uint64_t notify_watchdog_ns(void);

/* show.c: the methods of the control socket. */
int show_init(struct daemon *d, char err[DAEMON_ERR_LEN]);
void show_fini(struct daemon *d);

#endif
