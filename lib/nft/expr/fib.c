/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fib: what routing says of an address of the packet (nft_fib.c, nft_fib_ipv4.c,
 * nft_fib_ipv6.c), by the environment. Routes that change unsettle every flow, so
 * an answer holds for the flow.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "expr_rows.h"

struct fib {
	struct expr head;
	uint8_t reg;
	uint8_t result; /* enum nft_fib_result */
	uint8_t flags;	/* enum nft_fib_flags */
};

#define EARLY (1 << HOOK_PREROUTING | 1 << HOOK_INPUT | 1 << HOOK_FORWARD)
#define LATE  (1 << HOOK_OUTPUT | 1 << HOOK_POSTROUTING | 1 << HOOK_FORWARD)

static const struct nft_feature features[] = {
	NFT_HAS("fib oif", NFT_FIB_RESULT_OIF, .hooks = EARLY),
	NFT_HAS("fib oifname", NFT_FIB_RESULT_OIFNAME, .hooks = EARLY),
	NFT_HAS("fib type", NFT_FIB_RESULT_ADDRTYPE,
		.note = "with `iif` not after forward, with `oif` not before it"),
	NFT_END,
};

/* Whether the flags go together (nft_fib_init). */
static bool
flags_valid(uint32_t flags)
{
	uint32_t address = flags & (NFTA_FIB_F_SADDR | NFTA_FIB_F_DADDR);
	uint32_t port = flags & (NFTA_FIB_F_IIF | NFTA_FIB_F_OIF);

	return (address == NFTA_FIB_F_SADDR || address == NFTA_FIB_F_DADDR) &&
	       port != (NFTA_FIB_F_IIF | NFTA_FIB_F_OIF) &&
	       (flags & ~(uint32_t)(NFTA_FIB_F_SADDR | NFTA_FIB_F_DADDR | NFTA_FIB_F_MARK |
				    NFTA_FIB_F_IIF | NFTA_FIB_F_OIF | NFTA_FIB_F_PRESENT)) == 0;
}

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct fib *fib = (struct fib *)expr;
	const struct nft_feature *row;
	uint32_t result, flags = 0;
	int rc = attr_u32(attrs[NFTA_FIB_RESULT], ctx, &result);

	if (rc == 0)
		rc = attr_u32(attrs[NFTA_FIB_FLAGS], ctx, &flags);
	if (rc == 0 && !flags_valid(flags))
		rc = attr_refuse(ctx, attrs[NFTA_FIB_FLAGS], -EINVAL);
	if (rc == 0)
		rc = expr_feature(features, result, false, ctx, attrs[NFTA_FIB_RESULT], &row);
	if (rc == 0 && result == NFT_FIB_RESULT_OIF && (flags & NFTA_FIB_F_OIF))
		rc = attr_refuse(ctx, attrs[NFTA_FIB_FLAGS], -EINVAL);
	if (rc == 0 && result == NFT_FIB_RESULT_ADDRTYPE &&
		(((flags & NFTA_FIB_F_IIF) && (ctx->hooks & ~(uint32_t)EARLY)) ||
			((flags & NFTA_FIB_F_OIF) && (ctx->hooks & ~(uint32_t)LATE))))
		rc = attr_refuse(ctx, NULL, -EOPNOTSUPP);
	/* No route asks for a mark here. */
	if (rc == 0)
		rc = attr_reg(attrs[NFTA_FIB_DREG], ctx,
			result == NFT_FIB_RESULT_OIFNAME ? IFNAMSIZ : 4, &fib->reg);
	if (rc != 0)
		return rc;
	fib->result = (uint8_t)result;
	fib->flags = (uint8_t)flags;
	return 0;
}

/* The port that the question is about, PORT_NONE: any. */
static uint16_t
port_of(const struct fib *fib, const struct pkt *pkt)
{
	if (fib->flags & NFTA_FIB_F_IIF)
		return pkt_in(pkt);
	return fib->flags & NFTA_FIB_F_OIF ? pkt->out_port : PORT_NONE;
}

/* nft_fib_store_result */
static void
store_port(const struct fib *fib, struct nft_eval *eval, uint16_t port)
{
	if (fib->flags & NFTA_FIB_F_PRESENT) {
		nft_store(eval, fib->reg, port != PORT_NONE);
		return;
	}
	if (fib->result == NFT_FIB_RESULT_OIF) {
		nft_store(eval, fib->reg, port != PORT_NONE ? eval->env->port_index(port) : 0);
		return;
	}
	memset(nft_reg(eval, fib->reg), 0, IFNAMSIZ);
	if (port != PORT_NONE)
		memcpy(nft_reg(eval, fib->reg), eval->env->port_name(port), IFNAMSIZ);
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct fib *fib = (const struct fib *)expr;
	const struct pkt *pkt = eval->pkt;
	bool source = fib->flags & NFTA_FIB_F_SADDR;
	const union address *address = source ? &pkt->tuple.src : &pkt->tuple.dst;

	/* nft_fib_netdev_eval: of anything else there is no answer. */
	if (pkt_is_other(pkt)) {
		nft_break(eval);
		return;
	}
	nft_mark(eval, fib->reg, fib->result == NFT_FIB_RESULT_OIFNAME ? IFNAMSIZ : 4, 0);
	if (fib->result == NFT_FIB_RESULT_ADDRTYPE)
		nft_store(eval, fib->reg, eval->env->fib_type(pkt, address, port_of(fib, pkt)));
	else
		store_port(fib, eval, eval->env->fib_port(pkt, address, port_of(fib, pkt)));
}

const struct expr_ops expr_fib = {"fib", sizeof(struct fib), NFTA_FIB_FLAGS, parse, evaluate, false,
	features, NFT_ON_IP | NFT_ON_IP6 | NFT_ON_INET | NFT_ON_NETDEV};
