/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expressions that are not built: refused, and where a test of the store alone
 * takes them (nft_take_all()) checked as Linux checks them. Each gets a file of
 * its own with its evaluation.
 */
#include <errno.h>
#include <string.h>

#include <linux/netfilter/nf_synproxy.h>
#include <sys/socket.h>

#include "expr_rows.h"

#define IP_FAMILIES (NFT_ON_IP | NFT_ON_IP6 | NFT_ON_INET)
#define NOT_YET	    "not built yet"

struct stored {
	struct expr head;
	uint8_t reg;
};

/* Nothing of it is known, so nothing passes. */
static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	(void)expr;
	eval->regs.code = NF_DROP;
}

static int
u8_of(const struct nlattr *attr, struct expr_ctx *ctx, uint8_t *value)
{
	*value = 0;
	if (attr == NULL)
		return 0;
	if (mnl_attr_get_payload_len(attr) != sizeof(*value))
		return attr_refuse(ctx, attr, -EINVAL);
	*value = mnl_attr_get_u8(attr);
	return 0;
}

/* A register that need not be named. */
static int
maybe_reg(const struct nlattr *attr, struct expr_ctx *ctx, uint32_t len)
{
	uint8_t reg;

	return attr != NULL ? attr_load(attr, ctx, len, &reg) : 0;
}

/* Whether it can be here: the only row of its table that has a number. */
static int
here(const struct nft_feature *features, struct expr_ctx *ctx)
{
	const struct nft_feature *row;

	return expr_feature(features, 0, false, ctx, NULL, &row);
}

#define STORED(name_, max_attr_, families_)                                                        \
	const struct expr_ops expr_##name_ = {#name_, sizeof(struct stored), max_attr_,            \
		parse_##name_, evaluate, false, name_##_features, families_}

static const struct nft_feature connlimit_features[] = {
	NFT_HAS_NOT("ct count", 0, NOT_YET),
	NFT_END,
};

static int
parse_connlimit(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	uint32_t count, flags;
	int rc = here(connlimit_features, ctx);

	(void)expr;
	if (rc == 0)
		rc = attr_u32(attrs[NFTA_CONNLIMIT_COUNT], ctx, &count);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_CONNLIMIT_FLAGS], ctx, 0, &flags);
	if (rc == 0 && (flags & ~(uint32_t)NFT_CONNLIMIT_F_INV))
		rc = attr_refuse(ctx, attrs[NFTA_CONNLIMIT_FLAGS], -EOPNOTSUPP);
	return rc != 0 ? rc : expr_conntrack(ctx);
}

STORED(connlimit, NFTA_CONNLIMIT_FLAGS, 0);

static const struct nft_feature dup_features[] = {
	NFT_HAS_NOT("dup to", 0, NOT_YET),
	NFT_END,
};

static int
parse_dup(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	uint8_t reg;
	int rc = here(dup_features, ctx);

	(void)expr;
	if (rc != 0)
		return rc;
	if (ctx->family == NFPROTO_NETDEV)
		return attr_load(attrs[NFTA_DUP_SREG_DEV], ctx, 4, &reg);
	rc = attr_load(attrs[NFTA_DUP_SREG_ADDR], ctx, ctx->family == NFPROTO_IPV4 ? 4 : 16, &reg);
	return rc == 0 ? maybe_reg(attrs[NFTA_DUP_SREG_DEV], ctx, 4) : rc;
}

STORED(dup, NFTA_DUP_MAX, NFT_ON_IP | NFT_ON_IP6 | NFT_ON_NETDEV);

static const struct nft_feature fwd_features[] = {
	NFT_HAS_NOT("fwd to", 0, NOT_YET, .hooks = 1 << HOOK_INGRESS | 1 << HOOK_EGRESS),
	NFT_END,
};

static int
parse_fwd(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	uint32_t family;
	uint8_t reg;
	int rc = here(fwd_features, ctx);

	(void)expr;
	if (rc == 0)
		rc = attr_load(attrs[NFTA_FWD_SREG_DEV], ctx, 4, &reg);
	if (rc != 0 || attrs[NFTA_FWD_SREG_ADDR] == NULL)
		return rc;
	rc = attr_u32(attrs[NFTA_FWD_NFPROTO], ctx, &family);
	if (rc == 0 && family != NFPROTO_IPV4 && family != NFPROTO_IPV6)
		rc = attr_refuse(ctx, attrs[NFTA_FWD_NFPROTO], -EOPNOTSUPP);
	return rc == 0 ? attr_load(attrs[NFTA_FWD_SREG_ADDR], ctx, family == NFPROTO_IPV4 ? 4 : 16,
				 &reg)
		       : rc;
}

STORED(fwd, NFTA_FWD_MAX, NFT_ON_NETDEV);

static const struct nft_feature osf_features[] = {
	NFT_HAS_NOT("osf", 0, NOT_YET, .families = IP_FAMILIES,
		.hooks = 1 << HOOK_PREROUTING | 1 << HOOK_INPUT | 1 << HOOK_FORWARD),
	NFT_END,
};

static int
parse_osf(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct stored *s = (struct stored *)expr;
	uint8_t ttl;
	uint32_t flags;
	int rc = here(osf_features, ctx);

	if (rc == 0)
		rc = u8_of(attrs[NFTA_OSF_TTL], ctx, &ttl);
	if (rc == 0 && ttl > 2)
		rc = attr_refuse(ctx, attrs[NFTA_OSF_TTL], -EINVAL);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_OSF_FLAGS], ctx, NFT_OSF_F_VERSION, &flags);
	if (rc == 0 && flags != NFT_OSF_F_VERSION)
		rc = attr_refuse(ctx, attrs[NFTA_OSF_FLAGS], -EINVAL);
	return rc == 0 ? attr_reg(attrs[NFTA_OSF_DREG], ctx, NFT_OSF_MAXGENRELEN, &s->reg) : rc;
}

STORED(osf, NFTA_OSF_MAX, 0);

static const struct nft_feature queue_features[] = {
	NFT_HAS_NOT("queue", 0, "no packet leaves for userspace",
		.families = IP_FAMILIES | NFT_ON_BRIDGE, .hooks = (1 << HOOK_INGRESS) - 1),
	NFT_END,
};

static int
parse_queue(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	int rc = here(queue_features, ctx);

	(void)expr;
	if (rc == 0 && (attrs[NFTA_QUEUE_NUM] == NULL) == (attrs[NFTA_QUEUE_SREG_QNUM] == NULL))
		rc = -EINVAL;
	return rc == 0 ? maybe_reg(attrs[NFTA_QUEUE_SREG_QNUM], ctx, 4) : rc;
}

STORED(queue, NFTA_QUEUE_MAX, 0);

static const struct nft_feature socket_features[] = {
	NFT_HAS_NOT("socket", 0, "a packet has no socket here yet", .families = IP_FAMILIES,
		.hooks = 1 << HOOK_PREROUTING | 1 << HOOK_INPUT | 1 << HOOK_OUTPUT),
	NFT_END,
};

static int
parse_socket(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	static const uint8_t lens[] = {[NFT_SOCKET_TRANSPARENT] = 1,
		[NFT_SOCKET_MARK] = 4,
		[NFT_SOCKET_WILDCARD] = 1,
		[NFT_SOCKET_CGROUPV2] = 8};
	struct stored *s = (struct stored *)expr;
	uint32_t key = 0, level = 0;
	int rc = here(socket_features, ctx);

	if (rc == 0)
		rc = attr_u32(attrs[NFTA_SOCKET_KEY], ctx, &key);
	if (rc == 0 && key >= sizeof(lens))
		rc = attr_refuse(ctx, attrs[NFTA_SOCKET_KEY], -EOPNOTSUPP);
	if (rc == 0 && key == NFT_SOCKET_CGROUPV2)
		rc = attr_u32(attrs[NFTA_SOCKET_LEVEL], ctx, &level);
	if (rc == 0 && key == NFT_SOCKET_CGROUPV2 && level > 255)
		rc = attr_refuse(ctx, attrs[NFTA_SOCKET_LEVEL], -EOPNOTSUPP);
	return rc == 0 ? attr_reg(attrs[NFTA_SOCKET_DREG], ctx, lens[key], &s->reg) : rc;
}

STORED(socket, NFTA_SOCKET_MAX, 0);

static const struct nft_feature synproxy_features[] = {
	NFT_HAS_NOT("synproxy", 0, NOT_YET, .families = IP_FAMILIES,
		.hooks = 1 << HOOK_INPUT | 1 << HOOK_FORWARD),
	NFT_END,
};

static int
parse_synproxy(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	uint32_t flags;
	int rc = expr_conntrack(ctx);

	(void)expr;
	if (rc == 0)
		rc = here(synproxy_features, ctx);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_SYNPROXY_FLAGS], ctx, 0, &flags);
	if (rc == 0 && (flags & ~(uint32_t)NF_SYNPROXY_OPT_MASK))
		rc = attr_refuse(ctx, attrs[NFTA_SYNPROXY_FLAGS], -EOPNOTSUPP);
	return rc;
}

STORED(synproxy, NFTA_SYNPROXY_MAX, 0);

static const struct nft_feature tproxy_features[] = {
	NFT_HAS_NOT("tproxy to", 0, "a packet has no socket to go to", .families = IP_FAMILIES,
		.hooks = 1 << HOOK_PREROUTING),
	NFT_END,
};

/* nft_tproxy_init */
static int
parse_tproxy(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	uint32_t family;
	int rc = here(tproxy_features, ctx);

	(void)expr;
	if (rc != 0)
		return rc;
	if (attrs[NFTA_TPROXY_FAMILY] == NULL ||
		(attrs[NFTA_TPROXY_REG_ADDR] == NULL && attrs[NFTA_TPROXY_REG_PORT] == NULL))
		return attr_refuse(ctx, NULL, -EINVAL);
	rc = attr_u32(attrs[NFTA_TPROXY_FAMILY], ctx, &family);
	if (rc == 0 && ctx->family != NFPROTO_INET && family != ctx->family)
		rc = attr_refuse(ctx, NULL, -EINVAL);
	if (rc == 0 && family == NFPROTO_UNSPEC && attrs[NFTA_TPROXY_REG_ADDR] != NULL)
		rc = attr_refuse(ctx, NULL, -EINVAL);
	if (rc == 0)
		rc = maybe_reg(attrs[NFTA_TPROXY_REG_ADDR], ctx, family == NFPROTO_IPV6 ? 16 : 4);
	return rc == 0 ? maybe_reg(attrs[NFTA_TPROXY_REG_PORT], ctx, 2) : rc;
}

STORED(tproxy, NFTA_TPROXY_MAX, 0);

static const struct nft_feature xfrm_features[] = {
	NFT_HAS_NOT("ipsec", 0, NOT_YET),
	NFT_END,
};

static int
parse_xfrm(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	static const uint8_t lens[] = {[NFT_XFRM_KEY_DADDR_IP4] = 4,
		[NFT_XFRM_KEY_DADDR_IP6] = 16,
		[NFT_XFRM_KEY_SADDR_IP4] = 4,
		[NFT_XFRM_KEY_SADDR_IP6] = 16,
		[NFT_XFRM_KEY_REQID] = 4,
		[NFT_XFRM_KEY_SPI] = 4};
	struct stored *s = (struct stored *)expr;
	uint32_t key = 0, number;
	uint8_t dir;
	int rc = here(xfrm_features, ctx);

	if (rc == 0)
		rc = attr_u32(attrs[NFTA_XFRM_KEY], ctx, &key);
	if (rc == 0 && (key >= sizeof(lens) || lens[key] == 0))
		rc = attr_refuse(ctx, attrs[NFTA_XFRM_KEY], -EINVAL);
	if (rc == 0)
		rc = u8_of(attrs[NFTA_XFRM_DIR], ctx, &dir);
	if (rc == 0 && (attrs[NFTA_XFRM_DIR] == NULL || dir > 1))
		rc = attr_refuse(ctx, attrs[NFTA_XFRM_DIR], -EINVAL);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_XFRM_SPNUM], ctx, 0, &number);
	if (rc == 0 && number >= 6 /* XFRM_MAX_DEPTH */)
		rc = attr_refuse(ctx, attrs[NFTA_XFRM_SPNUM], -ERANGE);
	return rc == 0 ? attr_reg(attrs[NFTA_XFRM_DREG], ctx, lens[key], &s->reg) : rc;
}

STORED(xfrm, NFTA_XFRM_MAX, IP_FAMILIES);
