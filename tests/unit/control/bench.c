/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control_tests.h"

void
bench_open(struct bench *bench)
{
	const struct unix_access access = {UNIX_NO_GROUP, UNIX_NO_GROUP};

	*bench = (struct bench){.dir = "/tmp/shunt-test-XXXXXX"};
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(bench->dir));
	snprintf(bench->path, sizeof(bench->path), "%s/control.sock", bench->dir);
	CU_ASSERT_EQUAL_FATAL(loop_create(&bench->loop), 0);
	CU_ASSERT_EQUAL_FATAL(
		rpc_server_create(bench->loop, bench->path, &access, &bench->server), 0);
}

void
bench_close(struct bench *bench)
{
	rpc_server_destroy(bench->server);
	loop_destroy(bench->loop);
	CU_ASSERT_EQUAL(access(bench->path, F_OK), -1);
	CU_ASSERT_EQUAL(rmdir(bench->dir), 0);
}

void
bench_settle(struct bench *bench)
{
	while (loop_once(bench->loop, 0) > 0)
		;
}

void
raw_open(struct bench *bench, struct raw *raw)
{
	*raw = (struct raw){.fd = unix_connect(bench->path)};
	CU_ASSERT_FATAL(raw->fd >= 0);
	bench_settle(bench);
}

void
raw_close(struct raw *raw)
{
	close(raw->fd);
	free(raw->data);
}

void
raw_say(struct bench *bench, struct raw *raw, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(raw->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			text += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN)
			return;
		CU_ASSERT_FATAL(loop_once(bench->loop, PATIENCE_MS) > 0);
	}
}

/* Read what is there. @return whether it made progress */
static bool
raw_read(struct raw *raw)
{
	ssize_t n;

	if (raw->size - raw->len < 65536) {
		raw->size = raw->size * 2 + 65536;
		raw->data = realloc(raw->data, raw->size);
		CU_ASSERT_PTR_NOT_NULL_FATAL(raw->data);
	}
	n = recv(raw->fd, raw->data + raw->len, raw->size - raw->len, MSG_DONTWAIT);
	if (n > 0)
		raw->len += (size_t)n;
	else if (n == 0 || errno != EAGAIN)
		raw->eof = true;
	return n > 0 || raw->eof;
}

json_t *
raw_hear(struct bench *bench, struct raw *raw)
{
	for (;;) {
		char *nl = raw->len > 0 ? memchr(raw->data, '\n', raw->len) : NULL;

		if (nl != NULL) {
			size_t len = (size_t)(nl - raw->data);
			json_t *message = json_loadb(raw->data, len, 0, NULL);

			CU_ASSERT_PTR_NOT_NULL(message);
			raw->len -= len + 1;
			memmove(raw->data, nl + 1, raw->len);
			return message;
		}
		if (raw->eof)
			return NULL;
		if (!raw_read(raw))
			CU_ASSERT_FATAL(loop_once(bench->loop, PATIENCE_MS) > 0);
	}
}

json_t *
raw_ask(struct bench *bench, struct raw *raw, const char *line)
{
	raw_say(bench, raw, line, strlen(line));
	raw_say(bench, raw, "\n", 1);
	return raw_hear(bench, raw);
}

int
raw_code(json_t *answer)
{
	int code =
		(int)json_integer_value(json_object_get(json_object_get(answer, "error"), "code"));

	CU_ASSERT_PTR_NOT_NULL(answer);
	CU_ASSERT(code != 0 || json_object_get(answer, "result") != NULL);
	json_decref(answer);
	return code;
}

int
main(void)
{
	int failed = 0;

	failed |= unit_run("loop", loop_tests);
	failed |= unit_run("socket", socket_tests);
	failed |= unit_run("request", request_tests);
	failed |= unit_run("stream", stream_tests);
	failed |= unit_run("client", client_tests);
	return failed;
}
