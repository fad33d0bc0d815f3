/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events. An event is JSON text, shared by the history and by the queues of
 * those who listen; each of these is a ring of RPC_EVENTS_MAX references.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "rpc_priv.h"

struct event {
	unsigned int refs;
	size_t len;
	char type[32];
	char text[];
};

struct slot {
	struct event *event;
	json_int_t lost_before; /* events that found the queue full before this one */
};

/* One who listens, or one who reads the history. */
struct listener {
	struct rpc_stream *stream;
	struct slot ring[RPC_EVENTS_MAX];
	unsigned int head;
	unsigned int count;
	json_int_t lost; /* since the last event that was queued */
	bool follow;	 /* false: the stream ends when the queue is empty */
	char type[32];	 /* a prefix of the types wanted, "" for all */
	LIST_ENTRY(listener) link;
};

struct rpc_events {
	LIST_HEAD(listener_list, listener) listeners;
	struct event *history[RPC_EVENTS_MAX];
	unsigned int history_at; /* where the next one goes */
	json_int_t sequence;
};

static void
event_unref(struct event *event)
{
	if (event != NULL && --event->refs == 0)
		free(event);
}

static bool
wanted(const struct listener *listener, const struct event *event)
{
	return strncmp(event->type, listener->type, strlen(listener->type)) == 0;
}

static void
enqueue(struct listener *listener, struct event *event)
{
	struct slot *slot;

	if (!wanted(listener, event))
		return;
	if (listener->count == RPC_EVENTS_MAX) {
		listener->lost++;
		return;
	}
	slot = &listener->ring[(listener->head + listener->count++) % RPC_EVENTS_MAX];
	*slot = (struct slot){event, listener->lost};
	listener->lost = 0;
	event->refs++;
}

static int
tell_lost(struct rpc_stream *stream, json_int_t count)
{
	return rpc_row(stream, json_pack("{s:s, s:I}", "type", "lost", "count", count));
}

static int
next_events(void *state, struct rpc_stream *stream)
{
	struct listener *listener = state;
	int ret = 0;

	while (listener->count > 0 && ret == 0) {
		struct slot *slot = &listener->ring[listener->head];

		if (slot->lost_before != 0)
			ret = tell_lost(stream, slot->lost_before);
		if (ret >= 0)
			ret = rpc_row_text(stream, slot->event->text, slot->event->len);
		event_unref(slot->event);
		listener->head = (listener->head + 1) % RPC_EVENTS_MAX;
		listener->count--;
	}
	if (ret != 0)
		return ret < 0 ? ret : RPC_MORE;
	if (listener->lost != 0) {
		ret = tell_lost(stream, listener->lost);
		listener->lost = 0;
		if (ret < 0)
			return ret;
	}
	return listener->follow ? RPC_WAIT : RPC_END;
}

static void
listener_done(void *state)
{
	struct listener *listener = state;

	for (; listener->count > 0; listener->count--) {
		event_unref(listener->ring[listener->head].event);
		listener->head = (listener->head + 1) % RPC_EVENTS_MAX;
	}
	LIST_REMOVE(listener, link);
	free(listener);
}

static void
listen_to(struct rpc_events *events, const json_t *params, struct rpc_reply *reply, bool follow)
{
	static const struct rpc_column columns[] = {
		{"seq", "SEQ", 'r'},
		{"time_ns", "TIME", 'r'},
		{"type", "TYPE", 'l'},
		{"text", "WHAT", 'l'},
		{NULL, NULL, 0},
	};
	const char *type = json_string_value(json_object_get(params, "type"));
	struct listener *listener = calloc(1, sizeof(*listener));
	struct rpc_stream *stream;
	unsigned int i;

	if (listener == NULL) {
		rpc_fail(reply, RPC_INTERNAL, "out of memory");
		return;
	}
	listener->follow = follow;
	snprintf(listener->type, sizeof(listener->type), "%s", type != NULL ? type : "");
	LIST_INSERT_HEAD(&events->listeners, listener, link);
	for (i = 0; i < RPC_EVENTS_MAX && !follow; i++) {
		struct event *old = events->history[(events->history_at + i) % RPC_EVENTS_MAX];

		if (old != NULL)
			enqueue(listener, old);
	}
	/* On failure it has been freed by its done function. */
	stream = rpc_stream_table(reply, columns, next_events, listener_done, listener);
	if (stream != NULL)
		listener->stream = stream;
}

static void
call_events(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	listen_to(ctx, params, reply, true);
}

static void
call_show_events(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	listen_to(ctx, params, reply, false);
}

static const struct rpc_param event_params[] = {
	{"type", 's', false, "only types that begin so: \"port.\""},
	{NULL, 0, false, NULL},
};

static const struct rpc_method event_methods[] = {
	{"events", UNIX_RIGHT_VIEW, call_events, event_params,
		"a stream of events as they happen, until the client goes"},
	{"show.events", UNIX_RIGHT_VIEW, call_show_events, event_params,
		"the last 256 events, oldest first"},
};

int
rpc_events_create(struct rpc_server *server)
{
	struct rpc_events *events = calloc(1, sizeof(*events));
	int err;

	if (events == NULL)
		return -ENOMEM;
	LIST_INIT(&events->listeners);
	err = rpc_server_add(server, event_methods, 2, events);
	if (err != 0) {
		free(events);
		return err;
	}
	server->events = events;
	return 0;
}

void
rpc_events_destroy(struct rpc_events *events)
{
	size_t i;

	if (events == NULL)
		return;
	for (i = 0; i < RPC_EVENTS_MAX; i++)
		event_unref(events->history[i]);
	free(events);
}

/* An event of one reference, NULL without memory. */
static struct event *
event_make(json_int_t sequence, const char *type, json_t *fields)
{
	json_t *head = json_pack("{s:I, s:I, s:s}", "seq", sequence, "time_ns",
		(json_int_t)clock_ns(), "type", type);
	struct event *event = NULL;
	char *text = NULL;

	if (json_is_object(fields))
		json_object_update_missing(head, fields);
	text = json_dumps(head, JSON_COMPACT);
	if (text != NULL && strlen(text) > RPC_EVENT_SIZE) {
		free(text);
		text = NULL;
		json_decref(head);
		head = json_pack("{s:I, s:I, s:s, s:s}", "seq", sequence, "time_ns",
			(json_int_t)clock_ns(), "type", type, "text", "(too long)");
		if (head != NULL)
			text = json_dumps(head, JSON_COMPACT);
	}
	json_decref(head);
	if (text != NULL)
		event = malloc(sizeof(*event) + strlen(text) + 1);
	if (event != NULL) {
		event->refs = 1;
		event->len = strlen(text);
		snprintf(event->type, sizeof(event->type), "%s", type);
		memcpy(event->text, text, event->len + 1);
	}
	free(text);
	return event;
}

void
rpc_event(struct rpc_server *server, const char *type, json_t *fields)
{
	struct rpc_events *events = server->events;
	struct event *event = event_make(events->sequence++, type, fields);
	struct listener *listener;

	json_decref(fields);
	for (listener = LIST_FIRST(&events->listeners); listener != NULL;
		listener = LIST_NEXT(listener, link)) {
		if (!listener->follow)
			continue;
		if (event == NULL)
			listener->lost++;
		else
			enqueue(listener, event);
		if (listener->stream != NULL)
			rpc_stream_wake(listener->stream);
	}
	if (event == NULL)
		return;
	event_unref(events->history[events->history_at]);
	events->history[events->history_at] = event;
	events->history_at = (events->history_at + 1) % RPC_EVENTS_MAX;
}
