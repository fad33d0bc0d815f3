/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of sets and maps (nft_add_set_elem, nft_del_setelem).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "wire_priv.h"

const struct nft_feature nft_elem_attributes[] = {
	NFT_HAS("a key", NFTA_SET_ELEM_KEY),
	NFT_HAS("a value or verdict", NFTA_SET_ELEM_DATA),
	NFT_HAS("comment", NFTA_SET_ELEM_USERDATA),
	NFT_HAS("timeout", NFTA_SET_ELEM_TIMEOUT),
	NFT_HAS("expires", NFTA_SET_ELEM_EXPIRATION),
	NFT_HAS("a statement", NFTA_SET_ELEM_EXPR),
	NFT_HAS("statements", NFTA_SET_ELEM_EXPRESSIONS),
	NFT_HAS("an object", NFTA_SET_ELEM_OBJREF),
	NFT_HAS("the end of a concatenation's range", NFTA_SET_ELEM_KEY_END),
	NFT_END,
};

/* The bytes of a nest's NFTA_DATA_VALUE. */
static int
parse_value(
	struct wire_msg *msg, const struct nlattr *nest, uint32_t len, uint8_t out[NFT_DATA_MAX])
{
	struct expr_ctx ctx = {0};
	uint32_t found;
	int rc = attr_value(nest, &ctx, out, &found);

	if (rc == 0 && found != len)
		rc = -EINVAL;
	return rc == 0 ? 0 : wire_refuse(msg, nest, rc);
}

/* The chain that a verdict names; the element holds on to it. */
static int
ask_chain(void *owner, const char *name, uint32_t *number)
{
	struct store_elem *elem = owner;

	elem->chain = store_chain(elem->set->table, name);
	if (elem->chain == NULL)
		return -ENOENT;
	*number = elem->chain->number;
	return elem->chain->based ? -EOPNOTSUPP : 0;
}

static int
parse_data(struct wire_msg *msg, const struct nlattr *nest, struct store_elem *elem)
{
	struct expr_ctx ctx = {.owner = elem, .chain = ask_chain};
	uint8_t data[NFT_DATA_MAX];
	int rc;

	if (elem->set->verdicts) {
		rc = attr_verdict(nest, &ctx, &elem->e.verdict);
		return rc == 0 ? 0 : wire_refuse(msg, nest, rc);
	}
	rc = parse_value(msg, nest, elem->set->data_len, data);
	if (rc == 0)
		memcpy((uint8_t *)(uintptr_t)nft_elem_data(elem->set->live, &elem->e), data,
			elem->set->data_len);
	return rc;
}

/* Milliseconds of an attribute, as nanoseconds; only where elements have a life. */
static int
parse_ms(struct wire_msg *msg, const struct store_elem *elem, const struct nlattr *attr,
	uint64_t *ns)
{
	uint64_t ms;
	int rc;

	if (!(elem->set->flags & NFT_SET_TIMEOUT))
		return wire_refuse(msg, attr, -EINVAL);
	rc = wire_u64(msg, attr, &ms);
	if (rc == 0 && ms > WIRE_TIMEOUT_MS)
		rc = wire_refuse(msg, attr, -ERANGE);
	*ns = rc == 0 ? ms * NS_PER_MS : 0;
	return rc;
}

/* How long it stays (nft_add_set_elem). */
static int
parse_life(struct wire_msg *msg, const struct nlattr *const *attrs, struct store_elem *elem)
{
	uint64_t left;
	int rc = 0;

	elem->timeout_ns = elem->e.end ? 0 : elem->set->timeout_ns;
	if (attrs[NFTA_SET_ELEM_TIMEOUT] != NULL)
		rc = parse_ms(msg, elem, attrs[NFTA_SET_ELEM_TIMEOUT], &elem->timeout_ns);
	left = elem->timeout_ns;
	if (rc == 0 && attrs[NFTA_SET_ELEM_EXPIRATION] != NULL)
		rc = parse_ms(msg, elem, attrs[NFTA_SET_ELEM_EXPIRATION], &left);
	if (rc == 0 && elem->timeout_ns != 0)
		elem->e.expires_ns = clock_ns() + left;
	return rc;
}

/* The object of an object map's element. */
static int
parse_object(struct wire_msg *msg, const struct nlattr *attr, struct store_elem *elem)
{
	char name[STORE_NAME];
	/* What is no name is none of an object's. */
	if (wire_name(msg, attr, name) == 0)
		elem->object = store_object(elem->set->table, name, elem->set->object_type);
	if (elem->object == NULL)
		return -ENOENT;
	elem->e.object = elem->object->number;
	return 0;
}

/* Its statements: its own, of the kinds that the set's are, or the set's. */
static int
parse_statements(struct wire_msg *msg, const struct nlattr *const *attrs, struct store_elem *elem)
{
	const struct nft_statements *of_set = &elem->set->statements;
	struct expr_ctx ctx = {.family = msg->family, .dumped = wire_mirrors(msg)};
	struct nft_elem_statements *own = calloc(1, sizeof(*own));
	int rc = 0;

	if (own == NULL)
		return -ENOMEM;
	elem->statements = own;
	elem->e.statements = own;
	for (unsigned int i = 0; i < NFT_STATEMENTS; i++)
		own->states[i] = STORE_NO_STATE;
	if (attrs[NFTA_SET_ELEM_EXPR] != NULL || attrs[NFTA_SET_ELEM_EXPRESSIONS] != NULL)
		rc = nft_statements_parse(attrs[NFTA_SET_ELEM_EXPR],
			attrs[NFTA_SET_ELEM_EXPRESSIONS], &ctx, &own->said);
	else
		rc = nft_statements_copy(&own->said, of_set);
	if (rc == 0 && of_set->count != 0 && !nft_statements_same(&own->said, of_set))
		rc = -EOPNOTSUPP;
	for (uint32_t i = 0; i < own->said.count && rc == 0; i++)
		rc = store_state_take(
			msg->wire->store, &own->said.list[i], own->said.words[i], &own->states[i]);
	return rc;
}

/* What an element of such a set must have, and what it may not have (nft_add_set_elem). */
static int
check_attrs(const struct store_elem *elem, const struct nlattr *const *attrs)
{
	uint32_t flags = elem->set->flags;
	bool data = attrs[NFTA_SET_ELEM_DATA] != NULL, object = attrs[NFTA_SET_ELEM_OBJREF] != NULL;

	if (!elem->e.end)
		return data == ((flags & NFT_SET_MAP) != 0) &&
				       object == ((flags & NFT_SET_OBJECT) != 0)
			       ? 0
			       : -EINVAL;
	return data || object || attrs[NFTA_SET_ELEM_TIMEOUT] != NULL ||
			       attrs[NFTA_SET_ELEM_EXPIRATION] != NULL ||
			       attrs[NFTA_SET_ELEM_USERDATA] != NULL ||
			       attrs[NFTA_SET_ELEM_EXPR] != NULL ||
			       attrs[NFTA_SET_ELEM_KEY_END] != NULL ||
			       attrs[NFTA_SET_ELEM_EXPRESSIONS] != NULL
		       ? -EINVAL
		       : 0;
}

/* Its key; of a range of fields the last one, too, which is the same if nobody says it. */
static int
parse_keys(struct wire_msg *msg, const struct nlattr *const *attrs, struct store_elem *elem)
{
	const struct nlattr *last = attrs[NFTA_SET_ELEM_KEY_END];
	uint32_t len = elem->set->key_len;
	uint8_t key[NFT_DATA_MAX];
	int rc;

	if (last != NULL && (elem->set->field_count == 0 || elem->e.catchall))
		return -EINVAL;
	if (elem->e.catchall)
		return 0;
	rc = parse_value(msg, attrs[NFTA_SET_ELEM_KEY], len, key);
	if (rc != 0)
		return rc;
	memcpy(elem->e.bytes, key, len);
	if (elem->set->field_count == 0)
		return 0;
	elem->has_last = last != NULL;
	if (last != NULL)
		rc = parse_value(msg, last, len, key);
	memcpy(elem->e.bytes + len, key, len);
	return rc;
}

/* An element of a message; key alone for a deletion. */
static int
parse_elem(struct wire_msg *msg, const struct nlattr *nest, struct store_elem *elem, bool key_only)
{
	const struct nlattr *attrs[NFTA_SET_ELEM_MAX + 1];
	uint32_t flags = 0;
	int rc = wire_attrs(msg, nest, attrs, NFTA_SET_ELEM_MAX);

	if (rc == 0 && attrs[NFTA_SET_ELEM_FLAGS] != NULL)
		rc = wire_u32(msg, attrs[NFTA_SET_ELEM_FLAGS], &flags);
	if (rc == 0 && (flags & ~(uint32_t)(NFT_SET_ELEM_INTERVAL_END | NFT_SET_ELEM_CATCHALL)))
		rc = -EOPNOTSUPP;
	if (rc == 0)
		rc = wire_attributes(msg, nft_elem_attributes, attrs, NFTA_SET_ELEM_MAX);
	if (rc != 0)
		return wire_refuse(msg, nest, rc);
	elem->e.end = (flags & NFT_SET_ELEM_INTERVAL_END) != 0;
	elem->e.catchall = (flags & NFT_SET_ELEM_CATCHALL) != 0;
	if (elem->e.end && !(elem->set->flags & NFT_SET_INTERVAL))
		return wire_refuse(msg, nest, -EINVAL);
	if (elem->e.catchall != (attrs[NFTA_SET_ELEM_KEY] == NULL))
		return wire_refuse(msg, nest, -EINVAL);
	rc = parse_keys(msg, attrs, elem);
	if (rc != 0 || key_only)
		return rc == 0 ? 0 : wire_refuse(msg, nest, rc);
	/* In a listing an end has what its set gives to all elements. */
	if (elem->e.end && wire_mirrors(msg))
		attrs[NFTA_SET_ELEM_TIMEOUT] = attrs[NFTA_SET_ELEM_EXPIRATION] =
			attrs[NFTA_SET_ELEM_EXPR] = attrs[NFTA_SET_ELEM_EXPRESSIONS] = NULL;
	/* In Linux's order, for the first fault is told. */
	rc = check_attrs(elem, attrs);
	if (rc == 0)
		rc = parse_life(msg, attrs, elem);
	if (rc == 0 && !elem->e.end &&
		(elem->set->statements.count != 0 || attrs[NFTA_SET_ELEM_EXPR] != NULL ||
			attrs[NFTA_SET_ELEM_EXPRESSIONS] != NULL))
		rc = parse_statements(msg, attrs, elem);
	if (rc == 0 && attrs[NFTA_SET_ELEM_OBJREF] != NULL)
		rc = parse_object(msg, attrs[NFTA_SET_ELEM_OBJREF], elem);
	if (rc == 0 && attrs[NFTA_SET_ELEM_DATA] != NULL)
		rc = parse_data(msg, attrs[NFTA_SET_ELEM_DATA], elem);
	if (rc == 0)
		rc = wire_keep(msg, attrs[NFTA_SET_ELEM_USERDATA], &elem->userdata);
	return rc == 0 ? 0 : wire_refuse(msg, nest, rc);
}

/* An element that is there already gets the life of the new one, if that says another. */
static int
renew(struct wire_msg *msg, struct store_elem *old, const struct store_elem *elem)
{
	struct store *store = msg->wire->store;
	int rc;

	if (old->timeout_ns == elem->timeout_ns || elem->timeout_ns == 0)
		return 0;
	rc = store_save(store, &old->item, &old->timeout_ns, sizeof(old->timeout_ns));
	if (rc == 0)
		rc = store_save(store, &old->item, &old->e.expires_ns, sizeof(old->e.expires_ns));
	if (rc != 0)
		return rc;
	old->timeout_ns = elem->timeout_ns;
	old->e.expires_ns = elem->e.expires_ns;
	return 0;
}

/* What an element that is there already means for a new one. */
static int
meet(struct wire_msg *msg, const struct nlattr *nest, struct store_elem *old,
	const struct store_elem *elem)
{
	if (memcmp(nft_elem_data(old->set->live, &old->e), nft_elem_data(old->set->live, &elem->e),
		    old->set->live->data_len) != 0 ||
		old->e.verdict.code != elem->e.verdict.code || old->chain != elem->chain ||
		old->object != elem->object)
		return wire_refuse(msg, nest, -EEXIST);
	return msg->nlh->nlmsg_flags & NLM_F_EXCL ? wire_refuse(msg, nest, -EEXIST)
						  : renew(msg, old, elem);
}

/* Ranges may not begin or end within another element's (nft_pipapo_insert). */
static int
check_ranges(const struct store_set *set, const struct store_elem *elem)
{
	const uint8_t *first = elem->e.bytes, *last = first + set->key_len;
	struct store_elem *other;
	uint32_t offset = 0;

	if (set->field_count == 0 || elem->e.catchall)
		return 0;
	other = store_elem_holding(set, first);
	if (other == NULL || store_elem_over(other, clock_ns()))
		other = store_elem_holding(set, last);
	if (other != NULL && !store_elem_over(other, clock_ns()))
		return -EEXIST;
	for (uint32_t i = 0; i < set->field_count; i++) {
		if (memcmp(first + offset, last + offset, set->fields[i]) > 0)
			return -EINVAL;
		offset += (set->fields[i] + 3U) / 4 * 4;
	}
	return 0;
}

static int
add_elem(struct wire_msg *msg, struct store_set *set, const struct nlattr *nest)
{
	struct store *store = msg->wire->store;
	struct store_elem *elem = store_elem_new(set), *old;
	uint64_t limit;
	int rc;

	if (elem == NULL)
		return -ENOMEM;
	rc = parse_elem(msg, nest, elem, false);
	old = rc == 0 ? store_elem(set, elem) : NULL;
	if (old != NULL && store_elem_over(old, clock_ns())) {
		rc = store_remove(store, &old->item);
		old = NULL;
	}
	if (rc == 0 && old == NULL && set->dynamic != NULL && !elem->e.catchall &&
		nft_dynamic_find(set->dynamic, elem->e.bytes, clock_ns()) != NULL) {
		store_item_free(store, &elem->item);
		return msg->nlh->nlmsg_flags & NLM_F_EXCL ? wire_refuse(msg, nest, -EEXIST) : 0;
	}
	if (old != NULL) {
		rc = meet(msg, nest, old, elem);
		store_item_free(store, &elem->item);
		return rc;
	}
	if (rc == 0 && check_ranges(set, elem) != 0)
		rc = wire_refuse(msg, nest, check_ranges(set, elem));
	/* A range counts once, as in nft_rbtree_ksize: it is two elements, and one may end nowhere.
	 */
	limit = (set->flags & NFT_SET_INTERVAL) && set->field_count == 0 ? set->size * 2ULL + 1
									 : set->size;
	if (rc == 0 && set->size != 0 && !elem->e.catchall &&
		set->elems.count - set->catchalls >= limit)
		rc = wire_refuse(msg, nest, -ENFILE);
	if (rc == 0)
		rc = store_add(store, &set->elems, &elem->item, NULL);
	if (rc != 0)
		store_item_free(store, &elem->item);
	return rc;
}

/* The set that a message's elements belong to: by name, or by its id in this batch. */
static int
find_set(struct wire_msg *msg, struct store_set **out)
{
	const struct nlattr *by = msg->attrs[NFTA_SET_ELEM_LIST_SET];
	struct store_table *table;
	char name[STORE_NAME];
	uint32_t id;
	int rc = wire_find_table(msg, msg->attrs[NFTA_SET_ELEM_LIST_TABLE], &table);

	if (rc == 0)
		rc = wire_name(msg, by, name);
	if (rc != 0)
		return rc;
	*out = store_set(table, name);
	if (*out != NULL)
		return 0;
	if (msg->attrs[NFTA_SET_ELEM_LIST_SET_ID] != NULL) {
		rc = wire_u32(msg, msg->attrs[NFTA_SET_ELEM_LIST_SET_ID], &id);
		if (rc != 0)
			return rc;
		store_for_each(item,
			&table->sets) if (id != 0 && ((struct store_set *)item)->batch_id == id)
		{
			*out = (struct store_set *)item;
			return 0;
		}
	}
	return wire_refuse(msg, by, -ENOENT);
}

/* Elements ahead whose bucket is fetched, and then what is in it: a cache miss each. */
#define AHEAD_BUCKET  16
#define AHEAD_ELEMENT 8

/* A place in a list of elements some way ahead of the one at hand. */
struct ahead {
	const struct nlattr *nest;
	uint32_t left; /* bytes of the list from there on */
};

/* The key of an element that is not parsed yet, NULL if it is not as expected. */
static const uint8_t *
peek_key(const struct nlattr *nest, uint32_t len)
{
	const struct nlattr *attr, *value;

	mnl_attr_for_each_nested (attr, nest) {
		if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_KEY)
			continue;
		value = mnl_attr_get_payload(attr);
		return mnl_attr_ok(value, mnl_attr_get_payload_len(attr)) &&
				       mnl_attr_get_payload_len(value) == len
			       ? mnl_attr_get_payload(value)
			       : NULL;
	}
	return NULL;
}

static void
go_ahead(struct ahead *ahead, const struct store_set *set, bool element)
{
	const uint8_t *key;
	uint32_t step;

	if (!mnl_attr_ok(ahead->nest, (int)ahead->left))
		return;
	key = peek_key(ahead->nest, set->key_len);
	if (key != NULL)
		nft_set_prefetch(set->pending != NULL ? set->pending : set->live, key, element);
	step = MNL_ALIGN(ahead->nest->nla_len);
	ahead->left -= step < ahead->left ? step : ahead->left;
	ahead->nest = mnl_attr_next(ahead->nest);
}

int
wire_new_elem(struct wire_msg *msg)
{
	const struct nlattr *list = msg->attrs[NFTA_SET_ELEM_LIST_ELEMENTS], *nest;
	struct ahead bucket, element;
	struct store_set *set;
	int rc;

	if (list == NULL)
		return -EINVAL;
	rc = find_set(msg, &set);
	if (rc != 0)
		return rc;
	if (set->item.use != 0 && (set->flags & (NFT_SET_CONSTANT | NFT_SET_ANONYMOUS)))
		return -EBUSY;
	bucket = element =
		(struct ahead){mnl_attr_get_payload(list), mnl_attr_get_payload_len(list)};
	for (uint32_t i = 0; i < AHEAD_BUCKET; i++) {
		go_ahead(&bucket, set, false);
		if (i < AHEAD_ELEMENT)
			go_ahead(&element, set, true);
	}
	mnl_attr_for_each_nested (nest, list) {
		go_ahead(&bucket, set, false);
		go_ahead(&element, set, true);
		rc = add_elem(msg, set, nest);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/*
 * An element that a packet added is deleted at the commit: until then an element
 * of the store stands for it, so that an undo has nothing to do.
 */
static int
store_shadow(
	struct store *store, struct store_set *set, const uint8_t *key, struct store_elem **out)
{
	struct store_elem *elem = store_elem_new(set);
	int rc;

	if (elem == NULL)
		return -ENOMEM;
	elem->shadow = true;
	memcpy(elem->e.bytes, key, set->key_len);
	rc = store_add(store, &set->elems, &elem->item, NULL);
	if (rc != 0)
		store_item_free(store, &elem->item);
	*out = rc == 0 ? elem : NULL;
	return rc;
}

static int
flush_dynamic(struct store *store, struct store_set *set)
{
	struct nft_dynamic_elem *added;
	struct store_elem *elem;
	uint32_t place = 0;
	int rc = 0;

	while (rc == 0 && set->dynamic != NULL &&
		(added = nft_dynamic_next(set->dynamic, &place, clock_ns())) != NULL) {
		rc = store_shadow(store, set, added->key, &elem);
		if (rc == 0)
			rc = store_remove(store, &elem->item);
	}
	return rc;
}

/* The order of a tree of intervals (nft_rbtree_insert): the greatest first, a start before an end.
 */
static int
compare_flushed(const void *a, const void *b)
{
	const struct store_elem *x = *(struct store_elem *const *)a;
	const struct store_elem *y = *(struct store_elem *const *)b;
	int order = memcmp(y->e.bytes, x->e.bytes, x->set->key_len);

	if (x->e.catchall != y->e.catchall)
		return (int)x->e.catchall - (int)y->e.catchall;
	return order != 0 ? order : (int)x->e.end - (int)y->e.end;
}

/* All elements, in the order in which Linux tells of them; that of a hash is nobody's. */
static int
flush_elems(struct store *store, struct store_set *set)
{
	uint32_t count = 0, most = set->elems.count;
	struct store_elem **elems = calloc(most + 1, sizeof(elems[0]));
	int rc = elems != NULL ? 0 : -ENOMEM;

	for (struct store_item *e = set->elems.first; rc == 0 && e != NULL; e = e->next)
		elems[count++] = (struct store_elem *)e;
	if (count > 1 && (set->flags & NFT_SET_INTERVAL) && set->field_count == 0)
		qsort(elems, count, sizeof(elems[0]), compare_flushed);
	for (uint32_t i = 0; i < count && rc == 0; i++)
		rc = store_remove(store, &elems[i]->item);
	free(elems);
	return rc;
}

static int
delete_elem(struct wire_msg *msg, struct store_set *set, const struct nlattr *nest)
{
	struct store *store = msg->wire->store;
	struct store_elem *key = store_elem_new(set), *elem = NULL;
	int rc = key != NULL ? parse_elem(msg, nest, key, true) : -ENOMEM;

	/* Of ranges the one goes that holds the first key (nft_pipapo_deactivate). */
	if (rc == 0)
		elem = set->field_count && !key->e.catchall ? store_elem_holding(set, key->e.bytes)
							    : store_elem(set, key);
	if (elem != NULL && store_elem_over(elem, clock_ns()))
		elem = NULL;
	if (rc == 0 && elem == NULL && set->dynamic != NULL && !key->e.catchall &&
		nft_dynamic_find(set->dynamic, key->e.bytes, clock_ns()) != NULL)
		rc = store_shadow(store, set, key->e.bytes, &elem);
	if (rc == 0 && elem == NULL)
		rc = wire_refuse(msg, nest, -ENOENT);
	if (key != NULL)
		store_item_free(store, &key->item);
	return rc == 0 ? store_remove(store, &elem->item) : rc;
}

int
wire_del_elem(struct wire_msg *msg)
{
	const struct nlattr *list = msg->attrs[NFTA_SET_ELEM_LIST_ELEMENTS], *nest;
	struct store *store = msg->wire->store;
	struct store_set *set;
	int rc = find_set(msg, &set);

	if (rc != 0)
		return rc;
	if (set->item.use != 0 && (set->flags & (NFT_SET_CONSTANT | NFT_SET_ANONYMOUS)))
		return -EBUSY;
	if (list == NULL) {
		rc = flush_elems(store, set);
		return rc != 0 ? rc : flush_dynamic(store, set);
	}
	mnl_attr_for_each_nested (nest, list) {
		rc = delete_elem(msg, set, nest);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
wire_elem_key(struct wire_msg *msg, const struct nlattr *nest, struct store_elem *key)
{
	return parse_elem(msg, nest, key, true);
}
