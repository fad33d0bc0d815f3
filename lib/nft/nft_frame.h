/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * What passes between the shim (lib/nft/shim) and the daemon (nft_server.c): a
 * unix stream of frames, a header and a payload each, in host order.
 *
 * A client asks by one or more REQ frames, all but the last with MORE; the
 * daemon answers by any number of REP frames, a netlink datagram each, and one
 * END. The END is there because a batch that nft has sent has no answer if all
 * went well: without it the shim could not tell success from "not yet". EVENT
 * frames, notifications of joined groups, may come at any time, between the
 * REPs of an answer too; so may a LOST, in the place of those that are missing.
 */
#ifndef SHUNT_NFT_FRAME_H
#define SHUNT_NFT_FRAME_H

#include <stdint.h>

/** Where the daemon listens if nobody says otherwise. */
#define NFT_SOCKET_DEFAULT "/run/shunt/nft.sock"

/** The payload of a REQ frame, at most. */
#define NFT_FRAGMENT_MAX (128 * 1024)
/** All fragments of a request together, at most. nft's largest seen: 55 MB, 100,000 rules. */
#define NFT_REQUEST_MAX (64 * 1024 * 1024)
/** The payload of a REP or EVENT frame, at most: a sanity check, datagrams are 32 KiB and less. */
#define NFT_DATAGRAM_MAX (16 * 1024 * 1024)

/** Kinds of frames. */
enum nft_frame_type {
	NFT_FRAME_REQ = 1,    /**< client: (a piece of) what sendmsg() was given */
	NFT_FRAME_JOIN = 2,   /**< client: uint32_t, a netlink group */
	NFT_FRAME_LEAVE = 3,  /**< client: the same */
	NFT_FRAME_REP = 16,   /**< daemon: a datagram of the answer */
	NFT_FRAME_END = 17,   /**< daemon: the request is answered; no payload */
	NFT_FRAME_EVENT = 18, /**< daemon: a notification */
	NFT_FRAME_LOST = 19,  /**< daemon: here notifications were lost; no payload */
};

/** In nft_frame.flags: another fragment of this request follows. */
#define NFT_FRAME_MORE 1

/** The header of a frame. */
struct nft_frame {
	uint32_t len;	  /**< of the payload, bytes */
	uint8_t type;	  /**< enum nft_frame_type */
	uint8_t protocol; /**< NETLINK_NETFILTER or NETLINK_ROUTE */
	uint16_t flags;	  /**< NFT_FRAME_MORE; the rest is 0 */
};

_Static_assert(sizeof(struct nft_frame) == 8, "the header of a frame has 8 bytes");

#endif
