/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * What the parts of the ctnetlink server share: messages read (ctnl_parse.c),
 * messages written (ctnl_fill.c), what workers are asked (ctnl_work.c), requests
 * (ctnl_request.c), the server and its clients (conntrack_socket.c).
 */
#ifndef SHUNT_CONNTRACK_CTNL_PRIV_H
#define SHUNT_CONNTRACK_CTNL_PRIV_H

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "conntrack_change.h"
#include "conntrack_events.h"
#include "conntrack_socket.h"

/* Attributes of a message that Linux 6.18 knows; CTA_TIMESTAMP_EVENT is the last. */
#define CTNL_ATTRS	     28
#define CTNL_TIMESTAMP_EVENT (CTA_STATUS_MASK + 1)
/* A datagram: conntrack's buffer has 4,096 bytes. */
#define CTNL_DATAGRAM 4096
/* A connection's message: 372 bytes at most. */
#define CTNL_MESSAGE 512
/* Connections that a worker copies at once, and those that it ends at once. */
#define CTNL_PIECE	  128
#define CTNL_PIECE_DELETE 64
/* Places that it looks at meanwhile. */
#define CTNL_LOOKS 4096

/* Bits of CTA_FILTER_*_FLAGS (net/netfilter/nf_internals.h). */
enum ctnl_filter_flags {
	CTNL_IP_SRC = 1 << 0,
	CTNL_IP_DST = 1 << 1,
	CTNL_TUPLE_ZONE = 1 << 2,
	CTNL_PROTO_NUM = 1 << 3,
	CTNL_PROTO_SRC_PORT = 1 << 4,
	CTNL_PROTO_DST_PORT = 1 << 5,
	CTNL_ICMP_TYPE = 1 << 6,
	CTNL_ICMP_CODE = 1 << 7,
	CTNL_ICMP_ID = 1 << 8,
	CTNL_ICMPV6_TYPE = 1 << 9,
	CTNL_ICMPV6_CODE = 1 << 10,
	CTNL_ICMPV6_ID = 1 << 11,
	CTNL_FLAGS_ALL = (1 << 12) - 1,
};
#define CTNL_PROTO_FLAGS                                                                           \
	(CTNL_FLAGS_ALL & ~(CTNL_IP_SRC | CTNL_IP_DST | CTNL_TUPLE_ZONE | CTNL_PROTO_NUM))

/* Which connections a dump or a flush is about. */
struct ctnl_filter {
	uint8_t family; /* 0: any */
	bool by_zone;
	uint16_t zone;
	uint32_t flags[2]; /* enum ctnl_filter_flags: what of tuple counts, by direction */
	struct tuple tuple[2];
	uint32_t mark, mark_mask;
	uint32_t status, status_mask;
};

/* A message, its attributes by type. */
struct ctnl_message {
	const struct nlmsghdr *nlh;
	uint8_t family;
	uint8_t version;
	const struct nlattr *attrs[CTNL_ATTRS + 1];
};

/*
 * Read a message's attributes; those that are too short for their type are
 * -ERANGE, unknown ones mean nothing, as in Linux (nla_parse_deprecated).
 */
int ctnl_parse(const struct nlmsghdr *nlh, struct ctnl_message *msg);

/* The tuple that a message names: its original one, or else its reply; -EINVAL without. */
int ctnl_parse_tuple(const struct ctnl_message *msg, struct tuple *t);

/* Whether it has conditions, and which. 0 or a negative errno. */
bool ctnl_has_filter(const struct ctnl_message *msg, uint8_t family);
int ctnl_parse_filter(const struct ctnl_message *msg, uint8_t family, struct ctnl_filter *filter);

/*
 * What a message changes of a connection that is there, in Linux's order of
 * errors. proto is the connection's.
 */
int ctnl_parse_change(const struct ctnl_message *msg, struct conntrack_change *change);

/* Whether a connection passes. */
bool ctnl_match(const struct ctnl_filter *filter, const struct conntrack_view *v);

/* Messages into a buffer of CTNL_MESSAGE bytes. */
struct ctnl_header {
	uint16_t type; /* subsystem << 8 | message */
	uint16_t flags;
	uint32_t seq;
	uint32_t port;
};
/* A connection as a dump or a question has it. @param use its references, as Linux counts */
void ctnl_fill(
	void *buf, const struct ctnl_header *header, const struct conntrack_view *v, uint32_t use);
void ctnl_fill_event(void *buf, const struct conntrack_event *event);
/* Answers. */
void ctnl_fill_error(void *buf, const struct nlmsghdr *request, int err);
void ctnl_fill_done(void *buf, const struct nlmsghdr *request);
/* What a worker counts; how many connections there are, and may be. */
struct ctnl_stats {
	uint32_t found, invalid, insert_failed, drop;
	uint32_t connections;
};
void ctnl_fill_stats(void *buf, const struct ctnl_header *header, unsigned int worker,
	const struct ctnl_stats *stats);
void ctnl_fill_totals(
	void *buf, const struct ctnl_header *header, uint32_t connections, uint32_t max);
void ctnl_fill_expect_stats(void *buf, const struct ctnl_header *header, unsigned int worker);

/* The server, and a client of it. */
struct ctnl_request;

struct ctnl {
	struct ctnl_backend backend;
	LIST_HEAD(ctnl_clients, ctnl_client) clients;
	LIST_HEAD(ctnl_requests, ctnl_request) requests;
	uint32_t groups; /* somebody listens to */
};

struct ctnl_client {
	LIST_ENTRY(ctnl_client) link;
	struct ctnl *ctnl;
	struct ctnl_peer peer;
	struct ctnl_request *request;
	uint32_t groups;
};

/* ctnl_request.c: its client went away; all that are under way are forgotten. */
void ctnl_request_forget(struct ctnl_request *r);
void ctnl_requests_free(struct ctnl *ctnl);

/* What a worker is asked, and what it says. Its thread has it from ask() to done(). */
struct ctnl_work {
	struct ctnl_filter filter;
	bool filtered;
	bool zero; /* counters begin again */
	uint64_t position;
	struct tuple tuple;
	bool by_id;
	uint32_t id; /* by_id: the connection must have it */
	uint32_t by; /* the client's port */
	struct conntrack_change change;
	int rc;	       /* of a change */
	uint32_t conn; /* that was found, or CONN_NONE */
	uint32_t conn_id;
	uint32_t awaited;
	struct ctnl_stats stats;
	unsigned int count;
	struct conntrack_view views[CTNL_PIECE];
};

/* What is run on a worker, with a struct ctnl_work. */
void ctnl_run_list(struct conntrack *ct, void *work);
void ctnl_run_flush(struct conntrack *ct, void *work);
void ctnl_run_find(struct conntrack *ct, void *work);
void ctnl_run_delete(struct conntrack *ct, void *work);
void ctnl_run_change(struct conntrack *ct, void *work);
/* Whether NICs have let go: work.awaited is 0. */
void ctnl_run_wait(struct conntrack *ct, void *work);
void ctnl_run_stats(struct conntrack *ct, void *work);

#endif
