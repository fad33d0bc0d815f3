/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions: links are put and taken, each change is logged, and the log is
 * either taken back from its end or forgotten.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

/* Items that were removed by a committed batch. */
struct store_gone {
	uint32_t count;
	struct store_item *items[];
};

static struct store_refs *
refs_of(struct store_item *item)
{
	if (item->kind == STORE_RULE)
		return &((struct store_rule *)item)->refs;
	return item->kind == STORE_ELEM ? &((struct store_elem *)item)->refs : NULL;
}

/* Room in the log, before anything is changed. */
static struct store_change *
log_new(struct store *store)
{
	if (store->log_count == store->log_room) {
		uint32_t room = store->log_room == 0 ? 64 : store->log_room * 2;
		struct store_change *log = realloc(store->log, room * sizeof(*log));

		if (log == NULL)
			return NULL;
		store->log = log;
		store->log_room = room;
	}
	memset(&store->log[store->log_count], 0, sizeof(store->log[0]));
	return &store->log[store->log_count];
}

/* Link behind prev. False: no memory for the tree. */
static bool
link_behind(struct store_list *list, struct store_item *item, struct store_item *prev)
{
	struct store_item *next = prev != NULL ? prev->next : list->first;

	if (list->compare != NULL && tsearch(item, &list->by_key, list->compare) == NULL)
		return false;
	item->prev = prev;
	item->next = next;
	*(prev != NULL ? &prev->next : &list->first) = item;
	*(next != NULL ? &next->prev : &list->last) = item;
	item->list = list;
	item->linked = true;
	list->count++;
	if (refs_of(item) != NULL)
		for (uint32_t i = 0; i < refs_of(item)->count; i++)
			refs_of(item)->items[i]->use++;
	return true;
}

/* Unlink; prev stays, so that the item can be put back. */
static void
unlink_item(struct store_item *item)
{
	struct store_list *list = item->list;

	if (list->compare != NULL)
		tdelete(item, &list->by_key, list->compare);
	*(item->prev != NULL ? &item->prev->next : &list->first) = item->next;
	*(item->next != NULL ? &item->next->prev : &list->last) = item->prev;
	item->linked = false;
	list->count--;
	if (refs_of(item) != NULL)
		for (uint32_t i = 0; i < refs_of(item)->count; i++)
			refs_of(item)->items[i]->use--;
}

int
store_add(struct store *store, struct store_list *list, struct store_item *item,
	struct store_item *before)
{
	struct store_change *change = log_new(store);

	if (change == NULL || !link_behind(list, item, before != NULL ? before->prev : list->last))
		return -ENOMEM;
	change->op = STORE_ADDED;
	change->item = item;
	store->log_count++;
	return 0;
}

/* Unlink all items of a list, last first. */
static int
remove_all(struct store *store, struct store_list *list)
{
	int rc = 0;

	while (rc == 0 && list->last != NULL)
		rc = store_remove(store, list->last);
	return rc;
}

/* A table goes with its rules first, so that nothing in it is held any more. */
static int
remove_table(struct store *store, struct store_table *table)
{
	int rc = 0;

	store_for_each(item, &table->chains) if (rc == 0) rc =
		remove_all(store, &((struct store_chain *)item)->rules);
	if (rc == 0)
		rc = remove_all(store, &table->sets);
	if (rc == 0)
		rc = remove_all(store, &table->chains);
	if (rc == 0)
		rc = remove_all(store, &table->objects);
	return rc != 0 ? rc : remove_all(store, &table->flowtables);
}

/* Whether an item lives by the rule that holds it. */
static bool
is_bound(const struct store_item *item)
{
	if (item->kind == STORE_SET)
		return (((const struct store_set *)item)->flags & NFT_SET_ANONYMOUS) != 0;
	return item->kind == STORE_CHAIN && ((const struct store_chain *)item)->binding;
}

static int
remove_below(struct store *store, struct store_item *item)
{
	switch (item->kind) {
	case STORE_TABLE: return remove_table(store, (struct store_table *)item);
	case STORE_CHAIN: return remove_all(store, &((struct store_chain *)item)->rules);
	case STORE_SET: return remove_all(store, &((struct store_set *)item)->elems);
	default: return 0;
	}
}

int
store_remove(struct store *store, struct store_item *item)
{
	struct store_refs *refs = refs_of(item);
	struct store_change *change;
	int rc = remove_below(store, item);

	if (rc != 0)
		return rc;
	change = log_new(store);
	if (change == NULL)
		return -ENOMEM;
	unlink_item(item);
	change->op = STORE_REMOVED;
	change->item = item;
	store->log_count++;
	for (uint32_t i = 0; item->kind == STORE_RULE && i < refs->count && rc == 0; i++)
		if (is_bound(refs->items[i]) && refs->items[i]->linked && refs->items[i]->use == 0)
			rc = store_remove(store, refs->items[i]);
	return rc;
}

int
store_save(struct store *store, struct store_item *item, void *field, size_t len)
{
	struct store_change *change = log_new(store);

	if (change == NULL)
		return -ENOMEM;
	change->op = STORE_FIELD;
	change->item = item;
	change->field = field;
	change->old_len = (uint32_t)len;
	memcpy(change->old, field, len);
	store->log_count++;
	return 0;
}

int
store_swap(struct store *store, struct store_item *item, struct store_blob **at,
	struct store_blob *blob)
{
	int rc = store_save(store, item, at, sizeof(*at));

	if (rc != 0)
		return rc;
	store->log[store->log_count - 1].op = STORE_SWAPPED;
	*at = blob;
	return 0;
}

/* Put a name in place: out of the tree, and in again. */
static void
set_name(struct store_item *item, char *name, const char *to)
{
	struct store_list *list = item->list;

	tdelete(item, &list->by_key, list->compare);
	memcpy(name, to, STORE_NAME);
	/* The node was freed a moment ago: there is memory for it. */
	tsearch(item, &list->by_key, list->compare);
}

int
store_rename(struct store *store, struct store_item *item, char *name, const char *to)
{
	int rc = store_save(store, item, name, STORE_NAME);

	if (rc == 0)
		set_name(item, name, to);
	return rc;
}

void
store_begin(struct store *store)
{
	store->table_handles_before = store->table_handles;
	store_for_each(item, &store->tables)((struct store_table *)item)->handles_before =
		((struct store_table *)item)->handles;
}

void
store_replayed(struct store *store)
{
	store->table_handles += store->table_handles - store->table_handles_before;
	store_for_each(item, &store->tables)
	{
		struct store_table *table = (struct store_table *)item;

		table->handles += table->handles - table->handles_before;
	}
}

void
store_undo(struct store *store, uint32_t mark)
{
	while (store->log_count > mark) {
		struct store_change *change = &store->log[--store->log_count];
		struct store_item *item = change->item;

		switch (change->op) {
		case STORE_ADDED:
			unlink_item(item);
			/* No program ever named its states. */
			store_item_free(store, item);
			break;
		case STORE_REMOVED:
			/* The tree's node was freed a moment ago: there is memory for it. */
			link_behind(item->list, item, item->prev);
			break;
		case STORE_SWAPPED:
			free(*(void **)change->field);
			memcpy(change->field, change->old, change->old_len);
			break;
		default:
			if (change->old_len == STORE_NAME)
				set_name(item, change->field, (const char *)change->old);
			else
				memcpy(change->field, change->old, change->old_len);
			break;
		}
	}
}

/* What packets had added of a key that is deleted goes with it. */
static void
forget_dynamic(const struct store_elem *elem)
{
	struct nft_dynamic *d = elem->set->dynamic;
	struct nft_dynamic_elem *found =
		d != NULL && !elem->catchall ? nft_dynamic_find(d, elem->key, 0) : NULL;

	if (found != NULL)
		nft_dynamic_remove(d, found);
}

struct store_gone *
store_commit(struct store *store)
{
	struct store_gone *gone =
		malloc(sizeof(*gone) + store->log_count * sizeof(struct store_item *));

	for (uint32_t i = 0; i < store->log_count; i++) {
		struct store_item *item = store->log[i].item;

		if (store->log[i].op == STORE_ADDED && item->kind == STORE_RULE)
			((struct store_rule *)item)->fresh = false;
		if (item->kind == STORE_SET)
			((struct store_set *)item)->batch_id = 0;
		if (item->kind == STORE_CHAIN)
			((struct store_chain *)item)->batch_id = 0;
		if (store->log[i].op == STORE_SWAPPED) {
			void *old;

			memcpy(&old, store->log[i].old, sizeof(old));
			free(old);
		}
	}
	if (gone == NULL) {
		/* They leak; that is better than freeing what workers use. */
		store->log_count = 0;
		return NULL;
	}
	gone->count = 0;
	for (uint32_t i = 0; i < store->log_count; i++) {
		struct store_item *item = store->log[i].item;

		if (store->log[i].op != STORE_REMOVED)
			continue;
		if (item->kind == STORE_ELEM)
			forget_dynamic((struct store_elem *)item);
		gone->items[gone->count++] = item;
	}
	store->log_count = 0;
	return gone;
}

void
store_gone(struct store *store, struct store_gone *gone)
{
	if (gone == NULL)
		return;
	for (uint32_t i = 0; i < gone->count; i++)
		store_item_free(store, gone->items[i]);
	free(gone);
}
