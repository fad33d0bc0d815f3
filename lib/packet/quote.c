/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet that an ICMP error quotes (nf_ct_get_tuplepr).
 */
#include "packet.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include <rte_ip.h>

#include "parse_priv.h"

/* Bytes of an ICMP header before the quote, and of L4 that a quote must have. */
#define ICMP_LEN 8
#define L4_LEN	 8

static int
quoted_ip4(const uint8_t *p, uint32_t room, struct tuple *t, uint32_t *l3_len)
{
	const struct rte_ipv4_hdr *ip = (const void *)p;

	if (room < sizeof(*ip) || ip->version_ihl >> 4 != 4)
		return -EINVAL;
	*l3_len = (uint32_t)(ip->version_ihl & 15) * 4;
	if (*l3_len < sizeof(*ip) || *l3_len > room)
		return -EINVAL;
	if (ip->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_OFFSET_MASK))
		return -EINVAL;
	t->family = FAMILY_IPV4;
	t->proto = ip->next_proto_id;
	t->src.v4 = ip->src_addr;
	t->dst.v4 = ip->dst_addr;
	return 0;
}

static int
quoted_ip6(const uint8_t *p, uint32_t room, struct tuple *t, uint32_t *l3_len)
{
	const struct rte_ipv6_hdr *ip = (const void *)p;
	struct ext_headers ext = {0};

	if (room < sizeof(*ip) || p[0] >> 4 != 6)
		return -EINVAL;
	ext.proto = ip->proto;
	if (parse_ext_headers(p + sizeof(*ip), room - (uint32_t)sizeof(*ip), &ext) != 0 ||
		ext.later)
		return -EINVAL;
	*l3_len = (uint32_t)sizeof(*ip) + ext.len;
	t->family = FAMILY_IPV6;
	t->proto = ext.proto;
	memcpy(&t->src, ip->src_addr, sizeof(t->src));
	memcpy(&t->dst, ip->dst_addr, sizeof(t->dst));
	return 0;
}

/* The errors whose quote is at the usual place. A v6 redirect has it in an option. */
static bool
quotes(const struct pkt *pkt)
{
	uint8_t type = (uint8_t)pkt->tuple.dport;

	if (pkt->flags & PKT_IPV6)
		return type >= ICMP6_DST_UNREACH && type <= ICMP6_PARAM_PROB;
	return (pkt->flags & PKT_ICMP_ERROR) != 0;
}

int
pkt_parse_quote(const struct pkt *pkt, struct tuple *tuple, uint16_t *l3_off, uint16_t *l4_off)
{
	const uint8_t *frame = rte_pktmbuf_mtod(pkt_mbuf(pkt), const uint8_t *);
	uint32_t end = (uint32_t)pkt->l2_len + pkt->ip_len;
	uint32_t at = (uint32_t)pkt->l4_off + ICMP_LEN, l3_len;
	const uint8_t *l4;
	int rc;

	if (!(pkt->flags & PKT_L4) || !quotes(pkt) || at > end)
		return -EINVAL;
	memset(tuple, 0, sizeof(*tuple));
	rc = pkt->flags & PKT_IPV6 ? quoted_ip6(frame + at, end - at, tuple, &l3_len)
				   : quoted_ip4(frame + at, end - at, tuple, &l3_len);
	if (rc != 0)
		return rc;
	*l3_off = (uint16_t)at;
	*l4_off = (uint16_t)(at + l3_len);
	l4 = frame + at + l3_len;
	switch (tuple->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		if (end - at - l3_len < L4_LEN)
			return -EINVAL;
		memcpy(&tuple->sport, l4, 2);
		memcpy(&tuple->dport, l4 + 2, 2);
		return 0;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (end - at - l3_len < L4_LEN ||
			(tuple->proto == IPPROTO_ICMPV6) != (tuple->family == FAMILY_IPV6))
			return -EINVAL;
		memcpy(&tuple->dport, l4, 2);
		memcpy(&tuple->sport, l4 + 4, 2);
		return 0;
	default: return 0;
	}
}
