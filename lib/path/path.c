/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "path.h"

#include <errno.h>

#include "worker.h"

/* Entries of the wheel that one walk looks at. */
#define EXPIRE_WORK 512

void
path_set_hooks(struct path *path, const struct hooks *hooks)
{
	rcu_publish(&path->hooks, hooks);
	if (path->config.offload != NULL && hooks != NULL)
		offload_set_generation(path->config.offload, hooks->generation);
}

bool
path_latched(const struct path *path)
{
	for (unsigned int i = 0; i < path->config.workers; i++)
		if (atomic_load_explicit(&path->workers[i]->latched, memory_order_acquire) !=
			path->hooks)
			return false;
	return path->config.offload == NULL || offload_flushed(path->config.offload);
}

int
path_prepare(struct path *path)
{
	int rc = 0;

	for (unsigned int i = 0; i < path->config.workers && rc == 0; i++) {
		rc = conntrack_prepare(&path->workers[i]->conntrack);
		if (rc == 0)
			rc = nat_prepare(&path->workers[i]->nat);
	}
	return rc;
}

/*
 * Rules or routes changed: no recorded walk holds any more. When the numbers
 * are used up, the records that still have old ones are reset in one sweep.
 */
static void
unsettle_all(struct worker *w)
{
	if (w->settled < UINT8_MAX) {
		w->ct->settled = ++w->settled;
		return;
	}
	for (unsigned int i = 0; i < 2; i++) {
		struct flow_table *table = &w->ct->table[i];

		for (uint32_t record = 0; record < 2 * table->fresh_pair; record++) {
			struct flow_tail *tail = flow_tail(table, record);

			if (tail->state >= FLOW_SETTLED)
				tail->state = FLOW_TRACKED;
		}
	}
	w->ct->settled = w->settled = FLOW_SETTLED;
}

/*
 * Other rules: what the old paths have is added to the counters, which control
 * reads after this. While a NIC has rules of theirs, that has to wait for the
 * last counts.
 */
static void
change_hooks(struct worker *w, const struct hooks *hooks)
{
	if (w->hooks != NULL && w->hooks->states != NULL) {
		if (w->rules_out == 0) {
			paths_fold(&w->paths, w->paths.bank, w->hooks->states->counters[w->id]);
		} else {
			w->old_states = w->hooks->states;
			w->rules_old = w->rules_out;
			paths_turn(&w->paths);
		}
	}
	w->hooks = hooks;
}

/* Tell control when nothing is left of older hooks. */
static void
latched(struct worker *w)
{
	if (w->rules_old != 0 ||
		atomic_load_explicit(&w->latched, memory_order_relaxed) == w->hooks)
		return;
	if (w->old_states != NULL)
		paths_fold(&w->paths, !w->paths.bank, w->old_states->counters[w->id]);
	w->old_states = NULL;
	atomic_store_explicit(&w->latched, w->hooks, memory_order_release);
}

/* Take over the clock and what control has published since the last walk. */
static void
latch(struct worker *w)
{
	const struct hooks *hooks;
	const struct route_table *routes;

	rcu_quiescent(w->id);
	w->now_ns = clock_ns();
	w->now_ms = clock_ms32(w->now_ns);
	conntrack_set_clock(w->ct, w->now_ns);
	hooks = rcu_read(&w->path->hooks);
	routes = route_current(w->path->config.route);
	if (hooks != w->hooks && w->rules_old != 0)
		hooks = w->hooks; /* one change at a time */
	if (hooks != w->hooks || routes != w->routes) {
		if (hooks != w->hooks)
			change_hooks(w, hooks);
		w->routes = routes;
		unsettle_all(w);
	}
	if (w->path->config.offload != NULL)
		hardware_events(w);
	latched(w);
}

int
path_ask(struct path *path, unsigned int worker, struct path_call *call)
{
	struct path_call *none = NULL;

	atomic_store(&call->done, false);
	return atomic_compare_exchange_strong(&path->workers[worker]->call, &none, call) ? 0
											 : -EBUSY;
}

/* Answer what control asked. */
static void
answer(struct worker *w)
{
	struct path_call *call = atomic_load_explicit(&w->call, memory_order_acquire);

	if (likely(call == NULL))
		return;
	call->run(w->ct, &w->nat, call->ctx);
	atomic_store_explicit(&w->call, NULL, memory_order_relaxed);
	atomic_store_explicit(&call->done, true, memory_order_release);
}

void
path_walk(struct path *path, unsigned int worker)
{
	struct worker *w = path->workers[worker];

	latch(w);
	rte_graph_walk(w->graph);
	tx_flush(w);
	conntrack_expire(w->ct, EXPIRE_WORK);
	answer(w);
	w->counters.walks++;
}

unsigned int
path_workers(const struct path *path)
{
	return path->config.workers;
}

struct conntrack *
path_conntrack(struct path *path, unsigned int worker)
{
	return path->workers[worker]->ct;
}

struct nat *
path_nat(struct path *path, unsigned int worker)
{
	return &path->workers[worker]->nat;
}

const struct path_counters *
path_counters(const struct path *path, unsigned int worker)
{
	return &path->workers[worker]->counters;
}

struct nft_count
path_read_counter(const struct path *path, const struct nft_states *states, uint32_t counter)
{
	struct nft_count all = {0};

	for (unsigned int i = 0; i < path->config.workers; i++) {
		struct nft_count one =
			paths_read(&path->workers[i]->paths, states->counters[i], counter);

		all.packets += one.packets;
		all.bytes += one.bytes;
	}
	return all;
}

struct path_counter
path_effects(const struct path *path, uint32_t id)
{
	struct path_counter sum = {0};

	for (unsigned int i = 0; i < path->config.workers && id < PATH_IDS; i++) {
		sum.packets += path->workers[i]->effects[id].packets;
		sum.bytes += path->workers[i]->effects[id].bytes;
	}
	return sum;
}

uint64_t
path_bytes(const struct path *path)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < path->config.workers; i++)
		bytes += conntrack_bytes(&path->workers[i]->conntrack) +
			 nat_bytes(&path->workers[i]->nat);
	return bytes;
}

uint64_t
path_in_flight(const struct path *path)
{
	uint64_t frames = 0;

	for (unsigned int i = 0; i < path->config.workers; i++) {
		const struct worker *w = path->workers[i];

		frames += w->nat.held_packets;
		for (unsigned int from = 0; from < path->config.workers; from++) {
			if (w->frames_in[from] == NULL)
				continue;
			frames += rte_ring_count(w->frames_in[from]);
			frames += rte_ring_count(w->tx_in[from]);
		}
	}
	return frames;
}

int64_t
path_conservation(const struct path *path)
{
	uint64_t in = 0, out = path_in_flight(path);

	for (unsigned int i = 0; i < path->config.workers; i++) {
		const struct path_counters *c = &path->workers[i]->counters;

		in += c->received + c->generated;
		out += c->transmitted;
		for (unsigned int reason = 0; reason < DROP_COUNT; reason++)
			out += c->dropped[reason];
	}
	return (int64_t)(in - out);
}
