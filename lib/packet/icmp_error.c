/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "icmp_error.h"

#include <errno.h>
#include <netinet/icmp6.h>

#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "checksum.h"

/* Bytes of an error at most (RFC 1812 4.3.2.3, RFC 4443 2.4 c). */
#define MAX_IP4	 576U
#define MAX_IP6	 1280U
#define ICMP_LEN 8U

/* An address that more than one host, or none, answers to. */
static bool
no_single_host(const struct pkt *pkt, const union address *a)
{
	static const union address any;

	if (pkt->flags & PKT_IPV6)
		return a->v6[0] == 0xff || memcmp(a, &any, sizeof(*a)) == 0;
	return a->v4 == 0 || rte_be_to_cpu_32(a->v4) >= 0xe0000000;
}

bool
icmp_error_allowed(const struct pkt *about)
{
	bool icmp = about->l4_proto == (about->flags & PKT_IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

	/* Too short to tell its type: it may be an error. */
	if (icmp && !(about->flags & PKT_L4))
		return false;
	if (about->flags & (PKT_ICMP_ERROR | PKT_LATER_FRAGMENT | PKT_BROADCAST | PKT_MULTICAST))
		return false;
	if (about->l4_proto == IPPROTO_ICMPV6 && (uint8_t)about->tuple.dport == ND_REDIRECT &&
		(about->flags & PKT_IPV6))
		return false;
	return !no_single_host(about, &about->tuple.src) &&
	       !no_single_host(about, &about->tuple.dst);
}

static uint32_t
ip4_header(uint8_t *p, const struct pkt *about, uint8_t proto, uint32_t len, const struct tuple *t)
{
	const struct rte_ipv4_hdr *in = pkt_l3(about);
	struct rte_ipv4_hdr *ip = (void *)p;

	*ip = (struct rte_ipv4_hdr){
		.version_ihl = RTE_IPV4_VHL_DEF,
		.total_length = rte_cpu_to_be_16((uint16_t)len),
		.time_to_live = 64,
		.next_proto_id = proto,
		.src_addr = t->src.v4,
		.dst_addr = t->dst.v4,
	};
	if (proto == IPPROTO_ICMP) {
		/* Internetwork control, with the sender's wish for delay and throughput. */
		ip->type_of_service = (in->type_of_service & 0x1e) | 0xc0;
	} else {
		ip->fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);
	}
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	return sizeof(*ip);
}

static uint32_t
ip6_header(uint8_t *p, uint8_t proto, uint32_t len, const struct tuple *t)
{
	struct rte_ipv6_hdr *ip = (void *)p;

	*ip = (struct rte_ipv6_hdr){
		.vtc_flow = rte_cpu_to_be_32(6U << 28),
		.payload_len = rte_cpu_to_be_16((uint16_t)(len - sizeof(*ip))),
		.proto = proto,
		.hop_limits = 64,
	};
	memcpy(ip->src_addr, &t->src, 16);
	memcpy(ip->dst_addr, &t->dst, 16);
	return sizeof(*ip);
}

int
icmp_error_build(struct rte_mbuf *m, const struct pkt *about, uint8_t type, uint8_t code,
	uint32_t info, const union address *source)
{
	bool ipv6 = (about->flags & PKT_IPV6) != 0;
	uint32_t l3_len = ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	uint32_t room = (ipv6 ? MAX_IP6 : MAX_IP4) - l3_len - ICMP_LEN;
	uint32_t quote = RTE_MIN((uint32_t)about->ip_len, room);
	uint32_t len = l3_len + ICMP_LEN + quote;
	struct tuple t = {
		.src = *source,
		.dst = about->tuple.src,
		.proto = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		.family = about->tuple.family,
	};
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(RTE_ETHER_HDR_LEN + len));
	struct rte_icmp_hdr *icmp;
	rte_be32_t rest = rte_cpu_to_be_32(info);

	if (p == NULL)
		return -ENOSPC;
	memset(p, 0, RTE_ETHER_HDR_LEN);
	((struct rte_ether_hdr *)(void *)p)->ether_type =
		rte_cpu_to_be_16(ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	p += RTE_ETHER_HDR_LEN;
	p += ipv6 ? ip6_header(p, t.proto, len, &t) : ip4_header(p, about, t.proto, len, &t);
	icmp = (void *)p;
	*icmp = (struct rte_icmp_hdr){.icmp_type = type, .icmp_code = code};
	memcpy((uint8_t *)icmp + 4, &rest, sizeof(rest));
	memcpy(icmp + 1, pkt_l3(about), quote);
	icmp->icmp_cksum = (uint16_t)~sum_fold(
		sum_bytes(ipv6 ? sum_pseudo(&t, ICMP_LEN + quote) : 0, icmp, ICMP_LEN + quote));
	return 0;
}

/* nf_reject_ip_tcphdr_put */
static void
reset_header(struct rte_tcp_hdr *tcp, const struct pkt *about, const struct tuple *t)
{
	const struct rte_tcp_hdr *in = pkt_l4(about);
	uint32_t carried =
		(uint32_t)about->ip_len - about->l3_len - (uint32_t)(in->data_off >> 4) * 4;

	*tcp = (struct rte_tcp_hdr){
		.src_port = t->sport,
		.dst_port = t->dport,
		.data_off = sizeof(*tcp) / 4 << 4,
		.tcp_flags = RTE_TCP_RST_FLAG,
	};
	if (in->tcp_flags & RTE_TCP_ACK_FLAG) {
		tcp->sent_seq = in->recv_ack;
	} else {
		carried += (in->tcp_flags & RTE_TCP_SYN_FLAG) != 0;
		carried += (in->tcp_flags & RTE_TCP_FIN_FLAG) != 0;
		tcp->recv_ack = rte_cpu_to_be_32(rte_be_to_cpu_32(in->sent_seq) + carried);
		tcp->tcp_flags |= RTE_TCP_ACK_FLAG;
	}
	tcp->cksum = (uint16_t)~sum_fold(sum_bytes(sum_pseudo(t, sizeof(*tcp)), tcp, sizeof(*tcp)));
}

int
tcp_reset_build(struct rte_mbuf *m, const struct pkt *about)
{
	bool ipv6 = (about->flags & PKT_IPV6) != 0;
	uint32_t l3_len = ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	uint32_t len = l3_len + (uint32_t)sizeof(struct rte_tcp_hdr);
	struct tuple t;
	uint8_t *p;

	if (about->l4_proto != IPPROTO_TCP || !(about->flags & PKT_L4) ||
		(about->flags & (PKT_L4_BAD | PKT_LATER_FRAGMENT)) ||
		(about->tcp_flags & RTE_TCP_RST_FLAG) || !tuple_invert(&about->tuple, &t))
		return -EINVAL;
	p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(RTE_ETHER_HDR_LEN + len));
	if (p == NULL)
		return -ENOSPC;
	memset(p, 0, RTE_ETHER_HDR_LEN);
	((struct rte_ether_hdr *)(void *)p)->ether_type =
		rte_cpu_to_be_16(ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	p += RTE_ETHER_HDR_LEN;
	p += ipv6 ? ip6_header(p, IPPROTO_TCP, len, &t)
		  : ip4_header(p, about, IPPROTO_TCP, len, &t);
	reset_header((struct rte_tcp_hdr *)(void *)p, about, &t);
	return 0;
}
