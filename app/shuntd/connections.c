/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show connections, show flows, explain: what belongs to the workers, asked of
 * them in small pieces between two walks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "tracker_tcp.h"

/* Connections of one piece. */
#define PIECE 64
/* How often it is looked whether a worker has answered. */
#define LOOK_NS	     (200 * 1000)
#define ENDPOINT_LEN (INET6_ADDRSTRLEN + 8)

/* A listing, or a search, that goes from worker to worker. */
struct listing {
	struct daemon *daemon;
	struct rpc_stream *stream; /* listings */
	struct rpc_reply *reply;   /* searches */
	json_t *(*row)(const struct path_view *v, unsigned int dir);
	bool both; /* a row a direction */
	bool why;  /* only what is not in hardware */
	bool asked, dead, found;
	unsigned int worker, at, count, dir;
	uint64_t position;
	struct tuple tuple;
	struct path_call call;
	struct loop_timer *timer;
	struct path_view views[PIECE];
};

static const char *const rungs[] = {
	[PATH_SLOW] = "slow", [PATH_SOFTWARE] = "software", [PATH_HARDWARE] = "hardware"};

static const char *
proto_name(uint8_t proto, char text[4])
{
	switch (proto) {
	case IPPROTO_TCP: return "tcp";
	case IPPROTO_UDP: return "udp";
	case IPPROTO_UDPLITE: return "udplite";
	case IPPROTO_ICMP: return "icmp";
	case IPPROTO_ICMPV6: return "icmpv6";
	case IPPROTO_SCTP: return "sctp";
	case IPPROTO_GRE: return "gre";
	case IPPROTO_ESP: return "esp";
	default: snprintf(text, 4, "%u", proto); return text;
	}
}

static bool
has_ports(uint8_t proto)
{
	return proto != IPPROTO_ICMP && proto != IPPROTO_ICMPV6;
}

static const char *
endpoint(uint8_t family, const union address *a, uint16_t port, bool ports, char *text)
{
	char address[INET6_ADDRSTRLEN];

	config_address_text(family, a, address);
	if (!ports)
		snprintf(text, ENDPOINT_LEN, "%s", address);
	else
		snprintf(text, ENDPOINT_LEN, family == FAMILY_IPV6 ? "[%s]:%u" : "%s:%u", address,
			ntohs(port));
	return text;
}

/* "10.0.0.1:1000 > 10.0.0.2:80" */
static void
tuple_text(const struct tuple *t, char text[2 * ENDPOINT_LEN + 4])
{
	char src[ENDPOINT_LEN], dst[ENDPOINT_LEN];

	snprintf(text, 2 * ENDPOINT_LEN + 4, "%s > %s",
		endpoint(t->family, &t->src, t->sport, has_ports(t->proto), src),
		endpoint(t->family, &t->dst, t->dport, has_ports(t->proto), dst));
}

/* For programs: its parts. */
static json_t *
tuple_json(const struct tuple *t)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	json_t *o = json_pack("{ss ss}", "src", config_address_text(t->family, &t->src, src), "dst",
		config_address_text(t->family, &t->dst, dst));

	if (has_ports(t->proto)) {
		json_object_set_new(o, "sport", json_integer(ntohs(t->sport)));
		json_object_set_new(o, "dport", json_integer(ntohs(t->dport)));
	} else {
		json_object_set_new(o, "id", json_integer(ntohs(t->sport)));
	}
	return o;
}

/* What leaves of a direction: the other one's tuple, turned round. */
static struct tuple
out_of(const struct path_view *v, unsigned int dir)
{
	struct tuple out = v->tuple[dir];

	(void)tuple_invert(&v->tuple[!dir], &out);
	return out;
}

static const char *
state_name(const struct path_view *v)
{
	return v->tuple[0].proto == IPPROTO_TCP ? tcp_state_name(v->state) : "";
}

static const char *
port_text(uint16_t index)
{
	const struct port *port = index != PORT_NONE ? port_get(index) : NULL;

	return port != NULL ? port->name : "";
}

static json_t *
connection_row(const struct path_view *v, unsigned int dir)
{
	char original[2 * ENDPOINT_LEN + 4], reply[2 * ENDPOINT_LEN + 4], text[4];

	(void)dir;
	tuple_text(&v->tuple[0], original);
	tuple_text(&v->tuple[1], reply);
	return json_pack("{ss ss sI ss ss sI sI sI sI ss si sI sI so so}", "proto",
		proto_name(v->tuple[0].proto, text), "state", state_name(v), "timeout",
		(json_int_t)(v->expires_ms / 1000), "original", original, "reply", reply, "packets",
		(json_int_t)v->packets[0], "bytes", (json_int_t)v->bytes[0], "reply_packets",
		(json_int_t)v->packets[1], "reply_bytes", (json_int_t)v->bytes[1], "flags",
		v->status & CT_ASSURED	    ? "assured"
		: v->status & CT_SEEN_REPLY ? ""
					    : "unreplied",
		"worker", (int)v->worker, "mark", (json_int_t)v->mark, "id", (json_int_t)v->id,
		"original_tuple", tuple_json(&v->tuple[0]), "reply_tuple",
		tuple_json(&v->tuple[1]));
}

static const struct rpc_column connection_columns[] = {{"proto", "PROTO", 'l'},
	{"state", "STATE", 'l'}, {"timeout", "TIMEOUT", 'r'}, {"original", "ORIGINAL", 'l'},
	{"reply", "REPLY", 'l'}, {"packets", "PACKETS", 'r'}, {"reply_packets", "BACK", 'r'},
	{"flags", "FLAGS", 'l'}, {NULL, NULL, 0}};

static json_t *
flow_row(const struct path_view *v, unsigned int dir)
{
	char from[2 * ENDPOINT_LEN + 4], to[2 * ENDPOINT_LEN + 4], text[4];
	struct tuple out = out_of(v, dir);

	tuple_text(&v->tuple[dir], from);
	tuple_text(&out, to);
	return json_pack("{ss ss ss ss ss ss ss sI sI ss si so so}", "proto",
		proto_name(v->tuple[dir].proto, text), "arrives", from, "leaves", to, "in",
		port_text(v->in_port[dir]), "out", port_text(v->out_port[dir]), "where",
		rungs[v->rung[dir]], "why",
		v->why[dir] == OFFLOAD_NONE ? ""
					    : offload_reason_name((enum offload_reason)v->why[dir]),
		"packets", (json_int_t)v->packets[dir], "bytes", (json_int_t)v->bytes[dir],
		"direction", dir == 0 ? "original" : "reply", "worker", (int)v->worker,
		"arrives_tuple", tuple_json(&v->tuple[dir]), "leaves_tuple", tuple_json(&out));
}

static const struct rpc_column flow_columns[] = {{"proto", "PROTO", 'l'},
	{"arrives", "ARRIVES", 'l'}, {"leaves", "LEAVES", 'l'}, {"in", "IN", 'l'},
	{"out", "OUT", 'l'}, {"where", "WHERE", 'l'}, {"why", "WHY", 'l'},
	{"packets", "PACKETS", 'r'}, {"bytes", "BYTES", 'r'}, {NULL, NULL, 0}};

/* --- asking */

/* On the worker's thread. */
static void
run_piece(struct conntrack *ct, struct nat *nat, void *arg)
{
	struct listing *l = arg;

	(void)ct;
	(void)nat;
	l->count = path_views(l->daemon->path, l->worker, &l->position, l->views, PIECE);
}

static void
run_find(struct conntrack *ct, struct nat *nat, void *arg)
{
	struct listing *l = arg;

	(void)ct;
	(void)nat;
	l->found = path_view_find(l->daemon->path, l->worker, &l->tuple, &l->views[0], &l->dir);
}

static bool
answered(struct listing *l)
{
	if (l->asked && !atomic_load_explicit(&l->call.done, memory_order_acquire))
		return false;
	l->asked = false;
	return true;
}

/* False: the worker has another question. */
static bool
ask(struct listing *l)
{
	l->asked = path_ask(l->daemon->path, l->worker, &l->call) == 0;
	return l->asked;
}

static void
listing_free(struct listing *l)
{
	loop_timer_destroy(l->timer);
	free(l);
}

static void
listing_done(void *arg)
{
	struct listing *l = arg;

	l->dead = true;
	if (!l->asked || answered(l))
		listing_free(l);
	else
		loop_timer_arm(l->timer, LOOK_NS, LOOK_NS);
}

static void
listing_look(void *arg)
{
	struct listing *l = arg;

	if (l->asked && !atomic_load_explicit(&l->call.done, memory_order_acquire))
		return;
	loop_timer_disarm(l->timer);
	if (l->dead)
		listing_free(l);
	else
		rpc_stream_wake(l->stream);
}

/* The rows of the piece at hand. 0, 1: enough for now, or a negative errno. */
static int
give_rows(struct listing *l, struct rpc_stream *stream)
{
	unsigned int dirs = l->both ? 2 : 1;

	for (; l->at < l->count * dirs; l->at++) {
		const struct path_view *v = &l->views[l->at / dirs];
		unsigned int dir = l->at % dirs;
		int rc;

		if (l->why && v->rung[dir] == PATH_HARDWARE)
			continue;
		rc = rpc_row(stream, l->row(v, dir));
		if (rc == 0)
			continue;
		l->at++;
		return rc;
	}
	return 0;
}

static int
listing_next(void *state, struct rpc_stream *stream)
{
	struct listing *l = state;
	int rc;

	l->stream = stream;
	if (!answered(l))
		return RPC_WAIT;
	rc = give_rows(l, stream);
	if (rc != 0)
		return rc < 0 ? rc : RPC_MORE;
	if (l->position == PATH_VIEWS_END) {
		l->position = 0;
		l->worker++;
	}
	if (l->worker == l->daemon->config->runtime.worker_count)
		return RPC_END;
	l->at = l->count = 0;
	(void)ask(l);
	loop_timer_arm(l->timer, LOOK_NS, LOOK_NS);
	return RPC_WAIT;
}

static struct listing *
listing_new(struct daemon *d, void (*run)(struct conntrack *, struct nat *, void *), loop_fn *look)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->daemon = d;
	l->call.run = run;
	l->call.ctx = l;
	if (loop_timer_create(d->loop, look, l, &l->timer) != 0) {
		free(l);
		return NULL;
	}
	return l;
}

static void
list(struct daemon *d, struct rpc_reply *reply, const struct rpc_column *columns,
	json_t *(*row)(const struct path_view *v, unsigned int dir), bool both, bool why)
{
	struct listing *l = listing_new(d, run_piece, listing_look);

	if (l == NULL) {
		rpc_fail(reply, RPC_INTERNAL, "no memory");
		return;
	}
	l->row = row;
	l->both = both;
	l->why = why;
	(void)rpc_stream_table(reply, columns, listing_next, listing_done, l);
}

static void
show_connections(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)params;
	list(ctx, reply, connection_columns, connection_row, false, false);
}

static void
show_flows(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	list(ctx, reply, flow_columns, flow_row, true,
		json_is_true(json_object_get(params, "why")));
}

/* --- explain */

static void
explain_answer(struct listing *l)
{
	const struct path_view *v = &l->views[0];
	char tuple[2 * ENDPOINT_LEN + 4], text[4];
	json_t *o;

	tuple_text(&l->tuple, tuple);
	o = json_pack("{ss ss}", "packet", tuple, "proto", proto_name(l->tuple.proto, text));
	if (!l->found) {
		json_object_set_new(o, "connection", json_string("none"));
		json_object_set_new(o, "where", json_string("slow"));
		json_object_set_new(o, "why",
			json_string("the first packet of a connection goes through the ruleset"));
	} else {
		json_t *row = flow_row(v, l->dir);

		json_object_set_new(o, "connection", json_string(state_name(v)));
		json_object_set_new(o, "timeout", json_integer(v->expires_ms / 1000));
		json_object_update(o, row);
		json_decref(row);
	}
	rpc_result(l->reply, o);
	listing_free(l);
}

static void
explain_look(void *arg)
{
	struct listing *l = arg;

	if (!answered(l))
		return;
	if (!l->found && l->position == 1)
		l->worker++;
	if (l->found || l->worker == l->daemon->config->runtime.worker_count) {
		explain_answer(l);
		return;
	}
	/* position: whether the worker at hand has been asked. */
	l->position = ask(l);
}

static const char *
text_of(const json_t *params, const char *key)
{
	const char *text = json_string_value(json_object_get(params, key));

	return text != NULL ? text : "";
}

static bool
read_address(const char *text, union address *a, uint8_t *family)
{
	memset(a, 0, sizeof(*a));
	*family = strchr(text, ':') != NULL ? FAMILY_IPV6 : FAMILY_IPV4;
	return inet_pton(*family == FAMILY_IPV6 ? AF_INET6 : AF_INET, text, a) == 1;
}

/* The tuple that is asked for. @return NULL, or what is wrong with it */
static const char *
read_tuple(const json_t *params, struct tuple *t)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} protos[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"udplite", IPPROTO_UDPLITE},
		{"sctp", IPPROTO_SCTP}, {"gre", IPPROTO_GRE}, {"esp", IPPROTO_ESP}};
	json_int_t sport = json_integer_value(json_object_get(params, "sport"));
	json_int_t dport = json_integer_value(json_object_get(params, "dport"));
	uint8_t family;

	memset(t, 0, sizeof(*t));
	for (unsigned int i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (strcmp(protos[i].name, text_of(params, "proto")) == 0)
			t->proto = protos[i].proto;
	if (t->proto == 0)
		return "protocol: tcp, udp, udplite, sctp, gre and esp have tuples that can be "
		       "written down";
	if (!read_address(text_of(params, "src"), &t->src, &t->family) ||
		!read_address(text_of(params, "dst"), &t->dst, &family) || family != t->family)
		return "two addresses of one family are wanted";
	if (sport < 0 || sport > 65535 || dport < 0 || dport > 65535)
		return "ports are up to 65535";
	t->sport = htons((uint16_t)sport);
	t->dport = htons((uint16_t)dport);
	return NULL;
}

static void
explain(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	struct listing *l = listing_new(ctx, run_find, explain_look);
	const char *wrong;

	if (l == NULL) {
		rpc_fail(reply, RPC_INTERNAL, "no memory");
		return;
	}
	wrong = read_tuple(params, &l->tuple);
	if (wrong != NULL) {
		rpc_fail(reply, RPC_REFUSED, "%s", wrong);
		listing_free(l);
		return;
	}
	l->reply = reply;
	l->position = ask(l);
	loop_timer_arm(l->timer, LOOK_NS, LOOK_NS);
}

static const struct rpc_param flow_params[] = {
	{"why", 'b', false, "only flows that are not in hardware"}, {NULL, 0, false, NULL}};
static const struct rpc_param explain_params[] = {
	{"in", 's', false, "the port that the packet comes in by"},
	{"proto", 's', true, "tcp, udp, …"},
	{"src", 's', true, "source address"},
	{"dst", 's', true, "destination address"},
	{"sport", 'i', false, "source port"},
	{"dport", 'i', false, "destination port"},
	{NULL, 0, false, NULL},
};

static const struct rpc_method methods[] = {
	{"show.connections", UNIX_RIGHT_VIEW, show_connections, NULL, "tracked connections"},
	{"show.flows", UNIX_RIGHT_VIEW, show_flows, flow_params,
		"where each direction is carried, and why not in hardware"},
	{"explain", UNIX_RIGHT_VIEW, explain, explain_params, "what becomes of a packet"},
};

int
connections_init(struct daemon *d)
{
	return rpc_server_add(d->rpc, methods, sizeof(methods) / sizeof(methods[0]), d);
}
