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

/** An empty program. @param states not owned. @return NULL without memory */
struct nft_builder *builder_new(
	struct nft_states *states, const struct nft_env *env, uint32_t generation);

/** Where names are looked up, for a builder whose caller has names of its own (struct expr_ctx). */
struct nft_asks {
	void *owner;
	int (*set)(void *owner, const char *name, uint32_t id, uint32_t *set, uint32_t *key_len,
		uint32_t *data_len, uint32_t *flags);
	struct nft_dynamic *(*dynamic)(void *owner, const char *name, uint32_t id);
	int (*chain)(void *owner, const char *name, uint32_t *chain);
	int (*object)(void *owner, const char *name, uint32_t type, uint32_t *state);
};

/** Ask these from now on instead of the names given to the builder. */
void builder_ask(struct nft_builder *b, const struct nft_asks *asks);

/** Throw away what was built. NULL is fine. */
void builder_free(struct nft_builder *b);

/**
 * Declare a set of the program's own.
 * @param name copied
 * @param id of the batch, 0 without: names like __set%d are found by it
 * @return its number, -EINVAL, -EEXIST, -ENOMEM
 */
int builder_set(
	struct nft_builder *b, const char *name, uint32_t id, const struct nft_set_decl *decl);

/** An element as it is given to builder_elem(). */
struct nft_elem_decl {
	uint8_t key[NFT_DATA_MAX];
	uint8_t last[NFT_DATA_MAX]; /**< where the set has fields: of its range */
	uint8_t data[NFT_DATA_MAX];
	bool end, catchall;
	struct nft_verdict verdict;
	uint64_t expires_ns;
};

/** Add an element to a set of the program's own. @return 0, -ENOMEM */
int builder_elem(struct nft_builder *b, uint32_t set, const struct nft_elem_decl *decl);

/**
 * Make room for things that have a number already, as a store gives them: how many
 * numbers there are. Then each is put in its place; a name is found by
 * builder_ask() alone.
 * @return 0, -ENOMEM
 */
int builder_reserve(struct nft_builder *b, uint32_t chains, uint32_t sets, uint32_t objects,
	uint32_t flowtables);
/** @param set not owned */
void builder_put_set(struct nft_builder *b, uint32_t number, struct nft_set *set);
/** @param name copied, for listings. @return 0, -ENOMEM */
int builder_put_chain(struct nft_builder *b, uint32_t number, const char *name, int32_t policy);
void builder_put_object(struct nft_builder *b, uint32_t number,
	const struct nft_statement *statement, uint32_t state);

/**
 * Declare a named object.
 * @param state the number of its state
 * @return its number, which `object` of struct expr_ctx gives; -EEXIST, -ENOMEM
 */
int builder_object(struct nft_builder *b, const char *name, uint32_t type,
	const struct nft_statement *statement, uint32_t state);

/** Declare a flowtable that covers ports, bits. @return its number, -ENOMEM */
int builder_flowtable(struct nft_builder *b, uint64_t ports);

/**
 * Declare a chain.
 * @param policy NF_ACCEPT or NF_DROP of a base chain
 * @return its number, -EEXIST, -ENOMEM
 */
int builder_chain(struct nft_builder *b, const char *name, int32_t policy);

/** Say which table a chain is in, once, for those who read the program. @return 0, -ENOMEM */
int builder_label_chain(struct nft_builder *b, uint32_t number, uint8_t family, const char *table);

/** Let a base chain's policy count what it decides on. @param counter number of a state */
void builder_count(struct nft_builder *b, uint32_t chain, uint32_t counter);

/** The number of a chain, or -ENOENT. */
int builder_find_chain(const struct nft_builder *b, const char *name);

/** Where the rules of a chain stand. */
struct nft_place {
	uint8_t family;		   /**< NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_INET */
	uint8_t kinds;		   /**< enum nft_chain_kind of the base chains that reach it */
	uint32_t hooks;		   /**< bits of their enum hook */
	struct expr_compat compat; /**< its table's name lives as long as the rule is built */
};

/**
 * Begin a rule at the end of a chain.
 * @param numbers the states that its expressions ask for, in order; NULL: new ones
 * @return 0, -ENOMEM
 */
int builder_rule(struct nft_builder *b, uint32_t chain, uint64_t handle,
	const struct nft_place *place, const uint32_t *numbers, uint32_t count);

/**
 * Append an expression to the rule begun last.
 * @param data NFTA_EXPR_DATA, or NULL
 * @param bad set to the attribute to blame, or NULL
 * @return 0; -EOPNOTSUPP: no such expression is built; what its parser says
 */
int builder_expr(struct nft_builder *b, const char *name, const struct nlattr *data,
	const struct nlattr **bad);

/**
 * The code of the rule begun last, which is complete. The program holds it; a caller
 * that keeps it holds it, too.
 * @return NULL without memory
 */
struct nft_code *builder_code(struct nft_builder *b);

/**
 * A rule at the end of a chain, whose code a program had before.
 * @return 0, -ENOMEM
 */
int builder_same_rule(
	struct nft_builder *b, uint32_t chain, uint64_t handle, struct nft_code *code);

/** Put a flowtable that covers ports in its place (builder_reserve()). */
void builder_put_flowtable(struct nft_builder *b, uint32_t number, uint64_t ports);

/**
 * The program, complete; the builder is gone.
 * @return NULL without memory
 */
struct nft_program *builder_finish(struct nft_builder *b);

#endif
