/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "rpc_priv.h"

/* Accepted in one go. */
#define ACCEPT_BURST 16

/* Say why and close; who isn't served yet gets one try at a write. */
static void
turn_away(int fd, enum rpc_code code, const char *text)
{
	char line[256];
	int len = snprintf(line, sizeof(line),
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":%d,\"message\":\"%s\"}}\n",
		(int)code, text);
	ssize_t n = send(fd, line, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);

	(void)n;
	close(fd);
}

static void
admit(struct rpc_server *server, int fd)
{
	enum unix_right right = unix_peer_right(fd, &server->access);
	unsigned int max = RPC_CLIENTS_MAX;

	if (right != UNIX_RIGHT_ADMIN)
		max -= RPC_CLIENTS_ADMIN;
	if (right == UNIX_RIGHT_NONE)
		turn_away(fd, RPC_DENIED, "you are in neither control.admin_group nor view_group");
	else if (server->conn_count >= max)
		turn_away(fd, RPC_BUSY, "too many clients");
	else
		rpc_conn_open(server, fd, right);
}

static void
on_accept(void *arg, uint32_t events)
{
	struct rpc_server *server = arg;
	int i;

	(void)events;
	for (i = 0; i < ACCEPT_BURST; i++) {
		int fd = accept4(server->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			admit(server, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) {
			/* No descriptors or no memory: looking again at once would spin. */
			loop_modify(server->watch, 0);
			loop_timer_arm(server->resume, NS_PER_SEC, 0);
		}
		return;
	}
}

static void
on_resume(void *arg)
{
	struct rpc_server *server = arg;

	loop_modify(server->watch, EPOLLIN);
}

const struct rpc_method *
rpc_method_find(const struct rpc_server *server, const char *name, void **ctx)
{
	size_t t;
	size_t i;

	for (t = 0; t < server->table_count; t++) {
		const struct rpc_table_entry *table = &server->tables[t];

		for (i = 0; i < table->count; i++) {
			if (strcmp(table->methods[i].name, name) != 0)
				continue;
			*ctx = table->ctx;
			return &table->methods[i];
		}
	}
	return NULL;
}

int
rpc_server_add(struct rpc_server *server, const struct rpc_method *methods, size_t count, void *ctx)
{
	struct rpc_table_entry *tables;
	void *other;
	size_t i;

	for (i = 0; i < count; i++) {
		if (rpc_method_find(server, methods[i].name, &other) != NULL)
			return -EEXIST;
	}
	tables = reallocarray(server->tables, server->table_count + 1, sizeof(*tables));
	if (tables == NULL)
		return -ENOMEM;
	tables[server->table_count++] = (struct rpc_table_entry){methods, count, ctx};
	server->tables = tables;
	return 0;
}

static json_t *
describe_params(const struct rpc_param *param)
{
	json_t *array = json_array();

	for (; param != NULL && param->name != NULL; param++) {
		char letter[2] = {param->type, '\0'};

		json_array_append_new(
			array, json_pack("{s:s, s:s, s:b, s:s}", "name", param->name, "type",
				       letter, "required", param->required, "text", param->text));
	}
	return array;
}

static void
call_methods(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	static const struct rpc_column columns[] = {
		{"name", "METHOD", 'l'},
		{"right", "RIGHT", 'l'},
		{"text", "WHAT", 'l'},
		{NULL, NULL, 0},
	};
	struct rpc_server *server = ctx;
	json_t *rows = json_array();
	size_t t;
	size_t i;

	(void)params;
	for (t = 0; t < server->table_count; t++) {
		for (i = 0; i < server->tables[t].count; i++) {
			const struct rpc_method *m = &server->tables[t].methods[i];

			json_array_append_new(rows,
				json_pack("{s:s, s:s, s:s, s:o}", "name", m->name, "right",
					m->right == UNIX_RIGHT_ADMIN ? "admin" : "view", "text",
					m->text, "params", describe_params(m->params)));
		}
	}
	rpc_table(reply, columns, rows);
}

static const struct rpc_method own_methods[] = {
	{"rpc.methods", UNIX_RIGHT_VIEW, call_methods, NULL,
		"the methods of this daemon, with rights and parameters"},
};

int
rpc_server_create(struct loop *loop, const char *path, const struct unix_access *access,
	struct rpc_server **out)
{
	struct rpc_server *server = calloc(1, sizeof(*server));
	int err;

	if (server == NULL)
		return -ENOMEM;
	server->loop = loop;
	server->access = *access;
	server->listener.fd = -1;
	LIST_INIT(&server->conns);
	err = rpc_server_add(server, own_methods, 1, server);
	if (err == 0)
		err = rpc_events_create(server);
	if (err == 0)
		err = loop_timer_create(loop, on_resume, server, &server->resume);
	if (err == 0)
		err = unix_listen(&server->listener, path, access);
	if (err == 0)
		err = loop_add(
			loop, server->listener.fd, EPOLLIN, on_accept, server, &server->watch);
	if (err != 0) {
		rpc_server_destroy(server);
		return err;
	}
	*out = server;
	return 0;
}

void
rpc_server_destroy(struct rpc_server *server)
{
	struct rpc_conn *conn;

	if (server == NULL)
		return;
	loop_remove(server->watch);
	unix_unlisten(&server->listener);
	while ((conn = LIST_FIRST(&server->conns)) != NULL)
		rpc_conn_close(conn);
	loop_timer_destroy(server->resume);
	rpc_events_destroy(server->events);
	free(server->tables);
	free(server);
}

unsigned int
rpc_server_clients(const struct rpc_server *server)
{
	return server->conn_count;
}
