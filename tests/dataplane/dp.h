/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dataplane in process, on ring ports and the injected clock: a router with
 * three ports, workers walked in turn by the test.
 *
 *   lan 10.0.1.1/24, 2001:db8:1::1/64 --+
 *   dmz 10.0.2.1/24, 2001:db8:2::1/64 --+-- router -- wan 203.0.113.1/24, 2001:db8:f::1/64
 *                                                       `-- default route by .254, ::fe
 *
 * Port n's MAC is 02:ff:00:00:00:0n from 1; a host's is 02:00 and its IPv4
 * address, or the last four bytes of its IPv6 address. Hosts .10 to .20 of each
 * subnet, and the gateways, are neighbours.
 */
#ifndef SHUNT_TESTS_DP_H
#define SHUNT_TESTS_DP_H

#include <stdbool.h>
#include <stdint.h>

#include <CUnit/CUnit.h>

#include "path.h"

enum dp_port { LAN, WAN, DMZ, DP_PORTS };

#define DP_FRAME_MAX 2048

/* A frame that came out. */
struct dp_frame {
	uint8_t bytes[DP_FRAME_MAX];
	uint16_t len;
};

/* What the router does beside forwarding. */
struct dp_setup {
	unsigned int workers; /* 0: 1 */
	bool stateless;	      /* no conntrack */
	bool masquerade;      /* what leaves by wan */
	uint16_t snat_first;  /* with a port range: snat to 203.0.113.1:first-last */
	uint16_t snat_last;
	bool port_forward; /* 203.0.113.1 tcp and udp 8080 -> 10.0.1.10 80 */
	bool one_tx_queue; /* each port has one transmit queue: worker 0's */
	uint32_t max;	   /* conntrack.max; 0: 10,000 */
	uint32_t start;	   /* connections with memory from the start; 0: 1,000 */
	bool real_clock;
	bool jumbo;   /* lan's port takes 9,000 bytes */
	bool offload; /* each direction that settles is offered to the NIC */
	bool reject;  /* port 81: TCP with a reset, else port unreachable */
};

/*
 * Other wires than ring ports: made anew by each dp_start(). open() fills in the
 * ethdev and the rings, move() moves the hardware once, close() returns what was
 * made.
 */
struct dp_nic {
	void (*open)(unsigned int port, struct rte_mempool *pool, uint16_t *ethdev,
		struct rte_ring **in, struct rte_ring **out);
	unsigned int (*move)(void);
	void (*close)(unsigned int port, uint16_t ethdev);
};

/* Bring up EAL, once a program. */
void dp_init(char *program);
/* The same, with these wires. */
void dp_init_nic(char *program, const struct dp_nic *nic);

/* Have the wires' bursts done by functions of this program instead of the driver's. */
void dp_own_bursts(void);

/* Publish hooks and routes anew, with the same content: workers take them up, records resettle. */
void dp_publish(void);

/* Build the router. dp_stop() asserts conservation and that every buffer came back. */
void dp_start(const struct dp_setup *setup);
void dp_stop(void);

/* The server of the port forward: a host of lan. dp_start() sets 10.0.1.10. */
void dp_forward_to(const char *address);

struct path *dp_path(void);
struct rte_mempool *dp_pool(void);
struct worker *dp_worker(unsigned int worker);

/* Put a frame on a port's wire. */
void dp_send(enum dp_port port, const void *frame, uint16_t len);
/* Walk every worker in turn once, the NIC before and after it. */
void dp_walk(void);
/* A round of the offload thread, and a walk that takes its answers. */
void dp_offload(void);
struct offload *dp_offload_of(void);
/* Walk until nothing moves any more. The offload thread stands still. */
void dp_settle(void);
/* Take the next frame from a port's wire; false: none. */
bool dp_receive(enum dp_port port, struct dp_frame *frame);
/* Frames that wait on a port's wire. */
unsigned int dp_pending(enum dp_port port);

/* Connections of all workers; drops for a reason. */
uint32_t dp_connections(void);
uint64_t dp_drops(enum drop_reason reason);
/* Packets that settled records carried. */
uint64_t dp_established(void);

/* --- frames */

/* A packet to build; zero means the usual: ttl 64, right checksums. */
struct dp_packet {
	enum dp_port port;     /* whose MAC it is sent to */
	const char *src, *dst; /* "10.0.1.10" or "2001:db8:1::10" */
	uint8_t proto;	       /* IPPROTO_* */
	uint16_t sport, dport; /* ICMP: identifier, type << 8 | code */
	uint8_t ttl;
	uint8_t tcp_flags;
	uint32_t seq, ack;
	uint16_t window;   /* 0: 65,535 */
	uint16_t payload;  /* bytes */
	uint16_t fragment; /* IPv4's field */
	bool bad_l4_sum;
	bool bad_ip_sum;
	bool no_udp_sum;
	bool partial_sum; /* of the pseudo header only, as a sender with offloads leaves it */
	bool wrong_mac;
	const void *quote; /* ICMP errors: the packet from its IP header */
	uint16_t quote_len;
};

/* Build it. Returns its length. */
uint16_t dp_build(uint8_t frame[DP_FRAME_MAX], const struct dp_packet *p);
/* Build and send. */
void dp_put(const struct dp_packet *p);

/* What a frame says. */
struct dp_seen {
	char src[48], dst[48];
	uint8_t proto;
	uint16_t sport, dport;
	uint8_t ttl;
	uint8_t tcp_flags;
	bool sums_ok;
	bool macs_ok; /* from this port's MAC to the host's, or the gateway's */
};
bool dp_see(enum dp_port port, const struct dp_frame *frame, struct dp_seen *seen);

/* The next frame of a port is this: addresses, ports, TTL one less, sums right. */
void dp_expect(enum dp_port port, const char *src, uint16_t sport, const char *dst, uint16_t dport);
/* Nothing on any wire. */
void dp_expect_silence(void);

/* The home of a tuple among the workers that dp_start() made. */
uint8_t dp_home(uint8_t proto, const char *src, uint16_t sport, const char *dst, uint16_t dport);

#endif
