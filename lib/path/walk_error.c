/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ICMP errors that a router owes (icmp_send, icmp6_send). An error carries
 * the connection of the packet that caused it and walks output and postrouting.
 */
#include "worker.h"

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

void
walk_error(struct worker *w, struct pkt *about, uint8_t type, uint8_t code, uint32_t info)
{
	struct rte_mbuf *m;
	union address source;
	struct pkt *error;

	if (!icmp_error_allowed(about))
		return;
	m = rte_pktmbuf_alloc(w->path->config.pool);
	if (m == NULL) {
		/* The packet is dropped and counted anyway; the error is only missing. */
		w->counters.errors_unsent++;
		return;
	}
	error = pkt_of(m);
	*error = (struct pkt){
		.in_port = PORT_NONE,
		.conn = CONN_NONE,
		.drop = DROP_RULE,
		.worker = w->id,
		.now_ns = w->now_ns,
		.generation = about->generation,
	};
	if (!way_back(w, about, error, &source) ||
		icmp_error_build(m, about, type, code, info, &source) != 0) {
		rte_pktmbuf_free(m);
		w->counters.errors_unsent++;
		return;
	}
	w->counters.generated++;
	m->port = PORT_NONE;
	if (pkt_parse(m, error) != 0) {
		worker_drop(w, m, error->drop);
		return;
	}
	error->flags |= PKT_LOCAL_OUT;
	/* nf_ct_attach: related to the connection, in the other direction. */
	if (about->conn != CONN_NONE) {
		error->conn = about->conn;
		error->flags |= PKT_RELATED | (about->flags & PKT_REPLY ? 0 : PKT_REPLY);
	} else if (about->flags & PKT_UNTRACKED) {
		error->flags |= PKT_UNTRACKED;
	}
	walk_output(w, error);
}
