/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's events, a transaction at a time. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "follow_priv.h"
#include "log.h"

/* The kernel has changed to a generation. */
static void
on_generation(struct follow *f, uint32_t generation)
{
	if (!f->synced || f->stale) {
		follow_copy(f);
	} else if ((int32_t)(generation - f->generation) <= 0) {
		/* It was copied with the rest. */
		nft_batch_clear(&f->change);
	} else if (generation != f->generation + 1) {
		follow_copy(f);
	} else if (f->change.len == 0) {
		/* Of what has no name nobody is told. */
		follow_copy(f);
	} else {
		follow_apply(f, false, generation);
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
		on_generation(f, follow_generation(nlh));
		return;
	}
	if (f->change.len == 0)
		nft_batch_begin(&f->change, false);
	if (nft_batch_add(&f->change, nlh, false) != 0)
		f->stale = true;
}

/*
 * Events were lost. The rest of the transaction may be what comes next, and would pass
 * for a whole one: a socket that was full takes nothing until it is empty, and says so
 * once only (netlink_overrun). What comes after it was emptied is of a transaction whose
 * generation the copy will have, or a later one.
 */
static void
lost(struct follow *f)
{
	f->lost++;
	follow_tell(f, "follow-lost", strerror(errno));
	log_warning("events of the kernel's ruleset were lost: it is copied again");
	follow_state(f, FOLLOW_DRAINING);
}

/*
 * A datagram has whole messages of one transaction at most up to its NEWGEN, which
 * comes alone (nft_commit_notify): what follows waits in the socket while a batch
 * comes into force.
 */
static void
datagram(struct follow *f, const struct nlmsghdr *nlh, int left)
{
	for (; f->state == FOLLOW_READY && mnl_nlmsg_ok(nlh, left);
		nlh = mnl_nlmsg_next(nlh, &left))
		event_message(f, nlh);
	/* Messages behind a generation in one datagram would be lost now. */
	if (f->state == FOLLOW_APPLYING && mnl_nlmsg_ok(nlh, left))
		f->stale = true;
}

void
follow_on_events(void *follow, uint32_t events)
{
	struct follow *f = follow;

	(void)events;
	for (unsigned int i = 0; i < FOLLOW_READS; i++) {
		ssize_t len;

		if (f->state != FOLLOW_READY && f->state != FOLLOW_DRAINING)
			return;
		len = recv(f->events, f->room, FOLLOW_ROOM, 0);
		if (len >= 0 && f->state == FOLLOW_READY)
			datagram(f, (const void *)f->room, (int)len);
		else if (len < 0 && errno == EAGAIN) {
			if (f->state == FOLLOW_DRAINING)
				follow_copy(f);
			return;
		} else if (len < 0 && errno != EINTR && f->state == FOLLOW_READY)
			lost(f);
	}
}
