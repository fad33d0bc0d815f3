/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "compile.h"
#include "fuzz_rig.h"
#include "load.h"

/* --- a store, its wire, and what it is loaded into */

static struct nft_ruleset *prepared, *current;
bool fuzz_hold_commits;
static void (*held_done)(void *arg);
static void *held_arg;

static const char *
port_name(uint16_t port)
{
	(void)port;
	return "eth0\0\0\0\0\0\0\0\0\0\0\0";
}

static uint32_t
port_index(uint16_t port)
{
	return port;
}

static uint16_t
port_by_name(const char *name)
{
	(void)name;
	return 1;
}

static const struct nft_env env = {
	.port_name = port_name, .port_index = port_index, .port_by_name = port_by_name};

static int
prepare(void *ctx, struct store *store, struct nft_blame *blame)
{
	int rc;

	(void)ctx;
	nft_ruleset_free(prepared);
	prepared = NULL;
	rc = nft_load(store, &env, current, &prepared, blame);
	return rc != 0 ? rc : nft_compile(prepared->program);
}

static void
commit(void *ctx, void (*done)(void *arg), void *arg)
{
	(void)ctx;
	nft_ruleset_free(current);
	current = prepared;
	prepared = NULL;
	if (!fuzz_hold_commits) {
		done(arg);
		return;
	}
	held_done = done;
	held_arg = arg;
}

bool
fuzz_release(void)
{
	void (*release)(void *arg) = held_done;

	held_done = NULL;
	if (release != NULL)
		release(held_arg);
	return release != NULL;
}

static struct nft_count
read_counter(void *ctx, uint32_t counter)
{
	return nft_states_count(ctx, counter);
}

static bool
link_at(void *ctx, unsigned int n, struct nft_link *link)
{
	(void)ctx;
	*link = (struct nft_link){1, "lo"};
	return n == 0;
}

void
fuzz_rig_new(struct fuzz_rig *rig)
{
	rig->states = nft_states_new(1);
	rig->store = store_new(rig->states);
	rig->backend = (struct nft_backend){rig->states, prepare, commit, read_counter, link_at};
	rig->wire = nft_wire_new(rig->store, &rig->backend);
	if (rig->wire == NULL)
		exit(2);
}

void
fuzz_rig_free(struct fuzz_rig *rig)
{
	held_done = NULL;
	nft_ruleset_free(current);
	nft_ruleset_free(prepared);
	current = prepared = NULL;
	nft_wire_free(rig->wire);
	store_free(rig->store);
	nft_states_free(rig->states);
}

/* --- what must hold */

struct held {
	const struct store_item *items[1 << 16];
	unsigned int count;
};

static void
hold(struct held *held, const struct store_refs *refs)
{
	for (uint32_t i = 0; i < refs->count && held->count < 1 << 16; i++)
		held->items[held->count++] = refs->items[i];
}

static void
hold_elem(struct held *held, const struct store_elem *elem)
{
	if (elem->chain != NULL && held->count < 1 << 16)
		held->items[held->count++] = &elem->chain->item;
	if (elem->object != NULL && held->count < 1 << 16)
		held->items[held->count++] = &elem->object->item;
}

static void
check_use(const struct held *held, const struct store_item *item)
{
	uint32_t use = 0;

	for (unsigned int i = 0; i < held->count; i++)
		use += held->items[i] == item;
	if (use == item->use && item->linked)
		return;
	fprintf(stderr, "kind %u is used %u times, not %u\n", item->kind, use, item->use);
	abort();
}

static void
check_list(const struct held *held, const struct store_list *list)
{
	uint32_t count = 0;

	store_for_each(item, list)
	{
		check_use(held, item);
		count++;
	}
	if (count == list->count)
		return;
	fprintf(stderr, "%u items, not %u\n", count, list->count);
	abort();
}

void
fuzz_check(const struct store *store)
{
	static struct held held;

	held.count = 0;
	store_for_each(t, &store->tables)
	{
		struct store_table *table = (struct store_table *)t;

		store_for_each(c, &table->chains)
			store_for_each(r, &((struct store_chain *)c)->rules)
				hold(&held, &((struct store_rule *)r)->refs);
		store_for_each(s, &table->sets) store_for_each(e, &((struct store_set *)s)->elems)
			hold_elem(&held, (struct store_elem *)e);
	}
	store_for_each(t, &store->tables)
	{
		struct store_table *table = (struct store_table *)t;

		check_list(&held, &table->chains);
		check_list(&held, &table->sets);
		check_list(&held, &table->objects);
		check_list(&held, &table->flowtables);
	}
}
