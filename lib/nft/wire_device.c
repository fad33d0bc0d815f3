/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of chains and flowtables: names, kept as attributes NFTA_DEVICE_NAME
 * one behind the other (nf_tables_parse_netdev_hooks). A name need not be a
 * port's.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "wire_priv.h"

/* NFT_NETDEVICE_MAX */
#define DEVICES 256

#define for_each_device(attr, blob)                                                                \
	for (const struct nlattr *attr = (const void *)(blob)->data;                               \
		(const uint8_t *)attr < (blob)->data + (blob)->len; attr = mnl_attr_next(attr))

static const struct nlattr *
find(const struct store_blob *devices, const struct nlattr *name)
{
	for_each_device(attr, devices) if (strcmp(mnl_attr_get_payload(attr),
						   mnl_attr_get_payload(name)) == 0) return attr;
	return NULL;
}

uint32_t
wire_device_count(const struct store_blob *devices)
{
	uint32_t count = 0;

	for_each_device(attr, devices) count += attr->nla_len != 0;
	return count;
}

const char *
wire_device(const struct store_blob *devices, uint32_t n)
{
	for_each_device(attr, devices) if (n-- == 0) return mnl_attr_get_payload(attr);
	return NULL;
}

/* One name at the end of what is being kept. */
static int
take_one(struct wire_msg *msg, const struct nlattr *attr, struct nlmsghdr *out, uint32_t *count)
{
	uint16_t len = mnl_attr_get_payload_len(attr);
	const char *name = mnl_attr_get_payload(attr);
	char whole[IFNAMSIZ] = "";
	const struct nlattr *other;

	if (len == 0 || strnlen(name, len) >= IFNAMSIZ)
		return wire_refuse(msg, attr, -EINVAL);
	if (++*count > DEVICES)
		return -EFBIG;
	memcpy(whole, name, strnlen(name, len));
	mnl_attr_for_each (other, out, 0)
		if (strcmp(mnl_attr_get_payload(other), whole) == 0)
			return wire_refuse(msg, attr, -EEXIST);
	mnl_attr_put_strz(out, NFTA_DEVICE_NAME, whole);
	return 0;
}

int
wire_take_devices(struct wire_msg *msg, const struct nlattr *one, const struct nlattr *many,
	struct store_blob **out)
{
	struct nlmsghdr *kept = mnl_nlmsg_put_header(msg->wire->scratch);
	const struct nlattr *attr;
	uint32_t count = 0;
	int rc = one != NULL ? take_one(msg, one, kept, &count) : 0;

	if (one == NULL && many != NULL)
		mnl_attr_for_each_nested (attr, many) {
			if (mnl_attr_get_type(attr) != NFTA_DEVICE_NAME)
				return wire_refuse(msg, many, -EINVAL);
			rc = take_one(msg, attr, kept, &count);
			if (rc != 0)
				return rc;
		}
	if (rc != 0)
		return rc;
	*out = store_blob(mnl_nlmsg_get_payload(kept), mnl_nlmsg_get_payload_len(kept));
	return *out != NULL ? 0 : -ENOMEM;
}

int
wire_join_devices(struct store *store, struct store_item *item, struct store_blob **devices,
	const struct store_blob *more)
{
	struct store_blob *both = malloc(sizeof(*both) + (*devices)->len + more->len);
	int rc;

	if (both == NULL)
		return -ENOMEM;
	both->len = (*devices)->len;
	memcpy(both->data, (*devices)->data, (*devices)->len);
	for_each_device(attr, more)
	{
		if (find(*devices, attr) != NULL)
			continue;
		memcpy(both->data + both->len, attr, MNL_ALIGN(attr->nla_len));
		both->len += MNL_ALIGN(attr->nla_len);
	}
	rc = store_swap(store, item, devices, both);
	if (rc != 0)
		free(both);
	return rc;
}

int
wire_leave_devices(struct store *store, struct store_item *item, struct store_blob **devices,
	const struct store_blob *less)
{
	struct store_blob *rest = malloc(sizeof(*rest) + (*devices)->len);
	int rc = 0;

	if (rest == NULL)
		return -ENOMEM;
	rest->len = 0;
	for_each_device(attr, less) if (find(*devices, attr) == NULL) rc = -ENOENT;
	for_each_device(attr, *devices)
	{
		if (find(less, attr) != NULL)
			continue;
		memcpy(rest->data + rest->len, attr, MNL_ALIGN(attr->nla_len));
		rest->len += MNL_ALIGN(attr->nla_len);
	}
	if (rc == 0)
		rc = store_swap(store, item, devices, rest);
	if (rc != 0)
		free(rest);
	return rc;
}
