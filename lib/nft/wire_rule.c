/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules (nf_tables_newrule, nf_tables_delrule): where they go, which one is meant.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire_priv.h"

struct store_chain *
wire_chain_of_batch(const struct store_table *table, uint32_t id)
{
	store_for_each(item, &table->chains)
	{
		struct store_chain *chain = (struct store_chain *)item;

		if (id != 0 && chain->batch_id == id)
			return chain;
	}
	return NULL;
}

/* A rule by its handle in a chain, or by its id in this batch. */
static int
find_rule(struct wire_msg *msg, const struct store_chain *chain, const struct nlattr *attr,
	struct store_item **out)
{
	uint64_t handle;
	int rc = wire_u64(msg, attr, &handle);

	if (rc != 0)
		return rc;
	*out = store_by_handle(&chain->rules, handle);
	return *out != NULL ? 0 : wire_refuse(msg, attr, -ENOENT);
}

static int
find_by_id(struct wire_msg *msg, const struct store_chain *chain, const struct nlattr *attr,
	struct store_item **out)
{
	uint32_t id;
	int rc = wire_u32(msg, attr, &id);

	if (rc != 0)
		return rc;
	store_for_each(item, &chain->rules) if (((struct store_rule *)item)->fresh &&
						((struct store_rule *)item)->batch_id == id)
	{
		*out = item;
		return 0;
	}
	return wire_refuse(msg, attr, -ENOENT);
}

/* Where the rule goes, and what it replaces. */
static int
find_place(struct wire_msg *msg, const struct store_chain *chain, struct store_item **at,
	uint64_t *handle)
{
	uint16_t flags = msg->nlh->nlmsg_flags;
	int rc;

	*at = NULL;
	if (msg->attrs[NFTA_RULE_HANDLE] != NULL && !wire_mirrors(msg)) {
		rc = find_rule(msg, chain, msg->attrs[NFTA_RULE_HANDLE], at);
		if (rc == 0 && (flags & NLM_F_EXCL))
			rc = wire_refuse(msg, msg->attrs[NFTA_RULE_HANDLE], -EEXIST);
		if (rc == 0 && !(flags & NLM_F_REPLACE))
			rc = wire_refuse(msg, NULL, -EOPNOTSUPP);
		*handle = rc == 0 ? (*at)->handle : 0;
		return rc;
	}
	if (!(flags & NLM_F_CREATE) || (flags & NLM_F_REPLACE))
		return wire_refuse(msg, NULL, -EINVAL);
	/* It is used up, whatever comes of the rule. */
	*handle = wire_handle(msg, msg->attrs[NFTA_RULE_HANDLE], &chain->table->handles);
	if (msg->attrs[NFTA_RULE_POSITION] != NULL)
		return find_rule(msg, chain, msg->attrs[NFTA_RULE_POSITION], at);
	if (msg->attrs[NFTA_RULE_POSITION_ID] != NULL)
		return find_by_id(msg, chain, msg->attrs[NFTA_RULE_POSITION_ID], at);
	return 0;
}

static int
link_rule(struct wire_msg *msg, struct store_rule *rule, struct store_item *at)
{
	struct store *store = msg->wire->store;
	uint16_t flags = msg->nlh->nlmsg_flags;
	struct store_list *rules = &rule->chain->rules;
	struct store_item *before;
	int rc;

	if (flags & NLM_F_REPLACE) {
		/* In this order are they told of. */
		rc = store_remove(store, at);
		return rc != 0 ? rc : store_add(store, rules, &rule->item, at->next);
	}
	if (flags & NLM_F_APPEND)
		before = at != NULL ? at->next : NULL;
	else
		before = at != NULL ? at : rules->first;
	return store_add(store, rules, &rule->item, before);
}

/* A rule's chain, by name or by its id in this batch. */
static int
find_chain(struct wire_msg *msg, struct store_table *table, struct store_chain **out)
{
	const struct nlattr *by = msg->attrs[NFTA_RULE_CHAIN];
	uint32_t id;
	int rc;

	if (by != NULL || msg->attrs[NFTA_RULE_CHAIN_ID] == NULL) {
		rc = wire_find_chain(msg, table, by, out);
	} else {
		by = msg->attrs[NFTA_RULE_CHAIN_ID];
		rc = wire_u32(msg, by, &id);
		*out = rc == 0 ? wire_chain_of_batch(table, id) : NULL;
		if (rc == 0 && *out == NULL)
			rc = wire_refuse(msg, by, -ENOENT);
	}
	return rc == 0 && (*out)->bound && !wire_mirrors(msg) ? -EOPNOTSUPP : rc;
}

int
wire_new_rule(struct wire_msg *msg)
{
	struct store *store = msg->wire->store;
	const struct nlattr *userdata = msg->attrs[NFTA_RULE_USERDATA];
	struct store_table *table;
	struct store_chain *chain;
	struct store_rule *rule;
	struct store_item *at;
	uint64_t handle;
	int rc = wire_find_table(msg, msg->attrs[NFTA_RULE_TABLE], &table);

	if (rc == 0)
		rc = find_chain(msg, table, &chain);
	if (rc == 0)
		rc = find_place(msg, chain, &at, &handle);
	if (rc != 0)
		return rc;
	rule = store_item_new(store, STORE_RULE);
	if (rule == NULL)
		return -ENOMEM;
	rule->chain = chain;
	rule->fresh = true;
	rule->batch_seq = msg->nlh->nlmsg_seq;
	if (msg->attrs[NFTA_RULE_ID] != NULL)
		rc = wire_u32(msg, msg->attrs[NFTA_RULE_ID], &rule->batch_id);
	rule->item.handle = handle;
	if (rc == 0 && msg->attrs[NFTA_RULE_COMPAT] != NULL)
		rc = wire_compat(msg, rule);
	if (rc == 0)
		rc = wire_take_exprs(msg, rule);
	if (rc == 0 && userdata != NULL) {
		rule->userdata = store_blob(
			mnl_attr_get_payload(userdata), mnl_attr_get_payload_len(userdata));
		rc = rule->userdata != NULL ? 0 : -ENOMEM;
	}
	if (rc != 0) {
		store_item_free(store, &rule->item);
		return rc;
	}
	rc = link_rule(msg, rule, at);
	if (rc != 0 && !rule->item.linked)
		store_item_free(store, &rule->item);
	return rc;
}

static int
flush_chain(struct store *store, struct store_chain *chain)
{
	int rc = 0;

	while (rc == 0 && chain->rules.first != NULL)
		rc = store_remove(store, chain->rules.first);
	return rc;
}

int
wire_del_rule(struct wire_msg *msg)
{
	struct store *store = msg->wire->store;
	struct store_table *table;
	struct store_chain *chain;
	struct store_item *rule;
	int rc = wire_find_table(msg, msg->attrs[NFTA_RULE_TABLE], &table);

	if (rc != 0)
		return rc;
	if (msg->attrs[NFTA_RULE_CHAIN] == NULL) {
		store_for_each(item, &table->chains)
		{
			if (!((struct store_chain *)item)->binding)
				rc = flush_chain(store, (struct store_chain *)item);
			if (rc != 0)
				return rc;
		}
		return 0;
	}
	rc = wire_find_chain(msg, table, msg->attrs[NFTA_RULE_CHAIN], &chain);
	if (rc == 0 && chain->binding)
		rc = -EOPNOTSUPP;
	if (rc != 0)
		return rc;
	if (msg->attrs[NFTA_RULE_HANDLE] != NULL) {
		rc = find_rule(msg, chain, msg->attrs[NFTA_RULE_HANDLE], &rule);
		return rc != 0 ? rc : store_remove(store, rule);
	}
	if (msg->attrs[NFTA_RULE_ID] != NULL) {
		rc = find_by_id(msg, chain, msg->attrs[NFTA_RULE_ID], &rule);
		return rc != 0 ? rc : store_remove(store, rule);
	}
	return flush_chain(store, chain);
}
