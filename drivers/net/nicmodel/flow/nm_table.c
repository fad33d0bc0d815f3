/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules in classes of one mask and one priority, each class a hash table, so
 * that a lookup costs a probe for each class and not for each rule.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>

#include "nm_priv.h"
#include "nm_table.h"

#define FIRST_SLOTS 16

uint32_t
nm_hash(const struct nm_fields *fields)
{
	uint64_t words[NM_WORDS], h = 0x9e3779b97f4a7c15ULL;

	memcpy(words, fields, sizeof(words));
	for (unsigned int i = 0; i < NM_WORDS; i++)
		h = (h ^ words[i]) * 0xff51afd7ed558ccdULL, h ^= h >> 32;
	return (uint32_t)h;
}

struct nm_switch *
nm_switch_new(const struct nm_limits *limits)
{
	struct nm_switch *sw = calloc(1, sizeof(*sw));

	if (sw == NULL)
		return NULL;
	sw->limits = *limits;
	TAILQ_INIT(&sw->flows);
	return sw;
}

void
nm_switch_limits(struct nm_switch *sw, const struct nm_limits *limits)
{
	sw->limits = *limits;
}

static void
free_classes(struct nm_table *table)
{
	while (table->classes != NULL) {
		struct nm_class *class = table->classes;

		table->classes = class->next;
		free(class->slots);
		free(class);
	}
}

void
nm_switch_free(struct nm_switch *sw)
{
	if (sw == NULL)
		return;
	nm_flow_flush(sw, UINT16_MAX);
	for (unsigned int g = 0; g < NM_GROUPS; g++) {
		free_classes(&sw->transfer[g]);
		free_classes(&sw->ingress[g]);
	}
	free(sw);
}

/* The class of a mask and priority, made if it is not there, in order of priority. */
static struct nm_class *
class_of(struct nm_table *table, const struct nm_ask *ask, bool make)
{
	struct nm_class **at = &table->classes, *class;

	while (*at != NULL && (*at)->priority <= ask->priority) {
		if ((*at)->priority == ask->priority &&
			memcmp(&(*at)->mask, &ask->mask, sizeof(ask->mask)) == 0)
			return *at;
		at = &(*at)->next;
	}
	if (!make)
		return NULL;
	class = calloc(1, sizeof(*class));
	if (class == NULL)
		return NULL;
	class->slots = calloc(FIRST_SLOTS, sizeof(struct rte_flow *));
	if (class->slots == NULL) {
		free(class);
		return NULL;
	}
	class->size = FIRST_SLOTS;
	class->mask = ask->mask;
	class->priority = ask->priority;
	class->next = *at;
	*at = class;
	return class;
}

/* Twice the slots; without memory the chains just grow longer. */
static void
grow(struct nm_class *class)
{
	struct rte_flow **slots = calloc(class->size * 2, sizeof(struct rte_flow *));

	if (slots == NULL)
		return;
	for (uint32_t i = 0; i < class->size; i++) {
		while (class->slots[i] != NULL) {
			struct rte_flow *flow = class->slots[i];
			uint32_t to = nm_hash(&flow->value) & (class->size * 2 - 1);

			class->slots[i] = flow->chain;
			flow->chain = slots[to];
			slots[to] = flow;
		}
	}
	free(class->slots);
	class->slots = slots;
	class->size *= 2;
}

static struct rte_flow *
find(const struct nm_class *class, const struct nm_fields *value)
{
	struct rte_flow *flow = class->slots[nm_hash(value) & (class->size - 1)];

	while (flow != NULL && memcmp(&flow->value, value, sizeof(*value)) != 0)
		flow = flow->chain;
	return flow;
}

struct rte_flow *
nm_lookup(const struct nm_table *table, const struct nm_fields *fields)
{
	for (const struct nm_class *class = table->classes; class != NULL; class = class->next) {
		uint64_t words[NM_WORDS], mask[NM_WORDS];
		struct nm_fields value;
		struct rte_flow *flow;

		if (class->count == 0)
			continue;
		memcpy(words, fields, sizeof(words));
		memcpy(mask, &class->mask, sizeof(mask));
		for (unsigned int i = 0; i < NM_WORDS; i++)
			words[i] &= mask[i];
		memcpy(&value, words, sizeof(value));
		flow = find(class, &value);
		if (flow != NULL && flow->active)
			return flow;
	}
	return NULL;
}

int
nm_flow_validate(struct nm_switch *sw, uint16_t port, const struct rte_flow_attr *attr,
	const struct rte_flow_item *items, const struct rte_flow_action *actions,
	struct rte_flow_error *error)
{
	struct nm_limits limits = sw->limits;
	struct nm_ask ask;

	if (limits.lie)
		limits.refuse[0] = '\0';
	return nm_ask(&limits, port, attr, items, actions, &ask, error);
}

static int
failed(struct rte_flow_error *error, int err, const char *text)
{
	return rte_flow_error_set(error, err, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL, text);
}

struct rte_flow *
nm_flow_prepare(struct nm_switch *sw, uint16_t port, const struct rte_flow_attr *attr,
	const struct rte_flow_item *items, const struct rte_flow_action *actions,
	struct rte_flow_error *error)
{
	struct nm_table *table;
	struct nm_class *class;
	struct rte_flow *flow;
	struct nm_ask ask;
	uint32_t slot;

	if (nm_ask(&sw->limits, port, attr, items, actions, &ask, error) != 0)
		return NULL;
	if (sw->count >= sw->limits.max_rules) {
		failed(error, ENOSPC, "the table is full");
		return NULL;
	}
	table = ask.transfer ? &sw->transfer[ask.group] : &sw->ingress[ask.group];
	class = class_of(table, &ask, true);
	flow = class != NULL ? calloc(1, sizeof(*flow)) : NULL;
	if (flow == NULL) {
		failed(error, ENOMEM, "no memory");
		return NULL;
	}
	if (find(class, &ask.value) != NULL) {
		free(flow);
		failed(error, EEXIST, "the group has a rule of this pattern and priority");
		return NULL;
	}
	flow->class = class;
	flow->table = table;
	flow->value = ask.value;
	flow->port = port;
	flow->counts = ask.counts;
	flow->action_count = ask.action_count;
	memcpy(flow->actions, ask.actions, sizeof(flow->actions));
	if (++class->count > class->size)
		grow(class);
	slot = nm_hash(&flow->value) & (class->size - 1);
	flow->chain = class->slots[slot];
	class->slots[slot] = flow;
	TAILQ_INSERT_TAIL(&sw->flows, flow, link);
	sw->count++;
	sw->port_count[port % NM_PORTS]++;
	return flow;
}

void
nm_flow_activate(struct rte_flow *flow)
{
	flow->active = true;
}

void
nm_flow_activate_at(struct rte_flow *flow, uint64_t step)
{
	flow->active_at = step;
}

void
nm_flow_tick(struct nm_switch *sw, uint64_t step)
{
	struct rte_flow *flow;

	TAILQ_FOREACH (flow, &sw->flows, link)
		if (flow->active_at != 0 && step >= flow->active_at) {
			flow->active_at = 0;
			flow->active = true;
		}
}

void
nm_flow_destroy(struct nm_switch *sw, struct rte_flow *flow)
{
	struct nm_class *class = flow->class;
	struct rte_flow **at = &class->slots[nm_hash(&flow->value) & (class->size - 1)];

	while (*at != flow)
		at = &(*at)->chain;
	*at = flow->chain;
	class->count--;
	TAILQ_REMOVE(&sw->flows, flow, link);
	sw->count--;
	sw->port_count[flow->port % NM_PORTS]--;
	free(flow);
}

uint32_t
nm_flow_flush(struct nm_switch *sw, uint16_t port)
{
	struct rte_flow *flow = TAILQ_FIRST(&sw->flows), *next;
	uint32_t count = 0;

	for (; flow != NULL; flow = next) {
		next = TAILQ_NEXT(flow, link);
		if (port != UINT16_MAX && flow->port != port)
			continue;
		nm_flow_destroy(sw, flow);
		count++;
	}
	return count;
}

int
nm_flow_query(struct rte_flow *flow, struct rte_flow_query_count *count)
{
	if (!flow->counts)
		return -ENOTSUP;
	count->hits_set = count->bytes_set = 1;
	count->hits = flow->hits;
	count->bytes = flow->bytes;
	if (count->reset)
		flow->hits = flow->bytes = 0;
	return 0;
}

uint32_t
nm_flow_count(const struct nm_switch *sw, uint16_t port)
{
	return port == UINT16_MAX ? sw->count : sw->port_count[port % NM_PORTS];
}

uint64_t *
nm_flow_due(struct rte_flow *flow)
{
	return &flow->due;
}
