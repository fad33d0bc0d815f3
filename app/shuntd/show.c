/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The methods of the control socket: what `shuntctl show` prints.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"
#include "follow.h"

/* All workers' counters together. */
static void
sum_counters(const struct daemon *d, struct path_counters *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned int w = 0; w < d->config->runtime.worker_count; w++) {
		const struct path_counters *c = path_counters(d->path, w);

		sum->walks += c->walks;
		sum->received += c->received;
		sum->generated += c->generated;
		sum->transmitted += c->transmitted;
		sum->handed_over += c->handed_over;
		sum->taken_over += c->taken_over;
		sum->established += c->established;
		sum->walked += c->walked;
		sum->hardware += c->hardware;
		sum->hardware_bytes += c->hardware_bytes;
		for (unsigned int i = 0; i < DROP_COUNT; i++)
			sum->dropped[i] += c->dropped[i];
	}
}

static json_int_t
drops(const struct path_counters *c)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < DROP_COUNT; i++)
		sum += c->dropped[i];
	return (json_int_t)sum;
}

/* received + generated + split + from twins = transmitted + punted + held + merged + dropped */
static json_t *
balance(const struct daemon *d)
{
	struct path_counters c;

	sum_counters(d, &c);
	return json_pack("{sI sI si si sI si sI si sI}", "received", (json_int_t)c.received,
		"generated", (json_int_t)c.generated, "split", 0, "from_twins", 0, "transmitted",
		(json_int_t)c.transmitted, "punted", 0, "held", (json_int_t)path_in_flight(d->path),
		"merged", 0, "dropped", drops(&c));
}

static void
show_status(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	struct daemon *d = ctx;
	uint32_t left = 0;

	(void)params;
	for (unsigned int w = 0; w < d->config->runtime.worker_count; w++)
		left += path_conntrack(d->path, w)->live - path_conntrack(d->path, w)->lingering;
	rpc_result(
		reply, json_pack("{ss sI si si sI sb so}", "version", SHUNT_VERSION, "uptime",
			       (json_int_t)((clock_ns() - d->started_ns) / NS_PER_SEC), "ports",
			       (int)port_count(), "workers", (int)d->config->runtime.worker_count,
			       "connections", (json_int_t)left, "hugepages", d->hugepages,
			       "packets", balance(d)));
}

static void
show_counters(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	const struct daemon *d = ctx;
	struct path_counters c;

	(void)params;
	sum_counters(d, &c);
	rpc_result(reply, json_pack("{sI sI sI sI sI sI sI sI}", "received", (json_int_t)c.received,
				  "generated", (json_int_t)c.generated, "transmitted",
				  (json_int_t)c.transmitted, "dropped", drops(&c), "in_flight",
				  (json_int_t)path_in_flight(d->path), "established",
				  (json_int_t)c.established, "walked", (json_int_t)c.walked,
				  "hardware", (json_int_t)c.hardware));
}

static void
show_drops(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	static const struct rpc_column columns[] = {{"reason", "REASON", 'l'},
		{"packets", "PACKETS", 'r'}, {"text", "WHAT IT MEANS", 'l'}, {NULL, NULL, 0}};
	struct path_counters c;
	json_t *rows = json_array();

	(void)params;
	sum_counters(ctx, &c);
	for (unsigned int i = 0; i < DROP_COUNT; i++)
		if (c.dropped[i] != 0)
			json_array_append_new(
				rows, json_pack("{ss sI ss}", "reason",
					      drop_reason_name((enum drop_reason)i), "packets",
					      (json_int_t)c.dropped[i], "text",
					      drop_reason_text((enum drop_reason)i)));
	rpc_table(reply, columns, rows);
}

static void
show_workers(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	static const struct rpc_column columns[] = {{"worker", "WORKER", 'r'}, {"cpu", "CPU", 'r'},
		{"walks", "WALKS", 'r'}, {"received", "RECEIVED", 'r'},
		{"established", "ON RECORDS", 'r'}, {"walked", "WALKED", 'r'},
		{"handed_over", "HANDED OVER", 'r'}, {"connections", "CONNECTIONS", 'r'},
		{NULL, NULL, 0}};
	struct daemon *d = ctx;
	json_t *rows = json_array();

	(void)params;
	for (unsigned int w = 0; w < d->config->runtime.worker_count; w++) {
		const struct path_counters *c = path_counters(d->path, w);

		json_array_append_new(
			rows, json_pack("{si si sI sI sI sI sI sI}", "worker", (int)w, "cpu",
				      (int)d->workers[w].cpu, "walks", (json_int_t)c->walks,
				      "received", (json_int_t)c->received, "established",
				      (json_int_t)c->established, "walked", (json_int_t)c->walked,
				      "handed_over", (json_int_t)c->handed_over, "connections",
				      (json_int_t)path_conntrack(d->path, w)->live));
	}
	rpc_table(reply, columns, rows);
}

static void
xstat(const char *name, uint64_t value, void *arg)
{
	json_object_set_new(arg, name, json_integer((json_int_t)value));
}

static json_t *
port_row(const struct port *port)
{
	char mac[RTE_ETHER_ADDR_FMT_SIZE];
	struct port_stats stats = {0};
	json_t *xstats = json_object();

	rte_ether_format_addr(mac, sizeof(mac), &port->mac);
	(void)port_stats(port->index, &stats);
	(void)port_xstats(port->index, xstat, xstats);
	return json_pack("{ss ss ss si ss ss si si sI sI sI so}", "name", port->name, "device",
		port->device, "driver", port->driver, "mtu", (int)port->mtu, "mac", mac, "rss",
		port_rss_name(port->rss), "rx_queues", (int)port->rx_queues, "tx_queues",
		(int)port->tx_queues, "received", (json_int_t)stats.rx_packets, "sent",
		(json_int_t)stats.tx_packets, "missed",
		(json_int_t)(stats.rx_missed + stats.rx_nombuf), "xstats", xstats);
}

static void
show_ports(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	static const struct rpc_column columns[] = {{"name", "PORT", 'l'},
		{"driver", "DRIVER", 'l'}, {"mac", "MAC", 'l'}, {"mtu", "MTU", 'r'},
		{"rss", "RSS", 'l'}, {"received", "RECEIVED", 'r'}, {"sent", "SENT", 'r'},
		{"missed", "MISSED", 'r'}, {NULL, NULL, 0}};
	json_t *rows = json_array();

	(void)ctx;
	(void)params;
	for (uint16_t i = 0; i < PORT_MAX; i++)
		if (port_get(i) != NULL)
			json_array_append_new(rows, port_row(port_get(i)));
	rpc_table(reply, columns, rows);
}

static const char *
port_name(uint16_t index)
{
	const struct port *port = port_get(index);

	return port != NULL ? port->name : "";
}

static void
route_row(const struct route_entry *entry, void *arg)
{
	char to[INET6_ADDRSTRLEN], prefix[INET6_ADDRSTRLEN + 4], via[INET6_ADDRSTRLEN] = "";

	config_address_text(entry->family, &entry->dst, to);
	snprintf(prefix, sizeof(prefix), "%s/%u", to, entry->len);
	if (entry->has_via)
		config_address_text(entry->family, &entry->via, via);
	json_array_append_new(arg, json_pack("{ss ss ss ss}", "to", prefix, "type",
					   route_type_name((enum route_type)entry->type), "via",
					   via, "port", port_name(entry->port)));
}

static void
show_routes(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	static const struct rpc_column columns[] = {{"to", "TO", 'l'}, {"type", "TYPE", 'l'},
		{"via", "VIA", 'l'}, {"port", "PORT", 'l'}, {NULL, NULL, 0}};
	json_t *rows = json_array();

	(void)params;
	route_each_route(((struct daemon *)ctx)->route, route_row, rows);
	rpc_table(reply, columns, rows);
}

static void
neighbour_row(const struct route_neighbour *n, void *arg)
{
	char address[INET6_ADDRSTRLEN], mac[RTE_ETHER_ADDR_FMT_SIZE];
	struct rte_ether_addr ether;

	memcpy(&ether, n->mac, sizeof(ether));
	rte_ether_format_addr(mac, sizeof(mac), &ether);
	json_array_append_new(arg, json_pack("{ss ss ss}", "address",
					   config_address_text(n->family, &n->address, address),
					   "mac", mac, "port", port_name(n->port)));
}

static void
show_neighbours(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	static const struct rpc_column columns[] = {{"address", "ADDRESS", 'l'},
		{"mac", "MAC", 'l'}, {"port", "PORT", 'l'}, {NULL, NULL, 0}};
	json_t *rows = json_array();

	(void)params;
	route_each_neighbour(((struct daemon *)ctx)->route, neighbour_row, rows);
	rpc_table(reply, columns, rows);
}

static void
show_graph(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)ctx;
	(void)params;
	rpc_result(reply, json_pack("{ss}", "text", path_graph_text()));
}

static void
show_program(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	static const struct rpc_column columns[] = {{"family", "FAMILY", 'l'},
		{"hook", "HOOK", 'l'}, {"priority", "PRIORITY", 'r'}, {"what", "WHAT", 'l'},
		{"chain", "CHAIN", 'l'}, {"rules", "RULES", 'r'}, {NULL, NULL, 0}};

	(void)params;
	rpc_table(reply, columns, ruleset_program(ctx));
}

static void
nft_socket(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	const struct daemon *d = ctx;

	(void)params;
	rpc_result(reply, json_pack("{ss}", "path", d->config->control.nft));
}

static const struct rpc_method methods[] = {
	{"show.status", UNIX_RIGHT_VIEW, show_status, NULL, "the daemon and its packet balance"},
	{"show.counters", UNIX_RIGHT_VIEW, show_counters, NULL, "packets in and out"},
	{"show.drops", UNIX_RIGHT_VIEW, show_drops, NULL, "dropped packets by reason"},
	{"show.workers", UNIX_RIGHT_VIEW, show_workers, NULL, "workers and what they did"},
	{"show.ports", UNIX_RIGHT_VIEW, show_ports, NULL, "ports"},
	{"show.routes", UNIX_RIGHT_VIEW, show_routes, NULL, "the routing table"},
	{"show.neighbours", UNIX_RIGHT_VIEW, show_neighbours, NULL, "neighbours"},
	{"show.program", UNIX_RIGHT_VIEW, show_program, NULL, "the hooks in force, in order"},
	{"nft.socket", UNIX_RIGHT_VIEW, nft_socket, NULL, "where nft's netlink goes"},
	{"show.offload", UNIX_RIGHT_VIEW, offload_show, NULL, "what the NICs carry"},
	{"show.follow", UNIX_RIGHT_VIEW, follow_show, NULL, "the ruleset that is followed"},
	{"show.graph", UNIX_RIGHT_VIEW, show_graph, NULL, "the packet graph"},
};

int
show_init(struct daemon *d, char err[DAEMON_ERR_LEN])
{
	const struct unix_access access = {
		.admin = d->config->control.admin_group, .view = d->config->control.view_group};
	int rc = rpc_server_create(d->loop, d->config->control.socket, &access, &d->rpc);

	if (rc == 0)
		rc = rpc_server_add(d->rpc, methods, sizeof(methods) / sizeof(methods[0]), d);
	if (rc == 0)
		rc = connections_init(d);
	if (rc != 0) {
		snprintf(err, DAEMON_ERR_LEN, "%.300s: %s", d->config->control.socket,
			strerror(-rc));
		show_fini(d);
	}
	return rc;
}

void
show_fini(struct daemon *d)
{
	rpc_server_destroy(d->rpc);
	d->rpc = NULL;
}
