/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * match, target: iptables' extensions (nft_compat.c).
 */
#include <errno.h>
#include <string.h>

#include <linux/netfilter/nf_tables_compat.h>

#include "expr_rows.h"
#include "xt.h"

struct compat {
	struct expr head;
	const struct nft_xt *xt;
	struct nft_xt_data data;
};

static const struct nft_feature match_features[] = {
	NFT_HAS("iptables -m EXTENSION", 0, .text = true,
		.note = "those of iptables' extensions, below; others are unknown: ENOENT"),
	NFT_END,
};
static const struct nft_feature target_features[] = {
	NFT_HAS("iptables -j EXTENSION", 0, .text = true,
		.note = "those of iptables' extensions, below; others are unknown: ENOENT"),
	NFT_END,
};

/* xt_check_match, xt_check_target: where the rule stands. */
static int
check_place(const struct nft_xt *xt, const struct expr_ctx *ctx)
{
	/* A base chain's own rules are judged when they come, the others by what reaches them. */
	uint32_t hooks = ctx->compat.own_hooks | ctx->hooks;

	if (xt->table != NULL &&
		(ctx->compat.table == NULL || strcmp(xt->table, ctx->compat.table) != 0))
		return -EINVAL;
	if (xt->table != NULL && strcmp(xt->table, "nat") == 0 &&
		(ctx->chain_type & ~(uint32_t)NFT_KIND_NAT))
		return -EINVAL;
	if (xt->hooks != 0 && (hooks & ~(uint32_t)xt->hooks))
		return -EINVAL;
	if (xt->proto != 0 && (ctx->compat.proto != xt->proto || ctx->compat.invert))
		return -EINVAL;
	return 0;
}

static int
parse(struct compat *c, const struct nlattr *const *attrs, struct expr_ctx *ctx, bool target)
{
	const struct nlattr *info = attrs[NFTA_MATCH_INFO];
	char name[NFT_COMPAT_NAME_MAX];
	uint32_t revision, len;
	int rc;

	if (attrs[NFTA_MATCH_NAME] == NULL || attrs[NFTA_MATCH_REV] == NULL || info == NULL)
		return attr_refuse(ctx, NULL, -EINVAL);
	rc = attr_string(attrs[NFTA_MATCH_NAME], ctx, name, sizeof(name));
	if (rc == 0)
		rc = attr_u32(attrs[NFTA_MATCH_REV], ctx, &revision);
	if (rc != 0)
		return rc;
	/* What a jump does is no target. */
	if (target && (strcmp(name, "ERROR") == 0 || strcmp(name, "standard") == 0))
		return attr_refuse(ctx, NULL, -EINVAL);
	c->xt = nft_xt_find(ctx->family, name, revision, target);
	if (c->xt == NULL)
		return attr_refuse(ctx, NULL, -ENOENT);
	len = mnl_attr_get_payload_len(info);
	if (len < c->xt->size || NFT_XT_ALIGN(len) != NFT_XT_ALIGN(c->xt->size))
		return attr_refuse(ctx, NULL, -EINVAL);
	if (c->xt->size <= NFT_XT_MAX)
		memcpy(c->data.bytes, mnl_attr_get_payload(info), c->xt->size);
	rc = check_place(c->xt, ctx);
	if (rc == 0 && c->xt->check != NULL)
		rc = c->xt->check(&c->data, ctx);
	return rc != 0 ? attr_refuse(ctx, NULL, rc) : 0;
}

static int
parse_match(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	return parse((struct compat *)expr, attrs, ctx, false);
}

static int
parse_target(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	return parse((struct compat *)expr, attrs, ctx, true);
}

static void
evaluate_match(const struct expr *expr, struct nft_eval *eval)
{
	const struct compat *c = (const struct compat *)expr;

	if (!c->xt->match(&c->data, eval) && eval->regs.code == NFT_CONTINUE)
		nft_break(eval);
}

static void
evaluate_target(const struct expr *expr, struct nft_eval *eval)
{
	const struct compat *c = (const struct compat *)expr;

	c->xt->target(&c->data, eval);
}

bool
nft_xt_tracks(const struct expr *expr)
{
	return (expr->ops == &expr_match || expr->ops == &expr_target) &&
	       ((const struct compat *)expr)->xt->tracks;
}

const struct expr_ops expr_match = {"match", sizeof(struct compat), NFTA_MATCH_MAX, parse_match,
	evaluate_match, false, match_features, 0};
const struct expr_ops expr_target = {"target", sizeof(struct compat), NFTA_TARGET_MAX, parse_target,
	evaluate_target, false, target_features, 0};
