/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames: built from a description, and described again.
 */
#include "dp.h"

#include <arpa/inet.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>

#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "checksum.h"

static uint16_t
l4_header_len(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return sizeof(struct rte_tcp_hdr);
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: return 8;
	default: return 0;
	}
}

static void
build_l4(uint8_t *l4, const struct dp_packet *p, struct tuple *t, uint16_t len)
{
	struct rte_udp_hdr *udp = (void *)l4;
	struct rte_tcp_hdr *tcp = (void *)l4;
	struct rte_icmp_hdr *icmp = (void *)l4;
	uint8_t *check = NULL;
	uint16_t sum;

	switch (p->proto) {
	case IPPROTO_UDP:
		*udp = (struct rte_udp_hdr){rte_cpu_to_be_16(p->sport), rte_cpu_to_be_16(p->dport),
			rte_cpu_to_be_16(len), 0};
		check = p->no_udp_sum ? NULL : l4 + offsetof(struct rte_udp_hdr, dgram_cksum);
		break;
	case IPPROTO_TCP:
		*tcp = (struct rte_tcp_hdr){
			.src_port = rte_cpu_to_be_16(p->sport),
			.dst_port = rte_cpu_to_be_16(p->dport),
			.sent_seq = rte_cpu_to_be_32(p->seq),
			.recv_ack = rte_cpu_to_be_32(p->ack),
			.data_off = sizeof(*tcp) / 4 << 4,
			.tcp_flags = p->tcp_flags,
			.rx_win = rte_cpu_to_be_16(p->window != 0 ? p->window : 65535),
		};
		check = l4 + offsetof(struct rte_tcp_hdr, cksum);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		icmp->icmp_type = (uint8_t)(p->dport >> 8);
		icmp->icmp_code = (uint8_t)p->dport;
		icmp->icmp_ident = rte_cpu_to_be_16(p->sport);
		if (p->quote != NULL)
			memcpy(icmp + 1, p->quote, p->quote_len);
		check = l4 + offsetof(struct rte_icmp_hdr, icmp_cksum);
		break;
	default: break;
	}
	if (check == NULL)
		return;
	sum = (uint16_t)~sum_fold(
		sum_bytes(p->proto == IPPROTO_ICMP ? 0 : sum_pseudo(t, len), l4, len));
	if (p->proto == IPPROTO_UDP && sum == 0)
		sum = 0xffff;
	if (p->partial_sum)
		sum = sum_fold(sum_pseudo(t, len));
	if (p->bad_l4_sum)
		sum ^= 0x5555;
	memcpy(check, &sum, sizeof(sum));
}

uint16_t
dp_build(uint8_t frame[DP_FRAME_MAX], const struct dp_packet *p)
{
	struct rte_ether_hdr *eth = (void *)frame;
	bool ipv6 = strchr(p->src, ':') != NULL;
	uint16_t l3 = ipv6 ? 40 : 20;
	uint16_t len = (uint16_t)(l4_header_len(p->proto) + p->payload + p->quote_len);
	struct tuple t = {.proto = p->proto, .family = ipv6 ? FAMILY_IPV6 : FAMILY_IPV4};
	struct rte_ipv4_hdr *ip4 = (void *)(eth + 1);
	struct rte_ipv6_hdr *ip6 = (void *)(eth + 1);

	memset(frame, 0, DP_FRAME_MAX);
	inet_pton(ipv6 ? AF_INET6 : AF_INET, p->src, &t.src);
	inet_pton(ipv6 ? AF_INET6 : AF_INET, p->dst, &t.dst);
	memcpy(&eth->dst_addr, (uint8_t[]){2, 0xff, 0, 0, 0, (uint8_t)(p->port + 1)}, 6);
	if (p->wrong_mac)
		eth->dst_addr.addr_bytes[5] = 0x77;
	memcpy(&eth->src_addr, (uint8_t[]){2, 0, 1, 2, 3, 4}, 6);
	eth->ether_type = rte_cpu_to_be_16(ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4);
	for (uint16_t i = 0; i < p->payload; i++)
		frame[14 + l3 + l4_header_len(p->proto) + i] = (uint8_t)i;
	if (ipv6) {
		ip6->vtc_flow = rte_cpu_to_be_32(6U << 28);
		ip6->payload_len = rte_cpu_to_be_16(len);
		ip6->proto = p->proto;
		ip6->hop_limits = p->ttl != 0 ? p->ttl : 64;
		memcpy(ip6->src_addr, &t.src, 16);
		memcpy(ip6->dst_addr, &t.dst, 16);
	} else {
		ip4->version_ihl = RTE_IPV4_VHL_DEF;
		ip4->total_length = rte_cpu_to_be_16((uint16_t)(len + l3));
		ip4->fragment_offset = rte_cpu_to_be_16(p->fragment);
		ip4->time_to_live = p->ttl != 0 ? p->ttl : 64;
		ip4->next_proto_id = p->proto;
		ip4->src_addr = t.src.v4;
		ip4->dst_addr = t.dst.v4;
		ip4->hdr_checksum = (uint16_t)(rte_ipv4_cksum(ip4) ^ (p->bad_ip_sum ? 0x0101 : 0));
	}
	build_l4(frame + 14 + l3, p, &t, len);
	return (uint16_t)RTE_MAX(14 + l3 + len, 60);
}

void
dp_put(const struct dp_packet *p)
{
	uint8_t frame[DP_FRAME_MAX];
	uint16_t len = dp_build(frame, p);

	dp_send(p->port, frame, len);
}

/* From the port's own MAC; to the host's, or the gateway's. */
static bool
macs_ok(enum dp_port port, const uint8_t *frame, const union address *dst, bool ipv6)
{
	const uint8_t from[6] = {2, 0xff, 0, 0, 0, (uint8_t)(port + 1)};
	const uint8_t gateway4[6] = {2, 0, 203, 0, 113, 254}, gateway6[6] = {2, 0, 0, 0, 0, 0xfe};
	uint8_t host[6] = {2, 0};

	memcpy(&host[2], ipv6 ? &dst->v6[12] : dst->v6, 4);
	return memcmp(frame + 6, from, 6) == 0 &&
	       (memcmp(frame, host, 6) == 0 ||
		       (port == WAN && memcmp(frame, ipv6 ? gateway6 : gateway4, 6) == 0));
}

bool
dp_see(enum dp_port port, const struct dp_frame *frame, struct dp_seen *seen)
{
	struct {
		struct rte_mbuf m;
		struct pkt pkt;
	} fake;
	struct pkt *pkt = pkt_of(&fake.m);
	int af;

	memset(&fake, 0, sizeof(fake));
	fake.m.buf_addr = (void *)(uintptr_t)frame->bytes;
	fake.m.data_len = frame->len;
	fake.m.nb_segs = 1;
	memset(seen, 0, sizeof(*seen));
	if (pkt_parse(&fake.m, pkt) != 0)
		return false;
	af = pkt->flags & PKT_IPV6 ? AF_INET6 : AF_INET;
	inet_ntop(af, &pkt->tuple.src, seen->src, sizeof(seen->src));
	inet_ntop(af, &pkt->tuple.dst, seen->dst, sizeof(seen->dst));
	seen->proto = pkt->l4_proto;
	seen->sport = rte_be_to_cpu_16(pkt->tuple.sport);
	seen->dport = rte_be_to_cpu_16(pkt->tuple.dport);
	seen->tcp_flags = pkt->tcp_flags;
	seen->ttl = frame->bytes[af == AF_INET6 ? 14 + 7 : 14 + 8];
	seen->sums_ok = !(pkt->flags & PKT_L4_BAD);
	seen->macs_ok = macs_ok(port, frame->bytes, &pkt->tuple.dst, af == AF_INET6);
	return true;
}

void
dp_expect(enum dp_port port, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	struct dp_frame frame;
	struct dp_seen seen;

	if (!dp_receive(port, &frame) || !dp_see(port, &frame, &seen)) {
		CU_FAIL("nothing came out");
		return;
	}
	CU_ASSERT_STRING_EQUAL(seen.src, src);
	CU_ASSERT_STRING_EQUAL(seen.dst, dst);
	CU_ASSERT_EQUAL(seen.sport, sport);
	CU_ASSERT_EQUAL(seen.dport, dport);
	CU_ASSERT_EQUAL(seen.ttl, 63);
	CU_ASSERT_TRUE(seen.sums_ok);
	CU_ASSERT_TRUE(seen.macs_ok);
}

void
dp_expect_silence(void)
{
	for (unsigned int port = 0; port < DP_PORTS; port++)
		CU_ASSERT_EQUAL(dp_pending((enum dp_port)port), 0);
}
