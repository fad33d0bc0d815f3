/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conntrack, state: what conntrack knows of the packet's connection
 * (xt_conntrack.c, xt_state.c).
 */
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_state.h>

#include "xt_rows.h"

/* The bits of a state are those of `ct state`, but for untracked. */
static uint32_t
state_bit(const struct nft_eval *eval, uint32_t untracked)
{
	uint32_t state = eval->env->ct->state(eval->pkt);

	return state & CT_STATE_UNTRACKED ? untracked : state;
}

/* Whether a field does not say what is asked of it. */
static bool
fails(const struct xt_conntrack_mtinfo3 *info, uint16_t what, bool is)
{
	return (info->match_flags & what) && is == ((info->invert_flags & what) != 0);
}

static bool
same_address(const struct nft_eval *eval, const union address *a, const union nf_inet_addr *b,
	const union nf_inet_addr *mask)
{
	unsigned int words = eval->pkt->flags & PKT_IPV6 ? 4 : 1;
	uint32_t is[4];

	memcpy(is, a, words * sizeof(is[0]));
	for (unsigned int i = 0; i < words; i++)
		if ((is[i] ^ b->all[i]) & mask->all[i])
			return false;
	return true;
}

static bool
in_range(uint16_t from, uint16_t to, rte_be16_t port)
{
	return rte_be_to_cpu_16(port) >= from && rte_be_to_cpu_16(port) <= to;
}

/* conntrack_mt_origsrc and its like, ct_proto_port_check_v3. */
static bool
tuples_fail(const struct xt_conntrack_mtinfo3 *info, const struct nft_eval *eval)
{
	const struct ct_ops *ct = eval->env->ct;
	struct tuple o, r;

	if (!ct->tuple(eval->pkt, CT_DIR_ORIGINAL, &o) || !ct->tuple(eval->pkt, CT_DIR_REPLY, &r))
		return true;
	return fails(info, XT_CONNTRACK_ORIGSRC,
		       same_address(eval, &o.src, &info->origsrc_addr, &info->origsrc_mask)) ||
	       fails(info, XT_CONNTRACK_ORIGDST,
		       same_address(eval, &o.dst, &info->origdst_addr, &info->origdst_mask)) ||
	       fails(info, XT_CONNTRACK_REPLSRC,
		       same_address(eval, &r.src, &info->replsrc_addr, &info->replsrc_mask)) ||
	       fails(info, XT_CONNTRACK_REPLDST,
		       same_address(eval, &r.dst, &info->repldst_addr, &info->repldst_mask)) ||
	       fails(info, XT_CONNTRACK_PROTO, o.proto == info->l4proto) ||
	       fails(info, XT_CONNTRACK_ORIGSRC_PORT,
		       in_range(info->origsrc_port, info->origsrc_port_high, o.sport)) ||
	       fails(info, XT_CONNTRACK_ORIGDST_PORT,
		       in_range(info->origdst_port, info->origdst_port_high, o.dport)) ||
	       fails(info, XT_CONNTRACK_REPLSRC_PORT,
		       in_range(info->replsrc_port, info->replsrc_port_high, r.sport)) ||
	       fails(info, XT_CONNTRACK_REPLDST_PORT,
		       in_range(info->repldst_port, info->repldst_port_high, r.dport));
}

static bool
status_fails(const struct xt_conntrack_mtinfo3 *info, struct nft_eval *eval, uint32_t status)
{
	if (!(info->match_flags & XT_CONNTRACK_STATUS))
		return false;
	/* A UDP stream becomes assured by a packet that need not come this way. */
	if (eval->pkt->l4_proto == IPPROTO_UDP && (info->status_mask & ~status & CT_ASSURED))
		nft_bind_to_packet(eval, NFT_INPUT_PAYLOAD);
	return fails(info, XT_CONNTRACK_STATUS, (info->status_mask & status) != 0);
}

static bool
expires_fails(const struct xt_conntrack_mtinfo3 *info, struct nft_eval *eval)
{
	uint32_t ms;

	if (!(info->match_flags & XT_CONNTRACK_EXPIRES))
		return false;
	nft_bind_to_packet(eval, NFT_INPUT_CT_COUNT);
	return !eval->env->ct->expiration(eval->pkt, &ms) ||
	       fails(info, XT_CONNTRACK_EXPIRES,
		       ms / 1000 >= info->expires_min && ms / 1000 <= info->expires_max);
}

/* conntrack_mt */
static bool
match(const struct nft_xt_data *data, struct nft_eval *eval)
{
	const struct xt_conntrack_mtinfo3 *info = (const void *)data;
	uint32_t state = state_bit(eval, XT_CONNTRACK_STATE_UNTRACKED), status = 0;
	bool connection = eval->env->ct->status(eval->pkt, &status);
	enum ct_dir dir;

	if (connection && (status & CT_SRC_NAT))
		state |= XT_CONNTRACK_STATE_SNAT;
	if (connection && (status & CT_DST_NAT))
		state |= XT_CONNTRACK_STATE_DNAT;
	if (fails(info, XT_CONNTRACK_STATE, (info->state_mask & state) != 0))
		return false;
	if (!connection)
		return info->match_flags & XT_CONNTRACK_STATE;
	if ((info->match_flags & XT_CONNTRACK_DIRECTION) &&
		(!eval->env->ct->direction(eval->pkt, &dir) ||
			fails(info, XT_CONNTRACK_DIRECTION, dir == CT_DIR_ORIGINAL)))
		return false;
	return !tuples_fail(info, eval) && !status_fails(info, eval, status) &&
	       !expires_fails(info, eval);
}

/* Ports of the older ones are single, in network order. */
static void
single_ports(struct xt_conntrack_mtinfo3 *new, const struct xt_conntrack_mtinfo2 *old)
{
	new->origsrc_port = new->origsrc_port_high = rte_be_to_cpu_16(old->origsrc_port);
	new->origdst_port = new->origdst_port_high = rte_be_to_cpu_16(old->origdst_port);
	new->replsrc_port = new->replsrc_port_high = rte_be_to_cpu_16(old->replsrc_port);
	new->repldst_port = new->repldst_port_high = rte_be_to_cpu_16(old->repldst_port);
}

static int
check_2(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	struct xt_conntrack_mtinfo2 old;
	struct xt_conntrack_mtinfo3 *new = (void *)data;

	(void)ctx;
	memcpy(&old, data, sizeof(old));
	single_ports(new, &old);
	return 0;
}

static int
check_1(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	struct xt_conntrack_mtinfo1 old;
	struct xt_conntrack_mtinfo2 *new = (void *)data;

	memcpy(&old, data, sizeof(old));
	new->state_mask = old.state_mask;
	new->status_mask = old.status_mask;
	return check_2(data, ctx);
}

/* xt_state's state_mt */
static bool
match_state(const struct nft_xt_data *data, struct nft_eval *eval)
{
	const struct xt_state_info *info = (const void *)data;

	return info->statemask & state_bit(eval, XT_STATE_UNTRACKED);
}

const struct nft_xt xt_conntrack_1 = {.name = "conntrack",
	.revision = 1,
	.size = sizeof(struct xt_conntrack_mtinfo1),
	.tracks = true,
	.check = check_1,
	.match = match};
const struct nft_xt xt_conntrack_2 = {.name = "conntrack",
	.revision = 2,
	.size = sizeof(struct xt_conntrack_mtinfo2),
	.tracks = true,
	.check = check_2,
	.match = match};
const struct nft_xt xt_conntrack_3 = {.name = "conntrack",
	.revision = 3,
	.size = sizeof(struct xt_conntrack_mtinfo3),
	.tracks = true,
	.match = match};
const struct nft_xt xt_state_0 = {.name = "state",
	.size = sizeof(struct xt_state_info),
	.tracks = true,
	.match = match_state};
