/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * From the file's text to values that are possible: what the parts of the check
 * share. Each part reads from raw, writes to config, and goes on after an error,
 * so that one run shows all of them.
 */
#ifndef SHUNT_APP_CONFIG_CHECK_H
#define SHUNT_APP_CONFIG_CHECK_H

#include "config_schema.h"
#include "config_value.h"

struct check {
	const char *file;
	const struct place_index *index;
	const struct raw_config *raw;
	const cpu_set_t *cpus;
	struct config *config;
	FILE *err;
	unsigned int errors;
	bool no_memory;
};

/** Write FILE:LINE:COLUMN: TEXT and count it. */
void check_say(FILE *err, const char *file, struct config_place at, const char *text);

/** An error at the value of a path. */
void check_fail(struct check *c, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Room for count members, at least one; sets no_memory. Zeroed. */
void *check_alloc(struct check *c, unsigned int count, size_t size);

/** A copy of a text; sets no_memory. */
char *check_copy(struct check *c, const char *text);

/** A number in a range; the error names both. @return whether there is one */
bool check_number(struct check *c, const char *path, const char *text, uint64_t min, uint64_t max,
	uint64_t *out);

/** ports, routes, neighbours (config_net.c). */
void check_net(struct check *c);

#endif
