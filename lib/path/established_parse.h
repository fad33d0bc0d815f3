/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first stage of the established node: is this a plain packet, one that
 * passes every guard (doc/architecture.md, guards) and may use a record? What is
 * not plain is no error: the slow walk parses it in full.
 */
#ifndef SHUNT_PATH_ESTABLISHED_PARSE_H
#define SHUNT_PATH_ESTABLISHED_PARSE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "checksum.h"
#include "flow.h"

#define ETHER_LEN 14U

static inline uint64_t
load64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t
load32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t
load16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void
store64(void *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void
store32(void *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

/*
 * Whether the L4 checksum may stand: the NIC said so, it is absent (UDP over
 * IPv4), or it is right by the pseudo header's sum and the bytes.
 */
static inline bool
l4_sum_ok(const struct rte_mbuf *m, uint64_t pseudo, const uint8_t *l4, uint32_t len)
{
	uint64_t flags = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	if (flags == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return true;
	if (flags == RTE_MBUF_F_RX_L4_CKSUM_BAD)
		return false;
	return sum_fold(sum_bytes(pseudo, l4, len)) == 0xffff;
}

/* Whether a TCP or UDP header of this length of L4 is plain. */
static inline bool
plain_l4(const uint8_t *l4, uint8_t proto, uint32_t l4_len)
{
	if (proto == IPPROTO_UDP)
		return load16(l4 + 4) == rte_cpu_to_be_16((uint16_t)l4_len);
	if (proto == IPPROTO_TCP && l4_len >= sizeof(struct rte_tcp_hdr)) {
		const uint8_t kind =
			RTE_TCP_SYN_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG | RTE_TCP_ACK_FLAG;
		uint32_t header = (uint32_t)(l4[12] >> 4) * 4;

		return header >= sizeof(struct rte_tcp_hdr) && header <= l4_len &&
		       (l4[13] & kind) == RTE_TCP_ACK_FLAG;
	}
	return false;
}

/*
 * A plain IPv4 packet for this port's MAC (in the upper 48 bits): its key, and the bytes of IP.
 * Returns 0 if it is not plain.
 */
static inline uint32_t
plain4(const struct rte_mbuf *m, uint64_t mac, struct flow4_key *key)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *ip = frame + ETHER_LEN;
	const uint8_t *l4 = ip + sizeof(struct rte_ipv4_hdr);
	uint32_t len, l4_len;
	uint64_t sum;
	uint8_t proto;

	if (unlikely(m->data_len < ETHER_LEN + 28 || m->nb_segs != 1))
		return 0;
	/* Destination MAC; EtherType IPv4, version 4, IHL 5. */
	if (unlikely((load64(frame) << 16) != mac || (load32(frame + 12) & 0xffffff) != 0x450008))
		return 0;
	len = rte_be_to_cpu_16(load16(ip + 2));
	proto = ip[9];
	/* Not a fragment; TTL above 1. */
	if (unlikely(len > m->data_len - ETHER_LEN || len < 28 ||
		     (load16(ip + 6) & rte_cpu_to_be_16(0x3fff)) != 0 || ip[8] <= 1))
		return 0;
	sum = sum_add(load64(ip), load64(ip + 8));
	sum = sum_add(sum, load32(ip + 16));
	if (unlikely(sum_fold(sum) != 0xffff))
		return 0;
	l4_len = len - (uint32_t)sizeof(struct rte_ipv4_hdr);
	if (unlikely(!plain_l4(l4, proto, l4_len)))
		return 0;
	key->addresses = load64(ip + 12);
	key->rest = (uint64_t)FAMILY_IPV4 << 40 | (uint64_t)proto << 32 | load32(l4);
	if (proto == IPPROTO_UDP && load16(l4 + 6) == 0)
		return len;
	sum = sum_add(key->addresses, rte_cpu_to_be_16(proto));
	sum = sum_add(sum, rte_cpu_to_be_16((uint16_t)l4_len));
	return likely(l4_sum_ok(m, sum, l4, l4_len)) ? len : 0;
}

/* The same for IPv6: bytes of the packet, header included, and its tuple as key. */
static inline uint32_t
plain6(const struct rte_mbuf *m, uint64_t mac, struct tuple *key)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *ip = frame + ETHER_LEN;
	const uint8_t *l4 = ip + sizeof(struct rte_ipv6_hdr);
	uint32_t l4_len;
	uint64_t sum = 0;
	uint8_t proto;

	if (unlikely(m->data_len < ETHER_LEN + 48 || m->nb_segs != 1))
		return 0;
	if (unlikely((load64(frame) << 16) != mac || (load32(frame + 12) & 0xf0ffff) != 0x60dd86))
		return 0;
	l4_len = rte_be_to_cpu_16(load16(ip + 4));
	proto = ip[6];
	if (unlikely(l4_len > m->data_len - ETHER_LEN - 40U || l4_len < 8 || ip[7] <= 1 ||
		     !plain_l4(l4, proto, l4_len)))
		return 0;
	memcpy(&key->src, ip + 8, 32);
	key->sport = load16(l4);
	key->dport = load16(l4 + 2);
	key->proto = proto;
	key->family = FAMILY_IPV6;
	key->zone = 0;
	/* UDP without checksum is not allowed over IPv6: conntrack takes it, the walk decides. */
	if (proto == IPPROTO_UDP && load16(l4 + 6) == 0)
		return 0;
	for (unsigned int i = 0; i < 4; i++)
		sum = sum_add(sum, load64(ip + 8 + 8 * i));
	sum = sum_add(sum, rte_cpu_to_be_16(proto));
	sum = sum_add(sum, rte_cpu_to_be_16((uint16_t)l4_len));
	return likely(l4_sum_ok(m, sum, l4, l4_len)) ? l4_len + 40 : 0;
}

/*
 * The keys of frames that are not plain, as far as the first bytes tell: only to
 * keep a flow's packets in order, so nothing else is checked.
 */
static inline bool
ports4(const struct rte_mbuf *m, struct flow4_key *key)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *) + ETHER_LEN;

	if (m->data_len < ETHER_LEN + 24 || (load32(ip - 2) & 0xffffff) != 0x450008 ||
		(ip[9] != IPPROTO_TCP && ip[9] != IPPROTO_UDP) ||
		(load16(ip + 6) & rte_cpu_to_be_16(0x3fff)) != 0)
		return false;
	key->addresses = load64(ip + 12);
	key->rest = (uint64_t)FAMILY_IPV4 << 40 | (uint64_t)ip[9] << 32 | load32(ip + 20);
	return true;
}

static inline bool
ports6(const struct rte_mbuf *m, struct tuple *key)
{
	const uint8_t *ip = rte_pktmbuf_mtod(m, const uint8_t *) + ETHER_LEN;

	if (m->data_len < ETHER_LEN + 44 || (load32(ip - 2) & 0xf0ffff) != 0x60dd86 ||
		(ip[6] != IPPROTO_TCP && ip[6] != IPPROTO_UDP))
		return false;
	memcpy(&key->src, ip + 8, 32);
	key->sport = load16(ip + 40);
	key->dport = load16(ip + 42);
	key->proto = ip[6];
	key->family = FAMILY_IPV6;
	key->zone = 0;
	return true;
}

#endif
