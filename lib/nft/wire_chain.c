/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chains (nf_tables_newchain, nf_tables_delchain).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire_priv.h"

#define NAT_HOOKS                                                                                  \
	(1 << HOOK_PREROUTING | 1 << HOOK_INPUT | 1 << HOOK_OUTPUT | 1 << HOOK_POSTROUTING)
#define IP_FAMILIES (NFT_ON_IP | NFT_ON_IP6 | NFT_ON_INET)

const struct nft_feature nft_chain_types[] = {
	NFT_HAS("filter", NFT_KIND_FILTER),
	NFT_HAS("nat", NFT_KIND_NAT, .families = IP_FAMILIES, .hooks = NAT_HOOKS,
		.note = "priority above -200"),
	NFT_HAS("route", NFT_KIND_ROUTE, .families = IP_FAMILIES, .hooks = 1 << HOOK_OUTPUT),
	NFT_END,
};

#define ROUTER "the router's own packets: ICMP errors, rejects"

const struct nft_feature nft_hooks[] = {
	NFT_HAS("prerouting", HOOK_PREROUTING, .families = IP_FAMILIES | NFT_ON_BRIDGE),
	NFT_HAS("input", HOOK_INPUT, .families = IP_FAMILIES | NFT_ON_BRIDGE | NFT_ON_ARP,
		.note = "then the packet is dropped as `local`: no stack takes it yet"),
	NFT_HAS("forward", HOOK_FORWARD, .families = IP_FAMILIES | NFT_ON_BRIDGE),
	NFT_HAS("output", HOOK_OUTPUT, .families = IP_FAMILIES | NFT_ON_BRIDGE | NFT_ON_ARP,
		.note = ROUTER),
	NFT_HAS("postrouting", HOOK_POSTROUTING, .families = IP_FAMILIES | NFT_ON_BRIDGE),
	NFT_HAS("ingress", HOOK_INGRESS, .families = NFT_ON_INET | NFT_ON_NETDEV,
		.note = "of ports; another device's chain is kept, and no packet meets it"),
	NFT_HAS("egress", HOOK_EGRESS, .families = NFT_ON_NETDEV, .note = "the same"),
	NFT_END,
};

const struct nft_feature nft_chain_features[] = {
	NFT_HAS("base chains, with a policy", NFT_CHAIN_BASE),
	NFT_HAS("other chains, with jump and goto", 0),
	NFT_HAS_NOT("flags offload", NFT_CHAIN_HW_OFFLOAD,
		"of family netdev only, and of devices that can"),
	NFT_HAS("jump, goto { … }", NFT_CHAIN_BINDING,
		.note = "not within each other, as in Linux"),
	NFT_END,
};

/* A base chain's place, as a message says it. */
struct place {
	uint32_t number; /* of the family's own hooks, as netlink has it */
	enum hook hook;
	int32_t priority;
	unsigned int kind;
	struct store_blob *devices; /* NULL: the hook has none */
};

/* The devices of a hook that has some: netdev's, and inet's ingress (nft_chain_parse_netdev). */
static int
parse_devices(struct wire_msg *msg, const struct nlattr *one, const struct nlattr *many,
	struct place *place)
{
	if (place->hook == HOOK_INGRESS || place->hook == HOOK_EGRESS)
		return wire_take_devices(msg, one, many, &place->devices);
	return one != NULL || many != NULL ? wire_refuse(msg, NULL, -EOPNOTSUPP) : 0;
}

/* The type that a message names, or filter. */
static int
parse_type(struct wire_msg *msg, unsigned int *kind)
{
	const struct nft_feature *type;
	char name[STORE_NAME] = "filter";
	int rc = 0;

	if (msg->attrs[NFTA_CHAIN_TYPE] != NULL)
		rc = wire_name(msg, msg->attrs[NFTA_CHAIN_TYPE], name);
	if (rc != 0)
		return rc;
	*kind = store_chain_kind(name);
	type = nft_feature_find(nft_chain_types, *kind, false);
	if (type == NULL ||
		(type->families != 0 && !(type->families & nft_family_bit(msg->family))))
		return wire_refuse(msg, msg->attrs[NFTA_CHAIN_TYPE], -ENOENT);
	return 0;
}

/*
 * nft_chain_parse_hook: a chain's type, and where it is to be. Of a chain that is
 * there what is said must be its own.
 */
static int
parse_place(struct wire_msg *msg, const struct store_chain *chain, struct place *place)
{
	const struct nlattr *hook[NFTA_HOOK_MAX + 1];
	const struct nft_feature *row;
	uint32_t priority;
	int rc = wire_attrs(msg, msg->attrs[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_MAX);

	if (chain != NULL) {
		place->number = chain->hook_number;
		place->priority = chain->priority;
	} else if (rc == 0 &&
		   (hook[NFTA_HOOK_HOOKNUM] == NULL || hook[NFTA_HOOK_PRIORITY] == NULL)) {
		rc = wire_refuse(msg, msg->attrs[NFTA_CHAIN_NAME], -ENOENT);
	}
	if (rc == 0 && hook[NFTA_HOOK_HOOKNUM] != NULL)
		rc = wire_u32(msg, hook[NFTA_HOOK_HOOKNUM], &place->number);
	if (rc == 0 && hook[NFTA_HOOK_PRIORITY] != NULL) {
		rc = wire_u32(msg, hook[NFTA_HOOK_PRIORITY], &priority);
		place->priority = rc == 0 ? (int32_t)priority : 0;
	}
	if (rc == 0 && chain != NULL &&
		(place->number != chain->hook_number || place->priority != chain->priority))
		rc = wire_refuse(msg, NULL, -EOPNOTSUPP);
	place->kind = chain != NULL ? chain->kind : 0;
	if (rc == 0 && (chain == NULL || msg->attrs[NFTA_CHAIN_TYPE] != NULL))
		rc = parse_type(msg, &place->kind);
	if (rc != 0)
		return rc;
	place->hook = store_hook(msg->family, place->number);
	row = place->hook != HOOK_COUNT ? nft_feature_find(nft_hooks, place->hook, false) : NULL;
	if (row == NULL || nft_refuses(row))
		return wire_refuse(msg, NULL, -EOPNOTSUPP);
	return parse_devices(msg, hook[NFTA_HOOK_DEV], hook[NFTA_HOOK_DEVS], place);
}

/* Whether chains of that type can be there. */
static int
check_place(struct wire_msg *msg, const struct place *place)
{
	const struct nft_feature *type = nft_feature_find(nft_chain_types, place->kind, false);

	if (type->hooks != 0 && !(type->hooks & 1U << place->hook))
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

/*
 * nft_stats_alloc: what the policy has decided on, as a restored ruleset says it. The
 * state counts on; what it said until now is taken off.
 */
static int
parse_counters(struct wire_msg *msg, struct store_chain *chain, struct store_policy *policy)
{
	const struct nlattr *attrs[NFTA_COUNTER_MAX + 1];
	struct nft_count now = {0};
	uint64_t packets, bytes;
	int rc;

	if (!chain->based)
		return wire_refuse(msg, NULL, -EOPNOTSUPP);
	rc = wire_attrs(msg, msg->attrs[NFTA_CHAIN_COUNTERS], attrs, NFTA_COUNTER_MAX);
	if (rc == 0)
		rc = wire_u64(msg, attrs[NFTA_COUNTER_PACKETS], &packets);
	if (rc == 0)
		rc = wire_u64(msg, attrs[NFTA_COUNTER_BYTES], &bytes);
	if (rc != 0)
		return wire_refuse(msg, NULL, rc);
	if (chain->has_count) {
		now = msg->wire->backend->read(msg->wire->backend->ctx, chain->count);
	} else {
		rc = nft_states_take(msg->wire->store->states, NFT_STATE_COUNTER, &chain->count);
		if (rc != 0)
			return rc;
		chain->has_count = true;
	}
	policy->counted = true;
	policy->base[0] = packets - now.packets;
	policy->base[1] = bytes - now.bytes;
	return 0;
}

/* The place of an update is the chain's; of devices those that it has not join. */
static int
update_place(struct wire_msg *msg, struct store_chain *chain, const struct nlattr *by)
{
	struct place place = {0};
	int rc;

	if (!chain->based)
		return wire_refuse(msg, by, -EEXIST);
	rc = parse_place(msg, chain, &place);
	if (rc == 0 && place.kind != chain->kind)
		rc = wire_refuse(msg, by, -EEXIST);
	if (rc == 0 && place.devices != NULL && wire_table_turns(msg->wire->store, chain->table))
		rc = wire_refuse(msg, by, -EOPNOTSUPP);
	if (rc == 0 && place.devices != NULL)
		rc = wire_join_devices(
			msg->wire->store, &chain->item, &chain->devices, place.devices);
	free(place.devices);
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
	rc = chain->item.use != 0 ? wire_rename_verdicts(msg, chain, name) : 0;
	return rc != 0 ? rc : store_rename(store, &chain->item, chain->name, name);
}

/* nf_tables_updchain: the policy, and with a handle the name. */
static int
update_chain(struct wire_msg *msg, struct store_chain *chain, const struct nlattr *by)
{
	struct store *store = msg->wire->store;
	struct store_policy policy = chain->policy;
	uint32_t flags = chain->flags;
	int rc = parse_policy(msg, chain->based, &policy.verdict);

	if (rc == 0 && msg->attrs[NFTA_CHAIN_FLAGS] != NULL)
		rc = wire_u32(msg, msg->attrs[NFTA_CHAIN_FLAGS], &flags);
	if (rc == 0 && chain->binding)
		rc = wire_refuse(msg, NULL, -EINVAL);
	if (rc == 0 && (msg->nlh->nlmsg_flags & NLM_F_EXCL))
		rc = wire_refuse(msg, by, -EEXIST);
	if (rc == 0 && ((msg->nlh->nlmsg_flags & NLM_F_REPLACE) ||
			       ((flags ^ chain->flags) & ~(uint32_t)NFT_CHAIN_BASE)))
		rc = wire_refuse(msg, NULL, -EOPNOTSUPP);
	if (rc == 0 && msg->attrs[NFTA_CHAIN_HOOK] != NULL)
		rc = update_place(msg, chain, by);
	if (rc == 0 && msg->attrs[NFTA_CHAIN_HANDLE] != NULL && msg->attrs[NFTA_CHAIN_NAME] != NULL)
		return rename_chain(msg, chain);
	if (rc == 0 && msg->attrs[NFTA_CHAIN_COUNTERS] != NULL)
		rc = parse_counters(msg, chain, &policy);
	/* Also if it stays: an update is a change, as in Linux. */
	if (rc == 0)
		rc = store_save(store, &chain->item, &chain->policy, sizeof(policy));
	if (rc == 0)
		chain->policy = policy;
	return rc;
}

static int
create_chain(struct wire_msg *msg, struct store_table *table, const char *name)
{
	struct store *store = msg->wire->store;
	struct store_chain *chain = store_item_new(store, STORE_CHAIN);
	struct place place = {0};
	int rc = 0;

	if (chain == NULL)
		return -ENOMEM;
	memcpy(chain->name, name, sizeof(chain->name));
	chain->table = table;
	chain->based = msg->attrs[NFTA_CHAIN_HOOK] != NULL;
	chain->policy.verdict = NF_ACCEPT;
	if (chain->based && wire_table_turns(store, table))
		rc = -EINVAL;
	if (rc == 0 && chain->based)
		rc = parse_place(msg, NULL, &place);
	if (rc == 0 && chain->based)
		rc = check_place(msg, &place);
	if (rc == 0)
		rc = parse_policy(msg, chain->based, &chain->policy.verdict);
	if (rc == 0 && chain->based && msg->attrs[NFTA_CHAIN_COUNTERS] != NULL)
		rc = parse_counters(msg, chain, &chain->policy);
	if (rc == 0 && msg->attrs[NFTA_CHAIN_FLAGS] != NULL) {
		uint32_t flags;

		rc = wire_u32(msg, msg->attrs[NFTA_CHAIN_FLAGS], &flags);
		if (rc == 0 && !nft_flags_built(nft_chain_features, flags))
			rc = wire_refuse(msg, msg->attrs[NFTA_CHAIN_FLAGS], -EOPNOTSUPP);
		chain->binding = rc == 0 && (flags & NFT_CHAIN_BINDING);
		if (chain->binding && (chain->based || (msg->attrs[NFTA_CHAIN_NAME] != NULL &&
							       !wire_mirrors(msg))))
			rc = -EINVAL;
	}
	if (rc == 0 && msg->attrs[NFTA_CHAIN_ID] != NULL)
		rc = wire_u32(msg, msg->attrs[NFTA_CHAIN_ID], &chain->batch_id);
	if (rc == 0 && msg->attrs[NFTA_CHAIN_NAME] == NULL &&
		(!chain->binding || chain->batch_id == 0))
		rc = -EINVAL;
	chain->flags = chain->based ? NFT_CHAIN_BASE : chain->binding ? NFT_CHAIN_BINDING : 0;
	chain->hook = (uint8_t)place.hook;
	chain->hook_number = place.number;
	chain->devices = place.devices;
	chain->priority = place.priority;
	chain->kind = (uint8_t)place.kind;
	chain->registered = ++store->registrations;
	store_list_init(&chain->rules, NULL);
	if (rc == 0)
		rc = wire_keep(msg, msg->attrs[NFTA_CHAIN_USERDATA], &chain->userdata);
	if (rc == 0) {
		chain->item.handle =
			wire_handle(msg, msg->attrs[NFTA_CHAIN_HANDLE], &table->handles);
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
		if (chain == NULL && !wire_mirrors(msg))
			return wire_refuse(msg, msg->attrs[NFTA_CHAIN_HANDLE], -ENOENT);
		if (chain != NULL)
			return update_chain(msg, chain, msg->attrs[NFTA_CHAIN_HANDLE]);
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
	return update_chain(msg, chain, msg->attrs[NFTA_CHAIN_NAME]);
}

/* Single devices of a chain (nft_delchain_hook). */
static int
delete_devices(struct wire_msg *msg, struct store_chain *chain)
{
	struct place place = {0};
	int rc;

	if (!chain->based)
		return -EOPNOTSUPP;
	if (wire_table_turns(msg->wire->store, chain->table))
		return -EINVAL;
	rc = parse_place(msg, chain, &place);
	if (rc == 0)
		rc = wire_leave_devices(
			msg->wire->store, &chain->item, &chain->devices, place.devices);
	free(place.devices);
	return rc;
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
	/* Of a chain without devices it says nothing: iptables-nft sends what it was told. */
	if (msg->attrs[NFTA_CHAIN_HOOK] != NULL && chain->based && chain->devices != NULL)
		return delete_devices(msg, chain);
	/* A jump from one of its own rules counts, too. */
	if (chain->item.use != 0 ||
		((msg->nlh->nlmsg_flags & NLM_F_NONREC) && chain->rules.count != 0))
		return wire_refuse(msg, by, -EBUSY);
	return store_remove(msg->wire->store, &chain->item);
}
