/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The packets that a router makes about others: ICMP errors (icmp_send,
 * icmp6_send) and TCP resets (nf_send_reset).
 */
#ifndef SHUNT_PACKET_ICMP_ERROR_H
#define SHUNT_PACKET_ICMP_ERROR_H

#include "packet.h"

/**
 * Whether a packet may be answered with an ICMP error at all: not an ICMP error
 * or redirect itself, not a later fragment, not broadcast or multicast, not from
 * an address that is no single host's (RFC 1812 4.3.2.7, RFC 4443 2.4 e).
 */
bool icmp_error_allowed(const struct pkt *about);

/**
 * Build the error in an empty mbuf: Ethernet header left blank, IP header,
 * ICMP, and of the packet as much as fits 576 bytes (IPv6: 1280).
 * @param info the rest of the ICMP header, host order: MTU, pointer
 * @param source the router's address
 * @return 0, or -ENOSPC if the mbuf is too small
 */
int icmp_error_build(struct rte_mbuf *m, const struct pkt *about, uint8_t type, uint8_t code,
	uint32_t info, const union address *source);

/**
 * Build the reset that answers a TCP segment, from its destination (nft_reject's
 * rules: sequence number from the ACK, or ACK of what it carried).
 * @return 0; -EINVAL for a segment that gets none (a reset, a bad checksum, no
 *   whole header); -ENOSPC
 */
int tcp_reset_build(struct rte_mbuf *m, const struct pkt *about);

#endif
