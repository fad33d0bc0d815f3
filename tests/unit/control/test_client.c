/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_tests.h"
#include "rpc_client.h"

/* The server in a thread of its own, as the client blocks. */
static struct bench bench;
static pthread_t thread;

struct rows {
	int begun;
	json_int_t next;
	json_int_t stop_at;
};

static int
next_number(void *state, struct rpc_stream *stream)
{
	json_int_t *at = state;
	int ret = 0;

	while (*at < 50000 && ret == 0)
		ret = rpc_row(stream, json_integer((*at)++));
	return ret < 0 ? ret : ret == 1 ? RPC_MORE : RPC_END;
}

static void
call_numbers(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)ctx;
	(void)params;
	rpc_stream(reply, json_object(), next_number, free, calloc(1, sizeof(json_int_t)));
}

static void
call_never(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)ctx;
	(void)params;
	/* Freed by its cancellation. */
	rpc_on_cancel(reply, (loop_fn *)loop_stop, ctx);
}

static void
call_echo(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)ctx;
	rpc_result(reply, json_deep_copy(params));
}

static const struct rpc_param echo_params[] = {{"s", 's', false, ""}, {NULL, 0, false, NULL}};

static const struct rpc_method methods[] = {
	{"numbers", UNIX_RIGHT_VIEW, call_numbers, NULL, ""},
	{"never", UNIX_RIGHT_VIEW, call_never, NULL, ""},
	{"echo", UNIX_RIGHT_VIEW, call_echo, echo_params, ""},
};

static void *
serve(void *arg)
{
	loop_run(((struct bench *)arg)->loop);
	return NULL;
}

static int
on_begin(void *arg, const json_t *head)
{
	CU_ASSERT_TRUE(json_is_object(head));
	((struct rows *)arg)->begun++;
	return 0;
}

static int
on_row(void *arg, const json_t *row)
{
	struct rows *rows = arg;

	if (json_integer_value(row) == rows->stop_at)
		return -ECANCELED;
	return json_integer_value(row) == rows->next++ ? 0 : -EILSEQ;
}

static void
test_client(void)
{
	struct rows rows = {.stop_at = -1};
	struct rpc_reader reader = {on_begin, on_row, &rows};
	struct rpc_failure failure = {0};
	struct rpc_client *client;
	json_t *result = NULL;
	char *text;

	bench_open(&bench);
	CU_ASSERT_EQUAL(rpc_server_add(bench.server, methods, 3, bench.loop), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, serve, &bench), 0);
	CU_ASSERT_EQUAL_FATAL(rpc_client_open(bench.path, &client), 0);
	rpc_client_timeout(client, PATIENCE_MS);
	CU_ASSERT_EQUAL(
		rpc_call(client, "echo", json_pack("{s:s}", "s", "x"), NULL, &result, &failure), 0);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(result, "s")), "x");
	json_decref(result);
	CU_ASSERT_EQUAL(rpc_call(client, "none", NULL, NULL, NULL, &failure), -EREMOTEIO);
	CU_ASSERT_EQUAL(failure.code, RPC_NO_METHOD);
	CU_ASSERT_STRING_EQUAL(failure.message, "no method \"none\"");
	CU_ASSERT_EQUAL(rpc_call(client, "numbers", NULL, &reader, &result, &failure), 0);
	CU_ASSERT_EQUAL(rows.next, 50000);
	CU_ASSERT_EQUAL(rows.begun, 1);
	CU_ASSERT_EQUAL(json_integer_value(json_object_get(result, "rows")), 50000);
	json_decref(result);
	/* Rows that nobody wants are skipped. */
	CU_ASSERT_EQUAL(rpc_call(client, "numbers", NULL, NULL, NULL, &failure), 0);
	text = malloc(RPC_REQUEST_MAX + 1);
	memset(text, 'x', RPC_REQUEST_MAX);
	text[RPC_REQUEST_MAX] = '\0';
	CU_ASSERT_EQUAL(
		rpc_call(client, "echo", json_pack("{s:s}", "s", text), NULL, NULL, &failure),
		-EMSGSIZE);
	free(text);
	rows = (struct rows){.stop_at = 100};
	CU_ASSERT_EQUAL(rpc_call(client, "numbers", NULL, &reader, NULL, &failure), -ECANCELED);
	rpc_client_close(client);
	CU_ASSERT_EQUAL_FATAL(rpc_client_open(bench.path, &client), 0);
	rpc_client_timeout(client, 1);
	CU_ASSERT_EQUAL(rpc_call(client, "never", NULL, NULL, NULL, &failure), -ETIMEDOUT);
	/* Its going cancels the request, which ends the loop. */
	rpc_client_close(client);
	pthread_join(thread, NULL);
	bench_close(&bench);
	CU_ASSERT_EQUAL(rpc_client_open(bench.path, &client), -ENOENT);
}

/* What a broken server may say. */
static const struct {
	const char *text;
	int ret;
} said[] = {
	{"", -ECONNRESET},
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"res", -ECONNRESET},
	{"nonsense\n", -EPROTO},
	{"[]\n", -EPROTO},
	{"\n", -EPROTO},
	{"{\"id\":1}\n", -EPROTO},
	{"{\"id\":9,\"result\":1}\n{\"method\":\"stream.rows\"}\n"
	 "{\"method\":\"stream.rows\",\"params\":{\"id\":1,\"rows\":7}}\n"
	 "{\"method\":\"what\",\"params\":{\"id\":1}}\n{\"id\":1,\"result\":1}\n",
		0},
	{"{\"id\":null,\"error\":{\"code\":-32002,\"message\":\"too many clients\"}}\n",
		-EREMOTEIO},
	{"{\"id\":1,\"error\":7}\n", -EREMOTEIO},
};

static void
test_broken_server(void)
{
	struct rows rows = {.stop_at = -1};
	struct rpc_reader reader = {on_begin, on_row, &rows};
	struct rpc_failure failure = {0};
	const struct unix_access access = {UNIX_NO_GROUP, UNIX_NO_GROUP};
	struct unix_listener listener;
	struct rpc_client *client;
	char dir[] = "/tmp/shunt-test-XXXXXX";
	char path[64];
	size_t i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	CU_ASSERT_EQUAL_FATAL(unix_listen(&listener, path, &access), 0);
	for (i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		int fd;

		CU_ASSERT_EQUAL_FATAL(rpc_client_open(path, &client), 0);
		rpc_client_timeout(client, PATIENCE_MS);
		fd = accept(listener.fd, NULL, NULL);
		CU_ASSERT_FATAL(fd >= 0);
		/* Said before it is asked, as one that turns a client away does. */
		CU_ASSERT_EQUAL(write(fd, said[i].text, strlen(said[i].text)),
			(ssize_t)strlen(said[i].text));
		close(fd);
		CU_ASSERT_EQUAL(rpc_call(client, "x", NULL, &reader, NULL, &failure), said[i].ret);
		rpc_client_close(client);
	}
	unix_unlisten(&listener);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

CU_TestInfo client_tests[] = {
	{"calls, errors, rows, a server that is silent", test_client},
	{"what a broken server may say", test_broken_server},
	CU_TEST_INFO_NULL,
};
