/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What follow.c, follow_copy.c and follow_events.c share; nobody else's. A follower is
 * in one state at a time, and follow_state() alone changes it.
 */
#ifndef SHUNT_APP_FOLLOW_PRIV_H
#define SHUNT_APP_FOLLOW_PRIV_H

#include <linux/netlink.h>

#include "follow.h"
#include "mirror.h"

#define FOLLOW_ROOM  (256 * 1024)
#define FOLLOW_READS 64 /* of a socket, before others have their turn */

/* A whole copy, step by step. */
enum follow_step {
	STEP_BEFORE, /* the generation that is copied */
	STEP_TABLES,
	STEP_CHAINS,
	STEP_OBJECTS,
	STEP_SETS,
	STEP_ELEMENTS, /* of each set */
	STEP_FLOWTABLES,
	STEP_RULES,
	STEP_AFTER, /* is it still that one? */
};

enum follow_state {
	FOLLOW_READY,	 /* for events */
	FOLLOW_DRAINING, /* events were lost: what is left of them is of no use */
	FOLLOW_COPYING,	 /* all of it, by dumps */
	FOLLOW_APPLYING, /* a batch comes into force */
};

/* A set whose elements are still to be asked for. */
struct follow_set {
	uint8_t family;
	char table[STORE_NAME], set[STORE_NAME];
};

struct follow {
	struct ruleset *ruleset;
	struct nft_client *client;
	int events, dumps; /* netlink sockets */
	struct loop_fd *events_watch, *dumps_watch;
	struct loop_timer *again;
	uint8_t *room;
	enum follow_state state;
	enum follow_step step;
	bool whole;		   /* what is being applied is a whole copy */
	bool synced;		   /* the kernel's generation is in force here */
	bool stale;		   /* a whole copy is needed after this */
	uint32_t generation, next; /* the kernel's, in force here; about to be */
	uint32_t seq;
	struct nft_batch copy, change; /* from dumps; from events */
	struct follow_set *sets;
	unsigned int set_count, set_at;
	int refused;	  /* of the batch at hand: the first error, 0 */
	uint32_t culprit; /* and its message */
	uint64_t copies, changes, lost;
	char why[256]; /* not synced: because of this */
};

/* Another state: events are read in the first two alone, and wait in the socket else. */
void follow_state(struct follow *f, enum follow_state state);

/*
 * The copy is not the kernel's ruleset any more. Retry: not because of what the ruleset
 * is, so another copy is made in a while, even if the kernel's does not change.
 */
void follow_fail(struct follow *f, const char *why, int err, bool retry);

/* An event of the event stream. */
void follow_tell(struct follow *f, const char *event, const char *why);

/* Bring the batch of a whole copy, or of events, into force: a generation of the kernel's. */
void follow_apply(struct follow *f, bool whole, uint32_t generation);

/* The kernel's generation, of a NEWGEN. */
uint32_t follow_generation(const struct nlmsghdr *nlh);

/* Begin a whole copy; for a timer too. */
void follow_copy(void *follow);

/* Loop callbacks, of the two sockets. */
void follow_on_dumps(void *follow, uint32_t events);
void follow_on_events(void *follow, uint32_t events);

#endif
