/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The trail of a walk: what its rules did and read, so that a flow record can
 * stand for the walk (doc/architecture.md, flow entries). One a worker, cleared
 * for each packet; pkt->trail points to it, or is NULL when nobody will record.
 */
#ifndef SHUNT_NFT_TRAIL_H
#define SHUNT_NFT_TRAIL_H

#include <stdbool.h>
#include <stdint.h>

/** Counters that one walk may pass and still be recorded. */
#define NFT_TRAIL_COUNTERS 64

/** In a counter's number: at egress, where bytes are the frame's. */
#define NFT_TRAIL_FRAME (1U << 31)

/** What made a walk hold for its own packet only. */
enum nft_input {
	NFT_INPUT_NONE,
	NFT_INPUT_PAYLOAD,  /**< bytes that differ from packet to packet: TTL, length, TCP's PSH...
			     */
	NFT_INPUT_CT_COUNT, /**< ct bytes, packets, avgpkt, expiration */
	NFT_INPUT_LIMIT,    /**< a limit has to see every packet */
	NFT_INPUT_LOG,	    /**< so has a log statement */
	NFT_INPUT_REJECT,   /**< and a reject */
	NFT_INPUT_CT_SET,   /**< a connection mark that changes */
	NFT_INPUT_NUMGEN,   /**< a number that is another one for each packet */
	NFT_INPUT_SET,	    /**< a set whose elements come and go by themselves */
	NFT_INPUT_TRACE,    /**< nftrace: each packet is told of */
	NFT_INPUT_WRITE,    /**< bytes are written to every packet */
	NFT_INPUT_COUNTERS, /**< more counters than a trail has room for */
};

/** The trail. The worker that walks: rw. */
struct nft_trail {
	uint16_t count; /**< counters passed, each as often as it was */
	bool permit;	/**< `flow add` of a flowtable that covers the ingress port */
	uint8_t input;	/**< enum nft_input: NONE, the walk may be recorded */
	uint64_t rule;	/**< the handle of the rule that read it */
	uint32_t counters[NFT_TRAIL_COUNTERS];
};

/** Begin a walk. */
static inline void
nft_trail_clear(struct nft_trail *trail)
{
	trail->count = 0;
	trail->permit = false;
	trail->input = NFT_INPUT_NONE;
}

/** The name of an input, as `show flows --why` prints it. Static. */
const char *nft_input_name(enum nft_input input);

#endif
