/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * meta: what is known of a packet beside its bytes (nft_meta.c). Keys are a table.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>

#include <rte_ether.h>

#include "compile_priv.h"
#include "expr_rows.h"

struct meta {
	struct expr head;
	uint8_t key; /* enum nft_meta_keys */
	uint8_t reg;
	uint8_t len;
	bool set;
	bool device; /* of family netdev, which is the packet's then */
};

/* Where there is no ingress interface, and where there is no egress interface yet. */
#define NO_IN	    (1 << HOOK_OUTPUT | 1 << HOOK_EGRESS)
#define NO_OUT	    (1 << HOOK_PREROUTING | 1 << HOOK_INPUT | 1 << HOOK_INGRESS)
#define ALL	    ((1 << HOOK_COUNT) - 1)
#define EARLY	    (1 << HOOK_PREROUTING | 1 << HOOK_INPUT | 1 << HOOK_FORWARD | 1 << HOOK_INGRESS)
#define IP_FAMILIES (NFT_ON_IP | NFT_ON_IP6 | NFT_ON_INET)

#define NOT_YET	  "not built yet"
#define NO_SOCKET "a packet has no socket here yet"
#define NO_BRIDGE "families bridge and netdev only"

/* The keys: those that can be read, then those that can be set. */
static const struct nft_feature features[] = {
	NFT_HAS("meta length", NFT_META_LEN, .len = 4),
	NFT_HAS("meta protocol", NFT_META_PROTOCOL, .len = 2),
	NFT_HAS_NOT("meta priority", NFT_META_PRIORITY,
		"Linux takes it from the TOS of what it forwards: not built yet", .len = 4),
	NFT_HAS("meta mark", NFT_META_MARK, .len = 4),
	NFT_HAS("meta iif", NFT_META_IIF, .len = 4, .constant = NO_IN,
		.note = "`lo` is 1, then the ports; 0 without one"),
	NFT_HAS("meta oif", NFT_META_OIF, .len = 4, .constant = NO_OUT,
		.note = "`lo` is 1, then the ports; 0 without one"),
	NFT_HAS("meta iifname", NFT_META_IIFNAME, .len = IFNAMSIZ, .constant = NO_IN,
		.note = "empty without one"),
	NFT_HAS("meta oifname", NFT_META_OIFNAME, .len = IFNAMSIZ, .constant = NO_OUT,
		.note = "empty without one"),
	NFT_HAS("meta iiftype", NFT_META_IIFTYPE, .len = 2, .constant = ALL,
		.note = "every port is `ether`; no match without one"),
	NFT_HAS("meta oiftype", NFT_META_OIFTYPE, .len = 2, .constant = ALL,
		.note = "every port is `ether`; no match without one"),
	NFT_HAS("meta nfproto", NFT_META_NFPROTO, .len = 1),
	NFT_HAS("meta l4proto", NFT_META_L4PROTO, .len = 1),
	NFT_HAS("meta pkttype", NFT_META_PKTTYPE, .len = 1),
	NFT_HAS_NOT("meta skuid", NFT_META_SKUID, NO_SOCKET, .len = 4),
	NFT_HAS_NOT("meta skgid", NFT_META_SKGID, NO_SOCKET, .len = 4),
	NFT_HAS_NOT("meta cgroup", NFT_META_CGROUP, NO_SOCKET, .len = 4),
	NFT_HAS_NOT("meta nftrace", NFT_META_NFTRACE, "Linux has no such read either", .len = 1),
	NFT_HAS_NOT("meta rtclassid", NFT_META_RTCLASSID, NOT_YET, .len = 4),
	NFT_HAS_NOT("meta secmark", NFT_META_SECMARK, "there is no security module", .len = 4),
	NFT_HAS_NOT("meta ibrname", NFT_META_BRI_IIFNAME, NO_BRIDGE, .len = IFNAMSIZ,
		.families = NFT_ON_BRIDGE),
	NFT_HAS_NOT("meta obrname", NFT_META_BRI_OIFNAME, NO_BRIDGE, .len = IFNAMSIZ,
		.families = NFT_ON_BRIDGE),
	NFT_HAS_NOT("meta ibrpvid", NFT_META_BRI_IIFPVID, NO_BRIDGE, .len = 2,
		.families = NFT_ON_BRIDGE),
	NFT_HAS_NOT("meta ibrvproto", NFT_META_BRI_IIFVPROTO, NO_BRIDGE, .len = 2,
		.families = NFT_ON_BRIDGE),
	NFT_HAS_NOT("meta cpu", NFT_META_CPU, NOT_YET, .len = 4),
	NFT_HAS_NOT("meta iifgroup", NFT_META_IIFGROUP, NOT_YET, .len = 4),
	NFT_HAS_NOT("meta oifgroup", NFT_META_OIFGROUP, NOT_YET, .len = 4),
	NFT_HAS_NOT("meta random", NFT_META_PRANDOM, NOT_YET, .len = 4),
	NFT_HAS_NOT("meta ipsec", NFT_META_SECPATH, NOT_YET, .len = 1,
		.families = IP_FAMILIES | NFT_ON_NETDEV, .hooks = EARLY),
	NFT_HAS_NOT("meta iifkind", NFT_META_IIFKIND, NOT_YET, .len = IFNAMSIZ),
	NFT_HAS_NOT("meta oifkind", NFT_META_OIFKIND, NOT_YET, .len = IFNAMSIZ),
	NFT_HAS_NOT("meta time", NFT_META_TIME_NS, NOT_YET, .len = 8),
	NFT_HAS_NOT("meta day", NFT_META_TIME_DAY, NOT_YET, .len = 1),
	NFT_HAS_NOT("meta hour", NFT_META_TIME_HOUR, NOT_YET, .len = 4),
	NFT_HAS_NOT("meta sdif", NFT_META_SDIF, NOT_YET, .len = 4, .families = IP_FAMILIES,
		.hooks = 1 << HOOK_INPUT | 1 << HOOK_FORWARD),
	NFT_HAS_NOT("meta sdifname", NFT_META_SDIFNAME, NOT_YET, .len = IFNAMSIZ,
		.families = IP_FAMILIES, .hooks = 1 << HOOK_INPUT | 1 << HOOK_FORWARD),
	NFT_HAS("meta mark set", NFT_META_MARK, .set = true, .len = 4),
	NFT_HAS("meta priority set", NFT_META_PRIORITY, .set = true, .len = 4),
	NFT_HAS("meta nftrace set", NFT_META_NFTRACE, .set = true, .len = 1,
		.note = "`nft monitor trace` tells of the packet; its flow is never cached"),
	NFT_HAS_NOT("meta pkttype set", NFT_META_PKTTYPE, NOT_YET, .set = true, .len = 1,
		.families = IP_FAMILIES | NFT_ON_BRIDGE | NFT_ON_NETDEV,
		.hooks = 1 << HOOK_PREROUTING | 1 << HOOK_INGRESS),
	NFT_HAS_NOT("meta secmark set", NFT_META_SECMARK, "there is no security module",
		.set = true, .len = 4),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct meta *meta = (struct meta *)expr;
	const struct nft_feature *row;
	uint32_t key;
	int rc = attr_u32(attrs[NFTA_META_KEY], ctx, &key);

	if (rc != 0)
		return rc;
	meta->set = attrs[NFTA_META_SREG] != NULL;
	if (meta->set && attrs[NFTA_META_DREG] != NULL)
		return attr_refuse(ctx, attrs[NFTA_META_SREG], -EINVAL);
	rc = expr_feature(features, key, meta->set, ctx, attrs[NFTA_META_KEY], &row);
	if (rc != 0)
		return rc;
	meta->key = (uint8_t)key;
	meta->len = row->len;
	meta->device = ctx->family == NFPROTO_NETDEV;
	return meta->set ? attr_load(attrs[NFTA_META_SREG], ctx, meta->len, &meta->reg)
			 : attr_reg(attrs[NFTA_META_DREG], ctx, meta->len, &meta->reg);
}

/* From here on each rule that matches is told of, and so for each packet of the flow. */
static void
set_trace(struct nft_eval *eval, bool on)
{
	nft_bind_to_packet(eval, NFT_INPUT_TRACE);
	if (on)
		eval->pkt->flags |= PKT_NFTRACE;
	else
		eval->pkt->flags &= ~(uint32_t)PKT_NFTRACE;
}

static void
set(const struct meta *meta, struct nft_eval *eval)
{
	uint32_t value = eval->regs.word[meta->reg];

	nft_test(eval, meta->reg, meta->len);
	if (meta->key == NFT_META_MARK)
		eval->pkt->mark = value;
	else if (meta->key == NFT_META_NFTRACE)
		set_trace(eval, (value & 0xff) != 0);
	else
		eval->pkt->priority = value;
}

/* An interface's name, all zeroes without one. */
static void
store_name(const struct meta *meta, struct nft_eval *eval, uint16_t port)
{
	uint8_t *to = nft_reg(eval, meta->reg);

	if (port == PORT_NONE)
		memset(to, 0, IFNAMSIZ);
	else
		memcpy(to, eval->env->port_name(port), IFNAMSIZ);
}

/* skb->pkt_type as the receiving port saw it. */
static uint32_t
packet_type(const struct pkt *pkt)
{
	if (pkt->flags & PKT_BROADCAST)
		return 1;
	if (pkt->flags & PKT_OTHERHOST)
		return 3;
	return pkt->flags & PKT_MULTICAST ? 2 : 0;
}

static uint32_t
index_of(const struct nft_eval *eval, uint16_t port)
{
	return port == PORT_NONE ? 0 : eval->env->port_index(port);
}

/* skb->protocol */
static uint16_t
protocol(const struct pkt *pkt)
{
	const struct rte_ether_hdr *eth =
		rte_pktmbuf_mtod(pkt_mbuf(pkt), const struct rte_ether_hdr *);

	if (pkt->flags & PKT_IPV6)
		return rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6);
	/* Below 1,536 it is a length: eth_type_trans says ETH_P_802_2. */
	if (pkt_is_other(pkt))
		return rte_be_to_cpu_16(eth->ether_type) >= 0x600 ? eth->ether_type
								  : rte_cpu_to_be_16(4);
	return rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
}

static uint32_t
nfproto(const struct meta *meta, const struct pkt *pkt)
{
	if (meta->device)
		return NFPROTO_NETDEV;
	return pkt->flags & PKT_IPV6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
}

static void
load(const struct meta *meta, struct nft_eval *eval)
{
	const struct pkt *pkt = eval->pkt;

	nft_mark(eval, meta->reg, meta->len, 0);
	switch (meta->key) {
	case NFT_META_LEN:
		nft_store(eval, meta->reg, pkt_len(pkt));
		nft_mark(eval, meta->reg, 4, UINT32_MAX);
		break;
	case NFT_META_PROTOCOL: nft_store(eval, meta->reg, protocol(pkt)); break;
	case NFT_META_MARK: nft_store(eval, meta->reg, pkt->mark); break;
	case NFT_META_IIF: nft_store(eval, meta->reg, index_of(eval, pkt_in(pkt))); break;
	case NFT_META_OIF: nft_store(eval, meta->reg, index_of(eval, pkt_out(pkt))); break;
	case NFT_META_IIFNAME: store_name(meta, eval, pkt_in(pkt)); break;
	case NFT_META_OIFNAME: store_name(meta, eval, pkt_out(pkt)); break;
	case NFT_META_IIFTYPE:
	case NFT_META_OIFTYPE:
		/* Without an interface the rule breaks. */
		/* At egress the one is the other, as in Linux. */
		if ((meta->key == NFT_META_IIFTYPE && pkt->hook != HOOK_EGRESS
				    ? pkt->in_port
				    : pkt_out(pkt)) == PORT_NONE)
			nft_break(eval);
		else
			nft_store(eval, meta->reg, ARPHRD_ETHER);
		break;
	case NFT_META_NFPROTO: nft_store(eval, meta->reg, nfproto(meta, pkt)); break;
	case NFT_META_L4PROTO:
		if (pkt_is_other(pkt))
			nft_break(eval);
		else
			nft_store(eval, meta->reg, pkt->l4_proto);
		break;
	default: nft_store(eval, meta->reg, packet_type(pkt)); break;
	}
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct meta *meta = (const struct meta *)expr;

	if (meta->set)
		set(meta, eval);
	else
		load(meta, eval);
}

bool
meta_load(const struct expr *expr, struct match_key *key, uint8_t *reg)
{
	const struct meta *meta = (const struct meta *)expr;

	if (meta->set || (meta->device && meta->key == NFT_META_NFPROTO))
		return false;
	*reg = meta->reg;
	*key = (struct match_key){.len = meta->len};
	switch (meta->key) {
	case NFT_META_IIFNAME: key->from = FROM_IN_NAME; return true;
	case NFT_META_OIFNAME: key->from = FROM_OUT_NAME; return true;
	case NFT_META_L4PROTO: key->from = FROM_L4PROTO; return true;
	case NFT_META_NFPROTO: key->from = FROM_NFPROTO; return true;
	case NFT_META_MARK: key->from = FROM_MARK; return true;
	default: return false;
	}
}

uint32_t
meta_writes(const struct expr *expr)
{
	const struct meta *meta = (const struct meta *)expr;

	return meta->set ? 0 : words_of(meta->reg, meta->len);
}

const struct expr_ops expr_meta = {
	"meta", sizeof(struct meta), NFTA_META_MAX, parse, evaluate, false, features, 0};
