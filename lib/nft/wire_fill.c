/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What messages say of the store's items (nf_tables_fill_*_info).
 */
#include <arpa/inet.h>
#include <string.h>

#include "clock.h"
#include "wire_priv.h"

/* Of Linux with HZ=250, as distributions build it. */
#define TICK_MS 4

static const struct store_table *
table_of(const struct store_item *item)
{
	switch (item->kind) {
	case STORE_TABLE: return (const struct store_table *)item;
	case STORE_CHAIN: return ((const struct store_chain *)item)->table;
	case STORE_RULE: return ((const struct store_rule *)item)->chain->table;
	case STORE_SET: return ((const struct store_set *)item)->table;
	case STORE_ELEM: return ((const struct store_elem *)item)->set->table;
	case STORE_OBJECT: return ((const struct store_object *)item)->table;
	default: return ((const struct store_flowtable *)item)->table;
	}
}

uint8_t
wire_family(const struct store_item *item)
{
	return table_of(item)->family;
}

uint16_t
wire_new_type(uint8_t kind)
{
	static const uint16_t types[] = {
		[STORE_TABLE] = NFT_MSG_NEWTABLE,
		[STORE_CHAIN] = NFT_MSG_NEWCHAIN,
		[STORE_RULE] = NFT_MSG_NEWRULE,
		[STORE_SET] = NFT_MSG_NEWSET,
		[STORE_ELEM] = NFT_MSG_NEWSETELEM,
		[STORE_OBJECT] = NFT_MSG_NEWOBJ,
		[STORE_FLOWTABLE] = NFT_MSG_NEWFLOWTABLE,
	};

	return types[kind];
}

uint16_t
wire_del_type(uint8_t kind)
{
	static const uint16_t types[] = {
		[STORE_TABLE] = NFT_MSG_DELTABLE,
		[STORE_CHAIN] = NFT_MSG_DELCHAIN,
		[STORE_RULE] = NFT_MSG_DELRULE,
		[STORE_SET] = NFT_MSG_DELSET,
		[STORE_ELEM] = NFT_MSG_DELSETELEM,
		[STORE_OBJECT] = NFT_MSG_DELOBJ,
		[STORE_FLOWTABLE] = NFT_MSG_DELFLOWTABLE,
	};

	return types[kind];
}

static void
put_userdata(struct nlmsghdr *nlh, uint16_t type, const struct store_blob *blob)
{
	if (blob != NULL)
		mnl_attr_put(nlh, type, blob->len, blob->data);
}

static void
fill_table(struct nlmsghdr *nlh, const struct store_table *table)
{
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table->name);
	mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, htonl(table->flags));
	mnl_attr_put_u32(nlh, NFTA_TABLE_USE,
		htonl(table->chains.count + table->sets.count + table->objects.count +
			table->flowtables.count));
	wire_put_u64(nlh, NFTA_TABLE_HANDLE, table->item.handle);
	if (table->owner != 0)
		mnl_attr_put_u32(nlh, NFTA_TABLE_OWNER, htonl(table->owner));
	put_userdata(nlh, NFTA_TABLE_USERDATA, table->userdata);
}

/* nft_dump_basechain_hook: a single device is said twice, as older programs know it. */
static void
put_devices(struct nlmsghdr *nlh, const struct store_blob *devices)
{
	struct nlattr *nest;

	if (devices == NULL)
		return;
	nest = mnl_attr_nest_start(nlh, NFTA_HOOK_DEVS);
	wire_put_raw(nlh, devices);
	mnl_attr_nest_end(nlh, nest);
	if (wire_device_count(devices) == 1)
		mnl_attr_put_strz(nlh, NFTA_HOOK_DEV, wire_device(devices, 0));
}

/* nft_dump_stats: what a policy has decided on, if anybody wants to know. */
static void
put_counters(struct nft_wire *wire, struct nlmsghdr *nlh, const struct store_chain *chain)
{
	struct nft_count now;
	struct nlattr *nest;

	if (!chain->policy.counted)
		return;
	now = wire->backend->read(wire->backend->ctx, chain->count);
	nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_COUNTERS);
	wire_put_u64(nlh, NFTA_COUNTER_PACKETS, chain->policy.base[0] + now.packets);
	wire_put_u64(nlh, NFTA_COUNTER_BYTES, chain->policy.base[1] + now.bytes);
	mnl_attr_nest_end(nlh, nest);
}

static void
fill_chain(struct nft_wire *wire, struct nlmsghdr *nlh, const struct store_chain *chain)
{
	struct nlattr *nest;

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, chain->table->name);
	wire_put_u64(nlh, NFTA_CHAIN_HANDLE, chain->item.handle);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, chain->name);
	if (chain->based) {
		nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
		mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(chain->hook_number));
		mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl((uint32_t)chain->priority));
		put_devices(nlh, chain->devices);
		mnl_attr_nest_end(nlh, nest);
		mnl_attr_put_u32(nlh, NFTA_CHAIN_POLICY, htonl(chain->policy.verdict));
		mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, store_chain_type(chain->kind));
		put_counters(wire, nlh, chain);
	}
	if (chain->flags != 0)
		mnl_attr_put_u32(nlh, NFTA_CHAIN_FLAGS, htonl(chain->flags));
	mnl_attr_put_u32(nlh, NFTA_CHAIN_USE, htonl(chain->rules.count + chain->item.use));
	put_userdata(nlh, NFTA_CHAIN_USERDATA, chain->userdata);
}

static void
fill_rule(struct nft_wire *wire, struct nlmsghdr *nlh, const struct store_rule *rule)
{
	const struct store_item *before = rule->item.linked ? rule->item.prev : NULL;

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, rule->chain->table->name);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, rule->chain->name);
	wire_put_u64(nlh, NFTA_RULE_HANDLE, rule->item.handle);
	/* An event tells of a place in between alone. */
	if (before != NULL && ((nlh->nlmsg_flags & NLM_F_MULTI) || rule->item.next != NULL))
		wire_put_u64(nlh, NFTA_RULE_POSITION, before->handle);
	wire_fill_exprs(wire, nlh, rule);
	put_userdata(nlh, NFTA_RULE_USERDATA, rule->userdata);
}

static void
fill_set(struct nlmsghdr *nlh, const struct store_set *set)
{
	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, set->table->name);
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, set->name);
	wire_put_u64(nlh, NFTA_SET_HANDLE, set->item.handle);
	wire_put_raw(nlh, set->attrs);
}

void
wire_read_state(struct nft_wire *wire, const struct nft_statement *statement, uint32_t number,
	const uint64_t base[2], uint64_t words[2])
{
	const struct nft_bucket *bucket;
	struct nft_count count;

	words[0] = words[1] = 0;
	if (number == STORE_NO_STATE || statement->kind == NFT_STATEMENT_OTHER)
		return;
	if (store_state_kind(statement) == NFT_STATE_COUNTER) {
		count = wire->backend->read(wire->backend->ctx, number);
		words[0] = base[0] + count.packets;
		words[1] = base[1] + count.bytes;
		return;
	}
	bucket = &wire->store->states->buckets[number];
	words[0] = atomic_load(&bucket->words[0]);
	words[1] = atomic_load(&bucket->words[1]);
}

/* An element's life, if it is another one than the set says, and what is left of it. */
static void
put_life(
	struct nlmsghdr *nlh, const struct store_set *set, uint64_t timeout_ns, uint64_t expires_ns)
{
	uint64_t now = clock_ns();

	if (timeout_ns == 0)
		return;
	if (timeout_ns != set->timeout_ns)
		wire_put_u64(nlh, NFTA_SET_ELEM_TIMEOUT, timeout_ns / NS_PER_MS);
	/* Linux counts in ticks: what has just begun is told whole. */
	wire_put_u64(nlh, NFTA_SET_ELEM_EXPIRATION,
		expires_ns > now ? (expires_ns - now + TICK_MS * NS_PER_MS - 1) /
					   (TICK_MS * NS_PER_MS) * TICK_MS
				 : 0);
}

/* Its statements, with what they have counted. */
static void
put_elem_statements(
	struct nft_wire *wire, struct nlmsghdr *nlh, const struct nft_elem_statements *of)
{
	uint64_t words[NFT_STATEMENTS][2];

	for (uint32_t i = 0; i < of->said.count && i < NFT_STATEMENTS; i++)
		wire_read_state(
			wire, &of->said.list[i], of->states[i], of->said.words[i], words[i]);
	nft_statements_fill(nlh, NFTA_SET_ELEM_EXPR, NFTA_SET_ELEM_EXPRESSIONS, &of->said, words);
}

static void
put_value(struct nlmsghdr *nlh, uint16_t type, const uint8_t *value, uint32_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(nlh, nest);
}

static void
put_verdict(struct nlmsghdr *nlh, const struct store_elem *elem)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);

	mnl_attr_put_u32(nlh, NFTA_VERDICT_CODE, htonl((uint32_t)elem->e.verdict.code));
	if (elem->chain != NULL)
		mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, elem->chain->name);
	mnl_attr_nest_end(nlh, verdict);
	mnl_attr_nest_end(nlh, nest);
}

/* nf_tables_fill_setelem */
static void
put_elem(struct nft_wire *wire, struct nlmsghdr *nlh, const struct store_elem *elem)
{
	const struct store_set *set = elem->set;
	uint32_t flags = (elem->e.end ? NFT_SET_ELEM_INTERVAL_END : 0U) |
			 (elem->e.catchall ? NFT_SET_ELEM_CATCHALL : 0U);

	if (!elem->e.catchall)
		put_value(nlh, NFTA_SET_ELEM_KEY, elem->e.bytes, set->key_len);
	if (elem->has_last)
		put_value(nlh, NFTA_SET_ELEM_KEY_END, nft_elem_last(set->live, &elem->e),
			set->key_len);
	if (!elem->e.end && set->verdicts)
		put_verdict(nlh, elem);
	else if (!elem->e.end && (set->flags & NFT_SET_MAP))
		put_value(
			nlh, NFTA_SET_ELEM_DATA, nft_elem_data(set->live, &elem->e), set->data_len);
	if (elem->statements != NULL)
		put_elem_statements(wire, nlh, elem->statements);
	if (elem->object != NULL)
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_OBJREF, elem->object->name);
	if (flags != 0)
		mnl_attr_put_u32(nlh, NFTA_SET_ELEM_FLAGS, htonl(flags));
	put_life(nlh, set, elem->timeout_ns, elem->e.expires_ns);
	put_userdata(nlh, NFTA_SET_ELEM_USERDATA, elem->userdata);
}

static void
fill_elem(struct nft_wire *wire, struct nlmsghdr *nlh, const struct store_elem *elem)
{
	struct nlattr *list, *nest;

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, elem->set->table->name);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, elem->set->name);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	put_elem(wire, nlh, elem);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_nest_end(nlh, list);
}

/* The statements of an element that a packet added, with what they have counted. */
static void
put_statements(struct nlmsghdr *nlh, const struct nft_statements *statements,
	struct nft_dynamic_elem *elem)
{
	uint64_t words[NFT_STATEMENTS][2];

	for (uint32_t i = 0; i < statements->count; i++) {
		words[i][0] = atomic_load(&elem->words[i][0]);
		words[i][1] = atomic_load(&elem->words[i][1]);
	}
	nft_statements_fill(nlh, NFTA_SET_ELEM_EXPR, NFTA_SET_ELEM_EXPRESSIONS, statements, words);
}

void
wire_fill_dynamic(struct nlmsghdr *nlh, const struct store_set *set, struct nft_dynamic_elem *elem)
{
	struct nlattr *list, *nest, *key;

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, set->table->name);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set->name);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	nest = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	key = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);
	mnl_attr_put(nlh, NFTA_DATA_VALUE, set->key_len, elem->key);
	mnl_attr_nest_end(nlh, key);
	if (set->dynamic->data_len != 0) {
		key = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_DATA);
		mnl_attr_put(
			nlh, NFTA_DATA_VALUE, set->data_len, nft_dynamic_data(set->dynamic, elem));
		mnl_attr_nest_end(nlh, key);
	}
	put_statements(nlh, &set->dynamic->statements, elem);
	put_life(nlh, set, elem->timeout_ns, atomic_load(&elem->expires_ns));
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_nest_end(nlh, list);
}

static void
fill_object(struct nft_wire *wire, struct nlmsghdr *nlh, const struct store_object *object)
{
	const struct nlattr *kept = object->data != NULL ? (const void *)object->data->data : NULL;
	uint64_t words[2];

	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, object->table->name);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, object->name);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(object->type));
	mnl_attr_put_u32(nlh, NFTA_OBJ_USE, htonl(object->item.use));
	wire_put_u64(nlh, NFTA_OBJ_HANDLE, object->item.handle);
	wire_read_state(wire, &object->statement, object->state, object->base, words);
	words[0] -= object->zero.packets;
	words[1] -= object->zero.bytes;
	nft_statement_fill(nlh, NFTA_OBJ_DATA, &object->statement, words, kept);
	put_userdata(nlh, NFTA_OBJ_USERDATA, object->userdata);
}

static void
fill_flowtable(struct nlmsghdr *nlh, const struct store_flowtable *ft)
{
	struct nlattr *hook, *devices;

	mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_TABLE, ft->table->name);
	mnl_attr_put_strz(nlh, NFTA_FLOWTABLE_NAME, ft->name);
	wire_put_u64(nlh, NFTA_FLOWTABLE_HANDLE, ft->item.handle);
	mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_USE, htonl(ft->item.use));
	mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_FLAGS, htonl(ft->flags));
	hook = mnl_attr_nest_start(nlh, NFTA_FLOWTABLE_HOOK);
	mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_HOOK_NUM, htonl(0 /* ingress */));
	mnl_attr_put_u32(nlh, NFTA_FLOWTABLE_HOOK_PRIORITY, htonl(ft->priority));
	devices = mnl_attr_nest_start(nlh, NFTA_FLOWTABLE_HOOK_DEVS);
	wire_put_raw(nlh, ft->devices);
	mnl_attr_nest_end(nlh, devices);
	mnl_attr_nest_end(nlh, hook);
}

void
wire_fill(struct nft_wire *wire, struct nlmsghdr *nlh, const struct store_item *item)
{
	switch (item->kind) {
	case STORE_TABLE: fill_table(nlh, (const struct store_table *)item); break;
	case STORE_CHAIN: fill_chain(wire, nlh, (const struct store_chain *)item); break;
	case STORE_RULE: fill_rule(wire, nlh, (const struct store_rule *)item); break;
	case STORE_SET: fill_set(nlh, (const struct store_set *)item); break;
	case STORE_ELEM: fill_elem(wire, nlh, (const struct store_elem *)item); break;
	case STORE_OBJECT: fill_object(wire, nlh, (const struct store_object *)item); break;
	default: fill_flowtable(nlh, (const struct store_flowtable *)item); break;
	}
}
