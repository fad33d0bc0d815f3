/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The nft socket: clients that speak netlink in frames (nft_frame.h), on a unix
 * stream socket. It carries; nft_wire.h understands. Everything here belongs to
 * the loop's thread.
 *
 * Bounds: NFT_CLIENTS_MAX clients; a request is at most NFT_REQUEST_MAX; a client
 * has one request at a time, further ones stay unread in its socket until it has
 * taken its answer. One that does not read loses notifications when NFT_EVENTS_MAX
 * of them wait for it, and is told so behind these, as netlink says ENOBUFS; it is
 * closed when NFT_REPLIES_MAX of answers wait for it. One that sends what is no
 * frame is closed at once. Nothing here blocks.
 */
#ifndef SHUNT_NFT_SERVER_H
#define SHUNT_NFT_SERVER_H

#include <stddef.h>

#include "loop.h"
#include "nft_frame.h"
#include "nft_wire.h"
#include "unix_socket.h"

/** Clients at once; further ones are closed as they come. */
#define NFT_CLIENTS_MAX 64
/** Notifications that may wait for a client, bytes. */
#define NFT_EVENTS_MAX ((size_t)64 * 1024 * 1024)
/** Bytes of an answer that may wait for a client. A million set elements take some 50 MB. */
#define NFT_REPLIES_MAX ((size_t)512 * 1024 * 1024)

struct nft_server;

/**
 * Listen on a socket.
 * @param wire outlives the server; the server makes and frees its clients
 * @param path as unix_listen(): a dead daemon's socket is replaced
 * @param access who may connect: nf_tables knows no right to look alone, so
 *        those of access->admin, root and the daemon's own user; access->view is ignored
 * @param[out] err 0, -ENOMEM, or unix_listen()'s error
 * @return the server, or NULL
 */
struct nft_server *nft_server_new(struct loop *loop, struct nft_wire *wire, const char *path,
	const struct unix_access *access, int *err);

/**
 * Close all clients and remove the socket. Requests that are unanswered are
 * given up by nft_client_free(); what a commit does goes on without them. Not
 * from within a callback of the wire. NULL is fine.
 */
void nft_server_free(struct nft_server *server);

/** Clients now, those who have gone while their request was unanswered included. */
unsigned int nft_server_clients(const struct nft_server *server);

#endif
