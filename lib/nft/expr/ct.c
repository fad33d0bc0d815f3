/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ct: what conntrack knows of the packet's connection (nft_ct.c), by ct_ops.
 */
#include <errno.h>
#include <string.h>

#include "compile_priv.h"
#include "expr_rows.h"

struct ct {
	struct expr head;
	uint8_t key; /* enum nft_ct_keys */
	uint8_t reg;
	uint8_t len;
	uint8_t dir; /* enum ct_dir, or CT_ANY */
	uint8_t family;
	bool set;
};

#define CT_ANY 2

/* len of a key: an address of the table's family. */
#define ADDRESS 255

#define NOT_YET	    "not built yet"
#define ALL	    ((1 << HOOK_COUNT) - 1)
#define IP_FAMILIES (NFT_ON_IP | NFT_ON_IP6 | NFT_ON_INET)

/* The keys: those that can be read, then those that can be set. */
static const struct nft_feature features[] = {
	NFT_HAS("ct state", NFT_CT_STATE, .len = 4),
	NFT_HAS("ct direction", NFT_CT_DIRECTION, .len = 1),
	NFT_HAS("ct status", NFT_CT_STATUS, .len = 4),
	NFT_HAS("ct mark", NFT_CT_MARK, .len = 4),
	NFT_HAS("ct expiration", NFT_CT_EXPIRATION, .len = 4),
	NFT_HAS("ct l3proto", NFT_CT_L3PROTOCOL, .len = 1, .note = "with a direction or without"),
	NFT_HAS("ct original saddr", NFT_CT_SRC, .len = ADDRESS, .families = IP_FAMILIES,
		.note = "or reply"),
	NFT_HAS("ct original daddr", NFT_CT_DST, .len = ADDRESS, .families = IP_FAMILIES,
		.note = "or reply"),
	NFT_HAS("ct original ip saddr", NFT_CT_SRC_IP, .len = 4, .note = "or reply"),
	NFT_HAS("ct original ip daddr", NFT_CT_DST_IP, .len = 4, .note = "or reply"),
	NFT_HAS("ct original ip6 saddr", NFT_CT_SRC_IP6, .len = 16, .note = "or reply"),
	NFT_HAS("ct original ip6 daddr", NFT_CT_DST_IP6, .len = 16, .note = "or reply"),
	NFT_HAS("ct protocol", NFT_CT_PROTOCOL, .len = 1, .note = "with a direction or without"),
	NFT_HAS("ct original proto-src", NFT_CT_PROTO_SRC, .len = 2, .note = "or reply"),
	NFT_HAS("ct original proto-dst", NFT_CT_PROTO_DST, .len = 2, .note = "or reply"),
	NFT_HAS("ct packets", NFT_CT_PKTS, .len = 8, .note = "with a direction or without"),
	NFT_HAS("ct bytes", NFT_CT_BYTES, .len = 8, .note = "with a direction or without"),
	NFT_HAS("ct avgpkt", NFT_CT_AVGPKT, .len = 8, .note = "with a direction or without"),
	NFT_HAS("ct zone", NFT_CT_ZONE, .len = 2, .constant = ALL,
		.note = "0: no rule can set one yet"),
	NFT_HAS("ct id", NFT_CT_ID, .len = 4,
		.note = "the same for a connection's life; Linux has another value"),
	NFT_HAS_NOT("ct helper", NFT_CT_HELPER, NOT_YET, .len = 16),
	NFT_HAS_NOT("ct label", NFT_CT_LABELS, NOT_YET, .len = 16),
	NFT_HAS_NOT("ct secmark", NFT_CT_SECMARK, "there is no security module", .len = 4),
	NFT_HAS("ct mark set", NFT_CT_MARK, .set = true, .len = 4),
	NFT_HAS_NOT("ct zone set", NFT_CT_ZONE, NOT_YET, .set = true, .len = 2),
	NFT_HAS_NOT("ct event set", NFT_CT_EVENTMASK, NOT_YET, .set = true, .len = 4),
	NFT_HAS_NOT("ct label set", NFT_CT_LABELS, NOT_YET, .set = true, .len = 16),
	NFT_HAS_NOT("ct secmark set", NFT_CT_SECMARK, "there is no security module", .set = true,
		.len = 4),
	NFT_END,
};

static bool
needs_direction(uint32_t key)
{
	return key == NFT_CT_SRC || key == NFT_CT_DST || key == NFT_CT_PROTO_SRC ||
	       key == NFT_CT_PROTO_DST || (key >= NFT_CT_SRC_IP && key <= NFT_CT_DST_IP6);
}

static int
parse_key(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct ct *ct = (struct ct *)expr;
	const struct nft_feature *row;
	uint32_t key;
	int rc = attr_u32(attrs[NFTA_CT_KEY], ctx, &key);

	if (rc != 0)
		return rc;
	ct->set = attrs[NFTA_CT_SREG] != NULL;
	rc = expr_feature(features, key, ct->set, ctx, attrs[NFTA_CT_KEY], &row);
	if (rc != 0)
		return rc;
	ct->key = (uint8_t)key;
	ct->len = row->len;
	/* Which family's addresses? Only a table of one family can tell. */
	if (ct->len == ADDRESS)
		ct->len = ctx->family == NFPROTO_IPV4 ? 4 : 16;
	ct->family = ctx->family;
	ct->dir = CT_ANY;
	if (ct->set)
		return attr_load(attrs[NFTA_CT_SREG], ctx, ct->len, &ct->reg);
	if (attrs[NFTA_CT_DIRECTION] != NULL) {
		if (mnl_attr_get_payload_len(attrs[NFTA_CT_DIRECTION]) != 1 ||
			mnl_attr_get_u8(attrs[NFTA_CT_DIRECTION]) > CT_DIR_REPLY)
			return attr_refuse(ctx, attrs[NFTA_CT_DIRECTION], -EINVAL);
		ct->dir = mnl_attr_get_u8(attrs[NFTA_CT_DIRECTION]);
	}
	if (needs_direction(key) && ct->dir == CT_ANY)
		return attr_refuse(ctx, attrs[NFTA_CT_KEY], -EINVAL);
	return attr_reg(attrs[NFTA_CT_DREG], ctx, ct->len, &ct->reg);
}

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	int rc = parse_key(expr, attrs, ctx);

	return rc != 0 ? rc : expr_conntrack(ctx);
}

/* Keys of a tuple. False: the rule breaks. */
static bool
load_tuple(const struct ct *ct, struct nft_eval *eval)
{
	struct tuple t;
	bool ipv6;

	if (!eval->env->ct->tuple(eval->pkt, ct->dir == CT_ANY ? CT_DIR_ORIGINAL : ct->dir, &t))
		return false;
	ipv6 = t.family == FAMILY_IPV6;
	switch (ct->key) {
	case NFT_CT_L3PROTOCOL:
		nft_store(eval, ct->reg, t.family == FAMILY_IPV6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
		return true;
	case NFT_CT_PROTOCOL: nft_store(eval, ct->reg, t.proto); return true;
	case NFT_CT_PROTO_SRC: nft_store(eval, ct->reg, t.sport); return true;
	case NFT_CT_PROTO_DST: nft_store(eval, ct->reg, t.dport); return true;
	default: break;
	}
	if ((ct->key == NFT_CT_SRC_IP || ct->key == NFT_CT_DST_IP) && ipv6)
		return false;
	if ((ct->key == NFT_CT_SRC_IP6 || ct->key == NFT_CT_DST_IP6) && !ipv6)
		return false;
	memcpy(nft_reg(eval, ct->reg),
		ct->key == NFT_CT_SRC || ct->key == NFT_CT_SRC_IP || ct->key == NFT_CT_SRC_IP6
			? &t.src
			: &t.dst,
		ipv6 ? 16 : 4);
	return true;
}

static bool
load_counters(const struct ct *ct, struct nft_eval *eval)
{
	uint64_t packets, bytes, value;

	if (!eval->env->ct->counters(eval->pkt, ct->dir == CT_ANY ? -1 : ct->dir, &packets, &bytes))
		return false;
	if (ct->key == NFT_CT_PKTS)
		value = packets;
	else if (ct->key == NFT_CT_BYTES)
		value = bytes;
	else
		value = packets != 0 ? bytes / packets : 0;
	memcpy(nft_reg(eval, ct->reg), &value, sizeof(value));
	return true;
}

static bool
load(const struct ct *ct, struct nft_eval *eval)
{
	const struct ct_ops *ops = eval->env->ct;
	const struct pkt *pkt = eval->pkt;
	uint32_t *to = &eval->regs.word[ct->reg];
	enum ct_dir dir;
	uint16_t zone;

	switch (ct->key) {
	case NFT_CT_STATE: *to = ops->state(pkt); return true;
	case NFT_CT_DIRECTION:
		if (!ops->direction(pkt, &dir))
			return false;
		*to = dir;
		return true;
	case NFT_CT_STATUS: return ops->status(pkt, to);
	case NFT_CT_MARK: return ops->mark(pkt, to);
	case NFT_CT_EXPIRATION: return ops->expiration(pkt, to);
	case NFT_CT_ID: return ops->id(pkt, to);
	case NFT_CT_ZONE:
		if (!ops->zone(pkt, ct->dir == CT_ANY ? CT_DIR_ORIGINAL : ct->dir, &zone))
			return false;
		*to = zone;
		return true;
	case NFT_CT_PKTS:
	case NFT_CT_BYTES:
	case NFT_CT_AVGPKT: return load_counters(ct, eval);
	default: return load_tuple(ct, eval);
	}
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct ct *ct = (const struct ct *)expr;

	uint32_t mark;

	if (ct->set) {
		/* Setting what is set already is nothing; else the next packet sees another mark.
		 */
		if (eval->env->ct->mark(eval->pkt, &mark) && mark != eval->regs.word[ct->reg])
			nft_bind_to_packet(eval, NFT_INPUT_CT_SET);
		nft_test(eval, ct->reg, 4);
		eval->env->ct->set_mark(eval->pkt, eval->regs.word[ct->reg]);
		return;
	}
	nft_mark(eval, ct->reg, ct->len, 0);
	if (ct->key == NFT_CT_EXPIRATION || ct->key == NFT_CT_PKTS || ct->key == NFT_CT_BYTES ||
		ct->key == NFT_CT_AVGPKT)
		nft_bind_to_packet(eval, NFT_INPUT_CT_COUNT);
	if (!load(ct, eval))
		nft_break(eval);
	/* A UDP stream becomes assured by a packet that need not come this way. */
	if (ct->key == NFT_CT_STATUS && eval->pkt->l4_proto == IPPROTO_UDP &&
		!(eval->regs.word[ct->reg] & CT_ASSURED))
		nft_mark(eval, ct->reg, 4, CT_ASSURED);
}

bool
ct_load(const struct expr *expr, struct match_key *key, uint8_t *reg)
{
	const struct ct *ct = (const struct ct *)expr;

	*reg = ct->reg;
	*key = (struct match_key){.from = FROM_CT_STATE, .len = 4};
	return !ct->set && ct->key == NFT_CT_STATE;
}

const struct expr_ops expr_ct = {
	"ct", sizeof(struct ct), NFTA_CT_SREG, parse, evaluate, true, features, 0};
