/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules (nf_tables_newrule, nf_tables_delrule): their expressions are parsed
 * when they come, so that the one at fault is blamed, and kept as they came with
 * names resolved.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire_priv.h"

/* Bytes that a rule's expressions may have: the kernel's bound (nft_rule_dlen). */
#define RULE_MAX 4096
/* Attributes that an expression's data may have. */
#define DATA_ATTRS 32

/* What expressions ask while a rule comes in. */
struct asker {
	struct store *store;
	struct store_table *table;
	struct store_rule *rule;
	struct store_set *set;	    /* named last */
	struct store_chain *within; /* the rule's */
	struct store_chain *bound;  /* by its id, in the expression at hand */
	struct store_set *grows[4]; /* those that packets add to, without a size */
	unsigned int grow_count;
};

static int
ask_set(void *owner, const char *name, uint32_t id, uint32_t *number, uint32_t *key_len,
	uint32_t *data_len, uint32_t *flags)
{
	struct asker *asker = owner;
	struct store_set *set = store_set(asker->table, name);

	if (set == NULL && id != 0)
		store_for_each(item,
			&asker->table->sets) if (((struct store_set *)item)->batch_id == id) set =
			(struct store_set *)item;
	if (set == NULL)
		return -ENOENT;
	*number = 0;
	*key_len = set->key_len;
	*data_len = set->data_len;
	*flags = set->flags;
	asker->set = set;
	return store_ref(&asker->rule->refs, &set->item);
}

static struct nft_dynamic *
ask_dynamic(void *owner, const char *name, uint32_t id)
{
	/* Of the set that was asked for just before. */
	struct store_set *set = ((struct asker *)owner)->set;

	(void)name;
	(void)id;
	/* Those that Linux keeps in an rhashtable, which alone packets can add to. */
	if (set->dynamic == NULL && !(set->flags & (NFT_SET_INTERVAL | NFT_SET_MAP)) &&
		((set->flags & (NFT_SET_TIMEOUT | NFT_SET_EVAL)) || set->size == 0))
		set->dynamic = nft_dynamic_new(set->key_len, set->size, set->timeout_ns);
	return set->dynamic;
}

static int
ask_chain(void *owner, const char *name, uint32_t *number)
{
	struct asker *asker = owner;
	struct store_chain *chain = store_chain(asker->table, name);

	if (chain == NULL)
		return -ENOENT;
	/* nft_verdict_init: a base chain is no target. */
	if (chain->based)
		return -EOPNOTSUPP;
	*number = 0;
	return store_ref(&asker->rule->refs, &chain->item);
}

static struct store_chain *
chain_of_batch(const struct store_table *table, uint32_t id)
{
	store_for_each(item, &table->chains)
	{
		struct store_chain *chain = (struct store_chain *)item;

		if (id != 0 && chain->batch_id == id)
			return chain;
	}
	return NULL;
}

/* A chain without a name belongs to this rule from now on (nf_tables_bind_chain). */
static int
ask_chain_by_id(void *owner, uint32_t id, uint32_t *number)
{
	struct asker *asker = owner;
	struct store_chain *chain = chain_of_batch(asker->table, id);
	int rc;

	if (chain == NULL)
		return -ENOENT;
	if (chain->based || !chain->binding || asker->within->binding)
		return -EOPNOTSUPP;
	if (chain->bound)
		return -EBUSY;
	rc = store_save(asker->store, &chain->item, &chain->bound, sizeof(chain->bound));
	if (rc != 0)
		return rc;
	chain->bound = true;
	asker->bound = chain;
	*number = 0;
	return store_ref(&asker->rule->refs, &chain->item);
}

static int
ask_object(void *owner, const char *name, uint32_t type, uint32_t *number)
{
	struct asker *asker = owner;
	struct store_item *item;

	if (type == NFT_OBJECT_UNSPEC)
		item = (struct store_item *)store_flowtable(asker->table, name);
	else
		item = (struct store_item *)store_object(asker->table, name, type);
	if (item == NULL)
		return -ENOENT;
	*number = 0;
	return store_ref(&asker->rule->refs, item);
}

static int
ask_state(void *owner, uint32_t kind, uint32_t *state)
{
	struct asker *asker = owner;
	struct store_rule *rule = asker->rule;
	uint32_t count = rule->state_count;
	uint32_t *states = realloc(rule->states, (count + 1) * sizeof(*states));
	uint8_t *kinds;
	struct nft_count *base;
	int rc;

	if (states == NULL)
		return -ENOMEM;
	rule->states = states;
	kinds = realloc(rule->state_kinds, count + 1);
	if (kinds == NULL)
		return -ENOMEM;
	rule->state_kinds = kinds;
	base = realloc(rule->base, (count + 1) * sizeof(*base));
	if (base == NULL)
		return -ENOMEM;
	rule->base = base;
	rc = nft_states_take(asker->store->states, (enum nft_state_kind)kind, state);
	if (rc != 0)
		return rc;
	states[count] = *state;
	kinds[count] = (uint8_t)kind;
	base[count] = (struct nft_count){0};
	rule->state_count++;
	return 0;
}

static struct expr_ctx
ctx_of(struct asker *asker, const struct store_chain *chain)
{
	/* The hooks that it is reached from are judged with the whole (nft_chain_validate). */
	return (struct expr_ctx){
		.family = chain->table->family,
		.owner = asker,
		.set = ask_set,
		.dynamic = ask_dynamic,
		.chain = ask_chain,
		.chain_by_id = ask_chain_by_id,
		.object = ask_object,
		.state = ask_state,
	};
}

/* --- keeping an expression as it came, but for what only its batch understands */

static uint64_t
u64_or_0(const struct nlattr *attr)
{
	return attr != NULL && mnl_attr_get_payload_len(attr) == 8 ? be64toh(mnl_attr_get_u64(attr))
								   : 0;
}

/* A counter's beginning is the rule's. */
static void
keep_counter(struct asker *asker, const struct nlattr *data)
{
	struct nft_count *base = &asker->rule->base[asker->rule->state_count - 1];
	const struct nlattr *attr;

	if (data == NULL)
		return;
	mnl_attr_for_each_nested (attr, data) {
		if (mnl_attr_get_type(attr) == NFTA_COUNTER_PACKETS)
			base->packets = u64_or_0(attr);
		else if (mnl_attr_get_type(attr) == NFTA_COUNTER_BYTES)
			base->bytes = u64_or_0(attr);
	}
}

/* A string that may have come without its NUL, as objref's do. */
static void
put_string(struct nlmsghdr *nlh, const struct nlattr *attr)
{
	char name[STORE_NAME] = "";
	size_t len = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));

	memcpy(name, mnl_attr_get_payload(attr), len < sizeof(name) ? len : sizeof(name) - 1);
	mnl_attr_put_strz(nlh, mnl_attr_get_type(attr), name);
}

/* The verdict of a chain without a name: by the name that it has got. */
static void
put_binding(struct nlmsghdr *nlh, const struct nlattr *data, const struct store_chain *chain)
{
	struct nlattr *outer = mnl_attr_nest_start(nlh, NFTA_IMMEDIATE_DATA);
	struct nlattr *inner = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);
	const struct nlattr *attr;

	const struct nlattr *verdict = mnl_attr_get_payload(data);

	mnl_attr_for_each_nested (attr, verdict) {
		if (mnl_attr_get_type(attr) == NFTA_VERDICT_CHAIN_ID)
			mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, chain->name);
		else
			mnl_attr_put(nlh, attr->nla_type, mnl_attr_get_payload_len(attr),
				mnl_attr_get_payload(attr));
	}
	mnl_attr_nest_end(nlh, inner);
	mnl_attr_nest_end(nlh, outer);
}

static void
keep_data(struct nlmsghdr *nlh, const char *name, const struct nlattr *data,
	const struct asker *asker)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested (attr, data) {
		uint16_t type = mnl_attr_get_type(attr);

		if (strcmp(name, "immediate") == 0 && type == NFTA_IMMEDIATE_DATA &&
			asker->bound != NULL)
			put_binding(nlh, attr, asker->bound);
		else if (strcmp(name, "lookup") == 0 && type == NFTA_LOOKUP_SET)
			mnl_attr_put_strz(nlh, type, asker->set->name);
		else if (strcmp(name, "lookup") == 0 && type == NFTA_LOOKUP_SET_ID)
			continue;
		else if (strcmp(name, "dynset") == 0 && type == NFTA_DYNSET_SET_NAME)
			mnl_attr_put_strz(nlh, type, asker->set->name);
		else if (strcmp(name, "dynset") == 0 && type == NFTA_DYNSET_SET_ID)
			continue;
		else if (strcmp(name, "objref") == 0 && type == NFTA_OBJREF_IMM_NAME)
			put_string(nlh, attr);
		else
			/* The type with its flags: nested ones say so. */
			mnl_attr_put(nlh, attr->nla_type, mnl_attr_get_payload_len(attr),
				mnl_attr_get_payload(attr));
	}
}

/* One expression: parsed to see that it can be, and kept. */
static int
take_expr(struct wire_msg *msg, struct asker *asker, struct expr_ctx *ctx,
	const struct nlattr *elem, struct nlmsghdr *out, size_t *used)
{
	static uint8_t code[RULE_MAX] __attribute__((aligned(16)));
	const struct nlattr *attrs[NFTA_EXPR_MAX + 1];
	const struct expr_ops *ops;
	struct nlattr *nest, *inner;
	char name[STORE_NAME];
	int rc = wire_attrs(msg, elem, attrs, NFTA_EXPR_MAX);

	if (rc == 0)
		rc = wire_name(msg, attrs[NFTA_EXPR_NAME], name);
	ops = rc == 0 ? expr_find(name) : NULL;
	if (rc == 0 && ops == NULL)
		rc = -EOPNOTSUPP;
	if (rc == 0 && *used + ops->size > RULE_MAX)
		rc = -E2BIG;
	asker->bound = NULL;
	if (rc == 0)
		rc = expr_parse(ops, attrs[NFTA_EXPR_DATA], ctx, (struct expr *)(void *)code);
	if (rc != 0)
		return wire_refuse(msg, elem, rc);
	*used += ops->size;
	if (strcmp(name, "dynset") == 0 && asker->set->size == 0 &&
		asker->grow_count < sizeof(asker->grows) / sizeof(asker->grows[0]))
		asker->grows[asker->grow_count++] = asker->set;
	if (strcmp(name, "counter") == 0)
		keep_counter(asker, attrs[NFTA_EXPR_DATA]);
	nest = mnl_attr_nest_start(out, NFTA_LIST_ELEM);
	mnl_attr_put_strz(out, NFTA_EXPR_NAME, name);
	if (attrs[NFTA_EXPR_DATA] != NULL) {
		inner = mnl_attr_nest_start(out, NFTA_EXPR_DATA);
		keep_data(out, name, attrs[NFTA_EXPR_DATA], asker);
		mnl_attr_nest_end(out, inner);
	}
	mnl_attr_nest_end(out, nest);
	return 0;
}

static int
take_exprs(struct wire_msg *msg, struct asker *asker, const struct store_chain *chain)
{
	struct nlmsghdr *out = mnl_nlmsg_put_header(msg->wire->scratch);
	struct expr_ctx ctx = ctx_of(asker, chain);
	const struct nlattr *elem;
	size_t used = 0;
	int rc = 0;

	if (msg->attrs[NFTA_RULE_EXPRESSIONS] != NULL)
		mnl_attr_for_each_nested (elem, msg->attrs[NFTA_RULE_EXPRESSIONS]) {
			rc = take_expr(msg, asker, &ctx, elem, out, &used);
			if (rc != 0)
				return rc;
		}
	asker->rule->exprs = store_blob(mnl_nlmsg_get_payload(out), mnl_nlmsg_get_payload_len(out));
	if (asker->rule->exprs == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < asker->grow_count && rc == 0; i++)
		rc = wire_size_set(msg, asker->grows[i]);
	return rc;
}

/* --- */

/* A rule by its handle in a chain, or by its id in this batch. */
static int
find_rule(struct wire_msg *msg, const struct store_chain *chain, const struct nlattr *attr,
	struct store_item **out)
{
	uint64_t handle;
	int rc = wire_u64(msg, attr, &handle);

	if (rc != 0)
		return rc;
	*out = store_by_handle(&chain->rules, handle);
	return *out != NULL ? 0 : wire_refuse(msg, attr, -ENOENT);
}

static int
find_by_id(struct wire_msg *msg, const struct store_chain *chain, const struct nlattr *attr,
	struct store_item **out)
{
	uint32_t id;
	int rc = wire_u32(msg, attr, &id);

	if (rc != 0)
		return rc;
	store_for_each(item, &chain->rules) if (((struct store_rule *)item)->fresh &&
						((struct store_rule *)item)->batch_id == id)
	{
		*out = item;
		return 0;
	}
	return wire_refuse(msg, attr, -ENOENT);
}

/* Where the rule goes, and what it replaces. */
static int
find_place(struct wire_msg *msg, const struct store_chain *chain, struct store_item **at)
{
	uint16_t flags = msg->nlh->nlmsg_flags;
	int rc;

	*at = NULL;
	if (msg->attrs[NFTA_RULE_HANDLE] != NULL) {
		rc = find_rule(msg, chain, msg->attrs[NFTA_RULE_HANDLE], at);
		if (rc == 0 && (flags & NLM_F_EXCL))
			rc = wire_refuse(msg, msg->attrs[NFTA_RULE_HANDLE], -EEXIST);
		if (rc == 0 && !(flags & NLM_F_REPLACE))
			rc = wire_refuse(msg, NULL, -EOPNOTSUPP);
		return rc;
	}
	if (!(flags & NLM_F_CREATE) || (flags & NLM_F_REPLACE))
		return wire_refuse(msg, NULL, -EINVAL);
	if (msg->attrs[NFTA_RULE_POSITION] != NULL)
		return find_rule(msg, chain, msg->attrs[NFTA_RULE_POSITION], at);
	if (msg->attrs[NFTA_RULE_POSITION_ID] != NULL)
		return find_by_id(msg, chain, msg->attrs[NFTA_RULE_POSITION_ID], at);
	return 0;
}

static int
link_rule(struct wire_msg *msg, struct store_rule *rule, struct store_item *at)
{
	struct store *store = msg->wire->store;
	uint16_t flags = msg->nlh->nlmsg_flags;
	struct store_list *rules = &rule->chain->rules;
	struct store_item *before;
	int rc;

	if (flags & NLM_F_REPLACE) {
		rc = store_add(store, rules, &rule->item, at->next);
		return rc != 0 ? rc : store_remove(store, at);
	}
	if (flags & NLM_F_APPEND)
		before = at != NULL ? at->next : NULL;
	else
		before = at != NULL ? at : rules->first;
	return store_add(store, rules, &rule->item, before);
}

/* A rule's chain, by name or by its id in this batch. */
static int
find_chain(struct wire_msg *msg, struct store_table *table, struct store_chain **out)
{
	const struct nlattr *by = msg->attrs[NFTA_RULE_CHAIN];
	uint32_t id;
	int rc;

	if (by != NULL || msg->attrs[NFTA_RULE_CHAIN_ID] == NULL) {
		rc = wire_find_chain(msg, table, by, out);
	} else {
		by = msg->attrs[NFTA_RULE_CHAIN_ID];
		rc = wire_u32(msg, by, &id);
		*out = rc == 0 ? chain_of_batch(table, id) : NULL;
		if (rc == 0 && *out == NULL)
			rc = wire_refuse(msg, by, -ENOENT);
	}
	return rc == 0 && (*out)->bound ? -EOPNOTSUPP : rc;
}

int
wire_new_rule(struct wire_msg *msg)
{
	struct store *store = msg->wire->store;
	const struct nlattr *userdata = msg->attrs[NFTA_RULE_USERDATA];
	struct asker asker = {.store = store};
	struct store_chain *chain;
	struct store_rule *rule;
	struct store_item *at;
	int rc = wire_find_table(msg, msg->attrs[NFTA_RULE_TABLE], &asker.table);

	if (rc == 0)
		rc = find_chain(msg, asker.table, &chain);
	if (rc == 0)
		rc = find_place(msg, chain, &at);
	if (rc != 0)
		return rc;
	rule = store_item_new(STORE_RULE);
	if (rule == NULL)
		return -ENOMEM;
	rule->chain = chain;
	rule->fresh = true;
	rule->batch_seq = msg->nlh->nlmsg_seq;
	if (msg->attrs[NFTA_RULE_ID] != NULL)
		rc = wire_u32(msg, msg->attrs[NFTA_RULE_ID], &rule->batch_id);
	rule->item.handle =
		msg->nlh->nlmsg_flags & NLM_F_REPLACE ? at->handle : ++asker.table->handles;
	asker.rule = rule;
	asker.within = chain;
	if (rc == 0)
		rc = take_exprs(msg, &asker, chain);
	if (rc == 0 && userdata != NULL) {
		rule->userdata = store_blob(
			mnl_attr_get_payload(userdata), mnl_attr_get_payload_len(userdata));
		rc = rule->userdata != NULL ? 0 : -ENOMEM;
	}
	if (rc != 0) {
		store_item_free(store, &rule->item);
		return rc;
	}
	rc = link_rule(msg, rule, at);
	if (rc != 0 && !rule->item.linked)
		store_item_free(store, &rule->item);
	return rc;
}

static int
flush_chain(struct store *store, struct store_chain *chain)
{
	int rc = 0;

	while (rc == 0 && chain->rules.first != NULL)
		rc = store_remove(store, chain->rules.first);
	return rc;
}

int
wire_del_rule(struct wire_msg *msg)
{
	struct store *store = msg->wire->store;
	struct store_table *table;
	struct store_chain *chain;
	struct store_item *rule;
	int rc = wire_find_table(msg, msg->attrs[NFTA_RULE_TABLE], &table);

	if (rc != 0)
		return rc;
	if (msg->attrs[NFTA_RULE_CHAIN] == NULL) {
		store_for_each(item, &table->chains)
		{
			if (!((struct store_chain *)item)->binding)
				rc = flush_chain(store, (struct store_chain *)item);
			if (rc != 0)
				return rc;
		}
		return 0;
	}
	rc = wire_find_chain(msg, table, msg->attrs[NFTA_RULE_CHAIN], &chain);
	if (rc == 0 && chain->binding)
		rc = -EOPNOTSUPP;
	if (rc != 0)
		return rc;
	if (msg->attrs[NFTA_RULE_HANDLE] != NULL) {
		rc = find_rule(msg, chain, msg->attrs[NFTA_RULE_HANDLE], &rule);
		return rc != 0 ? rc : store_remove(store, rule);
	}
	if (msg->attrs[NFTA_RULE_ID] != NULL) {
		rc = find_by_id(msg, chain, msg->attrs[NFTA_RULE_ID], &rule);
		return rc != 0 ? rc : store_remove(store, rule);
	}
	return flush_chain(store, chain);
}

/* --- for answers */

void
wire_fill_exprs(struct nft_wire *wire, struct nlmsghdr *nlh, const struct store_rule *rule)
{
	struct nlattr *list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS), *elem, *data;
	const uint8_t *at = rule->exprs->data, *end = at + rule->exprs->len;
	uint32_t state = 0;

	while (at < end) {
		const struct nlattr *kept = (const struct nlattr *)(const void *)at;
		const struct nlattr *name = mnl_attr_get_payload(kept);
		const char *text = mnl_attr_get_str(name);
		struct nft_count now;

		at += MNL_ALIGN(kept->nla_len);
		if (strcmp(text, "counter") != 0) {
			if (strcmp(text, "limit") == 0)
				state++;
			mnl_attr_put(nlh, kept->nla_type, mnl_attr_get_payload_len(kept),
				mnl_attr_get_payload(kept));
			continue;
		}
		now = wire->backend->read(wire->backend->ctx, rule->states[state]);
		elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
		mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, text);
		data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
		wire_put_u64(nlh, NFTA_COUNTER_BYTES, rule->base[state].bytes + now.bytes);
		wire_put_u64(nlh, NFTA_COUNTER_PACKETS, rule->base[state].packets + now.packets);
		mnl_attr_nest_end(nlh, data);
		mnl_attr_nest_end(nlh, elem);
		state++;
	}
	mnl_attr_nest_end(nlh, list);
}
