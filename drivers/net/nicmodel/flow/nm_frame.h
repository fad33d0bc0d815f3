/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * A frame as the modelled NIC's parser sees it.
 */
#ifndef NM_FRAME_H
#define NM_FRAME_H

#include <assert.h>
#include <stdint.h>

#include <rte_mbuf.h>

/** What can be matched, as it is in the frame; absent headers are zero, and say so in l3, l4. */
struct nm_fields {
	uint16_t port;
	rte_be16_t type; /* of the Ethernet header */
	uint8_t dst[6];
	uint8_t src[6];
	rte_be16_t tci;
	rte_be16_t inner_type;
	uint8_t vlan; /* 1: there is a tag */
	uint8_t l3;   /* 4, 6 */
	uint8_t l4;   /* IPPROTO_TCP, IPPROTO_UDP, with their ports in the frame */
	uint8_t version_ihl;
	uint8_t tos;
	uint8_t ttl;
	uint8_t proto;
	uint8_t tcp_flags;
	rte_be16_t fragment;
	rte_be16_t sport;
	rte_be16_t dport;
	uint8_t unused[2];
	rte_be32_t vtc_flow;
	uint8_t ip_src[16];
	uint8_t ip_dst[16];
};
static_assert(sizeof(struct nm_fields) % 8 == 0, "compared by words");
#define NM_WORDS (sizeof(struct nm_fields) / 8)

/** Where a frame's headers are; 0: it has none. */
struct nm_headers {
	uint16_t l3;
	uint16_t l4;
};

/** Read what can be matched; never beyond the frame. */
void nm_read(const struct rte_mbuf *frame, struct nm_fields *fields, struct nm_headers *headers);

#endif
