/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a committed batch changed, told to monitors and to a client that asked
 * for an echo (nf_tables_commit's notifications).
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "wire_priv.h"

#define GROUP (1U << NFNLGRP_NFTABLES)

/* To all monitors, and to the asking client as an answer. */
static void
tell(struct nft_wire *wire, struct nft_client *asker, const struct nlmsghdr *nlh)
{
	for (struct nft_client *c = wire->clients; c != NULL; c = c->next)
		if (c->groups & GROUP)
			wire_send(c, nlh, true);
	if (asker != NULL)
		wire_send(asker, nlh, false);
}

/*
 * Elements of a set that went as a whole are not told of, nor is what only learned
 * another name of its chain.
 */
static bool
told(const struct store_change *change)
{
	if (change->op == STORE_SWAPPED && change->item->kind == STORE_RULE)
		return false;
	if (change->op == STORE_REMOVED && change->item->kind == STORE_ELEM)
		return ((const struct store_elem *)change->item)->set->item.linked;
	return true;
}

static uint16_t
flags_of(const struct store_change *change)
{
	uint16_t flags = change->flags & (NLM_F_CREATE | NLM_F_EXCL);

	if (change->op == STORE_REMOVED)
		return 0;
	if (change->item->kind == STORE_RULE && (change->flags & (NLM_F_APPEND | NLM_F_REPLACE)))
		flags |= NLM_F_APPEND;
	return flags;
}

void
wire_fill_generation(const struct nft_wire *wire, struct nlmsghdr *nlh)
{
	char name[16] = "";

	(void)prctl(PR_GET_NAME, name, 0, 0, 0);
	mnl_attr_put_u32(nlh, NFTA_GEN_ID, htonl(wire->store->generation));
	mnl_attr_put_u32(nlh, NFTA_GEN_PROC_PID, htonl((uint32_t)getpid()));
	mnl_attr_put_strz(nlh, NFTA_GEN_PROC_NAME, name);
}

void
wire_events(struct nft_wire *wire, struct nft_client *client, bool echo_generation)
{
	const struct store *store = wire->store;
	struct nlmsghdr *nlh;

	for (uint32_t i = 0; i < store->log_count; i++) {
		const struct store_change *change = &store->log[i];
		const struct store_item *item = change->item;

		if (!told(change))
			continue;
		nlh = wire_begin(wire,
			change->op == STORE_REMOVED ? wire_del_type(item->kind)
						    : wire_new_type(item->kind),
			flags_of(change), change->seq, wire_family(item));
		wire_fill(wire, nlh, item);
		tell(wire, change->echo ? client : NULL, nlh);
	}
	nlh = wire_begin(wire, NFT_MSG_NEWGEN, 0, 0, NFPROTO_UNSPEC);
	wire_fill_generation(wire, nlh);
	tell(wire, echo_generation ? client : NULL, nlh);
}
