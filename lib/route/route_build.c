/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a config to a table: addresses in the kernel's order, gateways, next
 * hops, prefixes, intervals.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "route_prefix.h"

static_assert(1 + 3 * (ROUTE_MAX_ADDRESSES + PORT_MAX) + ROUTE_MAX_ROUTES + ROUTE_MAX_NEIGHBOURS <
		      UINT16_MAX,
	"a leaf has 16 bits");
static_assert(2 * PORT_MAX + ROUTE_MAX_ROUTES + ROUTE_MAX_NEIGHBOURS < NEXTHOP_NONE,
	"a next hop has 16 bits");

void
fib_free(void *arg)
{
	struct fib *fib = arg;

	if (fib == NULL)
		return;
	free(fib->v4.start);
	free(fib->v4.leaf);
	free(fib->v6.start);
	free(fib->v6.leaf);
	free(fib->leaves4);
	free(fib->leaves6);
	free(fib->addresses);
	free(fib->link);
	free(fib->entries);
	free(fib->nexthops);
	free(fib);
}

static const char *
print(uint8_t family, const union address *a, char buf[INET6_ADDRSTRLEN])
{
	inet_ntop(family == FAMILY_IPV4 ? AF_INET : AF_INET6, a, buf, INET6_ADDRSTRLEN);
	return buf;
}

/* The broadcast address of an IPv4 subnet. */
static union address
broadcast_of(const struct route_address *a)
{
	union address b = a->address;

	b.v4 |= rte_cpu_to_be_32(a->len >= 32 ? 0 : UINT32_MAX >> a->len);
	return b;
}

/* Whether a gateway is what no gateway may be: the router itself, a subnet's broadcast. */
static bool
gateway_impossible(const struct fib *fib, const struct route_entry *entry)
{
	uint32_t i;

	for (i = 0; i < fib->address_count; i++) {
		const struct route_address *a = &fib->addresses[i];
		union address broadcast;

		if (a->family != entry->family)
			continue;
		if (a->family == FAMILY_IPV6 && is_link_local6(&a->address) &&
			a->port != entry->port)
			continue;
		if (memcmp(&a->address, &entry->via, sizeof(a->address)) == 0)
			return true;
		broadcast = broadcast_of(a);
		if (a->family == FAMILY_IPV4 && a->len < 31 && broadcast.v4 == entry->via.v4)
			return true;
	}
	return false;
}

/* The longest on-link prefix that holds the gateway, on the entry's port if it names one:
 * fib_check_nh(). */
static uint16_t
gateway_port(
	const struct route_config *config, const struct fib *fib, const struct route_entry *entry)
{
	uint16_t port = PORT_NONE;
	int longest = -1;
	uint32_t i;

	for (i = 0; i < fib->address_count; i++) {
		const struct route_address *a = &fib->addresses[i];

		if (a->family == entry->family && a->len > longest && a->len < 128 &&
			(entry->port == PORT_NONE || entry->port == a->port) &&
			prefix_holds(&a->address, a->len, &entry->via)) {
			longest = a->len;
			port = a->port;
		}
	}
	for (i = 0; i < config->entry_count; i++) {
		const struct route_entry *e = &config->entries[i];

		if (e->family == entry->family && e->type == ROUTE_UNICAST && !e->has_via &&
			(int)e->len > longest &&
			(entry->port == PORT_NONE || entry->port == e->port) &&
			prefix_holds(&e->dst, e->len, &entry->via)) {
			longest = e->len;
			port = e->port;
		}
	}
	return port;
}

static int
gateway_resolve(const struct route_config *config, const struct fib *fib, struct route_entry *entry,
	char err[ROUTE_ERR_LEN])
{
	char to[INET6_ADDRSTRLEN], via[INET6_ADDRSTRLEN];
	uint16_t port;

	print(entry->family, &entry->dst, to);
	if (entry->port != PORT_NONE && !config->port_used[entry->port]) {
		snprintf(err, ROUTE_ERR_LEN, "the route to %s/%u leaves by a port that is gone", to,
			entry->len);
		return -ENODEV;
	}
	if (!entry->has_via)
		return 0;
	print(entry->family, &entry->via, via);
	if (gateway_impossible(fib, entry)) {
		snprintf(err, ROUTE_ERR_LEN,
			"the gateway %s of the route to %s/%u is an address of the router or a "
			"broadcast address",
			via, to, entry->len);
		return -EINVAL;
	}
	port = gateway_port(config, fib, entry);
	if (port == PORT_NONE) {
		snprintf(err, ROUTE_ERR_LEN,
			"the gateway %s of the route to %s/%u is in no subnet of %s", via, to,
			entry->len, entry->port == PORT_NONE ? "any port" : "its port");
		return -ENETUNREACH;
	}
	entry->port = port;
	return 0;
}

/* The address that a secondary's routes prefer: its subnet's primary, which comes before it. */
static rte_be32_t
primary_of(const struct fib *fib, const struct route_address *a)
{
	const struct route_address *p = &fib->addresses[fib->range4[a->port].first];

	while (p->secondary || p->len != a->len || !prefix_holds(&p->address, p->len, &a->address))
		p++;
	return p->address.v4;
}

/* What follows from an address: fib_add_ifaddr(), addrconf_join_anycast(). */
static void
add_address(const struct fib *fib, const struct nexthop_set *set, const struct route_address *a,
	struct prefix_list *list)
{
	uint8_t host = a->family == FAMILY_IPV4 ? 32 : 128;
	union address subnet = prefix_of(&a->address, a->len);
	static const union address zero;
	struct leaf leaf = {ROUTE_LOCAL, 0, a->port, NEXTHOP_NONE, 0};
	union address broadcast;

	if (a->family == FAMILY_IPV6 && is_link_local6(&a->address))
		return; /* of one port only: lookup_link_local() */
	if (a->secondary)
		leaf.source = primary_of(fib, a);
	prefix_add(list, a->family, &a->address, host, PREFIX_LOCAL, &leaf, NULL);
	if (a->secondary || memcmp(&subnet, &zero, sizeof(zero)) == 0)
		return;
	if (a->family == FAMILY_IPV4 && a->len < 31) {
		broadcast = broadcast_of(a);
		leaf.type = ROUTE_BROADCAST;
		prefix_add(list, a->family, &broadcast, host, PREFIX_LOCAL, &leaf, NULL);
	}
	if (a->family == FAMILY_IPV6 && a->len < 127) {
		leaf.type = ROUTE_ANYCAST;
		prefix_add(list, a->family, &subnet, host, PREFIX_LOCAL, &leaf, NULL);
	}
	if (a->len == host)
		return;
	leaf = (struct leaf){ROUTE_UNICAST, 1, a->port, nexthop_find(set, a->family, a->port, NULL),
		a->family == FAMILY_IPV4 ? a->address.v4 : 0};
	prefix_add(list, a->family, &subnet, a->len, PREFIX_MAIN, &leaf, NULL);
}

static void
add_entry(const struct nexthop_set *set, const struct route_entry *e, struct prefix_list *list)
{
	struct leaf leaf = {e->type, 0, PORT_NONE, NEXTHOP_NONE, 0};

	if (e->type == ROUTE_UNICAST) {
		leaf.on_link = !e->has_via;
		leaf.port = e->port;
		leaf.nexthop = nexthop_find(set, e->family, e->port, e->has_via ? &e->via : NULL);
	}
	prefix_add(list, e->family, &e->dst, e->len, PREFIX_MAIN, &leaf, e);
}

/* Give each neighbour that is on-link on its port a prefix of its own with its next hop. */
static int
add_neighbours(const struct route_config *config, const struct nexthop_set *set, uint8_t family,
	struct prefix_list *list)
{
	uint8_t host = family == FAMILY_IPV4 ? 32 : 128;
	struct interval_list intervals;
	uint32_t routes = list->count;
	uint32_t i;

	if (intervals_build(list, &intervals) != 0)
		return -ENOMEM;
	for (i = 0; i < config->neighbour_count; i++) {
		const struct route_neighbour *n = &config->neighbours[i];
		struct key6 key = key_of(&n->address, n->family);
		struct leaf leaf;
		uint16_t found;

		if (n->family != family || (family == FAMILY_IPV6 && is_link_local6(&n->address)))
			continue;
		found = interval_find(&intervals, &key);
		if (found == 0)
			continue;
		leaf = list->prefixes[found - 1].leaf;
		if (leaf.type != ROUTE_UNICAST || !leaf.on_link || leaf.port != n->port)
			continue;
		leaf.nexthop = nexthop_find(set, n->family, n->port, &n->address);
		prefix_add(list, family, &n->address, host, PREFIX_NEIGHBOUR, &leaf, NULL);
	}
	free(intervals.intervals);
	if (list->count > routes)
		prefixes_sort(list);
	return 0;
}

/* The listing keeps routes, not the neighbours' prefixes. */
static void
list_entries(const struct prefix_list *list, uint8_t family, struct fib *fib)
{
	uint32_t i;

	for (i = 0; i < list->count; i++) {
		const struct prefix *p = &list->prefixes[i];
		struct route_entry *e = &fib->entries[fib->entry_count];

		if (p->entry != NULL)
			*e = *p->entry;
		else
			*e = (struct route_entry){
				.family = family,
				.len = p->len,
				.type = p->leaf.type,
				.connected = true,
				.port = p->leaf.port,
				.dst = address_of(&p->start),
			};
		e->nexthop = p->leaf.nexthop;
		fib->entry_count++;
	}
}

/* Leaves and intervals as the workers search them. */
static int
tables_write(const struct prefix_list *list, uint8_t family, struct fib *fib)
{
	struct interval_list intervals;
	struct leaf *leaves;
	uint16_t *leaf;
	void *start;
	uint32_t i;

	if (intervals_build(list, &intervals) != 0)
		return -ENOMEM;
	leaves = calloc(list->count + 1, sizeof(*leaves));
	leaf = calloc(intervals.count, sizeof(*leaf));
	start = calloc(intervals.count,
		family == FAMILY_IPV4 ? sizeof(*fib->v4.start) : sizeof(*fib->v6.start));
	if (family == FAMILY_IPV4) {
		fib->leaves4 = leaves;
		fib->v4 = (struct lpm4){start, leaf, intervals.count};
	} else {
		fib->leaves6 = leaves;
		fib->v6 = (struct lpm6){start, leaf, intervals.count};
	}
	if (leaves == NULL || leaf == NULL || start == NULL) {
		free(intervals.intervals);
		return -ENOMEM;
	}
	leaves[0] = (struct leaf){ROUTE_NONE, 0, PORT_NONE, NEXTHOP_NONE, 0};
	for (i = 0; i < list->count; i++)
		leaves[i + 1] = list->prefixes[i].leaf;
	for (i = 0; i < intervals.count; i++) {
		leaf[i] = intervals.intervals[i].leaf;
		if (family == FAMILY_IPV4)
			fib->v4.start[i] = (uint32_t)(intervals.intervals[i].start.high >> 32);
		else
			fib->v6.start[i] = intervals.intervals[i].start;
	}
	free(intervals.intervals);
	return 0;
}

static int
family_build(const struct route_config *config, const struct nexthop_set *set, uint8_t family,
	struct prefix_list *list, struct fib *fib, char err[ROUTE_ERR_LEN])
{
	const struct prefix *clash;
	char text[INET6_ADDRSTRLEN];
	union address dst;
	uint32_t i;

	list->count = 0;
	for (i = 0; i < fib->address_count; i++) {
		if (fib->addresses[i].family == family)
			add_address(fib, set, &fib->addresses[i], list);
	}
	for (i = 0; i < config->entry_count; i++) {
		if (config->entries[i].family == family)
			add_entry(set, &config->entries[i], list);
	}
	clash = prefixes_sort(list);
	if (clash != NULL) {
		dst = address_of(&clash->start);
		snprintf(err, ROUTE_ERR_LEN,
			"the route to %s/%u exists already: it follows from a port's address",
			print(family, &dst, text), clash->len);
		return -EEXIST;
	}
	list_entries(list, family, fib);
	if (add_neighbours(config, set, family, list) != 0)
		return -ENOMEM;
	return tables_write(list, family, fib);
}

static int
prefixes_build(const struct route_config *config, const struct nexthop_set *set, struct fib *fib,
	char err[ROUTE_ERR_LEN])
{
	uint32_t routes = 3 * fib->address_count + config->entry_count;
	struct prefix_list list = {0};
	int ret = -ENOMEM;

	list.prefixes =
		calloc((size_t)routes + config->neighbour_count + 1, sizeof(*list.prefixes));
	fib->entries = calloc((size_t)routes + 1, sizeof(*fib->entries));
	if (list.prefixes != NULL && fib->entries != NULL)
		ret = family_build(config, set, FAMILY_IPV4, &list, fib, err);
	if (ret == 0)
		ret = family_build(config, set, FAMILY_IPV6, &list, fib, err);
	free(list.prefixes);
	return ret;
}

static int
compare_links(const void *a, const void *b)
{
	const struct link_neighbour *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return key_compare(&x->address, &y->address);
}

/* Link-local neighbours and gateways, by port. */
static int
links_build(const struct nexthop_set *set, struct fib *fib)
{
	union address a;
	uint32_t i;

	fib->link = calloc(set->count + 1, sizeof(*fib->link));
	if (fib->link == NULL)
		return -ENOMEM;
	for (i = 0; i < set->count; i++) {
		const struct nexthop_key *key = &set->keys[i];

		a = address_of(&key->address);
		if (key->family == FAMILY_IPV6 && is_link_local6(&a))
			fib->link[fib->link_count++] =
				(struct link_neighbour){key->address, key->port, key->index};
	}
	qsort(fib->link, fib->link_count, sizeof(*fib->link), compare_links);
	return 0;
}

int
fib_build(struct route_config *config, const struct fib *before, struct fib **out,
	char err[ROUTE_ERR_LEN])
{
	struct fib *fib = calloc(1, sizeof(*fib));
	struct nexthop_set set = {0};
	uint16_t port;
	uint32_t i;
	int ret;

	snprintf(err, ROUTE_ERR_LEN, "out of memory");
	if (fib == NULL)
		return -ENOMEM;
	ret = addresses_build(config, fib);
	for (i = 0; ret == 0 && i < config->entry_count; i++)
		ret = gateway_resolve(config, fib, &config->entries[i], err);
	if (ret == 0)
		ret = nexthops_build(config, before, fib, &set);
	if (ret == 0)
		ret = links_build(&set, fib);
	if (ret == 0)
		ret = prefixes_build(config, &set, fib, err);
	for (port = 0; ret == 0 && port < PORT_MAX; port++)
		fib->glean6[port] = nexthop_find(&set, FAMILY_IPV6, port, NULL);
	free(set.keys);
	if (ret != 0) {
		fib_free(fib);
		return ret;
	}
	*out = fib;
	return 0;
}
