/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that a rule's expressions may have: the kernel's bound (nft_rule_dlen). */
#define RULE_MAX 4096

struct named {
	char *name;
	uint32_t id;
	uint32_t type;
	uint32_t number;
	struct nft_set_decl set;
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
	*key_len = b->sets.items[at].set.key_len;
	*data_len = b->sets.items[at].set.data_len;
	*flags = b->sets.items[at].set.flags;
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
		builder_free(b);
		return NULL;
	}
	b->program->states = states;
	b->program->env = env;
	b->program->generation = generation;
	b->ctx = (struct expr_ctx){
		.owner = b,
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

	for (uint32_t i = 0; name != NULL && i < names->count; i++)
		if (names->items[i].type == type && strcmp(names->items[i].name, name) == 0)
			return -EEXIST;
	items = grow(names->items, names->count, sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	names->items = items;
	items[names->count] =
		(struct named){.name = strdup(name != NULL ? name : ""), .type = type};
	if (items[names->count].name == NULL)
		return -ENOMEM;
	*out = &items[names->count];
	return (int)names->count++;
}

int
builder_set(struct nft_builder *b, const struct nft_set_decl *decl)
{
	struct nft_program *program = b->program;
	struct nft_set_code **sets;
	struct named *named;
	int at;

	if (decl->key_len == 0 || decl->key_len > NFT_DATA_MAX || decl->data_len > NFT_DATA_MAX)
		return -EINVAL;
	at = add_name(&b->sets, decl->name, 0, &named);
	if (at < 0)
		return at;
	named->id = decl->id;
	named->set = *decl;
	named->set.name = named->name;
	sets = grow(program->sets, program->set_count, sizeof(sets[0]));
	if (sets == NULL)
		return -ENOMEM;
	program->sets = sets;
	sets[at] = calloc(1, sizeof(*sets[at]));
	if (sets[at] == NULL)
		return -ENOMEM;
	program->set_count++;
	*sets[at] = (struct nft_set_code){
		.key_len = decl->key_len,
		.data_len = decl->data_len,
		.interval = (decl->flags & NFT_SET_INTERVAL) != 0,
		.verdicts = decl->verdicts,
		.changes = (decl->flags & NFT_SET_TIMEOUT) || decl->dynamic != NULL,
		.dynamic = decl->dynamic,
		.field_count = decl->field_count,
	};
	if (decl->field_count != 0)
		memcpy(sets[at]->fields, decl->fields, decl->field_count);
	return at;
}

int
builder_elem(struct nft_builder *b, uint32_t set, const struct nft_elem_code *elem,
	const uint8_t *key_end, bool catchall)
{
	struct nft_set_code *code = b->program->sets[set];
	struct nft_elem_code *elems;

	if (catchall) {
		code->catchall = *elem;
		code->has_catchall = true;
		return 0;
	}
	elems = grow(code->elems, code->count, sizeof(*elems));
	if (elems == NULL)
		return -ENOMEM;
	code->elems = elems;
	if (code->field_count != 0) {
		uint8_t(*ends)[NFT_DATA_MAX] = grow(code->ends, code->count, sizeof(ends[0]));

		if (ends == NULL)
			return -ENOMEM;
		code->ends = ends;
		memcpy(ends[code->count], key_end, sizeof(ends[0]));
	}
	elems[code->count++] = *elem;
	return 0;
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

int
builder_find_chain(const struct nft_builder *b, const char *name)
{
	return find(&b->chains, name);
}

/* The rule begun last gets memory of its own. */
static int
end_rule(struct nft_builder *b)
{
	struct nft_rule_code *rule;
	uint8_t *code;

	if (b->chain == NULL)
		return 0;
	/* One byte at least: an empty rule is freed as any other. */
	code = malloc(b->used != 0 ? b->used : 1);
	if (code == NULL)
		return -ENOMEM;
	memcpy(code, b->code, b->used);
	rule = &b->chain->rules[b->chain->rule_count++];
	rule->begin = code;
	rule->end = code + b->used;
	b->chain = NULL;
	return 0;
}

int
builder_rule(struct nft_builder *b, uint32_t chain, uint64_t handle, const struct nft_place *place,
	const uint32_t *numbers, uint32_t count)
{
	struct nft_chain_code *code;
	struct nft_rule_code *rules;
	int rc = end_rule(b);

	if (rc != 0)
		return rc;
	if (b->code == NULL)
		b->code = aligned_alloc(16, RULE_MAX);
	code = &b->program->chains[chain];
	rules = b->code != NULL ? grow(code->rules, code->rule_count, sizeof(*rules)) : NULL;
	if (rules == NULL)
		return -ENOMEM;
	code->rules = rules;
	rules[code->rule_count].handle = handle;
	b->chain = code;
	b->used = 0;
	b->numbers = numbers;
	b->number_count = count;
	b->ctx.family = place->family;
	b->ctx.chain_type = place->kinds;
	b->ctx.hooks = place->hooks;
	b->ctx.written = 0;
	return 0;
}

int
builder_expr(struct nft_builder *b, const char *name, const struct nlattr *data,
	const struct nlattr **bad)
{
	const struct expr_ops *ops = expr_find(name);
	int rc;

	*bad = NULL;
	if (ops == NULL)
		return -EOPNOTSUPP;
	if (b->used + ops->size > RULE_MAX)
		return -E2BIG;
	rc = expr_parse(ops, data, &b->ctx, (struct expr *)(void *)(b->code + b->used));
	*bad = b->ctx.bad;
	if (rc == 0)
		b->used += ops->size;
	return rc;
}

struct nft_program *
builder_finish(struct nft_builder *b)
{
	struct nft_program *program = b->program;

	if (end_rule(b) != 0) {
		builder_free(b);
		return NULL;
	}
	for (uint32_t i = 0; i < program->chain_count; i++) {
		/* The names go over to the program's chains. */
		program->chains[i].name = b->chains.items[i].name;
		b->chains.items[i].name = NULL;
	}
	for (uint32_t i = 0; i < program->set_count; i++)
		nft_set_sort(program->sets[i]);
	free_shell(b);
	return program;
}
