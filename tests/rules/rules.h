/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for a dataplane that a test or benchmark walks by hand: shuntd's
 * ruleset with a control thread of its own, loaded by the stock nft.
 */
#ifndef SHUNT_TESTS_RULES_H
#define SHUNT_TESTS_RULES_H

#include <stddef.h>

#include "path.h"

struct rules;

/*
 * Over a dataplane, instead of the hooks that it has; exits with a message on
 * failure. names: of ports 0 and up, NULL ends them. shim: libshunt-nft.so.
 */
struct rules *rules_new(
	struct path *path, unsigned int workers, const char *const *names, const char *shim);

/*
 * Run nft with these arguments (NULL: none further); meanwhile is called until it
 * has ended, and must walk the workers: a commit waits for them. Its output goes
 * to out. Returns its exit status.
 */
int rules_nft(struct rules *rules, void (*meanwhile)(void *arg), void *arg, const char *a,
	const char *b, const char *c, char *out, size_t out_size);

/* nft -f with this text. */
int rules_load(struct rules *rules, void (*meanwhile)(void *arg), void *arg, const char *text,
	char *out, size_t out_size);

/* The control thread ends; the rules stay. */
void rules_stand(struct rules *rules);

/* The workers stand still. The dataplane has no hooks after it. */
void rules_free(struct rules *rules);

#endif
