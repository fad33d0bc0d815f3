/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * objref: a named object by its name, or by the element of a map (nft_objref.c).
 */
#include <errno.h>

#include "expr_rows.h"
#include "program.h"

struct objref {
	struct expr head;
	bool map;
	uint8_t key;	 /* a register */
	uint32_t object; /* its number, or the map's */
};

/* By attribute; the types are nft_objects'. */
static const struct nft_feature features[] = {
	NFT_HAS("OBJECT name NAME", NFTA_OBJREF_IMM_NAME, .note = "the objects that are built"),
	NFT_HAS("OBJECT name KEY map { … }", NFTA_OBJREF_SET_SREG),
	NFT_END,
};

/* Whether objects of a type can be in these hooks (nft_objref_validate_obj_type). */
static bool
placed(uint32_t type, const struct expr_ctx *ctx)
{
	return type != NFT_OBJECT_SYNPROXY ||
	       (ctx->hooks & ~(uint32_t)(1 << HOOK_INPUT | 1 << HOOK_FORWARD)) == 0;
}

/* An object by the element of a map (nft_objref_map_init). */
static int
parse_map(struct objref *ref, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	uint32_t id, key_len, data_len, flags;
	char name[NFT_SET_MAXNAMELEN];
	int rc = attr_string(attrs[NFTA_OBJREF_SET_NAME], ctx, name, sizeof(name));

	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_OBJREF_SET_ID], ctx, 0, &id);
	if (rc != 0)
		return rc;
	rc = ctx->set(ctx->owner, name, id, &ref->object, &key_len, &data_len, &flags);
	if (rc != 0)
		return attr_refuse(ctx, attrs[NFTA_OBJREF_SET_NAME], rc);
	if (!(flags & NFT_SET_OBJECT))
		return attr_refuse(ctx, attrs[NFTA_OBJREF_SET_NAME], -EINVAL);
	if (!placed(data_len, ctx))
		return attr_refuse(ctx, NULL, -EOPNOTSUPP);
	ref->map = true;
	return attr_reg(attrs[NFTA_OBJREF_SET_SREG], ctx, key_len, &ref->key);
}

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct objref *ref = (struct objref *)expr;
	char name[NFT_OBJ_MAXNAMELEN];
	uint32_t type;
	int rc;

	if (attrs[NFTA_OBJREF_SET_SREG] != NULL)
		return parse_map(ref, attrs, ctx);
	rc = attr_u32(attrs[NFTA_OBJREF_IMM_TYPE], ctx, &type);
	if (rc == 0 && !placed(type, ctx))
		rc = attr_refuse(ctx, NULL, -EOPNOTSUPP);
	if (rc == 0)
		rc = attr_string(attrs[NFTA_OBJREF_IMM_NAME], ctx, name, sizeof(name));
	if (rc != 0)
		return rc;
	rc = ctx->object(ctx->owner, name, type, &ref->object);
	return rc == 0 ? 0 : attr_refuse(ctx, attrs[NFTA_OBJREF_IMM_NAME], rc);
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct objref *ref = (const struct objref *)expr;
	const struct nft_program *program = eval->program;
	const struct nft_object_code *object;
	const struct nft_elem *elem;
	const struct nft_set *set;
	uint32_t number = ref->object;

	if (ref->map) {
		set = program->sets[number];
		nft_test(eval, ref->key, set->key_len);
		if (set->changes)
			nft_bind_to_packet(eval, NFT_INPUT_SET);
		elem = nft_set_find(
			set, nft_reg(eval, ref->key), program->generation, eval->pkt->now_ns);
		if (elem == NULL) {
			nft_break(eval);
			return;
		}
		number = elem->object;
	}
	object = &program->objects[number];
	nft_run_statement(eval, &object->statement, object->state);
}

const struct expr_ops expr_objref = {
	"objref", sizeof(struct objref), NFTA_OBJREF_SET_ID, parse, evaluate, false, features, 0};
