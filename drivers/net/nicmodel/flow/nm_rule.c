/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Patterns as rte_flow has them, to fields and masks. What is not a table row
 * here is not supported, and the item is named in the error.
 */
#include <errno.h>
#include <string.h>

#include "nm_priv.h"

#define REFUSE(error, err, kind, cause, text)                                                      \
	rte_flow_error_set(error, err, RTE_FLOW_ERROR_TYPE_##kind, cause, text)

/* Copy a masked field; both sides have the same layout. */
#define TAKE(ask, to, spec, mask, from)                                                            \
	do {                                                                                       \
		memcpy(&(ask)->value.to, &(spec)->from, sizeof((spec)->from));                     \
		memcpy(&(ask)->mask.to, &(mask)->from, sizeof((mask)->from));                      \
	} while (0)

static void
fix(uint8_t *value, uint8_t *mask, uint8_t to)
{
	*value = to;
	*mask = 0xff;
}

/* Whether a mask has no bit beside those that the fields have. */
static bool
within(const void *mask, const void *able, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((const uint8_t *)mask)[i] & ~((const uint8_t *)able)[i])
			return false;
	return true;
}

static int
take_eth(struct nm_ask *ask, const void *s, const void *m)
{
	static const struct rte_flow_item_eth able = {
		.hdr.dst_addr.addr_bytes = "\xff\xff\xff\xff\xff\xff",
		.hdr.src_addr.addr_bytes = "\xff\xff\xff\xff\xff\xff",
		.hdr.ether_type = 0xffff,
		.has_vlan = 1};
	const struct rte_flow_item_eth *spec = s, *mask = m;

	if (!within(mask, &able, sizeof(able)))
		return -ENOTSUP;
	TAKE(ask, dst, spec, mask, hdr.dst_addr);
	TAKE(ask, src, spec, mask, hdr.src_addr);
	TAKE(ask, type, spec, mask, hdr.ether_type);
	if (mask->has_vlan)
		fix(&ask->value.vlan, &ask->mask.vlan, spec->has_vlan);
	return 0;
}

static int
take_vlan(struct nm_ask *ask, const void *s, const void *m)
{
	static const struct rte_flow_item_vlan able = {.hdr = {0xffff, 0xffff}};
	const struct rte_flow_item_vlan *spec = s, *mask = m;

	fix(&ask->value.vlan, &ask->mask.vlan, 1);
	if (m == NULL)
		return 0;
	if (!within(mask, &able, sizeof(able)))
		return -ENOTSUP;
	TAKE(ask, tci, spec, mask, hdr.vlan_tci);
	TAKE(ask, inner_type, spec, mask, hdr.eth_proto);
	return 0;
}

static int
take_ipv4(struct nm_ask *ask, const void *s, const void *m)
{
	static const struct rte_flow_item_ipv4 able = {.hdr = {.version_ihl = 0xff,
							       .type_of_service = 0xff,
							       .fragment_offset = 0xffff,
							       .time_to_live = 0xff,
							       .next_proto_id = 0xff,
							       .src_addr = UINT32_MAX,
							       .dst_addr = UINT32_MAX}};
	const struct rte_flow_item_ipv4 *spec = s, *mask = m;

	fix(&ask->value.l3, &ask->mask.l3, 4);
	if (m == NULL)
		return 0;
	if (!within(mask, &able, sizeof(able)))
		return -ENOTSUP;
	TAKE(ask, version_ihl, spec, mask, hdr.version_ihl);
	TAKE(ask, tos, spec, mask, hdr.type_of_service);
	TAKE(ask, fragment, spec, mask, hdr.fragment_offset);
	TAKE(ask, ttl, spec, mask, hdr.time_to_live);
	TAKE(ask, proto, spec, mask, hdr.next_proto_id);
	TAKE(ask, ip_src, spec, mask, hdr.src_addr);
	TAKE(ask, ip_dst, spec, mask, hdr.dst_addr);
	return 0;
}

static int
take_ipv6(struct nm_ask *ask, const void *s, const void *m)
{
	struct rte_flow_item_ipv6 able = {
		.hdr = {.vtc_flow = UINT32_MAX, .proto = 0xff, .hop_limits = 0xff}};
	const struct rte_flow_item_ipv6 *spec = s, *mask = m;

	memset(able.hdr.src_addr, 0xff, 16);
	memset(able.hdr.dst_addr, 0xff, 16);
	fix(&ask->value.l3, &ask->mask.l3, 6);
	if (m == NULL)
		return 0;
	if (!within(mask, &able, sizeof(able)))
		return -ENOTSUP;
	TAKE(ask, vtc_flow, spec, mask, hdr.vtc_flow);
	TAKE(ask, proto, spec, mask, hdr.proto);
	TAKE(ask, ttl, spec, mask, hdr.hop_limits);
	TAKE(ask, ip_src, spec, mask, hdr.src_addr);
	TAKE(ask, ip_dst, spec, mask, hdr.dst_addr);
	return 0;
}

static int
take_tcp(struct nm_ask *ask, const void *s, const void *m)
{
	static const struct rte_flow_item_tcp able = {
		.hdr = {.src_port = 0xffff, .dst_port = 0xffff, .tcp_flags = 0xff}};
	const struct rte_flow_item_tcp *spec = s, *mask = m;

	fix(&ask->value.l4, &ask->mask.l4, IPPROTO_TCP);
	if (m == NULL)
		return 0;
	if (!within(mask, &able, sizeof(able)))
		return -ENOTSUP;
	TAKE(ask, sport, spec, mask, hdr.src_port);
	TAKE(ask, dport, spec, mask, hdr.dst_port);
	TAKE(ask, tcp_flags, spec, mask, hdr.tcp_flags);
	return 0;
}

static int
take_udp(struct nm_ask *ask, const void *s, const void *m)
{
	static const struct rte_flow_item_udp able = {
		.hdr = {.src_port = 0xffff, .dst_port = 0xffff}};
	const struct rte_flow_item_udp *spec = s, *mask = m;

	fix(&ask->value.l4, &ask->mask.l4, IPPROTO_UDP);
	if (m == NULL)
		return 0;
	if (!within(mask, &able, sizeof(able)))
		return -ENOTSUP;
	TAKE(ask, sport, spec, mask, hdr.src_port);
	TAKE(ask, dport, spec, mask, hdr.dst_port);
	return 0;
}

static int
take_represented_port(struct nm_ask *ask, const void *s, const void *m)
{
	const struct rte_flow_item_ethdev *spec = s, *mask = m;

	if (!ask->transfer)
		return -ENOTSUP;
	if (m == NULL)
		return 0;
	if (mask->port_id != UINT16_MAX && mask->port_id != 0)
		return -ENOTSUP;
	TAKE(ask, port, spec, mask, port_id);
	return 0;
}

static int
take_nothing(struct nm_ask *ask, const void *s, const void *m)
{
	(void)ask;
	(void)s;
	(void)m;
	return 0;
}

/*
 * The items; layer: those of a header come in this order, one of each, for a second
 * one would be compared in the place of the first; mask: what rte_flow takes for a
 * mask that is absent.
 */
static const struct {
	enum rte_flow_item_type type;
	uint8_t layer;
	const char *name;
	const void *mask;
	int (*take)(struct nm_ask *ask, const void *spec, const void *mask);
} rows[] = {
	{RTE_FLOW_ITEM_TYPE_VOID, 0, "void", NULL, take_nothing},
	{RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT, 0, "represented_port", &rte_flow_item_ethdev_mask,
		take_represented_port},
	{RTE_FLOW_ITEM_TYPE_ETH, 1, "eth", &rte_flow_item_eth_mask, take_eth},
	{RTE_FLOW_ITEM_TYPE_VLAN, 2, "vlan", &rte_flow_item_vlan_mask, take_vlan},
	{RTE_FLOW_ITEM_TYPE_IPV4, 3, "ipv4", &rte_flow_item_ipv4_mask, take_ipv4},
	{RTE_FLOW_ITEM_TYPE_IPV6, 3, "ipv6", &rte_flow_item_ipv6_mask, take_ipv6},
	{RTE_FLOW_ITEM_TYPE_TCP, 4, "tcp", &rte_flow_item_tcp_mask, take_tcp},
	{RTE_FLOW_ITEM_TYPE_UDP, 4, "udp", &rte_flow_item_udp_mask, take_udp},
};

static int
take_item(const struct nm_limits *limits, const struct rte_flow_item *item, struct nm_ask *ask,
	struct rte_flow_error *error)
{
	unsigned int i = 0;
	const void *mask;
	int rc;

	while (i < RTE_DIM(rows) && rows[i].type != item->type)
		i++;
	if (i == RTE_DIM(rows) || strcmp(rows[i].name, limits->refuse) == 0)
		return REFUSE(error, ENOTSUP, ITEM, item, "item not supported");
	if (rows[i].layer != 0 && rows[i].layer <= ask->layer)
		return REFUSE(error, ENOTSUP, ITEM, item, "item out of order");
	ask->layer = RTE_MAX(ask->layer, rows[i].layer);
	if (item->spec == NULL && (item->mask != NULL || item->last != NULL))
		return REFUSE(error, EINVAL, ITEM_SPEC, item, "mask or last without spec");
	if (item->last != NULL)
		return REFUSE(error, ENOTSUP, ITEM_LAST, item, "ranges are not supported");
	mask = item->spec == NULL ? NULL : item->mask != NULL ? item->mask : rows[i].mask;
	if (item->spec == NULL && item->type == RTE_FLOW_ITEM_TYPE_ETH)
		return 0;
	rc = rows[i].take(ask, item->spec, mask);
	if (rc != 0)
		return REFUSE(error, -rc, ITEM_MASK, item, "field not supported");
	return 0;
}

static int
take_attr(const struct rte_flow_attr *attr, struct nm_ask *ask, struct rte_flow_error *error)
{
	if (attr->egress)
		return REFUSE(error, ENOTSUP, ATTR_EGRESS, attr, "egress is not supported");
	if (attr->transfer == attr->ingress)
		return REFUSE(error, EINVAL, ATTR, attr, "either transfer or ingress");
	if (attr->group >= NM_GROUPS)
		return REFUSE(error, ENOTSUP, ATTR_GROUP, attr, "group too high");
	if (attr->priority >= NM_PRIORITIES)
		return REFUSE(error, ENOTSUP, ATTR_PRIORITY, attr, "priority too high");
	ask->transfer = attr->transfer;
	ask->group = attr->group;
	ask->priority = attr->priority;
	return 0;
}

int
nm_ask(const struct nm_limits *limits, uint16_t port, const struct rte_flow_attr *attr,
	const struct rte_flow_item *items, const struct rte_flow_action *actions,
	struct nm_ask *ask, struct rte_flow_error *error)
{
	uint8_t *value = (uint8_t *)&ask->value;
	const uint8_t *mask = (const uint8_t *)&ask->mask;
	int rc;

	memset(ask, 0, sizeof(*ask));
	rc = take_attr(attr, ask, error);
	for (; rc == 0 && items->type != RTE_FLOW_ITEM_TYPE_END; items++)
		rc = take_item(limits, items, ask, error);
	if (rc == 0)
		rc = nm_ask_actions(limits, actions, ask, error);
	if (rc != 0)
		return rc;
	if (!ask->transfer) {
		ask->value.port = port;
		ask->mask.port = UINT16_MAX;
	}
	/* Bits that are not compared have no value: equal patterns are equal bytes. */
	for (size_t i = 0; i < sizeof(ask->value); i++)
		value[i] &= mask[i];
	return 0;
}
