/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctnetlink behind the nft socket: its clients are the socket's, its questions go
 * to the workers one at a time each, and their events come from rings.
 */
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>

#include "conntrack_events.h"
#include "conntrack_socket.h"
#include "nft_wire.h"
#include "ruleset.h"

/* How often it is looked whether a worker has answered, and for events. */
#define LOOK_NS	 (100 * 1000)
#define EVENT_NS NS_PER_MS

STAILQ_HEAD(call_queue, ctnl_call);

/* A worker as it is asked. */
struct lane {
	struct ctnetlink *owner;
	unsigned int worker;
	struct call_queue queue;
	struct ctnl_call *current; /* in the worker's hands, or to be put there */
	struct path_call call;
	bool asked;
	struct conntrack_ring *ring; /* NULL: nobody has listened yet */
	uint64_t lost;		     /* of the ring's, as listeners were told */
	struct ctnl_call listen;
	bool listening;	   /* what the worker does */
	bool listen_asked; /* it is being told otherwise */
};

struct ctnetlink {
	struct daemon *daemon;
	struct ctnl *ctnl;
	struct nft_subsystem subsystem;
	struct loop_timer *look;
	struct loop_timer *tick;
	bool looking, ticking;
	struct call_queue later;
	uint32_t groups;
	unsigned int workers;
	struct lane lanes[PATH_WORKERS];
};

/* --- questions */

static void
run(struct conntrack *ct, struct nat *nat, void *arg)
{
	struct lane *lane = arg;

	(void)nat;
	lane->current->run(ct, lane->current->arg);
}

/* Have the worker run what is at hand. One that stands is nobody's: it is done here. */
static void
put(struct lane *lane)
{
	struct daemon *d = lane->owner->daemon;

	if (d->walking) {
		lane->asked = path_ask(d->path, lane->worker, &lane->call) == 0;
		return;
	}
	run(path_conntrack(d->path, lane->worker), NULL, lane);
	atomic_store(&lane->call.done, true);
	lane->asked = true;
}

/* Take the answer if it is there, and ask the next. False: there is nothing to wait for. */
static bool
serve(struct lane *lane)
{
	struct ctnl_call *call = lane->current;

	if (call != NULL && lane->asked &&
		atomic_load_explicit(&lane->call.done, memory_order_acquire)) {
		lane->current = NULL;
		call->done(call->arg);
	}
	if (lane->current == NULL && !STAILQ_EMPTY(&lane->queue)) {
		lane->current = STAILQ_FIRST(&lane->queue);
		STAILQ_REMOVE_HEAD(&lane->queue, link);
		lane->asked = false;
	}
	/* Somebody else's question may have been in the way. */
	if (lane->current != NULL && !lane->asked)
		put(lane);
	return lane->current != NULL;
}

static void
look(void *arg)
{
	struct ctnetlink *c = arg;
	bool more = false;

	for (unsigned int i = 0; i < c->workers; i++)
		more = serve(&c->lanes[i]) || more;
	if (more == c->looking)
		return;
	c->looking = more;
	if (more)
		loop_timer_arm(c->look, LOOK_NS, LOOK_NS);
	else
		loop_timer_disarm(c->look);
}

static void
ask(void *ctx, unsigned int worker, struct ctnl_call *call)
{
	struct ctnetlink *c = ctx;
	struct lane *lane = &c->lanes[worker];

	STAILQ_INSERT_TAIL(&lane->queue, call, link);
	(void)(lane->current == NULL && serve(lane));
	if (!c->looking) {
		c->looking = true;
		loop_timer_arm(c->look, LOOK_NS, LOOK_NS);
	}
}

static void
tick_on(struct ctnetlink *c)
{
	if (!c->ticking)
		loop_timer_arm(c->tick, EVENT_NS, EVENT_NS);
	c->ticking = true;
}

static void
later(void *ctx, struct ctnl_call *call)
{
	struct ctnetlink *c = ctx;

	STAILQ_INSERT_TAIL(&c->later, call, link);
	tick_on(c);
}

/* --- events */

/* On the worker's thread. */
static void
run_listen(struct conntrack *ct, void *arg)
{
	struct lane *lane = arg;

	ct->events = lane->listening ? lane->ring : NULL;
}

static void
make_listen(struct lane *lane)
{
	if (lane->listen_asked || lane->listening == (lane->owner->groups != 0))
		return;
	lane->listening = !lane->listening;
	lane->listen_asked = true;
	ask(lane->owner, lane->worker, &lane->listen);
}

static void
listen_done(void *arg)
{
	struct lane *lane = arg;

	lane->listen_asked = false;
	make_listen(lane);
}

static void
listen_to(void *ctx, uint32_t groups)
{
	struct ctnetlink *c = ctx;

	c->groups = groups;
	for (unsigned int i = 0; i < c->workers; i++) {
		struct lane *lane = &c->lanes[i];

		if (lane->ring == NULL)
			lane->ring = conntrack_ring_new();
		if (lane->ring == NULL) {
			/* Without a ring nothing comes: that is a loss. */
			ctnl_lost(c->ctnl);
			continue;
		}
		atomic_store_explicit(&lane->ring->groups, groups, memory_order_relaxed);
		make_listen(lane);
	}
	tick_on(c);
}

static void
drain(struct lane *lane)
{
	struct ctnl *ctnl = lane->owner->ctnl;
	struct conntrack_event event;
	uint64_t lost;

	if (lane->ring == NULL)
		return;
	/* No more than it holds, or a busy worker would keep the thread here. */
	for (unsigned int i = 0; i < CONNTRACK_EVENTS; i++) {
		if (!conntrack_ring_take(lane->ring, &event))
			break;
		ctnl_tell(ctnl, &event);
	}
	lost = atomic_load_explicit(&lane->ring->lost, memory_order_relaxed);
	if (lost != lane->lost)
		ctnl_lost(ctnl);
	lane->lost = lost;
}

static void
tick(void *arg)
{
	struct ctnetlink *c = arg;
	struct call_queue due = STAILQ_HEAD_INITIALIZER(due);
	struct ctnl_call *call;

	for (unsigned int i = 0; i < c->workers; i++)
		drain(&c->lanes[i]);
	/* Those that come back with a wish to wait again wait for the next time. */
	STAILQ_CONCAT(&due, &c->later);
	while ((call = STAILQ_FIRST(&due)) != NULL) {
		STAILQ_REMOVE_HEAD(&due, link);
		call->done(call->arg);
	}
	if (c->groups == 0 && STAILQ_EMPTY(&c->later)) {
		loop_timer_disarm(c->tick);
		c->ticking = false;
	}
}

/* --- clients */

static void
peer_send(void *ctx, const void *datagram, size_t len, bool event)
{
	nft_client_send(ctx, datagram, len, event);
}

static size_t
peer_backlog(void *ctx)
{
	return nft_client_backlog(ctx);
}

static void
peer_done(void *ctx)
{
	nft_client_done(ctx);
}

/* What ctnl has of a client. NULL: no memory. */
static struct ctnl_client *
client_of(struct ctnetlink *c, struct nft_client *client)
{
	const struct ctnl_peer peer = {
		client, nft_client_number(client), peer_send, peer_backlog, peer_done};
	void **slot = nft_client_slot(client);

	if (*slot == NULL)
		*slot = ctnl_client_new(c->ctnl, &peer);
	return *slot;
}

static void
on_request(void *ctx, struct nft_client *client, const void *req, size_t len)
{
	struct ctnl_client *known = client_of(ctx, client);

	if (known != NULL)
		ctnl_client_request(known, req, len);
	else
		nft_client_done(client);
}

static void
on_groups(void *ctx, struct nft_client *client, uint32_t groups)
{
	uint32_t mine = 0;
	struct ctnl_client *known;

	if (groups & 1U << NFNLGRP_CONNTRACK_NEW)
		mine |= CONNTRACK_GROUP_NEW;
	if (groups & 1U << NFNLGRP_CONNTRACK_UPDATE)
		mine |= CONNTRACK_GROUP_UPDATE;
	if (groups & 1U << NFNLGRP_CONNTRACK_DESTROY)
		mine |= CONNTRACK_GROUP_DESTROY;
	if (mine == 0 && *nft_client_slot(client) == NULL)
		return;
	known = client_of(ctx, client);
	if (known != NULL)
		ctnl_client_listen(known, mine);
}

static void
on_gone(void *ctx, struct nft_client *client)
{
	void **slot = nft_client_slot(client);

	(void)ctx;
	if (*slot != NULL)
		ctnl_client_free(*slot);
	*slot = NULL;
}

/* --- life */

static void
init_lanes(struct ctnetlink *c)
{
	for (unsigned int i = 0; i < c->workers; i++) {
		struct lane *lane = &c->lanes[i];

		lane->owner = c;
		lane->worker = i;
		STAILQ_INIT(&lane->queue);
		lane->call.run = run;
		lane->call.ctx = lane;
		lane->listen.run = run_listen;
		lane->listen.done = listen_done;
		lane->listen.arg = lane;
	}
}

struct ctnetlink *
ctnetlink_new(struct daemon *d, struct nft_wire *wire)
{
	struct ctnetlink *c = calloc(1, sizeof(*c));
	struct ctnl_backend backend = {.ctx = c, .ask = ask, .later = later, .listen = listen_to};

	if (c == NULL)
		return NULL;
	c->daemon = d;
	c->workers = backend.workers = path_workers(d->path);
	backend.max = d->config->conntrack.max;
	STAILQ_INIT(&c->later);
	init_lanes(c);
	c->ctnl = ctnl_new(&backend);
	if (c->ctnl == NULL || loop_timer_create(d->loop, look, c, &c->look) != 0 ||
		loop_timer_create(d->loop, tick, c, &c->tick) != 0) {
		ctnetlink_free(c);
		return NULL;
	}
	c->subsystem = (struct nft_subsystem){c, on_request, on_groups, on_gone};
	nft_wire_serve(wire, &c->subsystem);
	return c;
}

void
ctnetlink_free(struct ctnetlink *c)
{
	if (c == NULL)
		return;
	loop_timer_destroy(c->look);
	loop_timer_destroy(c->tick);
	ctnl_free(c->ctnl);
	for (unsigned int i = 0; i < c->workers; i++)
		free(c->lanes[i].ring);
	free(c);
}
