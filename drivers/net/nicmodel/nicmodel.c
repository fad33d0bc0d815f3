/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports come and go: arguments, the wire behind each.
 */
#include "nicmodel.h"

#include <bus_vdev_driver.h>
#include <rte_errno.h>
#include <rte_kvargs.h>
#include <rte_malloc.h>

#include "nm_port.h"

#define WIRE_FRAMES 8191
#define RING_FRAMES 4096

struct nm_nic nm_nic = {
	.lock = RTE_SPINLOCK_INITIALIZER,
	.limits = {.max_rules = 1U << 20},
};

/* What a port's arguments say. */
struct args {
	char iface[32];
	char wire[64];
	struct rte_ether_addr mac;
	uint32_t ring;
	uint32_t queues;
};

static int
take_text(const char *key, const char *value, void *out)
{
	size_t room = strcmp(key, "wire") == 0 ? sizeof(((struct args *)0)->wire)
					       : sizeof(((struct args *)0)->iface);

	return value != NULL && strlcpy(out, value, room) < room ? 0 : -EINVAL;
}

static int
take_number(const char *key, const char *value, void *out)
{
	char *end;
	unsigned long n;

	(void)key;
	if (value == NULL || *value == '\0')
		return -EINVAL;
	n = strtoul(value, &end, 10);
	if (*end != '\0' || n > UINT32_MAX)
		return -EINVAL;
	*(uint32_t *)out = (uint32_t)n;
	return 0;
}

static int
take_mac(const char *key, const char *value, void *out)
{
	(void)key;
	return value != NULL ? rte_ether_unformat_addr(value, out) : -EINVAL;
}

static int
take_bool(const char *key, const char *value, void *out)
{
	uint32_t n = 0;
	int rc = take_number(key, value, &n);

	*(bool *)out = n != 0;
	return rc;
}

static const char *const known[] = {"iface", "wire", "ring", "mac", "queues", "step", "rules",
	"create_us", "destroy_us", "fail_create", "refuse", "lie", NULL};

/* The arguments of the NIC as a whole. */
static int
parse_nic(const struct rte_kvargs *kv)
{
	int rc = 0;

	rc |= rte_kvargs_process(kv, "step", take_bool, &nm_nic.step);
	rc |= rte_kvargs_process(kv, "rules", take_number, &nm_nic.limits.max_rules);
	rc |= rte_kvargs_process(kv, "create_us", take_number, &nm_nic.create_us);
	rc |= rte_kvargs_process(kv, "destroy_us", take_number, &nm_nic.destroy_us);
	rc |= rte_kvargs_process(kv, "fail_create", take_number, &nm_nic.fail_create);
	rc |= rte_kvargs_process(kv, "refuse", take_text, nm_nic.limits.refuse);
	rc |= rte_kvargs_process(kv, "lie", take_bool, &nm_nic.limits.lie);
	return rc;
}

int
nicmodel_set(const char *args)
{
	struct rte_kvargs *kv = rte_kvargs_parse(args, known);
	int rc;

	if (kv == NULL)
		return -EINVAL;
	nm_lock();
	rc = parse_nic(kv);
	if (nm_nic.sw != NULL)
		nm_switch_limits(nm_nic.sw, &nm_nic.limits);
	rte_spinlock_unlock(&nm_nic.lock);
	rte_kvargs_free(kv);
	return rc == 0 ? 0 : -EINVAL;
}

static int
parse(const char *text, struct args *args)
{
	struct rte_kvargs *kv = rte_kvargs_parse(text, known);
	int rc = 0;

	*args = (struct args){.queues = 4};
	rte_eth_random_addr(args->mac.addr_bytes);
	if (kv == NULL)
		return -EINVAL;
	rc |= rte_kvargs_process(kv, "iface", take_text, args->iface);
	rc |= rte_kvargs_process(kv, "wire", take_text, args->wire);
	rc |= rte_kvargs_process(kv, "ring", take_number, &args->ring);
	rc |= rte_kvargs_process(kv, "mac", take_mac, &args->mac);
	rc |= rte_kvargs_process(kv, "queues", take_number, &args->queues);
	rc |= parse_nic(kv);
	rte_kvargs_free(kv);
	if (rc != 0 || args->queues == 0 || args->queues > NM_QUEUES ||
		(args->iface[0] != '\0') + (args->wire[0] != '\0') + (args->ring != 0) != 1)
		return -EINVAL;
	return 0;
}

/* The wire's ethdev is this driver's alone. */
static int
claim(struct nm_port *p)
{
	struct rte_eth_dev_owner owner = {.name = "nicmodel"};
	int rc = rte_eth_dev_get_port_by_name(p->wire_name, &p->wire);

	if (rc == 0)
		rc = rte_eth_dev_owner_new(&owner.id);
	return rc == 0 ? rte_eth_dev_owner_set(p->wire, &owner) : rc;
}

static int
make_wire(struct nm_port *p, const char *name, const struct args *args)
{
	char text[64];
	int rc = 0;

	p->wire = RTE_MAX_ETHPORTS;
	if (args->ring != 0) {
		snprintf(text, sizeof(text), "nm-in-%s", name);
		p->wire_in = rte_ring_create(text, RING_FRAMES, SOCKET_ID_ANY, 0);
		snprintf(text, sizeof(text), "nm-out-%s", name);
		p->wire_out = rte_ring_create(text, RING_FRAMES, SOCKET_ID_ANY, 0);
		p->rings = true;
		return p->wire_in != NULL && p->wire_out != NULL ? 0 : -ENOMEM;
	}
	strlcpy(p->wire_name, args->wire, sizeof(p->wire_name));
	if (args->iface[0] != '\0') {
		snprintf(p->wire_name, sizeof(p->wire_name), "net_af_packet_%.40s", name);
		snprintf(text, sizeof(text), "iface=%.31s", args->iface);
		rc = rte_vdev_init(p->wire_name, text);
		p->wire_own = rc == 0;
	}
	return rc == 0 ? claim(p) : rc;
}

static void
free_wire(struct nm_port *p)
{
	struct rte_mbuf *m;

	while (p->wire_in != NULL && rte_ring_dequeue(p->wire_in, (void **)&m) == 0)
		rte_pktmbuf_free(m);
	while (p->wire_out != NULL && rte_ring_dequeue(p->wire_out, (void **)&m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(p->wire_in);
	rte_ring_free(p->wire_out);
	p->wire_in = p->wire_out = NULL;
	if (p->wire_own)
		rte_vdev_uninit(p->wire_name);
	p->wire_own = false;
}

/* The switch and the wires' buffers, with the first port. */
static int
make_nic(void)
{
	if (nm_nic.sw == NULL)
		nm_nic.sw = nm_switch_new(&nm_nic.limits);
	else
		nm_switch_limits(nm_nic.sw, &nm_nic.limits);
	if (nm_nic.pool == NULL)
		nm_nic.pool = rte_pktmbuf_pool_create("nicmodel-wires", WIRE_FRAMES, 0, 0,
			RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return nm_nic.sw != NULL && nm_nic.pool != NULL ? 0 : -ENOMEM;
}

static int
probe(struct rte_vdev_device *vdev)
{
	const char *name = rte_vdev_device_name(vdev);
	struct rte_eth_dev *dev;
	struct nm_port *p;
	struct args args;
	int rc;

	if (rte_eal_process_type() != RTE_PROC_PRIMARY)
		return -ENOTSUP;
	if (parse(rte_vdev_device_args(vdev), &args) != 0)
		return -EINVAL;
	rc = make_nic();
	dev = rc == 0 ? rte_eth_vdev_allocate(vdev, sizeof(*p)) : NULL;
	if (dev == NULL)
		return -ENOMEM;
	p = nm_port(dev);
	p->dev = dev;
	p->id = dev->data->port_id;
	p->mac = args.mac;
	p->max_queues = (uint16_t)args.queues;
	nm_rss_defaults(p);
	rc = p->id < NM_PORTS ? make_wire(p, name, &args) : -ENOSPC;
	if (rc != 0) {
		free_wire(p);
		rte_eth_dev_release_port(dev);
		return rc;
	}
	dev->data->mac_addrs = &p->mac;
	dev->data->promiscuous = 1;
	dev->data->dev_link = (struct rte_eth_link){.link_speed = RTE_ETH_SPEED_NUM_10G,
		.link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
		.link_autoneg = RTE_ETH_LINK_FIXED};
	dev->data->dev_flags |= RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS;
	dev->data->dev_flags |= RTE_ETH_DEV_FLOW_OPS_THREAD_SAFE;
	dev->dev_ops = &nm_dev_ops;
	nm_lock();
	nm_nic.ports[p->id] = p;
	rte_spinlock_unlock(&nm_nic.lock);
	rte_eth_dev_probing_finish(dev);
	return 0;
}

void
nm_port_gone(struct nm_port *p)
{
	bool any = false;

	nm_lock();
	nm_nic.ports[p->id] = NULL;
	for (unsigned int i = 0; i < NM_PORTS; i++)
		any = any || nm_nic.ports[i] != NULL;
	rte_spinlock_unlock(&nm_nic.lock);
	free_wire(p);
	if (!any) {
		nm_switch_free(nm_nic.sw);
		nm_nic.sw = NULL;
		rte_mempool_free(nm_nic.pool);
		nm_nic.pool = NULL;
	}
}

static int
drop(struct rte_vdev_device *vdev)
{
	struct rte_eth_dev *dev = rte_eth_dev_allocated(rte_vdev_device_name(vdev));

	/* Whoever closed the port has released it: its memory with it. */
	return dev != NULL ? rte_eth_dev_close(dev->data->port_id) : 0;
}

int
nicmodel_stats(uint16_t port, struct nicmodel_stats *stats)
{
	if (port >= NM_PORTS || nm_nic.ports[port] == NULL)
		return -ENODEV;
	nm_lock();
	*stats = nm_nic.ports[port]->stats;
	rte_spinlock_unlock(&nm_nic.lock);
	return 0;
}

uint32_t
nicmodel_rules(void)
{
	uint32_t count = 0;

	nm_lock();
	if (nm_nic.sw != NULL)
		count = nm_flow_count(nm_nic.sw, UINT16_MAX);
	rte_spinlock_unlock(&nm_nic.lock);
	return count;
}

int
nicmodel_wire(uint16_t port, struct rte_ring **in, struct rte_ring **out)
{
	if (port >= NM_PORTS || nm_nic.ports[port] == NULL || !nm_nic.ports[port]->rings)
		return -ENODEV;
	*in = nm_nic.ports[port]->wire_in;
	*out = nm_nic.ports[port]->wire_out;
	return 0;
}

static struct rte_vdev_driver driver = {
	.probe = probe,
	.remove = drop,
};

RTE_PMD_REGISTER_VDEV(net_nicmodel, driver);
RTE_PMD_REGISTER_PARAM_STRING(net_nicmodel,
	"iface=<name> wire=<ethdev> ring=<0|1> mac=<mac> queues=<n> step=<0|1> rules=<n> "
	"create_us=<n> destroy_us=<n> fail_create=<n> refuse=<name> lie=<0|1>");
