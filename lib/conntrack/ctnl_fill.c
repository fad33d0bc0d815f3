/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of ctnetlink, their attributes in the order that Linux has them
 * (ctnetlink_fill_info, ctnetlink_conntrack_event).
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>

#include "ctnl_priv.h"

static struct nlmsghdr *
begin(void *buf, const struct ctnl_header *header, uint8_t family, uint16_t res_id)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = header->type;
	nlh->nlmsg_flags = header->flags;
	nlh->nlmsg_seq = header->seq;
	nlh->nlmsg_pid = header->port;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(res_id);
	return nlh;
}

/* Protocols whose tuples have ports (tuple_to_nlattr of nf_conntrack_l4proto). */
static bool
has_ports(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
	case IPPROTO_GRE: return true;
	default: return false;
	}
}

static void
put_proto(struct nlmsghdr *nlh, const struct tuple *t)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);

	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, t->proto);
	if (has_ports(t->proto)) {
		mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, t->sport);
		mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, t->dport);
	} else if (t->proto == IPPROTO_ICMP) {
		mnl_attr_put_u16(nlh, CTA_PROTO_ICMP_ID, t->sport);
		mnl_attr_put_u8(nlh, CTA_PROTO_ICMP_TYPE, (uint8_t)t->dport);
		mnl_attr_put_u8(nlh, CTA_PROTO_ICMP_CODE, (uint8_t)(t->dport >> 8));
	} else if (t->proto == IPPROTO_ICMPV6) {
		mnl_attr_put_u16(nlh, CTA_PROTO_ICMPV6_ID, t->sport);
		mnl_attr_put_u8(nlh, CTA_PROTO_ICMPV6_TYPE, (uint8_t)t->dport);
		mnl_attr_put_u8(nlh, CTA_PROTO_ICMPV6_CODE, (uint8_t)(t->dport >> 8));
	}
	mnl_attr_nest_end(nlh, nest);
}

static void
put_tuple(struct nlmsghdr *nlh, uint16_t type, const struct tuple *t)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);
	struct nlattr *ip = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);

	if (t->family == FAMILY_IPV6) {
		mnl_attr_put(nlh, CTA_IP_V6_SRC, sizeof(t->src.v6), t->src.v6);
		mnl_attr_put(nlh, CTA_IP_V6_DST, sizeof(t->dst.v6), t->dst.v6);
	} else {
		mnl_attr_put_u32(nlh, CTA_IP_V4_SRC, t->src.v4);
		mnl_attr_put_u32(nlh, CTA_IP_V4_DST, t->dst.v4);
	}
	mnl_attr_nest_end(nlh, ip);
	put_proto(nlh, t);
	mnl_attr_nest_end(nlh, nest);
}

static void
put_tuples(struct nlmsghdr *nlh, const struct conntrack_view *v)
{
	put_tuple(nlh, CTA_TUPLE_ORIG, &v->tuple[0]);
	put_tuple(nlh, CTA_TUPLE_REPLY, &v->tuple[1]);
	if (v->tuple[0].zone != 0)
		mnl_attr_put_u16(nlh, CTA_ZONE, htons(v->tuple[0].zone));
}

static void
put_be32(struct nlmsghdr *nlh, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(nlh, type, htonl(value));
}

static void
put_counters(struct nlmsghdr *nlh, const struct conntrack_view *v)
{
	for (unsigned int dir = 0; dir < 2; dir++) {
		struct nlattr *nest =
			mnl_attr_nest_start(nlh, dir == 0 ? CTA_COUNTERS_ORIG : CTA_COUNTERS_REPLY);

		mnl_attr_put_u64(nlh, CTA_COUNTERS_PACKETS, htobe64(v->packets[dir]));
		mnl_attr_put_u64(nlh, CTA_COUNTERS_BYTES, htobe64(v->bytes[dir]));
		mnl_attr_nest_end(nlh, nest);
	}
}

/* tcp_to_nlattr; other protocols have nothing to say. */
static void
put_protoinfo(struct nlmsghdr *nlh, const struct conntrack_view *v, bool destroy)
{
	struct nlattr *nest, *tcp;

	if (v->tuple[0].proto != IPPROTO_TCP)
		return;
	nest = mnl_attr_nest_start(nlh, CTA_PROTOINFO);
	tcp = mnl_attr_nest_start(nlh, CTA_PROTOINFO_TCP);
	mnl_attr_put_u8(nlh, CTA_PROTOINFO_TCP_STATE, v->state);
	if (!destroy) {
		/* A mask follows the flags: 0. */
		const uint8_t flags[2][2] = {{v->tcp_flags[0], 0}, {v->tcp_flags[1], 0}};

		mnl_attr_put_u8(nlh, CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, v->scale[0]);
		mnl_attr_put_u8(nlh, CTA_PROTOINFO_TCP_WSCALE_REPLY, v->scale[1]);
		mnl_attr_put(nlh, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, 2, flags[0]);
		mnl_attr_put(nlh, CTA_PROTOINFO_TCP_FLAGS_REPLY, 2, flags[1]);
	}
	mnl_attr_nest_end(nlh, tcp);
	mnl_attr_nest_end(nlh, nest);
}

void
ctnl_fill(void *buf, const struct ctnl_header *header, const struct conntrack_view *v, uint32_t use)
{
	struct nlmsghdr *nlh = begin(buf, header, v->tuple[0].family, 0);

	put_tuples(nlh, v);
	put_be32(nlh, CTA_STATUS, v->status);
	put_be32(nlh, CTA_MARK, v->mark);
	put_be32(nlh, CTA_ID, v->id);
	/* A flowtable's reference is one more. */
	put_be32(nlh, CTA_USE, use + ((v->status & CT_OFFLOAD) != 0));
	/* Linux leaves these out under offload, for it does not know them then. */
	put_be32(nlh, CTA_TIMEOUT, v->expires_ms / 1000);
	put_protoinfo(nlh, v, false);
	put_counters(nlh, v);
}

void
ctnl_fill_event(void *buf, const struct conntrack_event *event)
{
	const struct conntrack_view *v = &event->view;
	bool destroy = event->bits & CONN_EVENT_DESTROY;
	struct ctnl_header header = {
		.type = NFNL_SUBSYS_CTNETLINK << 8 |
			(destroy ? IPCTNL_MSG_CT_DELETE : IPCTNL_MSG_CT_NEW),
		.flags = !destroy && (event->bits & CONN_EVENT_NEW) ? NLM_F_CREATE | NLM_F_EXCL : 0,
		.port = event->by,
	};
	struct nlmsghdr *nlh = begin(buf, &header, v->tuple[0].family, 0);

	put_tuples(nlh, v);
	put_be32(nlh, CTA_ID, v->id);
	put_be32(nlh, CTA_STATUS, v->status);
	if (!destroy || v->expires_ms >= 1000)
		put_be32(nlh, CTA_TIMEOUT, v->expires_ms / 1000);
	if (destroy)
		put_counters(nlh, v);
	if (destroy || (event->bits & CONN_EVENT_PROTOINFO))
		put_protoinfo(nlh, v, destroy);
	if (v->mark != 0 || (event->bits & CONN_EVENT_MARK))
		put_be32(nlh, CTA_MARK, v->mark);
}

void
ctnl_fill_error(void *buf, const struct nlmsghdr *request, int err)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlmsgerr *e = mnl_nlmsg_put_extra_header(nlh, sizeof(*e));

	nlh->nlmsg_type = NLMSG_ERROR;
	/* The request is not echoed: its header says which one it was. */
	nlh->nlmsg_flags = NLM_F_CAPPED;
	nlh->nlmsg_seq = request->nlmsg_seq;
	e->error = err;
	e->msg = *request;
}

void
ctnl_fill_done(void *buf, const struct nlmsghdr *request)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = NLMSG_DONE;
	nlh->nlmsg_flags = NLM_F_MULTI;
	nlh->nlmsg_seq = request->nlmsg_seq;
	mnl_nlmsg_put_extra_header(nlh, sizeof(int));
}

void
ctnl_fill_stats(void *buf, const struct ctnl_header *header, unsigned int worker,
	const struct ctnl_stats *stats)
{
	const struct {
		uint16_t type;
		uint32_t value;
	} values[] = {
		{CTA_STATS_FOUND, stats->found},
		{CTA_STATS_INVALID, stats->invalid},
		{CTA_STATS_INSERT, 0},
		{CTA_STATS_INSERT_FAILED, stats->insert_failed},
		{CTA_STATS_DROP, stats->drop},
		{CTA_STATS_EARLY_DROP, 0},
		{CTA_STATS_ERROR, 0},
		{CTA_STATS_SEARCH_RESTART, 0},
		{CTA_STATS_CLASH_RESOLVE, 0},
		{CTA_STATS_CHAIN_TOOLONG, 0},
	};
	struct nlmsghdr *nlh = begin(buf, header, 0, (uint16_t)worker);

	for (unsigned int i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		put_be32(nlh, values[i].type, values[i].value);
}

void
ctnl_fill_totals(void *buf, const struct ctnl_header *header, uint32_t connections, uint32_t max)
{
	struct nlmsghdr *nlh = begin(buf, header, 0, 0);

	put_be32(nlh, CTA_STATS_GLOBAL_ENTRIES, connections);
	put_be32(nlh, CTA_STATS_GLOBAL_MAX_ENTRIES, max);
}

void
ctnl_fill_expect_stats(void *buf, const struct ctnl_header *header, unsigned int worker)
{
	struct nlmsghdr *nlh = begin(buf, header, 0, (uint16_t)worker);

	put_be32(nlh, CTA_STATS_EXP_NEW, 0);
	put_be32(nlh, CTA_STATS_EXP_CREATE, 0);
	put_be32(nlh, CTA_STATS_EXP_DELETE, 0);
}
