/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * objref: a named object by its name (nft_objref.c). Counters for now.
 */
#include <errno.h>

#include "expr_rows.h"
#include "program.h"

struct objref {
	struct expr head;
	uint32_t state;
};

/* By attribute; the types are nft_objects'. */
static const struct nft_feature features[] = {
	NFT_HAS("counter name NAME", NFTA_OBJREF_IMM_NAME),
	NFT_HAS_NOT(
		"OBJECT name KEY map { … }", NFTA_OBJREF_SET_SREG, "object maps are not built yet"),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct objref *ref = (struct objref *)expr;
	char name[NFT_OBJ_MAXNAMELEN];
	uint32_t type;
	int rc = expr_attributes(features, attrs, NFTA_OBJREF_SET_ID, ctx);

	if (rc == 0)
		rc = attr_u32(attrs[NFTA_OBJREF_IMM_TYPE], ctx, &type);
	if (rc == 0 && !nft_feature_built(nft_objects, type))
		rc = attr_refuse(ctx, attrs[NFTA_OBJREF_IMM_TYPE], -EOPNOTSUPP);
	if (rc == 0)
		rc = attr_string(attrs[NFTA_OBJREF_IMM_NAME], ctx, name, sizeof(name));
	if (rc != 0)
		return rc;
	rc = ctx->object(ctx->owner, name, type, &ref->state);
	return rc == 0 ? 0 : attr_refuse(ctx, attrs[NFTA_OBJREF_IMM_NAME], rc);
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct objref *ref = (const struct objref *)expr;
	struct nft_count *count = &eval->program->states->counters[eval->pkt->worker][ref->state];

	count->packets++;
	count->bytes += eval->pkt->ip_len;
	nft_pass_counter(eval, ref->state);
}

const struct expr_ops expr_objref = {
	"objref", sizeof(struct objref), NFTA_OBJREF_SET_ID, parse, evaluate, false, features};
