/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Expressions: what a rule is made of. One file each under expr/, one row each
 * in expr_table.c. Here is what an expression offers (struct expr_ops) and what
 * it is given: its attributes when a ruleset is loaded, registers and a packet
 * when it is evaluated.
 *
 * Names and numbers are those of linux/netfilter/nf_tables.h. The semantics are
 * those of net/netfilter/nft_*.c of Linux 6.18.
 */
#ifndef SHUNT_NFT_EXPR_H
#define SHUNT_NFT_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* First: the kernel's headers give way to libc's, not the other way round. */
#include <netinet/in.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "feature.h"
#include "packet.h"
#include "states.h"
#include "trail.h"

/** 32-bit registers: the verdict's four, then sixteen for data. */
#define NFT_REG_WORDS 20
/** Bytes of data that a register run or a set key may have. */
#define NFT_DATA_MAX 64

/**
 * The registers of one evaluation. A register by its netlink number (NFT_REG_1
 * to 4 of 16 bytes, NFT_REG32_00 to 15 of 4) is words from nft_reg_parse() on;
 * both name the same memory, as in Linux.
 */
struct nft_regs {
	uint32_t word[NFT_REG_WORDS];
	int32_t code;	/**< the verdict so far: NFT_CONTINUE, NFT_BREAK, NF_DROP, NFT_JUMP... */
	uint32_t chain; /**< NFT_JUMP, NFT_GOTO: the chain's number in the program */
};

/** A verdict as data: of an immediate, of a verdict map's element. */
struct nft_verdict {
	int32_t code;
	uint32_t chain; /**< CHAIN_NONE without */
};
#define NFT_CHAIN_NONE UINT32_MAX

struct nft_program;
struct nft_trace_event;
struct nft_dynamic;
struct nft_limit;

/** What evaluation asks of the dataplane; filled by app/shuntd or a test. */
struct nft_env {
	const struct ct_ops *ct;
	/** The interface name of a port, 16 bytes padded with zeroes. */
	const char *(*port_name)(uint16_t port);
	/** The interface index of a port; `lo` is 1. */
	uint32_t (*port_index)(uint16_t port);
	/** The port of an interface name, PORT_NONE without. Loading only. */
	uint16_t (*port_by_name)(const char *name);
	/**
	 * Answer a packet that a rule rejects; the rule drops it then.
	 * @param type NFT_REJECT_ICMP_UNREACH, _TCP_RST or _ICMPX_UNREACH
	 * @param code of the ICMP error, of the packet's family
	 */
	void (*reject)(struct pkt *pkt, uint32_t type, uint8_t code);
	/**
	 * What routing says of an address, RTN_* (nft_fib4_eval_type, nft_fib6_eval_type).
	 * @param port the only one whose addresses count, PORT_NONE: all
	 */
	uint32_t (*fib_type)(const struct pkt *pkt, const union address *address, uint16_t port);
	/**
	 * The port of the route to an address, PORT_NONE without one (nft_fib4_eval).
	 * @param port the only one that counts, PORT_NONE: any
	 */
	uint16_t (*fib_port)(const struct pkt *pkt, const union address *address, uint16_t port);
	/** The smaller MTU of the packet's route and of the one back to its source, bytes of IP. */
	uint32_t (*path_mtu)(const struct pkt *pkt);
	/** A log statement was reached. @param flags NF_LOG_* */
	void (*log)(const struct pkt *pkt, const char *prefix, uint32_t level, uint32_t flags);
	/** Somebody wants to know of traced packets; NULL: nobody ever does. */
	const _Atomic bool *tracing;
	/** What befell a packet with nftrace set; copied. Only while *tracing. Worker. */
	void (*trace)(const struct nft_trace_event *event);
};

/** One evaluation of one packet at one base chain. */
struct nft_eval {
	struct nft_regs regs;
	/**
	 * Bits of the registers that may differ in another packet of the same
	 * flow that passes all guards. A test on one binds the walk to its packet.
	 */
	uint32_t unknown[NFT_REG_WORDS];
	struct nft_trail *trail; /**< NULL: nobody will record this walk */
	uint64_t rule;		 /**< handle of the rule being evaluated */
	const struct nft_program *program;
	const struct nft_env *env;
	struct pkt *pkt;
};

/** What iptables' extensions ask of a rule's place. */
struct expr_compat {
	const char *table;  /**< its table's name */
	uint32_t own_hooks; /**< the bit of enum hook of its own chain, when it comes; else 0 */
	uint16_t proto;	    /**< NFTA_RULE_COMPAT_PROTO: the L4 protocol that the rule is for */
	bool invert;	    /**< NFT_RULE_COMPAT_F_INV: for any but that */
};

/** Where an expression stands, and what its names mean. Loading only, control thread. */
struct expr_ctx {
	uint8_t family;	    /**< NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_INET */
	uint8_t chain_type; /**< enum nft_chain_kind of the base chains that reach it */
	uint32_t hooks;	    /**< bits of enum hook of those base chains */
	struct expr_compat compat;
	void *owner;
	bool dumped; /**< from another nf_tables' listing, where zeroes stand for what is absent */
	/**
	 * Number of a set in the program, its key and data lengths, of an object map
	 * the type of its objects; -ENOENT.
	 */
	int (*set)(void *owner, const char *name, uint32_t id, uint32_t *set, uint32_t *key_len,
		uint32_t *data_len, uint32_t *flags);
	/**
	 * The elements that packets add to a set of flags dynamic, NULL: it has none.
	 * They live as long as the rule holds on to the set. NULL: no set has any.
	 */
	struct nft_dynamic *(*dynamic)(void *owner, const char *name, uint32_t id);
	/** Number of a chain; -ENOENT. */
	int (*chain)(void *owner, const char *name, uint32_t *chain);
	/** The same of a chain without a name, by its id in this batch; NULL: there are none. */
	int (*chain_by_id)(void *owner, uint32_t id, uint32_t *chain);
	/** Number of the state of a named object; -ENOENT. */
	int (*object)(void *owner, const char *name, uint32_t type, uint32_t *state);
	/** A fresh state slot of a kind; -ENOSPC. */
	int (*state)(void *owner, uint32_t kind, uint32_t *state);
	/** Words that the rule's expressions have written so far, bits; 0 when a rule begins. */
	uint32_t written;
	/** On failure: the attribute at fault, or NULL for the whole expression. */
	const struct nlattr *bad;
};

/** nf_ct_netns_get(): what needs connections needs a family that has them, or -EPROTO. */
static inline int
expr_conntrack(const struct expr_ctx *ctx)
{
	return ctx->family == NFPROTO_NETDEV || ctx->family == NFPROTO_ARP ? -EPROTO : 0;
}

/** Chain types. */
enum nft_chain_kind {
	NFT_KIND_FILTER = 1 << 0,
	NFT_KIND_NAT = 1 << 1,
	NFT_KIND_ROUTE = 1 << 2,
};

struct expr;

/** What an expression offers. Static. */
struct expr_ops {
	const char *name;
	size_t size;  /**< of its struct, which begins with struct expr */
	int max_attr; /**< attributes above are unknown: refused */
	/**
	 * Read attributes into a zeroed expression.
	 * @param attrs by type, NULL: absent; their payload is in bounds, their
	 *   kind is for this function to check (attr_u32() and its like)
	 * @return 0; -EINVAL, -EOPNOTSUPP, -ENOENT, -ERANGE... with ctx->bad
	 */
	int (*parse)(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx);
	/** Evaluate: change registers, or set regs.code to NFT_BREAK or a verdict. Worker. */
	void (*evaluate)(const struct expr *expr, struct nft_eval *eval);
	bool tracks; /**< a loaded rule with it turns conntrack on (nf_ct_netns_get) */
	/** What it can do, a row each; parse() asks the same table (expr_feature()). */
	const struct nft_feature *features;
	uint8_t families; /**< enum nft_family_bit that Linux has it for; 0: all */
};

/** The head of every expression in a program. */
struct expr {
	const struct expr_ops *ops;
};

/** The operations of a name, or NULL. */
const struct expr_ops *expr_find(const char *name);

/**
 * Whether an expression can be in a table of a family.
 * @return 0; -ENOENT: Linux does not have it there; -EOPNOTSUPP: it is not built
 */
int expr_exists(const char *name, uint8_t family);

/** The n-th row of the table, or NULL behind the last. */
const struct expr_ops *expr_row(unsigned int n);

/**
 * Parse the data of an expression (NFTA_EXPR_DATA's attributes).
 * @param data the nest, or NULL for an expression without
 * @param out ops->size bytes
 * @return 0 or a negative errno with ctx->bad
 */
int expr_parse(const struct expr_ops *ops, const struct nlattr *data, struct expr_ctx *ctx,
	struct expr *out);

/* --- for the files under expr/ */

/** A 32-bit attribute in network order. @return 0; -EINVAL: absent or of another size */
int attr_u32(const struct nlattr *attr, struct expr_ctx *ctx, uint32_t *value);
/** The same, or a default if it is absent. */
int attr_u32_or(
	const struct nlattr *attr, struct expr_ctx *ctx, uint32_t fallback, uint32_t *value);
/** A 64-bit attribute in network order. */
int attr_u64(const struct nlattr *attr, struct expr_ctx *ctx, uint64_t *value);
/** A string attribute of at most size - 1 bytes; NUL-terminated on return, with or without one
 * there. */
int attr_string(const struct nlattr *attr, struct expr_ctx *ctx, char *out, size_t size);
/**
 * A register to store to: its first word.
 * @param len bytes that must fit from there on
 * @return 0; -EINVAL no such register; -ERANGE too long for it
 */
int attr_reg(const struct nlattr *attr, struct expr_ctx *ctx, uint32_t len, uint8_t *word);
/**
 * The same of a register that is read: -ENODATA if nothing in the rule has written
 * it so far (nft_parse_register_load).
 */
int attr_load(const struct nlattr *attr, struct expr_ctx *ctx, uint32_t len, uint8_t *word);
/**
 * The row of a key, type or attribute, if the expression can have it here: in
 * this family, reached from these hooks, by chains of these types.
 * @param attr to blame if there is no such row, or one that refuses; the place
 *   alone is the fault of the whole expression
 * @return 0 or -EOPNOTSUPP
 */
int expr_feature(const struct nft_feature *features, uint32_t number, bool set,
	struct expr_ctx *ctx, const struct nlattr *attr, const struct nft_feature **row);
/** Refuse attributes that the rows of attributes refuse. @return 0 or -EOPNOTSUPP */
int expr_attributes(const struct nft_feature *features, const struct nlattr *const *attrs, int max,
	struct expr_ctx *ctx);
/** NFTA_DATA_VALUE of a nest, 1 to NFT_DATA_MAX bytes. */
int attr_value(
	const struct nlattr *attr, struct expr_ctx *ctx, uint8_t out[NFT_DATA_MAX], uint32_t *len);
/** NFTA_DATA_VERDICT of a nest. */
int attr_verdict(const struct nlattr *attr, struct expr_ctx *ctx, struct nft_verdict *out);
/** The attributes of a limit, NFTA_LIMIT_*. @return 0 or a negative errno with ctx->bad */
int limit_parse(struct nft_limit *limit, const struct nlattr *const *attrs, struct expr_ctx *ctx);
/** The verdicts that attr_verdict() takes, by code. */
extern const struct nft_feature expr_verdicts[];
/** Refuse with an attribute to blame. @return err */
int attr_refuse(struct expr_ctx *ctx, const struct nlattr *attr, int err);

/** The bytes of a register run. */
static inline uint8_t *
nft_reg(struct nft_eval *eval, uint8_t word)
{
	return (uint8_t *)&eval->regs.word[word];
}

/** Store a value of up to 4 bytes as Linux's nft_reg_store8 and 16 do: the rest of the word is
 * zero. */
static inline void
nft_store(struct nft_eval *eval, uint8_t word, uint32_t value)
{
	eval->regs.word[word] = value;
}

/** The walk holds for its own packet only, for a reason; the first one is kept. */
static inline void
nft_bind_to_packet(struct nft_eval *eval, enum nft_input input)
{
	if (eval->trail == NULL || eval->trail->input != NFT_INPUT_NONE)
		return;
	eval->trail->input = (uint8_t)input;
	eval->trail->rule = eval->rule;
}

/** Registers get a value that is the same for every packet of the flow, or none of it is. */
static inline void
nft_mark(struct nft_eval *eval, uint8_t word, uint32_t len, uint32_t unknown)
{
	for (uint32_t i = 0; i < (len + 3) / 4; i++)
		eval->unknown[word + i] = unknown;
}

/** A test reads registers: it must not hang on bits that differ from packet to packet. */
static inline void
nft_test(struct nft_eval *eval, uint8_t word, uint32_t len)
{
	const uint8_t *unknown = (const uint8_t *)&eval->unknown[word];

	for (uint32_t i = 0; i < len; i++)
		if (unknown[i] != 0)
			nft_bind_to_packet(eval, NFT_INPUT_PAYLOAD);
}

/** A counter was passed. */
static inline void
nft_pass_counter(struct nft_eval *eval, uint32_t counter)
{
	if (eval->trail == NULL)
		return;
	if (eval->trail->count == NFT_TRAIL_COUNTERS)
		nft_bind_to_packet(eval, NFT_INPUT_COUNTERS);
	else
		eval->trail->counters[eval->trail->count++] =
			counter | (eval->pkt->hook == HOOK_EGRESS ? NFT_TRAIL_FRAME : 0);
}

/** The rule ends here without a verdict. */
static inline void
nft_break(struct nft_eval *eval)
{
	eval->regs.code = NFT_BREAK;
}

#endif
