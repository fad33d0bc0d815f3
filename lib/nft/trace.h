/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Packets with nftrace set: rule by rule through a base chain, an event for each
 * rule that matched and for the chain's policy, as nft_do_chain and
 * nf_tables_trace.c of Linux 6.18 tell of them.
 */
#ifndef SHUNT_NFT_TRACE_H
#define SHUNT_NFT_TRACE_H

#include "program.h"

/** Bytes of headers that an event carries at most: NFT_TRACETYPE_*_HSIZE. */
#define NFT_TRACE_LINK	    20
#define NFT_TRACE_NETWORK   40
#define NFT_TRACE_TRANSPORT 20

/**
 * An event. It points into the program that judged the packet: to be read before
 * the program is freed. Whoever holds it: ro.
 */
struct nft_trace_event {
	const struct nft_chain_code *chain;  /**< of the rule; of a policy, the base chain */
	const struct nft_chain_code *target; /**< where a jump or goto leads, else NULL */
	uint64_t rule;			     /**< handle; 0: the chain's end, or a policy */
	uint32_t id;			     /**< the same for all events of a packet, not 0 */
	uint32_t mark;
	int32_t verdict; /**< NFT_CONTINUE, NF_DROP...; of a policy NF_ACCEPT or NF_DROP */
	uint8_t type;	 /**< enum nft_trace_types: RULE or POLICY */
	uint8_t family;	 /**< of the base chain's table, NFPROTO_* */
	uint8_t nfproto; /**< of the packet */
	/** What follows is there: in the first event of each base chain. */
	bool packet;
	bool conn;	  /**< so are ct_id, ct_status and ct_reply */
	bool ct_reply;	  /**< the packet goes in the reply direction */
	uint8_t ct_state; /**< a CT_STATE_* bit; 0: conntrack knows nothing of it */
	uint8_t link_len; /**< bytes of each header, 0: none */
	uint8_t network_len;
	uint8_t transport_len;
	uint8_t unused[2];
	uint32_t ct_id;
	uint32_t ct_status;
	uint32_t in_index; /**< interface, 0: none */
	uint32_t out_index;
	uint8_t link[NFT_TRACE_LINK];
	uint8_t network[NFT_TRACE_NETWORK];
	uint8_t transport[NFT_TRACE_TRANSPORT];
};

/** Where an evaluation stands. */
struct nft_cursor {
	uint32_t chain;
	uint32_t rule;	    /**< to be run next */
	unsigned int depth; /**< of stack */
	struct nft_return stack[NFT_JUMPS];
};

/**
 * Go on with the evaluation of a base chain for a packet that has, or just got,
 * PKT_NFTRACE. Worker.
 * @param eval set up for this base chain; its program, env and pkt are given
 * @param at where to go on; changed
 * @param ran the rule before `at` has been run, eval->regs.code is what it left:
 *   NFT_CONTINUE, NFT_BREAK or a verdict. Nobody has been told of it
 * @return as nft_reference_run()
 */
enum verdict nft_trace_run(
	const struct nft_base *base, struct nft_eval *eval, struct nft_cursor *at, bool ran);

#endif
