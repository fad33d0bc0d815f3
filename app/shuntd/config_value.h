/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Scalars of the config file, read strictly: the whole text, nothing but what
 * is documented.
 */
#ifndef SHUNT_APP_CONFIG_VALUE_H
#define SHUNT_APP_CONFIG_VALUE_H

#include "config.h"

/** A decimal number, min to max. @return 0, -EINVAL (no number), -ERANGE */
int value_number(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/** A size in bytes: a number and K, M, G or T (of 1024). @return 0, -EINVAL, -ERANGE (over 2^64) */
int value_size(const char *text, uint64_t *out);

/** true or false (YAML 1.2's words, and no others). @return 0 or -EINVAL */
int value_bool(const char *text, bool *out);

/** A MAC address of a host: six bytes with colons, not multicast, not zero. @return 0 or -EINVAL */
int value_mac(const char *text, uint8_t mac[6]);

/** An address, IPv4 or IPv6 (inet_pton). @return 0 or -EINVAL */
int value_address(const char *text, uint8_t *family, union address *out);

/** An address and a prefix length: "10.0.0.1/24". @return 0 or -EINVAL */
int value_prefix(const char *text, struct config_prefix *out);

/** Whether an address lies in a prefix. */
bool prefix_covers(
	const struct config_prefix *prefix, uint8_t family, const union address *address);

/** Whether the bits beyond the prefix length are all zero, or all one. */
bool prefix_host_zero(const struct config_prefix *prefix);
bool prefix_host_ones(const struct config_prefix *prefix);

/** Whether an address can be a host's: not zero, multicast, loopback, broadcast. */
bool address_is_host(uint8_t family, const union address *address);

#endif
