/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A port's root program, and what the port can do: found out by creating the
 * real thing, for drivers validate what they then refuse.
 */
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_errno.h>

#include "offload_priv.h"

struct root *
root_of(const struct offload *o, uint16_t ethdev)
{
	for (unsigned int i = 0; i < OFFLOAD_PORTS; i++)
		if (o->roots[i].used && o->roots[i].ethdev == ethdev)
			return (struct root *)(uintptr_t)&o->roots[i];
	return NULL;
}

/* The name of the item or action that a driver minds, if it points at one of ours. */
static const char *
minded(const struct rte_flow_item *items, const struct rte_flow_action *actions,
	const struct rte_flow_error *error)
{
	const char *name = NULL;

	for (; error->cause != NULL && items->type != RTE_FLOW_ITEM_TYPE_END; items++)
		if (error->cause == items || error->cause == items->spec ||
			error->cause == items->mask)
			(void)rte_flow_conv(RTE_FLOW_CONV_OP_ITEM_NAME_PTR, &name, sizeof(name),
				(const void *)(uintptr_t)items->type, NULL);
	for (; error->cause != NULL && actions->type != RTE_FLOW_ACTION_TYPE_END; actions++)
		if (error->cause == actions || error->cause == actions->conf)
			(void)rte_flow_conv(RTE_FLOW_CONV_OP_ACTION_NAME_PTR, &name, sizeof(name),
				(const void *)(uintptr_t)actions->type, NULL);
	return name;
}

static void
say(struct root *root, const char *what, const char *item, const struct rte_flow_error *error)
{
	char name[64] = "";
	size_t n = 0;

	/* The first refusal is the one that matters. */
	if (root->info.why[0] != '\0')
		return;
	for (; item != NULL && item[n] != '\0' && n + 1 < sizeof(name); n++)
		name[n] = (char)tolower((unsigned char)item[n]);
	snprintf(root->info.why, sizeof(root->info.why), "driver-unsupported:%s: %s%s%s", what,
		name, n > 0 ? ": " : "",
		error->message != NULL ? error->message : rte_strerror(rte_errno));
}

/* A rule of the root program, kept. */
static int
install(struct offload *o, struct root *root, const char *what, uint32_t group, uint32_t priority,
	const struct rte_flow_item *items, const struct rte_flow_action *actions)
{
	const struct rte_flow_attr attr = {.group = group, .priority = priority, .transfer = 1};
	struct rte_flow_error error = {0};
	struct rte_flow *flow = o->driver->create(root->ethdev, &attr, items, actions, &error);

	if (flow == NULL) {
		say(root, what, minded(items, actions, &error), &error);
		return -ENOTSUP;
	}
	root->flows[root->flow_count++] = flow;
	return 0;
}

/* *tries: that are left, for all rules of a port together. @return 0, or the last try's errno */
static int
destroy(struct offload *o, uint16_t ethdev, struct rte_flow *flow, unsigned int *tries,
	struct rte_flow_error *error)
{
	int rc = o->driver->destroy(ethdev, flow, error);

	for (; rc != 0 && *tries > 0; (*tries)--) {
		rte_delay_us_sleep(DESTROY_NAP_US);
		rc = o->driver->destroy(ethdev, flow, error);
	}
	return rc;
}

static void
uninstall(struct offload *o, struct root *root)
{
	unsigned int tries = DESTROY_TRIES;
	struct rte_flow_error error;

	/* The jump first: nothing meets a half of the program. */
	while (root->flow_count > 0)
		(void)destroy(o, root->ethdev, root->flows[--root->flow_count], &tries, &error);
}

/* TTL and hop limit 0 and 1 go to software, which owes an error for them. */
static int
install_ttl(struct offload *o, struct root *root, const struct rte_flow_item *in,
	const struct rte_flow_action *to_software)
{
	int rc = 0;

	for (uint8_t ttl = 0; ttl < 2 && rc == 0; ttl++) {
		struct rte_flow_item_ipv4 ip4 = {.hdr.time_to_live = ttl};
		struct rte_flow_item_ipv4 ip4_mask = {.hdr.time_to_live = 0xff};
		struct rte_flow_item_ipv6 ip6 = {.hdr.hop_limits = ttl};
		struct rte_flow_item_ipv6 ip6_mask = {.hdr.hop_limits = 0xff};
		struct rte_flow_item items[] = {*in, {.type = RTE_FLOW_ITEM_TYPE_ETH},
			{.type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &ip4, .mask = &ip4_mask},
			{.type = RTE_FLOW_ITEM_TYPE_END}};

		rc = install(o, root, "ttl", GROUP_FLOWS, PRIORITY_GUARD, items, to_software);
		items[2] = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_IPV6, .spec = &ip6, .mask = &ip6_mask};
		if (rc == 0)
			rc = install(o, root, "hop-limit", GROUP_FLOWS, PRIORITY_GUARD, items,
				to_software);
	}
	return rc;
}

/* Catch-all and guards of the flow group, then the jump into it. */
static int
install_all(struct offload *o, struct root *root)
{
	struct rte_flow_item_ethdev port = {.port_id = root->ethdev};
	struct rte_flow_action_ethdev self = {.port_id = root->ethdev};
	struct rte_flow_action_jump group = {.group = GROUP_FLOWS};
	struct rte_flow_item in = {.type = RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT,
		.spec = &port,
		.mask = &rte_flow_item_ethdev_mask};
	struct rte_flow_item all[] = {in, {.type = RTE_FLOW_ITEM_TYPE_END}};
	struct rte_flow_action to_software[] = {
		{.type = RTE_FLOW_ACTION_TYPE_PORT_REPRESENTOR, .conf = &self},
		{.type = RTE_FLOW_ACTION_TYPE_END}};
	struct rte_flow_action jump[] = {{.type = RTE_FLOW_ACTION_TYPE_JUMP, .conf = &group},
		{.type = RTE_FLOW_ACTION_TYPE_END}};
	int rc = install(o, root, "catch-all", GROUP_FLOWS, PRIORITY_MISS, all, to_software);

	if (rc == 0)
		rc = install_ttl(o, root, &in, to_software);
	if (rc == 0)
		rc = install(o, root, "jump", 0, PRIORITY_MISS, all, jump);
	return rc;
}

/* One rule of each kind, with every rewrite, made and taken away again. */
static void
probe(struct offload *o, struct root *root, unsigned int family, unsigned int proto)
{
	static const char *const names[2][2] = {{"ipv4-tcp", "ipv4-udp"}, {"ipv6-tcp", "ipv6-udp"}};
	struct offload_offer offer = {.in_port = root->ethdev, .out_port = root->ethdev};
	struct rte_flow_error error = {0};
	unsigned int tries = DESTROY_TRIES;
	struct pattern pattern;
	struct rte_flow *flow;

	offer.tuple.family = family == 0 ? FAMILY_IPV4 : FAMILY_IPV6;
	offer.tuple.proto = proto == 0 ? IPPROTO_TCP : IPPROTO_UDP;
	offer.out = offer.tuple;
	translate(&offer, true, &pattern);
	flow = o->driver->create(
		root->ethdev, &pattern.attr, pattern.items, pattern.actions, &error);
	if (flow == NULL) {
		say(root, names[family][proto], minded(pattern.items, pattern.actions, &error),
			&error);
		return;
	}
	if (destroy(o, root->ethdev, flow, &tries, &error) == 0)
		root->able[family][proto] = true;
	else
		say(root, "destroy", NULL, &error);
}

int
offload_port_add(struct offload *o, uint16_t port, uint16_t ethdev)
{
	struct root *root;
	int rc;

	if (port >= OFFLOAD_PORTS)
		return -EINVAL;
	root = &o->roots[port];
	pthread_mutex_lock(&o->lock);
	if (root->flow_count > 0 || (root_of(o, ethdev) != NULL && root_of(o, ethdev) != root)) {
		pthread_mutex_unlock(&o->lock);
		return -EEXIST;
	}
	*root = (struct root){.used = true, .ethdev = ethdev};
	rc = install_all(o, root);
	if (rc == 0)
		for (unsigned int i = 0; i < 4; i++)
			probe(o, root, i / 2, i % 2);
	root->info.usable = rc == 0 && (root->able[0][0] || root->able[0][1] || root->able[1][0] ||
					       root->able[1][1]);
	if (!root->info.usable) {
		uninstall(o, root);
		rc = -ENOTSUP;
	}
	pthread_mutex_unlock(&o->lock);
	return rc;
}

void
offload_port_remove(struct offload *o, uint16_t ethdev)
{
	struct root *root;

	pthread_mutex_lock(&o->lock);
	root = root_of(o, ethdev);
	if (root != NULL) {
		uninstall(o, root);
		rules_leave(o, ethdev);
		root->used = false;
	}
	pthread_mutex_unlock(&o->lock);
}

void
offload_port(const struct offload *o, uint16_t ethdev, struct offload_port_info *info)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&o->lock;
	const struct root *root;

	pthread_mutex_lock(lock);
	root = root_of(o, ethdev);
	if (root != NULL)
		*info = root->info;
	else
		*info = (struct offload_port_info){.why = "not a port of the NIC"};
	pthread_mutex_unlock(lock);
}
