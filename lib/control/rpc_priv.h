/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The inside of the RPC server: a connection reads lines (rpc_connection.c),
 * makes requests of them (rpc_request.c), whose answers go to its output buffer,
 * at once or row by row (rpc_stream.c). Only a connection's own service round
 * writes to its socket and only that, or the server's end, frees it: a handler
 * never sees a connection vanish.
 */
#ifndef SHUNT_CONTROL_RPC_PRIV_H
#define SHUNT_CONTROL_RPC_PRIV_H

#include <sys/queue.h>

#include "rpc_server.h"

/** Above this much waiting output a connection's requests and cursors rest. */
#define OUT_HIGH (64 * 1024)
/** Above this much the client is given up: it pipelines and never reads. */
#define OUT_MAX (4 * RPC_RESULT_MAX)
/** A line of rows is closed once it is this long. */
#define ROWS_LINE (16 * 1024)

/** Bytes that come in at the end and leave at the start. */
struct rpc_buffer {
	char *data;
	size_t start; /**< of what has not left */
	size_t end;
	size_t size;
	size_t scanned; /**< bytes from start without a newline; rpc_buffer_line()'s */
};

/** Bytes held. */
static inline size_t
rpc_buffer_len(const struct rpc_buffer *buf)
{
	return buf->end - buf->start;
}

/** Make room for len bytes behind the end. @return where they go, NULL without memory */
char *rpc_buffer_room(struct rpc_buffer *buf, size_t len);
/** Append a copy. @return 0 or -ENOMEM */
int rpc_buffer_add(struct rpc_buffer *buf, const char *data, size_t len);
/** Find the first line. @return its first byte with its length, newline excluded, or NULL */
const char *rpc_buffer_line(struct rpc_buffer *buf, size_t *len);
/** Let len bytes leave at the start; memory goes back when it is empty. */
void rpc_buffer_drop(struct rpc_buffer *buf, size_t len);
/** Free the memory. */
void rpc_buffer_free(struct rpc_buffer *buf);

/** A client. */
struct rpc_conn {
	struct rpc_server *server;
	int fd;
	struct loop_fd *watch;
	enum unix_right right;
	struct rpc_buffer in;
	struct rpc_buffer out;
	TAILQ_HEAD(reply_queue, rpc_reply) replies; /**< not answered; streams in turn */
	unsigned int reply_count;
	bool eof;		  /**< it sends no more */
	bool broken;		  /**< to be closed, what is in out first if it can take it */
	struct loop_work service; /**< a service round is due */
	LIST_ENTRY(rpc_conn) link;
};

struct rpc_stream {
	struct rpc_reply *reply;
	rpc_next_fn *next;
	loop_fn *done;
	void *state;
	bool waiting;		/**< for rpc_stream_wake() */
	struct rpc_buffer line; /**< the line of rows that the cursor is filling */
	json_int_t rows;
};

struct rpc_reply {
	struct rpc_conn *conn; /**< NULL: the client has gone */
	char *id;	       /**< as JSON text; NULL: a notification, which is not answered */
	loop_fn *cancel;
	void *cancel_arg;
	struct rpc_stream *stream; /**< NULL: not a stream */
	TAILQ_ENTRY(rpc_reply) link;
};

struct rpc_table_entry {
	const struct rpc_method *methods;
	size_t count;
	void *ctx;
};

struct rpc_events;

struct rpc_server {
	struct loop *loop;
	struct unix_access access;
	struct unix_listener listener;
	struct loop_fd *watch;
	struct loop_timer *resume; /**< accepting, after descriptors ran out */
	struct rpc_table_entry *tables;
	size_t table_count;
	LIST_HEAD(conn_list, rpc_conn) conns;
	unsigned int conn_count;
	struct rpc_events *events;
};

/* rpc_connection.c */

/** Serve an accepted socket; takes it over, also on failure. */
void rpc_conn_open(struct rpc_server *server, int fd, enum unix_right right);
/** Close, cancel its requests, free. */
void rpc_conn_close(struct rpc_conn *conn);
/** Have a service round soon: there is output, or a cursor can go on. */
void rpc_conn_wake(struct rpc_conn *conn);
/** Append to the output; without memory or beyond OUT_MAX the connection is broken. */
void rpc_conn_write(struct rpc_conn *conn, const char *data, size_t len);
/** Append a JSON text, at most RPC_RESULT_MAX. @return 0, -EMSGSIZE (nothing is added), -ENOMEM */
int rpc_conn_write_json(struct rpc_conn *conn, const json_t *value);

/* rpc_request.c */

/** Run the request in a line (without its newline). */
void rpc_request(struct rpc_conn *conn, const char *line, size_t len);
/** Write an error answer. @param id JSON text; NULL for "null" */
void rpc_write_error(struct rpc_conn *conn, const char *id, enum rpc_code code, const char *text);
/** Take a reply from its connection and free it. */
void rpc_reply_free(struct rpc_reply *reply);
/** The client goes: tell the owner of a reply, end a stream. */
void rpc_reply_cancel(struct rpc_reply *reply);
/** Find a method and its table's ctx; NULL without. */
const struct rpc_method *rpc_method_find(
	const struct rpc_server *server, const char *name, void **ctx);

/* rpc_stream.c */

/** Call the cursors that can go on, in turn, until there is enough output. @return more is due */
bool rpc_streams_pump(struct rpc_conn *conn);
/** Add a row that is JSON text already; as rpc_row(). */
int rpc_row_text(struct rpc_stream *stream, const char *text, size_t len);
/** End a stream without an answer, and free it. */
void rpc_stream_abort(struct rpc_stream *stream);

/* rpc_events.c */

/** Make the hub and its methods. @return 0 or -ENOMEM */
int rpc_events_create(struct rpc_server *server);
/** After all connections are closed. NULL is fine. */
void rpc_events_destroy(struct rpc_events *events);

#endif
