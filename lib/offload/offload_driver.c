/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "offload_driver.h"

static int
query(uint16_t ethdev, struct rte_flow *flow, uint64_t *packets, uint64_t *bytes)
{
	static const struct rte_flow_action action = {.type = RTE_FLOW_ACTION_TYPE_COUNT};
	struct rte_flow_query_count count = {0};
	struct rte_flow_error error;
	int rc = rte_flow_query(ethdev, flow, &action, &count, &error);

	*packets = count.hits_set ? count.hits : 0;
	*bytes = count.bytes_set ? count.bytes : 0;
	return rc;
}

const struct offload_driver offload_rte_flow = {
	.create = rte_flow_create,
	.destroy = rte_flow_destroy,
	.query = query,
};
