/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Statements that have a state: counter, limit, quota, last. A rule, an element
 * of a set and a named object have them alike; what a statement says is apart
 * from where its state is, which is two words that any worker may change
 * (nft_counter.c, nft_limit.c, nft_quota.c, nft_last.c).
 */
#ifndef SHUNT_NFT_STATEMENT_H
#define SHUNT_NFT_STATEMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "limit.h"

struct expr_ctx;
struct nlattr;
struct nlmsghdr;

/** Kinds. */
enum nft_statement_kind {
	NFT_STATEMENT_COUNTER, /**< words: packets, bytes */
	NFT_STATEMENT_LIMIT,   /**< words: when the bucket was empty */
	NFT_STATEMENT_QUOTA,   /**< words: bytes used, whether it is used up */
	NFT_STATEMENT_LAST,    /**< words: when it was last met, ns, 0: never */
	NFT_STATEMENT_OTHER,   /**< stored alone, by tests (nft_take_all()): drops */
};

/** Statements of an element, at most (NFT_SET_EXPR_MAX). */
#define NFT_STATEMENTS 2

/** A statement. Immutable. */
struct nft_statement {
	uint8_t kind;	/**< enum nft_statement_kind */
	bool over;	/**< quota: matches behind it, not up to it */
	uint64_t quota; /**< bytes */
	struct nft_limit limit;
};

/**
 * Read one by its expression's name and data (NFTA_EXPR_NAME, NFTA_EXPR_DATA).
 * Control thread.
 * @param data may be NULL
 * @param words the state that it begins with, as the data says
 * @return 0; -EOPNOTSUPP: no statement with a state; what its data is at fault for
 */
int nft_statement_parse(const char *name, const struct nlattr *data, struct expr_ctx *ctx,
	struct nft_statement *out, uint64_t words[2]);

/** The same of attributes sorted by type, as an expression gets them. */
int nft_quota_parse(struct nft_statement *quota, const struct nlattr *const *attrs,
	struct expr_ctx *ctx, uint64_t words[2]);
int nft_last_parse(struct nft_statement *last, const struct nlattr *const *attrs,
	struct expr_ctx *ctx, uint64_t words[2]);

/**
 * Append what a statement's data says now, in a nest of a type. Control thread.
 * @param kept what it said when it came, which may be NULL: what has no live value is copied
 */
void nft_statement_fill(struct nlmsghdr *nlh, uint16_t type, const struct nft_statement *statement,
	const uint64_t words[2], const struct nlattr *kept);

/** The statements that an element has, or every element of a set. Zeroed: none. */
struct nft_statements {
	uint32_t count;
	struct nft_statement list[NFT_STATEMENTS];
	uint64_t words[NFT_STATEMENTS][2]; /**< what each begins with */
	void *kept[NFT_STATEMENTS]; /**< a struct nlattr with name and data, as it came; owned */
};

/**
 * Read them from a single one or a list, either of which may be NULL.
 * @param out zeroed; for nft_statements_clear() also after a failure
 * @return 0; -E2BIG; -ENOMEM; as nft_statement_parse(), with ctx->bad
 */
int nft_statements_parse(const struct nlattr *one, const struct nlattr *many, struct expr_ctx *ctx,
	struct nft_statements *out);

/** A copy. @return 0 or -ENOMEM: for nft_statements_clear() all the same */
int nft_statements_copy(struct nft_statements *to, const struct nft_statements *from);

/** Whether both are of the same kinds in the same order. */
bool nft_statements_same(const struct nft_statements *a, const struct nft_statements *b);

/** Free what it holds. */
void nft_statements_clear(struct nft_statements *statements);

/** Append them: a single one as an attribute of a type, more as a list of another. */
void nft_statements_fill(struct nlmsghdr *nlh, uint16_t one, uint16_t many,
	const struct nft_statements *statements, uint64_t (*words)[2]);

/** Whether a packet passes; counts it. Any worker. @return false: the rule breaks */
bool nft_statement_pass(const struct nft_statement *statement, _Atomic uint64_t words[2],
	uint64_t now_ns, uint32_t ip_len);

#endif
