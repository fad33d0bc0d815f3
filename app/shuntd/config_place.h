/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Where things stand in a YAML text: path -> line and column, made of libyaml's
 * parser events. libcyaml tells the place of a value's neighbour at best, so
 * every config error gets its place here.
 *
 * It also refuses what the config has no use for and readers stumble over:
 * anchors, aliases, tags, several documents, keys given twice, keys that are no
 * plain words, empty values.
 */
#ifndef SHUNT_APP_CONFIG_PLACE_H
#define SHUNT_APP_CONFIG_PLACE_H

#include <stddef.h>

#include "config.h"

struct place_index;

/** What is wrong with a text, and where. */
struct place_error {
	struct config_place at;
	char text[256];
};

/**
 * Index a text.
 * @return 0; -EINVAL with error set; -ENOMEM
 */
int place_index(const char *text, size_t len, struct place_index **out, struct place_error *error);

/** Free it. NULL is fine. */
void place_free(struct place_index *index);

/**
 * The place of the value at a path: "ports[1].addresses[0]", "" for all. Where
 * the path leads nowhere, that of the deepest value on its way.
 */
struct config_place place_of(const struct place_index *index, const char *path);

/** Whether the path leads to a value. */
bool place_has(const struct place_index *index, const char *path);

/** The place of a mapping's key, else place_of() the mapping. */
struct config_place place_of_key(
	const struct place_index *index, const char *path, const char *key);

#endif
