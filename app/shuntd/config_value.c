/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
value_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(n, 10, &n) ||
			__builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
			return -ERANGE;
	}
	if (n < min || n > max)
		return -ERANGE;
	*out = n;
	return 0;
}

int
value_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMGT";
	size_t len = strlen(text);
	const char *unit;
	char digits[24];
	uint64_t n;
	int ret;

	if (len == 0 || len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, len + 1);
	unit = strchr(units, digits[len - 1]);
	if (unit != NULL)
		digits[len - 1] = '\0';
	ret = value_number(digits, 0, UINT64_MAX, &n);
	if (ret != 0)
		return ret;
	if (unit != NULL && __builtin_mul_overflow(n, 1ULL << (10 * (unit - units + 1)), &n))
		return -ERANGE;
	*out = n;
	return 0;
}

int
value_bool(const char *text, bool *out)
{
	*out = strcmp(text, "true") == 0;
	return *out || strcmp(text, "false") == 0 ? 0 : -EINVAL;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
value_mac(const char *text, uint8_t mac[6])
{
	static const uint8_t zero[6];
	int i;

	if (strlen(text) != 17)
		return -EINVAL;
	for (i = 0; i < 6; i++) {
		int high = hex_digit(text[3 * i]);
		int low = hex_digit(text[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return (mac[0] & 1) != 0 || memcmp(mac, zero, 6) == 0 ? -EINVAL : 0;
}

int
value_address(const char *text, uint8_t *family, union address *out)
{
	/* Not `= {0}`: that sets the union's first member, and the rest is the compiler's choice.
	 */
	memset(out, 0, sizeof(*out));
	*family = strchr(text, ':') != NULL ? FAMILY_IPV6 : FAMILY_IPV4;
	return inet_pton(*family == FAMILY_IPV6 ? AF_INET6 : AF_INET, text, out) == 1 ? 0 : -EINVAL;
}

static unsigned int
bits_of(uint8_t family)
{
	return family == FAMILY_IPV4 ? 32 : 128;
}

int
value_prefix(const char *text, struct config_prefix *out)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	uint64_t len;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (value_address(address, &out->family, &out->address) != 0 ||
		value_number(slash + 1, 0, bits_of(out->family), &len) != 0)
		return -EINVAL;
	out->len = (uint8_t)len;
	return 0;
}

/* Bit i of an address, from the most significant. */
static bool
bit(const union address *address, unsigned int i)
{
	return (address->v6[i / 8] >> (7 - i % 8) & 1) != 0;
}

bool
prefix_covers(const struct config_prefix *prefix, uint8_t family, const union address *address)
{
	unsigned int i;

	if (family != prefix->family)
		return false;
	for (i = 0; i < prefix->len; i++) {
		if (bit(&prefix->address, i) != bit(address, i))
			return false;
	}
	return true;
}

static bool
host_bits_are(const struct config_prefix *prefix, bool value)
{
	unsigned int i;

	for (i = prefix->len; i < bits_of(prefix->family); i++) {
		if (bit(&prefix->address, i) != value)
			return false;
	}
	return true;
}

bool
prefix_host_zero(const struct config_prefix *prefix)
{
	return host_bits_are(prefix, false);
}

bool
prefix_host_ones(const struct config_prefix *prefix)
{
	return host_bits_are(prefix, true);
}

bool
address_is_host(uint8_t family, const union address *address)
{
	static const uint8_t loopback6[16] = {[15] = 1};
	static const uint8_t zero[16];

	if (memcmp(address->v6, zero, 16) == 0)
		return false;
	if (family == FAMILY_IPV4)
		/* 0/8, 127/8, multicast, class E with the broadcast address. */
		return address->v6[0] != 0 && address->v6[0] != 127 && address->v6[0] < 224;
	return address->v6[0] != 0xff && memcmp(address->v6, loopback6, 16) != 0;
}
