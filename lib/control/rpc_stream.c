/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc_priv.h"

/* Cursor calls in a round for one connection: a cursor may find nothing for long. */
#define PUMP_CALLS 64

static void
stream_free(struct rpc_stream *stream)
{
	stream->reply->stream = NULL;
	rpc_buffer_free(&stream->line);
	stream->done(stream->state);
	free(stream);
}

void
rpc_stream_abort(struct rpc_stream *stream)
{
	struct rpc_reply *reply = stream->reply;

	stream_free(stream);
	rpc_reply_free(reply);
}

struct rpc_stream *
rpc_stream(struct rpc_reply *reply, json_t *head, rpc_next_fn *next, loop_fn *done, void *state)
{
	struct rpc_conn *conn = reply->conn;
	struct rpc_stream *stream = NULL;
	json_t *begin = NULL;

	/* Rows need a reader: a notification and one who has gone get none. */
	if (conn != NULL && reply->id != NULL && head != NULL) {
		json_t *id = json_loads(reply->id, JSON_DECODE_ANY, NULL);

		stream = calloc(1, sizeof(*stream));
		begin = json_pack("{s:s, s:s, s:{s:o, s:O}}", "jsonrpc", "2.0", "method",
			"stream.begin", "params", "id", id, "head", head);
	}
	json_decref(head);
	if (stream == NULL || begin == NULL || rpc_conn_write_json(conn, begin) != 0) {
		free(stream);
		json_decref(begin);
		done(state);
		rpc_fail(reply, RPC_INTERNAL, "out of memory");
		return NULL;
	}
	json_decref(begin);
	rpc_conn_write(conn, "\n", 1);
	*stream = (struct rpc_stream){.reply = reply, .next = next, .done = done, .state = state};
	reply->stream = stream;
	rpc_conn_wake(conn);
	return stream;
}

struct rpc_stream *
rpc_stream_table(struct rpc_reply *reply, const struct rpc_column *columns, rpc_next_fn *next,
	loop_fn *done, void *state)
{
	json_t *head = json_pack("{s:o}", "columns", rpc_columns(columns));

	return rpc_stream(reply, head, next, done, state);
}

int
rpc_row_text(struct rpc_stream *stream, const char *text, size_t len)
{
	struct rpc_buffer *line = &stream->line;
	int err = 0;

	if (len > RPC_RESULT_MAX)
		return -EMSGSIZE;
	if (rpc_buffer_len(line) + len > OUT_MAX / 2)
		return -ENOBUFS;
	if (rpc_buffer_len(line) == 0) {
		char head[512];
		int n = snprintf(head, sizeof(head),
			"{\"jsonrpc\":\"2.0\",\"method\":\"stream.rows\",\"params\":{\"id\":%s,"
			"\"rows\":[",
			stream->reply->id);

		err = rpc_buffer_add(line, head, (size_t)n);
	} else {
		err = rpc_buffer_add(line, ",", 1);
	}
	if (err == 0)
		err = rpc_buffer_add(line, text, len);
	if (err != 0)
		return err;
	stream->rows++;
	return rpc_buffer_len(line) >= ROWS_LINE ? 1 : 0;
}

int
rpc_row(struct rpc_stream *stream, json_t *row)
{
	char *text = row != NULL ? json_dumps(row, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	int ret = text != NULL ? rpc_row_text(stream, text, strlen(text)) : -ENOMEM;

	json_decref(row);
	free(text);
	return ret;
}

void
rpc_stream_wake(struct rpc_stream *stream)
{
	if (!stream->waiting)
		return;
	stream->waiting = false;
	rpc_conn_wake(stream->reply->conn);
}

/* Send the rows that the cursor has given. */
static void
flush_line(struct rpc_stream *stream)
{
	struct rpc_conn *conn = stream->reply->conn;
	struct rpc_buffer *line = &stream->line;

	if (rpc_buffer_len(line) == 0)
		return;
	rpc_conn_write(conn, line->data, line->end);
	rpc_conn_write(conn, "]}}\n", 4);
	/* The memory stays for the next line, unless a row was exceptionally long. */
	line->end = 0;
	if (line->size > 4 * ROWS_LINE)
		rpc_buffer_free(line);
}

static void
step(struct rpc_stream *stream)
{
	struct rpc_reply *reply = stream->reply;
	json_int_t rows;
	int ret;

	/* Set before the call: a wake-up during it counts. */
	stream->waiting = true;
	ret = stream->next(stream->state, stream);
	flush_line(stream);
	if (ret == RPC_WAIT)
		return;
	stream->waiting = false;
	if (ret == RPC_MORE)
		return;
	rows = stream->rows;
	stream_free(stream);
	if (ret < 0)
		rpc_fail(reply, RPC_REFUSED, "the listing broke off: %s", strerror(-ret));
	else
		rpc_result(reply, json_pack("{s:I}", "rows", rows));
}

/* The next stream in turn that has something to give. */
static struct rpc_reply *
runnable(struct rpc_conn *conn)
{
	struct rpc_reply *reply;

	for (reply = TAILQ_FIRST(&conn->replies); reply != NULL; reply = TAILQ_NEXT(reply, link)) {
		if (reply->stream != NULL && !reply->stream->waiting)
			return reply;
	}
	return NULL;
}

bool
rpc_streams_pump(struct rpc_conn *conn)
{
	struct rpc_reply *reply;
	int calls;

	for (calls = 0; calls < PUMP_CALLS; calls++) {
		reply = runnable(conn);
		if (reply == NULL || conn->broken)
			return false;
		if (rpc_buffer_len(&conn->out) >= OUT_HIGH)
			return true;
		TAILQ_REMOVE(&conn->replies, reply, link);
		TAILQ_INSERT_TAIL(&conn->replies, reply, link);
		step(reply->stream);
	}
	return true;
}
