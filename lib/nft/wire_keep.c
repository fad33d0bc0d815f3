/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expressions kept as they came, to be given back byte for byte; but for what only the
 * batch understands that brought them, and what Linux tells otherwise.
 */
#include <arpa/inet.h>
#include <string.h>

#include <linux/netfilter/nf_tables_compat.h>

#include "wire_priv.h"

/* Attributes that an expression's data may have. */
#define DATA_ATTRS 32

/* Whether an attribute was put, or is left out; false: it is kept as it came. */
typedef bool keep_fn(struct nlmsghdr *nlh, const struct nlattr *attr, const struct nlattr *data,
	const struct wire_named *named);

/* The verdict of a chain without a name: by the name that it has got. */
static bool
keep_immediate(struct nlmsghdr *nlh, const struct nlattr *attr, const struct nlattr *data,
	const struct wire_named *named)
{
	const struct nlattr *verdict = mnl_attr_get_payload(attr), *part;
	struct nlattr *outer, *inner;

	(void)data;
	if (named->bound == NULL || mnl_attr_get_type(attr) != NFTA_IMMEDIATE_DATA)
		return false;
	outer = mnl_attr_nest_start(nlh, NFTA_IMMEDIATE_DATA);
	inner = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);
	mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, named->bound->name);
	mnl_attr_for_each_nested (part, verdict) {
		if (mnl_attr_get_type(part) != NFTA_VERDICT_CHAIN_ID)
			mnl_attr_put(nlh, part->nla_type, mnl_attr_get_payload_len(part),
				mnl_attr_get_payload(part));
	}
	mnl_attr_nest_end(nlh, inner);
	mnl_attr_nest_end(nlh, outer);
	return true;
}

static bool
keep_match(struct nlmsghdr *nlh, const struct nlattr *attr, const struct nlattr *data,
	const struct wire_named *named)
{
	if (mnl_attr_get_type(attr) != NFTA_MATCH_INFO)
		return false;
	wire_keep_info(nlh, data, attr, named->family, false);
	return true;
}

static bool
keep_target(struct nlmsghdr *nlh, const struct nlattr *attr, const struct nlattr *data,
	const struct wire_named *named)
{
	if (mnl_attr_get_type(attr) != NFTA_TARGET_INFO)
		return false;
	wire_keep_info(nlh, data, attr, named->family, true);
	return true;
}

/* A set by its name, also if it was found by its id in the batch. */
static bool
keep_set(struct nlmsghdr *nlh, const struct nlattr *attr, const struct wire_named *named,
	uint16_t name, uint16_t id)
{
	uint16_t type = mnl_attr_get_type(attr);

	if (type == name)
		mnl_attr_put_strz(nlh, type, named->set->name);
	return type == name || type == id;
}

static bool
keep_lookup(struct nlmsghdr *nlh, const struct nlattr *attr, const struct nlattr *data,
	const struct wire_named *named)
{
	(void)data;
	return keep_set(nlh, attr, named, NFTA_LOOKUP_SET, NFTA_LOOKUP_SET_ID);
}

static bool
keep_objref(struct nlmsghdr *nlh, const struct nlattr *attr, const struct nlattr *data,
	const struct wire_named *named)
{
	char name[STORE_NAME] = "";
	size_t len;

	(void)data;
	if (mnl_attr_get_type(attr) != NFTA_OBJREF_IMM_NAME)
		return keep_set(nlh, attr, named, NFTA_OBJREF_SET_NAME, NFTA_OBJREF_SET_ID);
	/* It may have come without its NUL. */
	len = strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	memcpy(name, mnl_attr_get_payload(attr), len < sizeof(name) ? len : sizeof(name) - 1);
	mnl_attr_put_strz(nlh, NFTA_OBJREF_IMM_NAME, name);
	return true;
}

static bool
keep_dynset(struct nlmsghdr *nlh, const struct nlattr *attr, const struct nlattr *data,
	const struct wire_named *named)
{
	uint16_t type = mnl_attr_get_type(attr);

	(void)data;
	/* Without one, which is what it stands for in a listing. */
	if (type == NFTA_DYNSET_TIMEOUT && named->mirrors && mnl_attr_get_payload_len(attr) == 8 &&
		mnl_attr_get_u64(attr) == 0)
		return true;
	/* The set's own statements stand for those that a rule repeats (nft_dynset_dump). */
	if (type == NFTA_DYNSET_EXPR || type == NFTA_DYNSET_EXPRESSIONS)
		return named->set->statements.count != 0;
	return keep_set(nlh, attr, named, NFTA_DYNSET_SET_NAME, NFTA_DYNSET_SET_ID);
}

/* A direction says something of these keys alone (nft_ct_get_dump). */
static bool
keep_ct(struct nlmsghdr *nlh, const struct nlattr *attr, const struct nlattr *data,
	const struct wire_named *named)
{
	const struct nlattr *other;
	uint32_t key = NFT_CT_STATE;

	(void)nlh;
	(void)named;
	if (mnl_attr_get_type(attr) != NFTA_CT_DIRECTION)
		return false;
	mnl_attr_for_each_nested (other, data)
		if (mnl_attr_get_type(other) == NFTA_CT_KEY)
			key = ntohl(mnl_attr_get_u32(other));
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
	case NFT_CT_ZONE: return false;
	default: return true;
	}
}

/* Those of an expression that change when they are kept; NULL: none do. */
static keep_fn *
keeper_of(const char *expr)
{
	static const struct {
		const char *expr;
		keep_fn *keep;
	} keepers[] = {
		{"immediate", keep_immediate},
		{"lookup", keep_lookup},
		{"ct", keep_ct},
		{"objref", keep_objref},
		{"dynset", keep_dynset},
		{"match", keep_match},
		{"target", keep_target},
	};

	for (unsigned int i = 0; i < sizeof(keepers) / sizeof(keepers[0]); i++)
		if (strcmp(expr, keepers[i].expr) == 0)
			return keepers[i].keep;
	return NULL;
}

/* Whether an attribute is there more than once. */
static bool
has_twice(const struct nlattr *data)
{
	const struct nlattr *attr;
	uint64_t seen = 0;

	mnl_attr_for_each_nested (attr, data) {
		uint64_t bit = 1ULL << mnl_attr_get_type(attr);

		if (seen & bit)
			return true;
		seen |= bit;
	}
	return false;
}

/*
 * Of attributes that are there twice the last one was parsed, and that one is kept:
 * what takes the place of an attribute may be longer, and thousands would not fit.
 */
void
wire_keep_expr(struct nlmsghdr *nlh, const char *name, const struct nlattr *data,
	const struct wire_named *named)
{
	const struct nlattr *last[DATA_ATTRS + 1], *attr;
	keep_fn *keep = keeper_of(name);
	bool twice = has_twice(data);

	/* It was parsed: there are no types beyond. */
	if (twice)
		mnl_attr_for_each_nested (attr, data)
			last[mnl_attr_get_type(attr)] = attr;
	mnl_attr_for_each_nested (attr, data) {
		if (twice && attr != last[mnl_attr_get_type(attr)])
			continue;
		/* The type with its flags: nested ones say so. */
		if (keep == NULL || !keep(nlh, attr, data, named))
			mnl_attr_put(nlh, attr->nla_type, mnl_attr_get_payload_len(attr),
				mnl_attr_get_payload(attr));
	}
}
