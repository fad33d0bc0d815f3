/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ports, routes, neighbours */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "config_check.h"

#define PATH_SIZE 64

/* IPv4 needs 68 (RFC 791), IPv6 1,280 (RFC 8200 section 5). The largest that lib/port takes. */
#define MTU_MIN	 68
#define MTU_MIN6 1280
#define MTU_MAX	 65517

/* What the kernel takes for an interface name (dev_valid_name), and no control characters. */
static bool
name_is_valid(const char *name)
{
	size_t len = strlen(name);
	size_t i;

	if (len == 0 || len > 15 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c == '/' || c == ':' || isspace(c) || iscntrl(c) || c > 126)
			return false;
	}
	return true;
}

/* The index of a port by its name, or -1. */
static int
port_index(const struct check *c, const char *name, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		const char *other = c->config->ports[i].name;

		if (other != NULL && strcmp(other, name) == 0)
			return (int)i;
	}
	return -1;
}

static void
check_name(struct check *c, const struct raw_port *raw, unsigned int i)
{
	struct config_port *port = &c->config->ports[i];
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "ports[%u].name", i);
	if (raw->name == NULL)
		check_fail(c, path, "a port needs a name");
	else if (!name_is_valid(raw->name))
		check_fail(c, path,
			"\"%s\" is no interface name (1 to 15 characters, no / : or space)",
			raw->name);
	else if (strcmp(raw->name, "lo") == 0)
		check_fail(c, path, "\"lo\" is the loopback interface");
	else if (port_index(c, raw->name, i) >= 0)
		check_fail(c, path, "a port \"%s\" is there already", raw->name);
	else
		port->name = check_copy(c, raw->name);
}

static void
check_device(struct check *c, const struct raw_port *raw, unsigned int i)
{
	struct config_port *port = &c->config->ports[i];
	char path[PATH_SIZE];
	uint8_t mac[6];
	unsigned int j;

	snprintf(path, sizeof(path), "ports[%u].device", i);
	if (raw->device == NULL || raw->device[0] == '\0') {
		check_fail(c, path, "a port needs a device");
		return;
	}
	if (strncmp(raw->device, "mac:", 4) == 0 && value_mac(raw->device + 4, mac) != 0) {
		check_fail(c, path, "\"%s\" has no MAC address of a host", raw->device);
		return;
	}
	for (j = 0; j < i; j++) {
		const char *other = c->config->ports[j].device;

		if (other != NULL && strcmp(other, raw->device) == 0) {
			check_fail(c, path, "device \"%s\" is another port's already", other);
			return;
		}
	}
	port->device = check_copy(c, raw->device);
	port->place = place_of(c->index, path);
}

/* Whether any port up to number i has this address. */
static bool
address_taken(const struct check *c, const struct config_prefix *address, unsigned int i)
{
	unsigned int p;
	unsigned int a;

	for (p = 0; p <= i; p++) {
		const struct config_port *port = &c->config->ports[p];

		for (a = 0; a < port->address_count; a++) {
			if (port->addresses[a].family == address->family &&
				memcmp(&port->addresses[a].address, &address->address,
					sizeof(address->address)) == 0)
				return true;
		}
	}
	return false;
}

static void
check_address(struct check *c, const char *text, unsigned int i, unsigned int a)
{
	struct config_port *port = &c->config->ports[i];
	struct config_prefix address;
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "ports[%u].addresses[%u]", i, a);
	if (value_prefix(text, &address) != 0)
		check_fail(
			c, path, "\"%s\" is no address with a prefix length, as 10.0.0.1/24", text);
	else if (address.len == 0 || !address_is_host(address.family, &address.address))
		check_fail(c, path, "\"%s\" can be no host's address", text);
	else if (address.family == FAMILY_IPV4 && address.len < 31 && prefix_host_zero(&address))
		check_fail(c, path, "\"%s\" is the network's own address", text);
	else if (address.family == FAMILY_IPV4 && address.len < 31 && prefix_host_ones(&address))
		check_fail(c, path, "\"%s\" is the network's broadcast address", text);
	else if (address_taken(c, &address, i))
		check_fail(c, path, "\"%s\" is given twice", text);
	else
		port->addresses[port->address_count++] = address;
}

static void
check_addresses(struct check *c, const struct raw_port *raw, unsigned int i)
{
	struct config_port *port = &c->config->ports[i];
	char path[PATH_SIZE];
	unsigned int a;

	if (raw->addresses_count > CONFIG_ADDRESSES_MAX) {
		snprintf(path, sizeof(path), "ports[%u].addresses", i);
		check_fail(c, path, "at most %d addresses", CONFIG_ADDRESSES_MAX);
		return;
	}
	port->addresses = check_alloc(c, raw->addresses_count, sizeof(*port->addresses));
	if (port->addresses == NULL)
		return;
	for (a = 0; a < raw->addresses_count; a++)
		check_address(c, raw->addresses[a], i, a);
}

static bool
has_family(const struct config_port *port, uint8_t family)
{
	unsigned int a;

	for (a = 0; a < port->address_count; a++) {
		if (port->addresses[a].family == family)
			return true;
	}
	return false;
}

static void
check_link(struct check *c, const struct raw_port *raw, unsigned int i)
{
	struct config_port *port = &c->config->ports[i];
	char path[PATH_SIZE];
	uint64_t mtu;

	snprintf(path, sizeof(path), "ports[%u].mtu", i);
	if (raw->mtu != NULL && check_number(c, path, raw->mtu, MTU_MIN, MTU_MAX, &mtu)) {
		port->mtu = (uint16_t)mtu;
		if (mtu < MTU_MIN6 && has_family(port, FAMILY_IPV6))
			check_fail(c, path, "IPv6 needs an MTU of %d or more", MTU_MIN6);
	}
	if (raw->mac == NULL)
		return;
	snprintf(path, sizeof(path), "ports[%u].mac", i);
	port->has_mac = value_mac(raw->mac, port->mac) == 0;
	if (!port->has_mac)
		check_fail(c, path, "\"%s\" is no MAC address of a host", raw->mac);
}

static void
check_ports(struct check *c)
{
	unsigned int count = c->raw->ports_count;
	unsigned int i;

	if (count == 0) {
		check_fail(c, "ports", "at least one port is needed");
		return;
	}
	if (count > CONFIG_PORTS_MAX) {
		check_fail(c, "ports", "at most %d ports", CONFIG_PORTS_MAX);
		return;
	}
	c->config->ports = check_alloc(c, count, sizeof(*c->config->ports));
	if (c->config->ports == NULL)
		return;
	c->config->port_count = count;
	for (i = 0; i < count; i++) {
		check_name(c, &c->raw->ports[i], i);
		check_device(c, &c->raw->ports[i], i);
		check_addresses(c, &c->raw->ports[i], i);
		check_link(c, &c->raw->ports[i], i);
	}
}

/* The port that has a prefix with an address in it, other than its own; -1 without. */
static int
port_of(const struct config *config, uint8_t family, const union address *address)
{
	unsigned int p;
	unsigned int a;

	for (p = 0; p < config->port_count; p++) {
		for (a = 0; a < config->ports[p].address_count; a++) {
			if (prefix_covers(&config->ports[p].addresses[a], family, address))
				return (int)p;
		}
	}
	return -1;
}

static bool
is_own(const struct config *config, uint8_t family, const union address *address)
{
	unsigned int p;
	unsigned int a;

	for (p = 0; p < config->port_count; p++) {
		for (a = 0; a < config->ports[p].address_count; a++) {
			const struct config_prefix *own = &config->ports[p].addresses[a];

			if (own->family == family &&
				memcmp(&own->address, address, sizeof(*address)) == 0)
				return true;
		}
	}
	return false;
}

static bool
route_exists(const struct config *config, const struct config_prefix *to)
{
	unsigned int i;

	for (i = 0; i < config->route_count; i++) {
		const struct config_prefix *other = &config->routes[i].to;

		if (other->family == to->family && other->len == to->len &&
			memcmp(&other->address, &to->address, sizeof(to->address)) == 0)
			return true;
	}
	return false;
}

static bool
check_to(struct check *c, const struct raw_route *raw, unsigned int i, struct config_prefix *to)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "routes[%u].to", i);
	if (raw->to == NULL)
		check_fail(c, path, "a route needs `to`, a prefix");
	else if (value_prefix(raw->to, to) != 0)
		check_fail(c, path, "\"%s\" is no prefix, as 192.0.2.0/24", raw->to);
	else if (!prefix_host_zero(to))
		check_fail(c, path, "\"%s\" has bits beyond its prefix length", raw->to);
	else if (to->len != 0 && to->address.v6[0] >= (to->family == FAMILY_IPV4 ? 224 : 255))
		check_fail(c, path, "\"%s\" is multicast or reserved: not routed", raw->to);
	else if (route_exists(c->config, to))
		check_fail(c, path, "a route to \"%s\" is there already", raw->to);
	else
		return true;
	return false;
}

static bool
check_via(struct check *c, const struct raw_route *raw, unsigned int i, uint8_t family,
	struct config_route *route)
{
	char path[PATH_SIZE];
	uint8_t via_family;
	int port = -1;

	snprintf(path, sizeof(path), "routes[%u].via", i);
	if (raw->via == NULL) {
		check_fail(c, path, "a route needs `via`, a gateway's address");
		return false;
	}
	if (value_address(raw->via, &via_family, &route->via) != 0 ||
		!address_is_host(via_family, &route->via))
		check_fail(c, path, "\"%s\" is no host's address", raw->via);
	else if (family != 0 && via_family != family)
		check_fail(c, path, "the gateway \"%s\" is not of the route's family", raw->via);
	else if (is_own(c->config, via_family, &route->via))
		check_fail(c, path, "the gateway \"%s\" is this router itself", raw->via);
	else if ((port = port_of(c->config, via_family, &route->via)) < 0)
		check_fail(c, path, "no port has a prefix with the gateway \"%s\" in it", raw->via);
	route->port = port >= 0 ? (unsigned int)port : 0;
	return port >= 0;
}

static void
check_routes(struct check *c)
{
	unsigned int count = c->raw->routes_count;
	unsigned int i;

	if (count > CONFIG_ROUTES_MAX) {
		check_fail(c, "routes", "at most %d routes", CONFIG_ROUTES_MAX);
		return;
	}
	c->config->routes = check_alloc(c, count, sizeof(*c->config->routes));
	for (i = 0; i < count && c->config->routes != NULL; i++) {
		const struct raw_route *raw = &c->raw->routes[i];
		struct config_route route = {0};
		char path[PATH_SIZE];
		bool to = check_to(c, raw, i, &route.to);
		bool via = check_via(c, raw, i, to ? route.to.family : 0, &route);

		snprintf(path, sizeof(path), "routes[%u]", i);
		route.place = place_of(c->index, path);
		if (to && via)
			c->config->routes[c->config->route_count++] = route;
	}
}

/* Whether an address is link-local: on every link, without a prefix of its own. */
static bool
is_link_local6(uint8_t family, const union address *address)
{
	return family == FAMILY_IPV6 && address->v6[0] == 0xfe && (address->v6[1] & 0xc0) == 0x80;
}

static bool
on_link(const struct config_port *port, uint8_t family, const union address *address)
{
	unsigned int a;

	if (is_link_local6(family, address))
		return true;
	for (a = 0; a < port->address_count; a++) {
		if (prefix_covers(&port->addresses[a], family, address))
			return true;
	}
	return false;
}

static bool
neighbour_exists(const struct config *config, const struct config_neighbour *neighbour)
{
	unsigned int i;

	for (i = 0; i < config->neighbour_count; i++) {
		const struct config_neighbour *other = &config->neighbours[i];

		if (other->port == neighbour->port && other->family == neighbour->family &&
			memcmp(&other->address, &neighbour->address, sizeof(neighbour->address)) ==
				0)
			return true;
	}
	return false;
}

static void
check_neighbour(struct check *c, const struct raw_neighbour *raw, unsigned int i)
{
	struct config_neighbour n = {0};
	unsigned int before = c->errors;
	char path[PATH_SIZE];
	int port = -1;

	snprintf(path, sizeof(path), "neighbours[%u]", i);
	n.place = place_of(c->index, path);
	snprintf(path, sizeof(path), "neighbours[%u].port", i);
	if (raw->port == NULL)
		check_fail(c, path, "a neighbour needs a port");
	else if ((port = port_index(c, raw->port, c->config->port_count)) < 0)
		check_fail(c, path, "no port \"%s\"", raw->port);
	snprintf(path, sizeof(path), "neighbours[%u].mac", i);
	if (raw->mac == NULL)
		check_fail(c, path, "a neighbour needs a mac");
	else if (value_mac(raw->mac, n.mac) != 0)
		check_fail(c, path, "\"%s\" is no MAC address of a host", raw->mac);
	snprintf(path, sizeof(path), "neighbours[%u].address", i);
	n.port = port >= 0 ? (unsigned int)port : 0;
	if (raw->address == NULL)
		check_fail(c, path, "a neighbour needs an address");
	else if (value_address(raw->address, &n.family, &n.address) != 0 ||
		 !address_is_host(n.family, &n.address))
		check_fail(c, path, "\"%s\" is no host's address", raw->address);
	else if (is_own(c->config, n.family, &n.address))
		check_fail(c, path, "\"%s\" is this router itself", raw->address);
	else if (port >= 0 && !on_link(&c->config->ports[port], n.family, &n.address))
		check_fail(
			c, path, "\"%s\" is in no prefix of port \"%s\"", raw->address, raw->port);
	else if (port >= 0 && neighbour_exists(c->config, &n))
		check_fail(c, path, "\"%s\" is given twice", raw->address);
	if (c->errors == before)
		c->config->neighbours[c->config->neighbour_count++] = n;
}

static void
check_neighbours(struct check *c)
{
	unsigned int count = c->raw->neighbours_count;
	unsigned int i;

	if (count > CONFIG_NEIGHBOURS_MAX) {
		check_fail(c, "neighbours", "at most %d neighbours", CONFIG_NEIGHBOURS_MAX);
		return;
	}
	c->config->neighbours = check_alloc(c, count, sizeof(*c->config->neighbours));
	for (i = 0; i < count && c->config->neighbours != NULL; i++)
		check_neighbour(c, &c->raw->neighbours[i], i);
}

void
check_net(struct check *c)
{
	check_ports(c);
	check_routes(c);
	check_neighbours(c);
}
