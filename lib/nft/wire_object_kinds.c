/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Objects that are no statements: what Linux asks of their attributes
 * (nft_ct_helper_obj_init, nft_ct_timeout_obj_init, nft_ct_expect_obj_init,
 * nft_synproxy_obj_init).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter/nf_synproxy.h>

#include "wire_priv.h"

#define ATTRS 16

/* Helpers of nf_conntrack, by name and protocol; those of IPv4 alone. */
static const struct {
	const char *name;
	uint8_t protos[2];
	bool ip6;
} helpers[] = {
	{"ftp", {IPPROTO_TCP}, true},
	{"tftp", {IPPROTO_UDP}, true},
	{"sip", {IPPROTO_UDP, IPPROTO_TCP}, true},
	{"irc", {IPPROTO_TCP}, false},
	{"pptp", {IPPROTO_TCP}, false},
	{"amanda", {IPPROTO_UDP}, true},
	{"sane", {IPPROTO_TCP}, true},
	{"RAS", {IPPROTO_UDP}, true},
	{"Q.931", {IPPROTO_TCP}, true},
	{"H.245", {IPPROTO_UDP}, true},
	{"netbios-ns", {IPPROTO_UDP}, false},
	{"snmp", {IPPROTO_UDP}, false},
};

/* An attribute of 16 bits in network order. */
static int
u16_of(const struct nlattr *attr, uint16_t *value)
{
	if (attr == NULL || mnl_attr_get_payload_len(attr) != sizeof(*value))
		return -EINVAL;
	*value = ntohs(mnl_attr_get_u16(attr));
	return 0;
}

static int
u8_of(const struct nlattr *attr, uint8_t *value)
{
	if (attr == NULL || mnl_attr_get_payload_len(attr) != sizeof(*value))
		return -EINVAL;
	*value = mnl_attr_get_u8(attr);
	return 0;
}

static int
check_helper(struct wire_msg *msg, const struct nlattr *const *attrs)
{
	uint16_t l3 = msg->family;
	char name[STORE_NAME];
	uint8_t l4;
	int rc = 0;

	if (attrs[NFTA_CT_HELPER_NAME] == NULL || attrs[NFTA_CT_HELPER_L4PROTO] == NULL)
		return -EINVAL;
	rc = u8_of(attrs[NFTA_CT_HELPER_L4PROTO], &l4);
	if (rc == 0 && l4 == 0)
		rc = -ENOENT;
	if (rc == 0 && attrs[NFTA_CT_HELPER_L3PROTO] != NULL)
		rc = u16_of(attrs[NFTA_CT_HELPER_L3PROTO], &l3);
	if (rc == 0)
		rc = wire_name(msg, attrs[NFTA_CT_HELPER_NAME], name);
	if (rc != 0)
		return rc;
	if ((l3 == NFPROTO_IPV4 && msg->family == NFPROTO_IPV6) ||
		(l3 == NFPROTO_IPV6 && msg->family == NFPROTO_IPV4))
		return -EINVAL;
	if (l3 != NFPROTO_IPV4 && l3 != NFPROTO_IPV6 && l3 != NFPROTO_INET &&
		l3 != NFPROTO_NETDEV && l3 != NFPROTO_BRIDGE)
		return -EAFNOSUPPORT;
	for (unsigned int i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++)
		if (strcmp(helpers[i].name, name) == 0 &&
			(helpers[i].protos[0] == l4 || helpers[i].protos[1] == l4) &&
			(helpers[i].ip6 || l3 != NFPROTO_IPV6))
			return 0;
	return -ENOENT;
}

static int
check_timeout(struct wire_msg *msg, const struct nlattr *const *attrs)
{
	uint16_t l3 = msg->family;
	uint8_t l4;

	if (attrs[NFTA_CT_TIMEOUT_DATA] == NULL || u8_of(attrs[NFTA_CT_TIMEOUT_L4PROTO], &l4) != 0)
		return -EINVAL;
	if (attrs[NFTA_CT_TIMEOUT_L3PROTO] != NULL &&
		u16_of(attrs[NFTA_CT_TIMEOUT_L3PROTO], &l3) != 0)
		return -EINVAL;
	switch (l4) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
	case IPPROTO_GRE: return 0;
	default: return -EOPNOTSUPP;
	}
}

static int
check_expect(struct wire_msg *msg, const struct nlattr *const *attrs)
{
	uint16_t l3 = msg->family, port;
	uint8_t l4, size;
	int rc = u8_of(attrs[NFTA_CT_EXPECT_L4PROTO], &l4);

	if (rc == 0)
		rc = u16_of(attrs[NFTA_CT_EXPECT_DPORT], &port);
	if (rc == 0)
		rc = u8_of(attrs[NFTA_CT_EXPECT_SIZE], &size);
	if (rc == 0 && attrs[NFTA_CT_EXPECT_TIMEOUT] == NULL)
		rc = -EINVAL;
	if (rc == 0 && attrs[NFTA_CT_EXPECT_L3PROTO] != NULL)
		rc = u16_of(attrs[NFTA_CT_EXPECT_L3PROTO], &l3);
	if (rc != 0)
		return rc;
	if (l3 != NFPROTO_IPV4 && l3 != NFPROTO_IPV6 && l3 != NFPROTO_INET)
		return -EAFNOSUPPORT;
	if (l3 != NFPROTO_INET && l3 != msg->family && msg->family != NFPROTO_INET)
		return -EINVAL;
	return l4 == IPPROTO_TCP || l4 == IPPROTO_UDP || l4 == IPPROTO_UDPLITE ||
			       l4 == IPPROTO_DCCP || l4 == IPPROTO_SCTP
		       ? 0
		       : -EOPNOTSUPP;
}

/* nft_synproxy_do_init */
static int
check_synproxy(struct wire_msg *msg, const struct nlattr *const *attrs)
{
	uint32_t flags = 0;
	uint16_t mss;
	uint8_t scale;
	int rc = attrs[NFTA_SYNPROXY_FLAGS] != NULL
			 ? wire_u32(msg, attrs[NFTA_SYNPROXY_FLAGS], &flags)
			 : 0;

	msg->bad = NULL;
	if (rc == 0 && (flags & ~(uint32_t)NF_SYNPROXY_OPT_MASK))
		rc = -EOPNOTSUPP;
	if (rc == 0 && (flags & NF_SYNPROXY_OPT_MSS))
		rc = u16_of(attrs[NFTA_SYNPROXY_MSS], &mss);
	if (rc == 0 && (flags & NF_SYNPROXY_OPT_WSCALE))
		rc = u8_of(attrs[NFTA_SYNPROXY_WSCALE], &scale);
	return rc;
}

int
wire_check_object(struct wire_msg *msg, uint32_t type, const struct nlattr *data)
{
	const struct nlattr *attrs[ATTRS + 1] = {0};
	int rc = data != NULL ? wire_attrs(msg, data, attrs, ATTRS) : 0;

	msg->bad = NULL;
	if (rc != 0)
		return rc;
	switch (type) {
	case NFT_OBJECT_CT_HELPER: return check_helper(msg, attrs);
	case NFT_OBJECT_CT_TIMEOUT: return check_timeout(msg, attrs);
	case NFT_OBJECT_CT_EXPECT: return check_expect(msg, attrs);
	case NFT_OBJECT_SYNPROXY: return check_synproxy(msg, attrs);
	default: return 0;
	}
}

/* The attribute that tells of a family, where it is the table's if nobody says. */
static uint16_t
l3_attribute(uint32_t type)
{
	switch (type) {
	case NFT_OBJECT_CT_HELPER: return NFTA_CT_HELPER_L3PROTO;
	case NFT_OBJECT_CT_TIMEOUT: return NFTA_CT_TIMEOUT_L3PROTO;
	case NFT_OBJECT_CT_EXPECT: return NFTA_CT_EXPECT_L3PROTO;
	default: return 0;
	}
}

/* The family of a helper as it is told: of both, IPv4 where there is none of IPv6's. */
static uint16_t
helper_family(struct wire_msg *msg, const struct nlattr *data, uint16_t l3)
{
	char name[STORE_NAME] = "";
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, data)
		if (mnl_attr_get_type(attr) == NFTA_CT_HELPER_NAME)
			(void)wire_name(msg, attr, name);
	for (unsigned int i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++)
		if (l3 == NFPROTO_INET && !helpers[i].ip6 && strcmp(helpers[i].name, name) == 0)
			return NFPROTO_IPV4;
	return l3;
}

int
wire_keep_object(struct wire_msg *msg, struct store_object *object, const struct nlattr *data)
{
	struct nlmsghdr *out = mnl_nlmsg_put_header(msg->wire->scratch);
	struct nlattr *nest = mnl_attr_nest_start(out, NFTA_OBJ_DATA);
	uint16_t l3 = l3_attribute(object->type), family = msg->family;
	bool helper = object->type == NFT_OBJECT_CT_HELPER;
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, data) {
		uint16_t type = mnl_attr_get_type(attr);

		if (helper && type == NFTA_CT_HELPER_L3PROTO) {
			(void)u16_of(attr, &family);
			continue;
		}
		if (type == l3)
			l3 = 0;
		/* A helper's name comes without its end. */
		if (helper && type == NFTA_CT_HELPER_NAME) {
			char name[STORE_NAME] = "";

			if (wire_name(msg, attr, name) == 0)
				mnl_attr_put_strz(out, type, name);
			continue;
		}
		mnl_attr_put(out, attr->nla_type, mnl_attr_get_payload_len(attr),
			mnl_attr_get_payload(attr));
	}
	if (l3 != 0)
		mnl_attr_put_u16(
			out, l3, htons(helper ? helper_family(msg, data, family) : family));
	mnl_attr_nest_end(out, nest);
	object->data = store_blob(nest, nest->nla_len);
	return object->data != NULL ? 0 : -ENOMEM;
}
