/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rig.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>

#include "worker.h"

/* Ports: receive lan, receive wan, transmit lan, transmit wan. */
enum { LAN_RX, WAN_RX, LAN_TX, WAN_TX, PORTS };

static void
die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static void
eal_start(char *program, const char *dir, int argc, char **argv)
{
	char lan[600], wan[600];
	char *args[64] = {program, "-l", "0", "--no-pci", "--no-shconf", "--no-telemetry", lan, wan,
		"--vdev=net_null0", "--vdev=net_null1"};
	int n = 10;

	snprintf(lan, sizeof(lan), "--vdev=net_pcap0,rx_pcap=%s/lan.pcap,infinite_rx=1", dir);
	snprintf(wan, sizeof(wan), "--vdev=net_pcap1,rx_pcap=%s/wan.pcap,infinite_rx=1", dir);
	for (int i = 0; i < argc && n < 63; i++)
		args[n++] = argv[i];
	if (rte_eal_init(n, args) < 0)
		die("EAL does not start");
}

static void
start_port(struct rig *rig, uint16_t port)
{
	struct rte_eth_conf conf = {0};

	if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
		rte_eth_rx_queue_setup(port, 0, 512, SOCKET_ID_ANY, NULL, rig->pool) != 0 ||
		rte_eth_tx_queue_setup(port, 0, 512, SOCKET_ID_ANY, NULL) != 0 ||
		rte_eth_dev_start(port) != 0)
		die("a port does not start");
}

/* The two sides as rings. */
static void
make_rings(struct rig *rig)
{
	static const char *const names[2] = {"lan", "wan"};

	for (unsigned int side = 0; side < 2; side++) {
		int port;

		rig->rings[side] = rte_ring_create(names[side], 1024, SOCKET_ID_ANY, 0);
		port = rig->rings[side] != NULL ? rte_eth_from_ring(rig->rings[side]) : -1;
		if (port < 0)
			die("no port over a ring");
		rig->ring_ports[side] = (uint16_t)port;
		start_port(rig, rig->ring_ports[side]);
	}
}

static void
set_routes(struct rig *rig)
{
	char err[ROUTE_ERR_LEN];
	struct route_port lan = {.mtu = 1500}, wan = {.mtu = 1500};
	struct route_address address = {.port = LAN_TX, .family = FAMILY_IPV4, .len = 8};
	struct route_neighbour neighbour = {.family = FAMILY_IPV4};
	struct route_entry route = {
		.family = FAMILY_IPV4, .type = ROUTE_UNICAST, .has_via = true, .port = LAN_TX};

	rig->route = route_new();
	memcpy(lan.mac, &lan_mac, 6);
	memcpy(wan.mac, &wan_mac, 6);
	memcpy(neighbour.mac, &host_mac, 6);
	route_set_port(rig->route, LAN_TX, &lan);
	route_set_port(rig->route, WAN_TX, &wan);
	address.address.v4 = rte_cpu_to_be_32(RTE_IPV4(192, 168, 1, 1));
	address.len = 24;
	route_add_address(rig->route, &address);
	address.port = WAN_TX;
	address.address.v4 = rte_cpu_to_be_32(NAT_ADDRESS);
	route_add_address(rig->route, &address);
	neighbour.port = LAN_TX;
	neighbour.address.v4 = route.via.v4 = rte_cpu_to_be_32(RTE_IPV4(192, 168, 1, 2));
	route_set_neighbour(rig->route, &neighbour);
	route.dst.v4 = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 0));
	route.len = 8;
	route_add(rig->route, &route);
	neighbour.port = route.port = WAN_TX;
	neighbour.address.v4 = route.via.v4 = rte_cpu_to_be_32(RTE_IPV4(203, 0, 113, 254));
	route_set_neighbour(rig->route, &neighbour);
	route.dst.v4 = 0;
	route.len = 0;
	route_add(rig->route, &route);
	if (route_commit(rig->route, NULL, err) != 0)
		die(err);
}

static void
walk(void *arg)
{
	struct rig *rig = arg;

	path_walk(rig->path, 0);
}

/* By nft, through the shim that was built with this program. */
static void
set_rules(struct rig *rig, const char *text)
{
	static const char *const names[] = {"lan", "wan", "lan2", "wan2", NULL};
	char exe[400], shim[500], out[1024];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n > 0 ? n : 0] = '\0';
	*strrchr(exe, '/') = '\0';
	snprintf(shim, sizeof(shim), "%s/../../lib/nft/shim/libshunt-nft.so", exe);
	rig->rules = rules_new(rig->path, 1, names, shim);
	if (rules_load(rig->rules, walk, rig, text, out, sizeof(out)) != 0)
		die(out);
	rules_stand(rig->rules);
}

void
rig_create(struct rig *rig, char *program, const char *dir, int argc, char **argv, uint32_t flows,
	const char *text)
{
	struct path_config config = {
		.workers = 1,
		.conntrack = {.max = 1U << 22, .checksum = true},
		.start_connections = flows + 65536,
		.secret = {0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0,
			0x082efa98ec4e6c89},
		.name = "bench",
	};
	char err[256];

	memset(rig, 0, sizeof(*rig));
	eal_start(program, dir, argc, argv);
	if (rcu_init(1) != 0)
		die("rcu");
	rig->pool = rte_pktmbuf_pool_create(
		"pool", 2 * flows + 65535, 256, PKT_PRIV_SIZE, 512, SOCKET_ID_ANY);
	if (rig->pool == NULL)
		die("no memory for packets");
	for (uint16_t port = 0; port < PORTS; port++) {
		start_port(rig, port);
		config.ports[port] = (struct path_port){.used = true, .ethdev = port, .mtu = 1500};
	}
	memcpy(&config.ports[LAN_RX].mac, &lan_mac, 6);
	memcpy(&config.ports[WAN_RX].mac, &wan_mac, 6);
	config.queues[0] = (struct path_queue){.port = LAN_RX};
	config.queues[1] = (struct path_queue){.port = WAN_RX};
	config.queue_count = 2;
	config.pool = rig->pool;
	tracker_defaults(&config.conntrack.tracker);
	set_routes(rig);
	config.route = rig->route;
	rig->path = path_create(&config, err, sizeof(err));
	if (rig->path == NULL)
		die(err);
	make_rings(rig);
	rig_receive(rig, RIG_RINGS);
	set_rules(rig, text);
}

void
rig_receive(struct rig *rig, enum rig_source source)
{
	struct path_config *config = &rig->path->config;

	config->ports[LAN_RX].ethdev = source == RIG_RINGS ? rig->ring_ports[0] : LAN_RX;
	config->ports[WAN_RX].ethdev = source == RIG_RINGS ? rig->ring_ports[1] : WAN_RX;
}

void
rig_inject(struct rig *rig, const struct frame_spec *spec)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(rig->pool);

	if (m == NULL)
		die("out of buffers");
	frame_make((uint8_t *)rte_pktmbuf_append(m, FRAME_LEN), spec);
	if (rte_ring_enqueue(rig->rings[spec->reply], m) != 0)
		die("the ring of injected frames is full");
}

void
rig_destroy(struct rig *rig)
{
	rules_free(rig->rules);
	path_destroy(rig->path);
	route_free(rig->route);
	rcu_fini();
	rte_eal_cleanup();
}
