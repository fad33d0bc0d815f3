/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of rules: offered, live, removing, and the last word to the worker.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_errno.h>

#include "clock.h"
#include "offload_priv.h"

/* Calls into the driver in one round, of each kind. */
#define ROUND_CALLS 128
/* Rules that the search for counters to poll looks at in one round. */
#define ROUND_LOOKS 8192

static uint32_t
slot_of(const struct offload *o, uint64_t handle)
{
	uint64_t h = handle * 0x9e3779b97f4a7c15ULL;

	return (uint32_t)(h >> 32) & o->mask;
}

int
rules_init(struct offload *o)
{
	uint32_t max = o->config.max_rules, size = 16;

	while (size < max)
		size *= 2;
	o->mask = size - 1;
	o->rules = calloc(max, sizeof(*o->rules));
	o->offers = calloc(max, sizeof(*o->offers));
	o->heads = malloc(size * sizeof(*o->heads));
	if (o->rules == NULL || o->offers == NULL || o->heads == NULL) {
		rules_fini(o);
		return -ENOMEM;
	}
	memset(o->heads, 0xff, size * sizeof(*o->heads));
	for (uint32_t i = 0; i < max; i++)
		o->rules[i].next = i + 1 < max ? i + 1 : NONE;
	o->free = 0;
	o->offered = o->removing = o->telling = (struct fifo){NONE, NONE, 0};
	return 0;
}

void
rules_fini(struct offload *o)
{
	free(o->rules);
	free(o->offers);
	free(o->heads);
}

static void
push(struct offload *o, struct fifo *fifo, uint32_t at, enum rule_state state)
{
	o->rules[at].state = (uint8_t)state;
	o->rules[at].next = NONE;
	if (fifo->last != NONE)
		o->rules[fifo->last].next = at;
	else
		fifo->first = at;
	fifo->last = at;
	fifo->count++;
}

static uint32_t
pop(struct offload *o, struct fifo *fifo)
{
	uint32_t at = fifo->first;

	fifo->first = o->rules[at].next;
	if (fifo->first == NONE)
		fifo->last = NONE;
	fifo->count--;
	return at;
}

static uint32_t
find(const struct offload *o, uint64_t handle)
{
	uint32_t at = o->heads[slot_of(o, handle)];

	while (at != NONE && o->rules[at].handle != handle)
		at = o->rules[at].chain;
	return at;
}

static void
forget(struct offload *o, uint32_t at)
{
	uint32_t *link = &o->heads[slot_of(o, o->rules[at].handle)];

	while (*link != at)
		link = &o->rules[*link].chain;
	*link = o->rules[at].chain;
	o->rules[at] = (struct rule){.next = o->free};
	o->free = at;
}

static int
send_event(struct offload *o, const struct rule *rule, enum offload_kind kind, uint8_t reason,
	uint64_t packets, uint64_t bytes)
{
	struct offload_event event = {.handle = rule->handle,
		.packets = packets,
		.bytes = bytes,
		.kind = (uint8_t)kind,
		.reason = reason};
	struct rte_ring *ring = o->events[rule->handle >> 56];

	return rte_ring_sp_enqueue_elem(ring, &event, sizeof(event));
}

/* The last word; without room for it the rule's entry waits. */
static void
end(struct offload *o, uint32_t at, enum offload_kind kind, enum offload_reason reason)
{
	struct rule *rule = &o->rules[at];

	if (send_event(o, rule, kind, (uint8_t)reason, rule->packets, rule->bytes) == 0) {
		forget(o, at);
		return;
	}
	rule->kind = (uint8_t)kind;
	rule->reason = (uint8_t)reason;
	push(o, &o->telling, at, RULE_TELLING);
}

unsigned int
rules_tell(struct offload *o)
{
	unsigned int n = o->telling.count;

	for (unsigned int i = 0; i < n; i++) {
		uint32_t at = pop(o, &o->telling);

		end(o, at, (enum offload_kind)o->rules[at].kind,
			(enum offload_reason)o->rules[at].reason);
	}
	return n - o->telling.count;
}

void
rule_offer(struct offload *o, const struct offload_offer *offer)
{
	struct rule refused = {.handle = offer->handle};
	uint32_t at = o->free, *head = &o->heads[slot_of(o, offer->handle)];

	if (at == NONE) {
		/* No entry to keep the word in: take_messages() saw that the ring has room. */
		(void)send_event(o, &refused, OFFLOAD_REFUSED, OFFLOAD_TABLE_FULL, 0, 0);
		return;
	}
	o->free = o->rules[at].next;
	o->top = RTE_MAX(o->top, at + 1);
	o->rules[at] = (struct rule){.handle = offer->handle,
		.generation = offer->generation,
		.ethdev = offer->in_port,
		.chain = *head};
	o->offers[at] = *offer;
	*head = at;
	push(o, &o->offered, at, RULE_OFFERED);
}

/* A live rule's counts since the last report. */
static void
take_counts(struct offload *o, struct rule *rule, uint64_t *packets, uint64_t *bytes)
{
	uint64_t p, b;

	*packets = *bytes = 0;
	if (o->driver->query(rule->ethdev, rule->flow, &p, &b) != 0)
		return;
	*packets = p - rule->packets;
	*bytes = b - rule->bytes;
	rule->packets = p;
	rule->bytes = b;
}

void
rule_withdraw(struct offload *o, uint64_t handle)
{
	struct rule lost = {.handle = handle};
	uint32_t at = find(o, handle);

	if (at == NONE)
		/* It has had its last word, or never was: twice does no harm. */
		(void)send_event(o, &lost, OFFLOAD_REFUSED, OFFLOAD_CLOSING, 0, 0);
	else if (o->rules[at].state == RULE_OFFERED)
		o->rules[at].withdrawn = true;
	else if (o->rules[at].state == RULE_LIVE)
		push(o, &o->removing, at, RULE_REMOVING);
}

/* Rules of an older generation go. */
unsigned int
rules_flush(struct offload *o)
{
	uint32_t wanted = atomic_load_explicit(&o->generation, memory_order_acquire);
	unsigned int n = 0;

	if (wanted != o->seen) {
		o->stale = 0;
		for (uint32_t at = 0; at < o->top; at++) {
			struct rule *rule = &o->rules[at];

			if ((rule->state != RULE_LIVE && rule->state != RULE_REMOVING) ||
				rule->generation >= wanted)
				continue;
			o->stale++;
			if (rule->state == RULE_LIVE)
				push(o, &o->removing, at, RULE_REMOVING);
			n++;
		}
		o->seen = wanted;
	}
	/* Those that are offered still will be refused. */
	if (o->stale == 0)
		atomic_store_explicit(&o->clean, o->seen, memory_order_release);
	return n;
}

/* A rule is no longer in the NIC; these are the counts that the worker has not been told. */
static void
gone(struct offload *o, uint32_t at, uint64_t packets, uint64_t bytes)
{
	struct rule *rule = &o->rules[at];
	struct root *root = root_of(o, rule->ethdev);

	/* Not before: till then the NIC may forward by it. */
	atomic_fetch_sub_explicit(&o->live, 1, memory_order_relaxed);
	if (root != NULL) {
		root->info.live--;
		root->info.destroyed++;
	}
	if (rule->generation < o->seen && o->stale > 0)
		o->stale--;
	rule->packets = packets;
	rule->bytes = bytes;
	end(o, at, OFFLOAD_REMOVED, OFFLOAD_NONE);
}

unsigned int
rules_destroy(struct offload *o)
{
	unsigned int n = RTE_MIN(o->removing.count, (uint32_t)ROUND_CALLS), done = 0;
	struct rte_flow_error error;

	for (unsigned int i = 0; i < n; i++) {
		uint32_t at = pop(o, &o->removing);
		struct rule *rule = &o->rules[at];
		uint64_t packets, bytes;

		take_counts(o, rule, &packets, &bytes);
		if (o->driver->destroy(rule->ethdev, rule->flow, &error) != 0) {
			/* It forwards still: its counts go on, and it is tried again. */
			if (packets != 0 &&
				send_event(o, rule, OFFLOAD_COUNTED, 0, packets, bytes) != 0) {
				rule->packets -= packets;
				rule->bytes -= bytes;
			}
			push(o, &o->removing, at, RULE_REMOVING);
			continue;
		}
		gone(o, at, packets, bytes);
		done++;
	}
	return done;
}

void
rules_leave(struct offload *o, uint16_t ethdev)
{
	uint32_t n;

	for (uint32_t at = 0; at < o->top; at++)
		if (o->rules[at].state == RULE_LIVE &&
			(o->rules[at].ethdev == ethdev || o->offers[at].out_port == ethdev))
			push(o, &o->removing, at, RULE_REMOVING);
	for (unsigned int tries = 0; o->removing.count > 0 && tries < DESTROY_TRIES;) {
		if (rules_destroy(o) > 0)
			continue;
		tries++;
		rte_delay_us_sleep(DESTROY_NAP_US);
	}
	n = o->removing.count;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = pop(o, &o->removing);
		uint64_t packets, bytes;

		if (o->rules[at].ethdev != ethdev) {
			push(o, &o->removing, at, RULE_REMOVING);
			continue;
		}
		/* It goes with the port; after that its handle is a wild pointer. */
		take_counts(o, &o->rules[at], &packets, &bytes);
		gone(o, at, packets, bytes);
	}
}

/* Why an offer is refused before the driver is asked, or OFFLOAD_NONE. */
static enum offload_reason
judge(const struct offload *o, const struct rule *rule, const struct offload_offer *offer,
	const struct root *root)
{
	const struct root *out = root_of(o, offer->out_port);
	bool udp = offer->tuple.proto == IPPROTO_UDP;

	if (rule->withdrawn)
		return OFFLOAD_CLOSING;
	if (rule->generation < atomic_load_explicit(&o->generation, memory_order_acquire))
		return OFFLOAD_STALE;
	if (!udp && offer->tuple.proto != IPPROTO_TCP)
		return OFFLOAD_PROTOCOL;
	if (root == NULL || out == NULL || !root->info.usable || !out->info.usable ||
		!root->able[offer->tuple.family == FAMILY_IPV6][udp])
		return OFFLOAD_DRIVER_UNSUPPORTED;
	return OFFLOAD_NONE;
}

static void
create(struct offload *o, uint32_t at)
{
	const struct offload_offer *offer = &o->offers[at];
	struct rule *rule = &o->rules[at];
	struct root *root = root_of(o, offer->in_port);
	enum offload_reason reason = judge(o, rule, offer, root);
	struct rte_flow_error error = {0};
	struct pattern pattern;

	if (reason == OFFLOAD_NONE) {
		translate(offer, false, &pattern);
		rule->flow = o->driver->create(
			rule->ethdev, &pattern.attr, pattern.items, pattern.actions, &error);
		if (rule->flow == NULL) {
			reason = rte_errno == ENOSPC ? OFFLOAD_TABLE_FULL : OFFLOAD_INSERT_FAILED;
			root->info.failed++;
		}
	}
	if (reason != OFFLOAD_NONE) {
		if (root != NULL)
			root->info.refused++;
		end(o, at, OFFLOAD_REFUSED, reason);
		return;
	}
	root->info.live++;
	root->info.created++;
	rule->state = RULE_LIVE;
	rule->polled_ns = clock_ns();
	atomic_fetch_add_explicit(&o->live, 1, memory_order_relaxed);
	/* Only good to know: without room it is left unsaid. */
	(void)send_event(o, rule, OFFLOAD_LIVE, 0, 0, 0);
}

unsigned int
rules_create(struct offload *o)
{
	unsigned int n = RTE_MIN(o->offered.count, (uint32_t)ROUND_CALLS);

	for (unsigned int i = 0; i < n; i++)
		create(o, pop(o, &o->offered));
	return n;
}

unsigned int
rules_poll(struct offload *o)
{
	uint64_t now = clock_ns();
	unsigned int calls = 0;
	uint32_t looks = RTE_MIN(o->top, (uint32_t)ROUND_LOOKS);

	if (atomic_load_explicit(&o->live, memory_order_relaxed) == 0)
		return 0;
	if (o->poll_at == 0) {
		/* All have been looked at: again in a part of the period. */
		if (now - o->poll_ns < o->config.poll_ns / 8)
			return 0;
		o->poll_ns = now;
	}
	for (; looks > 0 && calls < ROUND_CALLS; looks--) {
		struct rule *rule = &o->rules[o->poll_at];
		uint64_t packets, bytes;

		o->poll_at = o->poll_at + 1 < o->top ? o->poll_at + 1 : 0;
		if (o->poll_at == 0)
			looks = 1;
		if (rule->state != RULE_LIVE || now - rule->polled_ns < o->config.poll_ns)
			continue;
		rule->polled_ns = now;
		calls++;
		/* What a full ring cannot take stays for the next time: last words go first. */
		if (rte_ring_free_count(o->events[rule->handle >> 56]) <
			rte_ring_get_capacity(o->events[rule->handle >> 56]) / 2)
			continue;
		take_counts(o, rule, &packets, &bytes);
		if (packets != 0)
			(void)send_event(o, rule, OFFLOAD_COUNTED, 0, packets, bytes);
	}
	return calls;
}
