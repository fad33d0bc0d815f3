/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHUNT_NFT_COMPILE_PRIV_H
#define SHUNT_NFT_COMPILE_PRIV_H

#include "compile.h"

#define NO_RUN UINT32_MAX
/* Bytes that a match compares, at most. */
#define MATCH_MAX 16
/* Rules that make a run worth a hash. */
#define RUN_LEAST 6

/* Where a match takes its bytes from. */
enum match_from {
	FROM_NETWORK,	/* offset in the IP header */
	FROM_TRANSPORT, /* offset in the L4 header */
	FROM_IN_NAME,	/* interface names, of which the matching ports are known beforehand */
	FROM_OUT_NAME,
	FROM_L4PROTO,
	FROM_NFPROTO,
	FROM_CT_STATE,
	FROM_MARK,
};

/* Bytes of the packet, masked, as two words; what comes behind the length is zero. */
struct match_key {
	uint8_t from; /* enum match_from */
	uint8_t offset;
	uint8_t len;
	bool fast; /* NFT_PAYLOAD_FAST: see payload_base() of expr/payload.c */
	/* By family, a bit a byte: those that differ between packets of a flow. */
	uint16_t unsafe[2];
	uint64_t mask[2];
};

/* A comparison of it. */
struct match {
	struct match_key key;
	bool differ; /* != */
	uint64_t value[2];
	uint64_t ports; /* names: matching ports; bit 63: no port */
};

/* A rule: its matches, then the expressions that are left. */
struct fast_rule {
	uint64_t handle;
	const uint8_t *begin, *end;
	uint32_t first, count; /* matches */
	uint32_t run;	       /* that it is in, NO_RUN */
};

/* A value of a run, and the rules that compare with it, in order. */
struct run_entry {
	uint64_t value[2];
	uint32_t rule;
	uint32_t next;
};

/* Rules first to last - 1 each begin with, or have, an == of the same key. */
struct run {
	struct match_key key;
	uint32_t first, last;
	/* What all its rules ask for: nobody else is led into it. 0: nothing. */
	uint8_t nfproto, l4proto;
	uint32_t mask;
	uint32_t *heads;
	struct run_entry *entries;
};

struct nft_fast {
	struct fast_rule *rules;
	struct match *matches;
	struct run *runs;
	uint32_t rule_count, match_count, run_count;
};

/* Read the key's bytes, masked; false: the rule breaks. */
bool match_read(const struct match_key *key, struct nft_eval *eval, uint64_t out[2]);

/* What an expression is to the compiler; compile_table.c has the rows. */
struct expr_compile {
	const struct expr_ops *ops;
	/* It loads what can be a key, into a register. */
	bool (*load)(const struct expr *expr, struct match_key *key, uint8_t *reg);
	/* It masks a register in place, and nothing else. */
	bool (*mask)(const struct expr *expr, uint8_t *reg, uint8_t *len, uint64_t mask[2]);
	/* It compares a register with a constant for == or !=. */
	bool (*test)(const struct expr *expr, uint8_t *reg, uint8_t *len, bool *differ,
		uint8_t value[MATCH_MAX]);
	/* The words of registers that it writes first of all; NULL: none is known of. */
	uint32_t (*writes)(const struct expr *expr);
	/* The words that it reads; NULL: any, or those that load, mask and test say. */
	uint32_t (*reads)(const struct expr *expr);
	bool reads_none; /* it reads no register */
};

/* The row of an expression, or NULL: it may read everything. */
const struct expr_compile *compile_row(const struct expr_ops *ops);

/* Words of a run of registers. */
static inline uint32_t
words_of(uint8_t reg, uint32_t len)
{
	return ((1U << (len + 3) / 4) - 1) << reg;
}

/* expr/: what only the expressions' files know. */
bool payload_load(const struct expr *expr, struct match_key *key, uint8_t *reg);
uint32_t payload_writes(const struct expr *expr);
uint32_t payload_reads(const struct expr *expr);
bool meta_load(const struct expr *expr, struct match_key *key, uint8_t *reg);
uint32_t meta_writes(const struct expr *expr);
bool ct_load(const struct expr *expr, struct match_key *key, uint8_t *reg);
bool bitwise_mask(const struct expr *expr, uint8_t *reg, uint8_t *len, uint64_t mask[2]);
bool cmp_test(const struct expr *expr, uint8_t *reg, uint8_t *len, bool *differ,
	uint8_t value[MATCH_MAX]);
uint32_t immediate_writes(const struct expr *expr);

#endif
