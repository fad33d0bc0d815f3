/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "offload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "offload_priv.h"

/* Offers and withdrawals of a worker that may wait; events for it. */
#define MESSAGES 4096
#define EVENTS	 16384
/* Messages taken in one round, from each worker. */
#define ROUND_MESSAGES 256

const char *
offload_reason_name(enum offload_reason reason)
{
	static const char *const names[] = {[OFFLOAD_NONE] = "none",
#define OFFLOAD_X(name, text) [name] = text,
		OFFLOAD_REASONS(OFFLOAD_X)
#undef OFFLOAD_X
	};

	return (unsigned int)reason < OFFLOAD_REASON_COUNT ? names[reason] : "unknown";
}

static struct rte_ring *
ring_new(const char *kind, unsigned int worker, unsigned int size, unsigned int count)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "offload-%s-%u", kind, worker % OFFLOAD_WORKERS);
	return rte_ring_create_elem(
		name, size, count, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

struct offload *
offload_new(const struct offload_config *config)
{
	struct offload *o;
	bool rings = true;

	if (config->workers == 0 || config->workers > OFFLOAD_WORKERS || config->max_rules == 0) {
		errno = EINVAL;
		return NULL;
	}
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return NULL;
	o->config = *config;
	o->driver = config->driver != NULL ? config->driver : &offload_rte_flow;
	pthread_mutex_init(&o->lock, NULL);
	for (unsigned int i = 0; i < config->workers; i++) {
		o->messages[i] = ring_new("offers", i, sizeof(struct message), MESSAGES);
		o->events[i] = ring_new("events", i, sizeof(struct offload_event), EVENTS);
		rings = rings && o->messages[i] != NULL && o->events[i] != NULL;
	}
	if (!rings || rules_init(o) != 0) {
		offload_free(o);
		errno = ENOMEM;
		return NULL;
	}
	return o;
}

void
offload_free(struct offload *o)
{
	if (o == NULL)
		return;
	for (unsigned int i = 0; i < OFFLOAD_PORTS; i++)
		if (o->roots[i].used)
			offload_port_remove(o, o->roots[i].ethdev);
	for (unsigned int i = 0; i < OFFLOAD_WORKERS; i++) {
		rte_ring_free(o->messages[i]);
		rte_ring_free(o->events[i]);
	}
	if (o->rules != NULL)
		rules_fini(o);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

int
offload_offer(struct offload *o, unsigned int worker, const struct offload_offer *offer)
{
	struct message message = {.offer = *offer, .type = MESSAGE_OFFER};

	/* The other half is for withdrawals. */
	if (rte_ring_free_count(o->messages[worker]) < MESSAGES / 2)
		return -ENOSPC;
	return rte_ring_sp_enqueue_elem(o->messages[worker], &message, sizeof(message)) == 0
		       ? 0
		       : -ENOSPC;
}

int
offload_withdraw(struct offload *o, unsigned int worker, uint64_t handle)
{
	struct message message = {.offer = {.handle = handle}, .type = MESSAGE_WITHDRAW};

	return rte_ring_sp_enqueue_elem(o->messages[worker], &message, sizeof(message)) == 0
		       ? 0
		       : -ENOSPC;
}

unsigned int
offload_events(
	struct offload *o, unsigned int worker, struct offload_event *events, unsigned int max)
{
	return rte_ring_sc_dequeue_burst_elem(
		o->events[worker], events, sizeof(events[0]), max, NULL);
}

static unsigned int
take_messages(struct offload *o)
{
	unsigned int done = 0;

	for (unsigned int w = 0; w < o->config.workers; w++) {
		struct message message;

		for (unsigned int i = 0; i < ROUND_MESSAGES; i++) {
			/* What can be answered: a last word must not get lost. */
			if (rte_ring_full(o->events[w]))
				break;
			if (rte_ring_sc_dequeue_elem(o->messages[w], &message, sizeof(message)) !=
				0)
				break;
			if (message.type == MESSAGE_OFFER)
				rule_offer(o, &message.offer);
			else
				rule_withdraw(o, message.offer.handle);
			done++;
		}
	}
	return done;
}

unsigned int
offload_run(struct offload *o)
{
	unsigned int done;

	pthread_mutex_lock(&o->lock);
	done = rules_tell(o);
	done += take_messages(o);
	done += rules_flush(o);
	done += rules_destroy(o);
	done += rules_create(o);
	done += rules_poll(o);
	pthread_mutex_unlock(&o->lock);
	return done;
}

void
offload_set_generation(struct offload *o, uint32_t generation)
{
	atomic_store_explicit(&o->generation, generation, memory_order_release);
}

bool
offload_flushed(const struct offload *o)
{
	return atomic_load_explicit(&o->clean, memory_order_acquire) ==
	       atomic_load_explicit(&o->generation, memory_order_acquire);
}

uint64_t
offload_live(const struct offload *o)
{
	return atomic_load_explicit(&o->live, memory_order_relaxed);
}
