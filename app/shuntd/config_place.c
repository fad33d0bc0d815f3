/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config_place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* Deeper than any config, and what bounds the recursion of place_free(). */
#define DEPTH_MAX 16

struct node {
	yaml_event_type_t kind; /* SCALAR, SEQUENCE_START or MAPPING_START */
	char *key;		/* in a mapping */
	struct config_place key_at;
	struct config_place at;
	struct node *first;
	struct node *last;
	struct node *next;
	struct node *parent;
};

struct place_index {
	struct node *root;
};

/* While it is built. */
struct builder {
	struct place_index *index;
	struct node *open; /* the collection that takes the next value */
	unsigned int depth;
	char *key; /* read, and waiting for its value */
	struct config_place key_at;
	struct place_error *error;
};

static struct config_place
mark_place(yaml_mark_t mark)
{
	return (struct config_place){(unsigned int)mark.line + 1, (unsigned int)mark.column + 1};
}

static int
refuse(struct builder *b, struct config_place at, const char *text)
{
	b->error->at = at;
	snprintf(b->error->text, sizeof(b->error->text), "%s", text);
	return -EINVAL;
}

static void
node_free(struct node *node)
{
	while (node != NULL) {
		struct node *next = node->next;

		node_free(node->first);
		free(node->key);
		free(node);
		node = next;
	}
}

void
place_free(struct place_index *index)
{
	if (index == NULL)
		return;
	node_free(index->root);
	free(index);
}

static struct node *
child_by_key(const struct node *mapping, const char *key, size_t len)
{
	struct node *child;

	for (child = mapping->first; child != NULL; child = child->next) {
		if (child->key != NULL && strlen(child->key) == len &&
			memcmp(child->key, key, len) == 0)
			return child;
	}
	return NULL;
}

static int
take_key(struct builder *b, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	struct config_place at = mark_place(event->start_mark);

	if (strlen(text) != event->data.scalar.length || text[0] == '\0' ||
		event->data.scalar.length > 64)
		return refuse(b, at, "a key must be a word");
	if (child_by_key(b->open, text, strlen(text)) != NULL) {
		char why[128];

		snprintf(why, sizeof(why), "\"%.64s\" is given twice", text);
		return refuse(b, at, why);
	}
	b->key = strdup(text);
	b->key_at = at;
	return b->key != NULL ? 0 : -ENOMEM;
}

/* A value begins: put its node where it belongs. */
static int
take_value(struct builder *b, const yaml_event_t *event)
{
	struct node *node = calloc(1, sizeof(*node));

	if (node == NULL)
		return -ENOMEM;
	node->kind = event->type;
	node->at = mark_place(event->start_mark);
	node->key = b->key;
	node->key_at = b->key_at;
	node->parent = b->open;
	b->key = NULL;
	if (b->open == NULL)
		b->index->root = node;
	else if (b->open->last == NULL)
		b->open->first = node;
	else
		b->open->last->next = node;
	if (b->open != NULL)
		b->open->last = node;
	if (event->type == YAML_SCALAR_EVENT)
		return 0;
	if (++b->depth > DEPTH_MAX)
		return refuse(b, node->at, "nested too deeply");
	b->open = node;
	return 0;
}

static bool
is_null(const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;

	if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	return text[0] == '\0' || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0;
}

static int
take_scalar(struct builder *b, const yaml_event_t *event)
{
	struct config_place at = mark_place(event->start_mark);

	if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
		return refuse(b, at, "anchors and tags are not supported");
	if (b->open != NULL && b->open->kind == YAML_MAPPING_START_EVENT && b->key == NULL)
		return take_key(b, event);
	if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
		return refuse(b, at, "a value with a NUL in it");
	if (is_null(event))
		return refuse(b, b->key != NULL ? b->key_at : at,
			b->open == NULL ? "the file is empty" : "the value is missing");
	return take_value(b, event);
}

static int
take_collection(struct builder *b, const yaml_event_t *event)
{
	bool mapping = event->type == YAML_MAPPING_START_EVENT;
	const yaml_char_t *anchor =
		mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
	const yaml_char_t *tag =
		mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
	struct config_place at = mark_place(event->start_mark);

	if (anchor != NULL || tag != NULL)
		return refuse(b, at, "anchors and tags are not supported");
	if (b->open != NULL && b->open->kind == YAML_MAPPING_START_EVENT && b->key == NULL)
		return refuse(b, at, "a key must be a word");
	return take_value(b, event);
}

/* @return 0 to go on, 1 at the end, or a negative errno */
static int
take_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT: return take_scalar(b, event);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT: return take_collection(b, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->open = b->open->parent;
		b->depth--;
		return 0;
	case YAML_ALIAS_EVENT:
		return refuse(b, mark_place(event->start_mark), "aliases are not supported");
	case YAML_DOCUMENT_START_EVENT:
		if (b->index->root == NULL)
			return 0;
		return refuse(b, mark_place(event->start_mark), "one document a file");
	case YAML_STREAM_END_EVENT: return 1;
	default: return 0;
	}
}

/* The place of a byte; columns count characters, as libyaml's do. */
static struct config_place
offset_place(const char *text, size_t len, size_t offset)
{
	struct config_place at = {1, 1};
	size_t i;

	for (i = 0; i < len && i < offset; i++) {
		if (text[i] == '\n')
			at = (struct config_place){at.line + 1, 1};
		else if ((text[i] & 0xc0) != 0x80)
			at.column++;
	}
	return at;
}

static int
syntax_error(struct builder *b, const yaml_parser_t *parser, const char *text, size_t len)
{
	struct config_place at = mark_place(parser->problem_mark);

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	/* A reader error (bad UTF-8) has an offset for its place, and no mark. */
	if (parser->error == YAML_READER_ERROR)
		at = offset_place(text, len, parser->problem_offset);
	return refuse(b, at, parser->problem != NULL ? parser->problem : "not YAML");
}

int
place_index(const char *text, size_t len, struct place_index **out, struct place_error *error)
{
	struct builder b = {.index = calloc(1, sizeof(*b.index)), .error = error};
	yaml_parser_t parser;
	int ret = 0;

	if (b.index == NULL || !yaml_parser_initialize(&parser)) {
		free(b.index);
		return -ENOMEM;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (ret == 0) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event)) {
			ret = syntax_error(&b, &parser, text, len);
			break;
		}
		ret = take_event(&b, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	free(b.key);
	if (ret == 1 && b.index->root == NULL)
		ret = refuse(&b, (struct config_place){1, 1}, "the file is empty");
	else if (ret == 1 && b.index->root->kind != YAML_MAPPING_START_EVENT)
		ret = refuse(&b, b.index->root->at, "must be a mapping of keys to values");
	if (ret < 0) {
		place_free(b.index);
		return ret;
	}
	*out = b.index;
	return 0;
}

static const struct node *
child_by_number(const struct node *sequence, unsigned long number)
{
	const struct node *child = sequence->first;

	while (child != NULL && number-- > 0)
		child = child->next;
	return child;
}

/* As far as the path leads; *whole tells whether that was all the way. */
static const struct node *
find(const struct place_index *index, const char *path, bool *whole)
{
	const struct node *node = index->root;

	*whole = true;
	while (*path != '\0') {
		const struct node *child;

		if (*path == '[') {
			char *end;

			child = child_by_number(node, strtoul(path + 1, &end, 10));
			path = *end == ']' ? end + 1 : end;
		} else {
			size_t len;

			path += *path == '.';
			len = strcspn(path, ".[");
			child = child_by_key(node, path, len);
			path += len;
		}
		if (child == NULL) {
			*whole = false;
			break;
		}
		node = child;
	}
	return node;
}

struct config_place
place_of(const struct place_index *index, const char *path)
{
	bool whole;

	return find(index, path, &whole)->at;
}

bool
place_has(const struct place_index *index, const char *path)
{
	bool whole;

	find(index, path, &whole);
	return whole;
}

struct config_place
place_of_key(const struct place_index *index, const char *path, const char *key)
{
	bool whole;
	const struct node *node = find(index, path, &whole);
	const struct node *child = child_by_key(node, key, strlen(key));

	return child != NULL ? child->key_at : node->at;
}
