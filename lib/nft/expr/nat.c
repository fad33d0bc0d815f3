/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nat, masq, redir: bind an end of the connection (nft_nat.c, nft_masq.c,
 * nft_redir.c). Only in chains of type nat.
 */
#include <errno.h>
#include <string.h>

#include "expr_rows.h"

/* A register that a statement may name. */
struct operand {
	bool given;
	uint8_t reg;
};

struct nat {
	struct expr head;
	uint8_t manip; /* enum nat_manip */
	uint8_t family;
	uint8_t address_len;
	uint32_t flags;
	struct operand min_addr, max_addr, min_port, max_port;
};

#define FLAGS                                                                                      \
	(NAT_RANGE_MAP_IPS | NAT_RANGE_PROTO_SPECIFIED | NAT_RANGE_PROTO_RANDOM |                  \
		NAT_RANGE_PROTO_RANDOM_FULLY | NAT_RANGE_PERSISTENT | NAT_RANGE_NETMAP)

static int
parse_operand(const struct nlattr *attr, struct expr_ctx *ctx, uint32_t len, struct operand *out)
{
	out->given = attr != NULL;
	return attr == NULL ? 0 : attr_load(attr, ctx, len, &out->reg);
}

/* Ports: a single one stands for both ends of the range. */
static int
parse_ports(struct nat *nat, const struct nlattr *min, const struct nlattr *max,
	const struct nlattr *flags, struct expr_ctx *ctx)
{
	int rc = parse_operand(min, ctx, 2, &nat->min_port);

	if (rc == 0)
		rc = parse_operand(max != NULL ? max : min, ctx, 2, &nat->max_port);
	if (rc == 0 && min == NULL && max != NULL)
		rc = attr_refuse(ctx, max, -EINVAL);
	if (rc == 0)
		rc = attr_u32_or(flags, ctx, 0, &nat->flags);
	if (rc == 0 && (nat->flags & ~(uint32_t)FLAGS))
		rc = attr_refuse(ctx, flags, -EOPNOTSUPP);
	return rc;
}

#define SRC_HOOKS (1 << HOOK_POSTROUTING | 1 << HOOK_INPUT)
#define DST_HOOKS (1 << HOOK_PREROUTING | 1 << HOOK_OUTPUT)

/* Which chains may bind which end (nft_nat_validate and its like). */
static const struct nft_feature nat_features[] = {
	NFT_HAS("snat to", NFT_NAT_SNAT, .hooks = SRC_HOOKS, .kinds = NFT_KIND_NAT),
	NFT_HAS("dnat to", NFT_NAT_DNAT, .hooks = DST_HOOKS, .kinds = NFT_KIND_NAT),
	NFT_HAS("snat, dnat prefix to", 0, .text = true),
	NFT_END,
};
static const struct nft_feature masq_features[] = {
	NFT_HAS("masquerade", 0, .hooks = 1 << HOOK_POSTROUTING, .kinds = NFT_KIND_NAT),
	NFT_END,
};
static const struct nft_feature redir_features[] = {
	NFT_HAS("redirect", 0, .hooks = DST_HOOKS, .kinds = NFT_KIND_NAT),
	NFT_END,
};

static int
parse_nat(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct nat *nat = (struct nat *)expr;
	const struct nft_feature *row;
	uint32_t type, family = 0;
	int rc = attr_u32(attrs[NFTA_NAT_TYPE], ctx, &type);

	if (rc == 0)
		rc = expr_feature(nat_features, type, false, ctx, attrs[NFTA_NAT_TYPE], &row);
	if (rc == 0)
		rc = attr_u32(attrs[NFTA_NAT_FAMILY], ctx, &family);
	if (rc == 0 && ctx->family != NFPROTO_INET && family != ctx->family)
		rc = attr_refuse(ctx, attrs[NFTA_NAT_FAMILY], -EOPNOTSUPP);
	/* Of either family: ports alone. */
	if (rc == 0 && family != NFPROTO_IPV4 && family != NFPROTO_IPV6 &&
		attrs[NFTA_NAT_REG_ADDR_MIN] != NULL)
		rc = attr_refuse(ctx, attrs[NFTA_NAT_FAMILY], -EAFNOSUPPORT);
	if (rc != 0)
		return rc;
	nat->manip = type == NFT_NAT_SNAT ? NAT_MANIP_SRC : NAT_MANIP_DST;
	nat->family = (uint8_t)family;
	nat->address_len = family == NFPROTO_IPV4 ? 4 : 16;
	rc = parse_operand(attrs[NFTA_NAT_REG_ADDR_MIN], ctx, nat->address_len, &nat->min_addr);
	if (rc == 0)
		rc = parse_operand(attrs[NFTA_NAT_REG_ADDR_MAX] != NULL
					   ? attrs[NFTA_NAT_REG_ADDR_MAX]
					   : attrs[NFTA_NAT_REG_ADDR_MIN],
			ctx, nat->address_len, &nat->max_addr);
	return rc != 0 ? rc
		       : parse_ports(nat, attrs[NFTA_NAT_REG_PROTO_MIN],
				 attrs[NFTA_NAT_REG_PROTO_MAX], attrs[NFTA_NAT_FLAGS], ctx);
}

static int
parse_masq(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct nat *nat = (struct nat *)expr;
	const struct nft_feature *row;
	int rc = expr_feature(masq_features, 0, false, ctx, NULL, &row);

	nat->manip = NAT_MANIP_SRC;
	return rc != 0 ? rc
		       : parse_ports(nat, attrs[NFTA_MASQ_REG_PROTO_MIN],
				 attrs[NFTA_MASQ_REG_PROTO_MAX], attrs[NFTA_MASQ_FLAGS], ctx);
}

static int
parse_redir(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct nat *nat = (struct nat *)expr;
	const struct nft_feature *row;
	int rc = expr_feature(redir_features, 0, false, ctx, NULL, &row);

	nat->manip = NAT_MANIP_DST;
	return rc != 0 ? rc
		       : parse_ports(nat, attrs[NFTA_REDIR_REG_PROTO_MIN],
				 attrs[NFTA_REDIR_REG_PROTO_MAX], attrs[NFTA_REDIR_FLAGS], ctx);
}

/* The range that the registers give. */
static struct nat_range
range_of(const struct nat *nat, struct nft_eval *eval)
{
	struct nat_range range;

	memset(&range, 0, sizeof(range));
	range.flags = nat->flags & ~(uint32_t)(NAT_RANGE_MAP_IPS | NAT_RANGE_PROTO_SPECIFIED);
	if (nat->min_addr.given) {
		range.flags |= NAT_RANGE_MAP_IPS;
		memcpy(&range.min_addr, nft_reg(eval, nat->min_addr.reg), nat->address_len);
		memcpy(&range.max_addr, nft_reg(eval, nat->max_addr.reg), nat->address_len);
	}
	if (nat->min_port.given) {
		range.flags |= NAT_RANGE_PROTO_SPECIFIED;
		memcpy(&range.min_port, nft_reg(eval, nat->min_port.reg), 2);
		memcpy(&range.max_port, nft_reg(eval, nat->max_port.reg), 2);
	}
	return range;
}

static void
set_up(const struct nat *nat, struct nft_eval *eval, const struct nat_range *range)
{
	eval->regs.code = eval->env->ct->nat(eval->pkt, range, (enum nat_manip)nat->manip) == 0
				  ? NF_ACCEPT
				  : NF_DROP;
}

/* nft_nat_setup_netmap: the host's part of the packet's address in another network. */
static void
map_network(const struct nat *nat, const struct pkt *pkt, struct nat_range *range)
{
	union address address = nat->manip == NAT_MANIP_SRC ? pkt->tuple.src : pkt->tuple.dst;
	const uint8_t *min = (const uint8_t *)&range->min_addr;
	const uint8_t *max = (const uint8_t *)&range->max_addr;
	uint8_t *to = (uint8_t *)&address;

	for (unsigned int i = 0; i < nat->address_len; i++) {
		uint8_t fixed = (uint8_t) ~(min[i] ^ max[i]);

		to[i] = (uint8_t)((to[i] & ~fixed) | (min[i] & fixed));
	}
	range->min_addr = range->max_addr = address;
	range->flags &= ~(uint32_t)NAT_RANGE_NETMAP;
}

static void
evaluate_nat(const struct expr *expr, struct nft_eval *eval)
{
	const struct nat *nat = (const struct nat *)expr;
	struct nat_range range = range_of(nat, eval);

	/* An inet chain sees both families; the statement is for one (nft_nat_inet_eval). */
	if (nat->family != NFPROTO_INET &&
		(nat->family == NFPROTO_IPV6) != ((eval->pkt->flags & PKT_IPV6) != 0))
		return;
	if (nat->flags & NAT_RANGE_NETMAP)
		map_network(nat, eval->pkt, &range);
	set_up(nat, eval, &range);
}

static void
evaluate_masq(const struct expr *expr, struct nft_eval *eval)
{
	const struct nat *nat = (const struct nat *)expr;
	struct nat_range range = range_of(nat, eval);

	if (eval->env->ct->masquerade_address(eval->pkt, &range.min_addr) != 0) {
		eval->regs.code = NF_DROP;
		return;
	}
	range.max_addr = range.min_addr;
	range.flags |= NAT_RANGE_MAP_IPS;
	set_up(nat, eval, &range);
}

static void
evaluate_redir(const struct expr *expr, struct nft_eval *eval)
{
	const struct nat *nat = (const struct nat *)expr;
	struct nat_range range = range_of(nat, eval);

	if (eval->env->ct->redirect_address(eval->pkt, &range.min_addr) != 0) {
		eval->pkt->drop = DROP_NAT_NO_ADDRESS;
		eval->regs.code = NF_DROP;
		return;
	}
	range.max_addr = range.min_addr;
	range.flags |= NAT_RANGE_MAP_IPS;
	set_up(nat, eval, &range);
}

const struct expr_ops expr_nat = {
	"nat", sizeof(struct nat), NFTA_NAT_MAX, parse_nat, evaluate_nat, true, nat_features, 0};
const struct expr_ops expr_masq = {"masq", sizeof(struct nat), NFTA_MASQ_MAX, parse_masq,
	evaluate_masq, true, masq_features, NFT_ON_IP | NFT_ON_IP6 | NFT_ON_INET};
const struct expr_ops expr_redir = {"redir", sizeof(struct nat), NFTA_REDIR_MAX, parse_redir,
	evaluate_redir, true, redir_features, NFT_ON_IP | NFT_ON_IP6 | NFT_ON_INET};
