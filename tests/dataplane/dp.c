/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "rcu.h"
#include "worker.h"

#define RING_SIZE 2048
#define BUFFERS	  8191

static const char *const net4[DP_PORTS] = {"10.0.1", "203.0.113", "10.0.2"};
static const char *const net6[DP_PORTS] = {"2001:db8:1:", "2001:db8:f:", "2001:db8:2:"};

/* Devices live as long as the process: rings cannot be taken out of EAL cleanly. */
static struct {
	struct rte_ring *in;
	struct rte_ring *out[PATH_WORKERS];
	uint16_t ethdev;
} wires[DP_PORTS];

static struct rte_mempool *pool;
static const struct dp_nic *nic;
static struct offload *offload;
static struct path *path;
static struct route *route;
static struct hooks hooks[2]; /* in turn */
static unsigned int hooks_now;
static uint32_t generation;
static struct dp_setup setup;
static union address server;

static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "dataplane tests: %s\n", what);
	exit(1);
}

struct path *
dp_path(void)
{
	return path;
}

struct rte_mempool *
dp_pool(void)
{
	return pool;
}

struct worker *
dp_worker(unsigned int worker)
{
	return path->workers[worker];
}

static void
parse_address(const char *text, union address *a, uint8_t *family)
{
	memset(a, 0, sizeof(*a));
	*family = strchr(text, ':') != NULL ? FAMILY_IPV6 : FAMILY_IPV4;
	must(inet_pton(*family == FAMILY_IPV6 ? AF_INET6 : AF_INET, text, a) == 1, text);
}

static void
port_mac(unsigned int port, uint8_t mac[6])
{
	const uint8_t m[6] = {0x02, 0xff, 0, 0, 0, (uint8_t)(port + 1)};

	memcpy(mac, m, 6);
}

static void
host_mac(const char *text, uint8_t mac[6])
{
	union address a;
	uint8_t family;

	parse_address(text, &a, &family);
	mac[0] = 0x02;
	mac[1] = 0;
	memcpy(&mac[2], family == FAMILY_IPV6 ? &a.v6[12] : a.v6, 4);
}

static void
make_wire(unsigned int port)
{
	struct rte_eth_conf conf = {0};
	struct rte_ring *out[PATH_WORKERS];
	char name[32];
	int dev;

	snprintf(name, sizeof(name), "in%u", port);
	wires[port].in = rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY, 0);
	for (unsigned int q = 0; q < 4; q++) {
		snprintf(name, sizeof(name), "out%u-%u", port, q);
		out[q] = wires[port].out[q] = rte_ring_create(name, RING_SIZE, SOCKET_ID_ANY, 0);
		must(out[q] != NULL, "ring");
	}
	snprintf(name, sizeof(name), "wire%u", port);
	dev = rte_eth_from_rings(name, &wires[port].in, 1, out, 4, SOCKET_ID_ANY);
	must(wires[port].in != NULL && dev >= 0, "port over rings");
	wires[port].ethdev = (uint16_t)dev;
	must(rte_eth_dev_configure((uint16_t)dev, 1, 4, &conf) == 0, "configure");
	must(rte_eth_rx_queue_setup((uint16_t)dev, 0, 0, SOCKET_ID_ANY, NULL, pool) == 0, "rxq");
	for (uint16_t q = 0; q < 4; q++)
		must(rte_eth_tx_queue_setup((uint16_t)dev, q, 0, SOCKET_ID_ANY, NULL) == 0, "txq");
	must(rte_eth_dev_start((uint16_t)dev) == 0, "start");
}

void
dp_init(char *program)
{
	dp_init_nic(program, NULL);
}

void
dp_init_nic(char *program, const struct dp_nic *own)
{
	char *argv[] = {program, "--no-huge", "-m", "512", "--no-shconf", "--no-pci",
		"--no-telemetry", "-l", "0", "--log-level=lib.eal:error"};

	must(rte_eal_init(RTE_DIM(argv), argv) >= 0, "EAL");
	pool = rte_pktmbuf_pool_create("pool", BUFFERS, 0, PKT_PRIV_SIZE,
		DP_FRAME_MAX + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	must(pool != NULL, "pool");
	nic = own;
	for (unsigned int port = 0; port < DP_PORTS && nic == NULL; port++)
		make_wire(port);
}

static uint16_t
own_receive(void *queue, struct rte_mbuf **frames, uint16_t count)
{
	return (uint16_t)rte_ring_dequeue_burst(queue, (void **)frames, count, NULL);
}

static uint16_t
own_transmit(void *queue, struct rte_mbuf **frames, uint16_t count)
{
	return (uint16_t)rte_ring_enqueue_burst(queue, (void *const *)frames, count, NULL);
}

void
dp_own_bursts(void)
{
	for (unsigned int port = 0; port < DP_PORTS; port++) {
		struct rte_eth_fp_ops *ops = &rte_eth_fp_ops[wires[port].ethdev];

		ops->rx_pkt_burst = own_receive;
		ops->tx_pkt_burst = own_transmit;
		ops->rxq.data[0] = wires[port].in;
		for (unsigned int q = 0; q < 4; q++)
			ops->txq.data[q] = wires[port].out[q];
	}
}

static void
add_neighbour(unsigned int port, const char *text)
{
	struct route_neighbour n = {.port = (uint16_t)port};

	parse_address(text, &n.address, &n.family);
	host_mac(text, n.mac);
	must(route_set_neighbour(route, &n) == 0, text);
}

static void
add_port(unsigned int port)
{
	struct route_port info = {.mtu = 1500};
	struct route_address a = {.port = (uint16_t)port};
	char text[64];

	port_mac(port, info.mac);
	must(route_set_port(route, (uint16_t)port, &info) == 0, "route_set_port");
	snprintf(text, sizeof(text), "%s.1", net4[port]);
	parse_address(text, &a.address, &a.family);
	a.len = 24;
	must(route_add_address(route, &a) == 0, text);
	snprintf(text, sizeof(text), "%s:1", net6[port]);
	parse_address(text, &a.address, &a.family);
	a.len = 64;
	must(route_add_address(route, &a) == 0, text);
	for (unsigned int host = 10; host <= 20; host++) {
		snprintf(text, sizeof(text), "%s.%u", net4[port], host);
		add_neighbour(port, text);
		snprintf(text, sizeof(text), "%s:%u", net6[port], host);
		add_neighbour(port, text);
	}
}

static void
make_routes(void)
{
	struct route_entry entry = {
		.family = FAMILY_IPV4, .type = ROUTE_UNICAST, .has_via = true, .port = WAN};
	char err[ROUTE_ERR_LEN];

	route = route_new();
	for (unsigned int port = 0; port < DP_PORTS; port++)
		add_port(port);
	add_neighbour(WAN, "203.0.113.254");
	add_neighbour(WAN, "2001:db8:f::fe");
	parse_address("203.0.113.254", &entry.via, &entry.family);
	must(route_add(route, &entry) == 0, "default route");
	parse_address("2001:db8:f::fe", &entry.via, &entry.family);
	must(route_add(route, &entry) == 0, "default route");
	must(route_commit(route, NULL, err) == 0, err);
}

/* --- the rules, as a nat chain and a filter chain would run them */

static enum verdict
run_srcnat(const void *chain, struct pkt *pkt)
{
	struct nat_range range = {.flags = NAT_RANGE_MAP_IPS};

	(void)chain;
	if (pkt->out_port != WAN)
		return VERDICT_ACCEPT;
	if (nat_ct_ops.masquerade_address(pkt, &range.min_addr) != 0)
		return VERDICT_DROP;
	range.max_addr = range.min_addr;
	if (setup.snat_first != 0) {
		range.flags |= NAT_RANGE_PROTO_SPECIFIED;
		range.min_port = rte_cpu_to_be_16(setup.snat_first);
		range.max_port = rte_cpu_to_be_16(setup.snat_last);
	}
	return nat_ct_ops.nat(pkt, &range, NAT_MANIP_SRC) == 0 ? VERDICT_ACCEPT : VERDICT_DROP;
}

static enum verdict
run_dstnat(const void *chain, struct pkt *pkt)
{
	struct nat_range range = {.flags = NAT_RANGE_MAP_IPS | NAT_RANGE_PROTO_SPECIFIED};

	(void)chain;
	if (pkt->in_port != WAN || pkt->tuple.dport != rte_cpu_to_be_16(8080))
		return VERDICT_ACCEPT;
	range.min_addr = range.max_addr = server;
	range.min_port = range.max_port = rte_cpu_to_be_16(80);
	return nat_ct_ops.nat(pkt, &range, NAT_MANIP_DST) == 0 ? VERDICT_ACCEPT : VERDICT_DROP;
}

static enum verdict
run_filter(const void *chain, struct pkt *pkt)
{
	(void)chain;
	if (setup.reject && pkt->tuple.dport == rte_cpu_to_be_16(81)) {
		path_reject(path, pkt, pkt->l4_proto == IPPROTO_TCP, pkt->flags & PKT_IPV6 ? 4 : 3);
		pkt->drop = DROP_REJECT;
		return VERDICT_DROP;
	}
	struct nft_trail *trail = pkt->trail;

	/* A counter that every walk passes. */
	if (trail != NULL)
		trail->counters[trail->count++] = 7;
	if (trail != NULL && setup.offload)
		trail->permit = true;
	return VERDICT_ACCEPT;
}

static void
make_hooks(void)
{
	struct hook_features on = {
		.conntrack = !setup.stateless, .nat = setup.masquerade || setup.port_forward};
	struct hook_features both[2] = {on, on};
	struct hook_chain chains[3] = {
		{.families = {true, true}, .hook = HOOK_FORWARD, .run = run_filter}};
	unsigned int n = 1;

	if (setup.masquerade)
		chains[n++] = (struct hook_chain){.families = {true, true},
			.hook = HOOK_POSTROUTING,
			.priority = 100,
			.nat = true,
			.run = run_srcnat};
	if (setup.port_forward)
		chains[n++] = (struct hook_chain){.families = {true, false},
			.hook = HOOK_PREROUTING,
			.priority = -100,
			.nat = true,
			.run = run_dstnat};
	hooks_now ^= 1;
	must(hooks_build(&hooks[hooks_now], both, chains, n) == 0, "hooks");
	hooks[hooks_now].generation = ++generation;
	path_set_hooks(path, &hooks[hooks_now]);
}

void
dp_publish(void)
{
	static rcu_token token;
	char err[ROUTE_ERR_LEN];

	/* The other lists are free once every worker has taken up these. */
	if (!rcu_done(token))
		return;
	make_hooks();
	must(route_commit(route, &token, err) == 0, err);
	rcu_poll();
}

void
dp_forward_to(const char *address)
{
	uint8_t family;

	parse_address(address, &server, &family);
}

/* The NIC, and what offers go to. */
static void
open_nic(void)
{
	const struct offload_config config = {
		.workers = setup.workers, .max_rules = 4096, .poll_ns = NS_PER_SEC};

	for (unsigned int port = 0; port < DP_PORTS; port++)
		nic->open(port, pool, &wires[port].ethdev, &wires[port].in, &wires[port].out[0]);
	if (!setup.offload)
		return;
	offload = offload_new(&config);
	must(offload != NULL, "offload");
	for (unsigned int port = 0; port < DP_PORTS; port++)
		(void)offload_port_add(offload, (uint16_t)port, wires[port].ethdev);
}

static void
close_nic(void)
{
	offload_free(offload);
	offload = NULL;
	for (unsigned int port = 0; port < DP_PORTS; port++)
		nic->close(port, wires[port].ethdev);
}

void
dp_start(const struct dp_setup *s)
{
	struct path_config config = {
		.conntrack = {.checksum = true},
		.secret = {0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0,
			0x082efa98ec4e6c89},
		.pool = pool,
		.name = "dp",
	};
	char err[256];

	setup = *s;
	dp_forward_to("10.0.1.10");
	if (setup.workers == 0)
		setup.workers = 1;
	if (!setup.real_clock)
		clock_inject(1000 * NS_PER_SEC);
	must(rcu_init(setup.workers) == 0, "rcu");
	if (nic != NULL)
		open_nic();
	make_routes();
	config.offload = offload;
	config.workers = setup.workers;
	config.route = route;
	config.conntrack.max = setup.max != 0 ? setup.max : 10000;
	config.start_connections = setup.start != 0 ? setup.start : 1000;
	tracker_defaults(&config.conntrack.tracker);
	for (unsigned int port = 0; port < DP_PORTS; port++) {
		struct path_port *p = &config.ports[port];

		*p = (struct path_port){.used = true, .ethdev = wires[port].ethdev, .mtu = 1500};
		if (setup.jumbo && port == LAN)
			p->mtu = 9000;
		port_mac(port, (uint8_t *)&p->mac);
		for (unsigned int w = 0; w < setup.workers; w++) {
			p->tx_owner[w] = setup.one_tx_queue ? 0 : (uint8_t)w;
			p->txq[w] = setup.one_tx_queue ? 0 : (uint16_t)w;
		}
		config.queues[port] = (struct path_queue){
			.port = (uint16_t)port, .worker = (uint8_t)(port % setup.workers)};
	}
	config.queue_count = DP_PORTS;
	path = path_create(&config, err, sizeof(err));
	must(path != NULL, err);
	make_hooks();
}

void
dp_stop(void)
{
	struct dp_frame frame;
	uint64_t held;

	CU_ASSERT_EQUAL(path_conservation(path), 0);
	for (unsigned int port = 0; port < DP_PORTS; port++)
		while (dp_receive((enum dp_port)port, &frame))
			;
	held = path_in_flight(path);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(pool), held);
	path_destroy(path);
	if (nic != NULL)
		close_nic();
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(pool), 0);
	rcu_fini();
	route_free(route);
	path = NULL;
	clock_restore();
}

void
dp_send(enum dp_port port, const void *frame, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	must(m != NULL, "out of buffers");
	memcpy(rte_pktmbuf_append(m, len), frame, len);
	must(rte_ring_enqueue(wires[port].in, m) == 0, "the wire is full");
}

void
dp_walk(void)
{
	if (nic != NULL)
		nic->move();
	for (unsigned int w = 0; w < setup.workers; w++)
		path_walk(path, w);
	path_prepare(path);
	if (nic != NULL)
		nic->move();
}

void
dp_offload(void)
{
	(void)offload_run(offload);
	dp_walk();
}

struct offload *
dp_offload_of(void)
{
	return offload;
}

void
dp_settle(void)
{
	/* After the last frame moved, an answer between workers may still be under way. */
	for (unsigned int quiet = 0; quiet < 4; quiet++) {
		dp_walk();
		if (path_in_flight(path) != 0)
			quiet = 0;
		for (unsigned int port = 0; port < DP_PORTS; port++)
			if (rte_ring_count(wires[port].in) != 0)
				quiet = 0;
	}
}

bool
dp_receive(enum dp_port port, struct dp_frame *frame)
{
	for (unsigned int q = 0; q < 4; q++) {
		struct rte_mbuf *m;

		if (wires[port].out[q] == NULL ||
			rte_ring_dequeue(wires[port].out[q], (void **)&m) != 0)
			continue;
		frame->len = m->data_len;
		memcpy(frame->bytes, rte_pktmbuf_mtod(m, void *), m->data_len);
		rte_pktmbuf_free(m);
		return true;
	}
	return false;
}

unsigned int
dp_pending(enum dp_port port)
{
	unsigned int count = 0;

	for (unsigned int q = 0; q < 4; q++)
		count += wires[port].out[q] != NULL ? rte_ring_count(wires[port].out[q]) : 0;
	return count;
}

uint32_t
dp_connections(void)
{
	uint32_t live = 0;

	for (unsigned int w = 0; w < setup.workers; w++)
		live += path_conntrack(path, w)->live;
	return live;
}

uint64_t
dp_drops(enum drop_reason reason)
{
	uint64_t drops = 0;

	for (unsigned int w = 0; w < setup.workers; w++)
		drops += path_counters(path, w)->dropped[reason];
	return drops;
}

uint64_t
dp_established(void)
{
	uint64_t packets = 0;

	for (unsigned int w = 0; w < setup.workers; w++)
		packets += path_counters(path, w)->established;
	return packets;
}

uint8_t
dp_home(uint8_t proto, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	struct tuple t = {
		.proto = proto, .sport = rte_cpu_to_be_16(sport), .dport = rte_cpu_to_be_16(dport)};

	parse_address(src, &t.src, &t.family);
	parse_address(dst, &t.dst, &t.family);
	return home_of(&path->homes, tuple_fold(&t));
}
