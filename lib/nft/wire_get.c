/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions: dumps with filters, single gets, the generation, interfaces.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "wire_priv.h"

/* What a dump is asked for; empty names and 0 match all. */
struct filter {
	char table[STORE_NAME];
	char name[STORE_NAME]; /* chain of rules, set of elements */
	uint32_t type;
	bool reset;
};

static void
read_filter(struct wire_msg *msg, struct filter *filter, int table, int name)
{
	*filter = (struct filter){0};
	if (msg->attrs[table] != NULL)
		(void)wire_name(msg, msg->attrs[table], filter->table);
	if (name != 0 && msg->attrs[name] != NULL)
		(void)wire_name(msg, msg->attrs[name], filter->name);
}

static bool
table_matches(
	const struct wire_msg *msg, const struct filter *filter, const struct store_table *table)
{
	return (msg->family == NFPROTO_UNSPEC || msg->family == table->family) &&
	       (filter->table[0] == '\0' || strcmp(filter->table, table->name) == 0);
}

static void
dump_item(struct wire_msg *msg, const struct store_item *item)
{
	struct nlmsghdr *nlh = wire_begin(msg->wire, wire_new_type(item->kind), NLM_F_MULTI,
		msg->nlh->nlmsg_seq, wire_family(item));

	wire_fill(msg->wire, nlh, item);
	wire_dump(msg->client, nlh);
}

static void
dump_list(struct wire_msg *msg, const struct store_list *list)
{
	store_for_each(item, list) dump_item(msg, item);
}

/* Elements: those of the ruleset, and those that packets added. */
static void
dump_elems(struct wire_msg *msg, struct store_set *set)
{
	uint64_t now = clock_ns();
	struct nft_dynamic_elem *added;
	uint32_t place = 0;

	store_for_each(item, &set->elems)
	{
		struct store_elem *elem = (struct store_elem *)item;

		if (store_elem_over(elem, now) ||
			(set->dynamic != NULL && !elem->e.catchall &&
				nft_dynamic_find(set->dynamic, elem->e.bytes, now) != NULL))
			continue;
		dump_item(msg, item);
	}
	while (set->dynamic != NULL &&
		(added = nft_dynamic_next(set->dynamic, &place, now)) != NULL) {
		struct nlmsghdr *nlh = wire_begin(msg->wire, NFT_MSG_NEWSETELEM, NLM_F_MULTI,
			msg->nlh->nlmsg_seq, set->table->family);

		wire_fill_dynamic(nlh, set, added);
		wire_dump(msg->client, nlh);
	}
}

/* What of a table a message asks for. */
static void
dump_table(struct wire_msg *msg, const struct filter *filter, struct store_table *table)
{
	switch (msg->nlh->nlmsg_type & 0xff) {
	case NFT_MSG_GETTABLE: dump_item(msg, &table->item); break;
	case NFT_MSG_GETCHAIN: dump_list(msg, &table->chains); break;
	case NFT_MSG_GETSET: dump_list(msg, &table->sets); break;
	case NFT_MSG_GETFLOWTABLE: dump_list(msg, &table->flowtables); break;
	case NFT_MSG_GETRULE:
		store_for_each(
			item, &table->chains) if (filter->name[0] == '\0' ||
						  strcmp(filter->name,
							  ((struct store_chain *)item)->name) == 0)
			dump_list(msg, &((struct store_chain *)item)->rules);
		break;
	case NFT_MSG_GETSETELEM:
		store_for_each(item,
			&table->sets) if (strcmp(filter->name, ((struct store_set *)item)->name) ==
					  0) dump_elems(msg, (struct store_set *)item);
		break;
	default:
		store_for_each(item, &table->objects)
		{
			struct store_object *object = (struct store_object *)item;

			if (filter->type != 0 && filter->type != object->type)
				continue;
			dump_item(msg, item);
			if (filter->reset)
				wire_reset_object(msg->wire, object);
		}
		break;
	}
}

/* Which attributes of a message name the table, and what of it. */
static void
filter_of(struct wire_msg *msg, struct filter *filter)
{
	switch (msg->nlh->nlmsg_type & 0xff) {
	case NFT_MSG_GETTABLE: read_filter(msg, filter, NFTA_TABLE_NAME, 0); break;
	case NFT_MSG_GETCHAIN: read_filter(msg, filter, NFTA_CHAIN_TABLE, 0); break;
	case NFT_MSG_GETSET: read_filter(msg, filter, NFTA_SET_TABLE, 0); break;
	case NFT_MSG_GETRULE: read_filter(msg, filter, NFTA_RULE_TABLE, NFTA_RULE_CHAIN); break;
	case NFT_MSG_GETFLOWTABLE: read_filter(msg, filter, NFTA_FLOWTABLE_TABLE, 0); break;
	case NFT_MSG_GETSETELEM:
		read_filter(msg, filter, NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET);
		break;
	default:
		read_filter(msg, filter, NFTA_OBJ_TABLE, 0);
		if (msg->attrs[NFTA_OBJ_TYPE] != NULL)
			(void)wire_u32(msg, msg->attrs[NFTA_OBJ_TYPE], &filter->type);
		filter->reset = (msg->nlh->nlmsg_type & 0xff) == NFT_MSG_GETOBJ_RESET;
		break;
	}
}

static void
dump(struct wire_msg *msg)
{
	struct filter filter;

	filter_of(msg, &filter);
	store_for_each(item, &msg->wire->store->tables) if (table_matches(msg, &filter,
								    (struct store_table *)item))
		dump_table(msg, &filter, (struct store_table *)item);
	wire_dump_end(msg->client, msg->nlh);
}

/* --- single gets */

static void
reply_item(struct wire_msg *msg, const struct store_item *item)
{
	struct nlmsghdr *nlh = wire_begin(
		msg->wire, wire_new_type(item->kind), 0, msg->nlh->nlmsg_seq, wire_family(item));

	wire_fill(msg->wire, nlh, item);
	wire_send(msg->client, nlh, false);
}

/* An element by a key: itself, or in an interval set the edge of the range that holds it. */
static struct store_elem *
edge(const struct store_set *set, const struct store_elem *key)
{
	const struct nft_sorted *sorted = &set->live->sorted;
	struct nft_elem *e;

	if (key->e.catchall)
		return store_elem(set, key);
	if (set->field_count != 0)
		return store_elem_holding(set, key->e.bytes);
	if (!(set->flags & NFT_SET_INTERVAL))
		return store_elem(set, key);
	e = nft_sorted_floor(sorted, key->e.bytes);
	/* The greatest at or below; if that is an end, nothing holds the key. */
	if (!key->e.end)
		return e != NULL && !e->end ? store_elem_of(e) : NULL;
	/* The first end at or above. */
	while (e != NULL && memcmp(e->bytes, key->e.bytes, set->key_len) == 0 && !e->end)
		e = nft_sorted_before(sorted, e);
	if (e == NULL || !e->end || memcmp(e->bytes, key->e.bytes, set->key_len) != 0)
		e = nft_sorted_next(sorted, e);
	while (e != NULL && (!e->end || memcmp(e->bytes, key->e.bytes, set->key_len) < 0))
		e = nft_sorted_next(sorted, e);
	return store_elem_of(e);
}

/* An element that a packet added. False: there is none. */
static bool
reply_dynamic(struct wire_msg *msg, struct store_set *set, const struct store_elem *key)
{
	struct nft_dynamic_elem *added =
		set->dynamic != NULL && !key->e.catchall
			? nft_dynamic_find(set->dynamic, key->e.bytes, clock_ns())
			: NULL;
	struct nlmsghdr *nlh;

	if (added == NULL)
		return false;
	nlh = wire_begin(msg->wire, NFT_MSG_NEWSETELEM, 0, msg->nlh->nlmsg_seq, set->table->family);
	wire_fill_dynamic(nlh, set, added);
	wire_send(msg->client, nlh, false);
	return true;
}

static int
get_elem(struct wire_msg *msg, struct store_set *set, const struct nlattr *nest)
{
	struct store_elem *key = store_elem_new(set), *elem = NULL;
	int rc = key != NULL ? wire_elem_key(msg, nest, key) : -ENOMEM;

	if (rc == 0)
		elem = edge(set, key);
	if (elem != NULL && store_elem_over(elem, clock_ns()))
		elem = NULL;
	if (elem != NULL)
		reply_item(msg, &elem->item);
	else if (rc == 0 && !reply_dynamic(msg, set, key))
		rc = wire_refuse(msg, nest, -ENOENT);
	if (key != NULL)
		store_item_free(msg->wire->store, &key->item);
	return rc;
}

static int
get_elems(struct wire_msg *msg, const struct store_table *table)
{
	const struct nlattr *list = msg->attrs[NFTA_SET_ELEM_LIST_ELEMENTS], *nest;
	char name[STORE_NAME];
	struct store_set *set;
	int rc = wire_name(msg, msg->attrs[NFTA_SET_ELEM_LIST_SET], name);

	set = rc == 0 ? store_set(table, name) : NULL;
	if (set == NULL)
		return -ENOENT;
	if (list == NULL)
		return -EINVAL;
	mnl_attr_for_each_nested (nest, list) {
		rc = get_elem(msg, set, nest);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
get_named(struct wire_msg *msg, const struct store_table *table, int attr)
{
	unsigned int type = msg->nlh->nlmsg_type & 0xff;
	struct store_item *item;
	char name[STORE_NAME];
	uint32_t object_type = 0;
	int rc = wire_name(msg, msg->attrs[attr], name);

	if (rc == 0 && (type == NFT_MSG_GETOBJ || type == NFT_MSG_GETOBJ_RESET))
		rc = wire_u32(msg, msg->attrs[NFTA_OBJ_TYPE], &object_type);
	if (rc != 0)
		return rc;
	switch (type) {
	case NFT_MSG_GETCHAIN: item = (struct store_item *)store_chain(table, name); break;
	case NFT_MSG_GETSET: item = (struct store_item *)store_set(table, name); break;
	case NFT_MSG_GETFLOWTABLE: item = (struct store_item *)store_flowtable(table, name); break;
	default: item = (struct store_item *)store_object(table, name, object_type); break;
	}
	if (item == NULL)
		return wire_refuse(msg, msg->attrs[attr], -ENOENT);
	reply_item(msg, item);
	if (type == NFT_MSG_GETOBJ_RESET)
		wire_reset_object(msg->wire, (struct store_object *)item);
	return 0;
}

static int
get_rule(struct wire_msg *msg, const struct store_table *table)
{
	struct store_chain *chain;
	struct store_item *rule;
	uint64_t handle;
	int rc = wire_find_chain(msg, table, msg->attrs[NFTA_RULE_CHAIN], &chain);

	if (rc == 0)
		rc = wire_u64(msg, msg->attrs[NFTA_RULE_HANDLE], &handle);
	rule = rc == 0 ? store_by_handle(&chain->rules, handle) : NULL;
	if (rc == 0 && rule == NULL)
		rc = wire_refuse(msg, msg->attrs[NFTA_RULE_HANDLE], -ENOENT);
	if (rc == 0)
		reply_item(msg, rule);
	return rc;
}

static int
get_one(struct wire_msg *msg)
{
	struct store_table *table;
	/* Attribute 1 names the table in all of them, but for elements' too. */
	int rc = wire_find_table(msg, msg->attrs[1], &table);

	if (rc != 0)
		return rc;
	switch (msg->nlh->nlmsg_type & 0xff) {
	case NFT_MSG_GETTABLE: reply_item(msg, &table->item); return 0;
	case NFT_MSG_GETCHAIN: return get_named(msg, table, NFTA_CHAIN_NAME);
	case NFT_MSG_GETSET: return get_named(msg, table, NFTA_SET_NAME);
	case NFT_MSG_GETFLOWTABLE: return get_named(msg, table, NFTA_FLOWTABLE_NAME);
	case NFT_MSG_GETOBJ:
	case NFT_MSG_GETOBJ_RESET: return get_named(msg, table, NFTA_OBJ_NAME);
	case NFT_MSG_GETRULE: return get_rule(msg, table);
	default: return get_elems(msg, table);
	}
}

/* The generation, and who speaks. */
static void
get_generation(struct wire_msg *msg)
{
	struct nlmsghdr *nlh =
		wire_begin(msg->wire, NFT_MSG_NEWGEN, 0, msg->nlh->nlmsg_seq, NFPROTO_UNSPEC);

	wire_fill_generation(msg->wire, nlh, msg->client);
	wire_lease_generation(msg->client);
	wire_send(msg->client, nlh, false);
}

void
wire_get(struct wire_msg *msg)
{
	unsigned int type = msg->nlh->nlmsg_type & 0xff;
	int rc;

	switch (type) {
	case NFT_MSG_GETGEN: get_generation(msg); break;
	case NFT_MSG_GETTABLE:
	case NFT_MSG_GETCHAIN:
	case NFT_MSG_GETRULE:
	case NFT_MSG_GETSET:
	case NFT_MSG_GETSETELEM:
	case NFT_MSG_GETOBJ:
	case NFT_MSG_GETOBJ_RESET:
	case NFT_MSG_GETFLOWTABLE:
		if (msg->nlh->nlmsg_flags & NLM_F_DUMP) {
			dump(msg);
			return;
		}
		rc = get_one(msg);
		if (rc != 0) {
			wire_error(msg->client, msg->nlh, rc, msg->bad);
			return;
		}
		break;
	default: wire_error(msg->client, msg->nlh, -EOPNOTSUPP, NULL); return;
	}
	if (msg->nlh->nlmsg_flags & NLM_F_ACK)
		wire_error(msg->client, msg->nlh, 0, NULL);
}

/* RTM_GETLINK: the interfaces that `iif` and `oif` mean. */
void
wire_links(struct wire_msg *msg)
{
	struct nft_link link;

	if (msg->nlh->nlmsg_type != RTM_GETLINK) {
		wire_error(msg->client, msg->nlh, -EOPNOTSUPP, NULL);
		return;
	}
	for (unsigned int n = 0; msg->wire->backend->link(msg->wire->backend->ctx, n, &link); n++) {
		struct nlmsghdr *nlh = mnl_nlmsg_put_header(msg->wire->scratch);
		struct ifinfomsg *info;

		nlh->nlmsg_type = RTM_NEWLINK;
		nlh->nlmsg_flags = NLM_F_MULTI;
		nlh->nlmsg_seq = msg->nlh->nlmsg_seq;
		info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
		info->ifi_family = AF_UNSPEC;
		info->ifi_index = (int)link.index;
		info->ifi_flags = IFF_UP | IFF_RUNNING;
		mnl_attr_put_strz(nlh, IFLA_IFNAME, link.name);
		/* A datagram each: readers of this protocol take 4 KiB at most. */
		wire_send(msg->client, nlh, false);
	}
	wire_dump_end(msg->client, msg->nlh);
}
