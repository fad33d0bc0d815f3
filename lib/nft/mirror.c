/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mirror.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#define HEADER	(sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg))
#define ATTR(n) (1ULL << (n))

/* By message: the attributes that a request has, a bit each; where names and the handle are. */
static const struct {
	uint64_t attrs;
	const char *what;
	uint8_t name, in, handle;
} messages[NFT_MSG_MAX] = {
	[NFT_MSG_NEWTABLE] = {ATTR(NFTA_TABLE_NAME) | ATTR(NFTA_TABLE_FLAGS) |
				      ATTR(NFTA_TABLE_USERDATA) | ATTR(NFTA_TABLE_HANDLE),
		"table", NFTA_TABLE_NAME, 0, NFTA_TABLE_HANDLE},
	[NFT_MSG_DELTABLE] = {ATTR(NFTA_TABLE_NAME), "table", NFTA_TABLE_NAME, 0,
		NFTA_TABLE_HANDLE},
	[NFT_MSG_NEWCHAIN] = {ATTR(NFTA_CHAIN_TABLE) | ATTR(NFTA_CHAIN_NAME) |
				      ATTR(NFTA_CHAIN_HANDLE) | ATTR(NFTA_CHAIN_HOOK) |
				      ATTR(NFTA_CHAIN_POLICY) | ATTR(NFTA_CHAIN_TYPE) |
				      ATTR(NFTA_CHAIN_FLAGS) | ATTR(NFTA_CHAIN_COUNTERS) |
				      ATTR(NFTA_CHAIN_USERDATA),
		"chain", NFTA_CHAIN_NAME, NFTA_CHAIN_TABLE, NFTA_CHAIN_HANDLE},
	[NFT_MSG_DELCHAIN] = {ATTR(NFTA_CHAIN_TABLE) | ATTR(NFTA_CHAIN_NAME) |
				      ATTR(NFTA_CHAIN_HOOK),
		"chain", NFTA_CHAIN_NAME, NFTA_CHAIN_TABLE, NFTA_CHAIN_HANDLE},
	[NFT_MSG_NEWRULE] = {ATTR(NFTA_RULE_TABLE) | ATTR(NFTA_RULE_CHAIN) |
				     ATTR(NFTA_RULE_HANDLE) | ATTR(NFTA_RULE_EXPRESSIONS) |
				     ATTR(NFTA_RULE_COMPAT) | ATTR(NFTA_RULE_POSITION) |
				     ATTR(NFTA_RULE_USERDATA),
		"rule", NFTA_RULE_CHAIN, NFTA_RULE_TABLE, NFTA_RULE_HANDLE},
	[NFT_MSG_DELRULE] = {ATTR(NFTA_RULE_TABLE) | ATTR(NFTA_RULE_CHAIN) | ATTR(NFTA_RULE_HANDLE),
		"rule", NFTA_RULE_CHAIN, NFTA_RULE_TABLE, NFTA_RULE_HANDLE},
	[NFT_MSG_NEWSET] = {ATTR(NFTA_SET_TABLE) | ATTR(NFTA_SET_NAME) | ATTR(NFTA_SET_FLAGS) |
				    ATTR(NFTA_SET_KEY_TYPE) | ATTR(NFTA_SET_KEY_LEN) |
				    ATTR(NFTA_SET_DATA_TYPE) | ATTR(NFTA_SET_DATA_LEN) |
				    ATTR(NFTA_SET_POLICY) | ATTR(NFTA_SET_DESC) |
				    ATTR(NFTA_SET_TIMEOUT) | ATTR(NFTA_SET_GC_INTERVAL) |
				    ATTR(NFTA_SET_USERDATA) | ATTR(NFTA_SET_OBJ_TYPE) |
				    ATTR(NFTA_SET_HANDLE) | ATTR(NFTA_SET_EXPR) |
				    ATTR(NFTA_SET_EXPRESSIONS),
		"set", NFTA_SET_NAME, NFTA_SET_TABLE, NFTA_SET_HANDLE},
	[NFT_MSG_DELSET] = {ATTR(NFTA_SET_TABLE) | ATTR(NFTA_SET_NAME), "set", NFTA_SET_NAME,
		NFTA_SET_TABLE, NFTA_SET_HANDLE},
	[NFT_MSG_NEWSETELEM] = {ATTR(NFTA_SET_ELEM_LIST_TABLE) | ATTR(NFTA_SET_ELEM_LIST_SET) |
					ATTR(NFTA_SET_ELEM_LIST_ELEMENTS),
		"element of", NFTA_SET_ELEM_LIST_SET, NFTA_SET_ELEM_LIST_TABLE, 0},
	[NFT_MSG_DELSETELEM] = {ATTR(NFTA_SET_ELEM_LIST_TABLE) | ATTR(NFTA_SET_ELEM_LIST_SET) |
					ATTR(NFTA_SET_ELEM_LIST_ELEMENTS),
		"element of", NFTA_SET_ELEM_LIST_SET, NFTA_SET_ELEM_LIST_TABLE, 0},
	[NFT_MSG_NEWOBJ] = {ATTR(NFTA_OBJ_TABLE) | ATTR(NFTA_OBJ_NAME) | ATTR(NFTA_OBJ_TYPE) |
				    ATTR(NFTA_OBJ_DATA) | ATTR(NFTA_OBJ_HANDLE) |
				    ATTR(NFTA_OBJ_USERDATA),
		"object", NFTA_OBJ_NAME, NFTA_OBJ_TABLE, NFTA_OBJ_HANDLE},
	[NFT_MSG_DELOBJ] = {ATTR(NFTA_OBJ_TABLE) | ATTR(NFTA_OBJ_NAME) | ATTR(NFTA_OBJ_TYPE),
		"object", NFTA_OBJ_NAME, NFTA_OBJ_TABLE, NFTA_OBJ_HANDLE},
	[NFT_MSG_NEWFLOWTABLE] = {ATTR(NFTA_FLOWTABLE_TABLE) | ATTR(NFTA_FLOWTABLE_NAME) |
					  ATTR(NFTA_FLOWTABLE_HOOK) | ATTR(NFTA_FLOWTABLE_HANDLE) |
					  ATTR(NFTA_FLOWTABLE_FLAGS),
		"flowtable", NFTA_FLOWTABLE_NAME, NFTA_FLOWTABLE_TABLE, NFTA_FLOWTABLE_HANDLE},
	[NFT_MSG_DELFLOWTABLE] = {ATTR(NFTA_FLOWTABLE_TABLE) | ATTR(NFTA_FLOWTABLE_NAME) |
					  ATTR(NFTA_FLOWTABLE_HOOK),
		"flowtable", NFTA_FLOWTABLE_NAME, NFTA_FLOWTABLE_TABLE, NFTA_FLOWTABLE_HANDLE},
};

void
nft_batch_clear(struct nft_batch *batch)
{
	batch->len = 0;
	batch->seq = 0;
	batch->no_memory = false;
}

void
nft_batch_free(struct nft_batch *batch)
{
	free(batch->bytes);
	*batch = (struct nft_batch){0};
}

/* Room for a message at the end; NULL without. */
static struct nlmsghdr *
reserve(struct nft_batch *batch, size_t len)
{
	if (batch->room - batch->len < len) {
		size_t room = batch->room * 2 + len + 65536;
		uint8_t *bytes = realloc(batch->bytes, room);

		if (bytes == NULL) {
			batch->no_memory = true;
			return NULL;
		}
		batch->bytes = bytes;
		batch->room = room;
	}
	memset(batch->bytes + batch->len, 0, HEADER);
	return (struct nlmsghdr *)(void *)(batch->bytes + batch->len);
}

/* A message without attributes; its length is the batch's from here on. */
static struct nlmsghdr *
put_header(struct nft_batch *batch, uint16_t type, uint16_t flags, uint8_t family, size_t room)
{
	struct nlmsghdr *nlh = reserve(batch, HEADER + room);
	struct nfgenmsg *nfg;

	if (nlh == NULL)
		return NULL;
	mnl_nlmsg_put_header(nlh);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++batch->seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	if (type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END)
		nfg->res_id = htons(NFNL_SUBSYS_NFTABLES);
	return nlh;
}

void
nft_batch_begin(struct nft_batch *batch, bool flush)
{
	struct nlmsghdr *nlh = put_header(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, 0);

	if (nlh != NULL)
		batch->len += nlh->nlmsg_len;
	nlh = flush ? put_header(
			      batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, 0, AF_UNSPEC, 0)
		    : NULL;
	if (nlh != NULL)
		batch->len += nlh->nlmsg_len;
}

int
nft_batch_end(struct nft_batch *batch)
{
	struct nlmsghdr *nlh = put_header(batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, 0);

	if (nlh != NULL)
		batch->len += nlh->nlmsg_len;
	return batch->no_memory ? -ENOMEM : 0;
}

/* One attribute, with what must not be copied taken off. */
static void
put_attr(struct nlmsghdr *nlh, unsigned int type, const struct nlattr *attr)
{
	unsigned int kind = mnl_attr_get_type(attr);
	uint32_t keep = UINT32_MAX, value;

	/* Its owner is somebody over there; what hardware does, this host decides. */
	if (type == NFT_MSG_NEWTABLE && kind == NFTA_TABLE_FLAGS)
		keep = NFT_TABLE_F_DORMANT;
	if (type == NFT_MSG_NEWCHAIN && kind == NFTA_CHAIN_FLAGS)
		keep = ~(uint32_t)NFT_CHAIN_HW_OFFLOAD;
	if (keep == UINT32_MAX || mnl_attr_get_payload_len(attr) != sizeof(value)) {
		mnl_attr_put(nlh, attr->nla_type, mnl_attr_get_payload_len(attr),
			mnl_attr_get_payload(attr));
		return;
	}
	memcpy(&value, mnl_attr_get_payload(attr), sizeof(value));
	mnl_attr_put_u32(nlh, (uint16_t)kind, value & htonl(keep));
}

int
nft_batch_add(struct nft_batch *batch, const struct nlmsghdr *message, bool dump)
{
	unsigned int type = message->nlmsg_type & 0xff;
	uint16_t flags = NLM_F_CREATE;
	const struct nlattr *attr;
	struct nlmsghdr *nlh;
	bool placed = false;

	if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || type >= NFT_MSG_MAX ||
		messages[type].attrs == 0 || message->nlmsg_len < HEADER)
		return -EINVAL;
	nlh = put_header(batch, message->nlmsg_type, 0,
		((const struct nfgenmsg *)mnl_nlmsg_get_payload(message))->nfgen_family,
		message->nlmsg_len + 64);
	if (nlh == NULL)
		return 0;
	mnl_attr_for_each (attr, message, sizeof(struct nfgenmsg)) {
		unsigned int kind = mnl_attr_get_type(attr);

		if (kind >= 64 || !(messages[type].attrs & ATTR(kind)) ||
			(dump && type == NFT_MSG_NEWRULE && kind == NFTA_RULE_POSITION))
			continue;
		placed |= type == NFT_MSG_NEWRULE && kind == NFTA_RULE_POSITION;
		put_attr(nlh, type, attr);
	}
	/*
	 * Behind the rule that it names; else the last one if it was appended, and the first
	 * if it was inserted or took the place of the first (nf_tables_rule_notify).
	 */
	if (type == NFT_MSG_NEWRULE &&
		(dump || placed ||
			(message->nlmsg_flags & (NLM_F_APPEND | NLM_F_CREATE)) ==
				(NLM_F_APPEND | NLM_F_CREATE)))
		flags |= NLM_F_APPEND;
	if (type == NFT_MSG_NEWSET)
		mnl_attr_put_u32(nlh, NFTA_SET_ID, htonl(nlh->nlmsg_seq));
	nlh->nlmsg_flags |= flags;
	batch->len += MNL_ALIGN(nlh->nlmsg_len);
	return 0;
}

static const struct nlmsghdr *
message_at(const struct nft_batch *batch, uint32_t seq)
{
	const struct nlmsghdr *nlh = (const void *)batch->bytes;
	int left = (int)batch->len;

	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		if (nlh->nlmsg_seq == seq)
			return nlh;
	return NULL;
}

static const char *
family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_IPV4: return "ip";
	case NFPROTO_IPV6: return "ip6";
	case NFPROTO_INET: return "inet";
	case NFPROTO_ARP: return "arp";
	case NFPROTO_BRIDGE: return "bridge";
	case NFPROTO_NETDEV: return "netdev";
	default: return "?";
	}
}

void
nft_batch_name(const struct nft_batch *batch, uint32_t seq, char *out, size_t size)
{
	const struct nlmsghdr *nlh = message_at(batch, seq);
	const char *name = "", *in = "";
	const struct nlattr *attr;
	uint64_t handle = 0;
	unsigned int type;

	snprintf(out, size, "the ruleset");
	if (nlh == NULL || (type = nlh->nlmsg_type & 0xff) >= NFT_MSG_MAX ||
		nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || messages[type].attrs == 0)
		return;
	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg)) {
		unsigned int kind = mnl_attr_get_type(attr);
		uint16_t len = mnl_attr_get_payload_len(attr);
		const char *text = mnl_attr_get_payload(attr);

		if (kind == messages[type].handle && len == sizeof(handle))
			handle = be64toh(mnl_attr_get_u64(attr));
		/* With its end: it is printed. */
		if (len == 0 || strnlen(text, len) == len)
			continue;
		name = kind == messages[type].name ? text : name;
		in = kind == messages[type].in && messages[type].in != 0 ? text : in;
	}
	snprintf(out, size, "%s %s %s%s%s", messages[type].what,
		family_name(((const struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family),
		in, in[0] != '\0' ? " " : "", name);
	if (handle != 0)
		snprintf(out + strlen(out), size - strlen(out), ", handle %llu",
			(unsigned long long)handle);
}
