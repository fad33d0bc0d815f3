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

/* Items that were removed by a committed batch, and the sets that it changed. */
struct store_gone {
	uint32_t count, set_count;
	struct store_item **items;
	struct store_set **sets;
};

/* A rule or element comes to hold on to others, or leaves them. */
static void
hold(struct store_item *item, uint32_t by)
{
	struct store_rule *rule = (struct store_rule *)item;
	struct store_elem *elem = (struct store_elem *)item;

	for (uint32_t i = 0; item->kind == STORE_RULE && i < rule->refs.count; i++)
		rule->refs.items[i]->use += by;
	if (item->kind == STORE_ELEM && elem->chain != NULL)
		elem->chain->item.use += by;
	if (item->kind == STORE_ELEM && elem->object != NULL)
		elem->object->item.use += by;
}

/* --- elements in the sets that workers look up */

/* Of intervals workers see what was published, whatever the control thread does meanwhile. */
static bool
is_versioned(const struct store_elem *elem)
{
	return elem->set->live->interval && !elem->e.catchall;
}

/* An element that is linked is found there, or in what the open batch adds to it. */
static int
enter_set(struct store_elem *elem)
{
	struct store_set *set = elem->set;
	const struct nft_set_decl decl = {
		.flags = set->flags,
		.key_len = set->key_len,
		.data_len = set->verdicts ? 0 : set->data_len,
		.fields = set->fields,
		.field_count = set->field_count,
	};

	/* Removed, it stays there until the commit, but for intervals. */
	if (elem->entered)
		return 0;
	elem->pending = set->live->shared && !is_versioned(elem);
	if (elem->pending && set->pending == NULL)
		set->pending = nft_set_new(&decl);
	if (elem->pending && set->pending == NULL)
		return -ENOMEM;
	elem->entered = nft_set_link(elem->pending ? set->pending : set->live, &elem->e) == 0;
	return elem->entered ? 0 : -ENOMEM;
}

static void
leave_set(struct store_elem *elem)
{
	if (elem->entered)
		nft_set_unlink(elem->pending ? elem->set->pending : elem->set->live, &elem->e);
	elem->entered = false;
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
	if (item->kind == STORE_ELEM && enter_set((struct store_elem *)item) != 0)
		return false;
	item->prev = prev;
	item->next = next;
	*(prev != NULL ? &prev->next : &list->first) = item;
	*(next != NULL ? &next->prev : &list->last) = item;
	item->list = list;
	item->linked = true;
	list->count++;
	if (item->kind == STORE_ELEM)
		((struct store_elem *)item)->set->catchalls +=
			((struct store_elem *)item)->e.catchall;
	hold(item, 1);
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
	if (item->kind == STORE_ELEM)
		((struct store_elem *)item)->set->catchalls -=
			((struct store_elem *)item)->e.catchall;
	hold(item, UINT32_MAX); /* one less */
	if (item->kind == STORE_ELEM && is_versioned((struct store_elem *)item))
		leave_set((struct store_elem *)item);
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

/* Unlink all items of a list, in their order. */
static int
remove_all(struct store *store, struct store_list *list)
{
	int rc = 0;

	while (rc == 0 && list->first != NULL)
		rc = store_remove(store, list->first);
	return rc;
}

/*
 * A table goes with its rules first, so that nothing in it is held any more; in
 * the order of nft_flush_table, for so are clients told.
 */
static int
remove_table(struct store *store, struct store_table *table)
{
	int rc = 0;

	store_for_each(item, &table->chains) if (rc == 0) rc =
		remove_all(store, &((struct store_chain *)item)->rules);
	if (rc == 0)
		rc = remove_all(store, &table->sets);
	if (rc == 0)
		rc = remove_all(store, &table->flowtables);
	if (rc == 0)
		rc = remove_all(store, &table->objects);
	return rc != 0 ? rc : remove_all(store, &table->chains);
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
	struct store_refs *refs =
		item->kind == STORE_RULE ? &((struct store_rule *)item)->refs : NULL;
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
	for (uint32_t i = 0; refs != NULL && i < refs->count && rc == 0; i++)
		if (is_bound(refs->items[i]) && refs->items[i]->linked && refs->items[i]->use == 0)
			rc = store_remove(store, refs->items[i]);
	return rc;
}

int
store_save(struct store *store, struct store_item *item, void *field, size_t len)
{
	struct store_change *change = log_new(store);

	if (change != NULL)
		change->old = malloc(len);
	if (change == NULL || change->old == NULL)
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
			if (item->kind == STORE_ELEM)
				leave_set((struct store_elem *)item);
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
		free(change->old);
	}
}

/* What packets had added of a key that is deleted goes with it. */
static void
forget_dynamic(const struct store_elem *elem)
{
	struct nft_dynamic *d = elem->set->dynamic;
	struct nft_dynamic_elem *found =
		d != NULL && !elem->e.catchall ? nft_dynamic_find(d, elem->e.bytes, 0) : NULL;

	if (found != NULL)
		nft_dynamic_remove(d, found);
}

/* --- the commit */

/* An element of the batch, from its generation on. */
static void
commit_added(const struct store *store, struct store_elem *elem)
{
	struct store_set *set = elem->set;

	elem->fresh = false;
	/* Removed by the same batch: nobody will ever see it. */
	if (!elem->item.linked || !elem->pending) {
		if (!elem->item.linked)
			leave_set(elem);
		return;
	}
	leave_set(elem);
	elem->pending = false;
	atomic_store_explicit(&elem->e.from, store->generation, memory_order_relaxed);
	elem->entered = nft_set_link(set->live, &elem->e) == 0;
}

/* The sets that a batch changed: each once, in the order of the log. */
static void
touch(struct store_gone *gone, struct store_set *set)
{
	if (set->touched)
		return;
	set->touched = true;
	gone->sets[gone->set_count++] = set;
}

/* Elements of the batch had the old life still. */
static void
renew(struct store_set *set)
{
	if (!set->renewal.due)
		return;
	set->timeout_ns = set->renewal.timeout_ns;
	if (set->renewal.size != 0)
		set->size = set->renewal.size;
	set->renewal.due = false;
}

static void
commit_change(struct store *store, struct store_gone *gone, struct store_change *change)
{
	struct store_item *item = change->item;
	struct store_elem *elem = (struct store_elem *)item;

	if (change->op == STORE_ADDED && item->kind == STORE_RULE)
		((struct store_rule *)item)->fresh = false;
	if (item->kind == STORE_SET) {
		((struct store_set *)item)->batch_id = 0;
		renew((struct store_set *)item);
		touch(gone, (struct store_set *)item);
	}
	if (item->kind == STORE_CHAIN)
		((struct store_chain *)item)->batch_id = 0;
	if (item->kind == STORE_ELEM) {
		touch(gone, elem->set);
		if (change->op == STORE_ADDED)
			commit_added(store, elem);
		if (change->op == STORE_REMOVED) {
			forget_dynamic(elem);
			atomic_store_explicit(&elem->e.to, store->generation, memory_order_relaxed);
		}
	}
	if (change->op == STORE_SWAPPED)
		free(*(void **)change->old);
	if (change->op == STORE_REMOVED)
		gone->items[gone->count++] = item;
	free(change->old);
}

static void
gone_free(struct store *store, struct store_gone *gone)
{
	if (gone == NULL)
		return;
	for (uint32_t i = 0; i < gone->count; i++)
		store_item_free(store, gone->items[i]);
	free(gone->items);
	free(gone->sets);
	free(gone);
}

int
store_ready(struct store *store)
{
	struct store_gone *gone = calloc(1, sizeof(*gone));

	gone_free(store, store->going);
	store->going = NULL;
	if (gone == NULL)
		return -ENOMEM;
	/* One that is removed, and the set that it is of: at most one each a change. */
	gone->items = calloc(store->log_count + 1, sizeof(struct store_item *));
	gone->sets = calloc(store->log_count + 1, sizeof(struct store_set *));
	if (gone->items == NULL || gone->sets == NULL) {
		gone_free(store, gone);
		return -ENOMEM;
	}
	store->going = gone;
	return 0;
}

void
store_unready(struct store *store)
{
	gone_free(store, store->going);
	store->going = NULL;
}

struct store_gone *
store_commit(struct store *store)
{
	struct store_gone *gone = store->going;

	store->going = NULL;
	for (uint32_t i = 0; i < store->log_count; i++)
		commit_change(store, gone, &store->log[i]);
	for (uint32_t i = 0; i < gone->set_count; i++) {
		nft_set_share(gone->sets[i]->live);
		nft_set_publish(gone->sets[i]->live, store->generation);
	}
	store->log_count = 0;
	/* A log of a million changes is not kept for the next batch. */
	if (store->log_room > 4096) {
		free(store->log);
		store->log = NULL;
		store->log_room = 0;
	}
	return gone;
}

void
store_gone(struct store *store, struct store_gone *gone)
{
	struct store_gone *limbo;
	uint32_t kept = 0;

	/* Nobody can be at what was taken out of sets the last time. */
	gone_free(store, store->limbo);
	store->limbo = NULL;
	if (gone == NULL)
		return;
	for (uint32_t i = 0; i < gone->set_count; i++) {
		gone->sets[i]->touched = false;
		nft_set_reclaim(gone->sets[i]->live);
	}
	limbo = calloc(1, sizeof(*limbo));
	if (limbo != NULL)
		limbo->items = calloc(gone->count + 1, sizeof(struct store_item *));
	/* Elements before their sets: the log has them in that order. */
	for (uint32_t i = 0; i < gone->count; i++) {
		struct store_elem *elem = (struct store_elem *)gone->items[i];

		/* Taken out of a set that stays, an element is freed the next time. */
		if (elem->item.kind == STORE_ELEM && elem->set->item.linked && elem->entered &&
			limbo != NULL && limbo->items != NULL) {
			leave_set(elem);
			limbo->items[limbo->count++] = &elem->item;
		} else if (elem->item.kind == STORE_ELEM && elem->set->item.linked &&
			   elem->entered) {
			leave_set(elem); /* it leaks */
		} else {
			gone->items[kept++] = gone->items[i];
		}
	}
	gone->count = kept;
	gone_free(store, gone);
	store->limbo = limbo;
}
