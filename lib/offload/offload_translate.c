/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An offer as a rule of the transfer domain: from a wire to a wire, with all
 * rewrites. The guards that are facts of a header are in its masks: IHL 5, no
 * fragment, no extension header, TCP with ACK and without FIN, SYN, RST.
 */
#include <netinet/in.h>
#include <string.h>

#include <rte_tcp.h>

#include "offload_priv.h"

#define TCP_GUARDED (RTE_TCP_FIN_FLAG | RTE_TCP_SYN_FLAG | RTE_TCP_RST_FLAG | RTE_TCP_ACK_FLAG)
/* MF and the offset; DF may be either. */
#define FRAGMENT_BITS 0x3fff

static void
item(struct pattern *p, unsigned int *n, enum rte_flow_item_type type, const void *spec,
	const void *mask)
{
	p->items[(*n)++] = (struct rte_flow_item){.type = type, .spec = spec, .mask = mask};
}

static void
action(struct pattern *p, unsigned int *n, enum rte_flow_action_type type, const void *conf)
{
	p->actions[(*n)++] = (struct rte_flow_action){.type = type, .conf = conf};
}

static void
match_ip(const struct offload_offer *offer, struct pattern *p, unsigned int *n)
{
	const struct tuple *t = &offer->tuple;

	if (t->family == FAMILY_IPV4) {
		p->ip.ip4.hdr = (struct rte_ipv4_hdr){.version_ihl = 0x45,
			.next_proto_id = t->proto,
			.src_addr = t->src.v4,
			.dst_addr = t->dst.v4};
		p->ip_mask.ip4.hdr = (struct rte_ipv4_hdr){.version_ihl = 0xff,
			.fragment_offset = rte_cpu_to_be_16(FRAGMENT_BITS),
			.next_proto_id = 0xff,
			.src_addr = UINT32_MAX,
			.dst_addr = UINT32_MAX};
		item(p, n, RTE_FLOW_ITEM_TYPE_IPV4, &p->ip.ip4, &p->ip_mask.ip4);
		return;
	}
	p->ip.ip6.hdr.proto = t->proto;
	memcpy(p->ip.ip6.hdr.src_addr, &t->src, 16);
	memcpy(p->ip.ip6.hdr.dst_addr, &t->dst, 16);
	p->ip_mask.ip6.hdr.proto = 0xff;
	memset(p->ip_mask.ip6.hdr.src_addr, 0xff, 16);
	memset(p->ip_mask.ip6.hdr.dst_addr, 0xff, 16);
	item(p, n, RTE_FLOW_ITEM_TYPE_IPV6, &p->ip.ip6, &p->ip_mask.ip6);
}

static void
match(const struct offload_offer *offer, struct pattern *p)
{
	const struct tuple *t = &offer->tuple;
	bool ip4 = t->family == FAMILY_IPV4;
	unsigned int n = 0;

	p->in.port_id = offer->in_port;
	item(p, &n, RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT, &p->in, &rte_flow_item_ethdev_mask);
	memcpy(&p->eth.hdr.dst_addr, offer->in_mac, 6);
	p->eth.hdr.ether_type = rte_cpu_to_be_16(ip4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	memset(&p->eth_mask.hdr.dst_addr, 0xff, 6);
	p->eth_mask.hdr.ether_type = 0xffff;
	item(p, &n, RTE_FLOW_ITEM_TYPE_ETH, &p->eth, &p->eth_mask);
	match_ip(offer, p, &n);
	if (t->proto == IPPROTO_TCP) {
		p->l4.tcp.hdr = (struct rte_tcp_hdr){
			.src_port = t->sport, .dst_port = t->dport, .tcp_flags = RTE_TCP_ACK_FLAG};
		p->l4_mask.tcp.hdr = (struct rte_tcp_hdr){
			.src_port = 0xffff, .dst_port = 0xffff, .tcp_flags = TCP_GUARDED};
		item(p, &n, RTE_FLOW_ITEM_TYPE_TCP, &p->l4.tcp, &p->l4_mask.tcp);
	} else {
		p->l4.udp.hdr = (struct rte_udp_hdr){.src_port = t->sport, .dst_port = t->dport};
		p->l4_mask.udp.hdr = (struct rte_udp_hdr){.src_port = 0xffff, .dst_port = 0xffff};
		item(p, &n, RTE_FLOW_ITEM_TYPE_UDP, &p->l4.udp, &p->l4_mask.udp);
	}
	item(p, &n, RTE_FLOW_ITEM_TYPE_END, NULL, NULL);
}

static void
rewrite_addresses(const struct offload_offer *offer, bool all, struct pattern *p, unsigned int *n)
{
	const struct tuple *from = &offer->tuple, *to = &offer->out;
	bool ip4 = from->family == FAMILY_IPV4;

	if (all || memcmp(&from->src, &to->src, 16) != 0) {
		p->src4.ipv4_addr = to->src.v4;
		memcpy(p->src6.ipv6_addr, &to->src, 16);
		action(p, n,
			ip4 ? RTE_FLOW_ACTION_TYPE_SET_IPV4_SRC : RTE_FLOW_ACTION_TYPE_SET_IPV6_SRC,
			ip4 ? (const void *)&p->src4 : (const void *)&p->src6);
	}
	if (all || memcmp(&from->dst, &to->dst, 16) != 0) {
		p->dst4.ipv4_addr = to->dst.v4;
		memcpy(p->dst6.ipv6_addr, &to->dst, 16);
		action(p, n,
			ip4 ? RTE_FLOW_ACTION_TYPE_SET_IPV4_DST : RTE_FLOW_ACTION_TYPE_SET_IPV6_DST,
			ip4 ? (const void *)&p->dst4 : (const void *)&p->dst6);
	}
	if (all || from->sport != to->sport) {
		p->sport.port = to->sport;
		action(p, n, RTE_FLOW_ACTION_TYPE_SET_TP_SRC, &p->sport);
	}
	if (all || from->dport != to->dport) {
		p->dport.port = to->dport;
		action(p, n, RTE_FLOW_ACTION_TYPE_SET_TP_DST, &p->dport);
	}
}

void
translate(const struct offload_offer *offer, bool all, struct pattern *p)
{
	unsigned int n = 0;

	memset(p, 0, sizeof(*p));
	p->attr = (struct rte_flow_attr){
		.group = GROUP_FLOWS, .priority = PRIORITY_FLOW, .transfer = 1};
	match(offer, p);
	rewrite_addresses(offer, all, p, &n);
	action(p, &n, RTE_FLOW_ACTION_TYPE_DEC_TTL, NULL);
	memcpy(p->src_mac.mac_addr, offer->src_mac, 6);
	action(p, &n, RTE_FLOW_ACTION_TYPE_SET_MAC_SRC, &p->src_mac);
	memcpy(p->dst_mac.mac_addr, offer->dst_mac, 6);
	action(p, &n, RTE_FLOW_ACTION_TYPE_SET_MAC_DST, &p->dst_mac);
	action(p, &n, RTE_FLOW_ACTION_TYPE_COUNT, NULL);
	p->out.port_id = offer->out_port;
	action(p, &n, RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, &p->out);
	/* The last one stays zero: RTE_FLOW_ACTION_TYPE_END. */
}
