/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpc_priv.h"

char *
rpc_buffer_room(struct rpc_buffer *buf, size_t len)
{
	size_t held = rpc_buffer_len(buf);
	size_t size = buf->size != 0 ? buf->size : 1024;
	char *data;

	if (buf->data != NULL && buf->size - buf->end >= len)
		return buf->data + buf->end;
	if (buf->start >= held && buf->size - held >= len) {
		/* The gap in front is as large as what moves: its cost is paid by what left. */
		memcpy(buf->data, buf->data + buf->start, held);
		buf->start = 0;
		buf->end = held;
		return buf->data + held;
	}
	while (size - held < len)
		size *= 2;
	data = malloc(size);
	if (data == NULL)
		return NULL;
	if (held != 0)
		memcpy(data, buf->data + buf->start, held);
	free(buf->data);
	*buf = (struct rpc_buffer){
		.data = data, .end = held, .size = size, .scanned = buf->scanned};
	return data + held;
}

int
rpc_buffer_add(struct rpc_buffer *buf, const char *data, size_t len)
{
	char *room = rpc_buffer_room(buf, len);

	if (room == NULL)
		return -ENOMEM;
	memcpy(room, data, len);
	buf->end += len;
	return 0;
}

const char *
rpc_buffer_line(struct rpc_buffer *buf, size_t *len)
{
	size_t held = rpc_buffer_len(buf);
	const char *line;
	const char *nl;

	if (held == buf->scanned)
		return NULL;
	line = buf->data + buf->start;
	nl = memchr(line + buf->scanned, '\n', held - buf->scanned);
	if (nl == NULL) {
		buf->scanned = held;
		return NULL;
	}
	*len = (size_t)(nl - line);
	return line;
}

void
rpc_buffer_drop(struct rpc_buffer *buf, size_t len)
{
	buf->start += len;
	buf->scanned = 0;
	if (buf->start == buf->end)
		rpc_buffer_free(buf);
}

void
rpc_buffer_free(struct rpc_buffer *buf)
{
	free(buf->data);
	*buf = (struct rpc_buffer){0};
}
