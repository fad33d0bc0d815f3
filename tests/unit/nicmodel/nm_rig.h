/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Rules and frames for tests of the modelled NIC's tables.
 */
#ifndef SHUNT_TESTS_NM_RIG_H
#define SHUNT_TESTS_NM_RIG_H

#include "frames.h"
#include "nm_flow.h"
#include "unit.h"

#define ITEM(t)	  RTE_FLOW_ITEM_TYPE_##t
#define ACTION(t) RTE_FLOW_ACTION_TYPE_##t

/** A rule as it is put together. */
struct rule {
	struct rte_flow_attr attr;
	struct rte_flow_item items[8];
	struct rte_flow_action actions[24];
	unsigned int item_count, action_count;
	uint16_t port; /**< that makes it */
};

/** The switch of the running test, and the last answer of it. */
extern struct nm_switch *sw;
extern struct rte_flow_error rig_error;

/** A switch with room for many rules; the one before is freed. */
void rig_open(void);
void rig_close(void);

/** An empty rule, of the transfer or the ingress domain. */
struct rule rule_of(bool transfer, uint32_t group, uint32_t priority);
/** Add an item or action; what it points at must outlive the rule. */
void rule_item(struct rule *r, enum rte_flow_item_type type, const void *spec, const void *mask);
void rule_action(struct rule *r, enum rte_flow_action_type type, const void *conf);
/** Make it, not yet active. @return NULL: rig_error says why */
struct rte_flow *rule_prepare(const struct rule *r);
/** Make it, active; asserts that it is taken. */
struct rte_flow *rule_install(const struct rule *r);

/** Hits of a rule with COUNT. */
uint64_t rule_hits(struct rte_flow *flow);

/** A frame: at most FRAME_MAX bytes. */
struct bytes {
	uint32_t len;
	uint8_t at[FRAME_MAX];
};

/** A TCP or UDP frame with 32 bytes of payload. */
struct frame_spec spec_of(bool ipv6, uint8_t proto);
struct bytes frame_of(const struct frame_spec *spec);
/** The same with tags in front (0x0123, 0x0124); type: of the outer one, 0x8100 or 0x88a8. */
struct bytes frame_tagged(const struct bytes *frame, unsigned int tags, uint16_t type);

/** Send it through the switch; it is changed as the rules say. */
struct nm_result frame_run(uint16_t ingress, struct bytes *frame);

/** Two frames' bytes are the same. */
bool frame_same(const struct bytes *a, const struct bytes *b);

extern CU_TestInfo match_tests[], table_tests[], write_tests[], fate_tests[], refuse_tests[],
	short_tests[];

#endif
