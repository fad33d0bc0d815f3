/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mark, MARK: the packet's mark (xt_mark.c).
 */
#include <errno.h>

#include <linux/netfilter/xt_mark.h>

#include "xt_rows.h"

static bool
match(const struct nft_xt_data *data, struct nft_eval *eval)
{
	const struct xt_mark_mtinfo1 *info = (const void *)data;

	return ((eval->pkt->mark & info->mask) == info->mark) != (info->invert != 0);
}

static void
target(const struct nft_xt_data *data, struct nft_eval *eval)
{
	const struct xt_mark_tginfo2 *info = (const void *)data;

	eval->pkt->mark = (eval->pkt->mark & ~info->mask) ^ info->mark;
}

/* invert is one bit of truth: another value is taken as Linux's bool does, for true. */
const struct nft_xt xt_mark_match_1 = {
	.name = "mark", .revision = 1, .size = sizeof(struct xt_mark_mtinfo1), .match = match};
const struct nft_xt xt_mark_2 = {
	.name = "MARK", .revision = 2, .size = sizeof(struct xt_mark_tginfo2), .target = target};
