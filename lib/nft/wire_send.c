/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attributes read, answers sent: errors with the place of the attribute at
 * fault, dumps in datagrams that fill up.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "wire_priv.h"

/* What the kernel's dumps fill at most. */
#define DUMP_MAX (32 * 1024)

int
wire_attrs(struct wire_msg *msg, const struct nlattr *nest, const struct nlattr **out, int max)
{
	const struct nlattr *attr;

	memset(out, 0, ((size_t)max + 1) * sizeof(*out));
	mnl_attr_for_each_nested (attr, nest) {
		int type = mnl_attr_get_type(attr);

		if (type == 0 || type > max)
			return wire_refuse(msg, nest, -EOPNOTSUPP);
		out[type] = attr;
	}
	return 0;
}

int
wire_attributes(struct wire_msg *msg, const struct nft_feature *features,
	const struct nlattr *const *attrs, int max)
{
	struct expr_ctx ctx = {0};
	int rc = expr_attributes(features, attrs, max, &ctx);

	return rc == 0 ? 0 : wire_refuse(msg, ctx.bad, rc);
}

int
wire_u32(struct wire_msg *msg, const struct nlattr *attr, uint32_t *value)
{
	if (attr == NULL || mnl_attr_get_payload_len(attr) != sizeof(*value))
		return wire_refuse(msg, attr, -EINVAL);
	*value = ntohl(mnl_attr_get_u32(attr));
	return 0;
}

int
wire_u64(struct wire_msg *msg, const struct nlattr *attr, uint64_t *value)
{
	if (attr == NULL || mnl_attr_get_payload_len(attr) != sizeof(*value))
		return wire_refuse(msg, attr, -EINVAL);
	*value = be64toh(mnl_attr_get_u64(attr));
	return 0;
}

int
wire_name(struct wire_msg *msg, const struct nlattr *attr, char name[STORE_NAME])
{
	size_t len;

	if (attr == NULL)
		return wire_refuse(msg, NULL, -EINVAL);
	len = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	if (len == 0 || len >= STORE_NAME)
		return wire_refuse(msg, attr, -EINVAL);
	memset(name, 0, STORE_NAME);
	memcpy(name, mnl_attr_get_payload(attr), len);
	return 0;
}

int
wire_keep(struct wire_msg *msg, const struct nlattr *attr, struct store_blob **out)
{
	*out = NULL;
	if (attr == NULL)
		return 0;
	*out = store_blob(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	return *out != NULL ? 0 : wire_refuse(msg, NULL, -ENOMEM);
}

int
wire_find_table(struct wire_msg *msg, const struct nlattr *attr, struct store_table **table)
{
	char name[STORE_NAME];
	int rc = wire_name(msg, attr, name);

	if (rc != 0)
		return rc;
	*table = store_table(msg->wire->store, msg->family, name);
	if (*table == NULL)
		return wire_refuse(msg, attr, -ENOENT);
	return wire_may_change(msg, *table) ? 0 : wire_refuse(msg, attr, -EPERM);
}

bool
wire_may_change(const struct wire_msg *msg, const struct store_table *table)
{
	return !msg->changing || table->owner == 0 || table->owner == msg->client->port;
}

int
wire_find_chain(struct wire_msg *msg, const struct store_table *table, const struct nlattr *attr,
	struct store_chain **chain)
{
	char name[STORE_NAME];
	int rc = wire_name(msg, attr, name);

	if (rc != 0)
		return rc;
	*chain = store_chain(table, name);
	return *chain != NULL ? 0 : wire_refuse(msg, attr, -ENOENT);
}

void
wire_send(struct nft_client *client, const struct nlmsghdr *nlh, bool event)
{
	client->send(client->ctx, nlh, nlh->nlmsg_len, event);
}

void
wire_error(struct nft_client *client, const struct nlmsghdr *nlh, int err, const void *bad)
{
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr err;
		struct nlattr offs;
		uint32_t value;
	} reply = {
		.nlh = {.nlmsg_type = NLMSG_ERROR, .nlmsg_seq = nlh->nlmsg_seq},
		.err = {.error = err, .msg = *nlh},
		.offs = {.nla_len = sizeof(struct nlattr) + sizeof(uint32_t),
			.nla_type = NLMSGERR_ATTR_OFFS},
	};
	size_t len = sizeof(reply.nlh) + sizeof(reply.err);

	/* The request is not echoed: its header says which one it was. */
	reply.nlh.nlmsg_flags = NLM_F_CAPPED;
	if (bad != NULL) {
		reply.nlh.nlmsg_flags |= NLM_F_ACK_TLVS;
		reply.value = (uint32_t)((const uint8_t *)bad - (const uint8_t *)nlh);
		len = sizeof(reply);
	}
	reply.nlh.nlmsg_len = (uint32_t)len;
	client->send(client->ctx, &reply, len, false);
}

static void
dump_flush(struct nft_client *client)
{
	if (client->dump_len != 0)
		client->send(client->ctx, client->dump, client->dump_len, false);
	client->dump_len = 0;
}

void
wire_dump(struct nft_client *client, const struct nlmsghdr *nlh)
{
	size_t len = MNL_ALIGN(nlh->nlmsg_len);

	if (client->dump == NULL)
		client->dump = calloc(1, DUMP_MAX);
	if (client->dump_len + len > DUMP_MAX)
		dump_flush(client);
	if (client->dump == NULL || len > DUMP_MAX) {
		client->send(client->ctx, nlh, nlh->nlmsg_len, false);
		return;
	}
	memcpy(client->dump + client->dump_len, nlh, nlh->nlmsg_len);
	client->dump_len += len;
}

void
wire_dump_end(struct nft_client *client, const struct nlmsghdr *request)
{
	struct {
		struct nlmsghdr nlh;
		int error;
	} done = {.nlh = {.nlmsg_len = sizeof(done),
			  .nlmsg_type = NLMSG_DONE,
			  .nlmsg_flags = NLM_F_MULTI,
			  .nlmsg_seq = request->nlmsg_seq}};

	dump_flush(client);
	client->send(client->ctx, &done, sizeof(done), false);
}

struct nlmsghdr *
wire_begin(struct nft_wire *wire, uint16_t type, uint16_t flags, uint32_t seq, uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(wire->scratch);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	nlh->nlmsg_flags = flags;
	nlh->nlmsg_seq = seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(wire->store->generation & 0xffff);
	return nlh;
}

void
wire_put_raw(struct nlmsghdr *nlh, const struct store_blob *blob)
{
	if (blob == NULL)
		return;
	memcpy(mnl_nlmsg_get_payload_tail(nlh), blob->data, blob->len);
	nlh->nlmsg_len += MNL_ALIGN(blob->len);
}

void
wire_put_u64(struct nlmsghdr *nlh, uint16_t type, uint64_t value)
{
	mnl_attr_put_u64(nlh, type, htobe64(value));
}
