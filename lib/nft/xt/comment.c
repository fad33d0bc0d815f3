/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * comment: for who reads the rules (xt_comment.c).
 */
#include <linux/netfilter/xt_comment.h>

#include "xt_rows.h"

static bool
match(const struct nft_xt_data *data, struct nft_eval *eval)
{
	(void)data;
	(void)eval;
	return true;
}

const struct nft_xt xt_comment_0 = {
	.name = "comment", .size = sizeof(struct xt_comment_info), .match = match};
