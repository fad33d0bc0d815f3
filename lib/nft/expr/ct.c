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
	uint8_t dir; /* enum ct_dir, or CT_ANY */
	uint8_t family;
	bool set;
};

#define CT_ANY 2

/* Bytes of a key; 0: not built. 255: an address of the direction's family. */
static const uint8_t load_len[] = {
	[NFT_CT_STATE] = 4,
	[NFT_CT_DIRECTION] = 1,
	[NFT_CT_STATUS] = 4,
	[NFT_CT_MARK] = 4,
	[NFT_CT_EXPIRATION] = 4,
	[NFT_CT_L3PROTOCOL] = 1,
	[NFT_CT_SRC] = 255,
	[NFT_CT_DST] = 255,
	[NFT_CT_PROTOCOL] = 1,
	[NFT_CT_PROTO_SRC] = 2,
	[NFT_CT_PROTO_DST] = 2,
	[NFT_CT_PKTS] = 8,
	[NFT_CT_BYTES] = 8,
	[NFT_CT_AVGPKT] = 8,
	[NFT_CT_ZONE] = 2,
	[NFT_CT_SRC_IP] = 4,
	[NFT_CT_DST_IP] = 4,
	[NFT_CT_SRC_IP6] = 16,
	[NFT_CT_DST_IP6] = 16,
	[NFT_CT_ID] = 4,
};

static bool
needs_direction(uint32_t key)
{
	return key == NFT_CT_SRC || key == NFT_CT_DST || key == NFT_CT_PROTO_SRC ||
	       key == NFT_CT_PROTO_DST || (key >= NFT_CT_SRC_IP && key <= NFT_CT_DST_IP6);
}

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct ct *ct = (struct ct *)expr;
	uint32_t key, len;
	int rc = attr_u32(attrs[NFTA_CT_KEY], ctx, &key);

	if (rc != 0)
		return rc;
	ct->set = attrs[NFTA_CT_SREG] != NULL;
	if (ct->set ? key != NFT_CT_MARK : key >= sizeof(load_len) || load_len[key] == 0)
		return attr_refuse(ctx, attrs[NFTA_CT_KEY], -EOPNOTSUPP);
	ct->key = (uint8_t)key;
	ct->dir = CT_ANY;
	if (ct->set)
		return attr_reg(attrs[NFTA_CT_SREG], ctx, 4, &ct->reg);
	if (attrs[NFTA_CT_DIRECTION] != NULL) {
		if (mnl_attr_get_payload_len(attrs[NFTA_CT_DIRECTION]) != 1 ||
			mnl_attr_get_u8(attrs[NFTA_CT_DIRECTION]) > CT_DIR_REPLY)
			return attr_refuse(ctx, attrs[NFTA_CT_DIRECTION], -EINVAL);
		ct->dir = mnl_attr_get_u8(attrs[NFTA_CT_DIRECTION]);
	}
	if (needs_direction(key) && ct->dir == CT_ANY)
		return attr_refuse(ctx, attrs[NFTA_CT_KEY], -EINVAL);
	len = load_len[key];
	if (len == 255) {
		/* Which family's addresses? Only a table of one family can tell. */
		if (ctx->family != NFPROTO_IPV4 && ctx->family != NFPROTO_IPV6)
			return attr_refuse(ctx, attrs[NFTA_CT_KEY], -EINVAL);
		len = ctx->family == NFPROTO_IPV4 ? 4 : 16;
	}
	ct->family = ctx->family;
	return attr_reg(attrs[NFTA_CT_DREG], ctx, len, &ct->reg);
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
	nft_mark(eval, ct->reg, load_len[ct->key] == 255 ? 16 : load_len[ct->key], 0);
	if (ct->key == NFT_CT_EXPIRATION || ct->key == NFT_CT_PKTS || ct->key == NFT_CT_BYTES ||
		ct->key == NFT_CT_AVGPKT)
		nft_bind_to_packet(eval, NFT_INPUT_CT_COUNT);
	if (!load(ct, eval))
		nft_break(eval);
}

bool
ct_load(const struct expr *expr, struct match_key *key, uint8_t *reg)
{
	const struct ct *ct = (const struct ct *)expr;

	*reg = ct->reg;
	*key = (struct match_key){.from = FROM_CT_STATE, .len = 4};
	return !ct->set && ct->key == NFT_CT_STATE;
}

const struct expr_ops expr_ct = {"ct", sizeof(struct ct), NFTA_CT_SREG, parse, evaluate, true};
