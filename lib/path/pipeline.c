/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The graph: its nodes in the order of a packet's way. Every worker walks the
 * same one; ports and queues are data of rx and tx.
 *
 *   rx --> established --hit--> tx
 *               |
 *               +--miss or guard--> walk    (prerouting, route, forward, postrouting,
 *                                            confirm, record; ends in tx's queues)
 */
#include "pipeline.h"

#include <errno.h>
#include <stdio.h>

#include <rte_errno.h>

static struct rte_node_register *const nodes[] = {
	&rx_node, &established_node, &walk_node, &tx_node};

#define NODES (sizeof(nodes) / sizeof(nodes[0]))

/* Registered once a process: rte_graph has no way to take a node back. */
static int
register_nodes(void)
{
	static bool done;

	if (done)
		return 0;
	/* A node's edges name nodes that may come later: they are resolved by the graph. */
	for (unsigned int i = 0; i < NODES; i++) {
		nodes[i]->id = __rte_node_register(nodes[i]);
		if (nodes[i]->id == RTE_NODE_ID_INVALID)
			return -rte_errno;
	}
	done = true;
	return 0;
}

int
pipeline_create(struct worker *w, const char *name)
{
	const char *patterns[NODES];
	struct rte_graph_param param = {
		.socket_id = SOCKET_ID_ANY,
		.nb_node_patterns = NODES,
		.node_patterns = patterns,
	};
	char graph[RTE_GRAPH_NAMESIZE];
	int rc = register_nodes();

	if (rc != 0)
		return rc;
	for (unsigned int i = 0; i < NODES; i++)
		patterns[i] = nodes[i]->name;
	snprintf(graph, sizeof(graph), "%s-%u", name, w->id);
	if (rte_graph_create(graph, &param) == RTE_GRAPH_ID_INVALID)
		return -rte_errno;
	w->graph = rte_graph_lookup(graph);
	for (unsigned int i = 0; i < NODES; i++) {
		struct rte_node *node = rte_graph_node_get_by_name(graph, nodes[i]->name);

		memcpy(node->ctx, &w, sizeof(w));
	}
	return 0;
}

void
pipeline_destroy(struct worker *w)
{
	if (w->graph != NULL)
		rte_graph_destroy(rte_graph_from_name(w->graph->name));
	w->graph = NULL;
}

const char *
path_graph_text(void)
{
	static char text[512];
	size_t n = 0;

	for (unsigned int i = 0; i < NODES; i++) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", nodes[i]->name);
		for (unsigned int e = 0; e < nodes[i]->nb_edges; e++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s",
				e == 0 ? " -> " : ", ", nodes[i]->next_nodes[e]);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "\n");
	}
	return text;
}
