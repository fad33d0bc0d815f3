/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables and chains (nf_tables_newtable, nf_tables_newchain and their like).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "wire_priv.h"

const struct nft_feature nft_families[] = {
	NFT_HAS("ip", NFPROTO_IPV4),
	NFT_HAS("ip6", NFPROTO_IPV6),
	NFT_HAS("inet", NFPROTO_INET),
	NFT_HAS_NOT("bridge", NFPROTO_BRIDGE, "not built yet"),
	NFT_HAS_NOT("arp", NFPROTO_ARP, "not built yet"),
	NFT_HAS_NOT("netdev", NFPROTO_NETDEV, "not built yet"),
	NFT_END,
};

const struct nft_feature nft_table_features[] = {
	NFT_HAS("flags dormant", NFT_TABLE_F_DORMANT),
	NFT_HAS_NOT("flags owner", NFT_TABLE_F_OWNER,
		"a table that dies with its client: not built yet"),
	NFT_END,
};

#define NAT_HOOKS                                                                                  \
	(1 << HOOK_PREROUTING | 1 << HOOK_INPUT | 1 << HOOK_OUTPUT | 1 << HOOK_POSTROUTING)

const struct nft_feature nft_chain_types[] = {
	NFT_HAS("filter", NFT_KIND_FILTER),
	NFT_HAS("nat", NFT_KIND_NAT, .hooks = NAT_HOOKS, .note = "priority above -200"),
	NFT_HAS("route", NFT_KIND_ROUTE, .hooks = 1 << HOOK_OUTPUT),
	NFT_END,
};

#define ROUTER "the router's own packets: ICMP errors, rejects"

const struct nft_feature nft_hooks[] = {
	NFT_HAS("prerouting", NF_INET_PRE_ROUTING),
	NFT_HAS("input", NF_INET_LOCAL_IN,
		.note = "then the packet is dropped as `local`: no stack takes it yet"),
	NFT_HAS("forward", NF_INET_FORWARD),
	NFT_HAS("output", NF_INET_LOCAL_OUT, .note = ROUTER),
	NFT_HAS("postrouting", NF_INET_POST_ROUTING),
	NFT_HAS_NOT("ingress", NF_INET_INGRESS, "not built yet"),
	NFT_END,
};

const struct nft_feature nft_chain_features[] = {
	NFT_HAS("base chains, with a policy", NFT_CHAIN_BASE),
	NFT_HAS("other chains, with jump and goto", 0),
	NFT_HAS_NOT("flags offload", NFT_CHAIN_HW_OFFLOAD, "of family netdev only"),
	NFT_HAS("jump, goto { … }", NFT_CHAIN_BINDING,
		.note = "not within each other, as in Linux"),
	NFT_END,
};

/* Userdata as it came; NULL and 0 without. */
static int
keep(struct wire_msg *msg, const struct nlattr *attr, struct store_blob **out)
{
	*out = NULL;
	if (attr == NULL)
		return 0;
	*out = store_blob(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	return *out != NULL ? 0 : wire_refuse(msg, NULL, -ENOMEM);
}

int
wire_new_table(struct wire_msg *msg)
{
	struct store *store = msg->wire->store;
	struct store_table *table;
	char name[STORE_NAME];
	uint32_t flags = 0;
	int rc = wire_name(msg, msg->attrs[NFTA_TABLE_NAME], name);

	if (rc == 0 && !nft_feature_built(nft_families, msg->family))
		rc = wire_refuse(msg, NULL, -EOPNOTSUPP);
	if (rc == 0 && msg->attrs[NFTA_TABLE_FLAGS] != NULL)
		rc = wire_u32(msg, msg->attrs[NFTA_TABLE_FLAGS], &flags);
	if (rc == 0 && !nft_flags_built(nft_table_features, flags))
		rc = wire_refuse(msg, msg->attrs[NFTA_TABLE_FLAGS], -EOPNOTSUPP);
	if (rc != 0)
		return rc;
	table = store_table(store, msg->family, name);
	if (table != NULL) {
		if (msg->nlh->nlmsg_flags & NLM_F_EXCL)
			return wire_refuse(msg, msg->attrs[NFTA_TABLE_NAME], -EEXIST);
		if (msg->attrs[NFTA_TABLE_FLAGS] == NULL || table->flags == flags)
			return 0;
		rc = store_save(store, &table->item, &table->flags, sizeof(table->flags));
		table->flags = rc == 0 ? flags : table->flags;
		return rc;
	}
	table = store_item_new(STORE_TABLE);
	if (table == NULL)
		return -ENOMEM;
	memcpy(table->name, name, sizeof(name));
	table->family = msg->family;
	table->flags = flags;
	table->item.handle = ++store->table_handles;
	rc = keep(msg, msg->attrs[NFTA_TABLE_USERDATA], &table->userdata);
	if (rc == 0)
		rc = store_add(store, &store->tables, &table->item, NULL);
	if (rc != 0)
		store_item_free(store, &table->item);
	return rc;
}

int
wire_del_table(struct wire_msg *msg)
{
	struct store *store = msg->wire->store;
	struct store_table *table;
	uint64_t handle;
	int rc;

	if (msg->attrs[NFTA_TABLE_HANDLE] != NULL) {
		rc = wire_u64(msg, msg->attrs[NFTA_TABLE_HANDLE], &handle);
		if (rc != 0)
			return rc;
		table = (struct store_table *)store_by_handle(&store->tables, handle);
		if (table == NULL)
			return wire_refuse(msg, msg->attrs[NFTA_TABLE_HANDLE], -ENOENT);
		return store_remove(store, &table->item);
	}
	if (msg->attrs[NFTA_TABLE_NAME] != NULL) {
		rc = wire_find_table(msg, msg->attrs[NFTA_TABLE_NAME], &table);
		return rc != 0 ? rc : store_remove(store, &table->item);
	}
	/* Without a name: all of the family, or all (nft_flush). */
	for (struct store_item *item = store->tables.first, *next; item != NULL; item = next) {
		next = item->next;
		if (msg->family != NFPROTO_UNSPEC &&
			((struct store_table *)item)->family != msg->family)
			continue;
		rc = store_remove(store, item);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* --- chains */

/* A base chain's place, as a message says it. */
struct place {
	uint32_t hook;
	int32_t priority;
	unsigned int kind;
};

/* nft_chain_parse_hook: a chain's type, and where it is to be. */
static int
parse_place(struct wire_msg *msg, struct place *place)
{
	const struct nlattr *hook[NFTA_HOOK_MAX + 1];
	char type[STORE_NAME] = "filter";
	uint32_t priority;
	int rc = wire_attrs(msg, msg->attrs[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_MAX);

	if (rc == 0 && (hook[NFTA_HOOK_HOOKNUM] == NULL || hook[NFTA_HOOK_PRIORITY] == NULL))
		rc = wire_refuse(msg, NULL, -ENOENT);
	if (rc == 0)
		rc = wire_u32(msg, hook[NFTA_HOOK_HOOKNUM], &place->hook);
	if (rc == 0)
		rc = wire_u32(msg, hook[NFTA_HOOK_PRIORITY], &priority);
	if (rc == 0 && msg->attrs[NFTA_CHAIN_TYPE] != NULL)
		rc = wire_name(msg, msg->attrs[NFTA_CHAIN_TYPE], type);
	if (rc != 0)
		return rc;
	place->priority = (int32_t)priority;
	place->kind = store_chain_kind(type);
	if (place->kind == 0)
		return wire_refuse(msg, msg->attrs[NFTA_CHAIN_TYPE], -ENOENT);
	/* Devices are for hooks that are not built yet. */
	if (!nft_feature_built(nft_hooks, place->hook) || hook[NFTA_HOOK_DEV] != NULL ||
		hook[NFTA_HOOK_DEVS] != NULL)
		return wire_refuse(msg, NULL, -EOPNOTSUPP);
	return 0;
}

/* Whether chains of that type can be there. */
static int
check_place(struct wire_msg *msg, const struct place *place)
{
	const struct nft_feature *type = nft_feature_find(nft_chain_types, place->kind, false);

	if (type == NULL || type->class == NFT_REFUSED ||
		(type->hooks != 0 && !(type->hooks & 1U << place->hook)))
		return wire_refuse(msg, NULL, -EOPNOTSUPP);
	if (place->kind == NFT_KIND_NAT && place->priority <= -200)
		return wire_refuse(msg, NULL, -EOPNOTSUPP);
	return 0;
}

static int
parse_policy(struct wire_msg *msg, bool based, uint32_t *policy)
{
	const struct nlattr *attr = msg->attrs[NFTA_CHAIN_POLICY];
	int rc;

	if (attr == NULL)
		return 0;
	if (!based)
		return wire_refuse(msg, attr, -EOPNOTSUPP);
	rc = wire_u32(msg, attr, policy);
	if (rc == 0 && *policy != NF_ACCEPT && *policy != NF_DROP)
		rc = wire_refuse(msg, attr, -EINVAL);
	return rc;
}

/* nf_tables_updchain: the policy, and with a handle the name. */
static int
update_chain(struct wire_msg *msg, struct store_chain *chain)
{
	struct store *store = msg->wire->store;
	uint32_t policy = chain->policy;
	struct place place;
	int rc;

	if (msg->nlh->nlmsg_flags & NLM_F_REPLACE)
		return wire_refuse(msg, NULL, -EOPNOTSUPP);
	if (msg->attrs[NFTA_CHAIN_HOOK] != NULL) {
		if (!chain->based)
			return wire_refuse(msg, msg->attrs[NFTA_CHAIN_HOOK], -EEXIST);
		rc = parse_place(msg, &place);
		if (rc != 0)
			return rc;
		if (place.kind != chain->kind)
			return wire_refuse(msg, msg->attrs[NFTA_CHAIN_NAME], -EEXIST);
		if (place.hook != chain->hook || place.priority != chain->priority)
			return wire_refuse(msg, NULL, -EOPNOTSUPP);
	}
	rc = parse_policy(msg, chain->based, &policy);
	/* Also if it stays: an update is a change, as in Linux. */
	if (rc == 0) {
		rc = store_save(store, &chain->item, &chain->policy, sizeof(policy));
		if (rc == 0)
			chain->policy = policy;
	}
	return rc;
}

static int
rename_chain(struct wire_msg *msg, struct store_chain *chain)
{
	struct store *store = msg->wire->store;
	char name[STORE_NAME];
	int rc = wire_name(msg, msg->attrs[NFTA_CHAIN_NAME], name);

	if (rc != 0)
		return rc;
	if (store_chain(chain->table, name) != NULL)
		return wire_refuse(msg, msg->attrs[NFTA_CHAIN_NAME], -EEXIST);
	return store_rename(store, &chain->item, chain->name, name);
}

static int
create_chain(struct wire_msg *msg, struct store_table *table, const char *name)
{
	struct store *store = msg->wire->store;
	struct store_chain *chain = store_item_new(STORE_CHAIN);
	struct place place = {0};
	int rc = 0;

	if (chain == NULL)
		return -ENOMEM;
	memcpy(chain->name, name, sizeof(chain->name));
	chain->table = table;
	chain->based = msg->attrs[NFTA_CHAIN_HOOK] != NULL;
	chain->policy = NF_ACCEPT;
	if (chain->based)
		rc = parse_place(msg, &place);
	if (rc == 0 && chain->based)
		rc = check_place(msg, &place);
	if (rc == 0)
		rc = parse_policy(msg, chain->based, &chain->policy);
	if (rc == 0 && msg->attrs[NFTA_CHAIN_FLAGS] != NULL) {
		uint32_t flags;

		rc = wire_u32(msg, msg->attrs[NFTA_CHAIN_FLAGS], &flags);
		if (rc == 0 && !nft_flags_built(nft_chain_features, flags))
			rc = wire_refuse(msg, msg->attrs[NFTA_CHAIN_FLAGS], -EOPNOTSUPP);
		chain->binding = rc == 0 && (flags & NFT_CHAIN_BINDING);
		if (chain->binding && (chain->based || msg->attrs[NFTA_CHAIN_NAME] != NULL))
			rc = -EINVAL;
	}
	if (rc == 0 && msg->attrs[NFTA_CHAIN_ID] != NULL)
		rc = wire_u32(msg, msg->attrs[NFTA_CHAIN_ID], &chain->batch_id);
	if (rc == 0 && msg->attrs[NFTA_CHAIN_NAME] == NULL &&
		(!chain->binding || chain->batch_id == 0))
		rc = -EINVAL;
	chain->flags = chain->based ? NFT_CHAIN_BASE : chain->binding ? NFT_CHAIN_BINDING : 0;
	chain->hook = (uint8_t)place.hook;
	chain->priority = place.priority;
	chain->kind = (uint8_t)place.kind;
	chain->registered = ++store->registrations;
	store_list_init(&chain->rules, NULL);
	if (rc == 0)
		rc = keep(msg, msg->attrs[NFTA_CHAIN_USERDATA], &chain->userdata);
	if (rc == 0) {
		chain->item.handle = ++table->handles;
		rc = store_add(store, &table->chains, &chain->item, NULL);
	}
	if (rc != 0)
		store_item_free(store, &chain->item);
	return rc;
}

int
wire_new_chain(struct wire_msg *msg)
{
	struct store_chain *chain;
	struct store_table *table;
	char name[STORE_NAME];
	uint64_t handle;
	int rc = wire_find_table(msg, msg->attrs[NFTA_CHAIN_TABLE], &table);

	if (rc != 0)
		return rc;
	if (msg->attrs[NFTA_CHAIN_HANDLE] != NULL) {
		rc = wire_u64(msg, msg->attrs[NFTA_CHAIN_HANDLE], &handle);
		chain = rc == 0 ? (struct store_chain *)store_by_handle(&table->chains, handle)
				: NULL;
		if (chain == NULL)
			return wire_refuse(msg, msg->attrs[NFTA_CHAIN_HANDLE], -ENOENT);
		if (msg->attrs[NFTA_CHAIN_NAME] != NULL)
			return rename_chain(msg, chain);
		return update_chain(msg, chain);
	}
	/* `jump { … }`: known by its id in this batch, and by a name that nft never shows. */
	if (msg->attrs[NFTA_CHAIN_NAME] == NULL) {
		memset(name, 0, sizeof(name));
		snprintf(name, sizeof(name), "__chain%llu",
			(unsigned long long)++msg->wire->store->bindings);
		return create_chain(msg, table, name);
	}
	rc = wire_name(msg, msg->attrs[NFTA_CHAIN_NAME], name);
	if (rc != 0)
		return rc;
	chain = store_chain(table, name);
	if (chain == NULL)
		return create_chain(msg, table, name);
	if (msg->nlh->nlmsg_flags & NLM_F_EXCL)
		return wire_refuse(msg, msg->attrs[NFTA_CHAIN_NAME], -EEXIST);
	return update_chain(msg, chain);
}

int
wire_del_chain(struct wire_msg *msg)
{
	struct store_chain *chain;
	struct store_table *table;
	const struct nlattr *by;
	uint64_t handle;
	int rc = wire_find_table(msg, msg->attrs[NFTA_CHAIN_TABLE], &table);

	if (rc != 0)
		return rc;
	/* Single devices of a chain. */
	if (msg->attrs[NFTA_CHAIN_HOOK] != NULL)
		return wire_refuse(msg, NULL, -EOPNOTSUPP);
	by = msg->attrs[NFTA_CHAIN_HANDLE];
	if (by != NULL) {
		rc = wire_u64(msg, by, &handle);
		chain = rc == 0 ? (struct store_chain *)store_by_handle(&table->chains, handle)
				: NULL;
		if (chain == NULL)
			rc = wire_refuse(msg, by, -ENOENT);
	} else {
		by = msg->attrs[NFTA_CHAIN_NAME];
		rc = wire_find_chain(msg, table, by, &chain);
	}
	if (rc != 0)
		return rc;
	if (chain->binding)
		return wire_refuse(msg, by, -EOPNOTSUPP);
	if (chain->item.use != 0 ||
		((msg->nlh->nlmsg_flags & NLM_F_NONREC) && chain->rules.count != 0)) {
		uint32_t own = 0;

		/* Jumps from its own rules go with them. */
		store_for_each(item,
			&chain->rules) for (uint32_t i = 0;
					    i < ((struct store_rule *)item)->refs.count; i++) own +=
			((struct store_rule *)item)->refs.items[i] == &chain->item;
		if (own != chain->item.use || (msg->nlh->nlmsg_flags & NLM_F_NONREC))
			return wire_refuse(msg, by, -EBUSY);
	}
	return store_remove(msg->wire->store, &chain->item);
}
