/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The compiled program: what nft_reference_run() finds, faster. Each rule's
 * leading comparisons become matches on the packet itself, without registers,
 * and a run of rules that compare the same bytes with constants is entered by a
 * hash of these bytes, so that rules that cannot match are not looked at. What
 * is left of a rule is evaluated expression by expression.
 */
#ifndef SHUNT_NFT_COMPILE_H
#define SHUNT_NFT_COMPILE_H

#include "program.h"

/**
 * Compile a complete program. Control thread, before it is published.
 * @return 0 or -ENOMEM (the program is as it was)
 */
int nft_compile(struct nft_program *program);

/** As nft_reference_run(), of a program that nft_compile() has compiled. Worker. */
enum verdict nft_compiled_run(const void *base, struct pkt *pkt);

/** What compiling made of a chain, for `show program`. */
struct nft_compiled {
	uint32_t matches; /**< comparisons that need no registers */
	uint32_t runs;	  /**< runs of rules that are entered by a hash */
	uint32_t in_runs; /**< rules of them */
};

/** Say what a chain became; all zero if it was not compiled. Any thread. */
void nft_compiled_facts(const struct nft_chain_code *chain, struct nft_compiled *facts);

#endif
