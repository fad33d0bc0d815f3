/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole copy of the kernel's ruleset: its dumps, one after the other. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "follow_priv.h"

#define AGAIN_NS (20 * NS_PER_MS) /* after a copy that the kernel changed meanwhile */

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
		const struct follow_set *set = &f->sets[f->set_at];

		nfg->nfgen_family = set->family;
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, set->table);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set->set);
	}
	if (send(f->dumps, nlh, nlh->nlmsg_len, 0) < 0)
		follow_fail(f, "asking the kernel", -errno, true);
}

void
follow_copy(void *follow)
{
	struct follow *f = follow;

	follow_state(f, FOLLOW_COPYING);
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
	follow_state(f, FOLLOW_COPYING);
	f->seq++;
	loop_timer_arm(f->again, AGAIN_NS, 0);
}

static void
want_elements(struct follow *f, const struct nlmsghdr *nlh)
{
	struct follow_set set = {
		.family = ((const struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family};
	const struct nlattr *attr;
	struct follow_set *sets;

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

uint32_t
follow_generation(const struct nlmsghdr *nlh)
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
			follow_fail(f, "the kernel's nf_tables", err, true);
		return false;
	}
	if (nlh->nlmsg_type == NLMSG_DONE) {
		step_done(f);
		return false;
	}
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return true;
	if (f->step == STEP_BEFORE) {
		f->next = follow_generation(nlh);
		step_done(f);
		return false;
	}
	if (f->step == STEP_AFTER) {
		if (follow_generation(nlh) == f->next)
			follow_apply(f, true, f->next);
		else
			copy_again(f);
		return false;
	}
	if (f->step == STEP_SETS)
		want_elements(f, nlh);
	/* A message that is none of a dump's has nothing to copy. */
	(void)nft_batch_add(&f->copy, nlh, true);
	return true;
}

void
follow_on_dumps(void *follow, uint32_t events)
{
	struct follow *f = follow;

	(void)events;
	for (unsigned int i = 0; i < FOLLOW_READS; i++) {
		ssize_t len = recv(f->dumps, f->room, FOLLOW_ROOM, 0);
		const struct nlmsghdr *nlh = (const void *)f->room;
		int left = (int)len;

		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		/* Without room for an answer: not what a batch that is being applied waits for. */
		if (len < 0 && f->state == FOLLOW_COPYING) {
			copy_again(f);
			return;
		}
		for (; f->state == FOLLOW_COPYING && mnl_nlmsg_ok(nlh, left);
			nlh = mnl_nlmsg_next(nlh, &left))
			if (!copy_message(f, nlh))
				break;
	}
}
