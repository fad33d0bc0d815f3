/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dynset: packets add elements to sets, renew and remove them (nft_dynset.c).
 */
#include <errno.h>
#include <string.h>

#include "dynamic.h"
#include "expr_rows.h"

struct dynset {
	struct expr head;
	struct nft_dynamic *set;
	uint8_t op; /* enum nft_dynset_ops */
	uint8_t key;
	uint8_t data; /* a register */
	bool map;
	bool invert;
	uint64_t timeout_ns;
};

static const struct nft_feature features[] = {
	NFT_HAS("add @set", NFT_DYNSET_OP_ADD,
		.note = "with `timeout`, and up to two of `counter`, `limit`, `quota`, `last`; "
			"also to maps"),
	NFT_HAS("update @set", NFT_DYNSET_OP_UPDATE, .note = "the same"),
	NFT_HAS("delete @set", NFT_DYNSET_OP_DELETE),
	NFT_END,
};

/* All statements: the set's own say what can be; rules that add to one set say the same. */
static int
parse_statements(struct nft_dynamic *set, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	const struct nlattr *one = attrs[NFTA_DYNSET_EXPR], *many = attrs[NFTA_DYNSET_EXPRESSIONS];
	struct nft_statements said = {0};
	int rc = nft_statements_parse(one, many, ctx, &said);

	if (rc == 0 && said.count != 0 && set->statements.count == 0) {
		set->statements = said;
		return 0;
	}
	if (rc == 0 && said.count != 0 && !nft_statements_same(&said, &set->statements))
		rc = attr_refuse(ctx, one != NULL ? one : many, -EOPNOTSUPP);
	nft_statements_clear(&said);
	return rc;
}

static int
parse_timeout(struct dynset *d, const struct nlattr *attr, uint32_t set_flags, struct expr_ctx *ctx)
{
	uint64_t ms;
	int rc;

	d->timeout_ns = d->set->timeout_ns;
	if (attr == NULL)
		return 0;
	rc = attr_u64(attr, ctx, &ms);
	if (!(set_flags & NFT_SET_TIMEOUT) && !(ctx->dumped && rc == 0 && ms == 0))
		return attr_refuse(ctx, attr, -EOPNOTSUPP);
	if (rc == 0 && ms > UINT32_MAX)
		rc = attr_refuse(ctx, attr, -ERANGE);
	if (rc == 0 && ms != 0)
		d->timeout_ns = ms * 1000000;
	return rc;
}

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct dynset *d = (struct dynset *)expr;
	const struct nlattr *named = attrs[NFTA_DYNSET_SET_NAME];
	uint32_t id, number, key_len, data_len, set_flags, op, flags;
	const struct nft_feature *row;
	char name[NFT_SET_MAXNAMELEN];
	int rc = attr_string(named, ctx, name, sizeof(name));

	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_DYNSET_SET_ID], ctx, 0, &id);
	if (rc == 0)
		rc = attr_u32(attrs[NFTA_DYNSET_OP], ctx, &op);
	if (rc == 0)
		rc = expr_feature(features, op, false, ctx, attrs[NFTA_DYNSET_OP], &row);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_DYNSET_FLAGS], ctx, 0, &flags);
	if (rc == 0 && (flags & ~(uint32_t)(NFT_DYNSET_F_INV | NFT_DYNSET_F_EXPR)))
		rc = attr_refuse(ctx, attrs[NFTA_DYNSET_FLAGS], -EOPNOTSUPP);
	if (rc != 0)
		return rc;
	rc = ctx->set(ctx->owner, name, id, &number, &key_len, &data_len, &set_flags);
	if (rc != 0)
		return attr_refuse(ctx, named, rc);
	d->set = ctx->dynamic != NULL ? ctx->dynamic(ctx->owner, name, id) : NULL;
	if (d->set == NULL)
		return attr_refuse(ctx, named, -EOPNOTSUPP);
	if (set_flags & NFT_SET_CONSTANT)
		return attr_refuse(ctx, named, -EBUSY);
	d->map = attrs[NFTA_DYNSET_SREG_DATA] != NULL;
	if (d->map != ((set_flags & NFT_SET_MAP) != 0))
		return attr_refuse(ctx, named, -EINVAL);
	d->op = (uint8_t)op;
	d->invert = flags & NFT_DYNSET_F_INV;
	rc = attr_load(attrs[NFTA_DYNSET_SREG_KEY], ctx, key_len, &d->key);
	if (rc == 0 && d->map)
		rc = attr_load(attrs[NFTA_DYNSET_SREG_DATA], ctx, data_len, &d->data);
	if (rc == 0)
		rc = parse_timeout(d, attrs[NFTA_DYNSET_TIMEOUT], set_flags, ctx);
	return rc != 0 ? rc : parse_statements(d->set, attrs, ctx);
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct dynset *d = (const struct dynset *)expr;
	const void *key = nft_reg(eval, d->key);
	struct nft_dynamic_elem *elem;
	uint64_t now = eval->pkt->now_ns;
	bool fresh;

	nft_bind_to_packet(eval, NFT_INPUT_SET);
	if (d->op == NFT_DYNSET_OP_DELETE) {
		elem = nft_dynamic_find(d->set, key, now);
		if (elem != NULL)
			nft_dynamic_remove(d->set, elem);
		return;
	}
	elem = nft_dynamic_add(
		d->set, key, d->map ? nft_reg(eval, d->data) : NULL, now, d->timeout_ns, &fresh);
	if (elem == NULL) {
		if (!d->invert)
			nft_break(eval);
		return;
	}
	if (!fresh && d->op == NFT_DYNSET_OP_UPDATE && elem->timeout_ns != 0)
		atomic_store_explicit(&elem->expires_ns, now + d->timeout_ns, memory_order_relaxed);
	if (!nft_dynamic_pass(d->set, elem, now, pkt_len(eval->pkt)) || d->invert)
		nft_break(eval);
}

const struct expr_ops expr_dynset = {"dynset", sizeof(struct dynset), NFTA_DYNSET_EXPRESSIONS,
	parse, evaluate, false, features, 0};
