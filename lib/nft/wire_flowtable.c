/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flowtables (nf_tables_newflowtable, nf_tables_delflowtable).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire_priv.h"

const struct nft_feature nft_flowtable_features[] = {
	NFT_HAS("hook ingress, priority, devices", 0,
		.note = "a device that is no port covers nothing"),
	NFT_HAS("flags offload", NFT_FLOWTABLE_HW_OFFLOAD,
		.note = "stored: shuntd's offload mode decides"),
	NFT_HAS("counter", NFT_FLOWTABLE_COUNTER, .note = "stored: flows always count"),
	NFT_END,
};

/* The hook of a flowtable: ingress, a priority, devices by name. An absent device is no error. */
static int
parse_hook(struct wire_msg *msg, bool fresh, uint32_t *priority, struct store_blob **devices)
{
	const struct nlattr *hook[NFTA_FLOWTABLE_HOOK_MAX + 1];
	uint32_t number = 0;
	int rc;

	if (msg->attrs[NFTA_FLOWTABLE_HOOK] == NULL)
		return wire_refuse(msg, NULL, -EINVAL);
	rc = wire_attrs(msg, msg->attrs[NFTA_FLOWTABLE_HOOK], hook, NFTA_FLOWTABLE_HOOK_MAX);
	if (rc == 0 && fresh &&
		(hook[NFTA_FLOWTABLE_HOOK_NUM] == NULL ||
			hook[NFTA_FLOWTABLE_HOOK_PRIORITY] == NULL))
		rc = wire_refuse(msg, msg->attrs[NFTA_FLOWTABLE_NAME], -ENOENT);
	if (rc == 0 && hook[NFTA_FLOWTABLE_HOOK_NUM] != NULL)
		rc = wire_u32(msg, hook[NFTA_FLOWTABLE_HOOK_NUM], &number);
	if (rc == 0 && number != 0 /* ingress */)
		rc = wire_refuse(msg, NULL, -EOPNOTSUPP);
	if (rc == 0 && hook[NFTA_FLOWTABLE_HOOK_PRIORITY] != NULL)
		rc = wire_u32(msg, hook[NFTA_FLOWTABLE_HOOK_PRIORITY], priority);
	if (rc != 0)
		return rc;
	return wire_take_devices(msg, NULL, hook[NFTA_FLOWTABLE_HOOK_DEVS], devices);
}

static int
create_flowtable(struct wire_msg *msg, struct store_table *table, const char *name)
{
	struct store *store = msg->wire->store;
	struct store_flowtable *ft = store_item_new(store, STORE_FLOWTABLE);
	int rc;

	if (ft == NULL)
		return -ENOMEM;
	memcpy(ft->name, name, sizeof(ft->name));
	ft->table = table;
	rc = parse_hook(msg, true, &ft->priority, &ft->devices);
	if (rc == 0 && msg->attrs[NFTA_FLOWTABLE_FLAGS] != NULL)
		rc = wire_u32(msg, msg->attrs[NFTA_FLOWTABLE_FLAGS], &ft->flags);
	if (rc == 0 && !nft_flags_built(nft_flowtable_features, ft->flags))
		rc = wire_refuse(msg, msg->attrs[NFTA_FLOWTABLE_FLAGS], -EOPNOTSUPP);
	if (rc == 0) {
		ft->item.handle =
			wire_handle(msg, msg->attrs[NFTA_FLOWTABLE_HANDLE], &table->handles);
		rc = store_add(store, &table->flowtables, &ft->item, NULL);
	}
	if (rc != 0)
		store_item_free(store, &ft->item);
	return rc;
}

int
wire_new_flowtable(struct wire_msg *msg)
{
	struct store_blob *devices = NULL;
	struct store_flowtable *ft;
	struct store_table *table;
	char name[STORE_NAME];
	uint32_t priority, flags;
	int rc = wire_find_table(msg, msg->attrs[NFTA_FLOWTABLE_TABLE], &table);

	if (rc == 0)
		rc = wire_name(msg, msg->attrs[NFTA_FLOWTABLE_NAME], name);
	if (rc != 0)
		return rc;
	ft = store_flowtable(table, name);
	if (ft == NULL)
		return create_flowtable(msg, table, name);
	if (msg->nlh->nlmsg_flags & NLM_F_EXCL)
		return wire_refuse(msg, msg->attrs[NFTA_FLOWTABLE_NAME], -EEXIST);
	flags = ft->flags;
	if (msg->attrs[NFTA_FLOWTABLE_FLAGS] != NULL)
		rc = wire_u32(msg, msg->attrs[NFTA_FLOWTABLE_FLAGS], &flags);
	if (rc == 0 && (!nft_flags_built(nft_flowtable_features, flags) ||
			       ((flags ^ ft->flags) & NFT_FLOWTABLE_HW_OFFLOAD)))
		rc = wire_refuse(msg, msg->attrs[NFTA_FLOWTABLE_FLAGS], -EOPNOTSUPP);
	if (rc != 0 || msg->attrs[NFTA_FLOWTABLE_HOOK] == NULL)
		return rc;
	priority = ft->priority;
	rc = parse_hook(msg, false, &priority, &devices);
	if (rc == 0 && priority != ft->priority)
		rc = wire_refuse(msg, NULL, -EOPNOTSUPP);
	if (rc == 0)
		rc = wire_join_devices(msg->wire->store, &ft->item, &ft->devices, devices);
	free(devices);
	return rc;
}

/* Single devices of a flowtable (nft_delflowtable_hook). */
static int
delete_devices(struct wire_msg *msg, struct store_flowtable *ft)
{
	struct store_blob *devices = NULL;
	uint32_t priority = ft->priority;
	int rc = parse_hook(msg, false, &priority, &devices);

	if (rc == 0 && priority != ft->priority)
		rc = wire_refuse(msg, NULL, -EOPNOTSUPP);
	if (rc == 0)
		rc = wire_leave_devices(msg->wire->store, &ft->item, &ft->devices, devices);
	free(devices);
	return rc;
}

int
wire_del_flowtable(struct wire_msg *msg)
{
	const struct nlattr *by = msg->attrs[NFTA_FLOWTABLE_HANDLE];
	struct store_flowtable *ft = NULL;
	struct store_table *table;
	char name[STORE_NAME];
	uint64_t handle;
	int rc = wire_find_table(msg, msg->attrs[NFTA_FLOWTABLE_TABLE], &table);

	if (rc == 0 && by != NULL) {
		rc = wire_u64(msg, by, &handle);
		if (rc == 0)
			ft = (struct store_flowtable *)store_by_handle(&table->flowtables, handle);
	} else if (rc == 0) {
		by = msg->attrs[NFTA_FLOWTABLE_NAME];
		rc = wire_name(msg, by, name);
		if (rc == 0)
			ft = store_flowtable(table, name);
	}
	if (rc != 0)
		return rc;
	if (ft == NULL)
		return wire_refuse(msg, by, -ENOENT);
	if (msg->attrs[NFTA_FLOWTABLE_HOOK] != NULL)
		return delete_devices(msg, ft);
	if (ft->item.use != 0)
		return wire_refuse(msg, by, -EBUSY);
	return store_remove(msg->wire->store, &ft->item);
}
