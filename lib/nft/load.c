/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "builder.h"
#include "reach.h"
#include "store.h"

/* States of a rule: a bound above what its expressions' memory allows. */
#define RULE_STATES 512

struct loader {
	const struct store *store;
	const struct store_table *table; /* whose rules are being built */
	struct nft_builder *builder;
	struct nft_ruleset *ruleset;
	struct nft_blame *blame;
	uint32_t numbers[RULE_STATES]; /* the states of the rule being built */
};

static int
ask_set(void *owner, const char *name, uint32_t id, uint32_t *number, uint32_t *key_len,
	uint32_t *data_len, uint32_t *flags)
{
	const struct store_set *set = store_set(((const struct loader *)owner)->table, name);

	(void)id;
	if (set == NULL)
		return -ENOENT;
	*number = set->number;
	*key_len = set->key_len;
	*data_len = set->flags & NFT_SET_OBJECT ? set->object_type : set->data_len;
	*flags = set->flags;
	return 0;
}

static struct nft_dynamic *
ask_dynamic(void *owner, const char *name, uint32_t id)
{
	const struct store_set *set = store_set(((const struct loader *)owner)->table, name);

	(void)id;
	return set != NULL ? set->dynamic : NULL;
}

static int
ask_chain(void *owner, const char *name, uint32_t *number)
{
	const struct store_chain *chain = store_chain(((const struct loader *)owner)->table, name);

	*number = chain != NULL ? chain->number : NFT_CHAIN_NONE;
	return chain != NULL ? 0 : -ENOENT;
}

static int
ask_object(void *owner, const char *name, uint32_t type, uint32_t *number)
{
	const struct store_table *table = ((const struct loader *)owner)->table;
	const struct store_flowtable *ft;
	const struct store_object *object;

	if (type == NFT_OBJECT_UNSPEC) {
		ft = store_flowtable(table, name);
		*number = ft != NULL ? ft->number : 0;
		return ft != NULL ? 0 : -ENOENT;
	}
	object = store_object(table, name, type);
	*number = object != NULL ? object->number : 0;
	return object != NULL ? 0 : -ENOENT;
}

/* --- declarations */

static void
declare_sets(struct loader *l, const struct store_table *table)
{
	store_for_each(item, &table->sets)
	{
		struct store_set *set = (struct store_set *)item;

		set->live->dynamic = set->dynamic;
		set->live->changes = (set->flags & NFT_SET_TIMEOUT) || set->dynamic != NULL;
		builder_put_set(l->builder, set->number, set->live);
	}
}

static int
declare_chains(struct loader *l, const struct store_table *table)
{
	int rc = 0;

	store_for_each(item, &table->chains)
	{
		const struct store_chain *chain = (const struct store_chain *)item;

		if (rc == 0)
			rc = builder_put_chain(l->builder, chain->number, chain->name,
				(int32_t)chain->policy.verdict);
		if (rc == 0)
			rc = builder_label_chain(
				l->builder, chain->number, table->family, table->name);
		if (rc == 0 && chain->policy.counted)
			builder_count(l->builder, chain->number, chain->count);
	}
	return rc;
}

static void
declare_objects(struct loader *l, const struct store_table *table)
{
	store_for_each(item, &table->objects)
	{
		const struct store_object *object = (const struct store_object *)item;

		builder_put_object(l->builder, object->number, &object->statement, object->state);
	}
}

/* The ports among devices, a bit each; a device that is absent is none. */
static uint64_t
ports_of(const struct store_blob *devices, const struct nft_env *env)
{
	const uint8_t *at = devices != NULL ? devices->data : NULL;
	const uint8_t *end = devices != NULL ? at + devices->len : NULL;
	uint64_t ports = 0;

	while (at < end) {
		const struct nlattr *attr = (const struct nlattr *)(const void *)at;
		char name[16] = "";
		uint16_t port;

		memcpy(name, mnl_attr_get_payload(attr),
			mnl_attr_get_payload_len(attr) < 15 ? mnl_attr_get_payload_len(attr) : 15);
		port = env->port_by_name != NULL ? env->port_by_name(name) : PORT_NONE;
		if (port < 64)
			ports |= 1ULL << port;
		at += MNL_ALIGN(attr->nla_len);
	}
	return ports;
}

/* The ports whose flows each flowtable covers. */
static void
declare_flowtables(struct loader *l, const struct store_table *table, const struct nft_env *env)
{
	store_for_each(item, &table->flowtables)
	{
		struct store_flowtable *ft = (struct store_flowtable *)item;

		builder_put_flowtable(l->builder, ft->number, ports_of(ft->devices, env));
	}
}

/* --- what rules say */

/* Families whose packets pass the hooks of IPv4 and IPv6. */
static bool
routed(uint8_t family)
{
	return family == NFPROTO_IPV4 || family == NFPROTO_IPV6 || family == NFPROTO_INET;
}

/* Families whose chains packets pass: those, and the devices'. */
static bool
passed(uint8_t family)
{
	return routed(family) || family == NFPROTO_NETDEV;
}

/* Conntrack runs for the families of a table that has a rule which needs it. */
static void
need_conntrack(struct loader *l)
{
	if (!routed(l->table->family))
		return;
	if (l->table->family != NFPROTO_IPV6)
		l->ruleset->conntrack[0] = true;
	if (l->table->family != NFPROTO_IPV4)
		l->ruleset->conntrack[1] = true;
}

/* A rule's expressions, one by one. */
static int
build_rule(struct loader *l, const struct store_chain *chain, struct store_rule *rule)
{
	struct nft_place place = {.family = l->table->family,
		.kinds = chain->reach_kinds,
		.hooks = chain->reach_hooks,
		.compat = {.table = l->table->name,
			.proto = rule->compat_proto,
			.invert = rule->compat_invert}};
	const uint8_t *at = rule->exprs->data, *end = at + rule->exprs->len;
	int rc;

	for (uint32_t i = 0; i < rule->state_count && i < RULE_STATES; i++)
		l->numbers[i] = rule->states[i].number;
	rc = builder_rule(l->builder, chain->number, rule->item.handle, &place, l->numbers,
		rule->state_count);
	while (rc == 0 && at < end) {
		/* As wire_rule.c keeps it: a name, then the data if there is any. */
		const struct nlattr *elem = (const struct nlattr *)(const void *)at;
		const struct nlattr *name = mnl_attr_get_payload(elem), *data, *bad;

		data = mnl_attr_next(name);
		if ((const uint8_t *)data >= at + elem->nla_len)
			data = NULL;
		rc = builder_expr(l->builder, mnl_attr_get_str(name), data, &bad);
		/* It was fit when it came: what is wrong is where it is reached from. */
		if (rc != 0)
			l->blame->rule = rule;
		at += MNL_ALIGN(elem->nla_len);
	}
	return rc;
}

/* One that stands where it stood has the code that it had: numbers are for life. */
static int
load_rule(struct loader *l, const struct store_chain *chain, struct store_rule *rule)
{
	struct nft_code *code = rule->code;
	int rc;

	l->ruleset->rule_count++;
	if (code != NULL && code->hooks == chain->reach_hooks &&
		code->kinds == chain->reach_kinds) {
		rc = builder_same_rule(l->builder, chain->number, rule->item.handle, code);
	} else {
		rc = build_rule(l, chain, rule);
		code = rc == 0 ? builder_code(l->builder) : NULL;
		if (rc == 0 && code == NULL)
			rc = -ENOMEM;
		if (rc == 0) {
			nft_code_put(rule->code);
			rule->code = code;
			code->holders++;
		}
	}
	if (rc == 0 && code->tracks)
		need_conntrack(l);
	return rc;
}

static int
load_rules(struct loader *l, const struct store_table *table)
{
	l->table = table;
	store_for_each(item, &table->chains)
		store_for_each(rule, &((struct store_chain *)item)->rules)
	{
		int rc = load_rule(l, (struct store_chain *)item, (struct store_rule *)rule);

		if (rc != 0)
			return rc;
	}
	return 0;
}

/* --- base chains */

static int
compare_registered(const void *a, const void *b)
{
	uint64_t x = (*(struct store_chain *const *)a)->registered;
	uint64_t y = (*(struct store_chain *const *)b)->registered;

	return x < y ? -1 : x > y;
}

static void
hook_chain(struct nft_ruleset *ruleset, const struct store_chain *chain, const struct nft_env *env)
{
	struct nft_hooked *hooked = &ruleset->chains[ruleset->chain_count++];
	uint8_t family = chain->table->family;

	*hooked = (struct nft_hooked){
		.base = {ruleset->program, chain->number},
		.families = {family != NFPROTO_IPV6, family != NFPROTO_IPV4},
		.other = family == NFPROTO_NETDEV,
		.ports = ports_of(chain->devices, env),
		.hook = (enum hook)chain->hook,
		.kind = chain->kind,
		.priority = chain->priority,
	};
	for (unsigned int f = 0; f < 2; f++)
		if (hooked->families[f] && chain->kind == NFT_KIND_NAT)
			ruleset->nat[f] = true;
}

/* All base chains that are not dormant, in the order of registration. */
static int
hook_all(struct nft_ruleset *ruleset, const struct store *store, const struct nft_env *env)
{
	struct store_chain **bases = NULL;
	uint32_t count = 0;

	store_for_each(t, &store->tables)
	{
		const struct store_table *table = (const struct store_table *)t;

		if ((table->flags & NFT_TABLE_F_DORMANT) || !passed(table->family))
			continue;
		store_for_each(item, &table->chains)
		{
			struct store_chain **grown;

			if (!((struct store_chain *)item)->based)
				continue;
			grown = realloc(bases, (count + 1) * sizeof(struct store_chain *));
			if (grown == NULL) {
				free(bases);
				return -ENOMEM;
			}
			bases = grown;
			bases[count++] = (struct store_chain *)item;
		}
	}
	if (count != 0)
		qsort(bases, count, sizeof(struct store_chain *), compare_registered);
	ruleset->chains = calloc(count + 1, sizeof(*ruleset->chains));
	for (uint32_t i = 0; ruleset->chains != NULL && i < count; i++)
		hook_chain(ruleset, bases[i], env);
	free(bases);
	return ruleset->chains != NULL ? 0 : -ENOMEM;
}

/* A failure of a rule that was there before is the fault of one that came and leads to it. */
static void
shift_blame(const struct store *store, struct nft_blame *blame)
{
	if (blame->rule == NULL || blame->rule->fresh)
		return;
	for (uint32_t i = store->log_count; i-- > 0;) {
		struct store_item *item = store->log[i].item;

		if (store->log[i].op == STORE_ADDED && item->kind == STORE_RULE && item->linked &&
			((struct store_rule *)item)->refs.count != 0) {
			blame->rule = (struct store_rule *)item;
			return;
		}
	}
}

/* Everything that has a name, before the rules that name it. */
static int
declare(struct loader *l, const struct nft_env *env)
{
	const struct store_numbers *numbers = l->store->numbers;
	int rc = builder_reserve(l->builder, numbers[STORE_CHAIN].next, numbers[STORE_SET].next,
		numbers[STORE_OBJECT].next, numbers[STORE_FLOWTABLE].next);

	store_for_each(item, &l->store->tables)
	{
		const struct store_table *table = (const struct store_table *)item;

		if (rc != 0)
			return rc;
		declare_sets(l, table);
		declare_objects(l, table);
		rc = declare_chains(l, table);
		declare_flowtables(l, table, env);
	}
	return rc;
}

/* What workers will see of intervals that the batch changed. */
static int
prepare_sets(const struct store *store)
{
	const struct store_set *last = NULL;

	for (uint32_t i = 0; i < store->log_count; i++) {
		const struct store_item *item = store->log[i].item;
		const struct store_set *set;

		if (item->kind != STORE_ELEM)
			continue;
		set = ((const struct store_elem *)item)->set;
		if (set == last || !set->live->interval)
			continue;
		last = set;
		if (nft_set_prepare(set->live) != 0)
			return -ENOMEM;
	}
	return 0;
}

/* Whether the batch changed elements alone, of sets that a program knows, and no jumps. */
static bool
elements_alone(const struct store *store)
{
	for (uint32_t i = 0; i < store->log_count; i++) {
		const struct store_item *item = store->log[i].item;
		const struct store_set *set;

		if (item->kind != STORE_ELEM)
			return false;
		set = ((const struct store_elem *)item)->set;
		if (set->verdicts || !set->live->shared)
			return false;
	}
	return true;
}

/* The ruleset that is in force, for the generation to come. */
static int
again(const struct store *store, const struct nft_ruleset *now, struct nft_ruleset *out)
{
	*out = *now;
	out->chains = calloc(now->chain_count + 1, sizeof(*out->chains));
	out->program = nft_program_again(now->program, store->generation + 1);
	if (out->chains == NULL || out->program == NULL) {
		nft_program_free(out->program);
		free(out->chains);
		return -ENOMEM;
	}
	memcpy(out->chains, now->chains, now->chain_count * sizeof(*out->chains));
	for (uint32_t i = 0; i < out->chain_count; i++)
		out->chains[i].base.program = out->program;
	return 0;
}

int
nft_load(const struct store *store, const struct nft_env *env, const struct nft_ruleset *now,
	struct nft_ruleset **out, struct nft_blame *blame)
{
	struct nft_ruleset *ruleset = calloc(1, sizeof(*ruleset));
	struct loader l = {.store = store, .ruleset = ruleset, .blame = blame};
	struct nft_asks asks = {&l, ask_set, ask_dynamic, ask_chain, ask_object};
	int rc;

	blame->rule = NULL;
	if (ruleset == NULL)
		return -ENOMEM;
	rc = prepare_sets(store);
	if (rc == 0 && now != NULL && elements_alone(store)) {
		rc = again(store, now, ruleset);
		*out = ruleset;
		if (rc != 0)
			free(ruleset);
		return rc;
	}
	if (rc == 0)
		rc = nft_reach(store, &blame->rule);
	l.builder = rc == 0 ? builder_new(store->states, env, store->generation + 1) : NULL;
	if (rc == 0 && l.builder == NULL)
		rc = -ENOMEM;
	if (rc == 0) {
		builder_ask(l.builder, &asks);
		rc = declare(&l, env);
	}
	store_for_each(item, &store->tables) if (rc == 0) rc =
		load_rules(&l, (const struct store_table *)item);
	if (rc == 0) {
		ruleset->program = builder_finish(l.builder);
		l.builder = NULL;
		rc = ruleset->program != NULL ? hook_all(ruleset, store, env) : -ENOMEM;
	}
	if (rc != 0) {
		shift_blame(store, blame);
		builder_free(l.builder);
		nft_ruleset_free(ruleset);
		return rc;
	}
	*out = ruleset;
	return 0;
}

void
nft_ruleset_free(struct nft_ruleset *ruleset)
{
	if (ruleset == NULL)
		return;
	nft_program_free(ruleset->program);
	free(ruleset->chains);
	free(ruleset);
}
