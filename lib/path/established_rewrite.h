/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last stage of the established node: what the record says, done to the
 * frame. Unchanged fields are written too: a branch would cost more.
 */
#ifndef SHUNT_PATH_ESTABLISHED_REWRITE_H
#define SHUNT_PATH_ESTABLISHED_REWRITE_H

#include "established_parse.h"
#include "route.h"

/* A checksum after a change of what it covers (RFC 1624, eqn. 3). */
static inline uint16_t
sum_change(uint16_t check, uint32_t delta)
{
	uint32_t sum = (uint16_t)~check + delta;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The L4 checksum; UDP's 0 means none and stays, and one that becomes 0 is written as 0xffff. */
static inline void
rewrite_l4_sum(uint8_t *l4, uint8_t proto, uint16_t delta)
{
	unsigned int at = proto == IPPROTO_UDP ? offsetof(struct rte_udp_hdr, dgram_cksum)
					       : offsetof(struct rte_tcp_hdr, cksum);
	uint16_t check = load16(l4 + at), changed = sum_change(check, delta);

	if (proto == IPPROTO_UDP) {
		if (check == 0)
			return;
		if (changed == 0)
			changed = 0xffff;
	}
	memcpy(l4 + at, &changed, sizeof(changed));
}

static inline void
rewrite_l2(uint8_t *frame, const struct route_nexthop *nexthop)
{
	store64(frame, load64(nexthop->l2));
	store64(frame + 6, load64(&nexthop->l2[6]));
}

static inline void
rewrite4(uint8_t *frame, const struct flow4 *flow)
{
	uint8_t *ip = frame + ETHER_LEN;
	uint8_t *l4 = ip + sizeof(struct rte_ipv4_hdr);
	uint16_t check;

	/* TTL goes down by one: the word that it is in by 0x0100. */
	check = sum_change(load16(ip + 10),
		flow->tail.l3_delta + (uint32_t)(uint16_t)~rte_cpu_to_be_16(0x0100));
	ip[8]--;
	memcpy(ip + 10, &check, sizeof(check));
	store64(ip + 12, flow->new_addresses);
	store32(l4, load32(&flow->tail.new_sport));
	rewrite_l4_sum(l4, (uint8_t)(flow->key.rest >> 32), flow->tail.l4_delta);
}

static inline void
rewrite6(uint8_t *frame, const struct flow6 *flow)
{
	uint8_t *ip = frame + ETHER_LEN;
	uint8_t *l4 = ip + sizeof(struct rte_ipv6_hdr);

	ip[7]--;
	memcpy(ip + 8, &flow->new_src, 32);
	store32(l4, load32(&flow->tail.new_sport));
	rewrite_l4_sum(l4, flow->key.proto, flow->tail.l4_delta);
}

#endif
