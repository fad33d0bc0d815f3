/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flow_offload: `flow add @ft`, a permission (nft_flow_offload.c).
 */
#include <errno.h>

#include "expr_rows.h"
#include "program.h"

struct flow_offload {
	struct expr head;
	uint32_t flowtable;
};

/* What is at work here is the place: nft_flow_offload_validate, forward chains only. */
static const struct nft_feature features[] = {
	NFT_HAS("flow add @FLOWTABLE", 0, .hooks = 1 << HOOK_FORWARD,
		.note = "a permission: the connection may go to the NIC (doc/differences.md)"),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct flow_offload *flow = (struct flow_offload *)expr;
	const struct nft_feature *row;
	char name[NFT_NAME_MAXLEN];
	int rc = attr_string(attrs[NFTA_FLOW_TABLE_NAME], ctx, name, sizeof(name));

	if (rc != 0)
		return rc;
	rc = expr_feature(features, 0, false, ctx, NULL, &row);
	if (rc != 0)
		return rc;
	rc = ctx->object(ctx->owner, name, NFT_OBJECT_UNSPEC, &flow->flowtable);
	return rc == 0 ? 0 : attr_refuse(ctx, attrs[NFTA_FLOW_TABLE_NAME], rc);
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct flow_offload *flow = (const struct flow_offload *)expr;

	uint64_t ports = eval->program->flowtables[flow->flowtable];

	if (!eval->env->ct->flow_add(eval->pkt, flow->flowtable))
		nft_break(eval);
	else if (eval->trail != NULL && eval->pkt->in_port < 64 &&
		 (ports >> eval->pkt->in_port & 1))
		eval->trail->permit = true;
}

const struct expr_ops expr_flow_offload = {"flow_offload", sizeof(struct flow_offload),
	NFTA_FLOW_MAX, parse, evaluate, true, features, 0};
