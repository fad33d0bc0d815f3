/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building the dataplane and taking it down: tables, rings, graphs.
 */
#include "path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_mbuf_dyn.h>

#include "pipeline.h"

/* A record seen within the shortest timeout that a settled connection can have is alive. */
static uint32_t
fresh_ms(const struct tracker_config *t)
{
	uint32_t least = RTE_MIN(t->udp_ms, t->udp_stream_ms);

	least = RTE_MIN(least, t->tcp.timeout_ms[CT_TCP_ESTABLISHED]);
	least = RTE_MIN(least, t->tcp.timeout_ms[CT_TCP_RETRANS]);
	return RTE_MIN(least, t->tcp.timeout_ms[CT_TCP_UNACK]);
}

static int
egress_address(void *ctx, const struct pkt *pkt, union address *addr)
{
	const struct worker *w = ctx;

	memset(addr, 0, sizeof(*addr));
	if (pkt->flags & PKT_IPV6)
		return route_source6(w->routes, pkt->out_port, &pkt->tuple.dst, addr);
	return route_masquerade4(w->routes, pkt->nexthop, pkt->tuple.dst.v4, &addr->v4);
}

static int
ingress_address(void *ctx, const struct pkt *pkt, union address *addr)
{
	const struct worker *w = ctx;

	memset(addr, 0, sizeof(*addr));
	if (pkt->flags & PKT_IPV6)
		return route_redirect6(w->routes, pkt->in_port, &pkt->tuple.dst, addr);
	return route_redirect4(w->routes, pkt->in_port, &addr->v4);
}

/* Two bits of mbuf->ol_flags for frames between workers. */
static int
flag_bit(const char *name, uint64_t *flag)
{
	struct rte_mbuf_dynflag desc = {0};
	int bit;

	snprintf(desc.name, sizeof(desc.name), "%s", name);
	bit = rte_mbuf_dynflag_register(&desc);
	if (bit < 0)
		return -ENOSPC;
	*flag = 1ULL << bit;
	return 0;
}

static struct worker *
worker_create(struct path *path, uint8_t id)
{
	struct worker *w =
		aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(sizeof(*w), RTE_CACHE_LINE_SIZE));
	const struct path_config *config = &path->config;

	if (w == NULL)
		return NULL;
	memset(w, 0, sizeof(*w));
	w->id = id;
	w->path = path;
	w->alone = config->workers == 1;
	w->homes = &path->homes;
	w->ct = &w->conntrack;
	w->fresh_ms = fresh_ms(&config->conntrack.tracker);
	if (paths_init(&w->paths) != 0) {
		free(w);
		return NULL;
	}
	w->effects = w->paths.effects;
	for (unsigned int i = 0; i < config->queue_count; i++)
		if (config->queues[i].worker == id)
			w->queues[w->queue_count++] = config->queues[i];
	if (conntrack_init(&w->conntrack, id, config->start_connections, config->secret,
		    &path->config.conntrack, &path->shared) != 0)
		goto fail;
	if (nat_init(&w->nat, &w->conntrack, &path->homes, config->secret[id % 4] + id) != 0) {
		conntrack_fini(&w->conntrack);
		goto fail;
	}
	w->settled = w->conntrack.settled = FLOW_SETTLED;
	if (config->offload != NULL) {
		w->conntrack.withdraw = hardware_withdraw;
		w->conntrack.withdraw_ctx = w;
	}
	w->nat.routes = (struct nat_routes){egress_address, ingress_address, w};
	if (!w->alone) {
		w->nat.reserve = handoff_reserve;
		w->nat.unreserve = handoff_unreserve;
		w->nat.reserve_ctx = w;
	}
	return w;

fail:
	paths_fini(&w->paths);
	free(w);
	return NULL;
}

static struct rte_ring *
ring_create(const struct path *path, const char *kind, unsigned int from, unsigned int to)
{
	char name[RTE_RING_NAMESIZE];
	unsigned int size = kind[0] == 'm' ? sizeof(struct message) : sizeof(void *);

	snprintf(name, sizeof(name), "%.8s-%.8s-%u-%u", path->config.name, kind,
		from % PATH_WORKERS, to % PATH_WORKERS);
	return rte_ring_create_elem(name, size, kind[0] == 'm' ? RING_MESSAGES : RING_FRAMES,
		SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

/* A frame ring, a transmit ring and a message ring for each ordered pair. */
static int
rings_create(struct path *path)
{
	for (unsigned int from = 0; from < path->config.workers; from++) {
		for (unsigned int to = 0; to < path->config.workers; to++) {
			struct worker *a = path->workers[from], *b = path->workers[to];

			if (from == to)
				continue;
			b->frames_in[from] = a->frames_out[to] =
				ring_create(path, "frames", from, to);
			b->tx_in[from] = a->tx_out[to] = ring_create(path, "tx", from, to);
			b->messages_in[from] = a->messages_out[to] =
				ring_create(path, "messages", from, to);
			if (a->frames_out[to] == NULL || a->tx_out[to] == NULL ||
				a->messages_out[to] == NULL)
				return -ENOMEM;
		}
	}
	return 0;
}

struct path *
path_create(const struct path_config *config, char *err, size_t err_size)
{
	struct path *path;
	int rc = 0;

	if (config->workers == 0 || config->workers > PATH_WORKERS) {
		snprintf(err, err_size, "%u workers: 1 to %d are possible", config->workers,
			PATH_WORKERS);
		errno = EINVAL;
		return NULL;
	}
	path = calloc(1, sizeof(*path));
	if (path == NULL)
		return NULL;
	path->config = *config;
	atomic_store(&path->shared.left, config->conntrack.max);
	for (unsigned int i = 0; i < PATH_PORTS; i++)
		if (config->ports[i].used)
			path->port_count = i + 1;
	rc = home_table_init(&path->homes, (uint8_t)config->workers);
	for (uint8_t i = 0; i < config->workers && rc == 0; i++) {
		path->workers[i] = worker_create(path, i);
		rc = path->workers[i] == NULL ? -ENOMEM : 0;
		if (rc == 0)
			rc = flag_bit("shunt_handed", &path->workers[i]->handed_flag);
		if (rc == 0)
			rc = flag_bit("shunt_returned", &path->workers[i]->returned_flag);
		if (rc == 0)
			rc = pipeline_create(path->workers[i], config->name);
	}
	if (rc == 0)
		rc = rings_create(path);
	if (rc != 0) {
		snprintf(err, err_size, "the dataplane could not be built: %s", strerror(-rc));
		path_destroy(path);
		errno = -rc;
		return NULL;
	}
	return path;
}

/* What is left in a ring between workers goes uncounted by nobody. */
static void
drain(struct worker *w, struct rte_ring *ring)
{
	void *m;

	while (ring != NULL && rte_ring_sc_dequeue(ring, &m) == 0)
		worker_drop(w, m, DROP_SHUTDOWN);
}

static void
worker_destroy(struct worker *w)
{
	if (w == NULL)
		return;
	for (unsigned int i = 0; i < PATH_WORKERS; i++) {
		drain(w, w->frames_in[i]);
		drain(w, w->tx_in[i]);
		rte_ring_free(w->frames_in[i]);
		rte_ring_free(w->tx_in[i]);
		rte_ring_free(w->messages_in[i]);
	}
	pipeline_destroy(w);
	nat_fini(&w->nat);
	conntrack_fini(&w->conntrack);
	paths_fini(&w->paths);
	free(w);
}

void
path_destroy(struct path *path)
{
	if (path == NULL)
		return;
	for (unsigned int i = 0; i < PATH_WORKERS; i++)
		worker_destroy(path->workers[i]);
	free(path);
}
