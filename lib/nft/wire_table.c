/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables (nf_tables_newtable, nf_tables_deltable).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "wire_priv.h"

const struct nft_feature nft_families[] = {
	NFT_HAS("ip", NFPROTO_IPV4),
	NFT_HAS("ip6", NFPROTO_IPV6),
	NFT_HAS("inet", NFPROTO_INET),
	NFT_HAS("bridge", NFPROTO_BRIDGE, .class = NFT_INERT, .note = "no port is a bridge's"),
	NFT_HAS("arp", NFPROTO_ARP, .class = NFT_INERT, .note = "ARP is answered before any rule"),
	NFT_HAS("netdev", NFPROTO_NETDEV),
	NFT_END,
};

const struct nft_feature nft_table_features[] = {
	NFT_HAS("flags dormant", NFT_TABLE_F_DORMANT),
	NFT_HAS("flags owner", NFT_TABLE_F_OWNER, .note = "it dies with the client that made it"),
	NFT_END,
};

bool
wire_table_turns(const struct store *store, const struct store_table *table)
{
	for (uint32_t i = 0; i < store->log_count; i++)
		if (store->log[i].op == STORE_FIELD && store->log[i].item == &table->item)
			return true;
	return false;
}

/*
 * nft_table_pending_update: the batch has changed the table's flags or chains, or
 * taken a base chain away, so that what sleeps and what wakes is not told apart.
 */
static bool
is_unsettled(const struct store *store, const struct store_table *table)
{
	for (uint32_t i = 0; i < store->log_count; i++) {
		const struct store_change *change = &store->log[i];
		const struct store_chain *chain = (const struct store_chain *)change->item;

		if (change->item->kind != STORE_CHAIN || chain->table != table)
			continue;
		if ((change->op == STORE_FIELD && !chain->binding) ||
			(change->op == STORE_REMOVED && chain->based))
			return true;
	}
	return wire_table_turns(store, table);
}

/* nf_tables_updtable: it sleeps or wakes; an owner it has from the start or never. */
static int
update_table(struct wire_msg *msg, struct store_table *table, uint32_t flags)
{
	int rc;

	if (msg->nlh->nlmsg_flags & NLM_F_EXCL)
		return wire_refuse(msg, msg->attrs[NFTA_TABLE_NAME], -EEXIST);
	if (msg->attrs[NFTA_TABLE_FLAGS] == NULL || table->flags == flags)
		return 0;
	if ((table->flags ^ flags) & NFT_TABLE_F_OWNER)
		return -EOPNOTSUPP;
	if (is_unsettled(msg->wire->store, table))
		return -EINVAL;
	rc = store_save(msg->wire->store, &table->item, &table->flags, sizeof(table->flags));
	table->flags = rc == 0 ? flags : table->flags;
	return rc;
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
	if (table != NULL && !wire_may_change(msg, table))
		return wire_refuse(msg, NULL, -EPERM);
	if (table != NULL)
		return update_table(msg, table, flags);
	table = store_item_new(store, STORE_TABLE);
	if (table == NULL)
		return -ENOMEM;
	memcpy(table->name, name, sizeof(name));
	table->family = msg->family;
	table->flags = flags;
	table->owner = flags & NFT_TABLE_F_OWNER ? msg->client->port : 0;
	table->item.handle = wire_handle(msg, msg->attrs[NFTA_TABLE_HANDLE], &store->table_handles);
	rc = wire_keep(msg, msg->attrs[NFTA_TABLE_USERDATA], &table->userdata);
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
		if (table == NULL || table->family != msg->family)
			return wire_refuse(msg, msg->attrs[NFTA_TABLE_HANDLE], -ENOENT);
		if (!wire_may_change(msg, table))
			return wire_refuse(msg, msg->attrs[NFTA_TABLE_HANDLE], -EPERM);
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
		if (!wire_may_change(msg, (struct store_table *)item))
			continue;
		rc = store_remove(store, item);
		if (rc != 0)
			return rc;
	}
	return 0;
}
