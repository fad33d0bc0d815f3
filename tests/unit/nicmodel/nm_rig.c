/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nm_rig.h"

#include <stdlib.h>
#include <string.h>

struct nm_switch *sw;
struct rte_flow_error rig_error;

void
rig_open(void)
{
	const struct nm_limits limits = {.max_rules = 100000};

	nm_switch_free(sw);
	sw = nm_switch_new(&limits);
	CU_ASSERT_PTR_NOT_NULL_FATAL(sw);
}

void
rig_close(void)
{
	nm_switch_free(sw);
	sw = NULL;
}

struct rule
rule_of(bool transfer, uint32_t group, uint32_t priority)
{
	return (struct rule){.attr = {.group = group,
				     .priority = priority,
				     .transfer = transfer,
				     .ingress = !transfer}};
}

void
rule_item(struct rule *r, enum rte_flow_item_type type, const void *spec, const void *mask)
{
	if (r->item_count + 1 >= RTE_DIM(r->items))
		abort();
	r->items[r->item_count++] =
		(struct rte_flow_item){.type = type, .spec = spec, .mask = mask};
}

void
rule_action(struct rule *r, enum rte_flow_action_type type, const void *conf)
{
	if (r->action_count + 1 >= RTE_DIM(r->actions))
		abort();
	r->actions[r->action_count++] = (struct rte_flow_action){.type = type, .conf = conf};
}

/* Validate must say what create says. */
struct rte_flow *
rule_prepare(const struct rule *r)
{
	struct rte_flow_error error = {0};
	struct rte_flow *flow;
	int rc = nm_flow_validate(sw, r->port, &r->attr, r->items, r->actions, &error);

	memset(&rig_error, 0, sizeof(rig_error));
	flow = nm_flow_prepare(sw, r->port, &r->attr, r->items, r->actions, &rig_error);
	if (rc != 0) {
		CU_ASSERT_PTR_NULL(flow);
		CU_ASSERT_EQUAL(error.type, rig_error.type);
		CU_ASSERT_PTR_EQUAL(error.cause, rig_error.cause);
	}
	return flow;
}

struct rte_flow *
rule_install(const struct rule *r)
{
	struct rte_flow *flow = rule_prepare(r);

	CU_ASSERT_PTR_NOT_NULL_FATAL(flow);
	nm_flow_activate(flow);
	return flow;
}

uint64_t
rule_hits(struct rte_flow *flow)
{
	struct rte_flow_query_count count = {0};

	CU_ASSERT_EQUAL_FATAL(nm_flow_query(flow, &count), 0);
	CU_ASSERT(count.hits_set && count.bytes_set);
	return count.hits;
}

struct frame_spec
spec_of(bool ipv6, uint8_t proto)
{
	uint64_t state = 7;

	return (struct frame_spec){.ipv6 = ipv6,
		.proto = proto,
		.payload = 32,
		.t = random_tuple(&state, ipv6, proto)};
}

struct bytes
frame_of(const struct frame_spec *spec)
{
	struct bytes frame;

	memset(&frame, 0, sizeof(frame));
	frame.len = frame_build(frame.at, spec);
	return frame;
}

struct bytes
frame_tagged(const struct bytes *frame, unsigned int tags, uint16_t type)
{
	struct bytes out = *frame;

	for (unsigned int i = 0; i < tags; i++) {
		uint8_t tag[4] = {0x81, 0x00, 0x01, (uint8_t)(0x23 + tags - 1 - i)};

		if (i + 1 == tags) {
			tag[0] = (uint8_t)(type >> 8);
			tag[1] = (uint8_t)type;
		}
		memmove(out.at + 16, out.at + 12, out.len - 12);
		memcpy(out.at + 12, tag, 4);
		out.len += 4;
	}
	return out;
}

struct nm_result
frame_run(uint16_t ingress, struct bytes *frame)
{
	struct nm_result result;
	struct fake fake;

	nm_flow_run(sw, ingress, fake_mbuf(&fake, frame->at, frame->len, FRAME_MAX), &result);
	/* No rule makes a frame longer or shorter. */
	CU_ASSERT_EQUAL(fake.m.data_len, frame->len);
	return result;
}

bool
frame_same(const struct bytes *a, const struct bytes *b)
{
	return a->len == b->len && memcmp(a->at, b->at, a->len) == 0;
}
