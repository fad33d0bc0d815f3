/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * A packet on its walk: its metadata (in the mbuf's private area), the bounded
 * parser that fills it, and the reasons for which it can be dropped.
 *
 * The established path keeps what it needs in registers and on the stack; the
 * metadata is written only for packets that leave it.
 */
#ifndef SHUNT_PACKET_PACKET_H
#define SHUNT_PACKET_PACKET_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "ct_ops.h"
#include "tuple.h"
#include "verdict.h"

/** No port: a packet that the router itself made has no ingress port. */
#define PORT_NONE UINT16_MAX
/** No next hop chosen yet. */
#define NEXTHOP_NONE UINT16_MAX
/** No connection. */
#define CONN_NONE UINT32_MAX

/** What the parser saw: guards (a packet with one of PKT_GUARDS set uses no flow entry) and facts.
 */
enum pkt_flags {
	PKT_IPV4 = 1 << 0,
	PKT_IPV6 = 1 << 1,
	PKT_L4 = 1 << 2, /**< the whole L4 header is there: sport, dport or ICMP fields are valid */
	PKT_FRAGMENT = 1 << 3,	     /**< any fragment */
	PKT_LATER_FRAGMENT = 1 << 4, /**< a fragment without the L4 header */
	PKT_OPTIONS = 1 << 5,	     /**< IPv4 options: IHL other than 5 */
	PKT_EXT_HEADERS = 1 << 6,    /**< IPv6 extension headers */
	PKT_TTL = 1 << 7,	     /**< TTL or hop limit 0 or 1 */
	PKT_TCP_FLAGS = 1 << 8,	     /**< TCP with SYN, FIN or RST, or without ACK */
	PKT_L4_BAD = 1 << 9, /**< L4 length, data offset or checksum is wrong: conntrack calls it
				invalid */
	PKT_ICMP_ERROR = 1 << 10,  /**< an ICMP or ICMPv6 error */
	PKT_BROADCAST = 1 << 11,   /**< link-layer broadcast */
	PKT_MULTICAST = 1 << 12,   /**< link-layer multicast */
	PKT_LOCAL_OUT = 1 << 13,   /**< made by the router: walks output */
	PKT_UNTRACKED = 1 << 14,   /**< notrack, or a protocol that is never tracked (ND, MLD) */
	PKT_CT_INVALID = 1 << 15,  /**< conntrack has looked and found it invalid */
	PKT_RELATED = 1 << 16,	   /**< an ICMP error about conn */
	PKT_REPLY = 1 << 17,	   /**< travels in the reply direction of conn */
	PKT_CT_NEW = 1 << 18,	   /**< conn is new by this packet: no reply seen */
	PKT_NFTRACE = 1 << 19,	   /**< `meta nftrace set 1` */
	PKT_UNCONFIRMED = 1 << 20, /**< conn is not in the table yet */
	PKT_HANDED_OFF = 1 << 21,  /**< came from another worker's queue */
	PKT_FLOW_ADD = 1 << 22,	   /**< `flow add` permitted its connection on this walk */
	PKT_HELD = 1 << 24,	   /**< waited for another worker's answer */
	PKT_WRITTEN = 1 << 25,	   /**< a rule of this chain wrote to it: pkt_reparse() is due */
	PKT_MOVED = 1 << 26,	   /**< rules wrote to it before conntrack looked */
	PKT_READDRESSED = 1 << 27, /**< rules wrote another destination after it was routed */
	PKT_IP_BAD = 1 << 23,	   /**< IP header checksum, version or length is wrong */
	PKT_OTHERHOST = 1 << 28,   /**< for another host's MAC: seen at ingress, then dropped */
};

/** A packet with any of these takes no flow entry (doc/architecture.md, guards). */
#define PKT_GUARDS                                                                                 \
	(PKT_FRAGMENT | PKT_OPTIONS | PKT_EXT_HEADERS | PKT_TTL | PKT_TCP_FLAGS | PKT_L4_BAD |     \
		PKT_ICMP_ERROR | PKT_IP_BAD)

/**
 * Why a packet was dropped: X(SYMBOL, "name", "what an operator should know").
 * The names are part of the outside contract: `shuntctl show drops`, metrics.
 */
#define DROP_REASONS(X)                                                                            \
	X(L2_TRUNCATED, "l2-truncated", "the frame ends within its Ethernet header")               \
	X(NOT_FOR_US, "not-for-us", "the destination MAC is another host's")                       \
	X(VLAN, "vlan", "a VLAN tag: no VLAN subinterface is configured")                          \
	X(ETHERTYPE, "ethertype", "neither IPv4 nor IPv6, and no twin to take it")                 \
	X(IP4_TRUNCATED, "ip4-truncated", "the packet ends within its IPv4 header")                \
	X(IP4_VERSION, "ip4-version", "the version field of an IPv4 packet is not 4")              \
	X(IP4_HEADER_LENGTH, "ip4-header-length", "IHL below 5 or beyond the packet")              \
	X(IP4_LENGTH, "ip4-length", "total length below the header's or beyond the frame")         \
	X(IP4_CHECKSUM, "ip4-checksum", "wrong IPv4 header checksum")                              \
	X(IP4_OPTIONS, "ip4-options", "malformed IPv4 options")                                    \
	X(IP6_TRUNCATED, "ip6-truncated", "the packet ends within its IPv6 header")                \
	X(IP6_VERSION, "ip6-version", "the version field of an IPv6 packet is not 6")              \
	X(IP6_LENGTH, "ip6-length", "payload length beyond the frame")                             \
	X(IP6_EXT_TRUNCATED, "ip6-ext-truncated", "the packet ends within an extension header")    \
	X(IP6_EXT_CHAIN, "ip6-ext-chain", "more extension headers than the parser follows")        \
	X(MARTIAN_SOURCE, "martian-source", "a source address that no host may use")               \
	X(MARTIAN_DESTINATION, "martian-destination",                                              \
		"a destination address that is never routed")                                      \
	X(NO_ROUTE, "no-route", "no route to the destination")                                     \
	X(NO_NEIGHBOUR, "no-neighbour", "the next hop's MAC address is not known")                 \
	X(TTL, "ttl", "TTL or hop limit used up")                                                  \
	X(MTU, "mtu", "larger than the egress MTU, and may not be fragmented")                     \
	X(FRAGMENT, "fragment", "a fragment that a rule needs tracked: not reassembled yet")       \
	X(LOCAL, "local", "for the router itself, which has no twin to take it")                   \
	X(MULTICAST, "multicast", "multicast or broadcast: not forwarded")                         \
	X(RULE, "rule", "a rule or a chain's policy dropped it")                                   \
	X(REJECT, "reject", "a rule rejected it")                                                  \
	X(CT_FULL, "conntrack-full", "conntrack.max connections are live")                         \
	X(CT_HOLD_FULL, "hold-full", "too many packets wait for another worker's answer")          \
	X(CT_ELSEWHERE, "written-elsewhere",                                                       \
		"a rule wrote addresses or ports before conntrack: another worker's connection")   \
	X(CT_CLASH, "tuple-clash", "its reply tuple belongs to another connection")                \
	X(NAT_EXHAUSTED, "nat-exhausted", "no free port or address in the NAT range")              \
	X(NAT_NO_ADDRESS, "nat-no-address", "the egress port has no address to masquerade to")     \
	X(NAT_EGRESS_CHANGED, "nat-egress-changed", "a masqueraded connection's egress changed")   \
	X(HANDOFF_FULL, "handoff-full", "the ring to the connection's worker is full")             \
	X(TX_FULL, "tx-full", "the transmit queue is full")                                        \
	X(TX_DOWN, "tx-down", "the egress port is down")                                           \
	X(UNFINISHED_CHECKSUM, "unfinished-checksum",                                              \
		"checksum left to hardware: turn tx offload off on the veth's far end")            \
	X(OVERSIZE, "oversize", "an unsegmented TSO or GRO frame: turn it off on the far end")     \
	X(NO_MBUF, "no-mbuf", "no buffer for a packet that the router owed")                       \
	X(ICMP_SUPPRESSED, "icmp-suppressed", "an ICMP error that must not be answered with one")  \
	X(SHUTDOWN, "shutdown", "in flight when the worker stopped")

enum drop_reason {
#define X(symbol, name, text) DROP_##symbol,
	DROP_REASONS(X)
#undef X
		DROP_COUNT,
};

/** The name of a reason, as `shuntctl show drops` prints it. Static. */
const char *drop_reason_name(enum drop_reason reason);
/** What an operator should know of it. Static. */
const char *drop_reason_text(enum drop_reason reason);

/**
 * The metadata of a packet on the slow walk, in the private area of its mbuf.
 * One worker at a time: it moves with the mbuf.
 */
struct pkt {
	uint32_t flags;	   /**< enum pkt_flags */
	uint16_t l2_len;   /**< bytes before the IP header */
	uint16_t l3_len;   /**< bytes of the IP header, options and extension headers included */
	uint16_t l4_off;   /**< of the L4 header from the start of the frame: l2_len + l3_len */
	uint16_t ip_len;   /**< bytes of the IP packet by its own length field; the frame may pad */
	uint16_t in_port;  /**< lib/port index, PORT_NONE for what the router made */
	uint16_t out_port; /**< lib/port index once routed, else PORT_NONE */
	uint16_t nexthop;  /**< lib/route index once routed, else NEXTHOP_NONE */
	uint8_t l4_proto;  /**< the last protocol of the header chain */
	uint8_t tcp_flags; /**< byte 13 of a TCP header */
	uint8_t worker;	   /**< the worker that walks it */
	uint8_t hook;	   /**< enum hook where it is */
	uint16_t drop;	   /**< enum drop_reason, once the verdict is drop */
	uint32_t mark;	   /**< meta mark */
	uint32_t priority; /**< meta priority */
	uint32_t conn;	   /**< connection of its worker, CONN_NONE without */
	uint32_t generation; /**< of the program that judges it */
	uint32_t trace_id;   /**< of its trace events; 0: there was none yet */
	uint64_t now_ns;     /**< the walk's clock */
	void *trail;	     /**< lib/nft: what the walk has recorded so far; NULL without */
	struct tuple tuple;  /**< as it is in the packet now, translation included */
};
static_assert(sizeof(struct pkt) <= 128, "two cache lines");

/** Bytes of private area that a mempool of packets needs (rte_pktmbuf_pool_create's priv_size). */
#define PKT_PRIV_SIZE RTE_ALIGN(sizeof(struct pkt), RTE_MBUF_PRIV_ALIGN)

/** Neither IPv4 nor IPv6, or no whole header of them: a frame that device hooks alone see. */
static inline bool
pkt_is_other(const struct pkt *pkt)
{
	return !(pkt->flags & (PKT_IPV4 | PKT_IPV6));
}

/** Bytes as rules count them (skb->len): at egress those of the frame, else of the IP packet. */
static inline uint32_t
pkt_len(const struct pkt *pkt)
{
	return (uint32_t)pkt->ip_len + (pkt->hook == HOOK_EGRESS ? pkt->l2_len : 0U);
}

/** Where it came in as rules see it: nowhere at egress. */
static inline uint16_t
pkt_in(const struct pkt *pkt)
{
	return pkt->hook == HOOK_EGRESS ? PORT_NONE : pkt->in_port;
}

/** Where it goes as rules see it: nowhere before forward, even where routing has chosen. */
static inline uint16_t
pkt_out(const struct pkt *pkt)
{
	return pkt->hook == HOOK_PREROUTING || pkt->hook == HOOK_INPUT ? PORT_NONE : pkt->out_port;
}

/** The metadata of an mbuf. */
static inline struct pkt *
pkt_of(struct rte_mbuf *m)
{
	return (struct pkt *)rte_mbuf_to_priv(m);
}

/** The mbuf of a metadata. */
static inline struct rte_mbuf *
pkt_mbuf(const struct pkt *pkt)
{
	return (struct rte_mbuf *)((uintptr_t)pkt - sizeof(struct rte_mbuf));
}

/** The IP header. */
static inline void *
pkt_l3(const struct pkt *pkt)
{
	return rte_pktmbuf_mtod_offset(pkt_mbuf(pkt), void *, pkt->l2_len);
}

/** The L4 header; only if PKT_L4. */
static inline void *
pkt_l4(const struct pkt *pkt)
{
	return rte_pktmbuf_mtod_offset(pkt_mbuf(pkt), void *, pkt->l4_off);
}

/**
 * Parse a frame into its metadata: Ethernet, IPv4 or IPv6 with extension
 * headers, TCP, UDP, ICMP. Reads no byte beyond the frame; the frame must be in
 * one segment. Sets flags, lengths, l4_proto, tcp_flags and tuple (zone 0);
 * every other member keeps its value. Checks what Linux's ip_rcv and ip6_rcv
 * check (ip_rcv_core, ip6_rcv_core), the IPv4 header checksum included; L4
 * checksums by the mbuf's flags, summed where the NIC did not.
 * @return 0, or -1 with pkt->drop set
 */
int pkt_parse(struct rte_mbuf *m, struct pkt *pkt);

/**
 * Read again what rules may have written to: header length, protocol, fragments,
 * addresses, ports, flags. The packet's length stays what it was, whatever its header
 * says now, as Linux's skb->len does; nor is the IPv4 header's checksum judged again.
 * At ingress, where Linux has not looked at the header yet, all that pkt_parse() checks
 * is checked again, and the length is the header's. Clears PKT_WRITTEN. Only for IPv4
 * and IPv6 packets; a header that no longer holds together is a drop.
 * @return 0, or -1 with pkt->drop set
 */
int pkt_reparse(struct pkt *pkt);

/**
 * Parse the packet that an ICMP error quotes.
 * @param pkt a packet with PKT_ICMP_ERROR
 * @param tuple the quoted packet's tuple, as quoted
 * @param l3_off offset of the quoted IP header from the start of the frame
 * @param l4_off offset of the quoted L4 header
 * @return 0, or -EINVAL if the quote is too short for a tuple or is no packet
 */
int pkt_parse_quote(const struct pkt *pkt, struct tuple *tuple, uint16_t *l3_off, uint16_t *l4_off);

#endif
