/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rewrite.h"

#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "checksum.h"

/* A header to translate: the packet's own, or the one that an error quotes. */
struct place {
	uint8_t *l3;
	uint8_t *l4;	  /* NULL: none there */
	uint32_t l4_room; /* bytes of it */
	uint8_t proto;
	bool ipv6;
};

/* A field of two bytes that a checksum covers. */
static void
set16(uint8_t *field, rte_be16_t value, uint8_t *check)
{
	uint16_t old, sum;

	memcpy(&old, field, 2);
	memcpy(&sum, check, 2);
	if (old == value)
		return;
	sum = check_replace(sum, &old, &value, 2);
	memcpy(field, &value, 2);
	memcpy(check, &sum, 2);
}

/* The place of the L4 checksum, or NULL: none, not there, or UDP without. */
static uint8_t *
check_of(const struct place *at)
{
	static const uint8_t none[2];

	switch (at->proto) {
	case IPPROTO_TCP:
		/* A quote may end before it. */
		return at->l4_room >= sizeof(struct rte_tcp_hdr)
			       ? at->l4 + offsetof(struct rte_tcp_hdr, cksum)
			       : NULL;
	case IPPROTO_UDP:
		if (memcmp(at->l4 + offsetof(struct rte_udp_hdr, dgram_cksum), none, 2) == 0)
			return NULL;
		return at->l4 + offsetof(struct rte_udp_hdr, dgram_cksum);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: return at->l4 + offsetof(struct rte_icmp_hdr, icmp_cksum);
	default: return NULL;
	}
}

/* Whether an ICMP message has an identifier (icmp_manip_pkt, icmpv6_manip_pkt). */
static bool
has_id(const struct place *at)
{
	uint8_t type = at->l4[0];

	if (at->proto == IPPROTO_ICMPV6)
		return type == ICMP6_ECHO_REQUEST || type == ICMP6_ECHO_REPLY;
	return type == ICMP_ECHO || type == ICMP_ECHOREPLY || type == ICMP_TIMESTAMP ||
	       type == ICMP_TIMESTAMPREPLY || type == ICMP_INFO_REQUEST ||
	       type == ICMP_INFO_REPLY || type == ICMP_ADDRESS || type == ICMP_ADDRESSREPLY;
}

/* The address: in the IP header and, by its sum, in what covers it. */
static void
set_address(const struct place *at, const union address *to, enum nat_manip manip, uint8_t *check)
{
	uint32_t len = at->ipv6 ? 16 : 4;
	uint8_t *field = at->l3 + (at->ipv6 ? 8 : 12) + (manip == NAT_MANIP_DST ? len : 0);
	uint16_t sum;

	if (memcmp(field, to, len) == 0)
		return;
	if (!at->ipv6) {
		memcpy(&sum, at->l3 + 10, 2);
		sum = check_replace(sum, field, to, len);
		memcpy(at->l3 + 10, &sum, 2);
	}
	/* ICMP over IPv4 has no pseudo header. */
	if (check != NULL && at->proto != IPPROTO_ICMP) {
		memcpy(&sum, check, 2);
		sum = check_replace(sum, field, to, len);
		memcpy(check, &sum, 2);
	}
	memcpy(field, to, len);
}

/* nf_nat_ipv4_manip_pkt, nf_nat_ipv6_manip_pkt */
static void
translate(const struct place *at, const struct tuple *target, enum nat_manip manip)
{
	static const uint8_t none[2], all[2] = {0xff, 0xff};
	uint8_t ignored[2] = {0}, *check = at->l4 != NULL ? check_of(at) : NULL;
	uint8_t *covered = check != NULL ? check : ignored;

	set_address(at, manip == NAT_MANIP_SRC ? &target->src : &target->dst, manip, check);
	if (at->l4 == NULL)
		return;
	if (at->proto == IPPROTO_TCP || at->proto == IPPROTO_UDP)
		set16(at->l4 + (manip == NAT_MANIP_SRC ? 0 : 2),
			manip == NAT_MANIP_SRC ? target->sport : target->dport, covered);
	else if ((at->proto == IPPROTO_ICMP || at->proto == IPPROTO_ICMPV6) && has_id(at))
		set16(at->l4 + 4, target->sport, covered);
	if (at->proto == IPPROTO_UDP && check != NULL && memcmp(check, none, 2) == 0)
		memcpy(check, all, 2);
}

static struct place
place_of(struct pkt *pkt)
{
	return (struct place){
		.l3 = pkt_l3(pkt),
		.l4 = pkt->flags & PKT_L4 ? pkt_l4(pkt) : NULL,
		.l4_room = (uint32_t)pkt->ip_len - pkt->l3_len,
		.proto = pkt->l4_proto,
		.ipv6 = (pkt->flags & PKT_IPV6) != 0,
	};
}

/* The tuple follows the bytes. */
static void
follow(struct pkt *pkt, const struct place *at, const struct tuple *target, enum nat_manip manip)
{
	bool icmp = at->proto == IPPROTO_ICMP || at->proto == IPPROTO_ICMPV6;

	if (manip == NAT_MANIP_SRC)
		pkt->tuple.src = target->src;
	else
		pkt->tuple.dst = target->dst;
	if (at->l4 == NULL || (icmp && !has_id(at)))
		return;
	if (icmp || manip == NAT_MANIP_SRC)
		pkt->tuple.sport = target->sport;
	else
		pkt->tuple.dport = target->dport;
}

void
pkt_translate(struct pkt *pkt, const struct tuple *target, enum nat_manip manip)
{
	struct place at = place_of(pkt);

	translate(&at, target, manip);
	follow(pkt, &at, target, manip);
}

/* The checksum of an ICMP error, summed anew. */
static void
sum_error(struct pkt *pkt)
{
	uint32_t len = (uint32_t)pkt->ip_len - pkt->l3_len;
	struct rte_icmp_hdr *icmp = pkt_l4(pkt);
	uint64_t sum = pkt->flags & PKT_IPV6 ? sum_pseudo(&pkt->tuple, len) : 0;

	icmp->icmp_cksum = 0;
	icmp->icmp_cksum = (uint16_t)~sum_fold(sum_bytes(sum, icmp, len));
}

void
pkt_translate_error(struct pkt *pkt, const struct tuple *other, enum nat_manip manip)
{
	uint16_t l3_off, l4_off;
	struct tuple quoted, outer;
	struct place inner;
	uint8_t *frame = rte_pktmbuf_mtod(pkt_mbuf(pkt), uint8_t *);
	bool same_family;

	if (pkt_parse_quote(pkt, &quoted, &l3_off, &l4_off) != 0 || !tuple_invert(other, &outer))
		return;
	same_family = quoted.family == pkt->tuple.family;
	if (!same_family)
		return;
	inner = (struct place){
		.l3 = frame + l3_off,
		.l4 = frame + l4_off,
		.l4_room = (uint32_t)pkt->l2_len + pkt->ip_len - l4_off,
		.proto = quoted.proto,
		.ipv6 = (pkt->flags & PKT_IPV6) != 0,
	};
	if (inner.l4_room < 8)
		inner.l4 = NULL;
	translate(&inner, other, manip == NAT_MANIP_SRC ? NAT_MANIP_DST : NAT_MANIP_SRC);
	sum_error(pkt);
	pkt_translate(pkt, &outer, manip);
}

void
pkt_dec_ttl(struct pkt *pkt)
{
	struct rte_ipv4_hdr *ip4 = pkt_l3(pkt);
	struct rte_ipv6_hdr *ip6 = pkt_l3(pkt);
	uint32_t check;

	if (pkt->flags & PKT_IPV6) {
		ip6->hop_limits--;
		return;
	}
	ip4->time_to_live--;
	check = (uint32_t)ip4->hdr_checksum + rte_cpu_to_be_16(0x0100);
	ip4->hdr_checksum = (uint16_t)(check + (check >= 0xffff));
}
