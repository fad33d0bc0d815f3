/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The ruleset of the daemon: store, nft socket, and what the workers run of it.
 * Control thread, save where it says otherwise.
 */
#ifndef SHUNT_APP_RULESET_H
#define SHUNT_APP_RULESET_H

#include "daemon.h"
#include "load.h"
#include "nft_server.h"
#include "store.h"
#include "trace.h"

/** Log statements that wait to become events; more are counted and lost. */
#define LOG_RING 1024

/** Trace events that wait for the control thread; more are counted and lost. */
#define TRACE_RING 4096

/** A log statement that a packet reached. */
struct log_record {
	char prefix[128];
	struct tuple tuple;
	uint32_t level;
	uint16_t in_port, out_port, len;
	uint8_t hook, worker;
	uint8_t flags; /**< NF_LOG_*: which of what follows is wanted */
	uint8_t ip_options_len, tcp_len;
	uint8_t ether[12]; /**< destination and source */
	uint8_t ip_options[40];
	uint8_t tcp[60]; /**< the header with its options */
};

/** What is in force, or is about to be. */
struct ruleset_live {
	struct nft_ruleset *rules;
	struct hooks hooks;
};

struct ctnetlink;
struct follow;

struct ruleset {
	struct daemon *daemon;
	struct nft_states *states;
	struct store *store;
	struct nft_wire *wire;
	struct nft_server *server;
	struct nft_backend backend;
	struct follow *follow;	     /**< `follow: kernel`; else NULL */
	struct ctnetlink *ctnetlink; /**< NULL: there is no dataplane */
	struct ruleset_live *current, *prepared, *old;
	struct loop_timer *timer; /**< while a commit waits for the workers */
	uint64_t committed_ns;
	bool late; /**< and has waited too long: an event said so */
	void (*done)(void *arg);
	void *done_arg;
	uint32_t generation; /**< of hooks */
};

/**
 * Load a file through the nft socket, as `nft -f` would; the loop runs
 * meanwhile.
 * @return 0, or a negative errno with what nft said in err
 */
int ruleset_file(struct loop *loop, const char *socket, const char *file, char err[DAEMON_ERR_LEN]);

/** What the process that ruleset_file() starts does. @return its exit status */
int ruleset_load_main(const char *socket, const char *file);

/**
 * Serve ctnetlink on the nft socket: before it has clients. ctnetlink.c
 * @return NULL without memory
 */
struct ctnetlink *ctnetlink_new(struct daemon *d, struct nft_wire *wire);

/** Free. The workers have stopped; the nft socket has no clients any more. NULL is fine. */
void ctnetlink_free(struct ctnetlink *c);

/** The dataplane as expressions see it, of the daemon that owns the ruleset. Static. */
const struct nft_env *ruleset_env(struct daemon *d);

/** Turn log records of packets into events. */
void ruleset_log(struct daemon *d);

/* ruleset_trace.c */
/** Somebody listens to trace events. Control thread: rw, workers: ro. */
extern _Atomic bool ruleset_tracing;
/** An event; only while somebody listens. Worker. */
void ruleset_trace_event(const struct nft_trace_event *event);
/** Somebody listens now, or nobody does any more. @param ctx the ruleset */
void ruleset_trace_listen(void *ctx, bool on);
/** Tell clients what packets did so far. Before a program goes: events point into it. */
void ruleset_trace(struct ruleset *r);
/** Forget those that nobody was told of. The workers have stopped. */
void ruleset_trace_free(void);

#endif
