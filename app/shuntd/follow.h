/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * `follow: kernel`: the daemon's ruleset is a copy of the kernel's nf_tables, of the
 * network namespace that the daemon runs in. Control thread.
 */
#ifndef SHUNT_APP_FOLLOW_H
#define SHUNT_APP_FOLLOW_H

#include "ruleset.h"

struct follow;

/**
 * Take over the kernel's ruleset as it is now, and follow its changes; the loop runs
 * until the first copy is in force.
 * @return 0; a negative errno with err: no netlink, or what of the kernel's ruleset
 *   cannot be followed
 */
int follow_new(struct ruleset *ruleset, struct follow **out, char err[DAEMON_ERR_LEN]);

/** Free. The ruleset stays as it is. NULL is fine. */
void follow_free(struct follow *follow);

/** The method show.follow. @param ctx the daemon */
void follow_show(void *ctx, const json_t *params, struct rpc_reply *reply);

#endif
