/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "statement.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "expr.h"

/* Attributes that a statement may have. */
#define ATTRS 16

/* `counter packets N bytes N` */
static int
parse_counter(const struct nlattr *const *attrs, struct expr_ctx *ctx, uint64_t words[2])
{
	int rc = 0;

	if (attrs[NFTA_COUNTER_PACKETS] != NULL)
		rc = attr_u64(attrs[NFTA_COUNTER_PACKETS], ctx, &words[0]);
	if (rc == 0 && attrs[NFTA_COUNTER_BYTES] != NULL)
		rc = attr_u64(attrs[NFTA_COUNTER_BYTES], ctx, &words[1]);
	return rc;
}

int
nft_quota_parse(struct nft_statement *quota, const struct nlattr *const *attrs,
	struct expr_ctx *ctx, uint64_t words[2])
{
	uint32_t flags;
	int rc = attr_u64(attrs[NFTA_QUOTA_BYTES], ctx, &quota->quota);

	quota->kind = NFT_STATEMENT_QUOTA;
	if (rc == 0 && quota->quota > INT64_MAX)
		rc = attr_refuse(ctx, attrs[NFTA_QUOTA_BYTES], -EOVERFLOW);
	if (rc == 0 && attrs[NFTA_QUOTA_CONSUMED] != NULL)
		rc = attr_u64(attrs[NFTA_QUOTA_CONSUMED], ctx, &words[0]);
	if (rc == 0 && words[0] > quota->quota)
		rc = attr_refuse(ctx, attrs[NFTA_QUOTA_CONSUMED], -EINVAL);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_QUOTA_FLAGS], ctx, 0, &flags);
	if (rc != 0)
		return rc;
	if (flags & ~(uint32_t)(NFT_QUOTA_F_INV | NFT_QUOTA_F_DEPLETED))
		return attr_refuse(ctx, attrs[NFTA_QUOTA_FLAGS], -EOPNOTSUPP);
	if ((flags & NFT_QUOTA_F_DEPLETED) && !ctx->dumped)
		return attr_refuse(ctx, attrs[NFTA_QUOTA_FLAGS], -EOPNOTSUPP);
	quota->over = (flags & NFT_QUOTA_F_INV) != 0;
	return 0;
}

int
nft_last_parse(struct nft_statement *last, const struct nlattr *const *attrs, struct expr_ctx *ctx,
	uint64_t words[2])
{
	uint64_t now = clock_ns(), ms = 0;
	uint32_t set;
	int rc = attr_u32_or(attrs[NFTA_LAST_SET], ctx, 0, &set);

	last->kind = NFT_STATEMENT_LAST;
	if (rc == 0 && attrs[NFTA_LAST_MSECS] != NULL)
		rc = attr_u64(attrs[NFTA_LAST_MSECS], ctx, &ms);
	if (rc == 0 && ms > UINT64_MAX / NS_PER_MS)
		rc = attr_refuse(ctx, attrs[NFTA_LAST_MSECS], -ERANGE);
	if (rc == 0 && set != 0)
		words[0] = now > ms * NS_PER_MS ? now - ms * NS_PER_MS : 1;
	return rc;
}

int
nft_statement_parse(const char *name, const struct nlattr *data, struct expr_ctx *ctx,
	struct nft_statement *out, uint64_t words[2])
{
	const struct nlattr *attrs[ATTRS + 1] = {0}, *attr;

	memset(out, 0, sizeof(*out));
	words[0] = words[1] = 0;
	if (data != NULL)
		mnl_attr_for_each_nested (attr, data) {
			if (mnl_attr_get_type(attr) > ATTRS)
				return attr_refuse(ctx, attr, -EOPNOTSUPP);
			attrs[mnl_attr_get_type(attr)] = attr;
		}
	if (strcmp(name, "counter") == 0) {
		out->kind = NFT_STATEMENT_COUNTER;
		return parse_counter(attrs, ctx, words);
	}
	if (strcmp(name, "limit") == 0) {
		out->kind = NFT_STATEMENT_LIMIT;
		return limit_parse(&out->limit, attrs, ctx);
	}
	if (strcmp(name, "quota") == 0)
		return nft_quota_parse(out, attrs, ctx, words);
	if (strcmp(name, "last") == 0)
		return nft_last_parse(out, attrs, ctx, words);
	out->kind = NFT_STATEMENT_OTHER;
	return strcmp(name, "connlimit") == 0 && nft_takes_all()
		       ? 0
		       : attr_refuse(ctx, NULL, -EOPNOTSUPP);
}

static void
put_u64(struct nlmsghdr *nlh, uint16_t type, uint64_t value)
{
	mnl_attr_put_u64(nlh, type, htobe64(value));
}

void
nft_statement_fill(struct nlmsghdr *nlh, uint16_t type, const struct nft_statement *statement,
	const uint64_t words[2], const struct nlattr *kept)
{
	uint64_t now = clock_ns();
	struct nlattr *nest;

	if (statement->kind == NFT_STATEMENT_LIMIT || statement->kind == NFT_STATEMENT_OTHER) {
		if (kept != NULL)
			mnl_attr_put(nlh, type | NLA_F_NESTED, mnl_attr_get_payload_len(kept),
				mnl_attr_get_payload(kept));
		return;
	}
	nest = mnl_attr_nest_start(nlh, type);
	switch (statement->kind) {
	case NFT_STATEMENT_COUNTER:
		put_u64(nlh, NFTA_COUNTER_BYTES, words[1]);
		put_u64(nlh, NFTA_COUNTER_PACKETS, words[0]);
		break;
	case NFT_STATEMENT_QUOTA:
		put_u64(nlh, NFTA_QUOTA_BYTES, statement->quota);
		/* What came when it was used up is no use of it (nft_quota_do_dump). */
		put_u64(nlh, NFTA_QUOTA_CONSUMED,
			words[0] < statement->quota ? words[0] : statement->quota);
		mnl_attr_put_u32(nlh, NFTA_QUOTA_FLAGS,
			htonl((statement->over ? NFT_QUOTA_F_INV : 0U) |
				(words[1] != 0 ? NFT_QUOTA_F_DEPLETED : 0U)));
		break;
	default:
		mnl_attr_put_u32(nlh, NFTA_LAST_SET, htonl(words[0] != 0));
		put_u64(nlh, NFTA_LAST_MSECS,
			words[0] != 0 && now > words[0] ? (now - words[0]) / NS_PER_MS : 0);
		break;
	}
	mnl_attr_nest_end(nlh, nest);
}

/* nft_overquota: the packet that goes beyond it counts, too. */
static bool
pass_quota(const struct nft_statement *quota, _Atomic uint64_t words[2], uint32_t ip_len)
{
	uint64_t used = atomic_fetch_add_explicit(&words[0], ip_len, memory_order_relaxed) + ip_len;
	bool beyond = used > quota->quota;

	if (beyond && atomic_load_explicit(&words[1], memory_order_relaxed) == 0)
		atomic_store_explicit(&words[1], 1, memory_order_relaxed);
	return beyond == quota->over;
}

bool
nft_statement_pass(const struct nft_statement *statement, _Atomic uint64_t words[2],
	uint64_t now_ns, uint32_t ip_len)
{
	switch (statement->kind) {
	case NFT_STATEMENT_COUNTER:
		atomic_fetch_add_explicit(&words[0], 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&words[1], ip_len, memory_order_relaxed);
		return true;
	case NFT_STATEMENT_LIMIT:
		return nft_limit_pass(&statement->limit, &words[0], now_ns, ip_len);
	case NFT_STATEMENT_QUOTA: return pass_quota(statement, words, ip_len);
	case NFT_STATEMENT_LAST:
		atomic_store_explicit(&words[0], now_ns, memory_order_relaxed);
		return true;
	default: return false;
	}
}

/* --- those of an element */

/* One of them: NFTA_EXPR_NAME, NFTA_EXPR_DATA. */
static int
parse_one(const struct nlattr *nest, struct expr_ctx *ctx, struct nft_statements *out)
{
	const struct nlattr *attr, *data = NULL;
	struct nlattr *kept;
	char name[16] = "";
	int rc;

	mnl_attr_for_each_nested (attr, nest) {
		if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME &&
			attr_string(attr, ctx, name, sizeof(name)) != 0)
			return -EINVAL;
		if (mnl_attr_get_type(attr) == NFTA_EXPR_DATA)
			data = attr;
	}
	rc = nft_statement_parse(name, data, ctx, &out->list[out->count], out->words[out->count]);
	if (rc != 0)
		return attr_refuse(ctx, nest, rc);
	kept = malloc(nest->nla_len);
	if (kept == NULL)
		return -ENOMEM;
	memcpy(kept, nest, nest->nla_len);
	out->kept[out->count++] = kept;
	return 0;
}

int
nft_statements_parse(const struct nlattr *one, const struct nlattr *many, struct expr_ctx *ctx,
	struct nft_statements *out)
{
	const struct nlattr *nest;
	int rc = 0;

	if (one != NULL)
		return parse_one(one, ctx, out);
	if (many == NULL)
		return 0;
	mnl_attr_for_each_nested (nest, many) {
		if (out->count == NFT_STATEMENTS)
			return attr_refuse(ctx, nest, -E2BIG);
		rc = rc == 0 ? parse_one(nest, ctx, out) : rc;
	}
	return rc;
}

int
nft_statements_copy(struct nft_statements *to, const struct nft_statements *from)
{
	memset(to, 0, sizeof(*to));
	for (uint32_t i = 0; i < from->count; i++) {
		const struct nlattr *kept = from->kept[i];

		to->kept[i] = malloc(kept->nla_len);
		if (to->kept[i] == NULL)
			return -ENOMEM;
		memcpy(to->kept[i], kept, kept->nla_len);
		to->list[i] = from->list[i];
		memcpy(to->words[i], from->words[i], sizeof(to->words[i]));
		to->count++;
	}
	return 0;
}

bool
nft_statements_same(const struct nft_statements *a, const struct nft_statements *b)
{
	for (uint32_t i = 0; i < a->count && i < b->count; i++)
		if (a->list[i].kind != b->list[i].kind)
			return false;
	return a->count == b->count;
}

void
nft_statements_clear(struct nft_statements *statements)
{
	for (uint32_t i = 0; i < NFT_STATEMENTS; i++)
		free(statements->kept[i]);
	memset(statements, 0, sizeof(*statements));
}

static void
fill_one(struct nlmsghdr *nlh, uint16_t type, const struct nft_statement *statement,
	const struct nlattr *kept, const uint64_t words[2])
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);
	const struct nlattr *attr, *data = NULL;

	mnl_attr_for_each_nested (attr, kept) {
		if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME)
			mnl_attr_put(nlh, attr->nla_type, mnl_attr_get_payload_len(attr),
				mnl_attr_get_payload(attr));
		else if (mnl_attr_get_type(attr) == NFTA_EXPR_DATA)
			data = attr;
	}
	nft_statement_fill(nlh, NFTA_EXPR_DATA, statement, words, data);
	mnl_attr_nest_end(nlh, nest);
}

void
nft_statements_fill(struct nlmsghdr *nlh, uint16_t one, uint16_t many,
	const struct nft_statements *statements, uint64_t (*words)[2])
{
	struct nlattr *list;

	if (statements->count == 0)
		return;
	if (statements->count == 1) {
		fill_one(nlh, one, &statements->list[0], statements->kept[0], words[0]);
		return;
	}
	list = mnl_attr_nest_start(nlh, many);
	for (uint32_t i = 0; i < statements->count; i++)
		fill_one(nlh, NFTA_LIST_ELEM, &statements->list[i], statements->kept[i], words[i]);
	mnl_attr_nest_end(nlh, list);
}
