/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The protocol trackers: pure functions that say what a packet means to its
 * connection. They hold nothing, allocate nothing and know no time but what
 * they are given; a worker calls them with its own connections.
 *
 * They follow net/netfilter/nf_conntrack_proto_{tcp,udp,icmp,icmpv6,generic}.c
 * of Linux 6.18. As there, the caller
 *  - decides `ct state` from direction and CT_SEEN_REPLY before it calls
 *    (resolve_normal_ct);
 *  - sets CT_SEEN_REPLY after it, if the packet travels in the reply direction
 *    and the result was TRACK_OK or TRACK_IGNORE (nf_conntrack_in);
 *  - calls the *_new() function, then the *_packet() one, for the packets of a
 *    connection that is not confirmed yet.
 */
#ifndef SHUNT_CONNTRACK_TRACKER_H
#define SHUNT_CONNTRACK_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "track.h"
#include "tracker_tcp.h"

/** Switches and timeouts of all trackers, in milliseconds. Immutable while a worker has it. */
struct tracker_config {
	struct tcp_config tcp;
	uint32_t udp_ms;	/**< udp_timeout, 30 s */
	uint32_t udp_stream_ms; /**< udp_timeout_stream, 120 s */
	uint32_t icmp_ms;	/**< icmp_timeout, 30 s */
	uint32_t icmpv6_ms;	/**< icmpv6_timeout, 30 s */
	uint32_t generic_ms;	/**< generic_timeout, 600 s */
};

/** A timeout by its name. */
struct tracker_timeout {
	const char *name;   /**< as in the config file: "tcp_established" */
	const char *sysctl; /**< as in Linux: "nf_conntrack_tcp_timeout_established" */
	size_t offset;	    /**< of its uint32_t, milliseconds, in struct tracker_config */
	uint32_t seconds;   /**< Linux's default */
};

/** All timeouts; the last has a NULL name. */
extern const struct tracker_timeout tracker_timeouts[];

/** Fill in Linux's defaults. */
void tracker_defaults(struct tracker_config *config);

/**
 * Set a timeout by its config name.
 * @param seconds 1 to UINT32_MAX / 1000
 * @return 0, -ENOENT (no such name) or -ERANGE
 */
int tracker_set_timeout(struct tracker_config *config, const char *name, uint32_t seconds);

/* ------------------------------------------------------------------- UDP */

/** A UDP connection that lives longer than this is a stream, in milliseconds. */
#define UDP_STREAM_AFTER_MS 2000

/**
 * Whether a datagram's lengths are right (udp_error; the checksum is the
 * parser's, none is fine).
 * @param header the UDP header
 * @param len bytes from there to the end of the IP packet
 */
bool udp_valid(const void *header, uint32_t len);

/** The same for UDP-Lite (udplite_error): coverage, and a checksum must be there. */
bool udplite_valid(const void *header, uint32_t len);

/** A connection is a stream from then on: its packets renew it by udp_stream_ms and assure it. */
static inline bool
udp_is_stream(uint32_t created_ms, uint32_t now_ms)
{
	return (int32_t)(now_ms - created_ms - UDP_STREAM_AFTER_MS) > 0;
}

/**
 * A datagram (nf_conntrack_udp_packet). Always TRACK_OK. Adds CT_ASSURED to a
 * connection that has seen a reply and is a stream.
 *
 * Computable later, from the last packet's time alone: once CT_SEEN_REPLY was
 * set before it, the life is udp_is_stream(created, last) ? udp_stream_ms :
 * udp_ms, and CT_ASSURED equals udp_is_stream(created, last).
 * @param created_ms clock_ms32() of the packet that created the connection
 */
enum track_result udp_packet(uint32_t created_ms, uint32_t now_ms,
	const struct tracker_config *config, struct track *track);

/** A UDP-Lite datagram (nf_conntrack_udplite_packet): a reply assures at once. Always TRACK_OK. */
enum track_result udplite_packet(const struct tracker_config *config, struct track *track);

/* ------------------------------------------------------------------ ICMP */

/** What a type of ICMP or ICMPv6 message is to conntrack. */
enum icmp_kind {
	ICMP_KIND_REQUEST, /**< may start a connection */
	ICMP_KIND_REPLY,   /**< belongs to one or is invalid */
	ICMP_KIND_ERROR,   /**< belongs to the connection of the packet it quotes, or is invalid */
	ICMP_KIND_UNTRACKED, /**< never tracked: ND, MLD, multicast router discovery */
	ICMP_KIND_INVALID,   /**< a type that conntrack does not know */
};

/**
 * The kind of an ICMP type (nf_conntrack_icmpv4_error, icmp_pkt_to_tuple,
 * valid_new): echo, timestamp, information and address mask are requests.
 */
enum icmp_kind icmp_kind(uint8_t type);

/**
 * The kind of an ICMPv6 type (nf_conntrack_icmpv6_error, valid_new): echo and
 * node information are requests; a redirect is an error that quotes a packet in
 * an option.
 */
enum icmp_kind icmpv6_kind(uint8_t type);

/**
 * A message of a connection (nf_conntrack_icmp_packet).
 * @param original_type the type in the connection's original tuple
 * @return TRACK_OK, or TRACK_INVALID if that type may not start a connection
 */
enum track_result icmp_packet(
	uint8_t original_type, const struct tracker_config *config, struct track *track);

/** The same for ICMPv6 (nf_conntrack_icmpv6_packet). */
enum track_result icmpv6_packet(
	uint8_t original_type, const struct tracker_config *config, struct track *track);

/* --------------------------------------------------------------- generic */

/** A packet of any other protocol (generic_packet): renews. Always TRACK_OK. */
enum track_result generic_packet(const struct tracker_config *config, struct track *track);

#endif
