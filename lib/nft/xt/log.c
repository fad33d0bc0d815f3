/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LOG: to the event stream (xt_LOG.c).
 */
#include <errno.h>
#include <string.h>

#include <linux/netfilter/nf_log.h>
#include <linux/netfilter/xt_LOG.h>

#include "xt_rows.h"

static int
check(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	const struct xt_log_info *info = (const void *)data;

	if (ctx->family != NFPROTO_IPV4 && ctx->family != NFPROTO_IPV6)
		return -EINVAL;
	if (info->level >= 8 || info->prefix[sizeof(info->prefix) - 1] != '\0')
		return -EINVAL;
	return 0;
}

static void
target(const struct nft_xt_data *data, struct nft_eval *eval)
{
	const struct xt_log_info *info = (const void *)data;

	nft_bind_to_packet(eval, NFT_INPUT_LOG);
	eval->env->log(eval->pkt, info->prefix, info->level, info->logflags & NF_LOG_MASK);
}

const struct nft_xt xt_log_0 = {.name = "LOG",
	.size = sizeof(struct xt_log_info),
	.check = check,
	.target = target,
	.note = "to the event stream, not to a kernel's log"};
