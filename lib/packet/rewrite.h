/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Changes of a packet on the slow walk, byte for byte as Linux makes them. The
 * worker that has the packet calls these.
 */
#ifndef SHUNT_PACKET_REWRITE_H
#define SHUNT_PACKET_REWRITE_H

#include "packet.h"

/**
 * Translate one end of a packet (nf_nat_manip_pkt): address and port, or ICMP
 * identifier; checksums incrementally. A UDP checksum of 0 stays, one that
 * becomes 0 is written as 0xffff (CSUM_MANGLED_0). pkt->tuple follows.
 * @param target has the new end: src and sport, or dst and dport
 */
void pkt_translate(struct pkt *pkt, const struct tuple *target, enum nat_manip manip);

/**
 * Translate an ICMP error about a translated connection
 * (nf_nat_icmp_reply_translation): one end of the quoted packet, the other end
 * of the error itself, the ICMP checksum anew. An error that quotes no packet
 * stays as it is.
 * @param other the tuple of the direction against which the error travels
 */
void pkt_translate_error(struct pkt *pkt, const struct tuple *other, enum nat_manip manip);

/** Lower TTL or hop limit by one (ip_decrease_ttl). It is above 0. */
void pkt_dec_ttl(struct pkt *pkt);

#endif
