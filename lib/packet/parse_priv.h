/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHUNT_PACKET_PARSE_PRIV_H
#define SHUNT_PACKET_PARSE_PRIV_H

#include <stdbool.h>
#include <stdint.h>

/* A chain of IPv6 extension headers. */
struct ext_headers {
	uint8_t proto; /* in: of the first; out: what follows the last one */
	bool fragment; /* there is a fragment header */
	bool later;    /* ... of a fragment that is not the first: data follows it */
	uint16_t len;  /* out: bytes of all */
};

/*
 * Follow the headers from p, room bytes. Returns 0, -EINVAL (truncated) or
 * -E2BIG (more than the parser follows).
 */
int parse_ext_headers(const uint8_t *p, uint32_t room, struct ext_headers *ext);

#endif
