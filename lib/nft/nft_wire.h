/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The userspace nf_tables: netlink messages to and from the store, no sockets
 * (reference: net/netfilter/nf_tables_api.c, nfnetlink.c). Control thread only.
 */
#ifndef SHUNT_NFT_WIRE_H
#define SHUNT_NFT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "states.h"

struct store;
struct store_rule;
struct nft_trace_event;

/** A rule that cannot be. */
struct nft_blame {
	struct store_rule *rule; /**< NULL: none in particular */
};

/** An interface as clients see it (RTM_NEWLINK). */
struct nft_link {
	uint32_t index;
	char name[16];
};

/** What the store's owner does with it. */
struct nft_backend {
	void *ctx;
	/**
	 * Build what the store says now; it is not in force yet.
	 * @return 0, or a negative errno with the blame
	 */
	int (*prepare)(void *ctx, struct store *store, struct nft_blame *blame);
	/**
	 * Put what was prepared in force, and call done once every worker has it
	 * and what it forbids has stopped: from within, or later.
	 */
	void (*commit)(void *ctx, void (*done)(void *arg), void *arg);
	/** What a counter says now. */
	struct nft_count (*read)(void *ctx, uint32_t counter);
	/** The n-th interface. @return false: there are no more */
	bool (*link)(void *ctx, unsigned int n, struct nft_link *link);
};

/** The messages' side of a store. */
struct nft_wire;
/** A client: the groups it joined, its answers' way. */
struct nft_client;

/** Create over a store. @param store, backend owned by the caller. @return NULL without memory */
struct nft_wire *nft_wire_new(struct store *store, const struct nft_backend *backend);

/** Free. All clients are gone, no commit is under way. NULL is fine. */
void nft_wire_free(struct nft_wire *wire);

/**
 * One netlink datagram for a client; copied by the callee.
 * @param datagram NULL, with event: notifications for it were lost
 * @param event a notification, not an answer
 */
typedef void (*nft_send_t)(void *ctx, const void *datagram, size_t len, bool event);

/**
 * Other subsystems of nfnetlink, served elsewhere: NFNL_SUBSYS_CTNETLINK and
 * NFNL_SUBSYS_CTNETLINK_EXP. Their messages are handed on as they came.
 */
struct nft_subsystem {
	void *ctx;
	/** Answer by nft_client_send(), then nft_client_done(); from within, or later. */
	void (*request)(void *ctx, struct nft_client *client, const void *req, size_t len);
	/** It joined or left groups: a bit each, 1 << NFNLGRP_*. */
	void (*groups)(void *ctx, struct nft_client *client, uint32_t groups);
	/** It goes away, and must not be answered any more. */
	void (*gone)(void *ctx, struct nft_client *client);
};

/** Hand on to a subsystem, before there is a client. @param subsystem owned by the caller */
void nft_wire_serve(struct nft_wire *wire, const struct nft_subsystem *subsystem);

/** The number of a client, by nft_client_port(); 0 without. */
uint32_t nft_client_number(const struct nft_client *client);

/** What the subsystem has for a client; NULL at first. */
void **nft_client_slot(struct nft_client *client);

/** Send to a client; as nft_send_t. */
void nft_client_send(struct nft_client *client, const void *datagram, size_t len, bool event);

/** A subsystem's request is answered. */
void nft_client_done(struct nft_client *client);

/** Have nft_client_backlog() ask its carrier. @param backlog bytes of answers it has not taken */
void nft_client_on_backlog(struct nft_client *client, size_t (*backlog)(void *ctx));

/** Bytes of answers that a client has not taken yet; 0 if its carrier does not say. */
size_t nft_client_backlog(const struct nft_client *client);

/** A client. @return NULL without memory */
struct nft_client *nft_client_new(struct nft_wire *wire, nft_send_t send, void *ctx);

/**
 * Who it is, by which tables of flags owner are its own: its process, or if another
 * client is of that too a number of its own, as netlink's port ids are. At once
 * after nft_client_new(). @return the number
 */
uint32_t nft_client_port(struct nft_client *client, uint32_t process);

/** What its process is: Linux tells monitors who made a generation. @param name cut to 15 bytes */
void nft_client_is(struct nft_client *client, uint32_t pid, const char *name);

/**
 * From now on this client alone changes the ruleset, which is a copy of another one
 * (mirror.h); others are refused with EPERM. Its messages give handles, name chains of
 * `jump { }`, and delete what may be gone already.
 */
void nft_client_mirror(struct nft_client *client);

/** It went away; while its request is unanswered, too: done is not called any more. */
void nft_client_free(struct nft_client *client);

/**
 * Handle a request as a client's sendmsg() gave it: one message, or a whole
 * batch. Answers go through send: errors and replies one datagram each, dumps in
 * datagrams of at most 32 KiB.
 * @param protocol NETLINK_NETFILTER or NETLINK_ROUTE
 * @param req copied if it has to wait
 * @param done called when it is fully answered: from within, or later if a
 *   commit waits for the workers, or a batch for another one's commit or listing. One request a
 * client at a time.
 */
void nft_client_request(struct nft_client *client, int protocol, const void *req, size_t len,
	void (*done)(void *ctx), void *ctx);

/** Begin or end to receive a group's events (NFNLGRP_NFTABLES, NFNLGRP_NFTRACE, the subsystem's).
 */
void nft_client_join(struct nft_client *client, unsigned int group);
void nft_client_leave(struct nft_client *client, unsigned int group);

/** Call a function when the first client wants trace events, and when the last one has left. */
void nft_wire_on_tracing(struct nft_wire *wire, void (*tracing)(void *ctx, bool on), void *ctx);

/** Tell all who want to know what befell a traced packet. The event's program is alive. */
void nft_wire_trace(struct nft_wire *wire, const struct nft_trace_event *event);

/**
 * What time brings: batches that waited long enough for a listing of another client
 * (wire_lease.c) go on; and monitors are told what packets have changed since the last
 * call, quotas that are used up (nft_quota_obj_eval). To be called ten times a second. Elements
 * that packets add, and elements whose time is over, are no events, as in Linux.
 */
void nft_wire_look(struct nft_wire *wire);

/** Events of a group were lost before they came here: tell those who want them. */
void nft_wire_lost(struct nft_wire *wire, unsigned int group);

#endif
