/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rpc_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc_priv.h"

#define READ_SIZE (64 * 1024)
/* The longest line that a server may send: a result, and what is around it. */
#define LINE_MAX_SIZE (4 * RPC_RESULT_MAX)

struct rpc_client {
	int fd;
	int timeout_ms;
	json_int_t id;
	struct rpc_buffer in;
};

int
rpc_client_open(const char *path, struct rpc_client **out)
{
	struct rpc_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return -ENOMEM;
	client->timeout_ms = -1;
	client->fd = unix_connect(path);
	if (client->fd < 0) {
		int err = client->fd;

		free(client);
		return err;
	}
	*out = client;
	return 0;
}

void
rpc_client_close(struct rpc_client *client)
{
	if (client == NULL)
		return;
	close(client->fd);
	rpc_buffer_free(&client->in);
	free(client);
}

void
rpc_client_timeout(struct rpc_client *client, int ms)
{
	client->timeout_ms = ms;
}

static int
await(const struct rpc_client *client, short events)
{
	struct pollfd pfd = {.fd = client->fd, .events = events};
	int n;

	do {
		n = poll(&pfd, 1, client->timeout_ms);
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

static int
transmit(struct rpc_client *client, const char *data, size_t len)
{
	while (len > 0) {
		int err = await(client, POLLOUT);
		ssize_t n;

		if (err != 0)
			return err;
		n = send(client->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return errno == EPIPE ? -ECONNRESET : -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int
send_request(struct rpc_client *client, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s, s:I, s:s, s:o*}", "jsonrpc", "2.0", "id", ++client->id,
		"method", method, "params", params);
	char *text = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	size_t len;
	int err;

	json_decref(request);
	if (text == NULL)
		return -ENOMEM;
	len = strlen(text);
	/* The newline takes the terminator's place. */
	text[len] = '\n';
	err = len + 1 > RPC_REQUEST_MAX ? -EMSGSIZE : transmit(client, text, len + 1);
	free(text);
	return err;
}

/* Wait for a whole line. */
static int
receive_line(struct rpc_client *client, const char **line, size_t *len)
{
	while ((*line = rpc_buffer_line(&client->in, len)) == NULL) {
		char *room;
		ssize_t n;
		int err;

		if (rpc_buffer_len(&client->in) > LINE_MAX_SIZE)
			return -EPROTO;
		room = rpc_buffer_room(&client->in, READ_SIZE);
		if (room == NULL)
			return -ENOMEM;
		err = await(client, POLLIN);
		if (err != 0)
			return err;
		n = recv(client->fd, room, READ_SIZE, MSG_DONTWAIT);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0)
			client->in.end += (size_t)n;
	}
	return 0;
}

static int
receive(struct rpc_client *client, json_t **message)
{
	const char *line;
	size_t len;
	int err = receive_line(client, &line, &len);

	if (err != 0)
		return err;
	*message = json_loadb(line, len, 0, NULL);
	rpc_buffer_drop(&client->in, len + 1);
	return json_is_object(*message) ? 0 : -EPROTO;
}

/* Rows or the head of rows. */
static int
take_notification(const struct rpc_reader *reader, const char *method, const json_t *params)
{
	json_t *row;
	size_t i;
	int ret = 0;

	if (reader == NULL)
		return 0;
	if (strcmp(method, "stream.begin") == 0)
		return reader->begin(reader->arg, json_object_get(params, "head"));
	if (strcmp(method, "stream.rows") != 0)
		return 0;
	json_array_foreach (json_object_get(params, "rows"), i, row) {
		ret = reader->row(reader->arg, row);
		if (ret != 0)
			break;
	}
	return ret;
}

/* @return 0 if it was the answer, 1 if more is to come, or a negative errno */
static int
take_message(struct rpc_client *client, const json_t *message, const struct rpc_reader *reader,
	json_t **result, struct rpc_failure *failure)
{
	const char *method = json_string_value(json_object_get(message, "method"));
	const json_t *error = json_object_get(message, "error");
	const json_t *id = json_object_get(message, "id");
	const char *text;
	int ret;

	if (method != NULL) {
		const json_t *params = json_object_get(message, "params");

		id = json_object_get(params, "id");
		if (json_integer_value(id) != client->id)
			return 1;
		ret = take_notification(reader, method, params);
		return ret != 0 ? ret : 1;
	}
	/* An error without id is about the connection. */
	if (json_integer_value(id) != client->id && (error == NULL || !json_is_null(id)))
		return 1;
	if (error != NULL) {
		text = json_string_value(json_object_get(error, "message"));
		failure->code = (int)json_integer_value(json_object_get(error, "code"));
		snprintf(failure->message, sizeof(failure->message), "%s",
			text != NULL ? text : "no reason given");
		return -EREMOTEIO;
	}
	if (json_object_get(message, "result") == NULL)
		return -EPROTO;
	if (result != NULL)
		*result = json_incref(json_object_get(message, "result"));
	return 0;
}

int
rpc_call(struct rpc_client *client, const char *method, json_t *params,
	const struct rpc_reader *reader, json_t **result, struct rpc_failure *failure)
{
	int ret = send_request(client, method, params);

	/* A server that turned us away has written why before it closed. */
	if (ret != 0 && ret != -ECONNRESET)
		return ret;
	do {
		json_t *message = NULL;

		ret = receive(client, &message);
		if (ret == 0)
			ret = take_message(client, message, reader, result, failure);
		json_decref(message);
	} while (ret == 1);
	return ret;
}
