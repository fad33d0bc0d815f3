/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named objects, which are counters, and flowtables (nf_tables_newobj,
 * nf_tables_newflowtable).
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "wire_priv.h"

const struct nft_feature nft_objects[] = {
	NFT_HAS("counter", NFT_OBJECT_COUNTER, .note = "also `reset`"),
	NFT_HAS_NOT("quota", NFT_OBJECT_QUOTA, "not built yet"),
	NFT_HAS_NOT("limit", NFT_OBJECT_LIMIT, "not built yet"),
	NFT_HAS_NOT("ct helper", NFT_OBJECT_CT_HELPER, "not built yet"),
	NFT_HAS_NOT("ct timeout", NFT_OBJECT_CT_TIMEOUT, "not built yet"),
	NFT_HAS_NOT("ct expectation", NFT_OBJECT_CT_EXPECT, "not built yet"),
	NFT_HAS_NOT("synproxy", NFT_OBJECT_SYNPROXY, "not built yet"),
	NFT_HAS_NOT("secmark", NFT_OBJECT_SECMARK, "not built yet"),
	NFT_HAS_NOT("ct count", NFT_OBJECT_CONNLIMIT, "not built yet"),
	NFT_HAS_NOT("tunnel", NFT_OBJECT_TUNNEL, "not built yet"),
	NFT_END,
};

const struct nft_feature nft_flowtable_features[] = {
	NFT_HAS("hook ingress, priority, devices", 0,
		.note = "a device that is no port covers nothing"),
	NFT_HAS("flags offload", NFT_FLOWTABLE_HW_OFFLOAD,
		.note = "stored: shuntd's offload mode decides"),
	NFT_HAS("counter", NFT_FLOWTABLE_COUNTER, .note = "stored: flows always count"),
	NFT_END,
};

static int
parse_counter(struct wire_msg *msg, const struct nlattr *data, struct nft_count *count)
{
	const struct nlattr *attrs[NFTA_COUNTER_MAX + 1];
	int rc;

	if (data == NULL)
		return 0;
	rc = wire_attrs(msg, data, attrs, NFTA_COUNTER_MAX);
	if (rc == 0 && attrs[NFTA_COUNTER_PACKETS] != NULL)
		rc = wire_u64(msg, attrs[NFTA_COUNTER_PACKETS], &count->packets);
	if (rc == 0 && attrs[NFTA_COUNTER_BYTES] != NULL)
		rc = wire_u64(msg, attrs[NFTA_COUNTER_BYTES], &count->bytes);
	return rc;
}

static int
create_object(struct wire_msg *msg, struct store_table *table, const char *name, uint32_t type)
{
	const struct nlattr *userdata = msg->attrs[NFTA_OBJ_USERDATA];
	struct store *store = msg->wire->store;
	struct store_object *object = store_item_new(STORE_OBJECT);
	int rc;

	if (object == NULL)
		return -ENOMEM;
	memcpy(object->name, name, sizeof(object->name));
	object->table = table;
	object->type = type;
	rc = nft_states_take(store->states, NFT_STATE_COUNTER, &object->state);
	if (rc != 0) {
		free(object);
		return rc;
	}
	rc = parse_counter(msg, msg->attrs[NFTA_OBJ_DATA], &object->base);
	if (rc == 0 && userdata != NULL) {
		object->userdata = store_blob(
			mnl_attr_get_payload(userdata), mnl_attr_get_payload_len(userdata));
		rc = object->userdata != NULL ? 0 : -ENOMEM;
	}
	if (rc == 0) {
		object->item.handle = ++table->handles;
		rc = store_add(store, &table->objects, &object->item, NULL);
	}
	if (rc != 0)
		store_item_free(store, &object->item);
	return rc;
}

int
wire_new_object(struct wire_msg *msg)
{
	struct store_table *table;
	char name[STORE_NAME];
	uint32_t type;
	int rc = wire_find_table(msg, msg->attrs[NFTA_OBJ_TABLE], &table);

	if (rc == 0)
		rc = wire_name(msg, msg->attrs[NFTA_OBJ_NAME], name);
	if (rc == 0)
		rc = wire_u32(msg, msg->attrs[NFTA_OBJ_TYPE], &type);
	if (rc == 0 && !nft_feature_built(nft_objects, type))
		rc = wire_refuse(msg, msg->attrs[NFTA_OBJ_TYPE], -EOPNOTSUPP);
	if (rc != 0)
		return rc;
	if (store_object(table, name, type) == NULL)
		return create_object(msg, table, name, type);
	if (msg->nlh->nlmsg_flags & NLM_F_EXCL)
		return wire_refuse(msg, msg->attrs[NFTA_OBJ_NAME], -EEXIST);
	/* A counter cannot be updated; it counts on. */
	return msg->nlh->nlmsg_flags & NLM_F_REPLACE ? -EOPNOTSUPP : 0;
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

/* --- flowtables */

/* The hook of a flowtable: ingress, a priority, devices by name. An absent device is no error. */
static int
parse_hook(struct wire_msg *msg, uint32_t *priority, struct store_blob **devices)
{
	const struct nlattr *hook[NFTA_FLOWTABLE_HOOK_MAX + 1], *device;
	struct nlmsghdr *out = mnl_nlmsg_put_header(msg->wire->scratch);
	const struct nlattr *devs;
	uint32_t number;
	int rc;

	if (msg->attrs[NFTA_FLOWTABLE_HOOK] == NULL)
		return wire_refuse(msg, NULL, -EINVAL);
	rc = wire_attrs(msg, msg->attrs[NFTA_FLOWTABLE_HOOK], hook, NFTA_FLOWTABLE_HOOK_MAX);
	if (rc == 0)
		rc = wire_u32(msg, hook[NFTA_FLOWTABLE_HOOK_NUM], &number);
	if (rc == 0 && number != 0 /* ingress */)
		rc = wire_refuse(msg, NULL, -EOPNOTSUPP);
	if (rc == 0)
		rc = wire_u32(msg, hook[NFTA_FLOWTABLE_HOOK_PRIORITY], priority);
	if (rc != 0)
		return rc;
	devs = hook[NFTA_FLOWTABLE_HOOK_DEVS];
	if (devs != NULL)
		mnl_attr_for_each_nested (device, devs) {
			uint16_t len = mnl_attr_get_payload_len(device);

			if (mnl_attr_get_type(device) != NFTA_DEVICE_NAME || len == 0 ||
				len > IFNAMSIZ ||
				strnlen(mnl_attr_get_payload(device), len) == IFNAMSIZ)
				return wire_refuse(msg, NULL, -EINVAL);
			/* Each on its own: what else the nest may hold is not kept. */
			mnl_attr_put(out, NFTA_DEVICE_NAME, len, mnl_attr_get_payload(device));
		}
	*devices = store_blob(mnl_nlmsg_get_payload(out), mnl_nlmsg_get_payload_len(out));
	return *devices != NULL ? 0 : -ENOMEM;
}

/* Devices of an update join those that are there. */
static int
join_devices(struct store *store, struct store_flowtable *ft, struct store_blob *more)
{
	struct store_blob *both = malloc(sizeof(*both) + ft->devices->len + more->len);
	int rc;

	if (both == NULL)
		return -ENOMEM;
	both->len = ft->devices->len + more->len;
	memcpy(both->data, ft->devices->data, ft->devices->len);
	memcpy(both->data + ft->devices->len, more->data, more->len);
	rc = store_swap(store, &ft->item, &ft->devices, both);
	if (rc != 0)
		free(both);
	return rc;
}

static int
create_flowtable(struct wire_msg *msg, struct store_table *table, const char *name)
{
	struct store *store = msg->wire->store;
	struct store_flowtable *ft = store_item_new(STORE_FLOWTABLE);
	int rc;

	if (ft == NULL)
		return -ENOMEM;
	memcpy(ft->name, name, sizeof(ft->name));
	ft->table = table;
	rc = parse_hook(msg, &ft->priority, &ft->devices);
	if (rc == 0 && msg->attrs[NFTA_FLOWTABLE_FLAGS] != NULL)
		rc = wire_u32(msg, msg->attrs[NFTA_FLOWTABLE_FLAGS], &ft->flags);
	if (rc == 0 && !nft_flags_built(nft_flowtable_features, ft->flags))
		rc = wire_refuse(msg, msg->attrs[NFTA_FLOWTABLE_FLAGS], -EOPNOTSUPP);
	if (rc == 0) {
		ft->item.handle = ++table->handles;
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
	uint32_t priority;
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
	if (msg->attrs[NFTA_FLOWTABLE_HOOK] == NULL)
		return 0;
	rc = parse_hook(msg, &priority, &devices);
	if (rc == 0 && priority != ft->priority)
		rc = wire_refuse(msg, NULL, -EOPNOTSUPP);
	if (rc == 0)
		rc = join_devices(msg->wire->store, ft, devices);
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
	/* Single devices of a flowtable are not taken out yet. */
	if (msg->attrs[NFTA_FLOWTABLE_HOOK] != NULL)
		return wire_refuse(msg, NULL, -EOPNOTSUPP);
	if (ft->item.use != 0)
		return wire_refuse(msg, by, -EBUSY);
	return store_remove(msg->wire->store, &ft->item);
}
