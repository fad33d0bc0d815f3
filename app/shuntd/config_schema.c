/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config_schema.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The schema, bottom up. All is optional here: config_check.c knows what is needed. */

#define TEXT(owner, member)                                                                        \
	CYAML_FIELD_STRING_PTR(#member, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct owner,    \
		member, 0, CYAML_UNLIMITED)
#define LIST(owner, member, entry)                                                                 \
	CYAML_FIELD_SEQUENCE(#member, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct owner,      \
		member, entry, 0, CYAML_UNLIMITED)
#define PART(owner, member, fields)                                                                \
	CYAML_FIELD_MAPPING(#member, CYAML_FLAG_OPTIONAL, struct owner, member, fields)

static const cyaml_schema_value_t text = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static const cyaml_schema_field_t runtime_fields[] = {
	LIST(raw_runtime, workers, &text),
	TEXT(raw_runtime, memory),
	TEXT(raw_runtime, idle),
	LIST(raw_runtime, eal, &text),
	TEXT(raw_runtime, engine),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t port_fields[] = {
	TEXT(raw_port, name),
	TEXT(raw_port, device),
	LIST(raw_port, addresses, &text),
	TEXT(raw_port, mtu),
	TEXT(raw_port, mac),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t port = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_port, port_fields),
};

static const cyaml_schema_field_t host_fields[] = {
	TEXT(raw_host, twins),
	TEXT(raw_host, netns),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t route_fields[] = {
	TEXT(raw_route, to),
	TEXT(raw_route, via),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t route = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_route, route_fields),
};

static const cyaml_schema_field_t neighbour_fields[] = {
	TEXT(raw_neighbour, port),
	TEXT(raw_neighbour, address),
	TEXT(raw_neighbour, mac),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t neighbour = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_neighbour, neighbour_fields),
};

static const cyaml_schema_field_t timeout_fields[] = {
#define X(name, seconds) TEXT(raw_timeouts, name),
	CONFIG_TIMEOUTS(X)
#undef X
		CYAML_FIELD_END,
};

static const cyaml_schema_field_t conntrack_fields[] = {
	TEXT(raw_conntrack, max),
	PART(raw_conntrack, timeouts, timeout_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t offload_fields[] = {
	TEXT(raw_offload, mode),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t control_fields[] = {
	TEXT(raw_control, socket),
	TEXT(raw_control, nft),
	TEXT(raw_control, admin_group),
	TEXT(raw_control, view_group),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t config_fields[] = {
	PART(raw_config, runtime, runtime_fields),
	LIST(raw_config, ports, &port),
	PART(raw_config, host, host_fields),
	LIST(raw_config, routes, &route),
	LIST(raw_config, neighbours, &neighbour),
	TEXT(raw_config, ruleset),
	TEXT(raw_config, follow),
	PART(raw_config, conntrack, conntrack_fields),
	PART(raw_config, offload, offload_fields),
	PART(raw_config, control, control_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t config_schema = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw_config, config_fields),
};

/* Keys of the design whose feature has not landed: known, and refused as such. */
static const char *const not_built[] = {
	"offload.bytes",
	"offload.meters",
	"offload.commit",
};

/* What libcyaml has said: the message, and the path to its place, innermost first. */
struct report {
	char message[256];
	char path[256];
};

/* Put a part of the path in front of what is there. */
static void
prepend(struct report *report, const char *part)
{
	char longer[sizeof(report->path)];
	const char *dot = report->path[0] == '\0' || report->path[0] == '[' ? "" : ".";
	int n = snprintf(longer, sizeof(longer), "%s%s%s", part, dot, report->path);

	if (n > 0 && (size_t)n < sizeof(longer))
		memcpy(report->path, longer, (size_t)n + 1);
}

static void
take_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	struct report *report = ctx;
	char line[256];
	char part[80];
	unsigned int number;

	if (level < CYAML_LOG_ERROR)
		return;
	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	/* The last part of the backtrace's place is that of what came before: not used. */
	if (sscanf(line, "  in mapping field '%64[^']'", part) == 1) {
		prepend(report, part);
	} else if (sscanf(line, "  in sequence entry '%u'", &number) == 1) {
		/* It counts from 1 where an entry is being read. */
		snprintf(part, sizeof(part), "[%u]", number > 0 ? number - 1 : 0);
		prepend(report, part);
	} else if (report->message[0] == '\0' && strncmp(line, "Load: ", 6) == 0) {
		snprintf(report->message, sizeof(report->message), "%s", line + 6);
	}
}

static const char *
kind_text(const char *kind)
{
	if (strncmp(kind, "SEQUENCE", 8) == 0)
		return "a list";
	return strncmp(kind, "MAPPING", 7) == 0 ? "a mapping" : "a single value";
}

/* Say it in the file's terms, at its place. */
static void
explain(const struct report *report, const struct place_index *index, struct place_error *error)
{
	char wanted[32];
	char got[32];
	char key[65];
	size_t i;

	if (sscanf(report->message, "Unexpected key: %64[^\n]", key) == 1) {
		char full[sizeof(report->path) + sizeof(key) + 1];

		error->at = place_of_key(index, report->path, key);
		snprintf(full, sizeof(full), "%s%s%s", report->path,
			report->path[0] != '\0' ? "." : "", key);
		snprintf(error->text, sizeof(error->text), "unknown key \"%s\"", key);
		for (i = 0; i < sizeof(not_built) / sizeof(not_built[0]); i++) {
			if (strcmp(full, not_built[i]) == 0)
				snprintf(error->text, sizeof(error->text), "%s is not built yet",
					not_built[i]);
		}
		return;
	}
	error->at = place_of(index, report->path);
	if (sscanf(report->message, "Expecting %31[^,], got event: %31s", wanted, got) == 2)
		snprintf(error->text, sizeof(error->text), "%.200s must be %s, not %s",
			report->path, kind_text(wanted), kind_text(got));
	else
		snprintf(error->text, sizeof(error->text), "%s",
			report->message[0] != '\0' ? report->message : "not a config");
}

static const cyaml_config_t *
cyaml_settings(struct report *report)
{
	static _Thread_local cyaml_config_t settings;

	settings = (cyaml_config_t){
		.log_fn = take_log,
		.log_ctx = report,
		.log_level = CYAML_LOG_ERROR,
		.mem_fn = cyaml_mem,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	return &settings;
}

int
raw_load(const char *yaml, size_t len, const struct place_index *index, struct raw_config **out,
	struct place_error *error)
{
	struct report report = {0};
	cyaml_data_t *data = NULL;
	cyaml_err_t ret;

	ret = cyaml_load_data(
		(const uint8_t *)yaml, len, cyaml_settings(&report), &config_schema, &data, NULL);
	if (ret == CYAML_OK && data != NULL) {
		*out = data;
		return 0;
	}
	if (ret == CYAML_ERR_OOM)
		return -ENOMEM;
	explain(&report, index, error);
	return -EINVAL;
}

void
raw_free(struct raw_config *raw)
{
	struct report report;

	if (raw != NULL)
		cyaml_free(cyaml_settings(&report), &config_schema, raw, 0);
}
