/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bounded parser. Every read is within the first segment of the frame, and
 * within the IP packet once its length is known.
 */
#include "packet.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "checksum.h"
#include "parse_priv.h"

/* IPv6 extension headers that the parser follows; more are no honest packet. */
#define MAX_EXT_HEADERS 8

static int
refuse(struct pkt *pkt, enum drop_reason reason)
{
	pkt->drop = (uint16_t)reason;
	return -1;
}

/* Whether IPv4 options are well formed (ip_options_compile's checks of lengths). */
static bool
options_ok(const uint8_t *option, unsigned int len)
{
	while (len > 0) {
		if (option[0] == 0) /* end of list: the rest is padding */
			return true;
		if (option[0] == 1) { /* no operation */
			option++;
			len--;
			continue;
		}
		if (len < 2 || option[1] < 2 || option[1] > len)
			return false;
		len -= option[1];
		option += option[1];
	}
	return true;
}

/* What its header says goes into the metadata; the header's length is known. */
static int
take_ip4(const struct rte_ipv4_hdr *ip, struct pkt *pkt)
{
	uint16_t fragment = rte_be_to_cpu_16(ip->fragment_offset);

	if (pkt->l3_len > sizeof(*ip)) {
		pkt->flags |= PKT_OPTIONS;
		if (!options_ok((const uint8_t *)(ip + 1), pkt->l3_len - (unsigned int)sizeof(*ip)))
			return refuse(pkt, DROP_IP4_OPTIONS);
	}
	if (fragment & (RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK))
		pkt->flags |= PKT_FRAGMENT;
	if (fragment & RTE_IPV4_HDR_OFFSET_MASK)
		pkt->flags |= PKT_LATER_FRAGMENT;
	if (ip->time_to_live <= 1)
		pkt->flags |= PKT_TTL;
	pkt->flags |= PKT_IPV4;
	pkt->l4_proto = ip->next_proto_id;
	pkt->tuple.family = FAMILY_IPV4;
	pkt->tuple.src.v4 = ip->src_addr;
	pkt->tuple.dst.v4 = ip->dst_addr;
	return 0;
}

/* ip_rcv_core: the IPv4 header. room: bytes from there to the end of the frame. */
static int
parse_ip4(const uint8_t *frame, uint32_t room, struct pkt *pkt)
{
	const struct rte_ipv4_hdr *ip = (const void *)(frame + pkt->l2_len);

	if (room < sizeof(*ip))
		return refuse(pkt, DROP_IP4_TRUNCATED);
	if (ip->version_ihl >> 4 != 4)
		return refuse(pkt, DROP_IP4_VERSION);
	pkt->l3_len = (uint16_t)((ip->version_ihl & 15) * 4);
	if (pkt->l3_len < sizeof(*ip) || pkt->l3_len > room)
		return refuse(pkt, DROP_IP4_HEADER_LENGTH);
	if (sum_fold(sum_bytes(0, ip, pkt->l3_len)) != 0xffff)
		return refuse(pkt, DROP_IP4_CHECKSUM);
	pkt->ip_len = rte_be_to_cpu_16(ip->total_length);
	if (pkt->ip_len < pkt->l3_len || pkt->ip_len > room)
		return refuse(pkt, DROP_IP4_LENGTH);
	return take_ip4(ip, pkt);
}

int
parse_ext_headers(const uint8_t *p, uint32_t room, struct ext_headers *ext)
{
	uint32_t at = 0, len;

	for (unsigned int n = 0;; n++) {
		switch (ext->proto) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
		case IPPROTO_FRAGMENT:
		case IPPROTO_AH: break;
		default: ext->len = (uint16_t)at; return 0;
		}
		if (n == MAX_EXT_HEADERS)
			return -E2BIG;
		if (room - at < 8)
			return -EINVAL;
		len = ((uint32_t)p[at + 1] + 1) * 8;
		if (ext->proto == IPPROTO_AH)
			len = ((uint32_t)p[at + 1] + 2) * 4;
		if (ext->proto == IPPROTO_FRAGMENT) {
			len = 8;
			ext->fragment = true;
			ext->later = ((p[at + 2] << 8 | p[at + 3]) & 0xfff8) != 0;
		}
		if (len > room - at)
			return -EINVAL;
		ext->proto = p[at];
		at += len;
		/* What follows in a later fragment is data. */
		if (ext->later) {
			ext->len = (uint16_t)at;
			return 0;
		}
	}
}

/* What its headers say goes into the metadata. */
static void
take_ip6(const struct rte_ipv6_hdr *ip, const struct ext_headers *ext, struct pkt *pkt)
{
	pkt->l3_len = (uint16_t)(sizeof(*ip) + ext->len);
	if (ext->len != 0)
		pkt->flags |= PKT_EXT_HEADERS;
	if (ext->fragment)
		pkt->flags |= PKT_FRAGMENT;
	if (ext->later)
		pkt->flags |= PKT_LATER_FRAGMENT;
	if (ip->hop_limits <= 1)
		pkt->flags |= PKT_TTL;
	pkt->flags |= PKT_IPV6;
	pkt->l4_proto = ext->proto;
	pkt->tuple.family = FAMILY_IPV6;
	memcpy(&pkt->tuple.src, ip->src_addr, sizeof(pkt->tuple.src));
	memcpy(&pkt->tuple.dst, ip->dst_addr, sizeof(pkt->tuple.dst));
}

/* ip6_rcv_core: the IPv6 header and its extension headers. */
static int
parse_ip6(const uint8_t *frame, uint32_t room, struct pkt *pkt)
{
	const struct rte_ipv6_hdr *ip = (const void *)(frame + pkt->l2_len);
	struct ext_headers ext = {0};
	uint32_t len;
	int rc;

	if (room < sizeof(*ip))
		return refuse(pkt, DROP_IP6_TRUNCATED);
	if (*(const uint8_t *)ip >> 4 != 6)
		return refuse(pkt, DROP_IP6_VERSION);
	len = rte_be_to_cpu_16(ip->payload_len);
	/* Jumbograms (RFC 2675) do not fit a frame: a length of 0 is just that. */
	if (len + sizeof(*ip) > room || len + sizeof(*ip) > UINT16_MAX)
		return refuse(pkt, DROP_IP6_LENGTH);
	pkt->ip_len = (uint16_t)(len + sizeof(*ip));
	ext.proto = ip->proto;
	rc = parse_ext_headers((const uint8_t *)(ip + 1), len, &ext);
	if (rc != 0)
		return refuse(pkt, rc == -E2BIG ? DROP_IP6_EXT_CHAIN : DROP_IP6_EXT_TRUNCATED);
	take_ip6(ip, &ext, pkt);
	return 0;
}

static bool
is_icmp_error(uint8_t proto, uint8_t type)
{
	if (proto == IPPROTO_ICMPV6)
		return type < 128;
	return type == ICMP_DEST_UNREACH || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT ||
	       type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

/* Whether the L4 checksum is wrong: the NIC's word, or the sum. len: bytes of L4. */
static bool
check_wrong(const struct rte_mbuf *m, const struct pkt *pkt, const uint8_t *l4, uint32_t len)
{
	uint64_t flags = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
	uint64_t sum = 0;

	/* A fragment's checksum covers what is not here. */
	if (pkt->flags & PKT_FRAGMENT)
		return false;
	if (flags == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return false;
	/* ICMPv6 is judged by few NICs: a bad word of theirs is looked at again. */
	if (flags == RTE_MBUF_F_RX_L4_CKSUM_BAD && pkt->l4_proto != IPPROTO_ICMPV6)
		return true;
	if (pkt->l4_proto != IPPROTO_ICMP)
		sum = sum_pseudo(&pkt->tuple, len);
	return sum_fold(sum_bytes(sum, l4, len)) != 0xffff;
}

/* udp_error: lengths, and a checksum of 0 means none (over IPv6 too: nf_ip6_checksum's caller). */
static void
parse_udp(const struct rte_mbuf *m, const uint8_t *l4, uint32_t len, struct pkt *pkt)
{
	const struct rte_udp_hdr *udp = (const void *)l4;
	uint32_t said;

	if (len < sizeof(*udp))
		goto bad;
	said = rte_be_to_cpu_16(udp->dgram_len);
	pkt->tuple.sport = udp->src_port;
	pkt->tuple.dport = udp->dst_port;
	pkt->flags |= PKT_L4;
	if (!(pkt->flags & PKT_FRAGMENT) && (said < sizeof(*udp) || said > len))
		goto bad;
	/* Linux sums all that IP carries, whatever UDP's own length says (nf_ip_checksum). */
	if (udp->dgram_cksum != 0 && check_wrong(m, pkt, l4, len))
		goto bad;
	return;
bad:
	pkt->flags |= PKT_L4_BAD;
}

/* tcp_error: data offset and checksum; flag combinations are the tracker's. */
static void
parse_tcp(const struct rte_mbuf *m, const uint8_t *l4, uint32_t len, struct pkt *pkt)
{
	const uint8_t kind =
		RTE_TCP_SYN_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG | RTE_TCP_ACK_FLAG;
	const struct rte_tcp_hdr *tcp = (const void *)l4;
	uint32_t header;

	if (len < sizeof(*tcp)) {
		pkt->flags |= PKT_L4_BAD;
		return;
	}
	header = (uint32_t)(tcp->data_off >> 4) * 4;
	pkt->tuple.sport = tcp->src_port;
	pkt->tuple.dport = tcp->dst_port;
	pkt->tcp_flags = tcp->tcp_flags;
	pkt->flags |= PKT_L4;
	if ((tcp->tcp_flags & kind) != RTE_TCP_ACK_FLAG)
		pkt->flags |= PKT_TCP_FLAGS;
	if (header < sizeof(*tcp) || header > len || check_wrong(m, pkt, l4, len))
		pkt->flags |= PKT_L4_BAD;
}

static void
parse_icmp(const struct rte_mbuf *m, const uint8_t *l4, uint32_t len, struct pkt *pkt)
{
	const struct rte_icmp_hdr *icmp = (const void *)l4;

	if (len < sizeof(*icmp)) {
		pkt->flags |= PKT_L4_BAD;
		return;
	}
	memcpy(&pkt->tuple.dport, l4, 2);
	if (is_icmp_error(pkt->l4_proto, icmp->icmp_type))
		pkt->flags |= PKT_ICMP_ERROR;
	else
		pkt->tuple.sport = icmp->icmp_ident;
	pkt->flags |= PKT_L4;
	if (check_wrong(m, pkt, l4, len))
		pkt->flags |= PKT_L4_BAD;
}

static void
parse_l4(const struct rte_mbuf *m, const uint8_t *frame, struct pkt *pkt)
{
	const uint8_t *l4 = frame + pkt->l4_off;
	uint32_t len = (uint32_t)pkt->ip_len - pkt->l3_len;

	pkt->tuple.proto = pkt->l4_proto;
	if (pkt->flags & PKT_LATER_FRAGMENT)
		return;
	switch (pkt->l4_proto) {
	case IPPROTO_UDP: parse_udp(m, l4, len, pkt); break;
	case IPPROTO_TCP: parse_tcp(m, l4, len, pkt); break;
	case IPPROTO_ICMP:
		if (pkt->flags & PKT_IPV4)
			parse_icmp(m, l4, len, pkt);
		break;
	case IPPROTO_ICMPV6:
		if (pkt->flags & PKT_IPV6)
			parse_icmp(m, l4, len, pkt);
		break;
	default: break;
	}
}

/* What Linux reads of the header at each hook (nft_set_pktinfo_ipv4), and what it walks by. */
static int
reparse_ip4(const uint8_t *frame, struct pkt *pkt)
{
	const struct rte_ipv4_hdr *ip = (const void *)(frame + pkt->l2_len);

	pkt->l3_len = (uint16_t)((ip->version_ihl & 15) * 4);
	if (pkt->l3_len < sizeof(*ip) || pkt->l3_len > pkt->ip_len)
		return refuse(pkt, DROP_IP4_HEADER_LENGTH);
	return take_ip4(ip, pkt);
}

/* The same of IPv6: its length field is what the packet had. */
static int
reparse_ip6(const uint8_t *frame, struct pkt *pkt)
{
	const struct rte_ipv6_hdr *ip = (const void *)(frame + pkt->l2_len);
	struct ext_headers ext = {.proto = ip->proto};
	int rc = parse_ext_headers(
		(const uint8_t *)(ip + 1), pkt->ip_len - (uint32_t)sizeof(*ip), &ext);

	if (rc != 0)
		return refuse(pkt, rc == -E2BIG ? DROP_IP6_EXT_CHAIN : DROP_IP6_EXT_TRUNCATED);
	take_ip6(ip, &ext, pkt);
	return 0;
}

int
pkt_reparse(struct pkt *pkt)
{
	const uint32_t parsed = PKT_IPV4 | PKT_L4 | PKT_GUARDS | PKT_LATER_FRAGMENT | PKT_WRITTEN;
	const uint8_t *frame = rte_pktmbuf_mtod(pkt_mbuf(pkt), const uint8_t *);
	uint32_t room = pkt_mbuf(pkt)->data_len - (uint32_t)pkt->l2_len;
	bool ipv6 = (pkt->flags & PKT_IPV6) != 0;
	uint16_t zone = pkt->tuple.zone;
	int rc;

	pkt->flags &= ~parsed;
	pkt->tcp_flags = 0;
	memset(&pkt->tuple, 0, sizeof(pkt->tuple));
	pkt->tuple.zone = zone;
	if (pkt->hook == HOOK_INGRESS)
		rc = ipv6 ? parse_ip6(frame, room, pkt) : parse_ip4(frame, room, pkt);
	else
		rc = ipv6 ? reparse_ip6(frame, pkt) : reparse_ip4(frame, pkt);
	if (rc != 0)
		return rc;
	pkt->l4_off = (uint16_t)(pkt->l2_len + pkt->l3_len);
	parse_l4(pkt_mbuf(pkt), frame, pkt);
	return 0;
}

int
pkt_parse(struct rte_mbuf *m, struct pkt *pkt)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct rte_ether_hdr *eth = (const void *)frame;
	uint32_t room = m->data_len;
	int rc;

	memset(&pkt->tuple, 0, sizeof(pkt->tuple));
	if (room < sizeof(*eth))
		return refuse(pkt, DROP_L2_TRUNCATED);
	pkt->l2_len = sizeof(*eth);
	room -= pkt->l2_len;
	switch (rte_be_to_cpu_16(eth->ether_type)) {
	case RTE_ETHER_TYPE_IPV4: rc = parse_ip4(frame, room, pkt); break;
	case RTE_ETHER_TYPE_IPV6: rc = parse_ip6(frame, room, pkt); break;
	case RTE_ETHER_TYPE_VLAN:
	case RTE_ETHER_TYPE_QINQ: return refuse(pkt, DROP_VLAN);
	default: return refuse(pkt, DROP_ETHERTYPE);
	}
	if (rc != 0)
		return rc;
	pkt->l4_off = (uint16_t)(pkt->l2_len + pkt->l3_len);
	parse_l4(m, frame, pkt);
	return 0;
}
