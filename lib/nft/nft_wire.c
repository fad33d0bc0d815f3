/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients and their requests: single messages, and batches that hold as a whole
 * or not at all (nfnetlink_rcv_batch).
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire_priv.h"

#include <linux/netfilter/nf_tables_compat.h>

/* ERESTART of the kernel: the client starts over. No libc has it. */
#ifndef ERESTART
#define ERESTART 85
#endif

/* What changes the ruleset, by message. */
static const struct {
	int max_attr;
	int (*handle)(struct wire_msg *msg);
} changes[NFT_MSG_MAX] = {
	[NFT_MSG_NEWTABLE] = {NFTA_TABLE_MAX, wire_new_table},
	[NFT_MSG_DELTABLE] = {NFTA_TABLE_MAX, wire_del_table},
	[NFT_MSG_NEWCHAIN] = {NFTA_CHAIN_MAX, wire_new_chain},
	[NFT_MSG_DELCHAIN] = {NFTA_CHAIN_MAX, wire_del_chain},
	[NFT_MSG_NEWRULE] = {NFTA_RULE_MAX, wire_new_rule},
	[NFT_MSG_DELRULE] = {NFTA_RULE_MAX, wire_del_rule},
	[NFT_MSG_NEWSET] = {NFTA_SET_MAX, wire_new_set},
	[NFT_MSG_DELSET] = {NFTA_SET_MAX, wire_del_set},
	[NFT_MSG_NEWSETELEM] = {NFTA_SET_ELEM_LIST_MAX, wire_new_elem},
	[NFT_MSG_DELSETELEM] = {NFTA_SET_ELEM_LIST_MAX, wire_del_elem},
	[NFT_MSG_NEWOBJ] = {NFTA_OBJ_MAX, wire_new_object},
	[NFT_MSG_DELOBJ] = {NFTA_OBJ_MAX, wire_del_object},
	[NFT_MSG_NEWFLOWTABLE] = {NFTA_FLOWTABLE_MAX, wire_new_flowtable},
	[NFT_MSG_DELFLOWTABLE] = {NFTA_FLOWTABLE_MAX, wire_del_flowtable},
};

struct nft_wire *
nft_wire_new(struct store *store, const struct nft_backend *backend)
{
	struct nft_wire *wire = calloc(1, sizeof(*wire));

	if (wire == NULL)
		return NULL;
	wire->store = store;
	wire->backend = backend;
	wire->scratch = calloc(1, WIRE_SCRATCH);
	if (wire->scratch == NULL) {
		free(wire);
		return NULL;
	}
	return wire;
}

void
nft_wire_free(struct nft_wire *wire)
{
	if (wire == NULL)
		return;
	free(wire->scratch);
	free(wire);
}

struct nft_client *
nft_client_new(struct nft_wire *wire, nft_send_t send, void *ctx)
{
	struct nft_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return NULL;
	client->wire = wire;
	client->send = send;
	client->ctx = ctx;
	client->next = wire->clients;
	wire->clients = client;
	return client;
}

static struct nft_client *
client_of_port(const struct nft_wire *wire, uint32_t port)
{
	for (struct nft_client *c = wire->clients; c != NULL; c = c->next)
		if (c->port == port)
			return c;
	return NULL;
}

uint32_t
nft_client_port(struct nft_client *client, uint32_t process)
{
	uint32_t port = process;

	while (port == 0 || client_of_port(client->wire, port) != NULL)
		port = --client->wire->ports;
	return client->port = port;
}

void
nft_client_mirror(struct nft_client *client)
{
	client->wire->mirror = client;
}

uint64_t
wire_handle(const struct wire_msg *msg, const struct nlattr *attr, uint64_t *last)
{
	uint64_t handle;

	if (!wire_mirrors(msg) || attr == NULL || mnl_attr_get_payload_len(attr) != sizeof(handle))
		return ++*last;
	handle = be64toh(mnl_attr_get_u64(attr));
	if (handle > *last)
		*last = handle;
	return handle;
}

/* Tables whose owners have gone go, too (nft_rcv_nl_event). Nobody is told. */
static void bury_orphans(struct nft_wire *wire);

void
nft_client_is(struct nft_client *client, uint32_t pid, const char *name)
{
	client->pid = pid;
	strncpy(client->name, name, sizeof(client->name) - 1);
}

void
nft_client_free(struct nft_client *client)
{
	struct nft_wire *wire = client->wire;
	bool owner = false, held = client->lease.asks != 0;

	if (wire->subsystem != NULL)
		wire->subsystem->gone(wire->subsystem->ctx, client);
	for (struct nft_client **c = &wire->clients; *c != NULL; c = &(*c)->next) {
		if (*c != client)
			continue;
		*c = client->next;
		break;
	}
	wire_listeners(wire);
	if (wire->mirror == client)
		wire->mirror = NULL;
	if (wire->committing == client)
		wire->committing = NULL;
	store_for_each(item, &wire->store->tables) owner |=
		client->port != 0 && ((struct store_table *)item)->owner == client->port;
	free(client->waiting);
	free(client->dump);
	free(client);
	wire->orphans |= owner;
	bury_orphans(wire);
	if (held)
		wire_next(wire);
}

void
nft_wire_serve(struct nft_wire *wire, const struct nft_subsystem *subsystem)
{
	wire->subsystem = subsystem;
}

uint32_t
nft_client_number(const struct nft_client *client)
{
	return client->port;
}

void **
nft_client_slot(struct nft_client *client)
{
	return &client->slot;
}

void
nft_client_send(struct nft_client *client, const void *datagram, size_t len, bool event)
{
	client->send(client->ctx, datagram, len, event);
}

void
nft_client_on_backlog(struct nft_client *client, size_t (*backlog)(void *ctx))
{
	client->backlog = backlog;
}

size_t
nft_client_backlog(const struct nft_client *client)
{
	return client->backlog != NULL ? client->backlog(client->ctx) : 0;
}

static void
groups_changed(struct nft_client *client)
{
	const struct nft_subsystem *subsystem = client->wire->subsystem;

	if (subsystem != NULL)
		subsystem->groups(subsystem->ctx, client, client->groups);
}

void
nft_client_join(struct nft_client *client, unsigned int group)
{
	if (group < 32)
		client->groups |= 1U << group;
	wire_listeners(client->wire);
	groups_changed(client);
}

void
nft_client_leave(struct nft_client *client, unsigned int group)
{
	if (group < 32)
		client->groups &= ~(1U << group);
	wire_listeners(client->wire);
	groups_changed(client);
}

/* The request is answered. The client may be gone, or have sent the next one, afterwards. */
static void
answered(struct nft_client *client)
{
	void (*done)(void *) = client->done;

	client->done = NULL;
	done(client->done_ctx);
}

void
nft_client_done(struct nft_client *client)
{
	answered(client);
}

/* --- messages */

/* Its header and attributes into msg. */
static int
open_message(struct wire_msg *msg, const struct nlmsghdr *nlh, int max)
{
	const struct nlattr *attr;

	msg->nlh = nlh;
	msg->bad = NULL;
	memset(msg->attrs, 0, sizeof(msg->attrs));
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return -EINVAL;
	msg->family = ((const struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->nfgen_family;
	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg)) {
		int type = mnl_attr_get_type(attr);

		/* What a newer client says and this server does not know changes the meaning. */
		if (type == 0 || type > max || type > WIRE_ATTRS)
			return wire_refuse(msg, attr, -EOPNOTSUPP);
		msg->attrs[type] = attr;
	}
	return 0;
}

static bool
deletes(unsigned int type)
{
	return type == NFT_MSG_DELTABLE || type == NFT_MSG_DELCHAIN || type == NFT_MSG_DELRULE ||
	       type == NFT_MSG_DELSET || type == NFT_MSG_DELSETELEM || type == NFT_MSG_DELOBJ ||
	       type == NFT_MSG_DELFLOWTABLE;
}

/* One change of a batch. */
static int
change(struct wire_msg *msg, const struct nlmsghdr *nlh)
{
	struct store *store = msg->wire->store;
	uint32_t mark = store->log_count;
	unsigned int type = nlh->nlmsg_type & 0xff;
	int rc;

	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || type >= NFT_MSG_MAX ||
		changes[type].handle == NULL) {
		msg->bad = NULL;
		return -EOPNOTSUPP;
	}
	rc = open_message(msg, nlh, changes[type].max_attr);
	if (rc == 0)
		rc = changes[type].handle(msg);
	/* What an anonymous set's rule took along is told of again. */
	if (rc == -ENOENT && wire_mirrors(msg) && deletes(type)) {
		store_undo(store, mark);
		return 0;
	}
	if (rc != 0) {
		store_undo(store, mark);
		return rc;
	}
	for (uint32_t i = mark; i < store->log_count; i++) {
		store->log[i].flags = nlh->nlmsg_flags &
				      (NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND | NLM_F_REPLACE);
		store->log[i].echo = (nlh->nlmsg_flags & NLM_F_ECHO) != 0;
		store->log[i].quiet = type != wire_new_type(store->log[i].item->kind);
		store->log[i].seq = nlh->nlmsg_seq;
	}
	return 0;
}

/* Every worker has the new ruleset: what it removed is free. */
static void
committed(void *arg)
{
	struct nft_wire *wire = arg;
	struct nft_client *client = wire->committing;

	store_gone(wire->store, wire->gone);
	wire->gone = NULL;
	wire->busy = false;
	wire->committing = NULL;
	if (client != NULL)
		answered(client);
	bury_orphans(wire);
	wire_next(wire);
}

static void
bury_orphans(struct nft_wire *wire)
{
	struct nft_blame blame = {NULL};
	struct store_item *next;
	int rc = 0;

	if (!wire->orphans || wire->busy)
		return;
	wire->orphans = false;
	store_begin(wire->store);
	for (struct store_item *item = wire->store->tables.first; item != NULL; item = next) {
		uint32_t owner = ((struct store_table *)item)->owner;

		next = item->next;
		if (owner != 0 && client_of_port(wire, owner) == NULL && rc == 0)
			rc = store_remove(wire->store, item);
	}
	if (rc == 0 && wire->store->log_count != 0)
		rc = wire->backend->prepare(wire->backend->ctx, wire->store, &blame);
	if (rc == 0)
		rc = store_ready(wire->store);
	/* Without memory they stay until the next one goes. */
	if (rc != 0 || wire->store->log_count == 0) {
		store_undo(wire->store, 0);
		return;
	}
	wire->store->generation++;
	wire->gone = store_commit(wire->store);
	wire->busy = true;
	wire->committing = NULL;
	wire->backend->commit(wire->backend->ctx, committed, wire);
}

/* As mnl_nlmsg_ok(), which takes a length of 2 GiB and more for a negative one. */
static bool
message_ok(const struct nlmsghdr *nlh, int left)
{
	return left >= (int)sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) &&
	       nlh->nlmsg_len <= (uint32_t)left;
}

/* The message of a batch that made a rule. */
static const struct nlmsghdr *
message_of(const struct nlmsghdr *first, size_t len, uint32_t seq)
{
	int left = (int)len;

	for (const struct nlmsghdr *nlh = first; message_ok(nlh, left);
		nlh = mnl_nlmsg_next(nlh, &left))
		if (nlh->nlmsg_seq == seq && (nlh->nlmsg_type & 0xff) == NFT_MSG_NEWRULE)
			return nlh;
	return first;
}

/* Whether what the batch made can be as a whole. False: it is taken back, and answered. */
static bool
prepare(struct nft_client *client, const struct nlmsghdr *first, size_t len)
{
	struct nft_wire *wire = client->wire;
	const struct nlmsghdr *at = first;
	struct nft_blame blame = {NULL};
	int rc;

	if (wire->store->log_count == 0)
		return true;
	rc = wire->backend->prepare(wire->backend->ctx, wire->store, &blame);
	if (rc == 0)
		rc = store_ready(wire->store);
	if (rc == 0)
		return true;
	if (blame.rule != NULL && blame.rule->fresh)
		at = message_of(first, len, blame.rule->batch_seq);
	store_undo(wire->store, 0);
	store_replayed(wire->store);
	wire_error(client, at, rc, NULL);
	return false;
}

/* The batch is whole and each message was taken: into force. False: answered with an error. */
static bool
commit(struct nft_client *client, const struct nlmsghdr *begin, size_t len,
	const struct nlmsghdr *first)
{
	struct nft_wire *wire = client->wire;

	if (!prepare(client, begin, len) || wire->store->log_count == 0)
		return false;
	wire->store->generation++;
	wire_events(wire, client, first);
	wire->gone = store_commit(wire->store);
	wire->busy = true;
	wire->committing = client;
	wire->backend->commit(wire->backend->ctx, committed, wire);
	return true;
}

/* The generation that a batch was made for, if it says so. */
static bool
stale(const struct nft_wire *wire, const struct nlmsghdr *begin)
{
	const struct nlattr *attr;

	mnl_attr_for_each (attr, begin, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFNL_BATCH_GENID &&
			mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
			return ntohl(mnl_attr_get_u32(attr)) != wire->store->generation;
	return false;
}

/* A batch from its begin on. False: it is answered already. */
static bool
batch(struct nft_client *client, const struct nlmsghdr *begin, size_t len)
{
	struct wire_msg msg = {.wire = client->wire, .client = client, .changing = true};
	const struct nlmsghdr *nlh = begin, *first = NULL;
	bool failed = false, ended = false;
	int left = (int)len;

	if (mnl_nlmsg_get_payload_len(begin) < sizeof(struct nfgenmsg) ||
		((const struct nfgenmsg *)mnl_nlmsg_get_payload(begin))->res_id !=
			htons(NFNL_SUBSYS_NFTABLES)) {
		wire_error(client, begin, -EINVAL, NULL);
		return false;
	}
	if (client->wire->mirror != NULL && client->wire->mirror != client) {
		wire_error(client, begin, -EPERM, NULL);
		return false;
	}
	if (stale(client->wire, begin)) {
		wire_error(client, begin, -ERESTART, NULL);
		return false;
	}
	store_begin(client->wire->store);
	for (nlh = mnl_nlmsg_next(nlh, &left); message_ok(nlh, left);
		nlh = mnl_nlmsg_next(nlh, &left)) {
		int rc;

		if (nlh->nlmsg_type == NFNL_MSG_BATCH_END) {
			ended = true;
			break;
		}
		rc = change(&msg, nlh);
		if (rc != 0) {
			/* The others are looked at too: a client likes all errors at once. */
			wire_error(client, nlh, rc, msg.bad);
			failed = true;
		} else if (nlh->nlmsg_flags & NLM_F_ACK) {
			wire_error(client, nlh, 0, NULL);
		}
		first = first != NULL ? first : nlh;
	}
	/* Without an end it is a check, which judges the whole, too (NFNL_ABORT_VALIDATE). */
	if (failed || !ended) {
		if (failed || prepare(client, begin, len))
			store_undo(client->wire->store, 0);
		return false;
	}
	return commit(client, begin, len, first);
}

/* A request. False: it is answered. */
static bool
request(struct nft_client *client, int protocol, const void *req, size_t len)
{
	struct wire_msg msg = {.wire = client->wire, .client = client};
	const struct nlmsghdr *nlh = req;
	int rc;

	if (len > INT32_MAX || !message_ok(nlh, (int)len))
		return false;
	if (nlh->nlmsg_type == NFNL_MSG_BATCH_BEGIN)
		return batch(client, nlh, len);
	msg.nlh = nlh;
	if (protocol != NETLINK_NETFILTER) {
		wire_links(&msg);
		return false;
	}
	if (client->wire->subsystem != NULL &&
		(nlh->nlmsg_type >> 8 == NFNL_SUBSYS_CTNETLINK ||
			nlh->nlmsg_type >> 8 == NFNL_SUBSYS_CTNETLINK_EXP)) {
		client->wire->subsystem->request(client->wire->subsystem->ctx, client, req, len);
		return true;
	}
	if (nlh->nlmsg_type >> 8 == NFNL_SUBSYS_HOOK) {
		/* Nothing is told of hooks; their list is empty, not an error. */
		wire_dump_end(client, nlh);
		return false;
	}
	if (nlh->nlmsg_type >> 8 == NFNL_SUBSYS_NFT_COMPAT) {
		rc = open_message(&msg, nlh, NFTA_COMPAT_MAX);
		if (rc != 0)
			wire_error(client, nlh, rc, msg.bad);
		else
			wire_get_compat(&msg);
		return false;
	}
	if (nlh->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES) {
		wire_error(client, nlh, -EOPNOTSUPP, NULL);
		return false;
	}
	rc = open_message(&msg, nlh, WIRE_ATTRS);
	if (rc != 0)
		wire_error(client, nlh, rc, msg.bad);
	else
		wire_get(&msg);
	return false;
}

/* Whose batch has waited longest of those that may go on. */
static struct nft_client *
first_waiting(const struct nft_wire *wire)
{
	struct nft_client *first = NULL;

	for (struct nft_client *c = wire->clients; c != NULL; c = c->next)
		if (c->waiting != NULL && !wire_lease_holds(c) &&
			(first == NULL || c->waiting_at < first->waiting_at))
			first = c;
	return first;
}

void
wire_next(struct nft_wire *wire)
{
	struct nft_client *c;

	/* What is in force at once comes back here: the round that is under way goes on. */
	if (wire->at_next)
		return;
	wire->at_next = true;
	while (!wire->busy && (c = first_waiting(wire)) != NULL) {
		void *waiting = c->waiting;

		c->waiting = NULL;
		if (!request(c, NETLINK_NETFILTER, waiting, c->waiting_len))
			answered(c);
		free(waiting);
	}
	wire->at_next = false;
}

/* False: there is no memory to wait in. */
static bool
wait_turn(struct nft_client *client, const void *req, size_t len)
{
	client->waiting = malloc(len);
	client->waiting_len = len;
	client->waiting_at = client->wire->waiting_at++;
	if (client->waiting == NULL)
		return false;
	memcpy(client->waiting, req, len);
	return true;
}

void
nft_client_request(struct nft_client *client, int protocol, const void *req, size_t len,
	void (*done)(void *ctx), void *ctx)
{
	struct nft_wire *wire = client->wire;
	bool batch = len >= sizeof(struct nlmsghdr) &&
		     ((const struct nlmsghdr *)req)->nlmsg_type == NFNL_MSG_BATCH_BEGIN;

	client->done = done;
	client->done_ctx = ctx;
	wire_lease_request(client, batch);
	/* What waited for this client's listing came first. */
	if (batch)
		wire_next(wire);
	if (batch && (wire->busy || wire_lease_holds(client))) {
		if (wait_turn(client, req, len)) {
			wire_next(wire);
			return;
		}
		wire_error(client, req, -ENOMEM, NULL);
	} else if (request(client, protocol, req, len)) {
		return;
	}
	answered(client);
	wire_next(wire);
}
