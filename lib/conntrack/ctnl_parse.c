/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of ctnetlink read: the same attributes taken, the same errors given as
 * by Linux's policies (ct_nla_policy and those of its nests). What is not asked
 * for is not looked at; nothing is read beyond what has been checked.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "ctnl_priv.h"

/* The kinds of attributes that have a check. */
enum kind {
	ANY,
	U8,
	U16,
	U32,
	NESTED,	   /* 0 bytes, or at least a header */
	LABELS,	   /* up to 16 bytes */
	V6,	   /* 16 bytes */
	TCP_FLAGS, /* 2 bytes */
	REJECT,
	NAME, /* a string of up to 15 characters and its end */
};

static int
check(const struct nlattr *attr, enum kind kind)
{
	size_t len = mnl_attr_get_payload_len(attr);

	switch (kind) {
	case ANY: return 0;
	case U8: return len < 1 ? -ERANGE : 0;
	case U16:
	case TCP_FLAGS: return len < 2 ? -ERANGE : 0;
	case U32: return len < 4 ? -ERANGE : 0;
	case V6: return len < 16 ? -ERANGE : 0;
	case NESTED: return len != 0 && len < sizeof(struct nlattr) ? -ERANGE : 0;
	case LABELS: return len > 16 ? -ERANGE : 0;
	case REJECT: return -EINVAL;
	case NAME: break;
	}
	/* A string, its end among the first 16 bytes, and not much behind it. */
	if (len == 0 || memchr(mnl_attr_get_payload(attr), '\0', len < 16 ? len : 16) == NULL)
		return -EINVAL;
	len -= ((const char *)mnl_attr_get_payload(attr))[len - 1] == '\0';
	return len > 15 ? -ERANGE : 0;
}

/* Sort attributes by type; the last of a type counts, what follows a broken one does not exist. */
static int
sort(const void *payload, size_t len, const enum kind *kinds, unsigned int max,
	const struct nlattr **out)
{
	const struct nlattr *attr = payload;
	int left = len > INT32_MAX ? INT32_MAX : (int)len;

	memset(out, 0, (max + 1) * sizeof(*out));
	for (; mnl_attr_ok(attr, left);
		left -= MNL_ALIGN(attr->nla_len), attr = mnl_attr_next(attr)) {
		unsigned int type = mnl_attr_get_type(attr);
		int rc;

		if (type == 0 || type > max)
			continue;
		rc = check(attr, kinds[type]);
		if (rc != 0)
			return rc;
		out[type] = attr;
	}
	return 0;
}

static int
sort_nest(const struct nlattr *nest, const enum kind *kinds, unsigned int max,
	const struct nlattr **out)
{
	return sort(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), kinds, max, out);
}

static uint32_t
be32(const struct nlattr *attr)
{
	return ntohl(mnl_attr_get_u32(attr));
}

int
ctnl_parse(const struct nlmsghdr *nlh, struct ctnl_message *msg)
{
	static const enum kind kinds[CTNL_ATTRS + 1] = {
		[CTA_TUPLE_ORIG] = NESTED,
		[CTA_TUPLE_REPLY] = NESTED,
		[CTA_STATUS] = U32,
		[CTA_PROTOINFO] = NESTED,
		[CTA_HELP] = NESTED,
		[CTA_NAT_SRC] = NESTED,
		[CTA_TIMEOUT] = U32,
		[CTA_MARK] = U32,
		[CTA_ID] = U32,
		[CTA_NAT_DST] = NESTED,
		[CTA_TUPLE_MASTER] = NESTED,
		[CTA_SEQ_ADJ_ORIG] = NESTED,
		[CTA_SEQ_ADJ_REPLY] = NESTED,
		[CTA_ZONE] = U16,
		[CTA_MARK_MASK] = U32,
		[CTA_LABELS] = LABELS,
		[CTA_LABELS_MASK] = LABELS,
		[CTA_FILTER] = NESTED,
		[CTA_STATUS_MASK] = U32,
		[CTNL_TIMESTAMP_EVENT] = REJECT,
	};
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);

	msg->nlh = nlh;
	msg->family = nfg->nfgen_family;
	msg->version = nfg->version;
	return sort(mnl_nlmsg_get_payload_offset(nlh, sizeof(*nfg)),
		nlh->nlmsg_len - MNL_NLMSG_HDRLEN - MNL_ALIGN(sizeof(*nfg)), kinds, CTNL_ATTRS,
		msg->attrs);
}

static int
parse_ip(const struct nlattr *nest, uint32_t flags, struct tuple *t)
{
	static const enum kind kinds[CTA_IP_MAX + 1] = {
		[CTA_IP_V4_SRC] = U32,
		[CTA_IP_V4_DST] = U32,
		[CTA_IP_V6_SRC] = V6,
		[CTA_IP_V6_DST] = V6,
	};
	bool v6 = t->family == FAMILY_IPV6;
	size_t len = v6 ? 16 : 4;
	const struct nlattr *attrs[CTA_IP_MAX + 1], *src, *dst;
	int rc = sort_nest(nest, kinds, CTA_IP_MAX, attrs);

	if (rc != 0)
		return rc;
	src = attrs[v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC];
	dst = attrs[v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST];
	if (((flags & CTNL_IP_SRC) && src == NULL) || ((flags & CTNL_IP_DST) && dst == NULL))
		return -EINVAL;
	if (flags & CTNL_IP_SRC)
		memcpy(&t->src, mnl_attr_get_payload(src), len);
	if (flags & CTNL_IP_DST)
		memcpy(&t->dst, mnl_attr_get_payload(dst), len);
	return 0;
}

/* Identifier, type and code; the type must be one that makes connections, or answers them. */
static int
parse_icmp(const struct nlattr *const *attrs, uint32_t flags, struct tuple *t)
{
	bool v6 = t->proto == IPPROTO_ICMPV6;
	const struct nlattr *type = attrs[v6 ? CTA_PROTO_ICMPV6_TYPE : CTA_PROTO_ICMP_TYPE];
	const struct nlattr *code = attrs[v6 ? CTA_PROTO_ICMPV6_CODE : CTA_PROTO_ICMP_CODE];
	const struct nlattr *id = attrs[v6 ? CTA_PROTO_ICMPV6_ID : CTA_PROTO_ICMP_ID];
	struct tuple inverse;

	if (flags & (v6 ? CTNL_ICMPV6_TYPE : CTNL_ICMP_TYPE)) {
		if (type == NULL)
			return -EINVAL;
		t->dport = mnl_attr_get_u8(type);
		if (!tuple_invert(t, &inverse))
			return -EINVAL;
	}
	if (flags & (v6 ? CTNL_ICMPV6_CODE : CTNL_ICMP_CODE)) {
		if (code == NULL)
			return -EINVAL;
		t->dport |= (uint16_t)(mnl_attr_get_u8(code) << 8);
	}
	if (flags & (v6 ? CTNL_ICMPV6_ID : CTNL_ICMP_ID)) {
		if (id == NULL)
			return -EINVAL;
		t->sport = mnl_attr_get_u16(id);
	}
	return 0;
}

static int
parse_ports(const struct nlattr *const *attrs, uint32_t flags, struct tuple *t)
{
	if (flags & CTNL_PROTO_SRC_PORT) {
		if (attrs[CTA_PROTO_SRC_PORT] == NULL)
			return -EINVAL;
		t->sport = mnl_attr_get_u16(attrs[CTA_PROTO_SRC_PORT]);
	}
	if (flags & CTNL_PROTO_DST_PORT) {
		if (attrs[CTA_PROTO_DST_PORT] == NULL)
			return -EINVAL;
		t->dport = mnl_attr_get_u16(attrs[CTA_PROTO_DST_PORT]);
	}
	return 0;
}

static int
parse_proto(const struct nlattr *nest, uint32_t flags, struct tuple *t)
{
	/* Linux checks those of the protocol at hand alone; an attribute of another one is ignored.
	 */
	static const enum kind kinds[CTA_PROTO_MAX + 1] = {[CTA_PROTO_NUM] = U8};
	static const enum kind ports[CTA_PROTO_MAX + 1] = {
		[CTA_PROTO_SRC_PORT] = U16, [CTA_PROTO_DST_PORT] = U16};
	static const enum kind icmp[CTA_PROTO_MAX + 1] = {
		[CTA_PROTO_ICMP_ID] = U16, [CTA_PROTO_ICMP_TYPE] = U8, [CTA_PROTO_ICMP_CODE] = U8};
	static const enum kind icmpv6[CTA_PROTO_MAX + 1] = {[CTA_PROTO_ICMPV6_ID] = U16,
		[CTA_PROTO_ICMPV6_TYPE] = U8,
		[CTA_PROTO_ICMPV6_CODE] = U8};
	const struct nlattr *attrs[CTA_PROTO_MAX + 1];
	const enum kind *own = NULL;
	int rc = sort_nest(nest, kinds, CTA_PROTO_MAX, attrs);

	if (rc != 0)
		return rc;
	if (attrs[CTA_PROTO_NUM] == NULL)
		return -EINVAL;
	t->proto = mnl_attr_get_u8(attrs[CTA_PROTO_NUM]);
	switch (t->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
	case IPPROTO_GRE: own = ports; break;
	case IPPROTO_ICMP: own = icmp; break;
	case IPPROTO_ICMPV6: own = icmpv6; break;
	default: return 0;
	}
	rc = sort_nest(nest, own, CTA_PROTO_MAX, attrs);
	if (rc != 0)
		return rc;
	return own == ports ? parse_ports(attrs, flags, t) : parse_icmp(attrs, flags, t);
}

/* ctnetlink_parse_tuple_filter */
static int
parse_tuple(
	const struct nlattr *nest, uint8_t family, uint32_t flags, uint16_t *zone, struct tuple *t)
{
	static const enum kind kinds[CTA_TUPLE_MAX + 1] = {
		[CTA_TUPLE_IP] = NESTED, [CTA_TUPLE_PROTO] = NESTED, [CTA_TUPLE_ZONE] = U16};
	const struct nlattr *attrs[CTA_TUPLE_MAX + 1];
	int rc = sort_nest(nest, kinds, CTA_TUPLE_MAX, attrs);

	memset(t, 0, sizeof(*t));
	if (rc != 0)
		return rc;
	if (family != FAMILY_IPV4 && family != FAMILY_IPV6)
		return -EOPNOTSUPP;
	t->family = family;
	if (flags & (CTNL_IP_SRC | CTNL_IP_DST)) {
		rc = attrs[CTA_TUPLE_IP] != NULL ? parse_ip(attrs[CTA_TUPLE_IP], flags, t)
						 : -EINVAL;
		if (rc != 0)
			return rc;
	}
	if (flags & CTNL_PROTO_NUM) {
		rc = attrs[CTA_TUPLE_PROTO] != NULL ? parse_proto(attrs[CTA_TUPLE_PROTO], flags, t)
						    : -EINVAL;
		if (rc != 0)
			return rc;
	} else if (flags & CTNL_PROTO_FLAGS) {
		return -EINVAL;
	}
	if ((flags & CTNL_TUPLE_ZONE) && attrs[CTA_TUPLE_ZONE] != NULL) {
		if (*zone != 0)
			return -EINVAL;
		*zone = ntohs(mnl_attr_get_u16(attrs[CTA_TUPLE_ZONE]));
	}
	return 0;
}

int
ctnl_parse_tuple(const struct ctnl_message *msg, struct tuple *t)
{
	const struct nlattr *nest = msg->attrs[CTA_TUPLE_ORIG];
	uint16_t zone = 0;
	int rc;

	if (msg->attrs[CTA_ZONE] != NULL)
		zone = ntohs(mnl_attr_get_u16(msg->attrs[CTA_ZONE]));
	if (nest == NULL)
		nest = msg->attrs[CTA_TUPLE_REPLY];
	if (nest == NULL)
		return -EINVAL;
	rc = parse_tuple(nest, msg->family, CTNL_FLAGS_ALL, &zone, t);
	t->zone = zone;
	return rc;
}

bool
ctnl_has_filter(const struct ctnl_message *msg, uint8_t family)
{
	return family != 0 || msg->attrs[CTA_MARK] != NULL || msg->attrs[CTA_FILTER] != NULL ||
	       msg->attrs[CTA_STATUS] != NULL || msg->attrs[CTA_ZONE] != NULL;
}

/* A value and its mask, if the message has them. */
static int
parse_masked(const struct ctnl_message *msg, unsigned int value_type, unsigned int mask_type,
	uint32_t *value, uint32_t *mask)
{
	if (msg->attrs[value_type] == NULL)
		return msg->attrs[mask_type] != NULL ? -EINVAL : 0;
	*value = be32(msg->attrs[value_type]);
	*mask = value_type == CTA_STATUS ? *value : UINT32_MAX;
	if (msg->attrs[mask_type] != NULL)
		*mask = be32(msg->attrs[mask_type]);
	return value_type == CTA_STATUS && *mask == 0 ? -EINVAL : 0;
}

/* The one nest that Linux reads strictly: what is not exactly right is -EINVAL. */
static int
parse_filter_flags(const struct nlattr *nest, uint32_t flags[2])
{
	const struct nlattr *attr = mnl_attr_get_payload(nest);
	int left = mnl_attr_get_payload_len(nest);

	if (!(nest->nla_type & NLA_F_NESTED))
		return -EINVAL;
	for (; mnl_attr_ok(attr, left); attr = mnl_attr_next(attr)) {
		unsigned int type = attr->nla_type;

		if ((type != CTA_FILTER_ORIG_FLAGS && type != CTA_FILTER_REPLY_FLAGS) ||
			mnl_attr_get_payload_len(attr) != sizeof(uint32_t))
			return -EINVAL;
		/* In host order, alone among its kind. */
		flags[type - CTA_FILTER_ORIG_FLAGS] = mnl_attr_get_u32(attr);
		left -= MNL_ALIGN(attr->nla_len);
	}
	if (left != 0)
		return -EINVAL;
	return (flags[0] | flags[1]) & ~(uint32_t)CTNL_FLAGS_ALL ? -EINVAL : 0;
}

int
ctnl_parse_filter(const struct ctnl_message *msg, uint8_t family, struct ctnl_filter *filter)
{
	static const unsigned int tuples[2] = {CTA_TUPLE_ORIG, CTA_TUPLE_REPLY};
	int rc;

	*filter = (struct ctnl_filter){.family = family};
	rc = parse_masked(msg, CTA_MARK, CTA_MARK_MASK, &filter->mark, &filter->mark_mask);
	if (rc == 0)
		rc = parse_masked(
			msg, CTA_STATUS, CTA_STATUS_MASK, &filter->status, &filter->status_mask);
	if (rc != 0)
		return rc;
	if (msg->attrs[CTA_ZONE] != NULL) {
		filter->zone = ntohs(mnl_attr_get_u16(msg->attrs[CTA_ZONE]));
		filter->by_zone = true;
	}
	if (msg->attrs[CTA_FILTER] == NULL)
		return 0;
	rc = parse_filter_flags(msg->attrs[CTA_FILTER], filter->flags);
	for (unsigned int dir = 0; dir < 2 && rc == 0; dir++) {
		if (filter->flags[dir] == 0)
			continue;
		rc = msg->attrs[tuples[dir]] != NULL
			     ? parse_tuple(msg->attrs[tuples[dir]], family, filter->flags[dir],
				       &filter->zone, &filter->tuple[dir])
			     : -EINVAL;
	}
	return rc;
}

/* nlattr_to_tcp; that of another protocol means nothing to a connection. */
static int
parse_protoinfo(const struct nlattr *nest, struct conntrack_change *change)
{
	static const enum kind kinds[CTA_PROTOINFO_MAX + 1] = {
		[CTA_PROTOINFO_TCP] = NESTED, [CTA_PROTOINFO_SCTP] = NESTED};
	static const enum kind tcp_kinds[CTA_PROTOINFO_TCP_MAX + 1] = {
		[CTA_PROTOINFO_TCP_STATE] = U8,
		[CTA_PROTOINFO_TCP_WSCALE_ORIGINAL] = U8,
		[CTA_PROTOINFO_TCP_WSCALE_REPLY] = U8,
		[CTA_PROTOINFO_TCP_FLAGS_ORIGINAL] = TCP_FLAGS,
		[CTA_PROTOINFO_TCP_FLAGS_REPLY] = TCP_FLAGS,
	};
	const struct nlattr *attrs[CTA_PROTOINFO_MAX + 1], *tcp[CTA_PROTOINFO_TCP_MAX + 1];
	int rc = sort_nest(nest, kinds, CTA_PROTOINFO_MAX, attrs);

	if (rc != 0 || attrs[CTA_PROTOINFO_TCP] == NULL)
		return rc;
	rc = sort_nest(attrs[CTA_PROTOINFO_TCP], tcp_kinds, CTA_PROTOINFO_TCP_MAX, tcp);
	if (rc != 0)
		return rc;
	if (tcp[CTA_PROTOINFO_TCP_STATE] != NULL) {
		change->tcp_state = mnl_attr_get_u8(tcp[CTA_PROTOINFO_TCP_STATE]);
		change->flags |= CHANGE_TCP_STATE;
		if (change->tcp_state >= CT_TCP_STATES)
			return -ERANGE;
	}
	for (unsigned int dir = 0; dir < 2; dir++) {
		const struct nlattr *flags = tcp[CTA_PROTOINFO_TCP_FLAGS_ORIGINAL + dir];
		const uint8_t *bytes;

		if (flags == NULL)
			continue;
		bytes = mnl_attr_get_payload(flags);
		change->tcp_flags[dir] = bytes[0];
		change->tcp_mask[dir] = bytes[1];
		change->flags |= dir == 0 ? CHANGE_TCP_FLAGS_ORIGINAL : CHANGE_TCP_FLAGS_REPLY;
	}
	if (tcp[CTA_PROTOINFO_TCP_WSCALE_ORIGINAL] != NULL &&
		tcp[CTA_PROTOINFO_TCP_WSCALE_REPLY] != NULL) {
		change->tcp_scale[0] = mnl_attr_get_u8(tcp[CTA_PROTOINFO_TCP_WSCALE_ORIGINAL]);
		change->tcp_scale[1] = mnl_attr_get_u8(tcp[CTA_PROTOINFO_TCP_WSCALE_REPLY]);
		change->flags |= CHANGE_TCP_SCALE;
	}
	return 0;
}

/* ctnetlink_change_helper: none can be taken away, none be given to a connection that is there. */
static int
parse_help(const struct nlattr *nest)
{
	static const enum kind kinds[CTA_HELP_MAX + 1] = {[CTA_HELP_NAME] = NAME};
	const struct nlattr *attrs[CTA_HELP_MAX + 1];
	int rc = sort_nest(nest, kinds, CTA_HELP_MAX, attrs);

	if (rc != 0)
		return rc;
	if (attrs[CTA_HELP_NAME] == NULL)
		return -EINVAL;
	return *(const char *)mnl_attr_get_payload(attrs[CTA_HELP_NAME]) == '\0' ? 0 : -EOPNOTSUPP;
}

/* ctnetlink_attach_labels: no connection has room for labels, since no rule can ask for them. */
static int
parse_labels(const struct ctnl_message *msg)
{
	size_t len = mnl_attr_get_payload_len(msg->attrs[CTA_LABELS]);
	const struct nlattr *mask = msg->attrs[CTA_LABELS_MASK];

	if (len % sizeof(uint32_t) != 0)
		return -EINVAL;
	if (mask != NULL &&
		(mnl_attr_get_payload_len(mask) == 0 || mnl_attr_get_payload_len(mask) != len))
		return -EINVAL;
	return -ENOSPC;
}

int
ctnl_parse_change(const struct ctnl_message *msg, struct conntrack_change *change)
{
	const struct nlattr *const *attrs = msg->attrs;
	int rc = 0;

	*change = (struct conntrack_change){0};
	if (attrs[CTA_NAT_SRC] != NULL || attrs[CTA_NAT_DST] != NULL ||
		attrs[CTA_TUPLE_MASTER] != NULL)
		return -EOPNOTSUPP;
	if (attrs[CTA_HELP] != NULL)
		rc = parse_help(attrs[CTA_HELP]);
	if (rc == 0 && attrs[CTA_PROTOINFO] != NULL)
		rc = parse_protoinfo(attrs[CTA_PROTOINFO], change);
	if (rc == 0 && attrs[CTA_LABELS] != NULL)
		rc = parse_labels(msg);
	if (rc != 0)
		return rc;
	if (attrs[CTA_TIMEOUT] != NULL) {
		change->timeout_s = be32(attrs[CTA_TIMEOUT]);
		change->flags |= CHANGE_TIMEOUT;
	}
	if (attrs[CTA_STATUS] != NULL) {
		change->status = be32(attrs[CTA_STATUS]);
		change->flags |= CHANGE_STATUS;
	}
	if (attrs[CTA_MARK] != NULL) {
		change->mark = be32(attrs[CTA_MARK]);
		change->mark_keep = attrs[CTA_MARK_MASK] != NULL ? ~be32(attrs[CTA_MARK_MASK]) : 0;
		change->flags |= CHANGE_MARK;
	}
	return 0;
}
