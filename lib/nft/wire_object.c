/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named objects (nf_tables_newobj, nf_tables_delobj, nf_tables_getobj's reset).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire_priv.h"

const struct nft_feature nft_objects[] = {
	NFT_HAS("counter", NFT_OBJECT_COUNTER, .note = "also `reset`"),
	NFT_HAS("quota", NFT_OBJECT_QUOTA, .note = "also `reset`; one for all workers"),
	NFT_HAS("limit", NFT_OBJECT_LIMIT, .note = "one for all workers"),
	NFT_HAS_NOT("ct helper", NFT_OBJECT_CT_HELPER, "not built yet"),
	NFT_HAS_NOT("ct timeout", NFT_OBJECT_CT_TIMEOUT, "not built yet"),
	NFT_HAS_NOT("ct expectation", NFT_OBJECT_CT_EXPECT, "not built yet"),
	NFT_HAS_NOT("synproxy", NFT_OBJECT_SYNPROXY, "not built yet"),
	NFT_HAS_NOT("secmark", NFT_OBJECT_SECMARK, "there is no security module"),
	NFT_HAS_NOT("ct count", NFT_OBJECT_CONNLIMIT, "not built yet"),
	NFT_HAS_NOT("tunnel", NFT_OBJECT_TUNNEL, "not built yet"),
	NFT_END,
};

/* The expression that says the same as an object; NULL: it is no statement. */
static const char *
statement_of(uint32_t type)
{
	switch (type) {
	case NFT_OBJECT_COUNTER: return "counter";
	case NFT_OBJECT_QUOTA: return "quota";
	case NFT_OBJECT_LIMIT: return "limit";
	default: return NULL;
	}
}

/* What an object is, by its data. */
static int
parse_object(struct wire_msg *msg, uint32_t type, struct store_object *object, uint64_t words[2])
{
	const struct nlattr *data = msg->attrs[NFTA_OBJ_DATA];
	struct expr_ctx ctx = {.family = msg->family, .dumped = wire_mirrors(msg)};

	words[0] = words[1] = 0;
	if (statement_of(type) != NULL)
		return nft_statement_parse(
			statement_of(type), data, &ctx, &object->statement, words);
	object->statement.kind = NFT_STATEMENT_OTHER;
	return wire_check_object(msg, type, data);
}

/* A state, where it has one, and its data to be told again. */
static int
furnish(struct wire_msg *msg, struct store_object *object, const uint64_t words[2])
{
	const struct nlattr *data = msg->attrs[NFTA_OBJ_DATA];
	int rc = 0;

	if (object->statement.kind != NFT_STATEMENT_OTHER)
		rc = store_state_take(msg->wire->store, &object->statement, words, &object->state);
	memcpy(object->base, words, sizeof(object->base));
	if (rc == 0 && data != NULL)
		rc = wire_keep_object(msg, object, data);
	return rc == 0 ? wire_keep(msg, msg->attrs[NFTA_OBJ_USERDATA], &object->userdata) : rc;
}

static int
create_object(struct wire_msg *msg, struct store_table *table, const char *name, uint32_t type)
{
	struct store *store = msg->wire->store;
	struct store_object *object = store_item_new(store, STORE_OBJECT);
	uint64_t words[2];
	int rc;

	if (object == NULL)
		return -ENOMEM;
	memcpy(object->name, name, sizeof(object->name));
	object->table = table;
	object->type = type;
	object->state = STORE_NO_STATE;
	rc = parse_object(msg, type, object, words);
	if (rc == 0)
		rc = furnish(msg, object, words);
	if (rc == 0) {
		object->item.handle =
			wire_handle(msg, msg->attrs[NFTA_OBJ_HANDLE], &table->handles);
		rc = store_add(store, &table->objects, &object->item, NULL);
	}
	if (rc != 0)
		store_item_free(store, &object->item);
	return rc;
}

/* nf_tables_updobj: a quota gets another size, and goes on. */
static int
update_object(struct wire_msg *msg, struct store_object *object)
{
	struct store_object asked = {.type = object->type};
	uint64_t words[2];
	int rc;

	if (object->type != NFT_OBJECT_QUOTA)
		return 0;
	rc = parse_object(msg, object->type, &asked, words);
	if (rc == 0)
		rc = store_save(msg->wire->store, &object->item, &object->statement,
			sizeof(object->statement));
	if (rc == 0)
		object->statement = asked.statement;
	return rc;
}

int
wire_new_object(struct wire_msg *msg)
{
	struct store_object *object;
	struct store_table *table;
	char name[STORE_NAME];
	uint32_t type;
	int rc = wire_find_table(msg, msg->attrs[NFTA_OBJ_TABLE], &table);

	if (rc == 0)
		rc = wire_name(msg, msg->attrs[NFTA_OBJ_NAME], name);
	if (rc == 0)
		rc = wire_u32(msg, msg->attrs[NFTA_OBJ_TYPE], &type);
	if (rc != 0)
		return rc;
	object = store_object(table, name, type);
	if (object != NULL && (msg->nlh->nlmsg_flags & NLM_F_EXCL))
		return wire_refuse(msg, msg->attrs[NFTA_OBJ_NAME], -EEXIST);
	if (object != NULL)
		return msg->nlh->nlmsg_flags & NLM_F_REPLACE ? -EOPNOTSUPP
							     : update_object(msg, object);
	/* A type that no Linux has is not there; what is not built is not supported. */
	if (nft_feature_find(nft_objects, type, false) == NULL)
		return -ENOENT;
	if (!nft_feature_built(nft_objects, type))
		return wire_refuse(msg, msg->attrs[NFTA_OBJ_TYPE], -EOPNOTSUPP);
	return create_object(msg, table, name, type);
}

int
wire_del_object(struct wire_msg *msg)
{
	const struct nlattr *by = msg->attrs[NFTA_OBJ_HANDLE];
	struct store_object *object = NULL;
	struct store_table *table;
	char name[STORE_NAME];
	uint64_t handle;
	uint32_t type;
	int rc = wire_find_table(msg, msg->attrs[NFTA_OBJ_TABLE], &table);

	if (rc == 0)
		rc = wire_u32(msg, msg->attrs[NFTA_OBJ_TYPE], &type);
	if (rc == 0 && by != NULL) {
		rc = wire_u64(msg, by, &handle);
		if (rc == 0)
			object = (struct store_object *)store_by_handle(&table->objects, handle);
	} else if (rc == 0) {
		by = msg->attrs[NFTA_OBJ_NAME];
		rc = wire_name(msg, by, name);
		if (rc == 0)
			object = store_object(table, name, type);
	}
	if (rc != 0)
		return rc;
	if (object == NULL)
		return wire_refuse(msg, by, -ENOENT);
	if (object->item.use != 0)
		return wire_refuse(msg, by, -EBUSY);
	return store_remove(msg->wire->store, &object->item);
}

void
wire_reset_object(struct nft_wire *wire, struct store_object *object)
{
	struct nft_bucket *bucket;
	uint64_t words[2];

	if (object->state == STORE_NO_STATE)
		return;
	if (object->statement.kind == NFT_STATEMENT_COUNTER) {
		memset(object->base, 0, sizeof(object->base));
		wire_read_state(wire, &object->statement, object->state, object->base, words);
		object->zero = (struct nft_count){words[0], words[1]};
	} else if (object->statement.kind == NFT_STATEMENT_QUOTA) {
		/* What was used meanwhile stays used (nft_quota_do_dump). */
		bucket = &wire->store->states->buckets[object->state];
		words[0] = atomic_load(&bucket->words[0]);
		atomic_fetch_sub(&bucket->words[0], words[0]);
		atomic_store(&bucket->words[1], 0);
	}
}
