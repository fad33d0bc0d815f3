/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpc_client.h"
#include "table.h"

/* A call whose rows are being printed. */
struct printer {
	struct ctl *ctl;
	bool follow;
	bool streamed;
	struct table *table;
};

static int
on_begin(void *arg, const json_t *head)
{
	struct printer *printer = arg;

	printer->streamed = true;
	if (printer->table == NULL)
		printer->table = table_begin(
			printer->ctl, json_object_get(head, "columns"), printer->follow);
	return printer->table != NULL ? 0 : -EPROTO;
}

static int
on_row(void *arg, const json_t *row)
{
	struct printer *printer = arg;

	if (printer->table == NULL)
		return -EPROTO;
	table_row(printer->table, row);
	return ferror(printer->ctl->out) ? -EPIPE : 0;
}

/* Say why a call failed. @return enum ctl_exit */
static int
fail(struct ctl *ctl, int err, const struct rpc_failure *failure)
{
	switch (err) {
	case -ENOENT:
	case -ECONNREFUSED:
		fprintf(ctl->err, "shuntctl: no daemon serves %s: %s\n", ctl->socket,
			strerror(-err));
		return CTL_NO_DAEMON;
	case -ECONNRESET:
		fprintf(ctl->err, "shuntctl: the daemon has gone\n");
		return CTL_NO_DAEMON;
	case -EREMOTEIO:
		fprintf(ctl->err, "shuntctl: ");
		print_text(ctl->err, failure->message);
		fprintf(ctl->err, "%s\n",
			failure->code == RPC_NO_METHOD ? ": this daemon is not built to do that"
						       : "");
		return CTL_REFUSED;
	default:
		fprintf(ctl->err, "shuntctl: %s: %s\n", ctl->socket, strerror(-err));
		return CTL_REFUSED;
	}
}

/* {columns, rows} */
static int
print_table(struct printer *printer, const json_t *result)
{
	const json_t *row;
	size_t i;

	printer->table = table_begin(printer->ctl, json_object_get(result, "columns"), false);
	if (printer->table == NULL)
		return -EPROTO;
	json_array_foreach (json_object_get(result, "rows"), i, row)
		table_row(printer->table, row);
	return 0;
}

/* Members one a line. */
static void
print_object(struct ctl *ctl, const json_t *object)
{
	const char *key;
	json_t *value;
	int width = 0;

	json_object_foreach ((json_t *)object, key, value)
		width = (int)strlen(key) > width ? (int)strlen(key) : width;
	json_object_foreach ((json_t *)object, key, value) {
		char *text = cell_text(value);

		fprintf(ctl->out, "%-*s  ", width, key);
		print_text(ctl->out, text != NULL ? text : "?");
		fputc('\n', ctl->out);
		free(text);
	}
}

/* A result that was not streamed: a table, a text, an object, or anything. */
static int
print_result(struct printer *printer, const json_t *result)
{
	struct ctl *ctl = printer->ctl;
	const char *text = json_string_value(json_object_get(result, "text"));

	if (json_is_array(json_object_get(result, "columns")) &&
		json_is_array(json_object_get(result, "rows")))
		return print_table(printer, result);
	if (ctl->json || !json_is_object(result)) {
		json_dumpf(result, ctl->out, JSON_INDENT(2) | JSON_ENCODE_ANY);
		fputc('\n', ctl->out);
	} else if (text != NULL) {
		print_text(ctl->out, text);
		if (text[0] == '\0' || text[strlen(text) - 1] != '\n')
			fputc('\n', ctl->out);
	} else {
		print_object(ctl, result);
	}
	return 0;
}

int
ctl_call(struct ctl *ctl, const struct ctl_command *command, json_t *params)
{
	struct printer printer = {.ctl = ctl, .follow = command->follow};
	const struct rpc_reader reader = {on_begin, on_row, &printer};
	struct rpc_failure failure = {0};
	struct rpc_client *client = NULL;
	json_t *result = NULL;
	int ret = rpc_client_open(ctl->socket, &client);

	if (ret == 0)
		ret = rpc_call(client, command->method, params, &reader, &result, &failure);
	else
		json_decref(params);
	if (ret == 0 && !printer.streamed)
		ret = print_result(&printer, result);
	if (printer.table != NULL)
		table_end(printer.table, ret == 0);
	json_decref(result);
	rpc_client_close(client);
	if (ret == 0 && (fflush(ctl->out) != 0 || ferror(ctl->out)))
		ret = -EIO;
	return ret == 0 ? CTL_OK : fail(ctl, ret, &failure);
}

int
ctl_ask(struct ctl *ctl, const char *method, json_t *params, json_t **result)
{
	struct rpc_failure failure = {0};
	struct rpc_client *client = NULL;
	int ret = rpc_client_open(ctl->socket, &client);

	if (ret == 0)
		ret = rpc_call(client, method, params, NULL, result, &failure);
	else
		json_decref(params);
	rpc_client_close(client);
	return ret == 0 ? CTL_OK : fail(ctl, ret, &failure);
}

static const struct ctl_option *
option_find(const struct ctl_command *command, const char *name)
{
	const struct ctl_option *option;

	for (option = command->options; option != NULL && option->name != NULL; option++) {
		if (strcmp(option->name, name) == 0)
			return option;
	}
	return NULL;
}

int
ctl_call_plain(struct ctl *ctl, const struct ctl_command *command, int argc, char **argv)
{
	json_t *params = json_object();
	int i;

	for (i = 0; i < argc; i++) {
		const struct ctl_option *option = option_find(command, argv[i]);
		json_t *value;

		if (strcmp(argv[i], "-j") == 0) {
			ctl->json = true;
			continue;
		}
		if (option != NULL) {
			json_object_set_new(params, option->param, json_true());
			continue;
		}
		if (command->arg_param == NULL || argv[i][0] == '-' ||
			json_object_get(params, command->arg_param) != NULL) {
			json_decref(params);
			return ctl_misuse(ctl, command, "unexpected \"%s\"", argv[i]);
		}
		value = json_string(argv[i]);
		if (value == NULL) {
			json_decref(params);
			return ctl_misuse(ctl, command, "an argument is not UTF-8");
		}
		json_object_set_new(params, command->arg_param, value);
	}
	return ctl_call(ctl, command, params);
}
