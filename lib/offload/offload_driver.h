/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The calls by which lib/offload reaches a NIC: rte_flow's, or a test's.
 */
#ifndef SHUNT_OFFLOAD_DRIVER_H
#define SHUNT_OFFLOAD_DRIVER_H

#include <rte_flow.h>

/** As the functions of rte_flow.h. Offload thread, and control while it stands. */
struct offload_driver {
	/** @return NULL with rte_errno and error */
	struct rte_flow *(*create)(uint16_t ethdev, const struct rte_flow_attr *attr,
		const struct rte_flow_item *items, const struct rte_flow_action *actions,
		struct rte_flow_error *error);
	/** @return 0, or a negative errno: the rule is there still */
	int (*destroy)(uint16_t ethdev, struct rte_flow *flow, struct rte_flow_error *error);
	/** @return 0 or a negative errno; counts since creation */
	int (*query)(uint16_t ethdev, struct rte_flow *flow, uint64_t *packets, uint64_t *bytes);
};

/** rte_flow itself. */
extern const struct offload_driver offload_rte_flow;

#endif
