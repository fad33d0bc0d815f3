/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_tests.h"

#define HEAD "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":"

/* A listing of numbers. */
struct cursor {
	json_int_t at;
	json_int_t end;
	json_int_t fail_at; /* breaks off there; -1: never */
	int calls;
	int done;
	bool wait; /* instead of ending */
	struct rpc_stream *stream;
};

static struct cursor cursor;
static const struct rpc_column columns[] = {{"n", "N", 'r'}, {NULL, NULL, 0}};

static int
next_number(void *state, struct rpc_stream *stream)
{
	struct cursor *c = state;

	c->calls++;
	while (c->at < c->end) {
		int ret;

		if (c->at == c->fail_at)
			return -EIO;
		ret = rpc_row(stream, json_pack("{s:I}", "n", c->at));
		if (ret < 0)
			return ret;
		c->at++;
		if (ret == 1)
			return RPC_MORE;
	}
	return c->wait ? RPC_WAIT : RPC_END;
}

static void
number_done(void *state)
{
	((struct cursor *)state)->done++;
}

static void
call_numbers(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	struct cursor *c = ctx;

	(void)params;
	c->stream = rpc_stream_table(reply, columns, next_number, number_done, c);
}

static int
next_huge(void *state, struct rpc_stream *stream)
{
	char *text = malloc(RPC_RESULT_MAX);
	int ret;

	(void)state;
	memset(text, 'x', RPC_RESULT_MAX);
	ret = rpc_row(stream, json_stringn(text, RPC_RESULT_MAX));
	free(text);
	CU_ASSERT_EQUAL(ret, -EMSGSIZE);
	CU_ASSERT_EQUAL(rpc_row(stream, NULL), -ENOMEM);
	return ret;
}

static void
call_huge(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)params;
	rpc_stream(reply, json_object(), next_huge, number_done, ctx);
}

static const struct rpc_method methods[] = {
	{"numbers", UNIX_RIGHT_VIEW, call_numbers, NULL, ""},
	{"huge", UNIX_RIGHT_VIEW, call_huge, NULL, ""},
};

static struct bench bench;
static struct raw raw;

static void
begin(json_int_t end)
{
	cursor = (struct cursor){.end = end, .fail_at = -1};
	bench_open(&bench);
	CU_ASSERT_EQUAL(rpc_server_add(bench.server, methods, 2, &cursor), 0);
	raw_open(&bench, &raw);
}

static void
finish(void)
{
	raw_close(&raw);
	bench_settle(&bench);
	CU_ASSERT_EQUAL(rpc_server_clients(bench.server), 0);
	bench_close(&bench);
}

static void
say(const char *line)
{
	raw_say(&bench, &raw, line, strlen(line));
}

static const char *
method_of(const json_t *message)
{
	const char *method = json_string_value(json_object_get(message, "method"));

	return method != NULL ? method : "";
}

/* Hear a stream of numbers up to its answer, which is returned; *next is the number due. */
static json_t *
hear_numbers(json_int_t *next)
{
	for (;;) {
		json_t *message = raw_hear(&bench, &raw);
		json_t *params = json_object_get(message, "params");
		json_t *row;
		size_t i;

		if (strcmp(method_of(message), "stream.rows") != 0)
			return message;
		CU_ASSERT_EQUAL(json_integer_value(json_object_get(params, "id")), 7);
		json_array_foreach (json_object_get(params, "rows"), i, row) {
			json_int_t n = json_integer_value(json_object_get(row, "n"));

			if (n != *next)
				CU_FAIL("rows out of order");
			*next = n + 1;
		}
		json_decref(message);
	}
}

static void
test_stream(void)
{
	json_int_t next = 0;
	json_t *message;

	begin(100000);
	say(HEAD "\"numbers\"}\n");
	message = raw_hear(&bench, &raw);
	CU_ASSERT_STRING_EQUAL(method_of(message), "stream.begin");
	CU_ASSERT_PTR_NOT_NULL(json_object_get(
		json_object_get(json_object_get(message, "params"), "head"), "columns"));
	json_decref(message);
	message = hear_numbers(&next);
	CU_ASSERT_EQUAL(next, 100000);
	CU_ASSERT_EQUAL(
		json_integer_value(json_object_get(json_object_get(message, "result"), "rows")),
		100000);
	json_decref(message);
	CU_ASSERT_EQUAL(cursor.done, 1);
	finish();
}

/* A reader that stops: the cursor stops with it, and goes on with it. */
static void
test_slow(void)
{
	json_int_t next = 0;
	json_int_t stopped_at;
	struct raw other;

	begin(1000000);
	say(HEAD "\"numbers\"}\n");
	bench_settle(&bench);
	stopped_at = cursor.at;
	CU_ASSERT(stopped_at > 100);
	/* What a socket buffer and OUT_HIGH hold, not the listing. */
	CU_ASSERT(stopped_at < 200000);
	bench_settle(&bench);
	CU_ASSERT_EQUAL(cursor.at, stopped_at);
	/* Others are served meanwhile. */
	raw_open(&bench, &other);
	CU_ASSERT_EQUAL(raw_code(raw_ask(&bench, &other, HEAD "\"rpc.methods\"}")), 0);
	raw_close(&other);
	json_decref(raw_hear(&bench, &raw));
	CU_ASSERT_EQUAL(raw_code(hear_numbers(&next)), 0);
	CU_ASSERT_EQUAL(next, 1000000);
	finish();
}

static void
test_killed(void)
{
	begin(1000000);
	say(HEAD "\"numbers\"}\n");
	json_decref(raw_hear(&bench, &raw));
	raw_close(&raw);
	bench_settle(&bench);
	CU_ASSERT_EQUAL(cursor.done, 1);
	CU_ASSERT(cursor.at < 1000000);
	/* And one that waits for rows when its client goes, or when the daemon ends. */
	cursor = (struct cursor){.wait = true};
	raw_open(&bench, &raw);
	say(HEAD "\"numbers\"}\n");
	bench_settle(&bench);
	raw_close(&raw);
	bench_settle(&bench);
	CU_ASSERT_EQUAL(cursor.done, 1);
	raw_open(&bench, &raw);
	say(HEAD "\"numbers\"}\n");
	bench_settle(&bench);
	bench_close(&bench);
	CU_ASSERT_EQUAL(cursor.done, 2);
	raw_close(&raw);
}

static void
test_breaks_off(void)
{
	json_int_t next = 0;

	begin(100000);
	cursor.fail_at = 54321;
	say(HEAD "\"numbers\"}\n");
	json_decref(raw_hear(&bench, &raw));
	CU_ASSERT_EQUAL(raw_code(hear_numbers(&next)), RPC_REFUSED);
	CU_ASSERT_EQUAL(next, 54321);
	say(HEAD "\"huge\"}\n");
	json_decref(raw_hear(&bench, &raw));
	CU_ASSERT_EQUAL(raw_code(raw_hear(&bench, &raw)), RPC_REFUSED);
	CU_ASSERT_EQUAL(cursor.done, 2);
	/* Nobody to read it: the listing does not begin. */
	say("{\"jsonrpc\":\"2.0\",\"method\":\"numbers\"}\n");
	bench_settle(&bench);
	CU_ASSERT_EQUAL(cursor.done, 3);
	CU_ASSERT_PTR_NULL(cursor.stream);
	finish();
}

static void
test_wait(void)
{
	json_int_t next = 0;
	int calls;
	json_t *message;

	begin(3);
	cursor.wait = true;
	say(HEAD "\"numbers\"}\n");
	json_decref(raw_hear(&bench, &raw));
	bench_settle(&bench);
	/* Waiting costs no calls. */
	calls = cursor.calls;
	bench_settle(&bench);
	CU_ASSERT_EQUAL(cursor.calls, calls);
	cursor.end = 5;
	rpc_stream_wake(cursor.stream);
	bench_settle(&bench);
	CU_ASSERT_EQUAL(cursor.at, 5);
	cursor.wait = false;
	rpc_stream_wake(cursor.stream);
	message = hear_numbers(&next);
	CU_ASSERT_EQUAL(next, 5);
	CU_ASSERT_EQUAL(raw_code(message), 0);
	finish();
}

static void
fire(int n)
{
	int i;

	for (i = 0; i < n; i++)
		rpc_event(
			bench.server, i % 2 ? "port.link" : "ruleset", json_pack("{s:i}", "n", i));
}

/* Count the events of a stream until the answer or until nothing more is there. */
static void
count_events(int events, json_int_t *heard, json_int_t *lost)
{
	*heard = *lost = 0;
	while (*heard + *lost < events) {
		json_t *message = raw_hear(&bench, &raw);
		json_t *row;
		size_t i;

		CU_ASSERT_STRING_EQUAL_FATAL(method_of(message), "stream.rows");
		json_array_foreach (
			json_object_get(json_object_get(message, "params"), "rows"), i, row) {
			const char *type = json_string_value(json_object_get(row, "type"));

			if (strcmp(type, "lost") == 0)
				*lost += json_integer_value(json_object_get(row, "count"));
			else if (json_integer_value(json_object_get(row, "n")) == *heard + *lost)
				++*heard;
			else
				CU_FAIL("an event is missing and nobody said so");
		}
		json_decref(message);
	}
}

static void
test_events(void)
{
	json_int_t heard;
	json_int_t lost;

	begin(0);
	say(HEAD "\"events\"}\n");
	json_decref(raw_hear(&bench, &raw));
	bench_settle(&bench);
	fire(10);
	count_events(10, &heard, &lost);
	CU_ASSERT_EQUAL(heard, 10);
	CU_ASSERT_EQUAL(lost, 0);
	/* Faster than the loop turns: the queue is full, the rest is counted. */
	fire(1000);
	count_events(1000, &heard, &lost);
	CU_ASSERT_EQUAL(heard, RPC_EVENTS_MAX);
	CU_ASSERT_EQUAL(lost, 1000 - RPC_EVENTS_MAX);
	fire(5);
	count_events(5, &heard, &lost);
	CU_ASSERT_EQUAL(lost, 0);
	finish();
}

/* A listener that does not read: 100,000 events cost it a queue, and it is told. */
static void
test_events_slow(void)
{
	json_int_t heard;
	json_int_t lost;
	int i;

	begin(0);
	say(HEAD "\"events\"}\n");
	json_decref(raw_hear(&bench, &raw));
	for (i = 0; i < 100000; i++) {
		rpc_event(bench.server, "x", json_pack("{s:i}", "n", i));
		if (i % 16 == 0)
			bench_settle(&bench);
	}
	count_events(100000, &heard, &lost);
	CU_ASSERT_EQUAL(heard + lost, 100000);
	CU_ASSERT(heard > RPC_EVENTS_MAX);
	CU_ASSERT(lost > 0);
	finish();
}

static void
test_events_history(void)
{
	json_t *message;
	char text[RPC_EVENT_SIZE + 1];

	begin(0);
	fire(1000);
	say(HEAD "\"show.events\",\"params\":{\"type\":\"port.\"}}\n");
	json_decref(raw_hear(&bench, &raw));
	message = raw_hear(&bench, &raw);
	CU_ASSERT_EQUAL(
		json_array_size(json_object_get(json_object_get(message, "params"), "rows")),
		RPC_EVENTS_MAX / 2);
	json_decref(message);
	CU_ASSERT_EQUAL(raw_code(raw_hear(&bench, &raw)), 0);
	/* One that is too long is cut down, one without fields is none the worse. */
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	rpc_event(bench.server, "long", json_pack("{s:s}", "text", text));
	rpc_event(bench.server, "long.none", NULL);
	say(HEAD "\"show.events\",\"params\":{\"type\":\"long\"}}\n");
	json_decref(raw_hear(&bench, &raw));
	message = raw_hear(&bench, &raw);
	CU_ASSERT_EQUAL(
		json_array_size(json_object_get(json_object_get(message, "params"), "rows")), 2);
	json_decref(message);
	CU_ASSERT_EQUAL(raw_code(raw_hear(&bench, &raw)), 0);
	finish();
}

CU_TestInfo stream_tests[] = {
	{"a listing in rows", test_stream},
	{"a slow reader stops the cursor, not the daemon", test_slow},
	{"killed in the middle, and while waiting", test_killed},
	{"a listing that breaks off says so", test_breaks_off},
	{"a listing that waits for rows", test_wait},
	{"events: heard + lost = sent, in order", test_events},
	{"events: a listener that does not read", test_events_slow},
	{"show.events: the last ones, by type", test_events_history},
	CU_TEST_INFO_NULL,
};
