/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A chain gets another name: rules that lead there are kept with the name, so they
 * are told. In Linux a verdict points to its chain, and elements do here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire_priv.h"

/* From a rule's expression to the name of the chain that it leads to. */
static const uint16_t rule_path[] = {
	NFTA_EXPR_DATA, NFTA_IMMEDIATE_DATA, NFTA_DATA_VERDICT, NFTA_VERDICT_CHAIN, 0};

/* The last attribute of a type, which is the one that was parsed. */
static const struct nlattr *
last_of(const void *from, size_t len, uint16_t type)
{
	const uint8_t *at = from, *end = at + len;
	const struct nlattr *last = NULL;

	while (at < end) {
		const struct nlattr *attr = (const struct nlattr *)(const void *)at;

		if (mnl_attr_get_type(attr) == type)
			last = attr;
		at += MNL_ALIGN(attr->nla_len);
	}
	return last;
}

/* Copy attributes; at the path's end the name is another one. It grows once a level at most. */
static void
copy(struct nlmsghdr *out, const void *from, size_t len, const uint16_t *path, const char *to)
{
	const struct nlattr *last = last_of(from, len, path[0]);
	const uint8_t *at = from, *end = at + len;

	while (at < end) {
		const struct nlattr *attr = (const struct nlattr *)(const void *)at;
		struct nlattr *nest;

		at += MNL_ALIGN(attr->nla_len);
		if (mnl_attr_get_type(attr) != path[0]) {
			mnl_attr_put(out, attr->nla_type, mnl_attr_get_payload_len(attr),
				mnl_attr_get_payload(attr));
		} else if (attr != last) {
			continue;
		} else if (path[1] == 0) {
			mnl_attr_put_strz(out, attr->nla_type, to);
		} else {
			nest = mnl_attr_nest_start(out, path[0]);
			nest->nla_type = attr->nla_type;
			copy(out, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr),
				path + 1, to);
			mnl_attr_nest_end(out, nest);
		}
	}
}

/* The name of the chain that an immediate leads to, or NULL. */
static const char *
led_to(const struct nlattr *expr)
{
	const struct nlattr *attr = mnl_attr_get_payload(expr);
	const uint8_t *end = (const uint8_t *)expr + expr->nla_len;

	if (strcmp(mnl_attr_get_str(attr), "immediate") != 0)
		return NULL;
	attr = mnl_attr_next(attr);
	for (const uint16_t *path = rule_path; *path != 0; path++) {
		while ((const uint8_t *)attr < end && mnl_attr_get_type(attr) != *path)
			attr = mnl_attr_next(attr);
		if ((const uint8_t *)attr >= end)
			return NULL;
		if (path[1] == 0)
			return mnl_attr_get_str(attr);
		end = (const uint8_t *)attr + attr->nla_len;
		attr = mnl_attr_get_payload(attr);
	}
	return NULL;
}

static bool
holds(const struct store_refs *refs, const struct store_item *item)
{
	for (uint32_t i = 0; i < refs->count; i++)
		if (refs->items[i] == item)
			return true;
	return false;
}

/* What was written into the scratch buffer takes a blob's place. */
static int
put(struct wire_msg *msg, struct store_item *item, struct store_blob **at,
	const struct nlmsghdr *out)
{
	size_t len = mnl_nlmsg_get_payload_len(out);
	struct store_blob *blob;
	int rc;

	/* No nest is longer than its length can say. */
	if (len > UINT16_MAX)
		return -EMSGSIZE;
	blob = store_blob(mnl_nlmsg_get_payload(out), len);
	rc = blob != NULL ? store_swap(msg->wire->store, item, at, blob) : -ENOMEM;
	if (rc != 0)
		free(blob);
	return rc;
}

static int
tell_rule(struct wire_msg *msg, struct store_rule *rule, const char *from, const char *to)
{
	struct nlmsghdr *out = mnl_nlmsg_put_header(msg->wire->scratch);
	const uint8_t *at = rule->exprs->data, *end = at + rule->exprs->len;

	while (at < end) {
		const struct nlattr *expr = (const struct nlattr *)(const void *)at;
		const char *name = led_to(expr);
		struct nlattr *nest;

		at += MNL_ALIGN(expr->nla_len);
		nest = mnl_attr_nest_start(out, NFTA_LIST_ELEM);
		nest->nla_type = expr->nla_type;
		copy(out, mnl_attr_get_payload(expr), mnl_attr_get_payload_len(expr),
			name != NULL && strcmp(name, from) == 0 ? rule_path : &rule_path[4], to);
		mnl_attr_nest_end(out, nest);
	}
	return put(msg, &rule->item, &rule->exprs, out);
}

int
wire_rename_verdicts(struct wire_msg *msg, const struct store_chain *chain, const char *to)
{
	int rc = 0;

	store_for_each(c, &chain->table->chains)
	{
		store_for_each(item, &((struct store_chain *)c)->rules)
		{
			struct store_rule *rule = (struct store_rule *)item;

			if (rc == 0 && holds(&rule->refs, &chain->item))
				rc = tell_rule(msg, rule, chain->name, to);
		}
	}
	return rc;
}
