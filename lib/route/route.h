/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Routing: addresses of ports, routes, neighbours, next hops.
 *
 * The control thread edits a stage (route_add…, route_del…) and commits it. A
 * commit builds one immutable table, publishes it, and retires the old one by
 * RCU; workers look up in the table that they read at the top of their walk. No
 * EAL and no ethdev are needed: ports are made known by route_set_port().
 *
 * Meanings are those of Linux 6.18 with one local and one main table, no policy
 * rules, and the sysctls of doc/kernel-baseline.md (forwarding on, rp_filter 0,
 * no redirects): fib_lookup() and ip_route_input_slow() for IPv4,
 * ip6_rcv_core(), ip6_route_input() and ip6_forward() for IPv6.
 */
#ifndef SHUNT_ROUTE_ROUTE_H
#define SHUNT_ROUTE_ROUTE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

#include "packet.h"
#include "port.h"
#include "rcu.h"

/** The most static routes of both families together. */
#define ROUTE_MAX_ROUTES 4096
/** The most addresses of all ports together. */
#define ROUTE_MAX_ADDRESSES 1024
/** The most neighbours of both families together. */
#define ROUTE_MAX_NEIGHBOURS 16384
/** Bytes that an error text needs at most, the NUL included. */
#define ROUTE_ERR_LEN 256

/**
 * What becomes of a packet. The first nine have the numbers of RTN_* (the
 * `fib … type` expression gives them).
 */
enum route_type {
	ROUTE_NONE = 0,	     /**< no route: ICMP net unreachable (ENETUNREACH) */
	ROUTE_UNICAST = 1,   /**< forward to the next hop */
	ROUTE_LOCAL = 2,     /**< an address of the router */
	ROUTE_BROADCAST = 3, /**< the limited or a subnet's broadcast: never forwarded */
	ROUTE_ANYCAST =
		4, /**< IPv6: a subnet-router anycast address (RFC 4291 2.6.1): the router's */
	ROUTE_MULTICAST = 5,	   /**< multicast: not forwarded */
	ROUTE_BLACKHOLE = 6,	   /**< a route says: drop without an answer */
	ROUTE_UNREACHABLE = 7,	   /**< a route says: ICMP host unreachable (ICMPv6 3: address) */
	ROUTE_PROHIBIT = 8,	   /**< a route says: ICMP administratively prohibited */
	ROUTE_MARTIAN_SOURCE = 16, /**< route_input*() only: drop */
	ROUTE_MARTIAN_DESTINATION = 17, /**< route_input*() only: drop */
};

/** What a lookup found. */
struct route_result {
	uint8_t type;	  /**< enum route_type */
	uint8_t on_link;  /**< UNICAST without a gateway: the next hop is the destination itself */
	uint16_t port;	  /**< egress for UNICAST; the port that has the address for LOCAL, ANYCAST,
			     BROADCAST; else PORT_NONE */
	uint16_t nexthop; /**< for UNICAST, else NEXTHOP_NONE */
};

/** Flags of a next hop. */
enum {
	ROUTE_NH_USED = 1 << 0,	    /**< the entry means something */
	ROUTE_NH_RESOLVED = 1 << 1, /**< the MAC is known: l2 can be copied to the frame */
	ROUTE_NH_GATEWAY = 1 << 2,  /**< a route's `via` names it */
};

/**
 * A next hop: (port, address), or, with address zero, a port's own entry for the
 * on-link destinations that have no neighbour: never resolved. The index of a
 * (port, address) stays the same as long as a neighbour or a route needs it. A
 * gone index has flags 0; should it come to stand for another next hop, its
 * generation has grown. So who keeps an index keeps the generation with it, and
 * looks again when they differ or RESOLVED is missing.
 */
struct route_nexthop {
	uint8_t l2[16] __rte_aligned(16); /**< destination MAC, source MAC, EtherType; two bytes of
					     padding to copy along */
	union address via;		  /**< gateway or neighbour; zero: the port's own entry */
	uint32_t generation;		  /**< grows with every change of this entry */
	uint16_t port;
	uint16_t mtu;	/**< IP packet bytes */
	uint8_t flags;	/**< ROUTE_NH_* */
	uint8_t family; /**< FAMILY_* */
	uint8_t reserved[22];
} __rte_cache_aligned;
static_assert(sizeof(struct route_nexthop) == 64, "one cache line");

/** The published table. Immutable. What follows these members is route_priv.h's. */
struct route_table {
	const struct route_nexthop *nexthops;
	uint32_t nexthop_count; /**< indices are below it */
	/**
	 * Grows with every change of addresses, routes or ports; a change of
	 * neighbours, MACs or MTUs alone leaves it (the generation of the next
	 * hop tells).
	 */
	uint32_t epoch;
};

/** Routing as the control thread edits it; holds the pointer to the published table. */
struct route;

/* ---- workers: any thread that follows the rules of rcu.h ---- */

/** The published table; never NULL. Valid until the thread's next quiescent state. */
const struct route_table *route_current(const struct route *route);

/** A next hop by index; index < nexthop_count. The entry may be gone: check its flags. */
static inline const struct route_nexthop *
route_nexthop(const struct route_table *table, uint16_t index)
{
	return &table->nexthops[index];
}

/**
 * Longest prefix match as for a packet of the router's own (fib_lookup, and
 * inet_addr_type for the special addresses): never a martian type.
 */
struct route_result route_lookup4(const struct route_table *table, rte_be32_t dst);

/**
 * The same for IPv6; it is also ip6_route_input(), which checks no address: that
 * is done before (route_martian6) and after (route_forward6_source).
 * @param port the port for link-local destinations (the ingress port, or where
 *   to send), PORT_NONE: they have no route
 */
struct route_result route_lookup6(
	const struct route_table *table, uint16_t port, const union address *dst);

/**
 * Route a received IPv4 packet as ip_route_input_slow(): martian checks
 * (route_martian4), then the lookup, then the source again: one of the router's
 * own addresses is a martian source (fib_validate_source).
 */
struct route_result route_input4(
	const struct route_table *table, uint16_t in_port, rte_be32_t src, rte_be32_t dst);

/**
 * The checks of ip_route_input_slow() that need no table, after prerouting.
 * Source: multicast, 255.255.255.255, 127/8, 0.0.0.0 (save to 255.255.255.255
 * or 0.0.0.0, which are broadcast). Destination: 0.0.0.0, 127/8. Only the one
 * address is a zeronet, not 0/8 (since Linux 5.3); 240/4 is unicast.
 * @return ROUTE_NONE: none of it; else ROUTE_MARTIAN_SOURCE or _DESTINATION
 */
enum route_type route_martian4(rte_be32_t src, rte_be32_t dst);

/**
 * The address checks of ip6_rcv_core(), before any hook. Source: multicast,
 * ::1, IPv4-mapped. Destination: ::1, multicast of scope 0 or 1.
 * @return ROUTE_NONE: none of it; else ROUTE_MARTIAN_SOURCE or _DESTINATION
 */
enum route_type route_martian6(const union address *src, const union address *dst);

/** What ip6_forward() says of a source address before the forward hook. */
enum route_forward6 {
	ROUTE_FORWARD6_OK,
	ROUTE_FORWARD6_DROP,	     /**< ::, multicast, ::1 (security critical there) */
	ROUTE_FORWARD6_BEYOND_SCOPE, /**< link-local: ICMPv6 destination unreachable code 2 */
};

/** The source check of ip6_forward(). Any thread. */
enum route_forward6 route_forward6_source(const union address *src);

/**
 * A source address on a port towards a next hop: inet_select_addr(), scope
 * universe. The first primary address whose subnet has the next hop, else the
 * port's first, else the first of any port.
 * @param via the gateway, or the destination where there is none; 0: any
 * @param src set on success
 * @return 0, -ENOENT if no port has an address
 */
int route_source4(const struct route_table *table, uint16_t port, rte_be32_t via, rte_be32_t *src);

/** The address that masquerade takes: route_source4() towards a routed packet's next hop. @return
 * as there */
int route_masquerade4(
	const struct route_table *table, uint16_t nexthop, rte_be32_t dst, rte_be32_t *src);

/**
 * The source of what the router itself sends to dst, and the way there: its ICMP
 * errors. The route's preferred source (fib_result_prefsrc): a connected route's
 * own address, else route_source4() towards the gateway; to an own address that one,
 * or the primary of a secondary.
 * @param result the way; may be NULL
 * @return 0, -ENETUNREACH without a route, -ENOENT without an address
 */
int route_output4(const struct route_table *table, rte_be32_t dst, struct route_result *result,
	rte_be32_t *src);

/**
 * A source address by RFC 6724 among the addresses of all ports, as
 * ipv6_dev_get_saddr(): rules 1, 2, 5, 6 and 8; link-local and multicast
 * destinations take addresses of the port alone. Masquerade and ICMPv6 sources.
 * @return 0, -ENOENT if there is none
 */
int route_source6(const struct route_table *table, uint16_t port, const union address *dst,
	union address *src);

/** As route_output4(). @param port the ingress port, for link-local destinations */
int route_output6(const struct route_table *table, uint16_t port, const union address *dst,
	struct route_result *result, union address *src);

/** The address that `redirect` takes on a port: its first (nf_nat_redirect_ipv4). @return 0,
 * -ENOENT */
int route_redirect4(const struct route_table *table, uint16_t port, rte_be32_t *addr);

/**
 * The same for IPv6: the port's first address of the scope of dst
 * (nf_nat_redirect_ipv6).
 * @return 0, -ENOENT
 */
int route_redirect6(const struct route_table *table, uint16_t port, const union address *dst,
	union address *addr);

/** Whether an address is one of a port's own (PORT_NONE: of any port). */
bool route_is_own4(const struct route_table *table, uint16_t port, rte_be32_t addr);
bool route_is_own6(const struct route_table *table, uint16_t port, const union address *addr);

/* ---- the control thread ---- */

/** A port as routing sees it. */
struct route_port {
	uint8_t mac[6]; /**< the source MAC of what leaves it */
	uint16_t mtu;	/**< IP packet bytes */
};

/** An address of a port. */
struct route_address {
	uint16_t port;
	uint8_t family; /**< FAMILY_* */
	uint8_t len;	/**< prefix length */
	bool secondary; /**< listing only: another address of the same subnet came first
			   (IFA_F_SECONDARY) */
	union address address;
};

/** A route. */
struct route_entry {
	uint8_t family;	  /**< FAMILY_* */
	uint8_t len;	  /**< prefix length */
	uint8_t type;	  /**< UNICAST, BLACKHOLE, UNREACHABLE or PROHIBIT; in a listing also LOCAL,
			     BROADCAST, ANYCAST */
	bool has_via;	  /**< UNICAST only; without it the destinations are on-link on port */
	bool connected;	  /**< listing only: made from an address */
	uint16_t port;	  /**< PORT_NONE with via: where the gateway is on-link */
	uint16_t nexthop; /**< listing only */
	union address dst; /**< the bits beyond len are zero */
	union address via;
};

/** A neighbour: who has an address on a port. */
struct route_neighbour {
	uint16_t port;
	uint8_t family; /**< FAMILY_* */
	uint8_t mac[6];
	union address address;
};

/** Routing without ports, with an empty table published. rcu_init() came before. @return NULL
 * without memory */
struct route *route_new(void);

/** Free it with its table; no worker uses it any more. NULL is ignored. */
void route_free(struct route *route);

/**
 * Make a port known, or change its MAC or MTU. Stage.
 * @return 0, -EINVAL for an index or an MTU that cannot be, a multicast or zero MAC
 */
int route_set_port(struct route *route, uint16_t port, const struct route_port *info);

/** Forget a port with its addresses and neighbours. Stage. @return 0, -ENOENT */
int route_del_port(struct route *route, uint16_t port);

/**
 * Give a port an address. Stage. From it follow the local address, the connected
 * route and the subnet's broadcast (fib_add_ifaddr; none of the latter two for a
 * secondary); for IPv6 the subnet-router anycast address, and with a port's
 * first IPv6 address its link-local one from the MAC (RFC 4291 appendix A).
 * @return 0, -EINVAL for what no host may have, -ENODEV unknown port, -EEXIST the
 *   port has it, -ENOSPC too many, -ENOMEM
 */
int route_add_address(struct route *route, const struct route_address *address);

/** Take it away. Stage. @return 0, -ENOENT */
int route_del_address(struct route *route, const struct route_address *address);

/**
 * Add a static route. Stage. Whether the gateway can be reached shows at commit.
 * @return 0, -EINVAL bits beyond the prefix, a type that is none, no way out, a
 *   multicast or loopback prefix or gateway, -ENODEV unknown port, -EEXIST there is one to this
 * prefix, -ENOSPC more than ROUTE_MAX_ROUTES, -ENOMEM
 */
int route_add(struct route *route, const struct route_entry *entry);

/** Remove the static route to a prefix. Stage. @return 0, -ENOENT */
int route_del(struct route *route, uint8_t family, const union address *dst, uint8_t len);

/**
 * Add a neighbour or change its MAC. Stage.
 * @return 0, -EINVAL a multicast or zero MAC, a multicast or zero address, -ENODEV
 *   unknown port, -ENOSPC, -ENOMEM
 */
int route_set_neighbour(struct route *route, const struct route_neighbour *neighbour);

/** Remove a neighbour. Stage. @return 0, -ENOENT */
int route_del_neighbour(struct route *route, const struct route_neighbour *neighbour);

/**
 * Build the table of the stage, publish it and retire the old one. On failure
 * the published table stays, and the stage is again what was last committed.
 * @param token of the grace period after which every worker uses the new table;
 *   may be NULL
 * @param err what is wrong, for the operator; size ROUTE_ERR_LEN
 * @return 0; -ENETUNREACH a gateway that no connected route leads to (on its
 *   port), -EINVAL a gateway that is the router's own or no host's address,
 *   -EEXIST a static route to a connected prefix, -ENOSPC too many next hops,
 *   -ENOMEM
 */
int route_commit(struct route *route, rcu_token *token, char err[ROUTE_ERR_LEN]);

/** Bring the stage back to what was last committed. @return 0, -ENOMEM: the stage is as it was */
int route_rollback(struct route *route);

/** List what is committed: fn is called for each, in order of family, then as added. */
void route_each_address(const struct route *route,
	void (*fn)(const struct route_address *address, void *arg), void *arg);
/** As route_each_address(); connected and static routes, in order of prefix. */
void route_each_route(const struct route *route,
	void (*fn)(const struct route_entry *entry, void *arg), void *arg);
/** As route_each_address(). */
void route_each_neighbour(const struct route *route,
	void (*fn)(const struct route_neighbour *neighbour, void *arg), void *arg);

/** The name of a type as ip-route(8) and `fib` have it: "unicast", "local"… Static. */
const char *route_type_name(enum route_type type);

#endif
