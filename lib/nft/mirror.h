/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * What the kernel says of its nf_tables, in dumps and events, as requests that make
 * the same of a store: the copy's side of nft_client_mirror(). No sockets.
 *
 * Control thread.
 */
#ifndef SHUNT_NFT_MIRROR_H
#define SHUNT_NFT_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/netlink.h>

/** A batch of requests as it grows. All zeroes: an empty one. */
struct nft_batch {
	uint8_t *bytes; /**< owned */
	size_t len;
	size_t room;
	uint32_t seq;	/**< of the last message */
	bool no_memory; /**< something is missing */
};

/** Empty it, for the next one. */
void nft_batch_clear(struct nft_batch *batch);

/** Free what it has. */
void nft_batch_free(struct nft_batch *batch);

/** Its first message. @param flush it takes the place of all that is there */
void nft_batch_begin(struct nft_batch *batch, bool flush);

/** Its last message. @return 0; -ENOMEM: something did not fit */
int nft_batch_end(struct nft_batch *batch);

/**
 * Append what a message of the kernel's stands for, with its handle; nothing if that
 * changes nothing. Attributes that only tell (use, owner, count) are left out.
 * @param message NFT_MSG_NEW* or NFT_MSG_DEL* of NFNL_SUBSYS_NFTABLES; every length in
 *   it is checked
 * @param dump of a dump: rules come in their order; else where the event says
 * @return 0, or -EINVAL for a message that is none of these
 */
int nft_batch_add(struct nft_batch *batch, const struct nlmsghdr *message, bool dump);

/**
 * What a message of a batch is about, for people: "rule in ip t c, handle 5".
 * @param seq of the message
 */
void nft_batch_name(const struct nft_batch *batch, uint32_t seq, char *out, size_t size);

#endif
