/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dynset: packets add elements to sets, renew and remove them (nft_dynset.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dynamic.h"
#include "expr_rows.h"

/* Attributes that a statement may have. */
#define ATTRS 16

struct dynset {
	struct expr head;
	struct nft_dynamic *set;
	uint8_t op; /* enum nft_dynset_ops */
	uint8_t key;
	bool invert;
	uint64_t timeout_ns;
};

static const struct nft_feature features[] = {
	NFT_HAS("add @set", NFT_DYNSET_OP_ADD,
		.note = "with `timeout`, and up to two of `counter` and `limit`; not to maps"),
	NFT_HAS("update @set", NFT_DYNSET_OP_UPDATE, .note = "the same"),
	NFT_HAS("delete @set", NFT_DYNSET_OP_DELETE),
	NFT_END,
};

/* A statement of every element: counter or limit. */
static int
parse_one(const struct nlattr *nest, struct expr_ctx *ctx, struct nft_dynamic_expr *out)
{
	const struct nlattr *attrs[ATTRS + 1] = {0}, *attr, *data = NULL;
	char name[16] = "";

	mnl_attr_for_each_nested (attr, nest) {
		if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME &&
			attr_string(attr, ctx, name, sizeof(name)) != 0)
			return -EINVAL;
		if (mnl_attr_get_type(attr) == NFTA_EXPR_DATA)
			data = attr;
	}
	if (strcmp(name, "counter") == 0) {
		out->kind = NFT_DYNAMIC_COUNTER;
		return 0;
	}
	if (strcmp(name, "limit") != 0 || data == NULL)
		return attr_refuse(ctx, nest, -EOPNOTSUPP);
	mnl_attr_for_each_nested (attr, data) {
		if (mnl_attr_get_type(attr) <= ATTRS)
			attrs[mnl_attr_get_type(attr)] = attr;
	}
	out->kind = NFT_DYNAMIC_LIMIT;
	return limit_parse(&out->limit, attrs, ctx);
}

/* All statements; and what netlink says of them, to be said again. */
static int
parse_exprs(struct nft_dynamic *set, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct nft_dynamic_expr exprs[NFT_DYNAMIC_EXPRS];
	const struct nlattr *one = attrs[NFTA_DYNSET_EXPR], *many = attrs[NFTA_DYNSET_EXPRESSIONS];
	const struct nlattr *kept = one != NULL ? one : many, *nest;
	uint32_t count = 0;
	int rc = 0;

	if (kept == NULL)
		return 0;
	memset(exprs, 0, sizeof(exprs));
	if (one != NULL) {
		rc = parse_one(one, ctx, &exprs[count++]);
	} else {
		mnl_attr_for_each_nested (nest, many) {
			if (count == NFT_DYNAMIC_EXPRS)
				return attr_refuse(ctx, nest, -EOPNOTSUPP);
			rc = rc == 0 ? parse_one(nest, ctx, &exprs[count++]) : rc;
		}
	}
	if (rc != 0)
		return rc;
	/* Rules that add to one set say the same. */
	if (set->expr_attrs != NULL)
		return set->expr_count == count && memcmp(set->exprs, exprs, sizeof(exprs)) == 0
			       ? 0
			       : attr_refuse(ctx, kept, -EOPNOTSUPP);
	set->expr_attrs = malloc(kept->nla_len);
	if (set->expr_attrs == NULL)
		return -ENOMEM;
	memcpy(set->expr_attrs, kept, kept->nla_len);
	((struct nlattr *)set->expr_attrs)->nla_type =
		(uint16_t)(NLA_F_NESTED |
			   (one != NULL ? NFTA_SET_ELEM_EXPR : NFTA_SET_ELEM_EXPRESSIONS));
	memcpy(set->exprs, exprs, sizeof(exprs));
	set->expr_count = count;
	return 0;
}

static int
parse_timeout(struct dynset *d, const struct nlattr *attr, uint32_t set_flags, struct expr_ctx *ctx)
{
	uint64_t ms;
	int rc;

	d->timeout_ns = d->set->timeout_ns;
	if (attr == NULL)
		return 0;
	if (!(set_flags & NFT_SET_TIMEOUT))
		return attr_refuse(ctx, attr, -EOPNOTSUPP);
	rc = attr_u64(attr, ctx, &ms);
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
	if (set_flags & NFT_SET_CONSTANT)
		return attr_refuse(ctx, named, -EBUSY);
	d->set = ctx->dynamic != NULL ? ctx->dynamic(ctx->owner, name, id) : NULL;
	if (d->set == NULL || attrs[NFTA_DYNSET_SREG_DATA] != NULL)
		return attr_refuse(ctx, named, -EOPNOTSUPP);
	d->op = (uint8_t)op;
	d->invert = flags & NFT_DYNSET_F_INV;
	rc = attr_reg(attrs[NFTA_DYNSET_SREG_KEY], ctx, key_len, &d->key);
	if (rc == 0)
		rc = parse_timeout(d, attrs[NFTA_DYNSET_TIMEOUT], set_flags, ctx);
	return rc != 0 ? rc : parse_exprs(d->set, attrs, ctx);
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
	elem = nft_dynamic_add(d->set, key, now, d->timeout_ns, &fresh);
	if (elem == NULL) {
		if (!d->invert)
			nft_break(eval);
		return;
	}
	if (!fresh && d->op == NFT_DYNSET_OP_UPDATE && elem->timeout_ns != 0)
		atomic_store_explicit(&elem->expires_ns, now + d->timeout_ns, memory_order_relaxed);
	if (!nft_dynamic_pass(d->set, elem, now, eval->pkt->ip_len) || d->invert)
		nft_break(eval);
}

const struct expr_ops expr_dynset = {
	"dynset", sizeof(struct dynset), NFTA_DYNSET_EXPRESSIONS, parse, evaluate, false, features};
