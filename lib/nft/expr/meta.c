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
	bool set;
};

/* The keys that can be read: their bytes; 0: not built. */
static const uint8_t load_len[] = {
	[NFT_META_LEN] = 4,
	[NFT_META_PROTOCOL] = 2,
	[NFT_META_PRIORITY] = 4,
	[NFT_META_MARK] = 4,
	[NFT_META_IIF] = 4,
	[NFT_META_OIF] = 4,
	[NFT_META_IIFNAME] = IFNAMSIZ,
	[NFT_META_OIFNAME] = IFNAMSIZ,
	[NFT_META_IIFTYPE] = 2,
	[NFT_META_OIFTYPE] = 2,
	[NFT_META_NFPROTO] = 1,
	[NFT_META_L4PROTO] = 1,
	[NFT_META_PKTTYPE] = 1,
};

/* The keys that can be set. */
static bool
settable(uint32_t key)
{
	return key == NFT_META_MARK || key == NFT_META_PRIORITY || key == NFT_META_NFTRACE;
}

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct meta *meta = (struct meta *)expr;
	uint32_t key;
	int rc = attr_u32(attrs[NFTA_META_KEY], ctx, &key);

	if (rc != 0)
		return rc;
	meta->set = attrs[NFTA_META_SREG] != NULL;
	if (meta->set && attrs[NFTA_META_DREG] != NULL)
		return attr_refuse(ctx, attrs[NFTA_META_SREG], -EINVAL);
	if (meta->set ? !settable(key) : key >= sizeof(load_len) || load_len[key] == 0)
		return attr_refuse(ctx, attrs[NFTA_META_KEY], -EOPNOTSUPP);
	meta->key = (uint8_t)key;
	if (meta->set)
		return attr_reg(
			attrs[NFTA_META_SREG], ctx, key == NFT_META_NFTRACE ? 1 : 4, &meta->reg);
	return attr_reg(attrs[NFTA_META_DREG], ctx, load_len[key], &meta->reg);
}

static void
set(const struct meta *meta, struct nft_eval *eval)
{
	uint32_t value = eval->regs.word[meta->reg];

	nft_test(eval, meta->reg, meta->key == NFT_META_NFTRACE ? 1 : 4);
	switch (meta->key) {
	case NFT_META_MARK: eval->pkt->mark = value; break;
	case NFT_META_PRIORITY: eval->pkt->priority = value; break;
	default:
		eval->pkt->flags &= ~(uint32_t)PKT_NFTRACE;
		if ((value & 0xff) != 0)
			eval->pkt->flags |= PKT_NFTRACE;
		break;
	}
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
	return pkt->flags & PKT_MULTICAST ? 2 : 0;
}

static uint32_t
index_of(const struct nft_eval *eval, uint16_t port)
{
	return port == PORT_NONE ? 0 : eval->env->port_index(port);
}

/* In prerouting and input there is no output interface, even where routing has chosen one. */
static uint16_t
out_port(const struct pkt *pkt)
{
	return pkt->hook == HOOK_PREROUTING || pkt->hook == HOOK_INPUT ? PORT_NONE : pkt->out_port;
}

static void
load(const struct meta *meta, struct nft_eval *eval)
{
	const struct pkt *pkt = eval->pkt;
	bool ipv6 = (pkt->flags & PKT_IPV6) != 0;

	nft_mark(eval, meta->reg, load_len[meta->key], 0);
	switch (meta->key) {
	case NFT_META_LEN:
		nft_store(eval, meta->reg, pkt->ip_len);
		nft_mark(eval, meta->reg, 4, UINT32_MAX);
		break;
	case NFT_META_PROTOCOL:
		nft_store(eval, meta->reg,
			rte_cpu_to_be_16(ipv6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4));
		break;
	case NFT_META_PRIORITY: nft_store(eval, meta->reg, pkt->priority); break;
	case NFT_META_MARK: nft_store(eval, meta->reg, pkt->mark); break;
	case NFT_META_IIF: nft_store(eval, meta->reg, index_of(eval, pkt->in_port)); break;
	case NFT_META_OIF: nft_store(eval, meta->reg, index_of(eval, out_port(pkt))); break;
	case NFT_META_IIFNAME: store_name(meta, eval, pkt->in_port); break;
	case NFT_META_OIFNAME: store_name(meta, eval, out_port(pkt)); break;
	case NFT_META_IIFTYPE:
	case NFT_META_OIFTYPE:
		/* Without an interface the rule breaks. */
		if ((meta->key == NFT_META_IIFTYPE ? pkt->in_port : out_port(pkt)) == PORT_NONE)
			nft_break(eval);
		else
			nft_store(eval, meta->reg, ARPHRD_ETHER);
		break;
	case NFT_META_NFPROTO:
		nft_store(eval, meta->reg, ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
		break;
	case NFT_META_L4PROTO: nft_store(eval, meta->reg, pkt->l4_proto); break;
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

	if (meta->set)
		return false;
	*reg = meta->reg;
	*key = (struct match_key){.len = load_len[meta->key]};
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

	return meta->set ? 0 : words_of(meta->reg, load_len[meta->key]);
}

const struct expr_ops expr_meta = {
	"meta", sizeof(struct meta), NFTA_META_MAX, parse, evaluate, false};
