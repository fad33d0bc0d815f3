/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The traffic of the benchmarks: 64-byte frames (without FCS: 60) of many flows,
 * original direction and replies as the translated connection has them.
 */
#ifndef SHUNT_TESTS_PERF_FRAMES_H
#define SHUNT_TESTS_PERF_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <netinet/in.h>

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#define FRAME_LEN 60
/* The address to which sources are translated. */
#define NAT_ADDRESS RTE_IPV4(203, 0, 113, 1)

static const struct rte_ether_addr lan_mac = {{0x02, 0xff, 0, 0, 0, 1}};
static const struct rte_ether_addr wan_mac = {{0x02, 0xff, 0, 0, 0, 2}};
static const struct rte_ether_addr host_mac = {{0x02, 0, 0, 0, 0, 9}};

/* A segment of a flow, or a datagram. */
struct frame_spec {
	uint32_t flow;
	uint8_t proto;
	bool reply;
	uint8_t tcp_flags;
	uint32_t seq;
	uint32_t ack;
};

static inline void
frame_l4(struct rte_ipv4_hdr *ip, const struct frame_spec *s, uint16_t sport, uint16_t dport)
{
	uint16_t l4_len = FRAME_LEN - 14 - 20;
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);

	if (s->proto == IPPROTO_UDP) {
		udp->src_port = rte_cpu_to_be_16(sport);
		udp->dst_port = rte_cpu_to_be_16(dport);
		udp->dgram_len = rte_cpu_to_be_16(l4_len);
		udp->dgram_cksum = rte_ipv4_udptcp_cksum(ip, udp);
		return;
	}
	tcp->src_port = rte_cpu_to_be_16(sport);
	tcp->dst_port = rte_cpu_to_be_16(dport);
	tcp->sent_seq = rte_cpu_to_be_32(s->seq);
	tcp->recv_ack = rte_cpu_to_be_32(s->ack);
	tcp->data_off = 5 << 4;
	tcp->tcp_flags = s->tcp_flags;
	tcp->rx_win = rte_cpu_to_be_16(65535);
	tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
}

/* The frame of a flow. The source port is kept by the translation. */
static inline void
frame_make(uint8_t frame[FRAME_LEN], const struct frame_spec *s)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)frame;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(eth + 1);
	uint16_t port = (uint16_t)(1024 + s->flow % 60000);
	uint32_t client = RTE_IPV4(10, 0, 0, 0) + 1 + s->flow;
	uint32_t server = RTE_IPV4(198, 18, 0, 1) + s->flow / 60000;

	memset(frame, 0, FRAME_LEN);
	rte_ether_addr_copy(s->reply ? &wan_mac : &lan_mac, &eth->dst_addr);
	rte_ether_addr_copy(&host_mac, &eth->src_addr);
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = 0x45;
	ip->total_length = rte_cpu_to_be_16(FRAME_LEN - 14);
	ip->time_to_live = 64;
	ip->next_proto_id = s->proto;
	ip->src_addr = rte_cpu_to_be_32(s->reply ? server : client);
	ip->dst_addr = rte_cpu_to_be_32(s->reply ? NAT_ADDRESS : server);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	frame_l4(ip, s, s->reply ? 443 : port, s->reply ? port : 443);
}

/* A capture file: its header, then each frame. */
static inline FILE *
pcap_open(const char *path)
{
	static const uint32_t header[6] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 1};
	FILE *f = fopen(path, "wb");

	if (f != NULL)
		fwrite(header, sizeof(header), 1, f);
	return f;
}

static inline void
pcap_frame(FILE *f, const uint8_t *frame, uint32_t len)
{
	const uint32_t header[4] = {0, 0, len, len};

	fwrite(header, sizeof(header), 1, f);
	fwrite(frame, len, 1, f);
}

#endif
