/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The inside of the nft socket: nft_server.c admits, nft_connection.c reads
 * requests, hands them to the wire, and writes what the wire gives it. The wire's
 * callbacks only append to the output: a connection is closed by its own service
 * round or event alone, so the wire never sees a client vanish under it.
 */
#ifndef SHUNT_NFT_SERVER_PRIV_H
#define SHUNT_NFT_SERVER_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "nft_server.h"

/** Output is kept in pieces, so that a large answer isn't moved when it grows. */
struct nft_chunk {
	TAILQ_ENTRY(nft_chunk) link;
	size_t size;   /**< of data */
	size_t end;    /**< bytes in it */
	size_t events; /**< of these in EVENT frames */
	uint8_t data[];
};

/** A client's connection. */
struct nft_conn {
	struct nft_server *server;
	int fd; /**< -1: the client has gone, its request has not come back */
	struct loop_fd *watch;
	struct nft_client *client;
	struct nft_frame head; /**< of the frame that is coming in */
	size_t have;	       /**< bytes of it, header included */
	uint32_t group;	       /**< the payload of JOIN and LEAVE */
	uint8_t *req;	       /**< the request, as far as it has come */
	size_t req_len;	       /**< bytes of whole fragments */
	size_t req_size;       /**< allocated */
	uint8_t protocol;      /**< of its first fragment */
	TAILQ_HEAD(chunk_queue, nft_chunk) out;
	size_t sent;	    /**< bytes of the first chunk that have left */
	size_t out_len;	    /**< bytes that have not */
	size_t out_events;  /**< bytes of EVENT frames in the chunks */
	size_t out_answers; /**< bytes of the others in the chunks */
	bool lost;	    /**< notifications; the client has not been told yet */
	bool busy;	    /**< the wire has the request */
	bool eof;	    /**< it sends no more */
	bool broken;	    /**< to be closed */
	struct loop_work service;
	LIST_ENTRY(nft_conn) link;
};

struct nft_server {
	struct loop *loop;
	struct nft_wire *wire;
	struct unix_access access;
	struct unix_listener listener;
	struct loop_fd *watch;
	struct loop_timer *resume; /**< accepting, after descriptors ran out */
	LIST_HEAD(nft_conn_list, nft_conn) conns;
	unsigned int conn_count;
};

/** Serve an accepted socket; takes it over, also on failure. */
void nft_conn_open(struct nft_server *server, int fd);
/** Give up its request, close, free. */
void nft_conn_free(struct nft_conn *conn);

#endif
