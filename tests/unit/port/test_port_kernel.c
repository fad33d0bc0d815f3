/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports on kernel interfaces, in a network namespace of this process alone:
 *
 *   port "lan" --af_packet-- [near] veth [far]
 *
 * What ethtool and ip say is the judge. Exit status 77 (skipped) without the
 * right to make a namespace.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_mbuf.h>

#include "clock.h"
#include "port.h"
#include "unit.h"

#define SKIPPED 77

static const char *const toggled[] = {"generic-receive-offload", "tcp-segmentation-offload",
	"generic-segmentation-offload", "tx-checksumming", "rx-vlan-offload", "tx-vlan-offload"};

static struct rte_mempool *pool;
static char err[PORT_ERR_LEN];

/* The first line of a command's output. */
static const char *
run(const char *command)
{
	static char line[256];
	FILE *f = popen(command, "r");

	if (f == NULL)
		abort();
	line[0] = '\0';
	if (fgets(line, sizeof(line), f) != NULL)
		line[strcspn(line, "\n")] = '\0';
	while (fgetc(f) != EOF)
		;
	pclose(f);
	return line;
}

static bool
feature_on(const char *feature)
{
	char command[128];

	snprintf(command, sizeof(command), "ethtool -k near | sed -n 's/^%s: //p'", feature);
	return strncmp(run(command), "on", 2) == 0;
}

static void
setup(void)
{
	(void)run("ip link del near 2>/dev/null; ip link add near type veth peer name far");
	(void)run("ip link set near up; ip link set far up");
	/* One that the operator had off before: it must not come on. */
	(void)run("ethtool -K near rx-gro-list off gro on tso on gso on tx on 2>&1");
}

static int
open_near(const char *device, uint16_t mtu, const char *mac, const struct port **port)
{
	struct port_config c = {
		.name = "lan", .device = device, .workers = 1, .pool = pool, .mtu = mtu};

	if (mac != NULL) {
		c.has_mac = true;
		rte_ether_unformat_addr(mac, &c.mac);
	}
	return port_open(&c, port, err);
}

static void
test_offloads(void)
{
	char *before, *after;
	const struct port *port;
	unsigned int i;

	setup();
	CU_ASSERT_EQUAL(system("ethtool -K near tx-gso-list off 2>/dev/null"), 0);
	before = strdup(run("ethtool -k near | md5sum"));
	for (i = 0; i < RTE_DIM(toggled); i++)
		CU_ASSERT_TRUE(feature_on(toggled[i]));
	CU_ASSERT_EQUAL_FATAL(open_near("net_af_packet0,iface=near", 0, NULL, &port), 0);
	CU_ASSERT_STRING_EQUAL(port->kernel.name, "near");
	CU_ASSERT_STRING_EQUAL(port->kernel.left_on, "");
	for (i = 0; i < RTE_DIM(toggled); i++) {
		if (feature_on(toggled[i]))
			printf("\n    %s is on", toggled[i]);
		CU_ASSERT_FALSE(feature_on(toggled[i]));
	}
	CU_ASSERT_PTR_NOT_NULL(strstr(port->kernel.changed, "rx-gro"));
	CU_ASSERT_PTR_NOT_NULL(strstr(port->kernel.changed, "tx-checksum-ip-generic"));
	CU_ASSERT_PTR_NOT_NULL(strstr(port->kernel.changed, "tx-tcp-segmentation"));
	port_close_all();
	after = strdup(run("ethtool -k near | md5sum"));
	CU_ASSERT_STRING_EQUAL(before, after);
	free(before);
	free(after);
}

/* A failed opening leaves the interface as it was. */
static void
test_failure(void)
{
	const struct port *port;
	char *before;

	setup();
	before = strdup(run("ethtool -k near | md5sum"));
	CU_ASSERT_NOT_EQUAL(
		open_near("net_af_packet0,iface=near,framesz=1024", 9000, NULL, &port), 0);
	CU_ASSERT_EQUAL(open_near("net_af_packet0,iface=near", 9000, NULL, &port), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "does not fit buffers"));
	CU_ASSERT_EQUAL(
		open_near("net_af_packet0,iface=near,framesz=1024", 1400, NULL, &port), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "setting the MTU"));
	CU_ASSERT_EQUAL(port_count(), 0);
	CU_ASSERT_STRING_EQUAL(before, run("ethtool -k near | md5sum"));
	CU_ASSERT_EQUAL(rte_eth_dev_count_total(), 0);
	free(before);
}

/* MTU and MAC are the interface's, changed with the port and put back. */
static void
test_mtu_mac(void)
{
	const char *show = "ip -o link show near | sed 's/.* mtu \\([0-9]*\\).*ether "
			   "\\([0-9a-f:]*\\).*/\\1 \\2/'";
	const struct port *port;
	char *before;

	setup();
	(void)run("ip link set near mtu 1450");
	before = strdup(run(show));
	CU_ASSERT_EQUAL_FATAL(open_near("net_af_packet0,iface=near", 0, NULL, &port), 0);
	CU_ASSERT_EQUAL(port->mtu, 1450);
	port_close_all();
	CU_ASSERT_STRING_EQUAL(run(show), before);
	CU_ASSERT_EQUAL_FATAL(
		open_near("net_af_packet0,iface=near", 1400, "02:00:00:00:00:44", &port), 0);
	CU_ASSERT_STRING_EQUAL(run(show), "1400 02:00:00:00:00:44");
	port_close_all();
	CU_ASSERT_STRING_EQUAL(run(show), before);
	free(before);
}

/* A bare interface name, and the link. */
/* The kernel tells of a carrier change by and by (linkwatch): poll until it has, five seconds at
 * most. */
static unsigned int
changes_until(const struct port *port, bool up)
{
	uint64_t end = clock_ns() + 5 * NS_PER_SEC;
	unsigned int changes = 0;

	while (port_is_up(port) != up && clock_ns() < end) {
		changes += port_link_poll(NULL, NULL);
		sched_yield();
	}
	return changes;
}

static void
test_link(void)
{
	const struct port *port;

	setup();
	CU_ASSERT_EQUAL_FATAL(open_near("near", 0, NULL, &port), 0);
	CU_ASSERT_STRING_EQUAL(port->driver, "net_af_packet");
	CU_ASSERT_STRING_EQUAL(port->device, "near");
	CU_ASSERT_EQUAL_FATAL(port_start(port->index, err), 0);
	CU_ASSERT_TRUE(port_is_up(port));
	(void)run("ip link set far down");
	CU_ASSERT_EQUAL(changes_until(port, false), 1);
	CU_ASSERT_FALSE(port_is_up(port));
	CU_ASSERT_EQUAL(port_link_poll(NULL, NULL), 0);
	(void)run("ip link set far up");
	CU_ASSERT_EQUAL(changes_until(port, true), 1);
	CU_ASSERT_TRUE(port_is_up(port));
	/* The interface goes away under the port: closing says so and goes on. */
	(void)run("ip link del near");
	(void)changes_until(port, false);
	CU_ASSERT_FALSE(port_is_up(port));
	port_close_all();
	CU_ASSERT_EQUAL(port_count(), 0);
}

int
main(void)
{
	char *args[] = {"test_port_kernel", "--no-huge", "-m", "256", "--no-shconf", "--no-pci",
		"-l", "0", "--log-level=critical"};
	CU_TestInfo tests[] = {
		{"offloads go off and come back", test_offloads},
		{"a failure leaves no trace", test_failure},
		{"MTU and MAC", test_mtu_mac},
		{"link, and a bare interface name", test_link},
		CU_TEST_INFO_NULL,
	};
	int status;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0)
		return SKIPPED;
	if (system("command -v ip ethtool >/dev/null") != 0)
		return SKIPPED;
	if (rte_eal_init(RTE_DIM(args), args) < 0)
		return 1;
	pool = rte_pktmbuf_pool_create("pool", 4096, 0, 128, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (pool == NULL)
		return 1;
	status = unit_run("kernel interfaces", tests);
	rte_mempool_free(pool);
	rte_eal_cleanup();
	return status;
}
