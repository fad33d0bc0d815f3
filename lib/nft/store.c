/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "store.h"

#include "program.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct store_blob *
store_blob(const void *data, size_t len)
{
	struct store_blob *blob = malloc(sizeof(*blob) + len);

	if (blob == NULL)
		return NULL;
	blob->len = (uint32_t)len;
	if (len != 0)
		memcpy(blob->data, data, len);
	return blob;
}

/* --- order by name */

#define COMPARE_NAMES(type)                                                                        \
	static int compare_##type(const void *a, const void *b)                                    \
	{                                                                                          \
		return strcmp(((const struct store_##type *)a)->name,                              \
			((const struct store_##type *)b)->name);                                   \
	}
COMPARE_NAMES(chain)
COMPARE_NAMES(set)
COMPARE_NAMES(flowtable)

static int
compare_table(const void *a, const void *b)
{
	const struct store_table *x = a, *y = b;

	return x->family != y->family ? x->family - y->family : strcmp(x->name, y->name);
}

static int
compare_object(const void *a, const void *b)
{
	const struct store_object *x = a, *y = b;

	return x->type != y->type ? (x->type < y->type ? -1 : 1) : strcmp(x->name, y->name);
}

void
store_list_init(struct store_list *list, int (*compare)(const void *, const void *))
{
	*list = (struct store_list){.compare = compare};
}

static void *
find(const struct store_list *list, const void *key)
{
	void **node = tfind(key, &list->by_key, list->compare);

	return node != NULL ? *node : NULL;
}

struct store_table *
store_table(const struct store *store, uint8_t family, const char *name)
{
	struct store_table key = {.family = family};

	strncpy(key.name, name, sizeof(key.name) - 1);
	return find(&store->tables, &key);
}

struct store_chain *
store_chain(const struct store_table *table, const char *name)
{
	struct store_chain key = {0};

	strncpy(key.name, name, sizeof(key.name) - 1);
	return find(&table->chains, &key);
}

struct store_set *
store_set(const struct store_table *table, const char *name)
{
	struct store_set key = {0};

	strncpy(key.name, name, sizeof(key.name) - 1);
	return find(&table->sets, &key);
}

struct store_object *
store_object(const struct store_table *table, const char *name, uint32_t type)
{
	struct store_object key = {.type = type};

	strncpy(key.name, name, sizeof(key.name) - 1);
	return find(&table->objects, &key);
}

struct store_flowtable *
store_flowtable(const struct store_table *table, const char *name)
{
	struct store_flowtable key = {0};

	strncpy(key.name, name, sizeof(key.name) - 1);
	return find(&table->flowtables, &key);
}

struct store_elem *
store_elem_of(struct nft_elem *e)
{
	return e != NULL ? (struct store_elem *)(void *)((uint8_t *)e -
							 offsetof(struct store_elem, e))
			 : NULL;
}

/* Those that were removed are found by workers alone. */
static bool
is_linked(const struct nft_elem *e)
{
	return store_elem_of((struct nft_elem *)(uintptr_t)e)->item.linked;
}

struct store_elem *
store_elem(const struct store_set *set, const struct store_elem *key)
{
	struct nft_elem *e = nft_set_equal(set->live, &key->e, is_linked);

	if (e == NULL && set->pending != NULL)
		e = nft_set_equal(set->pending, &key->e, is_linked);
	return store_elem_of(e);
}

struct store_elem *
store_elem_holding(const struct store_set *set, const uint8_t *key)
{
	struct nft_elem *e = nft_set_holding(set->live, key, is_linked);

	if (e == NULL && set->pending != NULL)
		e = nft_set_holding(set->pending, key, is_linked);
	return store_elem_of(e);
}

struct store_item *
store_by_handle(const struct store_list *list, uint64_t handle)
{
	store_for_each(item, list) if (item->handle == handle) return item;
	return NULL;
}

/* --- chain types */

static const char *const types[] = {"filter", "nat", "route"};

unsigned int
store_chain_kind(const char *type)
{
	for (unsigned int i = 0; i < 3; i++)
		if (strcmp(types[i], type) == 0)
			return 1U << i;
	return 0;
}

const char *
store_chain_type(unsigned int kind)
{
	return types[kind == NFT_KIND_FILTER ? 0 : kind == NFT_KIND_NAT ? 1 : 2];
}

/* --- items */

/* --- numbers */

static int
number_take(struct store_numbers *n, uint32_t *number)
{
	if (n->free_count != 0) {
		*number = n->free[--n->free_count];
		return 0;
	}
	/* Room to give it back, so that this cannot fail then. */
	if (n->next == n->free_room) {
		uint32_t room = n->free_room == 0 ? 64 : n->free_room * 2;
		uint32_t *grown = realloc(n->free, room * sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		n->free = grown;
		n->free_room = room;
	}
	*number = n->next++;
	return 0;
}

static void
number_give(struct store_numbers *n, uint32_t number)
{
	n->free[n->free_count++] = number;
}

/* Where an item keeps its number; NULL: it has none. */
static uint32_t *
number_of(struct store_item *item)
{
	switch (item->kind) {
	case STORE_CHAIN: return &((struct store_chain *)item)->number;
	case STORE_SET: return &((struct store_set *)item)->number;
	case STORE_OBJECT: return &((struct store_object *)item)->number;
	case STORE_FLOWTABLE: return &((struct store_flowtable *)item)->number;
	default: return NULL;
	}
}

void *
store_item_new(struct store *store, enum store_kind kind)
{
	static const size_t sizes[] = {
		[STORE_TABLE] = sizeof(struct store_table),
		[STORE_CHAIN] = sizeof(struct store_chain),
		[STORE_RULE] = sizeof(struct store_rule),
		[STORE_SET] = sizeof(struct store_set),
		[STORE_OBJECT] = sizeof(struct store_object),
		[STORE_FLOWTABLE] = sizeof(struct store_flowtable),
	};
	struct store_item *item = calloc(1, sizes[kind]);

	if (item == NULL)
		return NULL;
	item->kind = (uint8_t)kind;
	if (number_of(item) != NULL && number_take(&store->numbers[kind], number_of(item)) != 0) {
		free(item);
		return NULL;
	}
	if (kind == STORE_TABLE) {
		struct store_table *table = (struct store_table *)item;

		store_list_init(&table->chains, compare_chain);
		store_list_init(&table->sets, compare_set);
		store_list_init(&table->objects, compare_object);
		store_list_init(&table->flowtables, compare_flowtable);
	}
	return item;
}

struct store_elem *
store_elem_new(struct store_set *set)
{
	struct store_elem *elem = calloc(1, sizeof(*elem) + nft_elem_bytes(set->live));

	if (elem == NULL)
		return NULL;
	elem->item.kind = STORE_ELEM;
	elem->set = set;
	elem->fresh = true;
	elem->e.to = NFT_GENERATION_NEVER;
	elem->e.verdict.chain = NFT_CHAIN_NONE;
	return elem;
}

int
store_set_furnish(struct store_set *set)
{
	const struct nft_set_decl decl = {
		.flags = set->flags,
		.key_len = set->key_len,
		.data_len = set->verdicts ? 0 : set->data_len,
		.verdicts = set->verdicts,
		.fields = set->fields,
		.field_count = set->field_count,
	};

	store_list_init(&set->elems, NULL);
	set->live = nft_set_new(&decl);
	return set->live != NULL ? 0 : -ENOMEM;
}

static void
free_rule(struct store *store, struct store_rule *rule)
{
	for (uint32_t i = 0; i < rule->state_count; i++)
		nft_states_give(store->states, (enum nft_state_kind)rule->states[i].kind,
			rule->states[i].number);
	free(rule->states);
	nft_code_put(rule->code);
	free(rule->exprs);
	free(rule->userdata);
	free(rule->refs.items);
}

bool
store_elem_over(const struct store_elem *elem, uint64_t now_ns)
{
	return elem->e.expires_ns != 0 && now_ns >= elem->e.expires_ns;
}

/* The kind of state that a statement has outside of dynamic sets. */
enum nft_state_kind
store_state_kind(const struct nft_statement *statement)
{
	return statement->kind == NFT_STATEMENT_COUNTER ? NFT_STATE_COUNTER : NFT_STATE_WORDS;
}

int
store_state_take(struct store *store, const struct nft_statement *statement,
	const uint64_t words[2], uint32_t *number)
{
	int rc = nft_states_take(store->states, store_state_kind(statement), number);

	if (rc != 0)
		*number = STORE_NO_STATE;
	else if (store_state_kind(statement) == NFT_STATE_WORDS)
		nft_states_set(store->states, *number, words);
	return rc;
}

static void
free_elem_statements(struct store *store, struct nft_elem_statements *statements)
{
	if (statements == NULL)
		return;
	for (uint32_t i = 0; i < statements->said.count; i++)
		if (statements->states[i] != STORE_NO_STATE)
			nft_states_give(store->states, store_state_kind(&statements->said.list[i]),
				statements->states[i]);
	nft_statements_clear(&statements->said);
	free(statements);
}

static void
free_object(struct store *store, struct store_object *object)
{
	if (object->state != STORE_NO_STATE)
		nft_states_give(store->states, store_state_kind(&object->statement), object->state);
	free(object->data);
	free(object->userdata);
}

void
store_item_free(struct store *store, struct store_item *item)
{
	if (item == NULL)
		return;
	switch (item->kind) {
	case STORE_TABLE: free(((struct store_table *)item)->userdata); break;
	case STORE_CHAIN:
		if (((struct store_chain *)item)->has_count)
			nft_states_give(store->states, NFT_STATE_COUNTER,
				((struct store_chain *)item)->count);
		free(((struct store_chain *)item)->userdata);
		free(((struct store_chain *)item)->devices);
		break;
	case STORE_RULE: free_rule(store, (struct store_rule *)item); break;
	case STORE_SET:
		free(((struct store_set *)item)->attrs);
		nft_set_free(((struct store_set *)item)->live);
		nft_set_free(((struct store_set *)item)->pending);
		nft_dynamic_free(((struct store_set *)item)->dynamic);
		nft_statements_clear(&((struct store_set *)item)->statements);
		break;
	case STORE_ELEM:
		free(((struct store_elem *)item)->userdata);
		free_elem_statements(store, ((struct store_elem *)item)->statements);
		break;
	case STORE_OBJECT: free_object(store, (struct store_object *)item); break;
	default: free(((struct store_flowtable *)item)->devices); break;
	}
	if (number_of(item) != NULL)
		number_give(&store->numbers[item->kind], *number_of(item));
	free(item);
}

int
store_ref(struct store_refs *refs, struct store_item *item)
{
	struct store_item **items =
		realloc(refs->items, (refs->count + 1) * sizeof(struct store_item *));

	if (items == NULL)
		return -ENOMEM;
	refs->items = items;
	items[refs->count++] = item;
	return 0;
}

/* --- the store */

struct store *
store_new(struct nft_states *states)
{
	struct store *store = calloc(1, sizeof(*store));

	if (store == NULL)
		return NULL;
	store_list_init(&store->tables, compare_table);
	store->states = states;
	store->generation = 1;
	return store;
}

void
store_free(struct store *store)
{
	if (store == NULL)
		return;
	store_undo(store, 0);
	while (store->tables.first != NULL)
		if (store_remove(store, store->tables.first) != 0)
			break;
	/* Without memory what is left of it stays. */
	if (store_ready(store) == 0)
		store_gone(store, store_commit(store));
	/* And what that took out of sets. */
	store_gone(store, NULL);
	store_unready(store);
	for (unsigned int i = 0; i < STORE_NUMBERED; i++)
		free(store->numbers[i].free);
	free(store->log);
	free(store);
}

enum hook
store_hook(uint8_t family, uint32_t number)
{
	static const enum hook arp[] = {HOOK_INPUT, HOOK_OUTPUT};

	switch (family) {
	case NFPROTO_ARP: return number < 2 ? arp[number] : HOOK_COUNT;
	case NFPROTO_NETDEV:
		return number < 2 ? (number == 0 ? HOOK_INGRESS : HOOK_EGRESS) : HOOK_COUNT;
	case NFPROTO_INET:
		if (number == NF_INET_INGRESS)
			return HOOK_INGRESS;
		break;
	default: break;
	}
	return number <= HOOK_POSTROUTING ? (enum hook)number : HOOK_COUNT;
}
