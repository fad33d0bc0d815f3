/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's nf_tables, copied: first whole, then by its events, a transaction of
 * the kernel's a transaction here. Whatever is not understood, or was lost, ends in
 * another whole copy; what that cannot hold leaves the last good one in force, and is
 * said. A copy is one batch of nft's wire: it is in force as a whole, or not at all.
 */
#include "follow.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "log.h"
#include "mirror.h"

#define ROOM	 (256 * 1024)
#define READS	 64    /* of a socket, before others have their turn */
#define FIRST_MS 30000 /* within which the first copy is there, or the kernel is silent */
#define AGAIN_NS (20 * NS_PER_MS) /* after a copy that the kernel changed meanwhile */

/* A whole copy, step by step. */
enum step {
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

enum state {
	FOLLOW_READY,	 /* for events */
	FOLLOW_COPYING,	 /* all of it, by dumps */
	FOLLOW_APPLYING, /* a batch comes into force */
};

/* A set whose elements are still to be asked for. */
struct wanted {
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
	enum state state;
	enum step step;
	bool whole;		   /* what is being applied is a whole copy */
	bool synced;		   /* the kernel's generation is in force here */
	bool stale;		   /* a whole copy is needed after this */
	bool reading;		   /* events; who calls them has the buffer */
	uint32_t generation, next; /* the kernel's, in force here; about to be */
	uint32_t seq;
	struct nft_batch copy, change; /* from dumps; from events */
	struct wanted *sets;
	unsigned int set_count, set_at;
	int refused;	  /* of the batch at hand: the first error, 0 */
	uint32_t culprit; /* and its message */
	uint64_t copies, changes, lost;
	char why[256]; /* not synced: because of this */
};

static void copy_whole(struct follow *f);
static void read_events(struct follow *f);

static void
tell(struct follow *f, const char *event, const char *why)
{
	if (f->ruleset->daemon->rpc != NULL)
		rpc_event(f->ruleset->daemon->rpc, event, json_pack("{ss}", "why", why));
}

/* The copy is not the kernel's ruleset any more. */
static void
fail(struct follow *f, const char *why, int err)
{
	bool new = f->synced || f->why[0] == '\0';

	snprintf(f->why, sizeof(f->why), "%.180s: %s", why, strerror(-err));
	f->synced = false;
	f->state = FOLLOW_READY;
	if (!new)
		return;
	log_err("the kernel's ruleset is not followed: %s; the last good one stays in force",
		f->why);
	tell(f, "follow-failed", f->why);
}

/* --- batches */

static void
answer(void *ctx, const void *datagram, size_t len, bool event)
{
	const struct nlmsghdr *nlh = datagram;
	struct follow *f = ctx;
	int left = (int)len;

	for (; !event && mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		const struct nlmsgerr *error = mnl_nlmsg_get_payload(nlh);

		if (nlh->nlmsg_type != NLMSG_ERROR || error->error == 0 || f->refused != 0)
			continue;
		f->refused = error->error;
		f->culprit = error->msg.nlmsg_seq;
	}
}

static void
applied(void *ctx)
{
	struct follow *f = ctx;
	struct nft_batch *batch = f->whole ? &f->copy : &f->change;
	char name[200];

	f->state = FOLLOW_READY;
	if (f->refused == 0) {
		f->generation = f->next;
		*(f->whole ? &f->copies : &f->changes) += 1;
		if (!f->synced && f->why[0] != '\0')
			log_warning("the kernel's ruleset is followed again");
		f->synced = true;
		f->why[0] = '\0';
	} else if (f->whole) {
		nft_batch_name(batch, f->culprit, name, sizeof(name));
		fail(f, name, f->refused);
	} else {
		/* An event says less than a dump: chains without a name, places. */
		f->stale = true;
	}
	nft_batch_clear(batch);
	if (f->stale)
		copy_whole(f);
	else if (!f->reading)
		read_events(f);
}

static void
apply(struct follow *f, bool whole, uint32_t generation)
{
	struct nft_batch *batch = whole ? &f->copy : &f->change;

	f->state = FOLLOW_APPLYING;
	f->whole = whole;
	f->next = generation;
	f->refused = 0;
	if (nft_batch_end(batch) != 0) {
		f->refused = -ENOMEM;
		f->culprit = 0;
		applied(f);
		return;
	}
	nft_client_request(f->client, NETLINK_NETFILTER, batch->bytes, batch->len, applied, f);
}

/* --- a whole copy */

static const uint8_t step_messages[] = {
	[STEP_BEFORE] = NFT_MSG_GETGEN,
	[STEP_TABLES] = NFT_MSG_GETTABLE,
	[STEP_CHAINS] = NFT_MSG_GETCHAIN,
	[STEP_OBJECTS] = NFT_MSG_GETOBJ,
	[STEP_SETS] = NFT_MSG_GETSET,
	[STEP_ELEMENTS] = NFT_MSG_GETSETELEM,
	[STEP_FLOWTABLES] = NFT_MSG_GETFLOWTABLE,
	[STEP_RULES] = NFT_MSG_GETRULE,
	[STEP_AFTER] = NFT_MSG_GETGEN,
};

static void
ask(struct follow *f)
{
	uint8_t buf[MNL_NLMSG_HDRLEN + 64 + 2 * STORE_NAME];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	/* No sets, or no more of them. */
	if (f->step == STEP_ELEMENTS && f->set_at == f->set_count)
		f->step++;
	memset(nfg, 0, sizeof(*nfg));
	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | step_messages[f->step]);
	nlh->nlmsg_flags = NLM_F_REQUEST;
	if (f->step != STEP_BEFORE && f->step != STEP_AFTER)
		nlh->nlmsg_flags |= NLM_F_DUMP;
	nlh->nlmsg_seq = ++f->seq;
	if (f->step == STEP_ELEMENTS) {
		const struct wanted *set = &f->sets[f->set_at];

		nfg->nfgen_family = set->family;
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, set->table);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set->set);
	}
	if (send(f->dumps, nlh, nlh->nlmsg_len, 0) < 0)
		fail(f, "asking the kernel", -errno);
}

static void
copy_whole(struct follow *f)
{
	f->state = FOLLOW_COPYING;
	f->stale = false;
	f->step = STEP_BEFORE;
	f->set_count = f->set_at = 0;
	loop_timer_disarm(f->again);
	nft_batch_clear(&f->copy);
	nft_batch_clear(&f->change);
	nft_batch_begin(&f->copy, true);
	ask(f);
}

/* The kernel was changed meanwhile: not at once, it may be busy with that. */
static void
copy_again(struct follow *f)
{
	f->state = FOLLOW_COPYING;
	f->seq++;
	loop_timer_arm(f->again, AGAIN_NS, 0);
}

static void
on_again(void *arg)
{
	copy_whole(arg);
}

static void
want_elements(struct follow *f, const struct nlmsghdr *nlh)
{
	struct wanted set = {
		.family = ((const struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family};
	const struct nlattr *attr;
	struct wanted *sets;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg)) {
		unsigned int kind = mnl_attr_get_type(attr);
		char *to = kind == NFTA_SET_TABLE  ? set.table
			   : kind == NFTA_SET_NAME ? set.set
						   : NULL;

		if (to != NULL && mnl_attr_get_payload_len(attr) <= STORE_NAME)
			memcpy(to, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	}
	set.table[STORE_NAME - 1] = set.set[STORE_NAME - 1] = '\0';
	sets = realloc(f->sets, (f->set_count + 1) * sizeof(*sets));
	if (sets == NULL) {
		f->copy.no_memory = true;
		return;
	}
	f->sets = sets;
	sets[f->set_count++] = set;
}

/* The kernel's generation, of a NEWGEN. */
static uint32_t
generation_of(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;
	uint32_t generation = 0;

	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_GEN_ID &&
			mnl_attr_get_payload_len(attr) == sizeof(generation))
			generation = ntohl(mnl_attr_get_u32(attr));
	return generation;
}

static void
step_done(struct follow *f)
{
	if (f->step == STEP_ELEMENTS && ++f->set_at < f->set_count) {
		ask(f);
		return;
	}
	f->step++;
	ask(f);
}

/* A message of the answer to what was asked last. False: the answer is over, or of no use. */
static bool
copy_message(struct follow *f, const struct nlmsghdr *nlh)
{
	int err;

	if (nlh->nlmsg_seq != f->seq)
		return true;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR) {
		copy_again(f);
		return false;
	}
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		err = mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nlmsgerr)
			      ? -EBADMSG
			      : ((const struct nlmsgerr *)mnl_nlmsg_get_payload(nlh))->error;
		/* A set that is gone by now; a transaction in between. */
		if (err == -ENOENT || err == -EINTR || err == -EAGAIN || err == -EBUSY)
			copy_again(f);
		else
			fail(f, "the kernel's nf_tables", err);
		return false;
	}
	if (nlh->nlmsg_type == NLMSG_DONE) {
		step_done(f);
		return false;
	}
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return true;
	if (f->step == STEP_BEFORE) {
		f->next = generation_of(nlh);
		step_done(f);
		return false;
	}
	if (f->step == STEP_AFTER) {
		if (generation_of(nlh) == f->next)
			apply(f, true, f->next);
		else
			copy_again(f);
		return false;
	}
	if (f->step == STEP_SETS)
		want_elements(f, nlh);
	(void)nft_batch_add(&f->copy, nlh, true);
	return true;
}

static void
on_dumps(void *arg, uint32_t events)
{
	struct follow *f = arg;

	(void)events;
	for (unsigned int i = 0; i < READS; i++) {
		ssize_t len = recv(f->dumps, f->room, ROOM, 0);
		const struct nlmsghdr *nlh = (const void *)f->room;
		int left = (int)len;

		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (len < 0) {
			copy_again(f);
			return;
		}
		for (; f->state == FOLLOW_COPYING && mnl_nlmsg_ok(nlh, left);
			nlh = mnl_nlmsg_next(nlh, &left))
			if (!copy_message(f, nlh))
				break;
	}
}

/* --- events */

/* The kernel has changed to a generation. */
static void
on_generation(struct follow *f, uint32_t generation)
{
	if (!f->synced || f->stale) {
		copy_whole(f);
	} else if ((int32_t)(generation - f->generation) <= 0) {
		/* It was copied with the rest. */
		nft_batch_clear(&f->change);
	} else if (generation != f->generation + 1) {
		copy_whole(f);
	} else if (f->change.len == 0) {
		/* Of what has no name nobody is told. */
		copy_whole(f);
	} else {
		apply(f, false, generation);
	}
}

static void
event_message(struct follow *f, const struct nlmsghdr *nlh)
{
	unsigned int type = nlh->nlmsg_type & 0xff;

	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
		mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return;
	if (type == NFT_MSG_NEWGEN) {
		on_generation(f, generation_of(nlh));
		return;
	}
	if (f->change.len == 0)
		nft_batch_begin(&f->change, false);
	if (nft_batch_add(&f->change, nlh, false) != 0)
		f->stale = true;
}

/*
 * A datagram has whole messages of one transaction at most up to its NEWGEN, which
 * comes alone (nft_commit_notify): what follows waits in the socket while a batch
 * comes into force.
 */
static void
read_events(struct follow *f)
{
	f->reading = true;
	for (unsigned int i = 0; i < READS && f->state == FOLLOW_READY; i++) {
		ssize_t len = recv(f->events, f->room, ROOM, 0);
		const struct nlmsghdr *nlh = (const void *)f->room;
		int left = (int)len;

		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (len < 0) {
			/* ENOBUFS: events were lost. */
			f->lost++;
			tell(f, "follow-lost", strerror(errno));
			log_warning("events of the kernel's ruleset were lost: it is copied again");
			copy_whole(f);
			break;
		}
		for (; f->state == FOLLOW_READY && mnl_nlmsg_ok(nlh, left);
			nlh = mnl_nlmsg_next(nlh, &left))
			event_message(f, nlh);
		/* Messages behind a generation in one datagram would be lost now. */
		if (f->state == FOLLOW_APPLYING && left > 0 && mnl_nlmsg_ok(nlh, left))
			f->stale = true;
	}
	f->reading = false;
}

static void
on_events(void *arg, uint32_t events)
{
	(void)events;
	read_events(arg);
}

/* --- life */

/* The kernel's, whatever libmnl's sockets are here: the shim is linked into this program. */
static int
open_socket(void)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

	if (fd >= 0 && (bind(fd, (const void *)&kernel, sizeof(kernel)) != 0 ||
			       connect(fd, (const void *)&kernel, sizeof(kernel)) != 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
open_all(struct follow *f)
{
	struct loop *loop = f->ruleset->daemon->loop;
	int group = NFNLGRP_NFTABLES, rc;

	f->room = malloc(ROOM);
	f->client = nft_client_new(f->ruleset->wire, answer, f);
	if (f->room == NULL || f->client == NULL)
		return -ENOMEM;
	nft_client_is(f->client, 0, "follow");
	(void)nft_client_port(f->client, 0);
	f->events = open_socket();
	f->dumps = open_socket();
	if (f->events < 0 || f->dumps < 0 ||
		setsockopt(f->events, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) !=
			0)
		return -errno;
	rc = loop_add(loop, f->events, EPOLLIN, on_events, f, &f->events_watch);
	if (rc == 0)
		rc = loop_add(loop, f->dumps, EPOLLIN, on_dumps, f, &f->dumps_watch);
	return rc == 0 ? loop_timer_create(loop, on_again, f, &f->again) : rc;
}

int
follow_new(struct ruleset *ruleset, struct follow **out, char err[DAEMON_ERR_LEN])
{
	struct follow *f = calloc(1, sizeof(*f));
	uint64_t end;
	int rc = -ENOMEM;

	if (f != NULL) {
		f->ruleset = ruleset;
		f->events = f->dumps = -1;
		rc = open_all(f);
	}
	if (rc != 0) {
		snprintf(err, DAEMON_ERR_LEN, "the kernel's nf_tables: %s", strerror(-rc));
		follow_free(f);
		return rc;
	}
	nft_client_mirror(f->client);
	end = clock_ns() + FIRST_MS * NS_PER_MS;
	copy_whole(f);
	while (!f->synced && f->why[0] == '\0' && clock_ns() < end)
		(void)loop_once(ruleset->daemon->loop, 100);
	if (f->synced) {
		*out = f;
		return 0;
	}
	if (f->why[0] == '\0')
		snprintf(f->why, sizeof(f->why), "no answer");
	snprintf(err, DAEMON_ERR_LEN, "follow: %s", f->why);
	follow_free(f);
	return -EINVAL;
}

void
follow_free(struct follow *f)
{
	if (f == NULL)
		return;
	loop_timer_destroy(f->again);
	if (f->events_watch != NULL)
		loop_remove(f->events_watch);
	if (f->dumps_watch != NULL)
		loop_remove(f->dumps_watch);
	if (f->events >= 0)
		close(f->events);
	if (f->dumps >= 0)
		close(f->dumps);
	if (f->client != NULL)
		nft_client_free(f->client);
	nft_batch_free(&f->copy);
	nft_batch_free(&f->change);
	free(f->sets);
	free(f->room);
	free(f);
}

void
follow_show(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	const struct daemon *d = ctx;
	const struct follow *f = d->ruleset->follow;

	(void)params;
	if (f == NULL) {
		rpc_result(reply, json_pack("{ss}", "follow", "nothing"));
		return;
	}
	rpc_result(reply, json_pack("{ss sb sI sI sI sI ss}", "follow", "kernel", "synced",
				  f->synced, "generation", (json_int_t)f->generation, "copies",
				  (json_int_t)f->copies, "transactions", (json_int_t)f->changes,
				  "lost", (json_int_t)f->lost, "why", f->why));
}
