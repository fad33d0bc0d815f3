/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of sets and maps (nft_add_set_elem, nft_del_setelem).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire_priv.h"

const struct nft_feature nft_elem_attributes[] = {
	NFT_HAS("a key", NFTA_SET_ELEM_KEY),
	NFT_HAS("a value or verdict", NFTA_SET_ELEM_DATA),
	NFT_HAS("comment", NFTA_SET_ELEM_USERDATA),
	NFT_HAS_NOT("timeout", NFTA_SET_ELEM_TIMEOUT, "not built yet"),
	NFT_HAS_NOT("expires", NFTA_SET_ELEM_EXPIRATION, "not built yet"),
	NFT_HAS_NOT("a statement", NFTA_SET_ELEM_EXPR, "not built yet"),
	NFT_HAS_NOT("statements", NFTA_SET_ELEM_EXPRESSIONS, "not built yet"),
	NFT_HAS_NOT("an object", NFTA_SET_ELEM_OBJREF, "not built yet"),
	NFT_HAS_NOT("the end of a concatenation's range", NFTA_SET_ELEM_KEY_END, "not built yet"),
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

	*number = 0;
	elem->chain = store_chain(elem->set->table, name);
	if (elem->chain == NULL)
		return -ENOENT;
	if (elem->chain->based)
		return -EOPNOTSUPP;
	return store_ref(&elem->refs, &elem->chain->item);
}

static int
parse_data(struct wire_msg *msg, const struct nlattr *nest, struct store_elem *elem)
{
	struct expr_ctx ctx = {.owner = elem, .chain = ask_chain};
	struct nft_verdict verdict;
	int rc;

	if (!elem->set->verdicts)
		return parse_value(msg, nest, elem->set->data_len, elem->data);
	rc = attr_verdict(nest, &ctx, &verdict);
	elem->code = rc == 0 ? verdict.code : 0;
	return rc == 0 ? 0 : wire_refuse(msg, nest, rc);
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
	elem->end = (flags & NFT_SET_ELEM_INTERVAL_END) != 0;
	elem->catchall = (flags & NFT_SET_ELEM_CATCHALL) != 0;
	if (elem->end && !(elem->set->flags & NFT_SET_INTERVAL))
		return wire_refuse(msg, nest, -EINVAL);
	if (elem->catchall != (attrs[NFTA_SET_ELEM_KEY] == NULL))
		return wire_refuse(msg, nest, -EINVAL);
	if (!elem->catchall)
		rc = parse_value(msg, attrs[NFTA_SET_ELEM_KEY], elem->set->key_len, elem->key);
	if (rc != 0 || key_only)
		return rc == 0 ? 0 : wire_refuse(msg, nest, rc);
	if ((attrs[NFTA_SET_ELEM_DATA] != NULL) != ((elem->set->flags & NFT_SET_MAP) && !elem->end))
		return wire_refuse(msg, nest, -EINVAL);
	if (attrs[NFTA_SET_ELEM_DATA] != NULL)
		rc = parse_data(msg, attrs[NFTA_SET_ELEM_DATA], elem);
	return rc == 0 ? 0 : wire_refuse(msg, nest, rc);
}

/* What an element that is there already means for a new one. */
static int
meet(struct wire_msg *msg, const struct nlattr *nest, const struct store_elem *old,
	const struct store_elem *elem)
{
	if (memcmp(old->data, elem->data, sizeof(old->data)) != 0 || old->code != elem->code ||
		old->chain != elem->chain)
		return wire_refuse(msg, nest, -EEXIST);
	return msg->nlh->nlmsg_flags & NLM_F_EXCL ? wire_refuse(msg, nest, -EEXIST) : 0;
}

static int
add_elem(struct wire_msg *msg, struct store_set *set, const struct nlattr *nest)
{
	struct store *store = msg->wire->store;
	struct store_elem *elem = store_item_new(STORE_ELEM), *old;
	uint64_t limit;
	int rc;

	if (elem == NULL)
		return -ENOMEM;
	elem->set = set;
	rc = parse_elem(msg, nest, elem, false);
	old = rc == 0 ? store_elem(set, elem) : NULL;
	if (old != NULL) {
		rc = meet(msg, nest, old, elem);
		store_item_free(store, &elem->item);
		return rc;
	}
	/* A range counts once, as in nft_rbtree_ksize: it is two elements, and one may end nowhere.
	 */
	limit = set->flags & NFT_SET_INTERVAL ? set->size * 2ULL + 1 : set->size;
	if (rc == 0 && set->size != 0 && set->elems.count >= limit)
		rc = wire_refuse(msg, nest, -ENFILE);
	if (rc == 0) {
		elem->attrs =
			store_blob(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest));
		rc = elem->attrs != NULL ? 0 : -ENOMEM;
	}
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

int
wire_new_elem(struct wire_msg *msg)
{
	const struct nlattr *list = msg->attrs[NFTA_SET_ELEM_LIST_ELEMENTS], *nest;
	struct store_set *set;
	int rc;

	if (list == NULL)
		return -EINVAL;
	rc = find_set(msg, &set);
	if (rc != 0)
		return rc;
	if (set->item.use != 0 && (set->flags & (NFT_SET_CONSTANT | NFT_SET_ANONYMOUS)))
		return -EBUSY;
	mnl_attr_for_each_nested (nest, list) {
		rc = add_elem(msg, set, nest);
		if (rc != 0)
			return rc;
	}
	return 0;
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
	while (list == NULL && set->elems.last != NULL) {
		rc = store_remove(store, set->elems.last);
		if (rc != 0)
			return rc;
	}
	if (list == NULL)
		return 0;
	mnl_attr_for_each_nested (nest, list) {
		struct store_elem key = {.set = set}, *elem;

		rc = parse_elem(msg, nest, &key, true);
		elem = rc == 0 ? store_elem(set, &key) : NULL;
		if (rc == 0 && elem == NULL)
			rc = wire_refuse(msg, nest, -ENOENT);
		if (rc == 0)
			rc = store_remove(store, &elem->item);
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
