/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The server side of ctnetlink (reference: net/netfilter/nf_conntrack_netlink.c):
 * datagrams in, datagrams out; who carries them, and who reaches the workers, is
 * the owner's business. Connections are read and changed by the workers that own
 * them, in short pieces; a request is answered when all of it is done, a change
 * or an end when no NIC carries by the old state any more.
 *
 * Control thread only.
 */
#ifndef SHUNT_CONNTRACK_CONNTRACK_SOCKET_H
#define SHUNT_CONNTRACK_CONNTRACK_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct conntrack;
struct conntrack_event;

/** A question to a worker. */
struct ctnl_call {
	STAILQ_ENTRY(ctnl_call) link;		      /**< the owner's, from ask() to done() */
	void (*run)(struct conntrack *ct, void *arg); /**< short; on the worker's thread */
	void (*done)(void *arg); /**< afterwards, on the control thread; also from within ask() */
	void *arg;
};

/** What the owner does. */
struct ctnl_backend {
	void *ctx;
	unsigned int workers;
	uint32_t max; /**< nf_conntrack_max */
	/** Have a worker run a question between two walks; in the order of asking. */
	void (*ask)(void *ctx, unsigned int worker, struct ctnl_call *call);
	/** Call done() in about a millisecond; run is not called. */
	void (*later)(void *ctx, struct ctnl_call *call);
	/** Somebody listens to these groups now (enum conntrack_group), who did not before. */
	void (*listen)(void *ctx, uint32_t groups);
};

/** Where a client's datagrams go. */
struct ctnl_peer {
	void *ctx;
	uint32_t port; /**< who it is, to those who see events of what it does; not 0 */
	/**
	 * A datagram of at most 4,096 bytes; copied by the callee. event: a
	 * notification, not an answer; NULL then says that some were lost.
	 */
	void (*send)(void *ctx, const void *datagram, size_t len, bool event);
	/** Bytes of answers that it has not read yet. */
	size_t (*backlog)(void *ctx);
	/** The request is answered. */
	void (*done)(void *ctx);
};

struct ctnl;
struct ctnl_client;

/** Create. @param backend copied. @return NULL without memory */
struct ctnl *ctnl_new(const struct ctnl_backend *backend);

/** Free. All clients are gone, and the workers have stopped: what they were asked is forgotten.
 * NULL is fine. */
void ctnl_free(struct ctnl *ctnl);

/** A client. @param peer copied. @return NULL without memory */
struct ctnl_client *ctnl_client_new(struct ctnl *ctnl, const struct ctnl_peer *peer);

/** It went away; while its request is unanswered, too: the peer is not called any more. */
void ctnl_client_free(struct ctnl_client *client);

/**
 * Handle a datagram: messages of NFNL_SUBSYS_CTNETLINK and CTNETLINK_EXP. One
 * request a client at a time; peer.done tells when it is answered, which may be
 * from within.
 * @param req copied
 */
void ctnl_client_request(struct ctnl_client *client, const void *req, size_t len);

/** The groups that it listens to now. @param groups enum conntrack_group */
void ctnl_client_listen(struct ctnl_client *client, uint32_t groups);

/** Tell those who listen. */
void ctnl_tell(struct ctnl *ctnl, const struct conntrack_event *event);

/** Events were lost before they came here: tell all who listen. */
void ctnl_lost(struct ctnl *ctnl);

#endif
