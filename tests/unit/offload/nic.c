/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>

struct nic nic;

static void
note(char what, bool failed, const struct nic_rule *rule)
{
	if (nic.call_count < NIC_CALLS)
		nic.calls[nic.call_count] = (struct nic_call){what, failed, rule};
	nic.call_count++;
}

static struct rte_flow_conv_rule *
copy_of(const struct rte_flow_attr *attr, const struct rte_flow_item *items,
	const struct rte_flow_action *actions)
{
	const struct rte_flow_conv_rule from = {
		.attr_ro = attr, .pattern_ro = items, .actions_ro = actions};
	int size = rte_flow_conv(RTE_FLOW_CONV_OP_RULE, NULL, 0, &from, NULL);
	struct rte_flow_conv_rule *to;

	if (size < 0)
		abort();
	to = calloc(1, (size_t)size);
	if (to == NULL ||
		rte_flow_conv(RTE_FLOW_CONV_OP_RULE, to, (size_t)size, &from, NULL) != size)
		abort();
	return to;
}

/* What a real driver says: a type of error, and a pointer to what it minds. */
static int
refused(const struct rte_flow_item *items, const struct rte_flow_action *actions,
	struct rte_flow_error *error)
{
	for (; items->type != RTE_FLOW_ITEM_TYPE_END; items++)
		if (items->type == nic.refuse_item)
			return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ITEM, items,
				"not in this silicon");
	for (; actions->type != RTE_FLOW_ACTION_TYPE_END; actions++)
		if (actions->type == nic.refuse_action)
			return rte_flow_error_set(error, ENOTSUP, RTE_FLOW_ERROR_TYPE_ACTION,
				actions, "not in this silicon");
	if (nic.pass_creates > 0) {
		nic.pass_creates--;
		return 0;
	}
	if (nic.fail_creates == 0)
		return 0;
	if (nic.fail_creates != UINT32_MAX)
		nic.fail_creates--;
	return rte_flow_error_set(
		error, nic.fail_errno, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL, nic.fail_text);
}

static struct rte_flow *
create(uint16_t ethdev, const struct rte_flow_attr *attr, const struct rte_flow_item *items,
	const struct rte_flow_action *actions, struct rte_flow_error *error)
{
	struct nic_rule *rule = nic.rules;

	if (refused(items, actions, error) != 0) {
		note('C', true, NULL);
		return NULL;
	}
	while (rule->rule != NULL)
		if (++rule == nic.rules + NIC_RULES)
			abort();
	*rule = (struct nic_rule){.rule = copy_of(attr, items, actions), .ethdev = ethdev};
	nic.held++;
	nic.creates++;
	note('C', false, rule);
	return (struct rte_flow *)(void *)rule;
}

/* A handle that is not a rule's, or of another port, is a wild pointer in a real driver. */
static struct nic_rule *
known(uint16_t ethdev, struct rte_flow *flow)
{
	struct nic_rule *rule = (struct nic_rule *)(void *)flow;

	if (rule < nic.rules || rule >= nic.rules + NIC_RULES || rule->rule == NULL ||
		rule->ethdev != ethdev)
		abort();
	return rule;
}

static int
destroy(uint16_t ethdev, struct rte_flow *flow, struct rte_flow_error *error)
{
	struct nic_rule *rule = known(ethdev, flow);

	if (nic.fail_destroys > 0) {
		if (nic.fail_destroys != UINT32_MAX)
			nic.fail_destroys--;
		note('D', true, rule);
		return rte_flow_error_set(
			error, EBUSY, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL, "busy");
	}
	note('D', false, rule);
	free(rule->rule);
	rule->rule = NULL;
	nic.held--;
	nic.destroys++;
	return 0;
}

static int
query(uint16_t ethdev, struct rte_flow *flow, uint64_t *packets, uint64_t *bytes)
{
	const struct nic_rule *rule = known(ethdev, flow);

	if (nic.fail_queries > 0) {
		nic.fail_queries--;
		note('Q', true, rule);
		*packets = *bytes = 0;
		return -EIO;
	}
	note('Q', false, rule);
	nic.queries++;
	*packets = rule->packets;
	*bytes = rule->bytes;
	return 0;
}

const struct offload_driver nic_driver = {.create = create, .destroy = destroy, .query = query};

void
nic_reset(void)
{
	for (unsigned int i = 0; i < NIC_RULES; i++)
		free(nic.rules[i].rule);
	memset(&nic, 0, sizeof(nic));
}

void
nic_close(uint16_t ethdev)
{
	for (unsigned int i = 0; i < NIC_RULES; i++)
		if (nic.rules[i].rule != NULL && nic.rules[i].ethdev == ethdev) {
			free(nic.rules[i].rule);
			nic.rules[i].rule = NULL;
			nic.held--;
		}
}

const struct rte_flow_item *
nic_item(const struct nic_rule *rule, enum rte_flow_item_type type)
{
	const struct rte_flow_item *item = rule->rule->pattern;

	for (; item->type != RTE_FLOW_ITEM_TYPE_END; item++)
		if (item->type == type)
			return item;
	return NULL;
}

const struct rte_flow_action *
nic_action(const struct nic_rule *rule, enum rte_flow_action_type type)
{
	const struct rte_flow_action *action = rule->rule->actions;

	for (; action->type != RTE_FLOW_ACTION_TYPE_END; action++)
		if (action->type == type)
			return action;
	return NULL;
}

uint32_t
nic_source(const struct nic_rule *rule)
{
	const struct rte_flow_item *ip4 = nic_item(rule, RTE_FLOW_ITEM_TYPE_IPV4);
	const struct rte_flow_item *ip6 = nic_item(rule, RTE_FLOW_ITEM_TYPE_IPV6);
	const struct rte_flow_item_ipv4 *spec4 = ip4 != NULL ? ip4->spec : NULL;
	const struct rte_flow_item_ipv6 *spec6 = ip6 != NULL ? ip6->spec : NULL;
	uint32_t src = UINT32_MAX;

	/* Guards ask for no source. */
	if (rule->rule->attr->priority == 0)
		return UINT32_MAX;
	if (spec4 != NULL)
		src = spec4->hdr.src_addr;
	else if (spec6 != NULL)
		memcpy(&src, spec6->hdr.src_addr + 12, 4);
	return src;
}

struct nic_rule *
nic_find(uint32_t src)
{
	for (unsigned int i = 0; i < NIC_RULES; i++)
		if (nic.rules[i].rule != NULL && nic_source(&nic.rules[i]) == src)
			return &nic.rules[i];
	return NULL;
}

bool
nic_matches(const struct rte_flow_item *item, const void *header, size_t len)
{
	const uint8_t *spec = item->spec, *mask = item->mask, *bytes = header;

	for (size_t i = 0; i < len; i++)
		if ((spec[i] ^ bytes[i]) & mask[i])
			return false;
	return true;
}
