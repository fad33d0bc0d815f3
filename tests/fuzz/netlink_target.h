/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The target of the netlink fuzzer, for libFuzzer (netlink_mutate.c) and for its
 * corpus without it (netlink_corpus.c).
 */
#ifndef SHUNT_TESTS_NETLINK_TARGET_H
#define SHUNT_TESTS_NETLINK_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* In nft_frame.flags. */
#define NETLINK_OTHER (1 << 8)
#define NETLINK_HOLD  (1 << 9)
#define NETLINK_GONE  (1 << 10)

/* Of all bytes that clients were answered. */
extern uint32_t netlink_sum;

/* Frames of clients, from an empty store to its end. Crashes if something is wrong. */
void netlink_target(const uint8_t *data, size_t size);

#endif
