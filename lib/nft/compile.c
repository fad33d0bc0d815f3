/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiling: which expressions of a rule are matches, and which rules make runs.
 */
#include "compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compile_priv.h"

/* Expressions of a rule, at most: each takes 8 bytes of a bounded sum. */
#define EXPRS 512
/* lib/path's PATH_PORTS. */
#define PORTS 32

/* A rule's expressions, and the registers that those behind each read. */
struct listing {
	const struct expr *exprs[EXPRS];
	uint32_t read_behind[EXPRS];
	unsigned int count;
};

static void
list_rule(const struct nft_rule_code *rule, struct listing *l)
{
	uint32_t read = 0;

	l->count = 0;
	for (const uint8_t *at = rule->begin; at < rule->end && l->count < EXPRS;) {
		const struct expr *expr = (const struct expr *)(const void *)at;

		l->exprs[l->count++] = expr;
		at += expr->ops->size;
	}
	for (unsigned int i = l->count; i-- > 0;) {
		const struct expr_compile *row = compile_row(l->exprs[i]->ops);

		l->read_behind[i] = read;
		if (row != NULL && row->writes != NULL)
			read &= ~row->writes(l->exprs[i]);
		if (row != NULL && row->reads != NULL) {
			read |= row->reads(l->exprs[i]);
		} else if (row == NULL || !row->reads_none) {
			uint8_t reg, len, value[MATCH_MAX];
			struct match_key key;
			uint64_t mask[2];
			bool differ;

			/* Loads read nothing; tests and masks what they name; others anything. */
			if (row != NULL && row->load != NULL && row->load(l->exprs[i], &key, &reg))
				read &= ~words_of(reg, key.len);
			else if (row != NULL && row->mask != NULL &&
				 row->mask(l->exprs[i], &reg, &len, mask))
				read |= words_of(reg, len);
			else if (row != NULL && row->test != NULL &&
				 row->test(l->exprs[i], &reg, &len, &differ, value))
				read |= words_of(reg, len);
			else
				read = UINT32_MAX;
		}
	}
}

static bool
masked_out(const struct match_key *key, unsigned int byte)
{
	return ((const uint8_t *)key->mask)[byte] == 0;
}

/* Names: which ports they are, by the comparison that the reference makes. */
static void
find_ports(const struct nft_program *program, struct match *m, const uint8_t value[MATCH_MAX],
	uint8_t len)
{
	static const char none[MATCH_MAX];

	for (uint16_t port = 0; port < PORTS; port++)
		if (memcmp(program->env->port_name(port), value, len) == 0)
			m->ports |= 1ULL << port;
	if (memcmp(none, value, len) == 0)
		m->ports |= 1ULL << 63;
}

/*
 * A load, perhaps a mask, and a comparison of what was loaded, from expression
 * at on. Returns how many expressions it takes, 0: it is none.
 */
static unsigned int
take_match(const struct nft_program *program, const struct listing *l, unsigned int at,
	struct match *m)
{
	const struct expr_compile *row = compile_row(l->exprs[at]->ops);
	uint8_t reg, other, len, value[MATCH_MAX] = {0};
	unsigned int n = at;
	bool name;

	memset(m, 0, sizeof(*m));
	if (row == NULL || row->load == NULL || !row->load(l->exprs[n++], &m->key, &reg) ||
		n == l->count)
		return 0;
	memset(m->key.mask, 0, sizeof(m->key.mask));
	memset(m->key.mask, 0xff, m->key.len);
	name = m->key.from == FROM_IN_NAME || m->key.from == FROM_OUT_NAME;
	row = compile_row(l->exprs[n]->ops);
	if (row != NULL && row->mask != NULL && !name) {
		uint64_t mask[2] = {0, 0};

		if (!row->mask(l->exprs[n++], &other, &len, mask) || other != reg ||
			len < m->key.len || n == l->count)
			return 0;
		m->key.mask[0] &= mask[0];
		m->key.mask[1] &= mask[1];
		row = compile_row(l->exprs[n]->ops);
	}
	if (row == NULL || row->test == NULL ||
		!row->test(l->exprs[n], &other, &len, &m->differ, value) || other != reg)
		return 0;
	/* A shorter comparison is one of fewer bytes; nothing longer than what was loaded. */
	if (len > (name ? MATCH_MAX : m->key.len))
		return 0;
	for (unsigned int i = len; i < m->key.len && !name; i++)
		((uint8_t *)m->key.mask)[i] = 0;
	if (l->read_behind[n] & words_of(reg, name ? MATCH_MAX : m->key.len))
		return 0;
	for (unsigned int i = 0; i < MATCH_MAX; i++) {
		if (!masked_out(&m->key, i))
			continue;
		m->key.unsafe[0] &= (uint16_t) ~(1U << i);
		m->key.unsafe[1] &= (uint16_t) ~(1U << i);
	}
	if (name)
		find_ports(program, m, value, len);
	memcpy(m->value, value, sizeof(m->value));
	for (unsigned int i = 0; i < MATCH_MAX; i++)
		if (!name && masked_out(&m->key, i) && value[i] != 0)
			return 0;
	return n + 1 - at;
}

static int
compile_rule(const struct nft_program *program, const struct nft_rule_code *rule,
	struct nft_fast *fast, uint32_t at, struct listing *l)
{
	struct fast_rule *to = &fast->rules[at];
	unsigned int i = 0, taken;
	struct match m;

	list_rule(rule, l);
	*to = (struct fast_rule){.handle = rule->handle,
		.begin = rule->begin,
		.end = rule->end,
		.first = fast->match_count,
		.run = NO_RUN};
	/* One that is longer than the list stays as it is. */
	if (l->count == EXPRS)
		return 0;
	while (i < l->count && (taken = take_match(program, l, i, &m)) != 0) {
		struct match *all =
			realloc(fast->matches, (fast->match_count + 1) * sizeof(*fast->matches));

		if (all == NULL)
			return -ENOMEM;
		fast->matches = all;
		all[fast->match_count++] = m;
		to->count++;
		i += taken;
	}
	to->begin = i < l->count ? (const uint8_t *)l->exprs[i] : rule->end;
	return 0;
}

/* --- runs */

/* What a packet cannot change while it passes the rules. */
static bool
constant(const struct match_key *key)
{
	return key->from == FROM_NETWORK || key->from == FROM_TRANSPORT;
}

static bool
same_key(const struct match_key *a, const struct match_key *b)
{
	return a->from == b->from && a->offset == b->offset && a->len == b->len &&
	       a->fast == b->fast && a->mask[0] == b->mask[0] && a->mask[1] == b->mask[1];
}

/* A rule's == of a key, or NULL. */
static const struct match *
equal_of(const struct nft_fast *fast, uint32_t rule, const struct match_key *key)
{
	const struct fast_rule *r = &fast->rules[rule];

	for (uint32_t i = 0; i < r->count; i++) {
		const struct match *m = &fast->matches[r->first + i];

		if (!m->differ && same_key(&m->key, key))
			return m;
	}
	return NULL;
}

/* How far a run of a key goes from a rule on. */
static uint32_t
run_end(const struct nft_fast *fast, uint32_t first, const struct match_key *key)
{
	uint32_t last = first;

	while (last < fast->rule_count && equal_of(fast, last, key) != NULL)
		last++;
	return last;
}

/* The value that every rule of a run wants of a key of one byte, or 0. */
static uint8_t
common(const struct nft_fast *fast, uint32_t first, uint32_t last, enum match_from from)
{
	const struct match_key key = {.from = (uint8_t)from, .len = 1, .mask = {0xff, 0}};
	uint8_t value = 0;

	for (uint32_t rule = first; rule < last; rule++) {
		const struct match *m = equal_of(fast, rule, &key);

		if (m == NULL || (rule != first && (uint8_t)m->value[0] != value))
			return 0;
		value = (uint8_t)m->value[0];
	}
	return value;
}

static int
make_run(struct nft_fast *fast, const struct match_key *key, uint32_t first, uint32_t last)
{
	struct run *all = realloc(fast->runs, (fast->run_count + 1) * sizeof(*all)), *run;
	uint32_t size = 16;

	if (all == NULL)
		return -ENOMEM;
	fast->runs = all;
	while (size < 2 * (last - first))
		size *= 2;
	run = &all[fast->run_count];
	*run = (struct run){.key = *key, .first = first, .last = last, .mask = size - 1};
	run->nfproto = common(fast, first, last, FROM_NFPROTO);
	run->l4proto = common(fast, first, last, FROM_L4PROTO);
	run->heads = malloc(size * sizeof(*run->heads));
	run->entries = calloc(last - first, sizeof(*run->entries));
	fast->run_count++;
	if (run->heads == NULL || run->entries == NULL)
		return -ENOMEM;
	memset(run->heads, 0xff, size * sizeof(*run->heads));
	/* From the end: each list is in the order of the rules. */
	for (uint32_t rule = last; rule-- > first;) {
		const struct match *m = equal_of(fast, rule, key);
		uint32_t slot =
			((m->value[0] ^ m->value[1]) * 0x9e3779b97f4a7c15ULL >> 32) & run->mask;
		struct run_entry *e = &run->entries[rule - first];

		*e = (struct run_entry){{m->value[0], m->value[1]}, rule, run->heads[slot]};
		run->heads[slot] = rule - first;
		fast->rules[rule].run = fast->run_count - 1;
	}
	return 0;
}

static int
make_runs(struct nft_fast *fast)
{
	for (uint32_t first = 0; first < fast->rule_count;) {
		const struct fast_rule *r = &fast->rules[first];
		const struct match *best = NULL;
		uint32_t last = first + 1;

		for (uint32_t i = 0; i < r->count; i++) {
			const struct match *m = &fast->matches[r->first + i];
			uint32_t end = !m->differ && constant(&m->key)
					       ? run_end(fast, first, &m->key)
					       : first;

			if (end > last) {
				last = end;
				best = m;
			}
		}
		if (best != NULL && last - first >= RUN_LEAST &&
			make_run(fast, &best->key, first, last) != 0)
			return -ENOMEM;
		first = best != NULL && last - first >= RUN_LEAST ? last : first + 1;
	}
	return 0;
}

void
nft_fast_free(struct nft_fast *fast)
{
	if (fast == NULL)
		return;
	for (uint32_t i = 0; i < fast->run_count; i++) {
		free(fast->runs[i].heads);
		free(fast->runs[i].entries);
	}
	free(fast->runs);
	free(fast->matches);
	free(fast->rules);
	free(fast);
}

static struct nft_fast *
compile_chain(
	const struct nft_program *program, const struct nft_chain_code *chain, struct listing *l)
{
	struct nft_fast *fast = calloc(1, sizeof(*fast));
	int rc = 0;

	if (fast == NULL)
		return NULL;
	fast->rules = calloc(chain->rule_count + 1, sizeof(*fast->rules));
	if (fast->rules == NULL)
		rc = -ENOMEM;
	for (uint32_t i = 0; i < chain->rule_count && rc == 0; i++) {
		rc = compile_rule(program, &chain->rules[i], fast, i, l);
		fast->rule_count++;
	}
	if (rc == 0)
		rc = make_runs(fast);
	if (rc == 0)
		return fast;
	nft_fast_free(fast);
	return NULL;
}

int
nft_compile(struct nft_program *program)
{
	struct listing *l = malloc(sizeof(*l));

	for (uint32_t i = 0; i < program->chain_count && l != NULL; i++) {
		/* One that came over from the program before is compiled. */
		if (program->chains[i].fast != NULL)
			continue;
		program->chains[i].fast = compile_chain(program, &program->chains[i], l);
		if (program->chains[i].fast != NULL)
			continue;
		while (i-- > 0) {
			nft_fast_free(program->chains[i].fast);
			program->chains[i].fast = NULL;
		}
		free(l);
		return -ENOMEM;
	}
	free(l);
	return l != NULL ? 0 : -ENOMEM;
}

void
nft_compiled_facts(const struct nft_chain_code *chain, struct nft_compiled *facts)
{
	*facts = (struct nft_compiled){0};
	if (chain->fast == NULL)
		return;
	facts->matches = chain->fast->match_count;
	facts->runs = chain->fast->run_count;
	for (uint32_t i = 0; i < chain->fast->run_count; i++)
		facts->in_runs += chain->fast->runs[i].last - chain->fast->runs[i].first;
}
