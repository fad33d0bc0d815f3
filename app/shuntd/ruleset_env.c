/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dataplane as expressions see it: ports by name and index, rejects, log
 * statements. A log statement costs a packet one place in a ring; events are
 * made of it later.
 */
#include <arpa/inet.h>
#include <linux/netfilter/nf_log.h>
#include <stdio.h>
#include <string.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "log.h"
#include "ruleset.h"

/* Index of `lo`; the ports follow. */
#define LO_INDEX 1

static struct {
	struct daemon *daemon;
	char names[PATH_PORTS][16];
	struct rte_ring *ring; /* of log records; several workers, one reader */
	_Atomic uint64_t lost;
	uint64_t told;
} env;

static const char *
port_name(uint16_t port)
{
	static const char none[16];

	return port < PATH_PORTS ? env.names[port] : none;
}

static uint32_t
port_index(uint16_t port)
{
	return (uint32_t)port + LO_INDEX + 1;
}

static uint16_t
find_port(const char *name)
{
	for (unsigned int i = 0; i < env.daemon->config->port_count; i++)
		if (strcmp(env.daemon->config->ports[i].name, name) == 0)
			return (uint16_t)i;
	log_warning("a flowtable names %s, which is no port: it covers nothing there", name);
	return PORT_NONE;
}

static void
reject(struct pkt *pkt, uint32_t type, uint8_t code)
{
	path_reject(env.daemon->path, pkt, type == NFT_REJECT_TCP_RST, code);
}

/* What `log flags` asks for of the packet's headers. */
static void
take_headers(const struct pkt *pkt, struct log_record *record)
{
	const uint8_t *frame = rte_pktmbuf_mtod(pkt_mbuf(pkt), const uint8_t *);
	uint32_t left = (uint32_t)pkt->ip_len + pkt->l2_len - pkt->l4_off;

	if (pkt->in_port != PORT_NONE && pkt->l2_len >= sizeof(record->ether))
		memcpy(record->ether, frame, sizeof(record->ether));
	if (!(pkt->flags & PKT_IPV6) && pkt->l3_len > 20 &&
		pkt->l3_len - 20U <= sizeof(record->ip_options)) {
		record->ip_options_len = (uint8_t)(pkt->l3_len - 20);
		memcpy(record->ip_options, frame + pkt->l2_len + 20, record->ip_options_len);
	}
	if (pkt->l4_proto == IPPROTO_TCP && !(pkt->flags & PKT_LATER_FRAGMENT) && left >= 20) {
		uint32_t len = (uint32_t)(frame[pkt->l4_off + 12] >> 4) * 4;

		record->tcp_len = (uint8_t)(len >= 20 && len <= left ? len : 20);
		memcpy(record->tcp, frame + pkt->l4_off, record->tcp_len);
	}
}

static void
log_packet(const struct pkt *pkt, const char *prefix, uint32_t level, uint32_t flags)
{
	struct log_record record = {
		.tuple = pkt->tuple,
		.level = level,
		.in_port = pkt->in_port,
		.out_port = pkt->out_port,
		.len = pkt->ip_len,
		.hook = pkt->hook,
		.worker = pkt->worker,
		.flags = (uint8_t)flags,
	};

	if (flags != 0)
		take_headers(pkt, &record);
	strncpy(record.prefix, prefix, sizeof(record.prefix) - 1);
	if (env.ring == NULL || rte_ring_mp_enqueue_elem(env.ring, &record, sizeof(record)) != 0)
		atomic_fetch_add_explicit(&env.lost, 1, memory_order_relaxed);
}

static void
set_hex(json_t *event, const char *key, const uint8_t *bytes, unsigned int len)
{
	char text[2 * 60 + 1] = "";

	for (unsigned int i = 0; i < len && i < 60; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	json_object_set_new(event, key, json_string(text));
}

static json_t *
add_headers(json_t *event, const struct log_record *r)
{
	uint32_t seq, ack;

	if (r->flags & NF_LOG_MACDECODE) {
		set_hex(event, "mac_dst", r->ether, 6);
		set_hex(event, "mac_src", r->ether + 6, 6);
	}
	if ((r->flags & NF_LOG_IPOPT) && r->ip_options_len != 0)
		set_hex(event, "ip_options", r->ip_options, r->ip_options_len);
	if ((r->flags & NF_LOG_TCPSEQ) && r->tcp_len != 0) {
		memcpy(&seq, r->tcp + 4, sizeof(seq));
		memcpy(&ack, r->tcp + 8, sizeof(ack));
		json_object_set_new(event, "tcp_seq", json_integer(ntohl(seq)));
		json_object_set_new(event, "tcp_ack", json_integer(ntohl(ack)));
	}
	if ((r->flags & NF_LOG_TCPOPT) && r->tcp_len > 20)
		set_hex(event, "tcp_options", r->tcp + 20, r->tcp_len - 20U);
	return event;
}

static json_t *
event_of(const struct log_record *r)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	int family = r->tuple.family == FAMILY_IPV6 ? AF_INET6 : AF_INET;

	inet_ntop(family, &r->tuple.src, src, sizeof(src));
	inet_ntop(family, &r->tuple.dst, dst, sizeof(dst));
	return add_headers(
		json_pack("{ss si ss ss si ss ss si si si}", "prefix", r->prefix, "level",
			(int)r->level, "in", port_name(r->in_port), "out", port_name(r->out_port),
			"len", (int)r->len, "src", src, "dst", dst, "proto", (int)r->tuple.proto,
			"sport", (int)ntohs(r->tuple.sport), "dport", (int)ntohs(r->tuple.dport)),
		r);
}

void
ruleset_log(struct daemon *d)
{
	struct log_record record;
	uint64_t lost;

	for (unsigned int i = 0; i < LOG_RING && env.ring != NULL; i++) {
		if (rte_ring_sc_dequeue_elem(env.ring, &record, sizeof(record)) != 0)
			break;
		if (d->rpc != NULL)
			rpc_event(d->rpc, "log", event_of(&record));
	}
	lost = atomic_load_explicit(&env.lost, memory_order_relaxed);
	if (lost != env.told && d->rpc != NULL)
		rpc_event(d->rpc, "log-lost", json_pack("{sI}", "packets", (json_int_t)lost));
	env.told = lost;
}

/* inet_dev_addr_type: the local table alone is asked. */
static uint32_t
fib_type4(const struct route_table *table, rte_be32_t address, uint16_t port)
{
	struct route_result found = route_lookup4(table, address);

	switch ((enum route_type)found.type) {
	case ROUTE_MULTICAST: return ROUTE_MULTICAST;
	case ROUTE_LOCAL:
	case ROUTE_BROADCAST:
		/* 0.0.0.0 and 255.255.255.255 are no port's. */
		if (address == 0 || address == UINT32_MAX || port == PORT_NONE ||
			found.port == port)
			return found.type;
		return ROUTE_UNICAST;
	default: return ROUTE_UNICAST;
	}
}

/* __nft_fib6_eval_type */
static uint32_t
fib_type6(const struct route_table *table, const struct pkt *pkt, const union address *address,
	uint16_t port)
{
	struct route_result found =
		route_lookup6(table, port != PORT_NONE ? port : pkt->in_port, address);

	if (port != PORT_NONE && route_is_own6(table, port, address))
		return ROUTE_LOCAL;
	switch ((enum route_type)found.type) {
	case ROUTE_LOCAL: return port == PORT_NONE ? ROUTE_LOCAL : ROUTE_UNICAST;
	case ROUTE_NONE: return ROUTE_UNREACHABLE;
	default: return found.type;
	}
}

static uint32_t
fib_type(const struct pkt *pkt, const union address *address, uint16_t port)
{
	const struct route_table *table = route_current(env.daemon->route);

	return pkt->flags & PKT_IPV6 ? fib_type6(table, pkt, address, port)
				     : fib_type4(table, address->v4, port);
}

static uint16_t
fib_port(const struct pkt *pkt, const union address *address, uint16_t port)
{
	const struct route_table *table = route_current(env.daemon->route);
	struct route_result found =
		pkt->flags & PKT_IPV6
			? route_lookup6(table, port != PORT_NONE ? port : pkt->in_port, address)
			: route_lookup4(table, address->v4);

	/* Broadcasts have a port where they come from; local addresses have none. */
	if (found.type != ROUTE_UNICAST && found.type != ROUTE_BROADCAST)
		return PORT_NONE;
	return port == PORT_NONE || found.port == port ? found.port : PORT_NONE;
}

static uint32_t
path_mtu(const struct pkt *pkt)
{
	const struct route_table *table = route_current(env.daemon->route);
	uint32_t mtu = pkt->nexthop != NEXTHOP_NONE ? route_nexthop(table, pkt->nexthop)->mtu : 0;
	struct route_result back = pkt->flags & PKT_IPV6
					   ? route_lookup6(table, pkt->in_port, &pkt->tuple.src)
					   : route_lookup4(table, pkt->tuple.src.v4);

	if (back.type == ROUTE_UNICAST)
		mtu = RTE_MIN(mtu, (uint32_t)route_nexthop(table, back.nexthop)->mtu);
	return mtu;
}

const struct nft_env *
ruleset_env(struct daemon *d)
{
	static const struct nft_env table = {
		.ct = &nat_ct_ops,
		.port_name = port_name,
		.port_index = port_index,
		.port_by_name = find_port,
		.reject = reject,
		.fib_type = fib_type,
		.fib_port = fib_port,
		.path_mtu = path_mtu,
		.log = log_packet,
		.tracing = &ruleset_tracing,
		.trace = ruleset_trace_event,
	};

	env.daemon = d;
	for (unsigned int i = 0; i < d->config->port_count && i < PATH_PORTS; i++)
		snprintf(env.names[i], sizeof(env.names[i]), "%s", d->config->ports[i].name);
	/* Without a dataplane (a check) nothing is logged. */
	if (env.ring == NULL && d->path != NULL)
		env.ring = rte_ring_create_elem("shunt-log", sizeof(struct log_record), LOG_RING,
			SOCKET_ID_ANY, RING_F_SC_DEQ);
	return &table;
}
