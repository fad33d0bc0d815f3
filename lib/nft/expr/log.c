/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log: to the event stream (nft_log.c).
 */
#include <errno.h>

#include "expr_rows.h"

struct log {
	struct expr head;
	uint32_t level;
	char prefix[128]; /* NF_LOG_PREFIXLEN */
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct log *log = (struct log *)expr;
	int rc = attr_u32_or(attrs[NFTA_LOG_LEVEL], ctx, 4, &log->level);

	/* Groups, snap lengths and thresholds are nfnetlink_log's: not built yet. */
	if (attrs[NFTA_LOG_GROUP] != NULL)
		return attr_refuse(ctx, attrs[NFTA_LOG_GROUP], -EOPNOTSUPP);
	if (rc == 0 && log->level > NFT_LOGLEVEL_MAX)
		rc = attr_refuse(ctx, attrs[NFTA_LOG_LEVEL], -EINVAL);
	if (rc == 0 && attrs[NFTA_LOG_PREFIX] != NULL)
		rc = attr_string(attrs[NFTA_LOG_PREFIX], ctx, log->prefix, sizeof(log->prefix));
	return rc;
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct log *log = (const struct log *)expr;

	nft_bind_to_packet(eval, NFT_INPUT_LOG);
	eval->env->log(eval->pkt, log->prefix, log->level);
}

const struct expr_ops expr_log = {"log", sizeof(struct log), NFTA_LOG_MAX, parse, evaluate, false};
