/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests as iptables-nft makes them, for fuzz_nft to change.
 */
#ifndef SHUNT_TESTS_FUZZ_XT_H
#define SHUNT_TESTS_FUZZ_XT_H

#include <stddef.h>
#include <stdint.h>

/* The n-th request into 4096 bytes. Returns its length, 0: there are no more. */
size_t fuzz_xt_request(unsigned int n, uint8_t *out);

#endif
