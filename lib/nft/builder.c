/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xt.h"

/* Bytes that a rule's expressions may have: the kernel's bound (nft_rule_dlen). */
#define RULE_MAX 4096

struct named {
	char *name;
	uint32_t id;
	uint32_t type;
	uint32_t number;
	uint32_t set_flags;
};

/* An array of named things that grows. */
struct names {
	struct named *items;
	uint32_t count;
};

struct nft_builder {
	struct nft_program *program;
	struct names sets, objects, chains;
	struct nft_chain_code *chain; /* of the rule begun last */
	struct nft_asks asks;
	struct expr_ctx ctx;
	uint8_t *code; /* of that rule */
	size_t used;
	bool tracks;
	struct nft_code *last;	 /* of the rule that was whole last */
	const uint32_t *numbers; /* states that the rule has already */
	uint32_t number_count;
};

/* --- what expressions ask */

static int
find(const struct names *names, const char *name)
{
	for (uint32_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

static int
ask_set(void *owner, const char *name, uint32_t id, uint32_t *set, uint32_t *key_len,
	uint32_t *data_len, uint32_t *flags)
{
	const struct nft_builder *b = owner;
	int at = find(&b->sets, name);

	/* In the batch that makes it, an anonymous set goes by its id. */
	for (uint32_t i = 0; at < 0 && id != 0 && i < b->sets.count; i++)
		if (b->sets.items[i].id == id)
			at = (int)i;
	if (at < 0)
		return at;
	*set = (uint32_t)at;
	*key_len = b->program->sets[at]->key_len;
	*data_len = b->program->sets[at]->data_len;
	*flags = b->sets.items[at].set_flags;
	return 0;
}

static int
ask_chain(void *owner, const char *name, uint32_t *chain)
{
	int at = find(&((const struct nft_builder *)owner)->chains, name);

	*chain = (uint32_t)at;
	return at < 0 ? at : 0;
}

static int
ask_object(void *owner, const char *name, uint32_t type, uint32_t *state)
{
	const struct nft_builder *b = owner;

	for (uint32_t i = 0; i < b->objects.count; i++) {
		if (b->objects.items[i].type != type || strcmp(b->objects.items[i].name, name) != 0)
			continue;
		*state = b->objects.items[i].number;
		return 0;
	}
	return -ENOENT;
}

static int
ask_state(void *owner, uint32_t kind, uint32_t *state)
{
	struct nft_builder *b = owner;

	if (b->numbers == NULL)
		return nft_states_take(b->program->states, kind, state);
	if (b->number_count == 0)
		return -EINVAL;
	b->number_count--;
	*state = *b->numbers++;
	return 0;
}

/* The owner that asks reach is the caller's; states are the builder's in any case. */
static int
wrap_set(void *owner, const char *name, uint32_t id, uint32_t *set, uint32_t *key_len,
	uint32_t *data_len, uint32_t *flags)
{
	const struct nft_asks *asks = &((struct nft_builder *)owner)->asks;

	return asks->set(asks->owner, name, id, set, key_len, data_len, flags);
}

static struct nft_dynamic *
wrap_dynamic(void *owner, const char *name, uint32_t id)
{
	const struct nft_asks *asks = &((struct nft_builder *)owner)->asks;

	return asks->dynamic != NULL ? asks->dynamic(asks->owner, name, id) : NULL;
}

static int
wrap_chain(void *owner, const char *name, uint32_t *chain)
{
	const struct nft_asks *asks = &((struct nft_builder *)owner)->asks;

	return asks->chain(asks->owner, name, chain);
}

static int
wrap_object(void *owner, const char *name, uint32_t type, uint32_t *state)
{
	const struct nft_asks *asks = &((struct nft_builder *)owner)->asks;

	return asks->object(asks->owner, name, type, state);
}

void
builder_ask(struct nft_builder *b, const struct nft_asks *asks)
{
	b->asks = *asks;
	b->ctx.set = wrap_set;
	b->ctx.dynamic = wrap_dynamic;
	b->ctx.chain = wrap_chain;
	b->ctx.object = wrap_object;
}

/* --- */

struct nft_builder *
builder_new(struct nft_states *states, const struct nft_env *env, uint32_t generation)
{
	struct nft_builder *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->program = calloc(1, sizeof(*b->program));
	if (b->program == NULL) {
		free(b);
		return NULL;
	}
	b->program->holders = calloc(1, sizeof(*b->program->holders));
	if (b->program->holders == NULL) {
		free(b->program);
		free(b);
		return NULL;
	}
	*b->program->holders = 1;
	b->program->states = states;
	b->program->env = env;
	b->program->generation = generation;
	b->ctx = (struct expr_ctx){
		.owner = b,
		/* The wire has judged it; what it kept may be a listing's. */
		.dumped = true,
		.set = ask_set,
		.chain = ask_chain,
		.object = ask_object,
		.state = ask_state,
	};
	return b;
}

static void
free_names(struct names *names)
{
	for (uint32_t i = 0; i < names->count; i++)
		free(names->items[i].name);
	free(names->items);
}

static void
free_shell(struct nft_builder *b)
{
	free_names(&b->sets);
	free_names(&b->objects);
	free_names(&b->chains);
	free(b->code);
	free(b);
}

void
builder_free(struct nft_builder *b)
{
	if (b == NULL)
		return;
	nft_program_free(b->program);
	free_shell(b);
}

/* Room for one more element in an array that grows by doubling at powers of two. */
static void *
grow(void *array, uint32_t count, size_t size)
{
	if (count != 0 && (count & (count - 1)) != 0)
		return array;
	return realloc(array, (count == 0 ? 1 : (size_t)count * 2) * size);
}

/* A name, at most once for a type. @return its place */
static int
add_name(struct names *names, const char *name, uint32_t type, struct named **out)
{
	struct named *items;

	for (uint32_t i = 0; i < names->count; i++)
		if (names->items[i].type == type && strcmp(names->items[i].name, name) == 0)
			return -EEXIST;
	items = grow(names->items, names->count, sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	names->items = items;
	items[names->count] = (struct named){.name = strdup(name), .type = type};
	if (items[names->count].name == NULL)
		return -ENOMEM;
	*out = &items[names->count];
	return (int)names->count++;
}

int
builder_set(struct nft_builder *b, const char *name, uint32_t id, const struct nft_set_decl *decl)
{
	struct nft_program *program = b->program;
	struct nft_set **sets, *set;
	struct named *named;
	int at;

	if (decl->key_len == 0 || decl->key_len > NFT_DATA_MAX || decl->data_len > NFT_DATA_MAX)
		return -EINVAL;
	at = add_name(&b->sets, name, 0, &named);
	if (at < 0)
		return at;
	named->id = id;
	named->set_flags = decl->flags;
	sets = grow(program->sets, program->set_count, sizeof(sets[0]));
	if (sets == NULL)
		return -ENOMEM;
	program->sets = sets;
	set = nft_set_new(decl);
	if (set == NULL)
		return -ENOMEM;
	sets[at] = set;
	program->set_count++;
	return at;
}

int
builder_elem(struct nft_builder *b, uint32_t number, const struct nft_elem_decl *decl)
{
	struct nft_set *set = b->program->sets[number];
	struct nft_elem **elems, *elem = calloc(1, sizeof(*elem) + nft_elem_bytes(set));

	elems = grow(b->program->elems, b->program->elem_count, sizeof(elems[0]));
	if (elems != NULL)
		b->program->elems = elems;
	if (elem == NULL || elems == NULL) {
		free(elem);
		return -ENOMEM;
	}
	elems[b->program->elem_count++] = elem;
	memcpy(elem->bytes, decl->key, set->key_len);
	if (set->field_count != 0)
		memcpy(elem->bytes + set->key_len, decl->last, set->key_len);
	memcpy((uint8_t *)(uintptr_t)nft_elem_data(set, elem), decl->data, set->data_len);
	elem->end = decl->end;
	elem->catchall = decl->catchall;
	elem->verdict = decl->verdict;
	elem->expires_ns = decl->expires_ns;
	elem->to = NFT_GENERATION_NEVER;
	return nft_set_link(set, elem);
}

int
builder_reserve(struct nft_builder *b, uint32_t chains, uint32_t sets, uint32_t objects,
	uint32_t flowtables)
{
	struct nft_program *program = b->program;

	program->chains = calloc(chains + 1, sizeof(*program->chains));
	program->sets = calloc(sets + 1, sizeof(struct nft_set *));
	program->objects = calloc(objects + 1, sizeof(*program->objects));
	program->flowtables = calloc(flowtables + 1, sizeof(*program->flowtables));
	if (program->chains == NULL || program->sets == NULL || program->objects == NULL ||
		program->flowtables == NULL)
		return -ENOMEM;
	program->flowtable_count = flowtables;
	program->chain_count = chains;
	program->set_count = sets;
	program->object_count = objects;
	program->borrowed = true;
	return 0;
}

void
builder_put_set(struct nft_builder *b, uint32_t number, struct nft_set *set)
{
	b->program->sets[number] = set;
}

int
builder_put_chain(struct nft_builder *b, uint32_t number, const char *name, int32_t policy)
{
	struct nft_chain_code *chain = &b->program->chains[number];

	chain->policy = policy;
	chain->name = strdup(name);
	return chain->name != NULL ? 0 : -ENOMEM;
}

void
builder_put_flowtable(struct nft_builder *b, uint32_t number, uint64_t ports)
{
	b->program->flowtables[number] = ports;
}

void
builder_put_object(struct nft_builder *b, uint32_t number, const struct nft_statement *statement,
	uint32_t state)
{
	b->program->objects[number] = (struct nft_object_code){*statement, state};
}

int
builder_object(struct nft_builder *b, const char *name, uint32_t type,
	const struct nft_statement *statement, uint32_t state)
{
	struct nft_program *program = b->program;
	struct nft_object_code *objects;
	struct named *named;
	int at = add_name(&b->objects, name, type, &named);

	if (at < 0)
		return at;
	objects = grow(program->objects, program->object_count, sizeof(*objects));
	if (objects == NULL)
		return -ENOMEM;
	program->objects = objects;
	objects[program->object_count++] = (struct nft_object_code){*statement, state};
	named->number = (uint32_t)at;
	return at;
}

int
builder_flowtable(struct nft_builder *b, uint64_t ports)
{
	struct nft_program *program = b->program;
	uint64_t *flowtables =
		grow(program->flowtables, program->flowtable_count, sizeof(*flowtables));

	if (flowtables == NULL)
		return -ENOMEM;
	program->flowtables = flowtables;
	flowtables[program->flowtable_count] = ports;
	return (int)program->flowtable_count++;
}

int
builder_chain(struct nft_builder *b, const char *name, int32_t policy)
{
	struct nft_program *program = b->program;
	struct nft_chain_code *chains;
	struct named *named;
	int at = add_name(&b->chains, name, 0, &named);

	if (at < 0)
		return at;
	chains = grow(program->chains, program->chain_count, sizeof(*chains));
	if (chains == NULL)
		return -ENOMEM;
	program->chains = chains;
	chains[program->chain_count++] = (struct nft_chain_code){.policy = policy};
	return at;
}

void
builder_count(struct nft_builder *b, uint32_t chain, uint32_t counter)
{
	b->program->chains[chain].counter = counter + 1;
}

int
builder_label_chain(struct nft_builder *b, uint32_t number, uint8_t family, const char *table)
{
	struct nft_chain_code *chain = &b->program->chains[number];

	chain->family = family;
	chain->table = strdup(table);
	return chain->table != NULL ? 0 : -ENOMEM;
}

int
builder_find_chain(const struct nft_builder *b, const char *name)
{
	return find(&b->chains, name);
}

struct nft_code *
builder_code(struct nft_builder *b)
{
	struct nft_rule_code *rule;
	struct nft_code *code;

	if (b->chain == NULL)
		return b->last;
	code = malloc(sizeof(*code) + b->used);
	if (code == NULL)
		return NULL;
	*code = (struct nft_code){.holders = 1,
		.hooks = b->ctx.hooks,
		.kinds = b->ctx.chain_type,
		.tracks = b->tracks};
	code->size = (uint32_t)b->used;
	memcpy(code->bytes, b->code, b->used);
	rule = &b->chain->rules[b->chain->rule_count++];
	rule->code = code;
	rule->begin = code->bytes;
	rule->end = code->bytes + b->used;
	b->chain = NULL;
	b->last = code;
	return code;
}

/* The rule begun last is whole; the next one of a chain has a place. */
static struct nft_rule_code *
next_rule(struct nft_builder *b, uint32_t chain)
{
	struct nft_chain_code *code = &b->program->chains[chain];
	struct nft_rule_code *rules;

	if (b->chain != NULL && builder_code(b) == NULL)
		return NULL;
	rules = grow(code->rules, code->rule_count, sizeof(*rules));
	if (rules == NULL)
		return NULL;
	code->rules = rules;
	return &rules[code->rule_count];
}

int
builder_same_rule(struct nft_builder *b, uint32_t chain, uint64_t handle, struct nft_code *code)
{
	struct nft_rule_code *rule = next_rule(b, chain);

	if (rule == NULL)
		return -ENOMEM;
	*rule = (struct nft_rule_code){handle, code, code->bytes, code->bytes + code->size};
	code->holders++;
	b->program->chains[chain].rule_count++;
	return 0;
}

int
builder_rule(struct nft_builder *b, uint32_t chain, uint64_t handle, const struct nft_place *place,
	const uint32_t *numbers, uint32_t count)
{
	struct nft_rule_code *rule = next_rule(b, chain);

	if (b->code == NULL)
		b->code = aligned_alloc(16, RULE_MAX);
	if (rule == NULL || b->code == NULL)
		return -ENOMEM;
	rule->handle = handle;
	b->chain = &b->program->chains[chain];
	b->used = 0;
	b->tracks = false;
	b->numbers = numbers;
	b->number_count = count;
	b->ctx.family = place->family;
	b->ctx.chain_type = place->kinds;
	b->ctx.hooks = place->hooks;
	b->ctx.written = 0;
	b->ctx.compat = place->compat;
	return 0;
}

int
builder_expr(struct nft_builder *b, const char *name, const struct nlattr *data,
	const struct nlattr **bad)
{
	const struct expr_ops *ops = expr_find(name);
	struct expr *expr;
	int rc;

	*bad = NULL;
	if (ops == NULL)
		return -EOPNOTSUPP;
	if (b->used + ops->size > RULE_MAX)
		return -E2BIG;
	expr = (struct expr *)(void *)(b->code + b->used);
	rc = expr_parse(ops, data, &b->ctx, expr);
	*bad = b->ctx.bad;
	if (rc == 0)
		b->used += ops->size;
	b->tracks |= ops->tracks || (rc == 0 && nft_xt_tracks(expr));
	return rc;
}

struct nft_program *
builder_finish(struct nft_builder *b)
{
	struct nft_program *program = b->program;

	if (b->chain != NULL && builder_code(b) == NULL) {
		builder_free(b);
		return NULL;
	}
	/* The names go over to the program's chains. */
	for (uint32_t i = 0; i < b->chains.count; i++) {
		program->chains[i].name = b->chains.items[i].name;
		b->chains.items[i].name = NULL;
	}
	for (uint32_t i = 0; !program->borrowed && i < program->set_count; i++) {
		if (nft_set_prepare(program->sets[i]) != 0) {
			builder_free(b);
			return NULL;
		}
		nft_set_publish(program->sets[i], 0);
	}
	free_shell(b);
	return program;
}
