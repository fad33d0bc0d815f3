/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The JSON-RPC server of the control socket. A library offers its methods as a
 * table (X_rpc.c); the server checks rights and parameters by that table, so a
 * handler sees only what it declared. Everything here belongs to the loop's
 * thread.
 *
 * A request is answered exactly once: by rpc_result(), rpc_fail() or, for long
 * listings, rpc_stream(). A handler may keep the reply and answer in a later
 * round. Clients may go at any time: their replies stay valid until answered.
 *
 * Bounds: rpc.h. A client that doesn't read costs at most its buffers (2 MiB in,
 * 8 MiB out, and hundreds of bytes in practice); its cursors are not called and
 * its requests are not read until it reads on.
 */
#ifndef SHUNT_CONTROL_RPC_SERVER_H
#define SHUNT_CONTROL_RPC_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "loop.h"
#include "rpc.h"
#include "unix_socket.h"

struct rpc_server;
/** A request that waits for its answer. */
struct rpc_reply;
/** An answer in rows. */
struct rpc_stream;

/**
 * Serve a request: answer now or keep reply.
 * @param ctx what rpc_server_add() was given
 * @param params an object, checked against the method's parameters; the server's
 */
typedef void rpc_call_fn(void *ctx, const json_t *params, struct rpc_reply *reply);

/** A parameter of a method. */
struct rpc_param {
	const char *name; /**< NULL ends the table */
	char type;	  /**< s string, i integer, b boolean, a array, o object */
	bool required;
	const char *text; /**< what it means, for doc/rpc.md and `rpc.methods` */
};

/** A method, a row of a library's table. All static. */
struct rpc_method {
	const char *name;      /**< "show.ports"; names with "rpc." are the server's */
	enum unix_right right; /**< UNIX_RIGHT_VIEW or UNIX_RIGHT_ADMIN */
	rpc_call_fn *call;
	const struct rpc_param *params; /**< NULL: none */
	const char *text;		/**< one line for doc/rpc.md and `rpc.methods` */
};

/**
 * Listen on a socket. Adds the methods `rpc.methods`, `events` and `show.events`.
 * @return 0, -ENOMEM, or unix_listen()'s error
 */
int rpc_server_create(struct loop *loop, const char *path, const struct unix_access *access,
	struct rpc_server **out);

/**
 * Close all connections and remove the socket. Kept replies are cancelled, or
 * may still be answered, which then only frees them. NULL is fine.
 */
void rpc_server_destroy(struct rpc_server *server);

/**
 * Offer the methods of a table.
 * @param methods static
 * @param ctx handed to every handler of the table
 * @return 0, -EEXIST: a name is taken already (nothing is added), -ENOMEM
 */
int rpc_server_add(
	struct rpc_server *server, const struct rpc_method *methods, size_t count, void *ctx);

/** Connections now. */
unsigned int rpc_server_clients(const struct rpc_server *server);

/**
 * Answer with a result, and free the reply.
 * @param result taken over; NULL (a constructor of jansson failed) answers RPC_INTERNAL
 */
void rpc_result(struct rpc_reply *reply, json_t *result);

/** Answer with an error, and free the reply. */
void rpc_fail(struct rpc_reply *reply, enum rpc_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * Be told when the client goes before a kept reply is answered: fn(arg) then
 * must let go of the reply; it is freed after the call. Without it the reply
 * stays valid until answered.
 */
void rpc_on_cancel(struct rpc_reply *reply, loop_fn *fn, void *arg);

/** What the peer of a request may do. */
enum unix_right rpc_right(const struct rpc_reply *reply);

/** A column of a table. */
struct rpc_column {
	const char *key;   /**< of the row object's member; NULL ends the table */
	const char *title; /**< as people read it */
	char align;	   /**< l left, r right */
};

/** Columns as JSON: [{key, title, align}]. @return a new reference, NULL without memory */
json_t *rpc_columns(const struct rpc_column *columns);

/**
 * Answer with a table: {columns, rows}. For what is known to be small (ports,
 * workers); the rest is streamed.
 * @param rows an array of objects with the columns' keys (more keys are for
 *        programs alone); taken over; NULL answers RPC_INTERNAL
 */
void rpc_table(struct rpc_reply *reply, const struct rpc_column *columns, json_t *rows);

/** What a cursor function says, apart from a negative errno. */
enum rpc_more {
	RPC_END = 0,  /**< no rows are left */
	RPC_MORE = 1, /**< call again */
	RPC_WAIT = 2, /**< nothing for now: call again after rpc_stream_wake() */
};

/**
 * Give the next rows by rpc_row() until it says to stop. Called when the client
 * has room for them; between two calls any time may pass, so the state holds a
 * position and pins nothing.
 * @return enum rpc_more, or a negative errno to end with an error
 */
typedef int rpc_next_fn(void *state, struct rpc_stream *stream);

/**
 * Answer in rows, and hand the reply over to the stream.
 * @param head a description of the rows, {columns: [...]} for a table, {} for
 *        lines of text; taken over; NULL answers RPC_INTERNAL
 * @param done called once when the stream is over for whatever reason, also if
 *        this call fails; not NULL; the stream is freed after it
 * @return the stream, or NULL if it could not begin (done has been called)
 */
struct rpc_stream *rpc_stream(
	struct rpc_reply *reply, json_t *head, rpc_next_fn *next, loop_fn *done, void *state);

/** The same with columns for the head. */
struct rpc_stream *rpc_stream_table(struct rpc_reply *reply, const struct rpc_column *columns,
	rpc_next_fn *next, loop_fn *done, void *state);

/**
 * Add a row; only from within the cursor function.
 * @param row an object, or a string for a line of text; taken over
 * @return 0; 1: added, and return now; -ENOMEM (also for a NULL row); -EMSGSIZE: over
 *         RPC_RESULT_MAX
 */
int rpc_row(struct rpc_stream *stream, json_t *row);

/** There are rows again after RPC_WAIT. */
void rpc_stream_wake(struct rpc_stream *stream);

/**
 * Tell the listeners of `events`. Bounded: a slow listener loses events and is
 * told how many in its place of the stream.
 * @param type what happened, "port.link"; static or not
 * @param fields an object with what there is to know, or NULL; taken over
 */
void rpc_event(struct rpc_server *server, const char *type, json_t *fields);

#endif
