/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nft_server_priv.h"

/* Read for one client in a round, so that its bulk doesn't keep the others waiting. */
#define READ_ROUND (1024 * 1024)
/* A piece of output, unless a datagram is longer. */
#define CHUNK_SIZE (64 * 1024)
/* Above this much waiting output no request is read. */
#define OUT_HIGH (64 * 1024)
/* The memory of a request longer than this goes back once it is answered. */
#define REQ_KEEP (256 * 1024)

static bool
may_read(const struct nft_conn *conn)
{
	return !conn->busy && !conn->eof && !conn->broken && conn->out_len < OUT_HIGH;
}

/* Room for len more bytes in output. @return NULL without memory */
static struct nft_chunk *
out_room(struct nft_conn *conn, size_t len)
{
	struct nft_chunk *chunk = TAILQ_LAST(&conn->out, chunk_queue);
	size_t size = len > CHUNK_SIZE ? len : CHUNK_SIZE;

	if (chunk != NULL && chunk->size - chunk->end >= len)
		return chunk;
	chunk = malloc(sizeof(*chunk) + size);
	if (chunk == NULL)
		return NULL;
	chunk->size = size;
	chunk->end = 0;
	chunk->events = 0;
	TAILQ_INSERT_TAIL(&conn->out, chunk, link);
	return chunk;
}

static void
drop_chunk(struct nft_conn *conn)
{
	struct nft_chunk *chunk = TAILQ_FIRST(&conn->out);

	TAILQ_REMOVE(&conn->out, chunk, link);
	conn->out_len -= chunk->end - conn->sent;
	conn->out_events -= chunk->events;
	conn->out_answers -= chunk->end - chunk->events;
	conn->sent = 0;
	free(chunk);
}

/* Append a frame; a client whose answers would get beyond their bound is broken instead. */
static void
out_frame(struct nft_conn *conn, enum nft_frame_type type, const void *data, size_t len)
{
	bool event = type == NFT_FRAME_EVENT || type == NFT_FRAME_LOST;
	struct nft_frame head = {
		.len = (uint32_t)len,
		.type = (uint8_t)type,
		.protocol = event ? NETLINK_NETFILTER : conn->protocol,
	};
	const size_t whole = sizeof(head) + len;
	struct nft_chunk *chunk;

	if (conn->broken)
		return;
	loop_defer(conn->server->loop, &conn->service);
	if (len > NFT_DATAGRAM_MAX || (!event && conn->out_answers + whole > NFT_REPLIES_MAX)) {
		conn->broken = true;
		return;
	}
	chunk = out_room(conn, whole);
	if (chunk == NULL) {
		conn->broken = true;
		return;
	}
	memcpy(chunk->data + chunk->end, &head, sizeof(head));
	if (len != 0)
		memcpy(chunk->data + chunk->end + sizeof(head), data, len);
	chunk->end += whole;
	conn->out_len += whole;
	if (event) {
		chunk->events += whole;
		conn->out_events += whole;
	} else {
		conn->out_answers += whole;
	}
}

/*
 * A notification. One that finds no room is lost, and all that follow until the
 * client has taken what waits for it (netlink_overrun); then it is told.
 */
static void
out_event(struct nft_conn *conn, const void *data, size_t len)
{
	if (data == NULL || conn->out_events + sizeof(struct nft_frame) + len > NFT_EVENTS_MAX) {
		conn->lost = true;
		loop_defer(conn->server->loop, &conn->service);
	}
	if (!conn->lost)
		out_frame(conn, NFT_FRAME_EVENT, data, len);
}

/* The next piece of output, if there is any. */
static struct nft_chunk *
next_chunk(struct nft_conn *conn)
{
	if (TAILQ_EMPTY(&conn->out) && conn->lost) {
		conn->lost = false;
		out_frame(conn, NFT_FRAME_LOST, NULL, 0);
	}
	return TAILQ_FIRST(&conn->out);
}

/* Write what the socket takes. */
static void
transmit(struct nft_conn *conn)
{
	struct nft_chunk *chunk;

	while (!conn->broken && (chunk = next_chunk(conn)) != NULL) {
		ssize_t n = send(conn->fd, chunk->data + conn->sent, chunk->end - conn->sent,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			conn->sent += (size_t)n;
			conn->out_len -= (size_t)n;
			if (conn->sent == chunk->end)
				drop_chunk(conn);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR) {
			conn->broken = true;
		}
	}
}

void
nft_conn_free(struct nft_conn *conn)
{
	if (conn->client != NULL)
		nft_client_free(conn->client);
	loop_cancel(conn->server->loop, &conn->service);
	loop_remove(conn->watch);
	if (conn->fd >= 0)
		close(conn->fd);
	while (!TAILQ_EMPTY(&conn->out))
		drop_chunk(conn);
	LIST_REMOVE(conn, link);
	conn->server->conn_count--;
	free(conn->req);
	free(conn);
}

/* The client has gone, or is sent away. What the wire still has of it stays until it is done. */
static void
hang_up(struct nft_conn *conn)
{
	conn->broken = true;
	if (!conn->busy) {
		nft_conn_free(conn);
		return;
	}
	if (conn->fd < 0)
		return;
	loop_remove(conn->watch);
	conn->watch = NULL;
	close(conn->fd);
	conn->fd = -1;
	while (!TAILQ_EMPTY(&conn->out))
		drop_chunk(conn);
}

/* A service round: write, and be closed or watched for what can go on. */
static void
service(void *arg)
{
	struct nft_conn *conn = arg;

	if (!conn->broken)
		transmit(conn);
	if (conn->broken || (conn->eof && !conn->busy && conn->out_len == 0)) {
		hang_up(conn);
		return;
	}
	loop_modify(
		conn->watch, (may_read(conn) ? EPOLLIN : 0) | (conn->out_len != 0 ? EPOLLOUT : 0));
}

static void
on_send(void *ctx, const void *datagram, size_t len, bool event)
{
	if (event)
		out_event(ctx, datagram, len);
	else
		out_frame(ctx, NFT_FRAME_REP, datagram, len);
}

/* What of its answers a client has not taken. */
static size_t
on_backlog(void *ctx)
{
	const struct nft_conn *conn = ctx;

	return conn->out_answers;
}

static void
on_done(void *ctx)
{
	struct nft_conn *conn = ctx;

	out_frame(conn, NFT_FRAME_END, NULL, 0);
	conn->busy = false;
	conn->req_len = 0;
	if (conn->req_size > REQ_KEEP) {
		free(conn->req);
		conn->req = NULL;
		conn->req_size = 0;
	}
	/* Also if broken: then it is freed. */
	loop_defer(conn->server->loop, &conn->service);
}

/* Make room for the fragment that has been announced. */
static bool
req_room(struct nft_conn *conn)
{
	size_t need = conn->req_len + conn->head.len;
	size_t size = conn->req_size != 0 ? conn->req_size : NFT_FRAGMENT_MAX;
	uint8_t *larger;

	if (need > NFT_REQUEST_MAX)
		return false;
	if (need <= conn->req_size)
		return true;
	/* Doubled, so that it never gets far ahead of what has really come. */
	while (size < need)
		size *= 2;
	larger = realloc(conn->req, size);
	if (larger == NULL)
		return false;
	conn->req = larger;
	conn->req_size = size;
	return true;
}

/* A header has come. @return false: it is none that a client may send here */
static bool
begin_frame(struct nft_conn *conn)
{
	const struct nft_frame *head = &conn->head;

	if (head->type == NFT_FRAME_JOIN || head->type == NFT_FRAME_LEAVE)
		return head->len == sizeof(conn->group) && head->flags == 0 &&
		       head->protocol == NETLINK_NETFILTER && conn->req_len == 0;
	if (head->type != NFT_FRAME_REQ || head->len == 0 || head->len > NFT_FRAGMENT_MAX ||
		head->flags & ~NFT_FRAME_MORE)
		return false;
	if (head->protocol != NETLINK_NETFILTER && head->protocol != NETLINK_ROUTE)
		return false;
	if (conn->req_len == 0)
		conn->protocol = head->protocol;
	else if (conn->protocol != head->protocol)
		return false;
	return req_room(conn);
}

/* A frame has come whole. @return false: the client is to go */
static bool
end_frame(struct nft_conn *conn)
{
	conn->have = 0;
	if (conn->head.type == NFT_FRAME_REQ) {
		conn->req_len += conn->head.len;
		if (conn->head.flags & NFT_FRAME_MORE)
			return true;
		conn->busy = true;
		nft_client_request(
			conn->client, conn->protocol, conn->req, conn->req_len, on_done, conn);
		return true;
	}
	if (conn->group == 0 || conn->group > NFNLGRP_MAX)
		return false;
	if (conn->head.type == NFT_FRAME_JOIN)
		nft_client_join(conn->client, conn->group);
	else
		nft_client_leave(conn->client, conn->group);
	return true;
}

/* Where the next bytes go, and how many at most. */
static uint8_t *
in_room(struct nft_conn *conn, size_t *len)
{
	const size_t head = sizeof(conn->head);
	size_t off;

	if (conn->have < head) {
		*len = head - conn->have;
		return (uint8_t *)&conn->head + conn->have;
	}
	off = conn->have - head;
	*len = conn->head.len - off;
	if (conn->head.type == NFT_FRAME_REQ)
		return conn->req + conn->req_len + off;
	return (uint8_t *)&conn->group + off;
}

/* Read frames as long as they may be read. Nothing is read ahead of them. */
static void
receive(struct nft_conn *conn)
{
	const size_t head = sizeof(conn->head);
	size_t total = 0;

	while (may_read(conn) && total < READ_ROUND) {
		size_t want;
		uint8_t *to = in_room(conn, &want);
		ssize_t n = recv(conn->fd, to, want, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			conn->broken = true;
		if (n == 0)
			conn->eof = true;
		if (n <= 0)
			return;
		total += (size_t)n;
		conn->have += (size_t)n;
		if ((conn->have == head && !begin_frame(conn)) ||
			(conn->have >= head && conn->have == head + conn->head.len &&
				!end_frame(conn)))
			conn->broken = true;
	}
}

static void
on_event(void *arg, uint32_t events)
{
	struct nft_conn *conn = arg;

	if (events & EPOLLIN)
		receive(conn);
	/*
	 * Both directions are shut. What it sent in its last breath is done, if it
	 * comes to that by itself; nobody is left to hear of it.
	 */
	if (events & (EPOLLHUP | EPOLLERR) && (!may_read(conn) || !(events & EPOLLIN)))
		conn->broken = true;
	service(conn);
}

/* Who has made the connection, as /proc calls it. */
static void
introduce(struct nft_conn *conn)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	char path[32], name[16] = "";
	ssize_t n;
	int fd;

	if (getsockopt(conn->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return;
	nft_client_port(conn->client, (uint32_t)peer.pid);
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)peer.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, name, sizeof(name) - 1) : 0;
	name[n > 0 ? n : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
	nft_client_is(conn->client, (uint32_t)peer.pid, name);
}

void
nft_conn_open(struct nft_server *server, int fd)
{
	struct nft_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL) {
		close(fd);
		return;
	}
	conn->server = server;
	conn->fd = fd;
	conn->service.run = service;
	conn->service.arg = conn;
	TAILQ_INIT(&conn->out);
	LIST_INSERT_HEAD(&server->conns, conn, link);
	server->conn_count++;
	conn->client = nft_client_new(server->wire, on_send, conn);
	if (conn->client != NULL)
		introduce(conn);
	if (conn->client == NULL ||
		loop_add(server->loop, fd, EPOLLIN, on_event, conn, &conn->watch) != 0)
		nft_conn_free(conn);
	else
		nft_client_on_backlog(conn->client, on_backlog);
}
