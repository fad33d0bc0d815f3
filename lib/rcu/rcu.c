/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rcu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_pause.h>

#define FIRST_CAPACITY 16

struct rcu_item {
	rcu_free_fn fn;
	void *object;
};

struct rcu_batch {
	struct rcu_batch *next; /* retired after this one, so with a later token */
	rcu_token token;
	unsigned int count;
	unsigned int capacity;
	struct rcu_item *items;
};

struct rte_rcu_qsbr *rcu_var;

/* The retired batches, oldest first. Control thread only. */
static struct rcu_batch *oldest;
static struct rcu_batch **newest = &oldest;
static unsigned int waiting;

int
rcu_init(unsigned int workers)
{
	struct rte_rcu_qsbr *var;
	unsigned int worker;
	size_t size;

	if (workers == 0 || workers > RCU_MAX_WORKERS)
		return -EINVAL;
	if (rcu_var != NULL)
		return -EBUSY;
	size = rte_rcu_qsbr_get_memsize(workers);
	size = (size + RTE_CACHE_LINE_SIZE - 1) / RTE_CACHE_LINE_SIZE * RTE_CACHE_LINE_SIZE;
	/* Not rte_malloc: the domain serves tools and tests that start no EAL. */
	var = aligned_alloc(RTE_CACHE_LINE_SIZE, size);
	if (var == NULL)
		return -ENOMEM;
	memset(var, 0, size);
	if (rte_rcu_qsbr_init(var, workers) != 0)
		goto fail;
	for (worker = 0; worker < workers; worker++) {
		if (rte_rcu_qsbr_thread_register(var, worker) != 0)
			goto fail;
	}
	rcu_var = var;
	return 0;

fail:
	free(var);
	return -EINVAL;
}

static void
batch_free(struct rcu_batch *batch)
{
	free(batch->items);
	free(batch);
}

/* Free the oldest batch with its objects. A callback may retire further batches: unlink first. */
static void
release_oldest(void)
{
	struct rcu_batch *batch = oldest;
	unsigned int i;

	oldest = batch->next;
	if (oldest == NULL)
		newest = &oldest;
	waiting--;
	for (i = 0; i < batch->count; i++)
		batch->items[i].fn(batch->items[i].object);
	batch_free(batch);
}

void
rcu_fini(void)
{
	if (rcu_var == NULL)
		return;
	while (oldest != NULL)
		release_oldest();
	free(rcu_var);
	rcu_var = NULL;
}

rcu_token
rcu_start(void)
{
	return rte_rcu_qsbr_start(rcu_var);
}

bool
rcu_done(rcu_token token)
{
	return rte_rcu_qsbr_check(rcu_var, token, false) == 1;
}

struct rcu_batch *
rcu_batch_new(void)
{
	return calloc(1, sizeof(struct rcu_batch));
}

int
rcu_batch_add(struct rcu_batch *batch, rcu_free_fn fn, void *object)
{
	unsigned int capacity;
	struct rcu_item *items;

	if (fn == NULL)
		return -EINVAL;
	if (batch->count == batch->capacity) {
		capacity = batch->capacity == 0 ? FIRST_CAPACITY : batch->capacity * 2;
		items = reallocarray(batch->items, capacity, sizeof(*items));
		if (items == NULL)
			return -ENOMEM;
		batch->items = items;
		batch->capacity = capacity;
	}
	batch->items[batch->count++] = (struct rcu_item){fn, object};
	return 0;
}

void
rcu_batch_drop(struct rcu_batch *batch)
{
	if (batch != NULL)
		batch_free(batch);
}

rcu_token
rcu_retire(struct rcu_batch *batch)
{
	batch->token = rcu_start();
	batch->next = NULL;
	*newest = batch;
	newest = &batch->next;
	waiting++;
	return batch->token;
}

unsigned int
rcu_poll(void)
{
	while (oldest != NULL && rcu_done(oldest->token))
		release_oldest();
	return waiting;
}

void
rcu_synchronize(void)
{
	rcu_token token = rcu_start();

	while (!rcu_done(token))
		rte_pause();
	while (rcu_poll() > 0)
		rte_pause();
}
