/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames: read into fields, never beyond their end; rewritten with their
 * checksums changed by the difference, so that a wrong one stays wrong.
 */
#include <string.h>

#include <rte_ether.h>

#include "nm_priv.h"

static void
read_l4(const uint8_t *frame, uint32_t len, uint32_t at, struct nm_fields *f,
	struct nm_headers *headers)
{
	uint32_t need =
		f->proto == IPPROTO_TCP ? sizeof(struct rte_tcp_hdr) : sizeof(struct rte_udp_hdr);

	if ((f->proto != IPPROTO_TCP && f->proto != IPPROTO_UDP) || at + need > len)
		return;
	f->l4 = f->proto;
	headers->l4 = (uint16_t)at;
	memcpy(&f->sport, frame + at, 2);
	memcpy(&f->dport, frame + at + 2, 2);
	if (f->proto == IPPROTO_TCP)
		f->tcp_flags = frame[at + 13];
}

static void
read_ipv4(const uint8_t *frame, uint32_t len, uint32_t at, struct nm_fields *f,
	struct nm_headers *headers)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(const void *)(frame + at);
	uint32_t header;

	if (at + sizeof(*ip) > len || ip->version_ihl >> 4 != 4)
		return;
	header = (ip->version_ihl & 15U) * 4;
	if (header < sizeof(*ip) || at + header > len)
		return;
	f->l3 = 4;
	headers->l3 = (uint16_t)at;
	f->version_ihl = ip->version_ihl;
	f->tos = ip->type_of_service;
	f->fragment = ip->fragment_offset;
	f->ttl = ip->time_to_live;
	f->proto = ip->next_proto_id;
	memcpy(f->ip_src, &ip->src_addr, 4);
	memcpy(f->ip_dst, &ip->dst_addr, 4);
	/* A later fragment has no ports; a first one has. */
	if ((ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_OFFSET_MASK)) == 0)
		read_l4(frame, len, at + header, f, headers);
}

static void
read_ipv6(const uint8_t *frame, uint32_t len, uint32_t at, struct nm_fields *f,
	struct nm_headers *headers)
{
	const struct rte_ipv6_hdr *ip = (const struct rte_ipv6_hdr *)(const void *)(frame + at);

	if (at + sizeof(*ip) > len || frame[at] >> 4 != 6)
		return;
	f->l3 = 6;
	headers->l3 = (uint16_t)at;
	f->vtc_flow = ip->vtc_flow;
	f->ttl = ip->hop_limits;
	f->proto = ip->proto;
	memcpy(f->ip_src, ip->src_addr, 16);
	memcpy(f->ip_dst, ip->dst_addr, 16);
	/* Extension headers are not followed. */
	read_l4(frame, len, at + sizeof(*ip), f, headers);
}

void
nm_read(const struct rte_mbuf *m, struct nm_fields *f, struct nm_headers *headers)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t len = m->data_len, at = RTE_ETHER_HDR_LEN;
	rte_be16_t type;

	memset(f, 0, sizeof(*f));
	*headers = (struct nm_headers){0};
	if (len < RTE_ETHER_HDR_LEN)
		return;
	memcpy(f->dst, frame, 6);
	memcpy(f->src, frame + 6, 6);
	memcpy(&type, frame + 12, 2);
	f->type = type;
	for (unsigned int tags = 0;
		tags < 2 && (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN) ||
				    type == rte_cpu_to_be_16(RTE_ETHER_TYPE_QINQ));
		tags++) {
		if (at + 4 > len)
			return;
		memcpy(&type, frame + at + 2, 2);
		if (tags == 0) {
			f->vlan = 1;
			memcpy(&f->tci, frame + at, 2);
			f->inner_type = type;
		}
		at += 4;
	}
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		read_ipv4(frame, len, at, f, headers);
	else if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6))
		read_ipv6(frame, len, at, f, headers);
}

/* --- rewriting */

/* RFC 1624: a sum after 16-bit words have changed. */
static uint16_t
adjust(uint16_t sum, const void *old, const void *new, size_t len)
{
	uint32_t s = (uint16_t)~sum;

	for (size_t i = 0; i < len; i += 2) {
		uint16_t o, n;

		memcpy(&o, (const uint8_t *)old + i, 2);
		memcpy(&n, (const uint8_t *)new + i, 2);
		s += (uint16_t)~o;
		s += n;
	}
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static void
fix_l4(uint8_t *at, uint8_t l4, const void *old, const void *new, size_t len)
{
	uint16_t sum;

	if (l4 == 0)
		return;
	at += l4 == IPPROTO_TCP ? offsetof(struct rte_tcp_hdr, cksum)
				: offsetof(struct rte_udp_hdr, dgram_cksum);
	memcpy(&sum, at, 2);
	/* UDP without a checksum stays without. */
	if (l4 == IPPROTO_UDP && sum == 0)
		return;
	sum = adjust(sum, old, new, len);
	if (l4 == IPPROTO_UDP && sum == 0)
		sum = 0xffff;
	memcpy(at, &sum, 2);
}

/* Bytes of the IP header, whose change the L4 sum (and IPv4's own) has to follow. */
static void
set_address(
	uint8_t *ip, uint8_t *l4_at, uint8_t l3, uint8_t l4, bool source, const uint8_t *address)
{
	struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)(void *)ip;
	size_t len = l3 == 4 ? 4 : 16;
	uint8_t *to = ip + (l3 == 4 ? (source ? 12 : 16) : (source ? 8 : 24));

	if (l3 == 4)
		ip4->hdr_checksum = adjust(ip4->hdr_checksum, to, address, len);
	fix_l4(l4_at, l4, to, address, len);
	memcpy(to, address, len);
}

static void
dec_ttl(uint8_t *ip, uint8_t l3)
{
	struct rte_ipv4_hdr *ip4 = (struct rte_ipv4_hdr *)(void *)ip;
	uint8_t old[2] = {ip[8], ip[9]}, new[2] = {(uint8_t)(ip[8] - 1), ip[9]};

	if (l3 == 6) {
		ip[7]--;
		return;
	}
	/* 0 becomes 255: who minds guards against it. */
	ip4->hdr_checksum = adjust(ip4->hdr_checksum, old, new, 2);
	ip[8]--;
}

void
nm_write(struct rte_mbuf *m, const struct nm_headers *headers, uint8_t l3, uint8_t l4,
	const struct nm_action *action)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *), *ip = frame + headers->l3;
	uint8_t *l4_at = frame + headers->l4, *tp;

	/* The other rewrites are of rules that ask for the header; this much is asked of none. */
	if (m->data_len < RTE_ETHER_HDR_LEN)
		return;
	switch (action->type) {
	case RTE_FLOW_ACTION_TYPE_SET_MAC_DST: memcpy(frame, action->mac, 6); break;
	case RTE_FLOW_ACTION_TYPE_SET_MAC_SRC: memcpy(frame + 6, action->mac, 6); break;
	case RTE_FLOW_ACTION_TYPE_DEC_TTL: dec_ttl(ip, l3); break;
	case RTE_FLOW_ACTION_TYPE_SET_IPV4_SRC:
	case RTE_FLOW_ACTION_TYPE_SET_IPV6_SRC:
		set_address(ip, l4_at, l3, l4, true, action->address);
		break;
	case RTE_FLOW_ACTION_TYPE_SET_IPV4_DST:
	case RTE_FLOW_ACTION_TYPE_SET_IPV6_DST:
		set_address(ip, l4_at, l3, l4, false, action->address);
		break;
	case RTE_FLOW_ACTION_TYPE_SET_TP_SRC:
	case RTE_FLOW_ACTION_TYPE_SET_TP_DST:
		tp = l4_at + (action->type == RTE_FLOW_ACTION_TYPE_SET_TP_SRC ? 0 : 2);
		fix_l4(l4_at, l4, tp, &action->tp, 2);
		memcpy(tp, &action->tp, 2);
		break;
	default: break;
	}
}
