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

#include <linux/netfilter/nf_tables_compat.h>

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
	uint16_t expr;	   /* place of the expression at hand */
	bool ct_direction; /* of a ct expression: its key has one */
	bool mirrors;	   /* chains of `jump { }` are named */
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
	*data_len = set->flags & NFT_SET_OBJECT ? set->object_type : set->data_len;
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
	if (set->dynamic == NULL && !(set->flags & (NFT_SET_INTERVAL | NFT_SET_OBJECT)) &&
		!set->verdicts &&
		((set->flags & (NFT_SET_TIMEOUT | NFT_SET_EVAL)) || set->size == 0))
		set->dynamic =
			nft_dynamic_new(set->key_len, set->data_len, set->size, set->timeout_ns);
	if (set->dynamic != NULL && set->dynamic->statements.count == 0)
		(void)nft_statements_copy(&set->dynamic->statements, &set->statements);
	return set->dynamic;
}

/* A chain without a name belongs to this rule from now on (nf_tables_bind_chain). */
static int
bind_chain(struct asker *asker, struct store_chain *chain)
{
	int rc;

	if (asker->within->binding)
		return -EOPNOTSUPP;
	if (chain->bound)
		return -EBUSY;
	rc = store_save(asker->store, &chain->item, &chain->bound, sizeof(chain->bound));
	if (rc != 0)
		return rc;
	chain->bound = true;
	return store_ref(&asker->rule->refs, &chain->item);
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
	return asker->mirrors && chain->binding ? bind_chain(asker, chain)
						: store_ref(&asker->rule->refs, &chain->item);
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

static int
ask_chain_by_id(void *owner, uint32_t id, uint32_t *number)
{
	struct asker *asker = owner;
	struct store_chain *chain = chain_of_batch(asker->table, id);

	if (chain == NULL)
		return -ENOENT;
	if (chain->based || !chain->binding)
		return -EOPNOTSUPP;
	asker->bound = chain;
	*number = 0;
	return bind_chain(asker, chain);
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
ask_state(void *owner, uint32_t kind, uint32_t *number)
{
	struct asker *asker = owner;
	struct store_rule *rule = asker->rule;
	struct store_state *states =
		realloc(rule->states, (rule->state_count + 1) * sizeof(*states));
	int rc;

	if (states == NULL)
		return -ENOMEM;
	rule->states = states;
	rc = nft_states_take(asker->store->states, (enum nft_state_kind)kind, number);
	if (rc != 0)
		return rc;
	memset(&states[rule->state_count], 0, sizeof(*states));
	states[rule->state_count].number = *number;
	states[rule->state_count].kind = (uint8_t)kind;
	states[rule->state_count++].expr = asker->expr;
	return 0;
}

static struct expr_ctx
ctx_of(struct asker *asker, const struct store_chain *chain)
{
	/* The hooks that it is reached from are judged with the whole (nft_chain_validate). */
	return (struct expr_ctx){
		.family = chain->table->family,
		.compat = {.table = chain->table->name,
			.own_hooks = chain->based ? 1U << chain->hook : 0,
			.proto = asker->rule->compat_proto,
			.invert = asker->rule->compat_invert},
		.owner = asker,
		.dumped = asker->mirrors,
		.set = ask_set,
		.dynamic = ask_dynamic,
		.chain = ask_chain,
		.chain_by_id = ask_chain_by_id,
		.object = ask_object,
		.state = ask_state,
	};
}

/* --- keeping an expression as it came, but for what only its batch understands */

/* What a statement begins with: a restored ruleset's counters, the use of a quota. */
static void
keep_state(struct asker *asker, const char *name, const struct nlattr *data)
{
	struct store_state *state = &asker->rule->states[asker->rule->state_count - 1];
	struct expr_ctx ctx = {0};
	uint64_t words[2];

	/* Numbers that count up have a state too. */
	if (nft_statement_parse(name, data, &ctx, &state->statement, words) != 0) {
		state->statement.kind = NFT_STATEMENT_OTHER;
		return;
	}
	if (state->kind == NFT_STATE_WORDS)
		nft_states_set(asker->store->states, state->number, words);
	else
		memcpy(state->base, words, sizeof(state->base));
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
	const struct nlattr *verdict = mnl_attr_get_payload(data), *attr;

	mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, chain->name);
	mnl_attr_for_each_nested (attr, verdict) {
		if (mnl_attr_get_type(attr) != NFTA_VERDICT_CHAIN_ID)
			mnl_attr_put(nlh, attr->nla_type, mnl_attr_get_payload_len(attr),
				mnl_attr_get_payload(attr));
	}
	mnl_attr_nest_end(nlh, inner);
	mnl_attr_nest_end(nlh, outer);
}

/* Attributes that change when they are kept: what only the batch understands has a name by then. */
static bool
keep_renamed(struct nlmsghdr *nlh, const char *name, const struct nlattr *attr,
	const struct asker *asker)
{
	static const struct {
		const char *expr;
		uint16_t name, id;
	} sets[] = {
		{"lookup", NFTA_LOOKUP_SET, NFTA_LOOKUP_SET_ID},
		{"dynset", NFTA_DYNSET_SET_NAME, NFTA_DYNSET_SET_ID},
		{"objref", NFTA_OBJREF_SET_NAME, NFTA_OBJREF_SET_ID},
	};
	uint16_t type = mnl_attr_get_type(attr);

	for (unsigned int i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		if (strcmp(name, sets[i].expr) != 0)
			continue;
		if (type == sets[i].name)
			mnl_attr_put_strz(nlh, type, asker->set->name);
		if (type == sets[i].name || type == sets[i].id)
			return true;
	}
	/* A direction says something of these keys alone (nft_ct_get_dump). */
	if (strcmp(name, "ct") == 0 && type == NFTA_CT_DIRECTION)
		return !asker->ct_direction;
	/* Without one, which is what it stands for in a listing. */
	if (asker->mirrors && strcmp(name, "dynset") == 0 && type == NFTA_DYNSET_TIMEOUT &&
		mnl_attr_get_payload_len(attr) == 8 && mnl_attr_get_u64(attr) == 0)
		return true;
	/* The set's own statements stand for those that a rule repeats (nft_dynset_dump). */
	return strcmp(name, "dynset") == 0 && asker->set->statements.count != 0 &&
	       (type == NFTA_DYNSET_EXPR || type == NFTA_DYNSET_EXPRESSIONS);
}

/* Whether the key of a ct expression is one whose direction is told. */
static bool
has_direction(const struct nlattr *data)
{
	const struct nlattr *attr;
	uint32_t key = NFT_CT_STATE;

	mnl_attr_for_each_nested (attr, data)
		if (mnl_attr_get_type(attr) == NFTA_CT_KEY)
			key = ntohl(mnl_attr_get_u32(attr));
	switch (key) {
	case NFT_CT_SRC:
	case NFT_CT_DST:
	case NFT_CT_SRC_IP:
	case NFT_CT_DST_IP:
	case NFT_CT_SRC_IP6:
	case NFT_CT_DST_IP6:
	case NFT_CT_PROTO_SRC:
	case NFT_CT_PROTO_DST:
	case NFT_CT_BYTES:
	case NFT_CT_PKTS:
	case NFT_CT_AVGPKT:
	case NFT_CT_ZONE: return true;
	default: return false;
	}
}

/*
 * Of attributes that are there twice the last one was parsed, and that one is kept:
 * what takes the place of an attribute may be longer, and thousands would not fit.
 */
static void
keep_data(struct nlmsghdr *nlh, const char *name, const struct nlattr *data,
	const struct asker *asker)
{
	const struct nlattr *last[DATA_ATTRS + 1] = {0}, *attr;

	/* It was parsed: there are no types beyond. */
	mnl_attr_for_each_nested (attr, data)
		last[mnl_attr_get_type(attr)] = attr;
	mnl_attr_for_each_nested (attr, data) {
		uint16_t type = mnl_attr_get_type(attr);

		if (attr != last[type])
			continue;
		if (strcmp(name, "immediate") == 0 && type == NFTA_IMMEDIATE_DATA &&
			asker->bound != NULL)
			put_binding(nlh, attr, asker->bound);
		else if ((strcmp(name, "match") == 0 || strcmp(name, "target") == 0) &&
			 type == NFTA_MATCH_INFO)
			wire_keep_info(nlh, data, attr, asker->table->family, name[0] == 't');
		else if (strcmp(name, "objref") == 0 && type == NFTA_OBJREF_IMM_NAME)
			put_string(nlh, attr);
		else if (!keep_renamed(nlh, name, attr, asker))
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
	uint32_t states = asker->rule->state_count;
	char name[STORE_NAME];
	int rc = wire_attrs(msg, elem, attrs, NFTA_EXPR_MAX);

	if (rc == 0)
		rc = wire_name(msg, attrs[NFTA_EXPR_NAME], name);
	ops = rc == 0 ? expr_find(name) : NULL;
	if (rc == 0)
		rc = expr_exists(name, ctx->family);
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
	if (asker->rule->state_count > states)
		keep_state(asker, name, attrs[NFTA_EXPR_DATA]);
	asker->expr++;
	nest = mnl_attr_nest_start(out, NFTA_LIST_ELEM);
	mnl_attr_put_strz(out, NFTA_EXPR_NAME, name);
	if (attrs[NFTA_EXPR_DATA] != NULL) {
		inner = mnl_attr_nest_start(out, NFTA_EXPR_DATA);
		asker->ct_direction =
			strcmp(name, "ct") == 0 && has_direction(attrs[NFTA_EXPR_DATA]);
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
find_place(struct wire_msg *msg, const struct store_chain *chain, struct store_item **at,
	uint64_t *handle)
{
	uint16_t flags = msg->nlh->nlmsg_flags;
	int rc;

	*at = NULL;
	if (msg->attrs[NFTA_RULE_HANDLE] != NULL && !wire_mirrors(msg)) {
		rc = find_rule(msg, chain, msg->attrs[NFTA_RULE_HANDLE], at);
		if (rc == 0 && (flags & NLM_F_EXCL))
			rc = wire_refuse(msg, msg->attrs[NFTA_RULE_HANDLE], -EEXIST);
		if (rc == 0 && !(flags & NLM_F_REPLACE))
			rc = wire_refuse(msg, NULL, -EOPNOTSUPP);
		*handle = rc == 0 ? (*at)->handle : 0;
		return rc;
	}
	if (!(flags & NLM_F_CREATE) || (flags & NLM_F_REPLACE))
		return wire_refuse(msg, NULL, -EINVAL);
	/* It is used up, whatever comes of the rule. */
	*handle = wire_handle(msg, msg->attrs[NFTA_RULE_HANDLE], &chain->table->handles);
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
		/* In this order are they told of. */
		rc = store_remove(store, at);
		return rc != 0 ? rc : store_add(store, rules, &rule->item, at->next);
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
	return rc == 0 && (*out)->bound && !wire_mirrors(msg) ? -EOPNOTSUPP : rc;
}

int
wire_new_rule(struct wire_msg *msg)
{
	struct store *store = msg->wire->store;
	const struct nlattr *userdata = msg->attrs[NFTA_RULE_USERDATA];
	struct asker asker = {.store = store, .mirrors = wire_mirrors(msg)};
	struct store_chain *chain;
	struct store_rule *rule;
	struct store_item *at;
	uint64_t handle;
	int rc = wire_find_table(msg, msg->attrs[NFTA_RULE_TABLE], &asker.table);

	if (rc == 0)
		rc = find_chain(msg, asker.table, &chain);
	if (rc == 0)
		rc = find_place(msg, chain, &at, &handle);
	if (rc != 0)
		return rc;
	rule = store_item_new(store, STORE_RULE);
	if (rule == NULL)
		return -ENOMEM;
	rule->chain = chain;
	rule->fresh = true;
	rule->batch_seq = msg->nlh->nlmsg_seq;
	if (msg->attrs[NFTA_RULE_ID] != NULL)
		rc = wire_u32(msg, msg->attrs[NFTA_RULE_ID], &rule->batch_id);
	rule->item.handle = handle;
	asker.rule = rule;
	asker.within = chain;
	if (rc == 0 && msg->attrs[NFTA_RULE_COMPAT] != NULL)
		rc = wire_compat(msg, rule);
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
	struct nlattr *list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS), *elem;
	const uint8_t *at = rule->exprs->data, *end = at + rule->exprs->len;
	uint32_t next = 0;

	for (uint16_t place = 0; at < end; place++) {
		const struct nlattr *kept = (const struct nlattr *)(const void *)at;
		const struct nlattr *name = mnl_attr_get_payload(kept), *data = mnl_attr_next(name);
		const struct store_state *state =
			next < rule->state_count ? &rule->states[next] : NULL;
		uint64_t words[2];

		at += MNL_ALIGN(kept->nla_len);
		if (state == NULL || state->expr != place) {
			mnl_attr_put(nlh, kept->nla_type, mnl_attr_get_payload_len(kept),
				mnl_attr_get_payload(kept));
			continue;
		}
		next++;
		wire_read_state(wire, &state->statement, state->number, state->base, words);
		elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
		mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, mnl_attr_get_str(name));
		nft_statement_fill(nlh, NFTA_EXPR_DATA, &state->statement, words,
			(const uint8_t *)data < at ? data : NULL);
		mnl_attr_nest_end(nlh, elem);
	}
	mnl_attr_nest_end(nlh, list);
}
