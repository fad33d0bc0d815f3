/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reach.h"

#include <errno.h>

#include "program.h"

/* A walk from a base chain; rules of the open batch behind `until` are not there yet. */
struct walk {
	uint32_t until;
	uint8_t hook;
	uint8_t kind;
};

static int visit(struct store_chain *chain, const struct walk *walk, uint8_t level);

/* What a rule's reference leads to: a chain, or the chains of a verdict map. */
static int
follow(const struct store_item *item, const struct walk *walk, uint8_t level)
{
	int rc = 0;

	if (item->kind == STORE_CHAIN)
		return visit((struct store_chain *)(uintptr_t)item, walk, level);
	if (item->kind != STORE_SET || !((const struct store_set *)item)->verdicts)
		return 0;
	store_for_each(elem,
		&((const struct store_set *)item)->elems) if (((struct store_elem *)elem)->chain !=
								      NULL &&
							      rc == 0) rc =
		visit(((struct store_elem *)elem)->chain, walk, level);
	return rc;
}

static int
visit(struct store_chain *chain, const struct walk *walk, uint8_t level)
{
	int rc = 0;

	if (level == NFT_JUMPS)
		return -EMLINK;
	/* Nothing new below, if it was reached from here at least as deep before. */
	if (chain->reach_level > level && (chain->reach_hooks & 1U << walk->hook) &&
		(chain->reach_kinds & walk->kind))
		return 0;
	if (chain->reach_level <= level)
		chain->reach_level = (uint8_t)(level + 1);
	chain->reach_hooks |= (uint8_t)(1U << walk->hook);
	chain->reach_kinds |= walk->kind;
	store_for_each(item, &chain->rules)
	{
		const struct store_rule *rule = (const struct store_rule *)item;

		if (rule->fresh && rule->batch_seq > walk->until)
			continue;
		for (uint32_t i = 0; i < rule->refs.count && rc == 0; i++)
			rc = follow(rule->refs.items[i], walk, (uint8_t)(level + 1));
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
walk_all(const struct store *store, uint32_t until)
{
	int rc = 0;

	store_for_each(table, &store->tables)
		store_for_each(item, &((struct store_table *)table)->chains)
	{
		struct store_chain *chain = (struct store_chain *)item;

		chain->reach_level = 0;
		chain->reach_hooks = 0;
		chain->reach_kinds = 0;
	}
	store_for_each(table, &store->tables)
		store_for_each(item, &((struct store_table *)table)->chains)
	{
		struct store_chain *chain = (struct store_chain *)item;
		struct walk walk = {until, chain->hook, chain->kind};

		if (chain->based && rc == 0)
			rc = visit(chain, &walk, 0);
	}
	return rc;
}

int
nft_reach(const struct store *store, struct store_rule **blame)
{
	int rc = walk_all(store, UINT32_MAX);

	*blame = NULL;
	if (rc == 0)
		return 0;
	/* As the kernel does on a failed commit: rule by rule, to find the one at fault. */
	for (uint32_t i = 0; i < store->log_count; i++) {
		struct store_item *item = store->log[i].item;

		if (store->log[i].op != STORE_ADDED || item->kind != STORE_RULE || !item->linked ||
			((struct store_rule *)item)->refs.count == 0)
			continue;
		*blame = (struct store_rule *)item;
		if (walk_all(store, (*blame)->batch_seq) != 0)
			return rc;
	}
	return rc;
}
