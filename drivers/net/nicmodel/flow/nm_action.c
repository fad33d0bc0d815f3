/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Actions as rte_flow has them: copied into the rule, exactly one fate among them.
 */
#include <errno.h>
#include <string.h>

#include "nm_priv.h"

#define ACTION(name) RTE_FLOW_ACTION_TYPE_##name

/* The actions: bytes of conf to copy, the domain, whether it decides where the frame goes. */
static const struct {
	enum rte_flow_action_type type;
	const char *name;
	uint8_t bytes;
	bool transfer, ingress, fate;
} rows[] = {
	{ACTION(VOID), "void", 0, true, true, false},
	{ACTION(REPRESENTED_PORT), "represented_port", 2, true, false, true},
	{ACTION(PORT_REPRESENTOR), "port_representor", 2, true, false, true},
	{ACTION(QUEUE), "queue", 2, false, true, true},
	{ACTION(MARK), "mark", 4, false, true, false},
	{ACTION(DROP), "drop", 0, true, true, true},
	{ACTION(JUMP), "jump", 4, true, true, true},
	{ACTION(COUNT), "count", 0, true, true, false},
	{ACTION(DEC_TTL), "dec_ttl", 0, true, true, false},
	{ACTION(SET_MAC_SRC), "set_mac_src", 6, true, true, false},
	{ACTION(SET_MAC_DST), "set_mac_dst", 6, true, true, false},
	{ACTION(SET_IPV4_SRC), "set_ipv4_src", 4, true, true, false},
	{ACTION(SET_IPV4_DST), "set_ipv4_dst", 4, true, true, false},
	{ACTION(SET_IPV6_SRC), "set_ipv6_src", 16, true, true, false},
	{ACTION(SET_IPV6_DST), "set_ipv6_dst", 16, true, true, false},
	{ACTION(SET_TP_SRC), "set_tp_src", 2, true, true, false},
	{ACTION(SET_TP_DST), "set_tp_dst", 2, true, true, false},
};

static int
refuse(struct rte_flow_error *error, int err, const struct rte_flow_action *action,
	const char *text)
{
	return rte_flow_error_set(error, err, RTE_FLOW_ERROR_TYPE_ACTION, action, text);
}

/* What a rule may not do although the action is known. */
static int
check(const struct nm_ask *ask, const struct rte_flow_action *action, const struct nm_action *copy,
	struct rte_flow_error *error)
{
	switch (action->type) {
	case ACTION(JUMP):
		/* Forward only: silicon has no loops. */
		if (copy->group <= ask->group || copy->group >= NM_GROUPS)
			return refuse(error, EINVAL, action, "jump to a higher group only");
		return 0;
	case ACTION(REPRESENTED_PORT):
	case ACTION(PORT_REPRESENTOR):
		if (copy->port >= NM_PORTS)
			return refuse(error, EINVAL, action, "no such port");
		return 0;
	case ACTION(SET_IPV4_SRC):
	case ACTION(SET_IPV4_DST):
		if (ask->value.l3 != 4)
			return refuse(error, EINVAL, action, "the pattern has no ipv4");
		return 0;
	case ACTION(SET_IPV6_SRC):
	case ACTION(SET_IPV6_DST):
		if (ask->value.l3 != 6)
			return refuse(error, EINVAL, action, "the pattern has no ipv6");
		return 0;
	case ACTION(SET_TP_SRC):
	case ACTION(SET_TP_DST):
		if (ask->value.l4 == 0)
			return refuse(error, EINVAL, action, "the pattern has no tcp or udp");
		return 0;
	case ACTION(DEC_TTL):
		if (ask->value.l3 == 0)
			return refuse(error, EINVAL, action, "the pattern has no ip");
		return 0;
	default: return 0;
	}
}

static int
take(const struct nm_limits *limits, const struct rte_flow_action *action, struct nm_ask *ask,
	bool *fate, struct rte_flow_error *error)
{
	struct nm_action *copy = &ask->actions[ask->action_count];
	unsigned int i = 0;

	while (i < RTE_DIM(rows) && rows[i].type != action->type)
		i++;
	if (i == RTE_DIM(rows) || strcmp(rows[i].name, limits->refuse) == 0 ||
		!(ask->transfer ? rows[i].transfer : rows[i].ingress))
		return refuse(error, ENOTSUP, action, "action not supported");
	if (action->type == ACTION(VOID))
		return 0;
	if (ask->action_count == NM_ACTIONS)
		return refuse(error, ENOTSUP, action, "too many actions");
	if (rows[i].bytes != 0 && action->conf == NULL)
		return refuse(error, EINVAL, action, "no configuration");
	if (rows[i].fate && *fate)
		return refuse(error, EINVAL, action, "a second fate");
	*fate = *fate || rows[i].fate;
	copy->type = action->type;
	if (rows[i].bytes != 0)
		memcpy(&copy->port, action->conf, rows[i].bytes);
	ask->counts = ask->counts || action->type == ACTION(COUNT);
	ask->action_count++;
	return check(ask, action, copy, error);
}

int
nm_ask_actions(const struct nm_limits *limits, const struct rte_flow_action *actions,
	struct nm_ask *ask, struct rte_flow_error *error)
{
	bool fate = false;
	int rc = 0;

	for (; rc == 0 && actions->type != RTE_FLOW_ACTION_TYPE_END; actions++)
		rc = take(limits, actions, ask, &fate, error);
	/* A frame that a rule takes up and says nothing of goes on to the queues (ingress). */
	if (rc == 0 && !fate && ask->transfer)
		rc = refuse(error, EINVAL, actions, "no fate");
	return rc;
}
