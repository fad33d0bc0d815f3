/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log: to the event stream (nft_log.c).
 */
#include <errno.h>

#include <linux/netfilter/nf_log.h>

#include "expr_rows.h"

struct log {
	struct expr head;
	uint32_t level;
	uint32_t flags;	  /* NF_LOG_* */
	char prefix[128]; /* NF_LOG_PREFIXLEN */
};

/* By attribute. Groups, snap lengths and thresholds are nfnetlink_log's. */
static const struct nft_feature features[] = {
	NFT_HAS("log prefix TEXT", NFTA_LOG_PREFIX,
		.note = "to the event stream, not to a kernel's log"),
	NFT_HAS("log level LEVEL", NFTA_LOG_LEVEL, .note = "a field of the event; so is `audit`"),
	NFT_HAS_NOT("log group N", NFTA_LOG_GROUP, "not built yet"),
	NFT_HAS_NOT("log snaplen N", NFTA_LOG_SNAPLEN, "not built yet"),
	NFT_HAS_NOT("log queue-threshold N", NFTA_LOG_QTHRESHOLD, "not built yet"),
	NFT_HAS("log flags FLAGS", NFTA_LOG_FLAGS,
		.note = "fields of the event; `skuid` has none, a packet has no socket here"),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct log *log = (struct log *)expr;
	int rc = attr_u32_or(attrs[NFTA_LOG_LEVEL], ctx, 4, &log->level);

	if (rc == 0)
		rc = expr_attributes(features, attrs, NFTA_LOG_MAX, ctx);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_LOG_FLAGS], ctx, 0, &log->flags);
	if (rc == 0 && (log->flags & ~(uint32_t)NF_LOG_MASK))
		rc = attr_refuse(ctx, attrs[NFTA_LOG_FLAGS], -EINVAL);
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
	eval->env->log(eval->pkt, log->prefix, log->level, log->flags);
}

const struct expr_ops expr_log = {
	"log", sizeof(struct log), NFTA_LOG_MAX, parse, evaluate, false, features, 0};
