/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a committed batch changed, told to monitors and to a client that asked
 * for an echo (nf_tables_commit's notifications).
 */
#include <arpa/inet.h>

#include "clock.h"
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

/* Several fields of an item that a message changed, one behind the other, are one event. */
static bool
told_before(const struct store *store, uint32_t at)
{
	const struct store_change *change = &store->log[at], *before = change - 1;

	return at != 0 && before->item == change->item && before->seq == change->seq &&
	       (before->op == STORE_FIELD || before->op == STORE_SWAPPED);
}

/*
 * Elements of a set that went as a whole are not told of, nor are `jump { }`'s
 * chain and its rules when the rule goes that has it.
 */
static bool
told(const struct store *store, uint32_t at)
{
	const struct store_change *change = &store->log[at];

	/* A rule that only learned another name of its chain. */
	if (change->op == STORE_SWAPPED && change->item->kind == STORE_RULE)
		return false;
	if (change->op == STORE_FIELD || change->op == STORE_SWAPPED)
		return !change->quiet && !told_before(store, at);
	if (change->op != STORE_REMOVED)
		return change->item->kind != STORE_ELEM ||
		       !((const struct store_elem *)change->item)->shadow;
	switch (change->item->kind) {
	case STORE_ELEM: return ((const struct store_elem *)change->item)->set->item.linked;
	case STORE_CHAIN: return !((const struct store_chain *)change->item)->binding;
	case STORE_RULE: return !((const struct store_rule *)change->item)->chain->binding;
	default: return true;
	}
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

/* An element: what a packet added is told of as it is. */
static void
fill_gone_elem(struct nft_wire *wire, struct nlmsghdr *nlh, const struct store_elem *elem)
{
	struct nft_dynamic_elem *added =
		elem->shadow ? nft_dynamic_find(elem->set->dynamic, elem->e.bytes, clock_ns())
			     : NULL;

	if (added != NULL)
		wire_fill_dynamic(nlh, elem->set, added);
	else
		wire_fill(wire, nlh, &elem->item);
}

/* Of what is gone only the name is told, and the handle. Rules and elements are told whole. */
static void
fill_gone(struct nft_wire *wire, struct nlmsghdr *nlh, const struct store_item *item)
{
	const struct store_object *object = (const struct store_object *)item;

	switch (item->kind) {
	case STORE_TABLE:
		mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, ((const struct store_table *)item)->name);
		wire_put_u64(nlh, NFTA_TABLE_HANDLE, item->handle);
		break;
	case STORE_CHAIN:
		mnl_attr_put_strz(
			nlh, NFTA_CHAIN_TABLE, ((const struct store_chain *)item)->table->name);
		mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, ((const struct store_chain *)item)->name);
		wire_put_u64(nlh, NFTA_CHAIN_HANDLE, item->handle);
		break;
	case STORE_SET:
		mnl_attr_put_strz(
			nlh, NFTA_SET_TABLE, ((const struct store_set *)item)->table->name);
		mnl_attr_put_strz(nlh, NFTA_SET_NAME, ((const struct store_set *)item)->name);
		wire_put_u64(nlh, NFTA_SET_HANDLE, item->handle);
		break;
	case STORE_OBJECT:
		mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, object->table->name);
		mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, object->name);
		mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(object->type));
		wire_put_u64(nlh, NFTA_OBJ_HANDLE, item->handle);
		break;
	case STORE_FLOWTABLE:
		mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_TABLE,
			((const struct store_flowtable *)item)->table->name);
		mnl_attr_put_strz(
			nlh, NFTA_FLOWTABLE_NAME, ((const struct store_flowtable *)item)->name);
		wire_put_u64(nlh, NFTA_FLOWTABLE_HANDLE, item->handle);
		break;
	case STORE_ELEM: fill_gone_elem(wire, nlh, (const struct store_elem *)item); break;
	default: wire_fill(wire, nlh, item); break;
	}
}

void
wire_fill_generation(
	const struct nft_wire *wire, struct nlmsghdr *nlh, const struct nft_client *asker)
{
	mnl_attr_put_u32(nlh, NFTA_GEN_ID, htonl(wire->store->generation));
	mnl_attr_put_u32(nlh, NFTA_GEN_PROC_PID, htonl(asker->pid));
	mnl_attr_put_strz(nlh, NFTA_GEN_PROC_NAME, asker->name);
}

/* Whether packets have used up a quota. */
static bool
depleted(const struct nft_wire *wire, const struct store_object *object)
{
	return object->statement.kind == NFT_STATEMENT_QUOTA && object->state != STORE_NO_STATE &&
	       atomic_load_explicit(&wire->store->states->buckets[object->state].words[1],
		       memory_order_relaxed) != 0;
}

/* Quotas that have been used up since the last look are told of. */
static void
look(struct nft_wire *wire)
{
	bool watched = wire->watched;
	struct nlmsghdr *nlh;

	wire->watched = false;
	for (const struct nft_client *c = wire->clients; c != NULL; c = c->next)
		wire->watched = wire->watched || (c->groups & GROUP);
	store_for_each(table, &wire->store->tables)
	{
		/* Of what was used up before anybody listened nobody is told. */
		if (!wire->watched)
			break;
		store_for_each(item, &((struct store_table *)table)->objects)
		{
			struct store_object *object = (struct store_object *)item;
			bool before = object->depleted;

			object->depleted = depleted(wire, object);
			if (before || !object->depleted || !watched)
				continue;
			nlh = wire_begin(wire, NFT_MSG_NEWOBJ, 0, 0, wire_family(item));
			wire_fill(wire, nlh, item);
			tell(wire, NULL, nlh);
		}
	}
}

void
wire_events(struct nft_wire *wire, struct nft_client *client, const struct nlmsghdr *first)
{
	const struct store *store = wire->store;
	struct nlmsghdr *nlh;

	look(wire);
	for (uint32_t i = 0; i < store->log_count; i++) {
		const struct store_change *change = &store->log[i];
		const struct store_item *item = change->item;

		if (!told(store, i))
			continue;
		nlh = wire_begin(wire,
			change->op == STORE_REMOVED ? wire_del_type(item->kind)
						    : wire_new_type(item->kind),
			flags_of(change), change->seq, wire_family(item));
		if (change->op == STORE_REMOVED)
			fill_gone(wire, nlh, item);
		else
			wire_fill(wire, nlh, item);
		tell(wire, change->echo ? client : NULL, nlh);
	}
	nlh = wire_begin(
		wire, NFT_MSG_NEWGEN, 0, first != NULL ? first->nlmsg_seq : 0, NFPROTO_UNSPEC);
	wire_fill_generation(wire, nlh, client);
	tell(wire, first != NULL && (first->nlmsg_flags & NLM_F_ECHO) ? client : NULL, nlh);
}

void
nft_wire_look(struct nft_wire *wire)
{
	wire_lease_look(wire);
	wire_next(wire);
	look(wire);
}
