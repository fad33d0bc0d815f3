/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Packets made by hand: an mbuf with its metadata and a frame, in no mempool.
 */
#ifndef SHUNT_TESTS_FRAME_H
#define SHUNT_TESTS_FRAME_H

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "checksum.h"
#include "packet.h"

#define FRAME_ROOM 512

/** An mbuf, the metadata where pkt_of() looks for it, the bytes. */
struct frame {
	struct rte_mbuf mbuf;
	union {
		struct pkt pkt;
		uint8_t priv[PKT_PRIV_SIZE];
	};
	uint8_t bytes[FRAME_ROOM];
};

/** An IPv4 address of its four numbers. */
#define IP(a, b, c, d)                                                                             \
	rte_cpu_to_be_32(                                                                          \
		(uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/** The tuple of an IPv4 packet; ports in host order. */
static inline struct tuple
tuple4(uint8_t proto, rte_be32_t src, uint16_t sport, rte_be32_t dst, uint16_t dport)
{
	struct tuple t = {
		.proto = proto,
		.family = FAMILY_IPV4,
		.sport = rte_cpu_to_be_16(sport),
		.dport = rte_cpu_to_be_16(dport),
	};

	t.src.v4 = src;
	t.dst.v4 = dst;
	return t;
}

/** The tuple of an IPv6 packet: addresses 2001:db8::src and 2001:db8::dst. */
static inline struct tuple
tuple6(uint8_t proto, uint8_t src, uint16_t sport, uint8_t dst, uint16_t dport)
{
	static const uint8_t prefix[4] = {0x20, 0x01, 0x0d, 0xb8};
	struct tuple t = tuple4(proto, 0, sport, 0, dport);

	t.family = FAMILY_IPV6;
	memcpy(t.src.v6, prefix, sizeof(prefix));
	memcpy(t.dst.v6, prefix, sizeof(prefix));
	t.src.v6[15] = src;
	t.dst.v6[15] = dst;
	return t;
}

/** The tuple of an ICMP or ICMPv6 message: like t, with a type, code 0 and an identifier. */
static inline struct tuple
tuple_icmp(struct tuple t, uint8_t type, uint16_t id)
{
	t.proto = t.family == FAMILY_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	t.sport = rte_cpu_to_be_16(id);
	t.dport = rte_cpu_to_be_16((uint16_t)(type << 8));
	return t;
}

/** The tuple of the answer. */
static inline struct tuple
tuple_back(const struct tuple *t)
{
	struct tuple back = {0};

	(void)tuple_invert(t, &back);
	return back;
}

/** Write an IP header for an L4 packet of some bytes. Returns where that begins. */
static inline uint8_t *
put_ip(uint8_t *p, const struct tuple *t, uint16_t l4_len)
{
	struct rte_ipv4_hdr *ip4 = (void *)p;
	struct rte_ipv6_hdr *ip6 = (void *)p;

	if (t->family == FAMILY_IPV6) {
		memset(ip6, 0, sizeof(*ip6));
		ip6->vtc_flow = rte_cpu_to_be_32(6U << 28);
		ip6->payload_len = rte_cpu_to_be_16(l4_len);
		ip6->proto = t->proto;
		ip6->hop_limits = 64;
		memcpy(ip6->src_addr, &t->src, 16);
		memcpy(ip6->dst_addr, &t->dst, 16);
		return p + sizeof(*ip6);
	}
	memset(ip4, 0, sizeof(*ip4));
	ip4->version_ihl = RTE_IPV4_VHL_DEF;
	ip4->total_length = rte_cpu_to_be_16((uint16_t)(sizeof(*ip4) + l4_len));
	ip4->time_to_live = 64;
	ip4->next_proto_id = t->proto;
	ip4->src_addr = t->src.v4;
	ip4->dst_addr = t->dst.v4;
	ip4->hdr_checksum = (uint16_t)~sum_fold(sum_bytes(0, ip4, sizeof(*ip4)));
	return p + sizeof(*ip4);
}

/** Write the L4 checksum of a packet; place: where it is in its header. */
static inline void
put_check(uint8_t *l4, uint16_t len, unsigned int place, const struct tuple *t)
{
	uint64_t sum = t->proto == IPPROTO_ICMP ? 0 : sum_pseudo(t, len);
	uint16_t check;

	memset(l4 + place, 0, 2);
	check = (uint16_t)~sum_fold(sum_bytes(sum, l4, len));
	memcpy(l4 + place, &check, 2);
}

/** Parse a frame of so many bytes anew, as if it had just come in. Returns pkt_parse(). */
static inline int
frame_parse(struct frame *f, uint32_t len)
{
	memset(&f->mbuf, 0, sizeof(f->mbuf));
	memset(&f->pkt, 0, sizeof(f->pkt));
	f->mbuf.buf_addr = f->bytes;
	f->mbuf.buf_len = FRAME_ROOM;
	f->mbuf.priv_size = PKT_PRIV_SIZE;
	f->mbuf.nb_segs = 1;
	f->mbuf.refcnt = 1;
	f->mbuf.data_len = (uint16_t)len;
	f->mbuf.pkt_len = len;
	f->pkt.conn = CONN_NONE;
	f->pkt.out_port = PORT_NONE;
	f->pkt.drop = DROP_COUNT;
	return pkt_parse(&f->mbuf, &f->pkt);
}

/**
 * Make a packet of a tuple: TCP (flags, seq, ack), UDP with 8 bytes, an ICMP
 * message with 8 bytes, or 16 bytes of anything else. Parsed. Returns the frame.
 */
static inline struct frame *
frame_make(struct frame *f, const struct tuple *t, uint8_t flags, uint32_t seq, uint32_t ack)
{
	uint16_t len = t->proto == IPPROTO_TCP ? sizeof(struct rte_tcp_hdr) : 16;
	struct rte_ether_hdr *eth = (void *)f->bytes;
	uint8_t *l4;

	memset(f->bytes, 0, sizeof(f->bytes));
	eth->ether_type = rte_cpu_to_be_16(
		t->family == FAMILY_IPV6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	l4 = put_ip(f->bytes + sizeof(*eth), t, len);
	if (t->proto == IPPROTO_TCP) {
		struct rte_tcp_hdr *tcp = (void *)l4;

		tcp->src_port = t->sport;
		tcp->dst_port = t->dport;
		tcp->sent_seq = rte_cpu_to_be_32(seq);
		tcp->recv_ack = rte_cpu_to_be_32(ack);
		tcp->data_off = 5 << 4;
		tcp->tcp_flags = flags;
		tcp->rx_win = rte_cpu_to_be_16(60000);
		put_check(l4, len, offsetof(struct rte_tcp_hdr, cksum), t);
	} else if (t->proto == IPPROTO_UDP) {
		struct rte_udp_hdr *udp = (void *)l4;

		udp->src_port = t->sport;
		udp->dst_port = t->dport;
		udp->dgram_len = rte_cpu_to_be_16(len);
		put_check(l4, len, offsetof(struct rte_udp_hdr, dgram_cksum), t);
	} else if (t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6) {
		memcpy(l4, &t->dport, 2);
		memcpy(l4 + 4, &t->sport, 2);
		put_check(l4, len, offsetof(struct icmphdr, checksum), t);
	}
	(void)frame_parse(f, (uint32_t)(l4 - f->bytes) + len);
	return f;
}

/** Make an ICMP error from src to dst that quotes the IP packet of another frame. Parsed. */
static inline struct frame *
frame_error(struct frame *f, const struct tuple *from_to, uint8_t type, const struct frame *quoted)
{
	struct tuple t = tuple_icmp(*from_to, type, 0);
	uint16_t quote = quoted->pkt.ip_len, len = (uint16_t)(8 + quote);
	struct rte_ether_hdr *eth = (void *)f->bytes;
	uint8_t *l4;

	memset(f->bytes, 0, sizeof(f->bytes));
	eth->ether_type = rte_cpu_to_be_16(
		t.family == FAMILY_IPV6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	l4 = put_ip(f->bytes + sizeof(*eth), &t, len);
	l4[0] = type;
	memcpy(l4 + 8, quoted->bytes + quoted->pkt.l2_len, quote);
	put_check(l4, len, offsetof(struct icmphdr, checksum), &t);
	(void)frame_parse(f, (uint32_t)(l4 - f->bytes) + len);
	return f;
}

/** Whether a frame's bytes, parsed anew, are sound in every checksum and have this tuple. */
static inline bool
frame_is(const struct frame *f, const struct tuple *t)
{
	struct frame copy = *f;

	return frame_parse(&copy, f->mbuf.data_len) == 0 && !(copy.pkt.flags & PKT_L4_BAD) &&
	       tuple_equal(&copy.pkt.tuple, t) && tuple_equal(&f->pkt.tuple, t);
}

#endif
