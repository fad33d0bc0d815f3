/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc_priv.h"

/* Objects and arrays in a request: jansson spends hundreds of bytes on each "{}". */
#define CONTAINERS_MAX 4096
/* Bytes of an id as JSON text. */
#define ID_MAX 256

/* Append {"jsonrpc":"2.0","id":ID,"MEMBER": */
static void
write_head(struct rpc_conn *conn, const char *id, const char *member)
{
	char head[ID_MAX + 64];
	int len = snprintf(head, sizeof(head),
		"{\"jsonrpc\":\"2.0\",\"id\":%s,\"%s\":", id != NULL ? id : "null", member);

	rpc_conn_write(conn, head, (size_t)len);
}

/* A text may quote what a client sent, cut within a character: JSON takes no such thing. */
static json_t *
safe_string(const char *text)
{
	json_t *string = json_string(text);
	char ascii[512];
	size_t i;

	if (string != NULL)
		return string;
	for (i = 0; i < sizeof(ascii) - 1 && text[i] != '\0'; i++)
		ascii[i] = (text[i] & 0x80) != 0 ? '?' : text[i];
	ascii[i] = '\0';
	return json_string(ascii);
}

void
rpc_write_error(struct rpc_conn *conn, const char *id, enum rpc_code code, const char *text)
{
	json_t *error = json_pack("{s:i, s:o*}", "code", (int)code, "message", safe_string(text));

	write_head(conn, id, "error");
	if (error == NULL || rpc_conn_write_json(conn, error) != 0)
		conn->broken = true;
	rpc_conn_write(conn, "}\n", 2);
	json_decref(error);
	rpc_conn_wake(conn);
}

void
rpc_reply_free(struct rpc_reply *reply)
{
	struct rpc_conn *conn = reply->conn;

	if (conn != NULL) {
		TAILQ_REMOVE(&conn->replies, reply, link);
		conn->reply_count--;
		/* A request may have waited for this place, or the close for the last answer. */
		rpc_conn_wake(conn);
	}
	free(reply->id);
	free(reply);
}

void
rpc_reply_cancel(struct rpc_reply *reply)
{
	struct rpc_conn *conn = reply->conn;

	if (reply->stream != NULL) {
		rpc_stream_abort(reply->stream);
		return;
	}
	TAILQ_REMOVE(&conn->replies, reply, link);
	conn->reply_count--;
	reply->conn = NULL;
	if (reply->cancel != NULL) {
		reply->cancel(reply->cancel_arg);
		rpc_reply_free(reply);
	}
}

void
rpc_on_cancel(struct rpc_reply *reply, loop_fn *fn, void *arg)
{
	reply->cancel = fn;
	reply->cancel_arg = arg;
}

enum unix_right
rpc_right(const struct rpc_reply *reply)
{
	return reply->conn != NULL ? reply->conn->right : UNIX_RIGHT_NONE;
}

void
rpc_result(struct rpc_reply *reply, json_t *result)
{
	struct rpc_conn *conn = reply->conn;
	size_t before;
	int err;

	if (conn == NULL || reply->id == NULL) {
		json_decref(result);
		rpc_reply_free(reply);
		return;
	}
	before = rpc_buffer_len(&conn->out);
	write_head(conn, reply->id, "result");
	err = result != NULL ? rpc_conn_write_json(conn, result) : -ENOMEM;
	json_decref(result);
	if (err == 0) {
		rpc_conn_write(conn, "}\n", 2);
		rpc_reply_free(reply);
		return;
	}
	/* Take the head back. */
	if (!conn->broken)
		conn->out.end = conn->out.start + before;
	if (err == -EMSGSIZE)
		rpc_fail(
			reply, RPC_TOO_LARGE, "the result is larger than %d bytes", RPC_RESULT_MAX);
	else
		rpc_fail(reply, RPC_INTERNAL, "out of memory");
}

void
rpc_fail(struct rpc_reply *reply, enum rpc_code code, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (reply->conn != NULL && reply->id != NULL)
		rpc_write_error(reply->conn, reply->id, code, text);
	rpc_reply_free(reply);
}

json_t *
rpc_columns(const struct rpc_column *columns)
{
	json_t *array = json_array();

	for (; columns->key != NULL; columns++) {
		json_t *column = json_pack("{s:s, s:s, s:s}", "key", columns->key, "title",
			columns->title, "align", columns->align == 'r' ? "right" : "left");

		if (json_array_append_new(array, column) != 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

void
rpc_table(struct rpc_reply *reply, const struct rpc_column *columns, json_t *rows)
{
	/* json_pack's "o" takes both references, also when one is NULL and it fails. */
	rpc_result(reply, json_pack("{s:o, s:o}", "columns", rpc_columns(columns), "rows", rows));
}

/* A cheap look before the parser: how much would it build? */
static bool
too_complex(const char *line, size_t len)
{
	unsigned int containers = 0;
	bool quoted = false;
	size_t i;

	for (i = 0; i < len; i++) {
		if (quoted && line[i] == '\\')
			i++;
		else if (line[i] == '"')
			quoted = !quoted;
		else if (!quoted && (line[i] == '{' || line[i] == '['))
			containers++;
	}
	return containers > CONTAINERS_MAX;
}

static bool
type_matches(const json_t *value, char type)
{
	switch (type) {
	case 's': return json_is_string(value);
	case 'i': return json_is_integer(value);
	case 'b': return json_is_boolean(value);
	case 'a': return json_is_array(value);
	case 'o': return json_is_object(value);
	default: return false;
	}
}

static const char *
type_name(char type)
{
	switch (type) {
	case 's': return "a string";
	case 'i': return "an integer";
	case 'b': return "true or false";
	case 'a': return "an array";
	default: return "an object";
	}
}

static const struct rpc_param *
param_find(const struct rpc_param *params, const char *name)
{
	for (; params != NULL && params->name != NULL; params++) {
		if (strcmp(params->name, name) == 0)
			return params;
	}
	return NULL;
}

/* Check parameters by the method's table. @return false with text set */
static bool
check_params(const struct rpc_method *method, json_t *params, char *text, size_t size)
{
	const struct rpc_param *param;
	const char *name;
	json_t *value;

	json_object_foreach (params, name, value) {
		param = param_find(method->params, name);
		if (param == NULL) {
			snprintf(text, size, "%s has no parameter \"%.64s\"", method->name, name);
			return false;
		}
		if (!type_matches(value, param->type)) {
			snprintf(text, size, "%s: \"%s\" must be %s", method->name, name,
				type_name(param->type));
			return false;
		}
	}
	for (param = method->params; param != NULL && param->name != NULL; param++) {
		if (param->required && json_object_get(params, param->name) == NULL) {
			snprintf(text, size, "%s needs the parameter \"%s\"", method->name,
				param->name);
			return false;
		}
	}
	return true;
}

/* The id as JSON text in *out (NULL: a notification). @return false if it can be none */
static bool
take_id(const json_t *id, char **out)
{
	*out = NULL;
	if (id == NULL)
		return true;
	if (!json_is_string(id) && !json_is_integer(id) && !json_is_null(id))
		return false;
	*out = json_dumps(id, JSON_COMPACT | JSON_ENCODE_ANY);
	if (*out != NULL && strlen(*out) < ID_MAX)
		return true;
	free(*out);
	*out = NULL;
	return false;
}

/* Call a method whose rights and parameters are in order. */
static void
call(struct rpc_conn *conn, const struct rpc_method *method, void *ctx, char *id, json_t *params)
{
	struct rpc_reply *reply = calloc(1, sizeof(*reply));

	if (reply == NULL) {
		rpc_write_error(conn, id, RPC_INTERNAL, "out of memory");
		free(id);
		return;
	}
	reply->conn = conn;
	reply->id = id;
	TAILQ_INSERT_TAIL(&conn->replies, reply, link);
	conn->reply_count++;
	method->call(ctx, params, reply);
}

static void
dispatch(struct rpc_conn *conn, json_t *request, char *id, json_t *params)
{
	const char *name = json_string_value(json_object_get(request, "method"));
	const struct rpc_method *method;
	char text[256];
	void *ctx;

	method = rpc_method_find(conn->server, name, &ctx);
	if (method == NULL) {
		snprintf(text, sizeof(text), "no method \"%.64s\"", name);
		if (id != NULL)
			rpc_write_error(conn, id, RPC_NO_METHOD, text);
	} else if (conn->right < method->right) {
		snprintf(text, sizeof(text), "%s is for administrators", name);
		if (id != NULL)
			rpc_write_error(conn, id, RPC_DENIED, text);
	} else if (!check_params(method, params, text, sizeof(text))) {
		if (id != NULL)
			rpc_write_error(conn, id, RPC_INVALID_PARAMS, text);
	} else {
		call(conn, method, ctx, id, params);
		return;
	}
	free(id);
}

void
rpc_request(struct rpc_conn *conn, const char *line, size_t len)
{
	json_t *request;
	json_t *params;
	json_error_t why;
	const char *version;
	char *id = NULL;

	if (too_complex(line, len)) {
		rpc_write_error(conn, NULL, RPC_PARSE_ERROR, "too many objects and arrays");
		return;
	}
	request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	if (request == NULL) {
		rpc_write_error(conn, NULL, RPC_PARSE_ERROR, why.text);
		return;
	}
	params = json_incref(json_object_get(request, "params"));
	if (params == NULL)
		params = json_object();
	version = json_string_value(json_object_get(request, "jsonrpc"));
	if (!take_id(json_object_get(request, "id"), &id)) {
		rpc_write_error(
			conn, NULL, RPC_INVALID_REQUEST, "id: a short string or an integer");
	} else if (version == NULL || strcmp(version, "2.0") != 0 ||
		   !json_is_string(json_object_get(request, "method"))) {
		rpc_write_error(conn, id, RPC_INVALID_REQUEST,
			json_is_array(request) ? "no batches: send one request a line"
					       : "not a JSON-RPC 2.0 request");
		free(id);
	} else if (!json_is_object(params)) {
		rpc_write_error(conn, id, RPC_INVALID_PARAMS, "params must be an object");
		free(id);
	} else {
		dispatch(conn, request, id, params);
	}
	json_decref(params);
	json_decref(request);
}
