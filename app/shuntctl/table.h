/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Rows on paper: a table for people, or an array of objects for programs. Holds
 * a few rows to find the columns' widths, whatever the length of the listing.
 */
#ifndef SHUNT_APP_TABLE_H
#define SHUNT_APP_TABLE_H

#include "shuntctl.h"

struct table;

/**
 * Begin.
 * @param columns [{key, title, align}], or NULL for rows that are lines of text
 * @param follow print each row at once
 * @return NULL without memory, or if columns is no such thing
 */
struct table *table_begin(const struct ctl *ctl, const json_t *columns, bool follow);

/** Add a row. */
void table_row(struct table *table, const json_t *row);

/** Print what is held, and free. @param whole false: the listing broke off */
void table_end(struct table *table, bool whole);

/** Print a text that a daemon sent, without control characters but newline and tab. */
void print_text(FILE *out, const char *text);

/** A value as people read it. @return allocated, NULL without memory */
char *cell_text(const json_t *value);

#endif
