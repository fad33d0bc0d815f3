/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * iptables' extensions, as iptables-nft sends them: the expressions `match` and
 * `target` (nft_compat.c) name one by name and revision and carry its struct of
 * linux/netfilter/xt_*.h. One file each under xt/, rows in xt_table.c.
 *
 * An extension checks its struct when the rule comes, and may replace it by what
 * evaluation needs. Semantics are those of net/netfilter/xt_*.c of Linux 6.18.
 */
#ifndef SHUNT_NFT_XT_H
#define SHUNT_NFT_XT_H

#include "expr.h"

/** Bytes that evaluation may need of an extension. */
#define NFT_XT_MAX 176

/** XT_ALIGN: structs travel padded to a multiple of 8 bytes. */
#define NFT_XT_ALIGN(len) (((len) + 7U) & ~7U)

/** What evaluation needs: the struct as it came, or what check() made of it. */
struct nft_xt_data {
	uint8_t bytes[NFT_XT_MAX] __attribute__((aligned(8)));
};

/** An extension of a revision. Static. */
struct nft_xt {
	const char *name;
	uint8_t revision;
	uint8_t families;  /**< enum nft_family_bit; 0: any */
	uint16_t size;	   /**< bytes of its struct */
	uint16_t shown;	   /**< of these, bytes that are listed, the rest as zeroes; 0: all */
	uint8_t hooks;	   /**< bits of enum hook of the base chains that may reach it; 0: any */
	uint8_t proto;	   /**< the rule must be for this L4 protocol alone; 0: for any */
	uint8_t tracks;	   /**< a loaded rule with it turns conntrack on */
	const char *table; /**< the table that it can be in, NULL: any */
	/**
	 * Check the struct, and make of it what evaluation needs. NULL: it may be anything.
	 * @param data the struct, zeroes behind it; one longer than NFT_XT_MAX is not there
	 * @return 0; -EINVAL, -EOPNOTSUPP... as the kernel's checkentry()
	 */
	int (*check)(struct nft_xt_data *data, struct expr_ctx *ctx);
	/** A match: whether it does. It may set regs.code to NF_DROP ("hotdrop"). Worker. */
	bool (*match)(const struct nft_xt_data *data, struct nft_eval *eval);
	/** A target: acts; regs.code gets a verdict, or stays. Worker. */
	void (*target)(const struct nft_xt_data *data, struct nft_eval *eval);
	const char *note; /**< for doc/support.md, NULL: nothing */
};

/** The n-th extension, or NULL behind the last. */
const struct nft_xt *nft_xt_row(unsigned int n);

/** The extension of a name and revision for a family (NFPROTO_*), or NULL. */
const struct nft_xt *nft_xt_find(uint8_t family, const char *name, uint32_t revision, bool target);

/**
 * Which revision there is (xt_find_revision).
 * @param best the highest that there is
 * @return 0; -EPROTONOSUPPORT: another than the one asked for; -ENOENT: none at all
 */
int nft_xt_revision(
	uint8_t family, const char *name, uint32_t revision, bool target, uint32_t *best);

/**
 * The extension that an expression's data (NFTA_EXPR_DATA) names, or NULL.
 * @param target the expression is `target`, not `match`
 */
const struct nft_xt *nft_xt_named(uint8_t family, const struct nlattr *data, bool target);

/** Whether a parsed expression is one of an extension that needs conntrack. */
bool nft_xt_tracks(const struct expr *expr);

/** The L4 protocol that a match looks into: the packet has its header whole. */
static inline uint32_t
nft_xt_l4_left(const struct pkt *pkt)
{
	return (uint32_t)pkt->ip_len + pkt->l2_len - pkt->l4_off;
}

/** The first of `len` bytes of the L4 header, or NULL: the packet ends before. */
static inline const uint8_t *
nft_xt_l4(const struct pkt *pkt, uint32_t len)
{
	if (nft_xt_l4_left(pkt) < len)
		return NULL;
	return rte_pktmbuf_mtod_offset(pkt_mbuf(pkt), const uint8_t *, pkt->l4_off);
}

/** The packet is dropped at once: a match found it malformed. @return false */
static inline bool
nft_xt_hotdrop(struct nft_eval *eval)
{
	eval->regs.code = NF_DROP;
	return false;
}

#endif
