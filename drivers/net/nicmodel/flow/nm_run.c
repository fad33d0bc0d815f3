/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A frame's walk through the rules.
 */
#include <string.h>

#include "nm_table.h"

/* What a rule does; true: it jumps to a group. */
static bool
act(struct rte_flow *flow, struct rte_mbuf *frame, const struct nm_headers *headers,
	const struct nm_fields *fields, struct nm_result *result, uint32_t *group)
{
	bool jumps = false;

	for (unsigned int i = 0; i < flow->action_count; i++) {
		const struct nm_action *action = &flow->actions[i];

		switch (action->type) {
		case RTE_FLOW_ACTION_TYPE_JUMP:
			*group = action->group;
			jumps = true;
			break;
		case RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT:
			result->fate = NM_TO_WIRE;
			result->port = action->port;
			break;
		case RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR:
			result->fate = NM_TO_PORT;
			result->port = action->port;
			break;
		case RTE_FLOW_ACTION_TYPE_QUEUE:
			result->has_queue = true;
			result->queue = action->queue;
			break;
		case RTE_FLOW_ACTION_TYPE_MARK:
			result->has_mark = true;
			result->mark = action->mark;
			break;
		case RTE_FLOW_ACTION_TYPE_DROP:
			result->fate = NM_DROP;
			result->why = "rule";
			break;
		case RTE_FLOW_ACTION_TYPE_COUNT:
			flow->hits++;
			flow->bytes += frame->pkt_len;
			break;
		default: nm_write(frame, headers, fields->l3, fields->l4, action); break;
		}
	}
	return jumps;
}

/* A domain from group 0 on. Jumps go to higher groups only: it ends. */
static void
walk(const struct nm_table *tables, uint16_t port, struct rte_mbuf *frame, struct nm_result *result)
{
	struct nm_headers headers;
	struct nm_fields fields;
	struct rte_flow *flow;
	uint32_t group = 0;

	for (;;) {
		nm_read(frame, &fields, &headers);
		fields.port = port;
		flow = nm_lookup(&tables[group], &fields);
		if (flow == NULL) {
			if (group == 0)
				return;
			*result = (struct nm_result){.fate = NM_DROP, .why = "group-miss"};
			return;
		}
		result->by_rule = true;
		if (!act(flow, frame, &headers, &fields, result, &group))
			return;
	}
}

void
nm_flow_run(
	struct nm_switch *sw, uint16_t ingress, struct rte_mbuf *frame, struct nm_result *result)
{
	*result = (struct nm_result){.fate = NM_TO_PORT, .port = ingress};
	walk(sw->transfer, ingress, frame, result);
	if (result->fate == NM_TO_PORT)
		walk(sw->ingress, result->port, frame, result);
}
