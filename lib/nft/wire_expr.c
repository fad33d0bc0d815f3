/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The expressions of a rule: parsed when they come, so that the one at fault is blamed,
 * and kept as they came (wire_keep.c).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire_priv.h"

/* Bytes that a rule's expressions may have: the kernel's bound (nft_rule_dlen). */
#define RULE_MAX 4096

/* What expressions ask while a rule comes in. */
struct asker {
	struct store *store;
	struct store_table *table;
	struct store_rule *rule;
	struct wire_named named;    /* by the expression at hand */
	struct store_chain *within; /* the rule's */
	struct store_set *grows[4]; /* those that packets add to, without a size */
	unsigned int grow_count;
	uint16_t expr; /* place of the expression at hand */
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
	asker->named.set = set;
	return store_ref(&asker->rule->refs, &set->item);
}

static struct nft_dynamic *
ask_dynamic(void *owner, const char *name, uint32_t id)
{
	/* Of the set that was asked for just before. */
	struct store_set *set = ((struct asker *)owner)->named.set;

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
	return asker->named.mirrors && chain->binding ? bind_chain(asker, chain)
						      : store_ref(&asker->rule->refs, &chain->item);
}

static int
ask_chain_by_id(void *owner, uint32_t id, uint32_t *number)
{
	struct asker *asker = owner;
	struct store_chain *chain = wire_chain_of_batch(asker->table, id);

	if (chain == NULL)
		return -ENOENT;
	if (chain->based || !chain->binding)
		return -EOPNOTSUPP;
	asker->named.bound = chain;
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
ctx_of(struct asker *asker)
{
	const struct store_chain *chain = asker->within;

	/* The hooks that it is reached from are judged with the whole (nft_chain_validate). */
	return (struct expr_ctx){
		.family = chain->table->family,
		.compat = {.table = chain->table->name,
			.own_hooks = chain->based ? 1U << chain->hook : 0,
			.proto = asker->rule->compat_proto,
			.invert = asker->rule->compat_invert},
		.owner = asker,
		.dumped = asker->named.mirrors,
		.set = ask_set,
		.dynamic = ask_dynamic,
		.chain = ask_chain,
		.chain_by_id = ask_chain_by_id,
		.object = ask_object,
		.state = ask_state,
	};
}

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
	asker->named.bound = NULL;
	if (rc == 0)
		rc = expr_parse(ops, attrs[NFTA_EXPR_DATA], ctx, (struct expr *)(void *)code);
	if (rc != 0)
		return wire_refuse(msg, elem, rc);
	*used += ops->size;
	if (strcmp(name, "dynset") == 0 && asker->named.set->size == 0 &&
		asker->grow_count < sizeof(asker->grows) / sizeof(asker->grows[0]))
		asker->grows[asker->grow_count++] = asker->named.set;
	if (asker->rule->state_count > states)
		keep_state(asker, name, attrs[NFTA_EXPR_DATA]);
	asker->expr++;
	nest = mnl_attr_nest_start(out, NFTA_LIST_ELEM);
	mnl_attr_put_strz(out, NFTA_EXPR_NAME, name);
	if (attrs[NFTA_EXPR_DATA] != NULL) {
		inner = mnl_attr_nest_start(out, NFTA_EXPR_DATA);
		wire_keep_expr(out, name, attrs[NFTA_EXPR_DATA], &asker->named);
		mnl_attr_nest_end(out, inner);
	}
	mnl_attr_nest_end(out, nest);
	return 0;
}

int
wire_take_exprs(struct wire_msg *msg, struct store_rule *rule)
{
	struct asker asker = {.store = msg->wire->store,
		.table = rule->chain->table,
		.rule = rule,
		.within = rule->chain,
		.named = {.family = rule->chain->table->family, .mirrors = wire_mirrors(msg)}};
	struct nlmsghdr *out = mnl_nlmsg_put_header(msg->wire->scratch);
	struct expr_ctx ctx = ctx_of(&asker);
	const struct nlattr *elem;
	size_t used = 0;
	int rc = 0;

	if (msg->attrs[NFTA_RULE_EXPRESSIONS] != NULL)
		mnl_attr_for_each_nested (elem, msg->attrs[NFTA_RULE_EXPRESSIONS]) {
			rc = take_expr(msg, &asker, &ctx, elem, out, &used);
			if (rc != 0)
				return rc;
		}
	rule->exprs = store_blob(mnl_nlmsg_get_payload(out), mnl_nlmsg_get_payload_len(out));
	if (rule->exprs == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < asker.grow_count && rc == 0; i++)
		rc = wire_size_set(msg, asker.grows[i]);
	return rc;
}

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
