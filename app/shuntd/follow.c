/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's nf_tables, copied: first whole, then by its events, a transaction of
 * the kernel's a transaction here. Whatever is not understood, or was lost, ends in
 * another whole copy; what that cannot hold leaves the last good one in force, and is
 * said. A copy is one batch of nft's wire: it is in force as a whole, or not at all.
 */
#include "follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "follow_priv.h"
#include "log.h"

#define RETRY_NS NS_PER_SEC
#define FIRST_MS 30000 /* within which the first copy is there, or the kernel is silent */

void
follow_tell(struct follow *f, const char *event, const char *why)
{
	if (f->ruleset->daemon->rpc != NULL)
		rpc_event(f->ruleset->daemon->rpc, event, json_pack("{ss}", "why", why));
}

void
follow_state(struct follow *f, enum follow_state state)
{
	f->state = state;
	loop_modify(
		f->events_watch, state == FOLLOW_READY || state == FOLLOW_DRAINING ? EPOLLIN : 0);
}

void
follow_fail(struct follow *f, const char *why, int err, bool retry)
{
	bool new = f->synced || f->why[0] == '\0';

	snprintf(f->why, sizeof(f->why), "%.180s: %s", why, strerror(-err));
	f->synced = false;
	follow_state(f, FOLLOW_READY);
	if (retry)
		loop_timer_arm(f->again, RETRY_NS, 0);
	if (!new)
		return;
	log_err("the kernel's ruleset is not followed: %s; the last good one stays in force",
		f->why);
	follow_tell(f, "follow-failed", f->why);
}

static void
answer(void *ctx, const void *datagram, size_t len, bool event)
{
	const struct nlmsghdr *nlh = datagram;
	struct follow *f = ctx;
	int left = (int)len;

	for (; !event && mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		const struct nlmsgerr *error = mnl_nlmsg_get_payload(nlh);

		if (nlh->nlmsg_type != NLMSG_ERROR || f->refused != 0 ||
			mnl_nlmsg_get_payload_len(nlh) < sizeof(*error) || error->error == 0)
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

	follow_state(f, FOLLOW_READY);
	if (f->refused == 0) {
		f->generation = f->next;
		*(f->whole ? &f->copies : &f->changes) += 1;
		if (!f->synced && f->why[0] != '\0')
			log_warning("the kernel's ruleset is followed again");
		f->synced = true;
		f->why[0] = '\0';
	} else if (f->whole) {
		nft_batch_name(batch, f->culprit, name, sizeof(name));
		follow_fail(f, name, f->refused, f->refused == -ENOMEM);
	} else {
		/* An event says less than a dump: chains without a name, places. */
		f->stale = true;
	}
	nft_batch_clear(batch);
	if (f->stale)
		follow_copy(f);
}

void
follow_apply(struct follow *f, bool whole, uint32_t generation)
{
	struct nft_batch *batch = whole ? &f->copy : &f->change;

	follow_state(f, FOLLOW_APPLYING);
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

	f->room = malloc(FOLLOW_ROOM);
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
	rc = loop_add(loop, f->events, EPOLLIN, follow_on_events, f, &f->events_watch);
	if (rc == 0)
		rc = loop_add(loop, f->dumps, EPOLLIN, follow_on_dumps, f, &f->dumps_watch);
	return rc == 0 ? loop_timer_create(loop, follow_copy, f, &f->again) : rc;
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
	follow_copy(f);
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
