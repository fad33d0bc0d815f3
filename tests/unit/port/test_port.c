/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports on devices without hardware: net_null takes RSS and any number of
 * queues, net_ring has as many as it has rings.
 */
#include "port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "unit.h"

static struct rte_mempool *pool;
static char err[PORT_ERR_LEN];

static struct port_config
config_of(const char *name, const char *device, uint16_t workers)
{
	return (struct port_config){
		.name = name, .device = device, .workers = workers, .pool = pool};
}

/* Open, or NULL with the error in err. */
static const struct port *
open_port(const char *name, const char *device, uint16_t workers)
{
	struct port_config config = config_of(name, device, workers);
	const struct port *port = NULL;

	return port_open(&config, &port, err) == 0 ? port : NULL;
}

/* Ring devices "net_ring_<name>" with so many queues each way; they are the test's, not the port's.
 */
static uint16_t
ring_device(const char *name, unsigned int rx, unsigned int tx)
{
	struct rte_ring *rings[8];
	char ring_name[RTE_RING_NAMESIZE];
	unsigned int i;
	int id;

	for (i = 0; i < RTE_MAX(rx, tx); i++) {
		snprintf(ring_name, sizeof(ring_name), "%s_%u", name, i);
		rings[i] = rte_ring_create(ring_name, 64, 0, 0);
		if (rings[i] == NULL)
			abort();
	}
	id = rte_eth_from_rings(name, rings, rx, rings, tx, 0);
	if (id < 0)
		abort();
	return (uint16_t)id;
}

/* Takes and gives a port's buffers back: the rings of a test are gone with it. */
static void
ring_device_free(const char *name, unsigned int rings)
{
	char text[RTE_RING_NAMESIZE];
	unsigned int i;

	snprintf(text, sizeof(text), "net_ring_%s", name);
	CU_ASSERT_EQUAL(rte_vdev_uninit(text), 0);
	for (i = 0; i < rings; i++) {
		snprintf(text, sizeof(text), "%s_%u", name, i);
		rte_ring_free(rte_ring_lookup(text));
	}
}

static void
expect_error(const struct port_config *config, int ret, const char *text)
{
	unsigned int before = port_count();
	const struct port *port = NULL;
	int got = port_open(config, &port, err);

	if (got != ret || strstr(err, text) == NULL)
		printf("\n    %d \"%s\", not %d \"%s\"", got, got == 0 ? "" : err, ret, text);
	CU_ASSERT_EQUAL(got, ret);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, text));
	CU_ASSERT_EQUAL(port_count(), before);
}

static void
test_errors(void)
{
	static const uint8_t reta[4] = {0, 1, 2, 0};
	struct port_config c = config_of("lan", "net_null0", 1);
	const struct port *port;

	c.name = "";
	expect_error(&c, -EINVAL, "1 to 15 characters");
	c.name = "sixteen-letters-";
	expect_error(&c, -EINVAL, "1 to 15 characters");
	c.name = "a b";
	expect_error(&c, -EINVAL, "white space");
	c = config_of("lan", "", 1);
	expect_error(&c, -EINVAL, "port lan: the device");
	c = config_of("lan", "net_null0", 0);
	expect_error(&c, -EINVAL, "workers");
	c = config_of("lan", "net_null0", PORT_WORKERS_MAX + 1);
	expect_error(&c, -EINVAL, "workers");
	c = config_of("lan", "net_null0", 1);
	c.mtu = 67;
	expect_error(&c, -EINVAL, "MTU is from 68");
	c.mtu = 9000;
	expect_error(&c, -EINVAL, "does not fit buffers");
	c = config_of("lan", "net_null0", 1);
	c.has_mac = true;
	c.mac.addr_bytes[0] = 1;
	expect_error(&c, -EINVAL, "MAC");
	c = config_of("lan", "net_null0", 2);
	c.reta = reta;
	c.reta_size = 4;
	expect_error(&c, -EINVAL, "home beyond the workers");
	c.reta_size = 3;
	expect_error(&c, -EINVAL, "power of two");
	c = config_of("lan", "net_null0", 1);
	c.pool = NULL;
	expect_error(&c, -EINVAL, "no buffers");
	c = config_of("lan", "net_nosuchdriver0", 1);
	expect_error(&c, -ENODEV, "no DPDK driver can make it");
	c.device = "net_af_packet0,iface=nosuchif0";
	expect_error(&c, -ENODEV, "there is no kernel interface nosuchif0");
	c.device = "nosuchif0";
	expect_error(&c, -ENODEV, "neither a PCI address");
	c.device = "ffff:1f:1f.7";
	expect_error(&c, -ENODEV, "vfio-pci");
	c.device = "mac:02:00:00:00:00:99";
	expect_error(&c, -ENODEV, "no device has that MAC");
	c.device = "mac:02:00";
	expect_error(&c, -EINVAL, "not a MAC address");

	port = open_port("lan", "net_null0", 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(port);
	c = config_of("lan", "net_null1", 1);
	expect_error(&c, -EEXIST, "there is a port lan already");
	c = config_of("wan", "net_null0", 1);
	expect_error(&c, -EBUSY, "in use by port lan");
	c = config_of("wan", "net_null0,size=100", 1);
	expect_error(&c, -EBUSY, "exists already");
	CU_ASSERT_EQUAL(port_start(7, err), -EINVAL);
	CU_ASSERT_EQUAL(port_start(PORT_MAX, err), -EINVAL);
	port_close(port->index);
	CU_ASSERT_EQUAL(port_count(), 0);
	CU_ASSERT_EQUAL(rte_eth_dev_count_total(), 0);
}

/* A device that somebody else owns is not taken. */
static void
test_owned(void)
{
	struct rte_eth_dev_owner other = {.name = "somebody"};
	uint16_t id = ring_device("wire", 1, 1);
	struct port_config c = config_of("lan", "net_ring_wire", 1);
	struct rte_ether_addr mac;
	char device[64];

	CU_ASSERT_EQUAL(rte_eth_dev_owner_new(&other.id), 0);
	CU_ASSERT_EQUAL(rte_eth_dev_owner_set(id, &other), 0);
	expect_error(&c, -EBUSY, "belongs to somebody");
	rte_eth_macaddr_get(id, &mac);
	snprintf(device, sizeof(device), "mac:" RTE_ETHER_ADDR_PRT_FMT, RTE_ETHER_ADDR_BYTES(&mac));
	c.device = device;
	expect_error(&c, -ENODEV, "no device has that MAC");
	CU_ASSERT_EQUAL(rte_eth_dev_owner_unset(id, other.id), 0);
	CU_ASSERT_PTR_NOT_NULL(open_port("lan", device, 1));
	port_close_all();
	ring_device_free("wire", 1);
}

/* Opened, started, a frame through it, stopped, closed; the slot is used again. */
static void
test_life(void)
{
	struct rte_mbuf *m, *got[4];
	const struct port *port;
	struct port_stats stats;
	uint16_t id = ring_device("life", 1, 1);
	struct port_config c = config_of("lan", "net_ring_life", 1);
	unsigned int in_use = rte_mempool_in_use_count(pool);
	struct rte_ether_addr mac = {{0x02, 0, 0, 0, 0, 0x77}};

	c.has_mac = true;
	c.mac = mac;
	c.mtu = 1400;
	CU_ASSERT_EQUAL_FATAL(port_open(&c, &port, err), 0);
	CU_ASSERT_EQUAL(port->ethdev, id);
	CU_ASSERT_EQUAL(port->mtu, 1400);
	CU_ASSERT_TRUE(rte_is_same_ether_addr(&port->mac, &mac));
	CU_ASSERT_EQUAL(port->rss, PORT_RSS_SINGLE);
	CU_ASSERT_STRING_EQUAL(port->driver, "net_ring");
	CU_ASSERT_PTR_EQUAL(port_by_name("lan"), port);
	CU_ASSERT_PTR_EQUAL(port_by_ethdev(id), port);
	CU_ASSERT_PTR_EQUAL(port_get(port->index), port);
	CU_ASSERT_PTR_NULL(port_get(PORT_MAX));
	CU_ASSERT_FALSE(port_is_up(port));
	CU_ASSERT_EQUAL(port_start(port->index, err), 0);
	CU_ASSERT_EQUAL(port_start(port->index, err), -EINVAL);
	CU_ASSERT_TRUE(port_is_up(port));
	m = rte_pktmbuf_alloc(pool);
	rte_pktmbuf_append(m, 60);
	CU_ASSERT_EQUAL(rte_eth_tx_burst(id, 0, &m, 1), 1);
	CU_ASSERT_EQUAL(rte_eth_rx_burst(id, 0, got, 4), 1);
	rte_pktmbuf_free(got[0]);
	CU_ASSERT_EQUAL(port_stats(port->index, &stats), 0);
	CU_ASSERT_EQUAL(stats.rx_packets, 1);
	CU_ASSERT_EQUAL(stats.tx_packets, 1);
	CU_ASSERT_EQUAL(port_stats(9, &stats), -EINVAL);
	port_stop(port->index);
	CU_ASSERT_FALSE(port_is_up(port));
	port_close(port->index);
	CU_ASSERT_PTR_NULL(port_by_name("lan"));
	/* The device was there before the port and is there after it, without an owner. */
	CU_ASSERT_EQUAL(rte_eth_dev_count_avail(), 1);
	port = open_port("wan", "net_ring_life", 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(port);
	CU_ASSERT_EQUAL(port->index, 0);
	CU_ASSERT_EQUAL(port_stats(0, &stats), 0);
	CU_ASSERT_EQUAL(stats.rx_packets, 0);
	port_close_all();
	ring_device_free("life", 1);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(pool), in_use);
}

static void
count_xstat(const char *name, uint64_t value, void *arg)
{
	(void)value;
	if (strcmp(name, "rx_good_packets") == 0)
		(*(int *)arg)++;
}

static void
test_xstats(void)
{
	const struct port *port = open_port("lan", "net_null0", 1);
	int seen = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(port);
	CU_ASSERT_EQUAL(port_xstats(port->index, count_xstat, &seen), 0);
	CU_ASSERT_EQUAL(seen, 1);
	CU_ASSERT_EQUAL(port_xstats(5, count_xstat, &seen), -EINVAL);
	port_close_all();
}

/* Every queue has one owner, every worker a way out that ends at an owner. */
static void
check_maps(const struct port *port, uint16_t workers)
{
	struct port_rxq rxqs[PORT_WORKERS_MAX * 4];
	unsigned int polled = 0, n, i;
	uint16_t w, q, via;

	for (w = 0; w < workers; w++) {
		n = port_worker_rxqs(w, rxqs, RTE_DIM(rxqs));
		for (i = 0; i < n; i++) {
			if (rxqs[i].port != port->index)
				continue;
			polled++;
			CU_ASSERT_EQUAL(port->rx_owner[rxqs[i].queue], w);
			CU_ASSERT_EQUAL(rxqs[i].ethdev, port->ethdev);
		}
		via = port_tx_via(port, w);
		CU_ASSERT_FATAL(via < workers);
		CU_ASSERT_NOT_EQUAL(port_tx_queue(port, via), PORT_QUEUE_NONE);
		if (port_tx_queue(port, w) != PORT_QUEUE_NONE)
			CU_ASSERT_EQUAL(via, w);
	}
	CU_ASSERT_EQUAL(polled, port->rx_queues);
	for (q = 0; q < port->tx_queues; q++)
		CU_ASSERT_EQUAL(port->tx_queue[port->tx_owner[q]], q);
}

static void
test_maps(void)
{
	static const struct {
		unsigned int rx;
		unsigned int tx;
		uint16_t workers;
		uint16_t rx_used;
		uint16_t tx_used;
	} cases[] = {
		{1, 1, 1, 1, 1},
		{1, 1, 2, 1, 1},
		{1, 1, 4, 1, 1},
		{2, 2, 2, 2, 2},
		{4, 4, 2, 2, 2},
		{2, 3, 4, 2, 3},
		{4, 1, 4, 4, 1},
		{1, 4, 4, 1, 4},
		{3, 3, 7, 3, 3},
		{8, 8, 8, 8, 8},
	};
	const struct port *port;
	unsigned int i;

	for (i = 0; i < RTE_DIM(cases); i++) {
		ring_device("map", cases[i].rx, cases[i].tx);
		port = open_port("lan", "net_ring_map", cases[i].workers);
		CU_ASSERT_PTR_NOT_NULL_FATAL(port);
		CU_ASSERT_EQUAL(port->rx_queues, cases[i].rx_used);
		CU_ASSERT_EQUAL(port->tx_queues, cases[i].tx_used);
		check_maps(port, cases[i].workers);
		port_close_all();
		ring_device_free("map", RTE_MAX(cases[i].rx, cases[i].tx));
	}
}

/* Four ports of one queue and two workers: two queues each, and not all frames leave by one worker.
 */
static void
test_balance(void)
{
	static const char *const names[] = {"p0", "p1", "p2", "p3"};
	struct port_rxq rxqs[8];
	unsigned int i, owners = 0;
	char device[32];

	for (i = 0; i < RTE_DIM(names); i++) {
		ring_device(names[i], 1, 1);
		snprintf(device, sizeof(device), "net_ring_%s", names[i]);
		CU_ASSERT_PTR_NOT_NULL_FATAL(open_port(names[i], device, 2));
	}
	CU_ASSERT_EQUAL(port_worker_rxqs(0, rxqs, RTE_DIM(rxqs)), 2);
	CU_ASSERT_EQUAL(port_worker_rxqs(1, rxqs, RTE_DIM(rxqs)), 2);
	/* No room: the number all the same, and nothing written. */
	memset(rxqs, 0xff, sizeof(rxqs));
	CU_ASSERT_EQUAL(port_worker_rxqs(1, rxqs, 1), 2);
	CU_ASSERT_EQUAL(rxqs[1].port, UINT16_MAX);
	for (i = 0; i < RTE_DIM(names); i++)
		owners |= 1u << port_get((uint16_t)i)->tx_owner[0];
	CU_ASSERT_EQUAL(owners, 3);
	port_close_all();
	for (i = 0; i < RTE_DIM(names); i++)
		ring_device_free(names[i], 1);
}

/* The device takes key and RETA: exact. Without a table of homes, or queues: spread. */
static void
test_rss(void)
{
	struct rte_eth_rss_reta_entry64 reta[8] = {0};
	uint8_t key[PORT_RSS_KEY_LEN] = {0};
	struct rte_eth_rss_conf rss = {.rss_key = key, .rss_key_len = sizeof(key)};
	struct port_config c = config_of("lan", "net_null0", 3);
	struct rte_eth_dev_info info;
	const struct port *port;
	uint8_t homes[64];
	unsigned int i;

	for (i = 0; i < RTE_DIM(homes); i++)
		homes[i] = (uint8_t)((i * 7) % 3);
	c.reta = homes;
	c.reta_size = RTE_DIM(homes);
	CU_ASSERT_EQUAL_FATAL(port_open(&c, &port, err), 0);
	CU_ASSERT_EQUAL(port->rss, PORT_RSS_SPREAD);
	CU_ASSERT_EQUAL_FATAL(port_start(port->index, err), 0);
	CU_ASSERT_EQUAL(port->rss, PORT_RSS_EXACT);
	CU_ASSERT_EQUAL(rte_eth_dev_rss_hash_conf_get(port->ethdev, &rss), 0);
	for (i = 0; i < sizeof(key); i++)
		CU_ASSERT_EQUAL(key[i], i % 2 == 0 ? 0x6d : 0x5a);
	CU_ASSERT_EQUAL(rte_eth_dev_info_get(port->ethdev, &info), 0);
	memset(reta, 0xff, sizeof(reta));
	CU_ASSERT_EQUAL(rte_eth_dev_rss_reta_query(port->ethdev, reta, info.reta_size), 0);
	for (i = 0; i < info.reta_size; i++)
		CU_ASSERT_EQUAL(reta[i / 64].reta[i % 64], homes[i % 64]);
	port_close_all();

	c.reta = NULL;
	CU_ASSERT_EQUAL_FATAL(port_open(&c, &port, err), 0);
	CU_ASSERT_EQUAL_FATAL(port_start(port->index, err), 0);
	CU_ASSERT_EQUAL(port->rss, PORT_RSS_SPREAD);
	port_close_all();

	ring_device("few", 2, 2);
	c.device = "net_ring_few";
	c.reta = homes;
	CU_ASSERT_EQUAL_FATAL(port_open(&c, &port, err), 0);
	CU_ASSERT_EQUAL_FATAL(port_start(port->index, err), 0);
	CU_ASSERT_EQUAL(port->rss, PORT_RSS_SPREAD);
	port_close_all();
	ring_device_free("few", 2);
	CU_ASSERT_STRING_EQUAL(port_rss_name(PORT_RSS_EXACT), "exact");
}

static void
test_slots(void)
{
	struct port_config c = config_of("last", "net_null99", 1);
	char name[PORT_NAME_LEN], device[32];
	unsigned int i;

	/* net_null with few queues and the limit of ethdevs in mind: RTE_MAX_ETHPORTS is 32 too. */
	for (i = 0; i < PORT_MAX; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		snprintf(device, sizeof(device), "net_null%u", i);
		CU_ASSERT_PTR_NOT_NULL_FATAL(open_port(name, device, 1));
	}
	expect_error(&c, -ENOSPC, "32 ports already");
	port_close(5);
	CU_ASSERT_PTR_NOT_NULL(open_port("again", "net_null5", 1));
	CU_ASSERT_EQUAL(port_by_name("again")->index, 5);
	port_close_all();
	CU_ASSERT_EQUAL(port_count(), 0);
	CU_ASSERT_EQUAL(rte_eth_dev_count_total(), 0);
}

int
main(void)
{
	char *args[] = {"test_port", "--no-huge", "-m", "256", "--no-shconf", "--no-pci", "-l", "0",
		"--log-level=critical"};
	CU_TestInfo tests[] = {
		{"errors say what is wrong", test_errors},
		{"others' devices are left alone", test_owned},
		{"a port's life", test_life},
		{"xstats", test_xstats},
		{"queues and their owners", test_maps},
		{"queues are spread over workers", test_balance},
		{"RSS is exact where the device takes it", test_rss},
		{"slots", test_slots},
		CU_TEST_INFO_NULL,
	};
	int status;

	if (rte_eal_init(RTE_DIM(args), args) < 0)
		return 1;
	pool = rte_pktmbuf_pool_create("pool", 40960, 0, 128, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (pool == NULL)
		return 1;
	status = unit_run("port", tests);
	rte_mempool_free(pool);
	rte_eal_cleanup();
	return status;
}
