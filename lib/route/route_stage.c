/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stage: what the control thread edits, and its commit.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route_priv.h"

/* As the kernel's ETH_MIN_MTU; an IPv6 link needs 1280 (RFC 8200 5), which is the operator's
 * business. */
#define MTU_MIN 68

static bool
mac_valid(const uint8_t mac[6])
{
	static const uint8_t zero[6];

	return (mac[0] & 1) == 0 && memcmp(mac, zero, sizeof(zero)) != 0;
}

static bool
family_valid(uint8_t family)
{
	return family == FAMILY_IPV4 || family == FAMILY_IPV6;
}

static uint8_t
family_bits(uint8_t family)
{
	return family == FAMILY_IPV4 ? 32 : 128;
}

/* An address that one host can have: no multicast, loopback, zero, broadcast, mapped. */
static bool
host_valid(uint8_t family, const union address *a)
{
	static const uint8_t zero[10];
	uint32_t v4;

	if (family == FAMILY_IPV4) {
		v4 = rte_be_to_cpu_32(a->v4);
		return v4 != 0 && v4 != UINT32_MAX && v4 >> 24 != 127 && v4 >> 28 != 0xe;
	}
	if (a->v6[0] == 0xff)
		return false;
	/* ::/80 holds ::, ::1, the IPv4-mapped and the IPv4-compatible ones. */
	return memcmp(a->v6, zero, sizeof(zero)) != 0;
}

static bool
same_address(uint8_t family, const union address *a, const union address *b)
{
	return family == FAMILY_IPV4 ? a->v4 == b->v4 : memcmp(a, b, sizeof(*a)) == 0;
}

/* IPv4 in the first four bytes and nothing else, whatever the caller left there. */
static union address
normal(uint8_t family, const union address *a)
{
	union address out = *a;

	if (family == FAMILY_IPV4)
		memset(&out.v6[4], 0, sizeof(out) - 4);
	return out;
}

static bool
port_known(const struct route *route, uint16_t port)
{
	return port < PORT_MAX && route->stage.port_used[port];
}

/* Room for one more element; arrays grow by doubling. */
static int
grow(void **array, uint32_t count, size_t size)
{
	void *bigger;

	if (count != 0 && (count & (count - 1)) != 0)
		return 0;
	bigger = reallocarray(*array, count == 0 ? 1 : (size_t)count * 2, size);
	if (bigger == NULL)
		return -ENOMEM;
	*array = bigger;
	return 0;
}

static void
config_clear(struct route_config *config)
{
	free(config->addresses);
	free(config->entries);
	free(config->neighbours);
	memset(config, 0, sizeof(*config));
}

/* A copy with room as grow() expects it: the next power of two. */
static void *
copy_array(const void *from, uint32_t count, size_t size, bool *failed)
{
	size_t room = 1;
	void *to;

	while (room < count)
		room *= 2;
	to = malloc(room * size);
	if (to == NULL)
		*failed = true;
	else if (count > 0)
		memcpy(to, from, count * size);
	return to;
}

static int
config_copy(const struct route_config *from, struct route_config *to)
{
	bool failed = false;

	*to = *from;
	to->addresses =
		copy_array(from->addresses, from->address_count, sizeof(*from->addresses), &failed);
	to->entries = copy_array(from->entries, from->entry_count, sizeof(*from->entries), &failed);
	to->neighbours = copy_array(
		from->neighbours, from->neighbour_count, sizeof(*from->neighbours), &failed);
	if (!failed)
		return 0;
	config_clear(to);
	return -ENOMEM;
}

struct route *
route_new(void)
{
	struct route *route = calloc(1, sizeof(*route));
	char err[ROUTE_ERR_LEN];
	struct fib *fib;

	if (route == NULL)
		return NULL;
	if (fib_build(&route->stage, NULL, &fib, err) != 0) {
		free(route);
		return NULL;
	}
	rcu_publish(&route->current, &fib->head);
	return route;
}

void
route_free(struct route *route)
{
	if (route == NULL)
		return;
	fib_free((void *)(uintptr_t)route->current);
	config_clear(&route->live);
	config_clear(&route->stage);
	free(route);
}

int
route_set_port(struct route *route, uint16_t port, const struct route_port *info)
{
	struct route_config *stage = &route->stage;

	if (port >= PORT_MAX || info->mtu < MTU_MIN || !mac_valid(info->mac))
		return -EINVAL;
	/* The MAC makes the link-local address. */
	if (!stage->port_used[port] || memcmp(stage->ports[port].mac, info->mac, 6) != 0)
		route->epoch_due = true;
	stage->port_used[port] = true;
	stage->ports[port] = *info;
	return 0;
}

int
route_del_port(struct route *route, uint16_t port)
{
	struct route_config *stage = &route->stage;
	uint32_t i, out;

	if (!port_known(route, port))
		return -ENOENT;
	for (i = 0, out = 0; i < stage->address_count; i++) {
		if (stage->addresses[i].port != port)
			stage->addresses[out++] = stage->addresses[i];
	}
	stage->address_count = out;
	for (i = 0, out = 0; i < stage->neighbour_count; i++) {
		if (stage->neighbours[i].port != port)
			stage->neighbours[out++] = stage->neighbours[i];
	}
	stage->neighbour_count = out;
	stage->port_used[port] = false;
	route->epoch_due = true;
	return 0;
}

static uint32_t
address_index(const struct route_config *config, const struct route_address *a)
{
	uint32_t i;

	for (i = 0; i < config->address_count; i++) {
		if (config->addresses[i].port == a->port &&
			config->addresses[i].family == a->family &&
			same_address(a->family, &config->addresses[i].address, &a->address))
			break;
	}
	return i;
}

int
route_add_address(struct route *route, const struct route_address *address)
{
	struct route_config *stage = &route->stage;
	struct route_address *to;

	if (!family_valid(address->family) || address->len == 0 ||
		address->len > family_bits(address->family) ||
		!host_valid(address->family, &address->address))
		return -EINVAL;
	if (!port_known(route, address->port))
		return -ENODEV;
	if (address_index(stage, address) < stage->address_count)
		return -EEXIST;
	if (stage->address_count == ROUTE_MAX_ADDRESSES)
		return -ENOSPC;
	if (grow((void **)&stage->addresses, stage->address_count, sizeof(*to)) != 0)
		return -ENOMEM;
	to = &stage->addresses[stage->address_count++];
	*to = *address;
	to->secondary = false;
	to->address = normal(address->family, &address->address);
	route->epoch_due = true;
	return 0;
}

int
route_del_address(struct route *route, const struct route_address *address)
{
	struct route_config *stage = &route->stage;
	uint32_t i = address_index(stage, address);

	if (i == stage->address_count)
		return -ENOENT;
	stage->address_count--;
	memmove(&stage->addresses[i], &stage->addresses[i + 1],
		(stage->address_count - i) * sizeof(*stage->addresses));
	route->epoch_due = true;
	return 0;
}

static uint32_t
entry_index(
	const struct route_config *config, uint8_t family, const union address *dst, uint8_t len)
{
	uint32_t i;

	for (i = 0; i < config->entry_count; i++) {
		if (config->entries[i].family == family && config->entries[i].len == len &&
			same_address(family, &config->entries[i].dst, dst))
			break;
	}
	return i;
}

/* A prefix that routes can have: no bits beyond it; not of multicast, loopback or link-local. */
static bool
prefix_valid(const struct route_entry *entry)
{
	const union address dst = normal(entry->family, &entry->dst);
	const union address cut = prefix_of(&dst, entry->len);

	if (entry->len > family_bits(entry->family) || memcmp(&cut, &dst, sizeof(dst)) != 0)
		return false;
	if (entry->family == FAMILY_IPV4)
		return entry->len == 0 || (dst.v6[0] != 127 && dst.v6[0] >> 4 != 0xe);
	return !(entry->len >= 8 && dst.v6[0] == 0xff) &&
	       !(entry->len >= 10 && is_link_local6(&dst)) &&
	       !(entry->len == 128 && !host_valid(FAMILY_IPV6, &dst));
}

int
route_add(struct route *route, const struct route_entry *entry)
{
	struct route_config *stage = &route->stage;
	struct route_entry *to;
	bool refuses = entry->type == ROUTE_BLACKHOLE || entry->type == ROUTE_UNREACHABLE ||
		       entry->type == ROUTE_PROHIBIT;

	if (!family_valid(entry->family) || !prefix_valid(entry))
		return -EINVAL;
	if (!refuses && entry->type != ROUTE_UNICAST)
		return -EINVAL;
	if (refuses ? entry->has_via || entry->port != PORT_NONE
		    : !entry->has_via && entry->port == PORT_NONE)
		return -EINVAL;
	if (entry->has_via && (!host_valid(entry->family, &entry->via) ||
				      (entry->port == PORT_NONE && entry->family == FAMILY_IPV6 &&
					      is_link_local6(&entry->via))))
		return -EINVAL;
	if (entry->port != PORT_NONE && !port_known(route, entry->port))
		return -ENODEV;
	if (entry_index(stage, entry->family, &entry->dst, entry->len) < stage->entry_count)
		return -EEXIST;
	if (stage->entry_count == ROUTE_MAX_ROUTES)
		return -ENOSPC;
	if (grow((void **)&stage->entries, stage->entry_count, sizeof(*to)) != 0)
		return -ENOMEM;
	to = &stage->entries[stage->entry_count++];
	*to = *entry;
	to->dst = normal(entry->family, &entry->dst);
	to->via = normal(entry->family, &entry->via);
	to->connected = false;
	route->epoch_due = true;
	return 0;
}

int
route_del(struct route *route, uint8_t family, const union address *dst, uint8_t len)
{
	struct route_config *stage = &route->stage;
	uint32_t i = entry_index(stage, family, dst, len);

	if (i == stage->entry_count)
		return -ENOENT;
	stage->entry_count--;
	memmove(&stage->entries[i], &stage->entries[i + 1],
		(stage->entry_count - i) * sizeof(*stage->entries));
	route->epoch_due = true;
	return 0;
}

static uint32_t
neighbour_index(const struct route_config *config, const struct route_neighbour *n)
{
	uint32_t i;

	for (i = 0; i < config->neighbour_count; i++) {
		if (config->neighbours[i].port == n->port &&
			config->neighbours[i].family == n->family &&
			same_address(n->family, &config->neighbours[i].address, &n->address))
			break;
	}
	return i;
}

int
route_set_neighbour(struct route *route, const struct route_neighbour *neighbour)
{
	struct route_config *stage = &route->stage;
	struct route_neighbour *to;
	uint32_t i;

	if (!family_valid(neighbour->family) || !mac_valid(neighbour->mac) ||
		!host_valid(neighbour->family, &neighbour->address))
		return -EINVAL;
	if (!port_known(route, neighbour->port))
		return -ENODEV;
	i = neighbour_index(stage, neighbour);
	if (i < stage->neighbour_count) {
		memcpy(stage->neighbours[i].mac, neighbour->mac, 6);
		return 0;
	}
	if (stage->neighbour_count == ROUTE_MAX_NEIGHBOURS)
		return -ENOSPC;
	if (grow((void **)&stage->neighbours, stage->neighbour_count, sizeof(*to)) != 0)
		return -ENOMEM;
	to = &stage->neighbours[stage->neighbour_count++];
	*to = *neighbour;
	to->address = normal(neighbour->family, &neighbour->address);
	return 0;
}

int
route_del_neighbour(struct route *route, const struct route_neighbour *neighbour)
{
	struct route_config *stage = &route->stage;
	uint32_t i = neighbour_index(stage, neighbour);

	if (i == stage->neighbour_count)
		return -ENOENT;
	stage->neighbour_count--;
	memmove(&stage->neighbours[i], &stage->neighbours[i + 1],
		(stage->neighbour_count - i) * sizeof(*stage->neighbours));
	return 0;
}

int
route_rollback(struct route *route)
{
	struct route_config copy;

	if (config_copy(&route->live, &copy) != 0)
		return -ENOMEM;
	config_clear(&route->stage);
	route->stage = copy;
	route->epoch_due = false;
	return 0;
}

/* Everything that can fail comes before the publication. */
int
route_commit(struct route *route, rcu_token *token, char err[ROUTE_ERR_LEN])
{
	const struct fib *before = fib_of(route->current);
	struct rcu_batch *batch = rcu_batch_new();
	struct route_config resolved = {0}, live = {0};
	struct fib *fib = NULL;
	rcu_token grace;
	int ret = -ENOMEM;

	snprintf(err, ROUTE_ERR_LEN, "out of memory");
	if (batch == NULL || rcu_batch_add(batch, fib_free, (void *)(uintptr_t)before) != 0)
		goto fail;
	if (config_copy(&route->stage, &resolved) != 0 || config_copy(&route->stage, &live) != 0)
		goto fail;
	ret = fib_build(&resolved, before, &fib, err);
	if (ret != 0)
		goto fail;
	fib->head.epoch = before->head.epoch + (route->epoch_due ? 1 : 0);
	route->epoch_due = false;
	rcu_publish(&route->current, &fib->head);
	grace = rcu_retire(batch);
	if (token != NULL)
		*token = grace;
	config_clear(&route->live);
	config_clear(&resolved);
	route->live = live;
	err[0] = '\0';
	return 0;

fail:
	rcu_batch_drop(batch);
	config_clear(&resolved);
	config_clear(&live);
	route_rollback(route);
	return ret;
}

void
route_each_address(const struct route *route,
	void (*fn)(const struct route_address *address, void *arg), void *arg)
{
	const struct fib *fib = fib_of(route->current);
	uint32_t i;

	for (i = 0; i < fib->address_count; i++)
		fn(&fib->addresses[i], arg);
}

void
route_each_route(const struct route *route, void (*fn)(const struct route_entry *entry, void *arg),
	void *arg)
{
	const struct fib *fib = fib_of(route->current);
	uint32_t i;

	for (i = 0; i < fib->entry_count; i++)
		fn(&fib->entries[i], arg);
}

void
route_each_neighbour(const struct route *route,
	void (*fn)(const struct route_neighbour *neighbour, void *arg), void *arg)
{
	uint32_t i;

	for (i = 0; i < route->live.neighbour_count; i++)
		fn(&route->live.neighbours[i], arg);
}
