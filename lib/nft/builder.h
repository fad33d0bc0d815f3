/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Building a program, object by object, in the order: sets, named objects,
 * chains (all before the first rule, for rules jump to them), elements, rules.
 * Control thread. What fails leaves the builder fit only for builder_free().
 */
#ifndef SHUNT_NFT_BUILDER_H
#define SHUNT_NFT_BUILDER_H

#include "program.h"

struct nft_builder;

/** An empty program for a number of workers (1 to NFT_WORKERS). @return NULL without memory */
struct nft_builder *builder_new(
	unsigned int workers, const struct nft_env *env, uint32_t generation);

/** Throw away what was built. NULL is fine. */
void builder_free(struct nft_builder *b);

/** A set as the ruleset declares it. */
struct nft_set_decl {
	const char *name;  /**< copied */
	uint32_t id;	   /**< of the batch, 0 without: names like __set%d are found by it */
	uint32_t flags;	   /**< NFT_SET_* */
	uint32_t key_len;  /**< bytes, 1 to NFT_DATA_MAX */
	uint32_t data_len; /**< of maps; 0 for verdicts */
	bool verdicts;	   /**< a verdict map */
};

/** Declare a set. @return its number, -EINVAL, -EEXIST, -ENOMEM */
int builder_set(struct nft_builder *b, const struct nft_set_decl *decl);

/**
 * Add an element to a set.
 * @param elem copied; its verdict's chain is a number from builder_chain()
 * @param catchall the element that a miss finds
 * @return 0, -ENOMEM
 */
int builder_elem(
	struct nft_builder *b, uint32_t set, const struct nft_elem_code *elem, bool catchall);

/** Declare a named counter (or flowtable, whose number alone matters). @return its state's number,
 * -EEXIST, -ENOMEM */
int builder_object(struct nft_builder *b, const char *name, uint32_t type);

/**
 * Declare a chain.
 * @param policy NF_ACCEPT or NF_DROP of a base chain
 * @return its number, -EEXIST, -ENOMEM
 */
int builder_chain(struct nft_builder *b, const char *name, int32_t policy);

/** The number of a chain, or -ENOENT. */
int builder_find_chain(const struct nft_builder *b, const char *name);

/** Where the rules of a chain stand. */
struct nft_place {
	uint8_t family; /**< NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_INET */
	uint8_t kinds;	/**< enum nft_chain_kind of the base chains that reach it */
	uint32_t hooks; /**< bits of their enum hook */
};

/** Begin a rule at the end of a chain. @return 0, -ENOMEM */
int builder_rule(
	struct nft_builder *b, uint32_t chain, uint64_t handle, const struct nft_place *place);

/**
 * Append an expression to the rule begun last.
 * @param data NFTA_EXPR_DATA, or NULL
 * @param bad set to the attribute to blame, or NULL
 * @return 0; -EOPNOTSUPP: no such expression is built; what its parser says
 */
int builder_expr(struct nft_builder *b, const char *name, const struct nlattr *data,
	const struct nlattr **bad);

/** The counter of an expression of the last rule, in order of appearance. @return -ENOENT */
int builder_last_counter(const struct nft_builder *b, unsigned int n);

/**
 * The program, complete; the builder is gone.
 * @return NULL without memory
 */
struct nft_program *builder_finish(struct nft_builder *b);

#endif
