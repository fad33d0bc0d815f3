/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attributes of expressions: bounded, and blamed when they are wrong.
 */
#include "expr.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

/* More attributes than any expression has. */
#define MAX_ATTRS 32

int
attr_refuse(struct expr_ctx *ctx, const struct nlattr *attr, int err)
{
	ctx->bad = attr;
	return err;
}

int
attr_u32(const struct nlattr *attr, struct expr_ctx *ctx, uint32_t *value)
{
	if (attr == NULL || mnl_attr_get_payload_len(attr) != sizeof(*value))
		return attr_refuse(ctx, attr, -EINVAL);
	*value = ntohl(mnl_attr_get_u32(attr));
	return 0;
}

int
attr_u32_or(const struct nlattr *attr, struct expr_ctx *ctx, uint32_t fallback, uint32_t *value)
{
	*value = fallback;
	return attr == NULL ? 0 : attr_u32(attr, ctx, value);
}

int
attr_u64(const struct nlattr *attr, struct expr_ctx *ctx, uint64_t *value)
{
	if (attr == NULL || mnl_attr_get_payload_len(attr) != sizeof(*value))
		return attr_refuse(ctx, attr, -EINVAL);
	*value = be64toh(mnl_attr_get_u64(attr));
	return 0;
}

int
attr_string(const struct nlattr *attr, struct expr_ctx *ctx, char *out, size_t size)
{
	size_t len;

	if (attr == NULL)
		return attr_refuse(ctx, NULL, -EINVAL);
	len = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	if (len == 0 || len >= size)
		return attr_refuse(ctx, attr, -EINVAL);
	memcpy(out, mnl_attr_get_payload(attr), len);
	out[len] = '\0';
	return 0;
}

/* A register's first word, where len bytes fit. */
static int
parse_reg(const struct nlattr *attr, struct expr_ctx *ctx, uint32_t len, uint8_t *word)
{
	uint32_t reg, first;
	int rc = attr_u32(attr, ctx, &reg);

	if (rc != 0)
		return rc;
	/* nft_parse_register: 1 to 4 are 16 bytes, 8 to 23 are 4 bytes of the same memory. */
	if (reg >= NFT_REG_1 && reg <= NFT_REG_4)
		first = reg * 4;
	else if (reg >= NFT_REG32_00 && reg <= NFT_REG32_15)
		first = reg - NFT_REG32_00 + 4;
	else
		return attr_refuse(ctx, attr, -EINVAL);
	if (len == 0)
		return attr_refuse(ctx, attr, -EINVAL);
	if (len > (NFT_REG_WORDS - first) * 4)
		return attr_refuse(ctx, attr, -ERANGE);
	*word = (uint8_t)first;
	return 0;
}

/* The words that len bytes take. */
static uint32_t
words_at(uint8_t word, uint32_t len)
{
	return (uint32_t)((1ULL << ((len + 3) / 4)) - 1) << word;
}

int
attr_reg(const struct nlattr *attr, struct expr_ctx *ctx, uint32_t len, uint8_t *word)
{
	int rc = parse_reg(attr, ctx, len, word);

	if (rc == 0)
		ctx->written |= words_at(*word, len);
	return rc;
}

int
attr_load(const struct nlattr *attr, struct expr_ctx *ctx, uint32_t len, uint8_t *word)
{
	int rc = parse_reg(attr, ctx, len, word);

	if (rc == 0 && (words_at(*word, len) & ~ctx->written))
		rc = attr_refuse(ctx, attr, -ENODATA);
	return rc;
}

/* Sort the attributes of a nest by type. -EINVAL for one beyond its parent's end or above max. */
static int
sort_attrs(const struct nlattr *nest, const struct nlattr **attrs, int max, struct expr_ctx *ctx)
{
	const struct nlattr *attr;

	memset(attrs, 0, ((size_t)max + 1) * sizeof(*attrs));
	if (nest == NULL)
		return 0;
	mnl_attr_for_each_nested (attr, nest) {
		int type = mnl_attr_get_type(attr);

		/* An attribute that this server does not know changes the meaning of the rest. */
		if (type == 0 || type > max)
			return attr_refuse(ctx, attr, -EOPNOTSUPP);
		attrs[type] = attr;
	}
	return 0;
}

int
attr_value(
	const struct nlattr *attr, struct expr_ctx *ctx, uint8_t out[NFT_DATA_MAX], uint32_t *len)
{
	const struct nlattr *attrs[MAX_ATTRS + 1];
	int rc;

	if (attr == NULL)
		return attr_refuse(ctx, NULL, -EINVAL);
	rc = sort_attrs(attr, attrs, NFTA_DATA_MAX, ctx);
	if (rc != 0)
		return rc;
	if (attrs[NFTA_DATA_VALUE] == NULL || attrs[NFTA_DATA_VERDICT] != NULL)
		return attr_refuse(ctx, attr, -EINVAL);
	*len = mnl_attr_get_payload_len(attrs[NFTA_DATA_VALUE]);
	if (*len == 0 || *len > NFT_DATA_MAX)
		return attr_refuse(ctx, attr, *len == 0 ? -EINVAL : -EOVERFLOW);
	memcpy(out, mnl_attr_get_payload(attrs[NFTA_DATA_VALUE]), *len);
	return 0;
}

const struct nft_feature expr_verdicts[] = {
	NFT_HAS("accept", NF_ACCEPT),
	NFT_HAS("drop", NF_DROP),
	NFT_HAS("continue", (uint32_t)NFT_CONTINUE),
	NFT_HAS("return", (uint32_t)NFT_RETURN),
	NFT_HAS("jump CHAIN", (uint32_t)NFT_JUMP, .note = "up to 16 deep, as in Linux"),
	NFT_HAS("goto CHAIN", (uint32_t)NFT_GOTO),
	NFT_HAS("break", (uint32_t)NFT_BREAK,
		.note = "nft has no word for it: the rule does not match"),
	NFT_HAS_NOT("queue", NF_QUEUE, "no packet leaves for userspace"),
	NFT_END,
};

int
attr_verdict(const struct nlattr *attr, struct expr_ctx *ctx, struct nft_verdict *out)
{
	const struct nlattr *data[MAX_ATTRS + 1], *attrs[MAX_ATTRS + 1];
	char chain[NFT_NAME_MAXLEN];
	uint32_t code;
	int rc;

	if (attr == NULL)
		return attr_refuse(ctx, NULL, -EINVAL);
	rc = sort_attrs(attr, data, NFTA_DATA_MAX, ctx);
	if (rc == 0 && data[NFTA_DATA_VERDICT] == NULL)
		rc = attr_refuse(ctx, attr, -EINVAL);
	if (rc == 0)
		rc = sort_attrs(data[NFTA_DATA_VERDICT], attrs, NFTA_VERDICT_MAX, ctx);
	if (rc == 0)
		rc = attr_u32(attrs[NFTA_VERDICT_CODE], ctx, &code);
	if (rc != 0)
		return rc;
	*out = (struct nft_verdict){(int32_t)code, NFT_CHAIN_NONE};
	if (!nft_feature_built(expr_verdicts, code))
		return attr_refuse(ctx, attrs[NFTA_VERDICT_CODE], -EOPNOTSUPP);
	if ((int32_t)code != NFT_JUMP && (int32_t)code != NFT_GOTO)
		return 0;
	if (attrs[NFTA_VERDICT_CHAIN] == NULL && attrs[NFTA_VERDICT_CHAIN_ID] != NULL &&
		ctx->chain_by_id != NULL) {
		rc = attr_u32(attrs[NFTA_VERDICT_CHAIN_ID], ctx, &code);
		if (rc == 0)
			rc = ctx->chain_by_id(ctx->owner, code, &out->chain);
		return rc == 0 ? 0 : attr_refuse(ctx, attrs[NFTA_VERDICT_CHAIN_ID], rc);
	}
	rc = attr_string(attrs[NFTA_VERDICT_CHAIN], ctx, chain, sizeof(chain));
	if (rc == 0)
		rc = ctx->chain(ctx->owner, chain, &out->chain);
	return rc == 0 ? 0 : attr_refuse(ctx, attrs[NFTA_VERDICT_CHAIN], rc);
}

int
expr_feature(const struct nft_feature *features, uint32_t number, bool set, struct expr_ctx *ctx,
	const struct nlattr *attr, const struct nft_feature **row)
{
	const struct nft_feature *found = nft_feature_find(features, number, set);

	*row = found;
	if (found == NULL || nft_refuses(found))
		return attr_refuse(ctx, attr, -EOPNOTSUPP);
	if (found->families != 0 && !(found->families & nft_family_bit(ctx->family)))
		return attr_refuse(ctx, attr, -EOPNOTSUPP);
	if ((found->hooks != 0 && (ctx->hooks & ~(uint32_t)found->hooks)) ||
		((ctx->hooks & found->later) && !nft_takes_all()))
		return attr_refuse(ctx, NULL, -EOPNOTSUPP);
	if (found->kinds != 0 && (ctx->chain_type & ~(uint32_t)found->kinds))
		return attr_refuse(ctx, NULL, -EOPNOTSUPP);
	return 0;
}

int
expr_attributes(const struct nft_feature *features, const struct nlattr *const *attrs, int max,
	struct expr_ctx *ctx)
{
	for (int i = 1; i <= max; i++) {
		const struct nft_feature *row =
			attrs[i] != NULL ? nft_feature_find(features, (uint32_t)i, false) : NULL;

		if (row != NULL && nft_refuses(row))
			return attr_refuse(ctx, attrs[i], -EOPNOTSUPP);
	}
	return 0;
}

int
expr_parse(const struct expr_ops *ops, const struct nlattr *data, struct expr_ctx *ctx,
	struct expr *out)
{
	/* All of them: what a newer parser asks for and max_attr does not cover is not there. */
	const struct nlattr *attrs[MAX_ATTRS + 1] = {NULL};
	int rc;

	memset(out, 0, ops->size);
	out->ops = ops;
	ctx->bad = NULL;
	rc = sort_attrs(data, attrs, ops->max_attr, ctx);
	return rc != 0 ? rc : ops->parse(out, attrs, ctx);
}
