/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses of ports in the order in which the kernel keeps those of an
 * interface: source selection takes the first that fits.
 */
#include <errno.h>
#include <stdlib.h>

#include "route_priv.h"

#define LINK_LOCAL_LEN 64

/* A primary before it has the same subnet: mask and bits (__inet_insert_ifa). */
static bool
is_secondary(const struct route_config *config, uint32_t index)
{
	const struct route_address *a = &config->addresses[index], *b;
	uint32_t i;

	for (i = 0; i < index; i++) {
		b = &config->addresses[i];
		if (b->port == a->port && b->family == FAMILY_IPV4 && b->len == a->len &&
			prefix_holds(&b->address, b->len, &a->address))
			return true;
	}
	return false;
}

/* An interface's IPv4 addresses: primaries as added, then secondaries as added. */
static void
list_port4(const struct route_config *config, uint16_t port, struct fib *fib)
{
	struct address_range *range = &fib->range4[port];
	int secondary;
	uint32_t i;

	range->first = (uint16_t)fib->address_count;
	for (secondary = 0; secondary < 2; secondary++) {
		for (i = 0; i < config->address_count; i++) {
			const struct route_address *a = &config->addresses[i];

			if (a->port != port || a->family != FAMILY_IPV4 ||
				is_secondary(config, i) != (secondary == 1))
				continue;
			fib->addresses[fib->address_count] = *a;
			fib->addresses[fib->address_count++].secondary = secondary == 1;
		}
	}
	range->count = (uint16_t)(fib->address_count - range->first);
}

/* The interface identifier from the MAC, RFC 4291 appendix A. */
static union address
link_local_of(const uint8_t mac[6])
{
	union address a = {
		.v6 = {0xfe, 0x80, [8] = mac[0] ^ 0x02, [9] = mac[1], [10] = mac[2], [11] = 0xff,
			[12] = 0xfe, [13] = mac[3], [14] = mac[4], [15] = mac[5]}};

	return a;
}

/*
 * An interface's IPv6 addresses: wider scopes first, in a scope the newest first
 * (ipv6_link_dev_addr). The link-local one is made unless one was given.
 */
static void
list_port6(const struct route_config *config, uint16_t port, struct fib *fib)
{
	struct address_range *range = &fib->range6[port];
	bool has_link = false;
	int link;
	uint32_t i;

	range->first = (uint16_t)fib->address_count;
	for (link = 0; link < 2; link++) {
		for (i = config->address_count; i-- > 0;) {
			const struct route_address *a = &config->addresses[i];

			if (a->port != port || a->family != FAMILY_IPV6 ||
				is_link_local6(&a->address) != (link == 1))
				continue;
			fib->addresses[fib->address_count++] = *a;
			has_link |= link == 1;
		}
	}
	range->count = (uint16_t)(fib->address_count - range->first);
	if (range->count == 0 || has_link)
		return;
	fib->addresses[fib->address_count++] = (struct route_address){
		.port = port,
		.family = FAMILY_IPV6,
		.len = LINK_LOCAL_LEN,
		.address = link_local_of(config->ports[port].mac),
	};
	range->count++;
}

int
addresses_build(const struct route_config *config, struct fib *fib)
{
	uint16_t port;

	fib->addresses = calloc(config->address_count + PORT_MAX, sizeof(*fib->addresses));
	if (fib->addresses == NULL)
		return -ENOMEM;
	for (port = 0; port < PORT_MAX; port++)
		list_port4(config, port, fib);
	for (port = 0; port < PORT_MAX; port++)
		list_port6(config, port, fib);
	return 0;
}
