/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets and maps (nf_tables_newset, nf_tables_delset).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "wire_priv.h"

const struct nft_feature nft_set_features[] = {
	NFT_HAS("named sets of single values", 0),
	NFT_HAS("`{ … }` in a rule", NFT_SET_ANONYMOUS),
	NFT_HAS("flags constant", NFT_SET_CONSTANT),
	NFT_HAS("flags interval", NFT_SET_INTERVAL,
		.note = "ranges and prefixes, also of maps; auto-merge is nft's"),
	NFT_HAS("maps, verdict maps", NFT_SET_MAP,
		.note = "values or verdicts; `*` for what is not in them"),
	NFT_HAS("concatenations", NFT_SET_CONCAT, .note = "of single values; up to 64 bytes"),
	NFT_HAS("ranges of concatenations", NFT_SET_CONCAT | NFT_SET_INTERVAL,
		.note = "looked through one by one", .text = true),
	NFT_HAS("flags timeout", NFT_SET_TIMEOUT),
	NFT_HAS("flags dynamic", NFT_SET_EVAL, .note = "elements that packets add"),
	NFT_HAS("object maps", NFT_SET_OBJECT),
	NFT_HAS("statements of elements", NFT_SET_EXPR,
		.note = "`counter`, `limit`, `quota`, `last`"),
	NFT_END,
};

const struct nft_feature nft_set_attributes[] = {
	NFT_HAS("timeout", NFTA_SET_TIMEOUT),
	NFT_HAS("a statement of every element", NFTA_SET_EXPR),
	NFT_HAS("statements of every element", NFTA_SET_EXPRESSIONS),
	NFT_HAS("the type of objects", NFTA_SET_OBJ_TYPE),
	NFT_HAS("size", NFTA_SET_DESC),
	NFT_HAS("policy", NFTA_SET_POLICY, .note = "stored; lookups are the same"),
	NFT_HAS("comment", NFTA_SET_USERDATA),
	NFT_HAS("gc-interval", NFTA_SET_GC_INTERVAL,
		.note = "stored; who is over is absent at once"),
	NFT_END,
};

#define HAS_ALL(flags, all) (((flags) & (uint32_t)(all)) == (uint32_t)(all))

/* Flags that no kind of set in Linux has together (nf_tables_newset). */
static int
check_flags(struct wire_msg *msg, uint32_t flags)
{
	static const uint32_t apart[] = {
		NFT_SET_MAP | NFT_SET_OBJECT,
		NFT_SET_EVAL | NFT_SET_OBJECT,
		NFT_SET_CONSTANT | NFT_SET_TIMEOUT,
	};

	if (!nft_flags_built(nft_set_features, flags))
		return wire_refuse(msg, NULL, -EOPNOTSUPP);
	for (unsigned int i = 0; i < sizeof(apart) / sizeof(apart[0]); i++)
		if (HAS_ALL(flags, apart[i]))
			return wire_refuse(msg, NULL, -EOPNOTSUPP);
	/* What times out has a name, but for meters. */
	if (HAS_ALL(flags, NFT_SET_ANONYMOUS | NFT_SET_TIMEOUT) && !(flags & NFT_SET_EVAL))
		return wire_refuse(msg, NULL, -EOPNOTSUPP);
	return 0;
}

/* What no kind of set in Linux can do (nft_select_set_ops). */
static int
check_kind(struct wire_msg *msg, uint32_t flags)
{
	/* Intervals are trees: packets cannot add. What times out in no tree has no objects. */
	if (HAS_ALL(flags, NFT_SET_EVAL | NFT_SET_INTERVAL) ||
		(HAS_ALL(flags, NFT_SET_OBJECT | NFT_SET_TIMEOUT) && !(flags & NFT_SET_INTERVAL)))
		return wire_refuse(msg, NULL, -EOPNOTSUPP);
	return 0;
}

/* The data of a map's elements. */
static int
parse_data(struct wire_msg *msg, struct store_set *set)
{
	const struct nlattr *const *attrs = msg->attrs;
	int rc;

	if (attrs[NFTA_SET_DATA_TYPE] == NULL)
		return set->flags & NFT_SET_MAP ? wire_refuse(msg, NULL, -EINVAL) : 0;
	if (!(set->flags & NFT_SET_MAP))
		return wire_refuse(msg, NULL, -EINVAL);
	rc = wire_u32(msg, attrs[NFTA_SET_DATA_TYPE], &set->data_type);
	set->verdicts = set->data_type == NFT_DATA_VERDICT;
	set->data_len = 16;
	if (rc == 0 && !set->verdicts)
		rc = wire_u32(msg, attrs[NFTA_SET_DATA_LEN], &set->data_len);
	if (rc == 0 && (set->data_len == 0 || set->data_len > NFT_DATA_MAX))
		rc = wire_refuse(msg, NULL, -EINVAL);
	return rc;
}

static int
parse_objects(struct wire_msg *msg, struct store_set *set)
{
	const struct nlattr *attr = msg->attrs[NFTA_SET_OBJ_TYPE];
	int rc;

	if (attr == NULL)
		return set->flags & NFT_SET_OBJECT ? wire_refuse(msg, NULL, -EINVAL) : 0;
	if (!(set->flags & NFT_SET_OBJECT))
		return wire_refuse(msg, NULL, -EINVAL);
	rc = wire_u32(msg, attr, &set->object_type);
	if (rc == 0 && !nft_feature_built(nft_objects, set->object_type))
		rc = wire_refuse(msg, NULL, -EOPNOTSUPP);
	return rc;
}

static int
parse_timeout(struct wire_msg *msg, struct store_set *set)
{
	const struct nlattr *attr = msg->attrs[NFTA_SET_TIMEOUT];
	uint64_t ms;
	int rc;

	if (msg->attrs[NFTA_SET_GC_INTERVAL] != NULL && !(set->flags & NFT_SET_TIMEOUT))
		return wire_refuse(msg, NULL, -EINVAL);
	if (attr == NULL)
		return 0;
	if (!(set->flags & NFT_SET_TIMEOUT))
		return wire_refuse(msg, NULL, -EINVAL);
	rc = wire_u64(msg, attr, &ms);
	if (rc == 0 && ms > WIRE_TIMEOUT_MS)
		rc = wire_refuse(msg, NULL, -ERANGE);
	set->timeout_ns = rc == 0 ? ms * NS_PER_MS : 0;
	return rc;
}

/* What a set is, by its attributes. */
static int
parse_set(struct wire_msg *msg, struct store_set *set)
{
	const struct nlattr *const *attrs = msg->attrs;
	int rc = 0;

	if (attrs[NFTA_SET_KEY_LEN] == NULL || attrs[NFTA_SET_ID] == NULL)
		return -EINVAL;
	if (attrs[NFTA_SET_KEY_TYPE] != NULL)
		rc = wire_u32(msg, attrs[NFTA_SET_KEY_TYPE], &set->key_type);
	if (rc == 0 && attrs[NFTA_SET_KEY_TYPE] != NULL &&
		(set->key_type & NFT_DATA_RESERVED_MASK) == NFT_DATA_RESERVED_MASK)
		rc = -EINVAL;
	if (rc == 0)
		rc = wire_u32(msg, attrs[NFTA_SET_KEY_LEN], &set->key_len);
	if (rc == 0 && (set->key_len == 0 || set->key_len > NFT_DATA_MAX))
		rc = -EINVAL;
	if (rc == 0 && attrs[NFTA_SET_FLAGS] != NULL)
		rc = wire_u32(msg, attrs[NFTA_SET_FLAGS], &set->flags);
	if (rc == 0)
		rc = check_flags(msg, set->flags);
	if (rc == 0)
		rc = parse_data(msg, set);
	if (rc == 0)
		rc = parse_objects(msg, set);
	return rc == 0 ? parse_timeout(msg, set) : rc;
}

/* The statements that every element has. */
static int
parse_statements(struct wire_msg *msg, struct store_set *set)
{
	struct expr_ctx ctx = {.family = msg->family};
	int rc;

	if (msg->attrs[NFTA_SET_EXPR] == NULL && msg->attrs[NFTA_SET_EXPRESSIONS] != NULL &&
		!(set->flags & NFT_SET_EXPR))
		return wire_refuse(msg, NULL, -EINVAL);
	rc = nft_statements_parse(msg->attrs[NFTA_SET_EXPR], msg->attrs[NFTA_SET_EXPRESSIONS], &ctx,
		&set->statements);
	return rc == 0 ? 0 : wire_refuse(msg, NULL, rc);
}

/* The bytes of each field of a concatenation (nft_set_desc_concat). */
static int
parse_fields(struct wire_msg *msg, const struct nlattr *list, struct store_set *set)
{
	const struct nlattr *nest, *attrs[NFTA_SET_FIELD_MAX + 1];
	uint32_t len, count = 0, bytes = 0;

	mnl_attr_for_each_nested (nest, list) {
		int rc = wire_attrs(msg, nest, attrs, NFTA_SET_FIELD_MAX);

		if (rc == 0)
			rc = wire_u32(msg, attrs[NFTA_SET_FIELD_LEN], &len);
		if (rc != 0)
			return rc;
		if (count == sizeof(set->fields) || len == 0 || len > NFT_DATA_MAX)
			return wire_refuse(msg, msg->attrs[NFTA_SET_DESC], -E2BIG);
		set->fields[count++] = (uint8_t)len;
		bytes += (len + 3) / 4 * 4;
	}
	if (count != 0 && bytes != set->key_len)
		return wire_refuse(msg, msg->attrs[NFTA_SET_DESC], -EINVAL);
	/* Others are looked up as a whole. */
	set->field_count = (set->flags & NFT_SET_INTERVAL) && count > 1 ? count : 0;
	return 0;
}

static int
parse_desc(struct wire_msg *msg, struct store_set *set)
{
	const struct nlattr *desc[NFTA_SET_DESC_MAX + 1];
	int rc;

	if (msg->attrs[NFTA_SET_DESC] == NULL)
		return set->flags & NFT_SET_CONCAT ? wire_refuse(msg, NULL, -EINVAL) : 0;
	rc = wire_attrs(msg, msg->attrs[NFTA_SET_DESC], desc, NFTA_SET_DESC_MAX);
	if (rc == 0 && desc[NFTA_SET_DESC_CONCAT] != NULL)
		rc = parse_fields(msg, desc[NFTA_SET_DESC_CONCAT], set);
	if (rc == 0 && desc[NFTA_SET_DESC_SIZE] != NULL)
		rc = wire_u32(msg, desc[NFTA_SET_DESC_SIZE], &set->size);
	return rc;
}

/* Its attributes as they came, but for names, id and handle; a verdict's length is filled in. */
static int
keep_attrs(struct wire_msg *msg, struct store_set *set)
{
	struct nlmsghdr *out = mnl_nlmsg_put_header(msg->wire->scratch);

	for (int i = 0; i <= NFTA_SET_MAX; i++) {
		const struct nlattr *attr = msg->attrs[i];

		if (attr == NULL || i == NFTA_SET_TABLE || i == NFTA_SET_NAME || i == NFTA_SET_ID ||
			i == NFTA_SET_HANDLE || i == NFTA_SET_DATA_LEN)
			continue;
		mnl_attr_put(out, attr->nla_type, mnl_attr_get_payload_len(attr),
			mnl_attr_get_payload(attr));
	}
	if (set->flags & NFT_SET_MAP)
		mnl_attr_put_u32(out, NFTA_SET_DATA_LEN, htonl(set->data_len));
	set->attrs = store_blob(mnl_nlmsg_get_payload(out), mnl_nlmsg_get_payload_len(out));
	return set->attrs != NULL ? 0 : -ENOMEM;
}

#define for_each_kept(attr, blob)                                                                  \
	for (const struct nlattr *attr = (const void *)(blob)->data;                               \
		(const uint8_t *)attr + sizeof(*attr) <= (blob)->data + (blob)->len;               \
		attr = mnl_attr_next(attr))

int
wire_size_set(struct wire_msg *msg, struct store_set *set)
{
	struct nlmsghdr *out = mnl_nlmsg_put_header(msg->wire->scratch);
	struct nlattr *desc = mnl_attr_nest_start(out, NFTA_SET_DESC);
	const struct nlattr *old = NULL, *inner;
	struct store_blob *blob;
	int rc;

	if (set->size != 0)
		return 0;
	for_each_kept(attr, set->attrs) old = mnl_attr_get_type(attr) == NFTA_SET_DESC ? attr : old;
	mnl_attr_put_u32(out, NFTA_SET_DESC_SIZE, htonl(NFT_DYNAMIC_SIZE));
	if (old != NULL)
		mnl_attr_for_each_nested (inner, old)
			mnl_attr_put(out, inner->nla_type, mnl_attr_get_payload_len(inner),
				mnl_attr_get_payload(inner));
	mnl_attr_nest_end(out, desc);
	for_each_kept(attr, set->attrs) if (mnl_attr_get_type(attr) != NFTA_SET_DESC) mnl_attr_put(
		out, attr->nla_type, mnl_attr_get_payload_len(attr), mnl_attr_get_payload(attr));
	blob = store_blob(mnl_nlmsg_get_payload(out), mnl_nlmsg_get_payload_len(out));
	rc = blob == NULL ? -ENOMEM
			  : store_save(msg->wire->store, &set->item, &set->size, sizeof(set->size));
	if (rc == 0)
		rc = store_swap(msg->wire->store, &set->item, &set->attrs, blob);
	if (rc != 0)
		free(blob);
	else
		set->size = NFT_DYNAMIC_SIZE;
	return rc;
}

/* A name with %d gets the lowest number that is free (nf_tables_set_alloc_name). */
static int
choose_name(struct wire_msg *msg, const struct store_table *table, char name[STORE_NAME])
{
	char *percent = strchr(name, '%'), pattern[STORE_NAME];
	size_t before;

	if (percent == NULL)
		return 0;
	if (strcmp(percent, "%d") != 0)
		return wire_refuse(msg, msg->attrs[NFTA_SET_NAME], -EINVAL);
	before = (size_t)(percent - name);
	memcpy(pattern, name, before);
	for (unsigned int i = 0; i < UINT32_MAX; i++) {
		memset(name, 0, STORE_NAME);
		memcpy(name, pattern, before);
		snprintf(name + before, STORE_NAME - before, "%u", i);
		if (store_set(table, name) == NULL)
			return 0;
	}
	return -ENFILE;
}

static int
create_set(struct wire_msg *msg, struct store_table *table, char name[STORE_NAME])
{
	struct store *store = msg->wire->store;
	struct store_set *set = store_item_new(store, STORE_SET);
	int rc;

	if (set == NULL)
		return -ENOMEM;
	set->table = table;
	rc = parse_set(msg, set);
	if (rc == 0)
		rc = parse_desc(msg, set);
	if (rc == 0)
		rc = check_kind(msg, set->flags);
	if (rc == 0)
		rc = parse_statements(msg, set);
	if (rc == 0)
		rc = wire_u32(msg, msg->attrs[NFTA_SET_ID], &set->batch_id);
	if (rc == 0)
		rc = choose_name(msg, table, name);
	if (rc == 0)
		rc = store_set_furnish(set);
	memcpy(set->name, name, sizeof(set->name));
	if (rc == 0)
		rc = keep_attrs(msg, set);
	if (rc == 0) {
		set->item.handle = wire_handle(msg, msg->attrs[NFTA_SET_HANDLE], &table->handles);
		rc = store_add(store, &table->sets, &set->item, NULL);
	}
	if (rc != 0)
		store_item_free(store, &set->item);
	return rc;
}

/* nft_set_is_same */
static bool
same(const struct store_set *a, const struct store_set *b)
{
	return a->flags == b->flags && a->key_type == b->key_type && a->key_len == b->key_len &&
	       a->data_type == b->data_type && a->data_len == b->data_len &&
	       a->field_count == b->field_count &&
	       memcmp(a->fields, b->fields, sizeof(a->fields)) == 0 &&
	       nft_statements_same(&a->statements, &b->statements);
}

/* Its life and size from now on are those that are asked for (nft_trans_set_update). */
static int
renew(struct wire_msg *msg, struct store_set *set, const struct store_set *asked)
{
	static const uint16_t taken[] = {NFTA_SET_TIMEOUT, NFTA_SET_GC_INTERVAL, NFTA_SET_DESC};
	struct nlmsghdr *out = mnl_nlmsg_put_header(msg->wire->scratch);
	unsigned int count = asked->size != 0 ? 3 : 2;
	struct store *store = msg->wire->store;
	struct store_blob *blob;
	int rc;

	for_each_kept(attr, set->attrs)
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (type == taken[0] || type == taken[1] || (count == 3 && type == taken[2]))
			continue;
		mnl_attr_put(out, attr->nla_type, mnl_attr_get_payload_len(attr),
			mnl_attr_get_payload(attr));
	}
	for (unsigned int i = 0; i < count; i++)
		if (msg->attrs[taken[i]] != NULL)
			mnl_attr_put(out, msg->attrs[taken[i]]->nla_type,
				mnl_attr_get_payload_len(msg->attrs[taken[i]]),
				mnl_attr_get_payload(msg->attrs[taken[i]]));
	blob = store_blob(mnl_nlmsg_get_payload(out), mnl_nlmsg_get_payload_len(out));
	if (blob == NULL)
		return -ENOMEM;
	rc = store_swap(store, &set->item, &set->attrs, blob);
	if (rc != 0)
		free(blob);
	if (rc == 0)
		rc = store_save(store, &set->item, &set->renewal, sizeof(set->renewal));
	if (rc == 0)
		set->renewal = (struct store_renewal){true, asked->size, asked->timeout_ns};
	return rc;
}

/* A set that is there, asked for again. */
static int
update_set(struct wire_msg *msg, struct store_set *set, struct store_set *asked)
{
	int rc;

	if (msg->nlh->nlmsg_flags & NLM_F_EXCL)
		return wire_refuse(msg, msg->attrs[NFTA_SET_NAME], -EEXIST);
	if (msg->nlh->nlmsg_flags & NLM_F_REPLACE)
		return -EOPNOTSUPP;
	rc = parse_statements(msg, asked);
	if (rc == 0 && !same(set, asked))
		rc = wire_refuse(msg, msg->attrs[NFTA_SET_NAME], -EEXIST);
	nft_statements_clear(&asked->statements);
	if (rc == 0)
		rc = renew(msg, set, asked);
	/* It is known in this batch by its id, too. */
	if (rc == 0)
		rc = store_save(msg->wire->store, &set->item, &set->batch_id, sizeof(uint32_t));
	return rc != 0 ? rc : wire_u32(msg, msg->attrs[NFTA_SET_ID], &set->batch_id);
}

int
wire_new_set(struct wire_msg *msg)
{
	struct store_set *set, asked = {0};
	struct store_table *table;
	char name[STORE_NAME];
	/* What it says is judged before where it goes. */
	int rc = parse_set(msg, &asked);

	if (rc == 0)
		rc = parse_desc(msg, &asked);
	if (rc == 0)
		rc = wire_find_table(msg, msg->attrs[NFTA_SET_TABLE], &table);
	if (rc == 0)
		rc = wire_name(msg, msg->attrs[NFTA_SET_NAME], name);
	if (rc != 0)
		return rc;
	set = store_set(table, name);
	return set == NULL ? create_set(msg, table, name) : update_set(msg, set, &asked);
}

int
wire_del_set(struct wire_msg *msg)
{
	const struct nlattr *by = msg->attrs[NFTA_SET_HANDLE];
	struct store_set *set = NULL;
	struct store_table *table;
	char name[STORE_NAME];
	uint64_t handle;
	int rc = wire_find_table(msg, msg->attrs[NFTA_SET_TABLE], &table);

	if (rc == 0 && by != NULL) {
		rc = wire_u64(msg, by, &handle);
		if (rc == 0)
			set = (struct store_set *)store_by_handle(&table->sets, handle);
	} else if (rc == 0) {
		by = msg->attrs[NFTA_SET_NAME];
		rc = wire_name(msg, by, name);
		if (rc == 0)
			set = store_set(table, name);
	}
	if (rc != 0)
		return rc;
	if (set == NULL)
		return wire_refuse(msg, by, -ENOENT);
	if (set->item.use != 0 || ((msg->nlh->nlmsg_flags & NLM_F_NONREC) && set->elems.count != 0))
		return wire_refuse(msg, by, -EBUSY);
	return store_remove(msg->wire->store, &set->item);
}
