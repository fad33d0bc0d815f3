/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc_priv.h"

/* Read in one go, so that one client's bulk doesn't keep the others waiting. */
#define READ_SIZE (64 * 1024)

static void service(void *arg);

/* Whether a further request may run. */
static bool
ready_for_request(const struct rpc_conn *conn)
{
	return !conn->broken && conn->reply_count < RPC_REQUESTS_MAX &&
	       rpc_buffer_len(&conn->out) < OUT_HIGH;
}

/* Read once. @return bytes; 0 for nothing now, with eof set at the end */
static size_t
receive(struct rpc_conn *conn)
{
	char *room = rpc_buffer_room(&conn->in, READ_SIZE);
	ssize_t n;

	if (room == NULL) {
		conn->broken = true;
		return 0;
	}
	n = recv(conn->fd, room, READ_SIZE, MSG_DONTWAIT);
	if (n > 0) {
		conn->in.end += (size_t)n;
		return (size_t)n;
	}
	if (n == 0)
		conn->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		conn->eof = conn->broken = true;
	if (rpc_buffer_len(&conn->in) == 0)
		rpc_buffer_free(&conn->in);
	return 0;
}

/* Run the requests that are there. */
static void
run_lines(struct rpc_conn *conn)
{
	while (ready_for_request(conn)) {
		size_t len = rpc_buffer_len(&conn->in);
		const char *line = rpc_buffer_line(&conn->in, &len);

		if (len >= RPC_REQUEST_MAX) {
			rpc_write_error(conn, NULL, RPC_PARSE_ERROR, "request too long");
			conn->broken = true;
			return;
		}
		if (line == NULL)
			return;
		rpc_request(conn, line, len);
		rpc_buffer_drop(&conn->in, len + 1);
	}
}

/* Write what the socket takes. */
static void
transmit(struct rpc_conn *conn)
{
	while (rpc_buffer_len(&conn->out) != 0) {
		ssize_t n = send(conn->fd, conn->out.data + conn->out.start,
			rpc_buffer_len(&conn->out), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			rpc_buffer_drop(&conn->out, (size_t)n);
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN) {
			/* It reads no more: what it asked is nobody's question now. */
			conn->broken = true;
			rpc_buffer_free(&conn->out);
		}
		return;
	}
}

/*
 * A round: run requests, call cursors, write; close when nothing is left to do.
 * A connection that does all it can in one round still yields to the others.
 */
static void
service(void *arg)
{
	struct rpc_conn *conn = arg;
	bool more;

	run_lines(conn);
	more = rpc_streams_pump(conn);
	transmit(conn);
	if (conn->broken ||
		(conn->eof && conn->reply_count == 0 && rpc_buffer_len(&conn->out) == 0 &&
			conn->in.scanned == rpc_buffer_len(&conn->in))) {
		rpc_conn_close(conn);
		return;
	}
	if (rpc_buffer_len(&conn->out) != 0) {
		/* The socket is full. Going on when it has room is all that can be done. */
		loop_modify(conn->watch, EPOLLOUT);
		return;
	}
	/* Lines that waited for room, or rows that did. */
	if (more || (ready_for_request(conn) && conn->in.scanned < rpc_buffer_len(&conn->in)))
		rpc_conn_wake(conn);
	loop_modify(conn->watch, !conn->eof && ready_for_request(conn) ? EPOLLIN : 0);
}

static void
on_event(void *arg, uint32_t events)
{
	struct rpc_conn *conn = arg;
	size_t n = 1;

	if (events & EPOLLIN)
		n = receive(conn);
	/*
	 * Both directions are shut: nobody is left to answer. What it sent in its
	 * last breath is still done if there is room.
	 */
	if ((events & (EPOLLHUP | EPOLLERR)) && (!(events & EPOLLIN) || n == 0)) {
		if (!(events & EPOLLIN))
			receive(conn);
		run_lines(conn);
		rpc_conn_close(conn);
		return;
	}
	service(conn);
}

void
rpc_conn_open(struct rpc_server *server, int fd, enum unix_right right)
{
	struct rpc_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL ||
		loop_add(server->loop, fd, EPOLLIN, on_event, conn, &conn->watch) != 0) {
		free(conn);
		close(fd);
		return;
	}
	conn->server = server;
	conn->fd = fd;
	conn->right = right;
	conn->service.run = service;
	conn->service.arg = conn;
	TAILQ_INIT(&conn->replies);
	LIST_INSERT_HEAD(&server->conns, conn, link);
	server->conn_count++;
}

void
rpc_conn_close(struct rpc_conn *conn)
{
	struct rpc_reply *reply;

	conn->broken = true;
	while ((reply = TAILQ_FIRST(&conn->replies)) != NULL)
		rpc_reply_cancel(reply);
	loop_cancel(conn->server->loop, &conn->service);
	loop_remove(conn->watch);
	close(conn->fd);
	LIST_REMOVE(conn, link);
	conn->server->conn_count--;
	rpc_buffer_free(&conn->in);
	rpc_buffer_free(&conn->out);
	free(conn);
}

void
rpc_conn_wake(struct rpc_conn *conn)
{
	loop_defer(conn->server->loop, &conn->service);
}

void
rpc_conn_write(struct rpc_conn *conn, const char *data, size_t len)
{
	if (conn->broken)
		return;
	if (rpc_buffer_len(&conn->out) + len > OUT_MAX ||
		rpc_buffer_add(&conn->out, data, len) != 0)
		conn->broken = true;
}

int
rpc_conn_write_json(struct rpc_conn *conn, const json_t *value)
{
	const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
	size_t len = json_dumpb(value, NULL, 0, flags);
	char *room;

	if (len == 0)
		return -ENOMEM;
	if (len > RPC_RESULT_MAX)
		return -EMSGSIZE;
	if (conn->broken)
		return 0;
	room = rpc_buffer_len(&conn->out) + len > OUT_MAX ? NULL : rpc_buffer_room(&conn->out, len);
	if (room == NULL) {
		conn->broken = true;
		return 0;
	}
	conn->out.end += json_dumpb(value, room, len, flags);
	return 0;
}
