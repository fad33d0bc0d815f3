/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ICMP errors that a router owes (icmp_send, icmp6_send). An error carries
 * the connection of the packet that caused it and walks output and postrouting.
 */
#include "worker.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include "checksum.h"
#include "icmp_error.h"

/* The route back to the sender, and the address that the error comes from. */
static bool
way_back(struct worker *w, const struct pkt *about, struct pkt *error, union address *source)
{
	struct route_result back;
	int rc;

	memset(source, 0, sizeof(*source));
	if (about->flags & PKT_IPV6)
		rc = route_output6(w->routes, about->in_port, &about->tuple.src, &back, source);
	else
		rc = route_output4(w->routes, about->tuple.src.v4, &back, &source->v4);
	if (rc != 0 || back.type != ROUTE_UNICAST)
		return false;
	error->nexthop = back.nexthop;
	error->out_port = back.port;
	return true;
}

/* An empty buffer with its metadata for what the router makes about a packet; NULL: none left. */
static struct rte_mbuf *
own_packet(struct worker *w, const struct pkt *about)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->path->config.pool);

	if (m == NULL)
		return NULL;
	m->port = PORT_NONE;
	*pkt_of(m) = (struct pkt){
		.in_port = PORT_NONE,
		.conn = CONN_NONE,
		.drop = DROP_RULE,
		.worker = w->id,
		.now_ns = w->now_ns,
		.generation = about->generation,
	};
	return m;
}

/* It carries the connection of its cause, in the other direction (nf_ct_attach), and walks output.
 */
static void
send_own(struct worker *w, struct rte_mbuf *m, const struct pkt *about)
{
	struct pkt *own = pkt_of(m);

	w->counters.generated++;
	if (pkt_parse(m, own) != 0) {
		worker_drop(w, m, own->drop);
		return;
	}
	own->flags |= PKT_LOCAL_OUT;
	if (about->conn != CONN_NONE) {
		own->conn = about->conn;
		own->flags |= PKT_RELATED | (about->flags & PKT_REPLY ? 0 : PKT_REPLY);
	} else if (about->flags & PKT_UNTRACKED) {
		own->flags |= PKT_UNTRACKED;
	}
	walk_output(w, own);
}

void
walk_error(struct worker *w, struct pkt *about, uint8_t type, uint8_t code, uint32_t info)
{
	union address source;
	struct rte_mbuf *m;

	if (!icmp_error_allowed(about))
		return;
	m = own_packet(w, about);
	if (m != NULL && way_back(w, about, pkt_of(m), &source) &&
		icmp_error_build(m, about, type, code, info, &source) == 0) {
		send_own(w, m, about);
		return;
	}
	/* The packet is dropped and counted anyway; the error is only missing. */
	rte_pktmbuf_free(m);
	w->counters.errors_unsent++;
}

/* nf_send_reset: from the segment's destination; its connection is about to end. */
static void
reset(struct worker *w, struct pkt *about)
{
	union address source;
	struct rte_mbuf *m;

	/* Some segments get none: resets, bad checksums, broadcast. */
	if (about->flags & (PKT_BROADCAST | PKT_MULTICAST))
		return;
	m = own_packet(w, about);
	if (m == NULL || !way_back(w, about, pkt_of(m), &source) ||
		tcp_reset_build(m, about) != 0) {
		w->counters.errors_unsent += m == NULL;
		rte_pktmbuf_free(m);
		return;
	}
	if (about->conn != CONN_NONE)
		conntrack_set_closing(w->ct, about->conn);
	send_own(w, m, about);
}

/*
 * Whether nf_send_unreach and nf_send_unreach6 find a checksum wrong. Of protocols
 * that they do not know they take the whole payload for a sum.
 */
static bool
sum_wrong(const struct pkt *about)
{
	uint32_t len = (uint32_t)(about->ip_len + about->l2_len - about->l4_off);
	uint64_t sum = 0;

	switch (about->l4_proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: return (about->flags & PKT_L4_BAD) != 0;
	case IPPROTO_GRE:
	case IPPROTO_AH:
	case IPPROTO_ESP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
	case IPPROTO_DCCP: return false;
	default: break;
	}
	if (about->flags & PKT_IPV6)
		sum = sum_pseudo(&about->tuple, len);
	return sum_fold(sum_bytes(sum, pkt_l4(about), len)) != 0xffff;
}

void
path_reject(struct path *path, struct pkt *about, bool tcp_reset, uint8_t code)
{
	struct worker *w = path->workers[about->worker];

	if (tcp_reset) {
		reset(w, about);
		return;
	}
	if (sum_wrong(about))
		return;
	walk_error(
		w, about, about->flags & PKT_IPV6 ? ICMP6_DST_UNREACH : ICMP_DEST_UNREACH, code, 0);
}
