/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * handoff: frames to the worker that owns their connection, and the messages by
 * which a connection's owner has its reply tuple reserved at the tuple's home.
 */
#include "worker.h"

#include <errno.h>

void
handoff_frame(struct worker *w, struct rte_mbuf *m, uint8_t to, uint64_t flag)
{
	m->ol_flags = (m->ol_flags & ~(w->handed_flag | w->returned_flag)) | flag;
	if (rte_ring_sp_enqueue(w->frames_out[to], m) != 0)
		worker_drop(w, m, DROP_HANDOFF_FULL);
	else
		w->counters.handed_over++;
}

static int
send_message(struct worker *w, uint8_t to, const struct message *message)
{
	return rte_ring_sp_enqueue_elem(
		       w->messages_out[to], (void *)(uintptr_t)message, sizeof(*message)) == 0
		       ? 0
		       : -ENOSPC;
}

int
handoff_reserve(void *ctx, struct nat *nat, uint32_t conn, const struct tuple *reply, uint8_t home)
{
	struct worker *w = ctx;
	struct message message = {
		.reply = *reply,
		.conn = conn,
		.id = conn_at(nat->ct, conn)->id,
		.type = MESSAGE_RESERVE,
		.from = w->id,
	};

	return send_message(w, home, &message);
}

void
handoff_unreserve(
	void *ctx, struct nat *nat, uint32_t conn, const struct tuple *reply, uint8_t home)
{
	struct worker *w = ctx;
	struct message message = {
		.reply = *reply,
		.conn = conn,
		.type = MESSAGE_UNRESERVE,
		.from = w->id,
	};

	(void)nat;
	/*
	 * A lost message leaves an orphan at the home: the first packet that
	 * meets it comes back from here, and the home removes it.
	 */
	if (rte_ring_free_count(w->messages_out[home]) < RING_RESERVED ||
		send_message(w, home, &message) != 0)
		w->counters.unreserve_lost++;
}

/* The home's side: insert if absent; an expired connection does not hold the tuple. */
static void
reserve_here(struct worker *w, const struct message *ask)
{
	struct flow_table *table = &w->ct->table[ask->reply.family == FAMILY_IPV6];
	struct message answer = *ask;
	int rc = -EEXIST;

	if (!conntrack_tuple_taken(w->ct, &ask->reply, CONN_NONE))
		rc = flow_alias_insert(table, &ask->reply, ask->from, conn_pair(ask->conn));
	answer.type = rc == 0 ? MESSAGE_GRANTED : MESSAGE_TAKEN;
	answer.from = w->id;
	/* There is room: each side has at most NAT_HOLDS questions out, and RING_RESERVED is more.
	 */
	rc = send_message(w, ask->from, &answer);
	RTE_VERIFY(rc == 0);
}

/* The owner's side: the held packets go on. */
static void
answered(struct worker *w, const struct message *message)
{
	struct rte_mbuf *packets[NAT_HOLD_PACKETS];
	struct nat_answer answer = {
		.conn = message->conn,
		.id = message->id,
		.reply = message->reply,
		.home = message->from,
		.taken = message->type == MESSAGE_TAKEN,
	};
	unsigned int count = nat_answer(&w->nat, &answer, packets);

	for (unsigned int i = 0; i < count; i++) {
		if (i == 0)
			walk_resume(w, pkt_of(packets[0]));
		else
			walk_behind(w, pkt_of(packets[i]));
	}
}

void
handoff_messages(struct worker *w)
{
	struct message message;

	for (unsigned int from = 0; from < w->path->config.workers; from++) {
		struct rte_ring *ring = w->messages_in[from];

		for (unsigned int n = 0; ring != NULL && n < PATH_BURST; n++) {
			if (rte_ring_sc_dequeue_elem(ring, &message, sizeof(message)) != 0)
				break;
			switch (message.type) {
			case MESSAGE_RESERVE: reserve_here(w, &message); break;
			case MESSAGE_UNRESERVE:
				flow_alias_remove(
					&w->ct->table[message.reply.family == FAMILY_IPV6],
					&message.reply, message.from, conn_pair(message.conn));
				break;
			default: answered(w, &message); break;
			}
		}
	}
}
