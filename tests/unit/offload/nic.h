/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * A NIC for tests of lib/offload: it keeps a copy of every rule that it is
 * handed, writes down each call, and fails when it is told to.
 */
#ifndef SHUNT_TESTS_OFFLOAD_NIC_H
#define SHUNT_TESTS_OFFLOAD_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include "offload_driver.h"

/** Rules at once, and calls that are written down (the first ones). */
#define NIC_RULES 4096
#define NIC_CALLS 256

/** A rule as it was handed over. */
struct nic_rule {
	struct rte_flow_conv_rule *rule; /**< a copy of its own; NULL: no rule */
	uint16_t ethdev;
	uint64_t packets, bytes; /**< a test adds to them, query tells them */
};

/** A call into the driver. */
struct nic_call {
	char what; /**< C, D or Q */
	bool failed;
	const struct nic_rule *rule; /**< NULL for a create that failed */
};

/** What the NIC holds, what it was asked, what it shall fail. */
struct nic {
	struct nic_rule rules[NIC_RULES];
	unsigned int held;
	unsigned int creates, destroys, queries; /**< that did what they were asked */
	struct nic_call calls[NIC_CALLS];
	unsigned int call_count; /**< of all calls, also of those beyond NIC_CALLS */

	unsigned int pass_creates; /**< creates that succeed before the next ones fail */
	unsigned int fail_creates; /**< UINT32_MAX: for ever */
	int fail_errno;
	const char *fail_text; /**< of the error; NULL: it has none */
	unsigned int fail_destroys, fail_queries;
	enum rte_flow_item_type refuse_item;	 /**< END: none */
	enum rte_flow_action_type refuse_action; /**< END: none */
};

extern struct nic nic;
extern const struct offload_driver nic_driver;

/** Empty it, and forget all orders. */
void nic_reset(void);

/** A port is closed, and takes its rules along: their handles are invalid. */
void nic_close(uint16_t ethdev);

/** The IPv4 or IPv6 source (its last four bytes) that a rule matches; UINT32_MAX: any. */
uint32_t nic_source(const struct nic_rule *rule);
/** The rule that matches this source, or NULL. */
struct nic_rule *nic_find(uint32_t src);

/** The first item or action of a type, or NULL. */
const struct rte_flow_item *nic_item(const struct nic_rule *rule, enum rte_flow_item_type type);
const struct rte_flow_action *nic_action(
	const struct nic_rule *rule, enum rte_flow_action_type type);

/** Whether a header of len bytes is what an item asks for. */
bool nic_matches(const struct rte_flow_item *item, const void *header, size_t len);

#endif
