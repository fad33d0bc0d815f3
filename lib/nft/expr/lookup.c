/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lookup: a set's membership, a map's data, a verdict map's verdict (nft_lookup.c).
 */
#include <errno.h>
#include <string.h>

#include "dynamic.h"
#include "expr_rows.h"
#include "program.h"

struct lookup {
	struct expr head;
	uint32_t set;
	uint8_t from;
	uint8_t to;
	uint8_t data_len;
	bool invert;
	bool map;
	bool verdict;
};

/* By the attribute that asks for it; without a destination it is a test. */
static const struct nft_feature features[] = {
	NFT_HAS("in a set", NFTA_LOOKUP_SET, .note = "named or `{ … }`, also `!=`"),
	NFT_HAS("map, vmap", NFTA_LOOKUP_DREG, .note = "a miss of a vmap goes on to the next rule"),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct lookup *l = (struct lookup *)expr;
	char name[NFT_SET_MAXNAMELEN];
	uint32_t id, flags, reg, key_len, data_len, set_flags;
	int rc = attr_string(attrs[NFTA_LOOKUP_SET], ctx, name, sizeof(name));

	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_LOOKUP_SET_ID], ctx, 0, &id);
	if (rc == 0) {
		rc = ctx->set(ctx->owner, name, id, &l->set, &key_len, &data_len, &set_flags);
		if (rc != 0)
			return attr_refuse(ctx, attrs[NFTA_LOOKUP_SET], rc);
		rc = attr_load(attrs[NFTA_LOOKUP_SREG], ctx, key_len, &l->from);
	}
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_LOOKUP_FLAGS], ctx, 0, &flags);
	if (rc == 0 && (flags & ~(uint32_t)NFT_LOOKUP_F_INV))
		rc = attr_refuse(ctx, attrs[NFTA_LOOKUP_FLAGS], -EINVAL);
	if (rc != 0)
		return rc;
	l->invert = (flags & NFT_LOOKUP_F_INV) != 0;
	l->map = attrs[NFTA_LOOKUP_DREG] != NULL;
	if (!l->map)
		return 0;
	if (l->invert || !(set_flags & NFT_SET_MAP))
		return attr_refuse(ctx, attrs[NFTA_LOOKUP_DREG], -EINVAL);
	rc = attr_u32(attrs[NFTA_LOOKUP_DREG], ctx, &reg);
	if (rc != 0)
		return rc;
	l->verdict = reg == NFT_REG_VERDICT;
	l->data_len = (uint8_t)data_len;
	return l->verdict ? 0 : attr_reg(attrs[NFTA_LOOKUP_DREG], ctx, data_len, &l->to);
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct lookup *l = (const struct lookup *)expr;
	const struct nft_set *set = eval->program->sets[l->set];
	const void *key = nft_reg(eval, l->from);
	uint64_t now = eval->pkt->now_ns;
	const struct nft_elem *elem = nft_set_find(set, key, eval->program->generation, now);
	struct nft_dynamic_elem *added = NULL;

	nft_test(eval, l->from, set->key_len);
	if (set->changes)
		nft_bind_to_packet(eval, NFT_INPUT_SET);
	if (set->dynamic != NULL && elem == NULL)
		added = nft_dynamic_find(set->dynamic, key, now);
	if ((elem != NULL || added != NULL) == l->invert) {
		nft_break(eval);
		return;
	}
	if (l->map && l->verdict && elem != NULL) {
		eval->regs.code = elem->verdict.code;
		eval->regs.chain = elem->verdict.chain;
	} else if (l->map && !l->verdict) {
		memset(nft_reg(eval, l->to), 0, (l->data_len + 3U) / 4 * 4);
		memcpy(nft_reg(eval, l->to),
			elem != NULL ? nft_elem_data(set, elem)
				     : nft_dynamic_data(set->dynamic, added),
			l->data_len);
		nft_mark(eval, l->to, l->data_len, 0);
	}
	/* The statements of the element that was found (nft_set_elem_update_expr). */
	if (added != NULL && !nft_dynamic_pass(set->dynamic, added, now, pkt_len(eval->pkt)))
		nft_break(eval);
	if (elem != NULL && elem->statements != NULL)
		nft_run_statements(eval, elem->statements);
}

const struct expr_ops expr_lookup = {
	"lookup", sizeof(struct lookup), NFTA_LOOKUP_FLAGS, parse, evaluate, false, features, 0};
