/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CT, NOTRACK: what conntrack is to do with the packet (xt_CT.c).
 */
#include <errno.h>

#include <linux/netfilter/xt_CT.h>

#include "xt_rows.h"

/* Zones, helpers, timeouts and event masks are not built: only --notrack is taken. */
static int
check(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	const struct xt_ct_target_info *info = (const void *)data;

	(void)ctx;
	if (info->flags & ~XT_CT_MASK)
		return -EINVAL;
	return info->flags & XT_CT_NOTRACK ? 0 : -EOPNOTSUPP;
}

static int
check_0(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	const struct xt_ct_target_info *info = (const void *)data;

	return info->flags & ~XT_CT_NOTRACK ? -EINVAL : check(data, ctx);
}

static void
target(const struct nft_xt_data *data, struct nft_eval *eval)
{
	(void)data;
	eval->env->ct->notrack(eval->pkt);
}

#define NOTE "`--notrack` only; others EOPNOTSUPP"

const struct nft_xt xt_ct_0 = {.name = "CT",
	.size = sizeof(struct xt_ct_target_info),
	.shown = offsetof(struct xt_ct_target_info, ct),
	.table = "raw",
	.check = check_0,
	.target = target,
	.note = NOTE};
const struct nft_xt xt_ct_1 = {.name = "CT",
	.revision = 1,
	.size = sizeof(struct xt_ct_target_info_v1),
	.shown = offsetof(struct xt_ct_target_info_v1, ct),
	.table = "raw",
	.check = check,
	.target = target,
	.note = NOTE};
const struct nft_xt xt_ct_2 = {.name = "CT",
	.revision = 2,
	.size = sizeof(struct xt_ct_target_info_v1),
	.shown = offsetof(struct xt_ct_target_info_v1, ct),
	.table = "raw",
	.check = check,
	.target = target,
	.note = NOTE};
const struct nft_xt xt_notrack_0 = {.name = "NOTRACK", .table = "raw", .target = target};
