/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nic.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_bus_vdev.h>
#include <rte_ethdev.h>

static const char *more = "";
static uint16_t ethdevs[DP_PORTS];
static uint32_t zero;

static void
must(int rc, const char *what)
{
	if (rc == 0)
		return;
	fprintf(stderr, "dataplane tests: %s: %d\n", what, rc);
	exit(1);
}

void
nic_set_args(const char *args)
{
	more = args;
}

static void
nic_open(unsigned int port, struct rte_mempool *pool, uint16_t *ethdev, struct rte_ring **in,
	struct rte_ring **out)
{
	struct rte_eth_conf conf = {0};
	char name[32], args[200];

	snprintf(name, sizeof(name), "net_nicmodel%u", port);
	/* The NIC's own arguments: the last port's count, so all have the same. */
	snprintf(args, sizeof(args),
		"ring=1,step=1,mac=02:ff:00:00:00:%02x,create_us=0,destroy_us=0,"
		"fail_create=0,refuse=none,lie=0,rules=1048576%s%s",
		port + 1, more[0] != '\0' ? "," : "", more);
	must(rte_vdev_init(name, args), name);
	must(rte_eth_dev_get_port_by_name(name, ethdev), name);
	ethdevs[port] = *ethdev;
	must(nicmodel_wire(*ethdev, in, out), "nicmodel_wire");
	must(rte_eth_dev_configure(*ethdev, 1, 4, &conf), "configure");
	must(rte_eth_rx_queue_setup(*ethdev, 0, 1024, SOCKET_ID_ANY, NULL, pool), "rxq");
	for (uint16_t q = 0; q < 4; q++)
		must(rte_eth_tx_queue_setup(*ethdev, q, 1024, SOCKET_ID_ANY, NULL), "txq");
	must(rte_eth_dev_start(*ethdev), "start");
}

static void
nic_close(unsigned int port, uint16_t ethdev)
{
	char name[32];

	snprintf(name, sizeof(name), "net_nicmodel%u", port);
	must(rte_eth_dev_stop(ethdev), "stop");
	must(rte_vdev_uninit(name), "uninit");
}

const struct dp_nic nic_wires = {nic_open, nicmodel_step, nic_close};

struct nicmodel_stats
nic_stats(enum dp_port port)
{
	struct nicmodel_stats stats = {0};

	must(nicmodel_stats(ethdevs[port], &stats), "nicmodel_stats");
	return stats;
}

uint32_t
nic_rules(void)
{
	return nicmodel_rules() - zero;
}

void
nic_rules_zero(void)
{
	zero = nicmodel_rules();
}
