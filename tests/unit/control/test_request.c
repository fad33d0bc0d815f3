/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control_tests.h"

#define HEAD "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"

static struct rpc_reply *kept;
static int cancelled;
static int calls;

static void
call_echo(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)ctx;
	calls++;
	rpc_result(reply, json_deep_copy(params));
}

static void
call_keep(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)ctx;
	(void)params;
	kept = reply;
}

static void
on_cancel(void *arg)
{
	if (arg == kept)
		kept = NULL;
	cancelled++;
}

static void
call_keep_cancel(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	call_keep(ctx, params, reply);
	rpc_on_cancel(reply, on_cancel, reply);
}

static void
call_large(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	size_t len = (size_t)json_integer_value(json_object_get(params, "bytes"));
	char *text = malloc(len);

	(void)ctx;
	memset(text, 'x', len);
	rpc_result(reply, json_stringn(text, len));
	free(text);
}

static void
call_fail(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)ctx;
	/* A text that is cut within a character, and one that fails to build. */
	if (json_object_size(params) == 0)
		rpc_fail(reply, RPC_REFUSED, "bad \xc3");
	else
		rpc_result(reply, NULL);
}

static const struct rpc_param echo_params[] = {
	{"s", 's', false, ""},
	{"i", 'i', false, ""},
	{"b", 'b', false, ""},
	{"a", 'a', false, ""},
	{"o", 'o', false, ""},
	{NULL, 0, false, NULL},
};

static const struct rpc_param large_params[] = {
	{"bytes", 'i', true, "how long"},
	{NULL, 0, false, NULL},
};

static const struct rpc_method methods[] = {
	{"echo", UNIX_RIGHT_VIEW, call_echo, echo_params, "says it again"},
	{"keep", UNIX_RIGHT_VIEW, call_keep, NULL, ""},
	{"keep.cancel", UNIX_RIGHT_VIEW, call_keep_cancel, NULL, ""},
	{"large", UNIX_RIGHT_VIEW, call_large, large_params, ""},
	{"fail", UNIX_RIGHT_VIEW, call_fail, echo_params, ""},
};

static struct bench bench;
static struct raw raw;

static void
begin(void)
{
	calls = cancelled = 0;
	kept = NULL;
	bench_open(&bench);
	CU_ASSERT_EQUAL(rpc_server_add(bench.server, methods, 5, NULL), 0);
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
test_call(void)
{
	json_t *answer;

	begin();
	CU_ASSERT_EQUAL(rpc_server_add(bench.server, methods + 4, 1, NULL), -EEXIST);
	answer = raw_ask(&bench, &raw, HEAD "\"echo\",\"params\":{\"s\":\"a\",\"i\":3}}");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(answer, "jsonrpc")), "2.0");
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(answer, "id")), 1);
	CU_ASSERT_EQUAL(
		json_integer_value(json_object_get(json_object_get(answer, "result"), "i")), 3);
	json_decref(answer);
	/* An id is given back as it came; without one there is no answer. */
	answer = raw_ask(&bench, &raw,
		"{\"jsonrpc\":\"2.0\",\"method\":\"echo\"}\n"
		"{\"jsonrpc\":\"2.0\",\"method\":\"none\"}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":\"\\u00e9\\n\",\"method\":\"echo\"}");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(answer, "id")), "\xc3\xa9\n");
	json_decref(answer);
	CU_ASSERT_EQUAL(calls, 3);
	answer = raw_ask(&bench, &raw, "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"echo\"}");
	CU_ASSERT_TRUE(json_is_null(json_object_get(answer, "id")));
	json_decref(answer);
	/* The server describes itself by its tables. */
	answer = raw_ask(&bench, &raw, HEAD "\"rpc.methods\"}");
	CU_ASSERT_EQUAL(
		json_array_size(json_object_get(json_object_get(answer, "result"), "rows")), 8);
	json_decref(answer);
	finish();
}

static const struct {
	const char *line;
	int code;
} bad[] = {
	{"", RPC_PARSE_ERROR},
	{"{", RPC_PARSE_ERROR},
	{"nonsense", RPC_PARSE_ERROR},
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"echo\"}", RPC_PARSE_ERROR},
	{HEAD "\"echo\"} trailing", RPC_PARSE_ERROR},
	{HEAD "\"ec\xff\"}", RPC_PARSE_ERROR},
	{HEAD "\"echo\",\"params\":{\"s\":\"\\u0000\"}}", RPC_PARSE_ERROR},
	{HEAD "\"echo\",\"params\":{\"i\":99999999999999999999}}", RPC_PARSE_ERROR},
	{"[]", RPC_INVALID_REQUEST},
	{"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\"}]", RPC_INVALID_REQUEST},
	{"{}", RPC_INVALID_REQUEST},
	{"{\"id\":1,\"method\":\"echo\"}", RPC_INVALID_REQUEST},
	{"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"echo\"}", RPC_INVALID_REQUEST},
	{HEAD "1}", RPC_INVALID_REQUEST},
	{"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"echo\"}", RPC_INVALID_REQUEST},
	{"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"echo\"}", RPC_INVALID_REQUEST},
	{HEAD "\"ech\"}", RPC_NO_METHOD},
	{HEAD "\"\"}", RPC_NO_METHOD},
	{HEAD "\"echo\",\"params\":[]}", RPC_INVALID_PARAMS},
	{HEAD "\"echo\",\"params\":null}", RPC_INVALID_PARAMS},
	{HEAD "\"echo\",\"params\":{\"x\":1}}", RPC_INVALID_PARAMS},
	{HEAD "\"echo\",\"params\":{\"s\":1}}", RPC_INVALID_PARAMS},
	{HEAD "\"echo\",\"params\":{\"i\":1.5}}", RPC_INVALID_PARAMS},
	{HEAD "\"echo\",\"params\":{\"b\":0}}", RPC_INVALID_PARAMS},
	{HEAD "\"echo\",\"params\":{\"a\":{}}}", RPC_INVALID_PARAMS},
	{HEAD "\"echo\",\"params\":{\"o\":[]}}", RPC_INVALID_PARAMS},
	{HEAD "\"large\"}", RPC_INVALID_PARAMS},
	{HEAD "\"fail\"}", RPC_REFUSED},
	{HEAD "\"fail\",\"params\":{\"i\":1}}", RPC_INTERNAL},
};

static void
test_bad(void)
{
	char name[400];
	size_t i;

	begin();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(raw_code(raw_ask(&bench, &raw, bad[i].line)), bad[i].code);
	CU_ASSERT_EQUAL(calls, 0);
	/* A name that is quoted in the answer, cut in the middle of a character. */
	for (i = 0; i < 64; i++)
		memcpy(name + 3 * i, "\xe2\x82\xac", 3);
	name[192] = '\0';
	snprintf(name + 192, sizeof(name) - 192, "\"}");
	memmove(name + strlen(HEAD) + 1, name, 195);
	memcpy(name, HEAD "\"", strlen(HEAD) + 1);
	CU_ASSERT_EQUAL(raw_code(raw_ask(&bench, &raw, name)), RPC_NO_METHOD);
	/* The connection is as good as before. */
	CU_ASSERT_EQUAL(raw_code(raw_ask(&bench, &raw, HEAD "\"echo\"}")), 0);
	finish();
}

static void
test_deep(void)
{
	static const char quoted[] = HEAD "\"echo\",\"params\":{\"s\":\"\\\"";
	static const char wide[] = HEAD "\"echo\",\"params\":{\"a\":[";
	const size_t n = 400000;
	char *text = malloc(n + 1);
	size_t i;

	begin();
	memset(text, '[', n);
	text[n] = '\n';
	raw_say(&bench, &raw, text, n + 1);
	CU_ASSERT_EQUAL(raw_code(raw_hear(&bench, &raw)), RPC_PARSE_ERROR);
	/* Within the bound of containers, beyond the parser's depth. */
	memset(text, '[', 3000);
	text[3000] = '\n';
	raw_say(&bench, &raw, text, 3001);
	CU_ASSERT_EQUAL(raw_code(raw_hear(&bench, &raw)), RPC_PARSE_ERROR);
	/* Wide instead of deep: good JSON, but it would take a hundred megabytes. */
	memset(text, ' ', n);
	memcpy(text, wide, strlen(wide));
	for (i = strlen(wide); i + 8 <= n; i += 3)
		memcpy(text + i, "{},", 3);
	memcpy(text + i, "1]}}\n", 5);
	raw_say(&bench, &raw, text, i + 5);
	CU_ASSERT_EQUAL(raw_code(raw_hear(&bench, &raw)), RPC_PARSE_ERROR);
	/* Brackets within a string build nothing. */
	memset(text, '[', n);
	memcpy(text, quoted, strlen(quoted));
	memcpy(text + n - 4, "\"}}\n", 4);
	raw_say(&bench, &raw, text, n);
	CU_ASSERT_EQUAL(raw_code(raw_hear(&bench, &raw)), 0);
	free(text);
	finish();
}

static void
test_long(void)
{
	size_t n = RPC_REQUEST_MAX;
	char *text = malloc(n);

	begin();
	/* The longest that is allowed, and one byte more. */
	memset(text, ' ', n);
	memcpy(text, HEAD "\"echo\"}", strlen(HEAD) + 7);
	text[n - 1] = '\n';
	raw_say(&bench, &raw, text, n);
	CU_ASSERT_EQUAL(raw_code(raw_hear(&bench, &raw)), 0);
	text[n - 1] = ' ';
	raw_say(&bench, &raw, text, n);
	CU_ASSERT_EQUAL(raw_code(raw_hear(&bench, &raw)), RPC_PARSE_ERROR);
	CU_ASSERT_PTR_NULL(raw_hear(&bench, &raw));
	CU_ASSERT_EQUAL(rpc_server_clients(bench.server), 0);
	free(text);
	finish();
}

static void
test_drip(void)
{
	const char *line = HEAD "\"echo\"}\n";

	begin();
	for (; *line != '\0'; line++) {
		raw_say(&bench, &raw, line, 1);
		bench_settle(&bench);
	}
	CU_ASSERT_EQUAL(raw_code(raw_hear(&bench, &raw)), 0);
	/* Half a request, and it goes. */
	raw_say(&bench, &raw, HEAD, strlen(HEAD));
	finish();
}

static void
test_half_closed(void)
{
	begin();
	raw_say(&bench, &raw, HEAD "\"keep\"}\n", strlen(HEAD "\"keep\"}\n"));
	shutdown(raw.fd, SHUT_WR);
	bench_settle(&bench);
	/* It sends no more, but it still listens. */
	CU_ASSERT_EQUAL(rpc_server_clients(bench.server), 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
	rpc_result(kept, json_true());
	CU_ASSERT_EQUAL(raw_code(raw_hear(&bench, &raw)), 0);
	CU_ASSERT_PTR_NULL(raw_hear(&bench, &raw));
	finish();
}

static void
test_gone(void)
{
	struct raw other;

	begin();
	/* Told of it. */
	raw_open(&bench, &other);
	raw_say(&bench, &other, HEAD "\"keep.cancel\"}\n", strlen(HEAD "\"keep.cancel\"}\n"));
	bench_settle(&bench);
	CU_ASSERT_PTR_NOT_NULL(kept);
	raw_close(&other);
	bench_settle(&bench);
	CU_ASSERT_EQUAL(cancelled, 1);
	/* Not told of it: answers into the void. */
	raw_open(&bench, &other);
	raw_say(&bench, &other, HEAD "\"keep\"}\n", strlen(HEAD "\"keep\"}\n"));
	bench_settle(&bench);
	raw_close(&other);
	bench_settle(&bench);
	CU_ASSERT_EQUAL(rpc_server_clients(bench.server), 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
	CU_ASSERT_EQUAL(rpc_right(kept), UNIX_RIGHT_NONE);
	rpc_result(kept, json_true());
	/* The daemon ends first. */
	raw_say(&bench, &raw, HEAD "\"keep.cancel\"}\n", strlen(HEAD "\"keep.cancel\"}\n"));
	bench_settle(&bench);
	bench_close(&bench);
	CU_ASSERT_EQUAL(cancelled, 2);
	raw_close(&raw);
}

static void
test_large_result(void)
{
	json_t *answer;

	begin();
	answer = raw_ask(&bench, &raw, HEAD "\"large\",\"params\":{\"bytes\":1000000}}");
	CU_ASSERT_EQUAL(json_string_length(json_object_get(answer, "result")), 1000000);
	json_decref(answer);
	CU_ASSERT_EQUAL(
		raw_code(raw_ask(&bench, &raw, HEAD "\"large\",\"params\":{\"bytes\":1048575}}")),
		RPC_TOO_LARGE);
	CU_ASSERT_EQUAL(raw_code(raw_ask(&bench, &raw, HEAD "\"echo\"}")), 0);
	finish();
}

/* One who pipelines and never reads is not read either: neither side's memory grows. */
static void
test_pipeline(void)
{
	const char *line = HEAD "\"large\",\"params\":{\"bytes\":50000}}\n";
	unsigned int sent = 0;
	unsigned int heard = 0;
	json_t *answer;

	begin();
	while (sent < 1000000 &&
		send(raw.fd, line, strlen(line), MSG_DONTWAIT) == (ssize_t)strlen(line)) {
		sent++;
		bench_settle(&bench);
	}
	CU_ASSERT(sent > 10);
	CU_ASSERT(sent < 1000000);
	CU_ASSERT_EQUAL(rpc_server_clients(bench.server), 1);
	/* When it reads on, every request is answered; the last may have gone out in part. */
	shutdown(raw.fd, SHUT_WR);
	while ((answer = raw_hear(&bench, &raw)) != NULL) {
		CU_ASSERT_EQUAL(raw_code(answer), 0);
		heard++;
	}
	CU_ASSERT_EQUAL(heard, sent);
	finish();
}

static void
test_requests_max(void)
{
	const char *line = HEAD "\"keep.cancel\"}\n";
	int i;

	begin();
	for (i = 0; i < RPC_REQUESTS_MAX; i++)
		raw_say(&bench, &raw, line, strlen(line));
	raw_say(&bench, &raw, HEAD "\"echo\"}\n", strlen(HEAD "\"echo\"}\n"));
	bench_settle(&bench);
	CU_ASSERT_EQUAL(calls, 0);
	/* One answer makes room for the next request. */
	rpc_result(kept, json_true());
	CU_ASSERT_EQUAL(raw_code(raw_hear(&bench, &raw)), 0);
	CU_ASSERT_EQUAL(raw_code(raw_hear(&bench, &raw)), 0);
	CU_ASSERT_EQUAL(calls, 1);
	raw_close(&raw);
	bench_settle(&bench);
	CU_ASSERT_EQUAL(cancelled, RPC_REQUESTS_MAX - 1);
	bench_close(&bench);
}

static void
test_clients_max(void)
{
	struct raw many[RPC_CLIENTS_MAX];
	json_t *answer;
	size_t i;

	begin();
	for (i = 1; i < RPC_CLIENTS_MAX; i++)
		raw_open(&bench, &many[i]);
	CU_ASSERT_EQUAL(rpc_server_clients(bench.server), RPC_CLIENTS_MAX);
	raw_open(&bench, &many[0]);
	answer = raw_hear(&bench, &many[0]);
	CU_ASSERT_TRUE(json_is_null(json_object_get(answer, "id")));
	CU_ASSERT_EQUAL(raw_code(answer), RPC_BUSY);
	CU_ASSERT_PTR_NULL(raw_hear(&bench, &many[0]));
	for (i = 0; i < RPC_CLIENTS_MAX; i++)
		raw_close(&many[i]);
	CU_ASSERT_EQUAL(raw_code(raw_ask(&bench, &raw, HEAD "\"echo\"}")), 0);
	bench_settle(&bench);
	raw_open(&bench, &many[0]);
	CU_ASSERT_EQUAL(raw_code(raw_ask(&bench, &many[0], HEAD "\"echo\"}")), 0);
	raw_close(&many[0]);
	finish();
}

/* Bytes changed, doubled, left out in good requests. None may hurt; a newline is answered. */
static void
test_mutated(void)
{
	static const char *const good[] = {
		HEAD "\"echo\",\"params\":{\"s\":\"a\\u00e9\",\"i\":3,\"a\":[1,[2,{}]]}}",
		HEAD "\"rpc.methods\"}",
		HEAD "\"show.events\",\"params\":{\"type\":\"x\"}}",
		HEAD "\"large\",\"params\":{\"bytes\":10}}",
	};
	unsigned int seed = 20221130;
	int i;

	begin();
	printf(" (seed %u) ", seed);
	for (i = 0; i < 20000; i++) {
		char line[512];
		size_t len = strlen(good[i % 4]);
		int changes = 1 + rand_r(&seed) % 4;

		memcpy(line, good[i % 4], len);
		while (changes-- > 0) {
			size_t at = (size_t)rand_r(&seed) % len;

			if (rand_r(&seed) % 3 != 0) {
				line[at] = (char)rand_r(&seed);
			} else {
				size_t to = (size_t)rand_r(&seed) % len;

				len = at > to ? at : to;
				len = len > 0 ? len : 1;
			}
		}
		line[len++] = '\n';
		raw_say(&bench, &raw, line, len);
		bench_settle(&bench);
		/* Take what came, and a new connection where the old one ended. */
		raw.len = 0;
		while (recv(raw.fd, line, sizeof(line), MSG_DONTWAIT) > 0)
			bench_settle(&bench);
	}
	raw_close(&raw);
	bench_settle(&bench);
	raw_open(&bench, &raw);
	CU_ASSERT_EQUAL(raw_code(raw_ask(&bench, &raw, HEAD "\"echo\"}")), 0);
	finish();
}

CU_TestInfo request_tests[] = {
	{"call, notification, ids, rpc.methods", test_call},
	{"malformed requests each get their error", test_bad},
	{"deep and wide nesting", test_deep},
	{"a request too long ends the connection", test_long},
	{"byte by byte, and half a request", test_drip},
	{"a half-closed client gets its answer", test_half_closed},
	{"a client that goes before its answer", test_gone},
	{"a result too large is refused", test_large_result},
	{"pipelining without reading", test_pipeline},
	{"unanswered requests are bounded", test_requests_max},
	{"clients are bounded", test_clients_max},
	{"mutated requests", test_mutated},
	CU_TEST_INFO_NULL,
};
