/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* Rows that are held to find the widths. */
#define SAMPLE 256
/* Columns of a table, and the least that a column is cut down to. */
#define COLUMNS_MAX 32
#define WIDTH_MIN   6
/* Between two columns. */
#define GAP 2

struct column {
	char *key;
	char *title;
	bool right;
	size_t width;
};

struct table {
	FILE *out;
	size_t terminal; /* its width, 0 for none */
	bool json;
	bool follow;
	struct column columns[COLUMNS_MAX];
	size_t count; /* 0: lines of text */
	char **held;  /* cells of the first rows, row after row */
	size_t held_rows;
	bool streaming; /* the widths are settled */
	unsigned long long rows;
};

/* Characters, not bytes. */
static size_t
length(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* Print at most max characters, the last a mark if some are left out. @return printed */
static size_t
print_cut(FILE *out, const char *text, size_t max)
{
	bool cut = length(text) > max;
	size_t n = 0;

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c & 0xc0) != 0x80 && ++n == max && cut) {
			fputc('~', out);
			return n;
		}
		fputc(c < 0x20 || c == 0x7f ? '?' : c, out);
	}
	return n;
}

void
print_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		fputc((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? '?' : c, out);
	}
}

static char *
join(const json_t *array)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	const json_t *value;
	size_t i;

	if (out == NULL)
		return NULL;
	json_array_foreach (array, i, value) {
		char *one = cell_text(value);

		fprintf(out, "%s%s", i > 0 ? "," : "", one != NULL ? one : "?");
		free(one);
	}
	fclose(out);
	return text;
}

char *
cell_text(const json_t *value)
{
	char *text = NULL;
	int n = 0;

	switch (json_typeof(value)) {
	case JSON_STRING: return strdup(json_string_value(value));
	case JSON_INTEGER:
		n = asprintf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL: n = asprintf(&text, "%.6g", json_real_value(value)); break;
	case JSON_TRUE: return strdup("yes");
	case JSON_FALSE: return strdup("no");
	case JSON_NULL: return strdup("-");
	case JSON_ARRAY: return join(value);
	default: return json_dumps(value, JSON_COMPACT);
	}
	return n >= 0 ? text : NULL;
}

/* A time of clock_ns() as the kernel's log has it: seconds since boot. */
static char *
time_text(json_int_t ns)
{
	char *text = NULL;
	int n = asprintf(&text, "%" JSON_INTEGER_FORMAT ".%03" JSON_INTEGER_FORMAT,
		ns / (json_int_t)NS_PER_SEC, ns % (json_int_t)NS_PER_SEC / (json_int_t)NS_PER_MS);

	return n >= 0 ? text : NULL;
}

static bool
is_column(const struct table *table, const char *key)
{
	size_t i;

	for (i = 0; i < table->count; i++) {
		if (strcmp(table->columns[i].key, key) == 0)
			return true;
	}
	return false;
}

/* What a row has besides its columns, for a `text` that it lacks: "port=lan up=yes". */
static char *
other_members(const struct table *table, const json_t *row)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	const char *key;
	json_t *value;
	const char *gap = "";

	if (out == NULL)
		return NULL;
	json_object_foreach ((json_t *)row, key, value) {
		char *one;

		if (is_column(table, key))
			continue;
		one = cell_text(value);
		fprintf(out, "%s%s=%s", gap, key, one != NULL ? one : "?");
		free(one);
		gap = " ";
	}
	fclose(out);
	return text;
}

static char *
cell(const struct table *table, const json_t *row, const struct column *column)
{
	const json_t *value = json_object_get(row, column->key);
	char *text;

	if (value == NULL && strcmp(column->key, "text") == 0)
		text = other_members(table, row);
	else if (value == NULL)
		text = strdup("-");
	else if (strcmp(column->key, "time_ns") == 0 && json_is_integer(value))
		text = time_text(json_integer_value(value));
	else
		text = cell_text(value);
	return text != NULL ? text : strdup("?");
}

static void
print_line(const struct table *table, char *const *cells)
{
	size_t i;

	for (i = 0; i < table->count; i++) {
		const struct column *column = &table->columns[i];
		const char *text = cells[i] != NULL ? cells[i] : "?";
		size_t max = table->terminal > 0 ? column->width : SIZE_MAX;
		size_t n = length(text) < max ? length(text) : max;
		size_t pad = column->width > n ? column->width - n : 0;
		bool last = i + 1 == table->count;

		if (column->right)
			fprintf(table->out, "%*s", (int)pad, "");
		print_cut(table->out, text, max);
		if (!column->right && !last)
			fprintf(table->out, "%*s", (int)pad, "");
		if (!last)
			fprintf(table->out, "%*s", GAP, "");
	}
	fputc('\n', table->out);
}

/* Cut the widest columns down until a line fits the terminal. */
static void
fit(struct table *table)
{
	for (;;) {
		size_t total = GAP * (table->count - 1);
		struct column *widest = &table->columns[0];
		size_t i;

		for (i = 0; i < table->count; i++) {
			total += table->columns[i].width;
			if (table->columns[i].width > widest->width)
				widest = &table->columns[i];
		}
		if (total <= table->terminal || widest->width <= WIDTH_MIN)
			return;
		widest->width--;
	}
}

/* Settle the widths, print the titles and the rows that were held. */
static void
settle(struct table *table)
{
	char *titles[COLUMNS_MAX];
	size_t i;
	size_t r;

	table->streaming = true;
	for (i = 0; i < table->count; i++) {
		struct column *column = &table->columns[i];

		titles[i] = column->title;
		column->width = length(column->title);
		/* Nothing is known of rows to come but what these columns hold. */
		if (table->follow && strcmp(column->key, "time_ns") == 0)
			column->width = 12;
		else if (table->follow && !column->right && i + 1 < table->count)
			column->width = 16;
		for (r = 0; r < table->held_rows; r++) {
			size_t n = length(table->held[r * table->count + i]);

			if (n > column->width)
				column->width = n;
		}
		if (table->follow && i + 1 == table->count && table->terminal > 0)
			column->width = table->terminal;
	}
	if (table->terminal > 0)
		fit(table);
	print_line(table, titles);
	for (r = 0; r < table->held_rows; r++)
		print_line(table, &table->held[r * table->count]);
}

static bool
take_columns(struct table *table, const json_t *columns)
{
	const json_t *column;
	size_t i;

	json_array_foreach (columns, i, column) {
		const char *key = json_string_value(json_object_get(column, "key"));
		const char *title = json_string_value(json_object_get(column, "title"));
		const char *align = json_string_value(json_object_get(column, "align"));
		struct column *mine = &table->columns[table->count];

		if (key == NULL || title == NULL || table->count == COLUMNS_MAX)
			return false;
		table->count++;
		mine->key = strdup(key);
		mine->title = strdup(title);
		mine->right = align != NULL && strcmp(align, "right") == 0;
		if (mine->key == NULL || mine->title == NULL)
			return false;
	}
	return table->count > 0;
}

static void
table_free(struct table *table)
{
	size_t i;

	for (i = 0; i < table->held_rows * table->count; i++)
		free(table->held[i]);
	for (i = 0; i < table->count; i++) {
		free(table->columns[i].key);
		free(table->columns[i].title);
	}
	free(table->held);
	free(table);
}

struct table *
table_begin(const struct ctl *ctl, const json_t *columns, bool follow)
{
	struct table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return NULL;
	table->out = ctl->out;
	table->terminal = ctl->width > 0 ? (size_t)ctl->width : 0;
	table->json = ctl->json;
	table->follow = follow;
	if (columns != NULL && !take_columns(table, columns)) {
		table_free(table);
		return NULL;
	}
	if (columns != NULL) {
		table->held = calloc(SAMPLE * table->count, sizeof(char *));
		if (table->held == NULL) {
			table_free(table);
			return NULL;
		}
	}
	if (follow && !table->json && table->count > 0)
		settle(table);
	return table;
}

static void
row_json(struct table *table, const json_t *row)
{
	if (!table->follow)
		fputs(table->rows == 0 ? "[\n" : ",\n", table->out);
	json_dumpf(row, table->out, JSON_COMPACT | JSON_ENCODE_ANY);
	if (table->follow)
		fputc('\n', table->out);
}

static void
row_cells(struct table *table, const json_t *row)
{
	char *cells[COLUMNS_MAX];
	size_t i;

	for (i = 0; i < table->count; i++)
		cells[i] = cell(table, row, &table->columns[i]);
	if (!table->streaming) {
		memcpy(&table->held[table->held_rows++ * table->count], cells,
			table->count * sizeof(char *));
		if (table->held_rows == SAMPLE)
			settle(table);
		return;
	}
	print_line(table, cells);
	for (i = 0; i < table->count; i++)
		free(cells[i]);
}

void
table_row(struct table *table, const json_t *row)
{
	if (table->json) {
		row_json(table, row);
	} else if (table->count > 0) {
		row_cells(table, row);
	} else {
		char *text = cell_text(row);

		print_text(table->out, text != NULL ? text : "?");
		fputc('\n', table->out);
		free(text);
	}
	table->rows++;
	if (table->follow)
		fflush(table->out);
}

void
table_end(struct table *table, bool whole)
{
	/* A JSON array that broke off stays open: nobody shall take it for the whole. */
	if (table->json && !table->follow && whole)
		fputs(table->rows == 0 ? "[]\n" : "\n]\n", table->out);
	else if (table->json && !table->follow)
		fputc('\n', table->out);
	if (!table->json && table->count > 0 && !table->streaming)
		settle(table);
	table_free(table);
}
