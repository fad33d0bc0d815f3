/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connmark, CONNMARK: the connection's mark (xt_connmark.c).
 */
#include <string.h>

#include <linux/netfilter/xt_connmark.h>

#include "xt_rows.h"

static bool
match(const struct nft_xt_data *data, struct nft_eval *eval)
{
	const struct xt_connmark_mtinfo1 *info = (const void *)data;
	uint32_t mark;

	if (!eval->env->ct->mark(eval->pkt, &mark))
		return false;
	return ((mark & info->mask) == info->mark) != (info->invert != 0);
}

static uint32_t
shift(const struct xt_connmark_tginfo2 *info, uint32_t mark)
{
	/* As a processor shifts: by the low bits of the number. */
	return info->shift_dir == D_SHIFT_RIGHT ? mark >> (info->shift_bits & 31)
						: mark << (info->shift_bits & 31);
}

/* A connection's mark that changes is another one for the flow's next packet. */
static void
set(struct nft_eval *eval, uint32_t old, uint32_t new)
{
	if (old == new)
		return;
	nft_bind_to_packet(eval, NFT_INPUT_CT_SET);
	eval->env->ct->set_mark(eval->pkt, new);
}

/* connmark_tg_shift */
static void
target(const struct nft_xt_data *data, struct nft_eval *eval)
{
	const struct xt_connmark_tginfo2 *info = (const void *)data;
	struct pkt *pkt = eval->pkt;
	uint32_t mark;

	if (!eval->env->ct->mark(pkt, &mark))
		return;
	switch (info->mode) {
	case XT_CONNMARK_SET:
		set(eval, mark, shift(info, (mark & ~info->ctmask) ^ info->ctmark));
		break;
	case XT_CONNMARK_SAVE:
		set(eval, mark, (mark & ~info->ctmask) ^ shift(info, pkt->mark & info->nfmask));
		break;
	case XT_CONNMARK_RESTORE:
		pkt->mark = (pkt->mark & ~info->nfmask) ^ shift(info, mark & info->ctmask);
		break;
	default: break;
	}
}

/* Revision 1 is revision 2 that shifts by nothing. */
static int
check_1(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	struct xt_connmark_tginfo1 old;
	struct xt_connmark_tginfo2 new;

	(void)ctx;
	memcpy(&old, data, sizeof(old));
	memset(&new, 0, sizeof(new));
	new.ctmark = old.ctmark;
	new.ctmask = old.ctmask;
	new.nfmask = old.nfmask;
	new.mode = old.mode;
	memcpy(data, &new, sizeof(new));
	return 0;
}

const struct nft_xt xt_connmark_match_1 = {.name = "connmark",
	.revision = 1,
	.size = sizeof(struct xt_connmark_mtinfo1),
	.tracks = true,
	.match = match};
const struct nft_xt xt_connmark_1 = {.name = "CONNMARK",
	.revision = 1,
	.size = sizeof(struct xt_connmark_tginfo1),
	.tracks = true,
	.check = check_1,
	.target = target};
const struct nft_xt xt_connmark_2 = {.name = "CONNMARK",
	.revision = 2,
	.size = sizeof(struct xt_connmark_tginfo2),
	.tracks = true,
	.target = target};
