/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests: a row of messages, each a row of questions to workers, one at a time.
 * step() goes on whenever a worker has answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "ctnl_priv.h"

/* A client that has this much to read gets no more of a dump for now. */
#define BACKLOG_MAX (256 * 1024)

/* What a message's questions are about. */
enum phase {
	MESSAGE, /* the next message is to be read */
	LIST,	 /* every connection of every worker */
	FLUSH,
	FIND,	/* one connection; ask work.run of each worker until one has it */
	LET_GO, /* until NICs have let go */
	STATS,
};

struct ctnl_request {
	LIST_ENTRY(ctnl_request) link;
	struct ctnl *ctnl;
	struct ctnl_client *client; /* NULL: it went away */
	struct ctnl_call call;
	const struct nlmsghdr *nlh; /* the message at hand */
	int left;		    /* bytes from there on */
	enum phase phase;
	void (*run)(struct conntrack *ct, void *arg); /* FIND's question */
	bool get;				      /* FIND's answer is the connection */
	bool total;				      /* STATS' answer is a sum */
	bool asked;				      /* the worker at hand */
	bool stepping;				      /* step() is at work */
	bool waiting;				      /* for a call to come back */
	int missing;				      /* FIND's answer if nobody has it */
	unsigned int worker, workers; /* the one at hand, and the first that is not asked */
	uint32_t connections;
	size_t out_len;
	uint8_t out[CTNL_DATAGRAM];
	void (*question)(struct conntrack *ct, void *work); /* the worker's now */
	struct ctnl_work work;
	uint8_t data[];
};

/* --- answers */

static void
answer(struct ctnl_request *r, const void *datagram, size_t len)
{
	if (r->client != NULL)
		r->client->peer.send(r->client->peer.ctx, datagram, len, false);
}

static void
send_message(struct ctnl_request *r, const void *message)
{
	answer(r, message, ((const struct nlmsghdr *)message)->nlmsg_len);
}

static void
flush_dump(struct ctnl_request *r)
{
	if (r->out_len != 0)
		answer(r, r->out, r->out_len);
	r->out_len = 0;
}

/* A message of a dump; several share a datagram. */
static void
dump(struct ctnl_request *r, const void *message)
{
	size_t len = MNL_ALIGN(((const struct nlmsghdr *)message)->nlmsg_len);

	if (r->out_len + len > sizeof(r->out))
		flush_dump(r);
	memcpy(r->out + r->out_len, message, len);
	r->out_len += len;
}

/*
 * The message at hand is done, with an answer if one is wanted: in the datagram of the
 * connection that was asked for. conntrack -U reads one datagram for each and takes
 * what is left for the answer to its next message, which is an error when the second,
 * its sequence number, has changed in between.
 */
static void
message_done(struct ctnl_request *r, int err)
{
	uint8_t buf[CTNL_MESSAGE];

	if (err != 0 || (r->nlh->nlmsg_flags & NLM_F_ACK)) {
		ctnl_fill_error(buf, r->nlh, err);
		dump(r, buf);
	}
	flush_dump(r);
	r->nlh = mnl_nlmsg_next(r->nlh, &r->left);
	r->phase = MESSAGE;
}

/* The same of a dump, which nobody acknowledges. */
static void
dump_done(struct ctnl_request *r)
{
	uint8_t buf[CTNL_MESSAGE];

	flush_dump(r);
	ctnl_fill_done(buf, r->nlh);
	send_message(r, buf);
	r->nlh = mnl_nlmsg_next(r->nlh, &r->left);
	r->phase = MESSAGE;
}

/* --- questions */

static void step(struct ctnl_request *r);

static void
answered(void *arg)
{
	step(arg);
}

/* On the worker's thread. */
static void
run_question(struct conntrack *ct, void *arg)
{
	struct ctnl_request *r = arg;

	r->question(ct, &r->work);
}

static void
ask(struct ctnl_request *r, void (*run)(struct conntrack *ct, void *arg))
{
	r->question = run;
	r->waiting = true;
	r->ctnl->backend.ask(r->ctnl->backend.ctx, r->worker, &r->call);
}

static void
later(struct ctnl_request *r)
{
	r->waiting = true;
	r->ctnl->backend.later(r->ctnl->backend.ctx, &r->call);
}

/* --- messages */

static struct ctnl_header
header(const struct ctnl_request *r, uint16_t type, bool multi)
{
	return (struct ctnl_header){
		.type = type, .flags = multi ? NLM_F_MULTI : 0, .seq = r->nlh->nlmsg_seq};
}

/* Begin to go through all workers. */
static void
begin_all(struct ctnl_request *r, enum phase phase)
{
	r->phase = phase;
	r->worker = 0;
	r->workers = r->ctnl->backend.workers;
	r->work.position = 0;
	r->work.conn = CONN_NONE;
	r->work.rc = 0;
	r->work.awaited = 0;
	r->work.count = 0;
	r->work.by = r->client->peer.port;
	r->asked = false;
	r->missing = -ENOENT;
}

static int
get(struct ctnl_request *r, const struct ctnl_message *msg, uint8_t type)
{
	int rc;

	r->work.zero = type == IPCTNL_MSG_CT_GET_CTRZERO;
	if (msg->nlh->nlmsg_flags & NLM_F_DUMP) {
		r->work.filtered = ctnl_has_filter(msg, msg->family);
		rc = r->work.filtered ? ctnl_parse_filter(msg, msg->family, &r->work.filter) : 0;
		if (rc == 0)
			begin_all(r, LIST);
		return rc;
	}
	rc = ctnl_parse_tuple(msg, &r->work.tuple);
	if (rc != 0)
		return rc;
	r->run = ctnl_run_find;
	r->get = true;
	begin_all(r, FIND);
	return 0;
}

static int
destroy(struct ctnl_request *r, const struct ctnl_message *msg)
{
	const struct nlattr *id = msg->attrs[CTA_ID];
	uint8_t family;
	int rc;

	r->work.zero = false;
	if (msg->attrs[CTA_FILTER] == NULL &&
		(msg->attrs[CTA_TUPLE_ORIG] != NULL || msg->attrs[CTA_TUPLE_REPLY] != NULL)) {
		rc = ctnl_parse_tuple(msg, &r->work.tuple);
		if (rc != 0)
			return rc;
		r->work.by_id = id != NULL;
		r->work.id = id != NULL ? ntohl(mnl_attr_get_u32(id)) : 0;
		r->run = ctnl_run_delete;
		r->get = false;
		begin_all(r, FIND);
		return 0;
	}
	/* Version 0 never meant a family: all go (ctnetlink_del_conntrack). */
	family = msg->version != 0 || msg->attrs[CTA_FILTER] != NULL ? msg->family : 0;
	r->work.filtered = ctnl_has_filter(msg, family);
	rc = r->work.filtered ? ctnl_parse_filter(msg, family, &r->work.filter) : 0;
	if (rc == 0)
		begin_all(r, FLUSH);
	return rc;
}

/* A change of a connection that is there. None is made from outside. */
static int
change(struct ctnl_request *r, const struct ctnl_message *msg)
{
	int rc = ctnl_parse_tuple(msg, &r->work.tuple);

	if (rc != 0)
		return rc == -EINVAL && msg->attrs[CTA_TUPLE_ORIG] == NULL &&
				       msg->attrs[CTA_TUPLE_REPLY] == NULL &&
				       !(msg->nlh->nlmsg_flags & NLM_F_CREATE)
			       ? -ENOENT
			       : rc;
	begin_all(r, FIND);
	r->run = ctnl_run_change;
	r->get = false;
	/* One that is missing is told before what is wrong with the change. */
	r->work.rc = ctnl_parse_change(msg, &r->work.change);
	if (msg->nlh->nlmsg_flags & NLM_F_EXCL)
		r->work.rc = -EEXIST;
	if (msg->nlh->nlmsg_flags & NLM_F_CREATE)
		r->missing = -EOPNOTSUPP;
	return 0;
}

static int
conntrack_message(struct ctnl_request *r, const struct ctnl_message *msg)
{
	uint8_t type = msg->nlh->nlmsg_type & 0xff;
	bool dumped = msg->nlh->nlmsg_flags & NLM_F_DUMP;

	switch (type) {
	case IPCTNL_MSG_CT_NEW: return change(r, msg);
	case IPCTNL_MSG_CT_GET:
	case IPCTNL_MSG_CT_GET_CTRZERO: return get(r, msg, type);
	case IPCTNL_MSG_CT_DELETE: return destroy(r, msg);
	case IPCTNL_MSG_CT_GET_STATS_CPU:
		if (!dumped)
			break;
		/* fallthrough */
	case IPCTNL_MSG_CT_GET_STATS:
		begin_all(r, STATS);
		r->total = type == IPCTNL_MSG_CT_GET_STATS;
		r->connections = 0;
		return 0;
	case IPCTNL_MSG_CT_GET_DYING:
	case IPCTNL_MSG_CT_GET_UNCONFIRMED:
		/* What is dying is told by its event; the other list is Linux's no more, either. */
		if (!dumped)
			return -EOPNOTSUPP;
		dump_done(r);
		return 0;
	default: return -EINVAL;
	}
	message_done(r, 0);
	return 0;
}

/* Expectations: there are none, and none can be made. */
static int
expect_message(struct ctnl_request *r, const struct nlmsghdr *nlh)
{
	bool named = nlh->nlmsg_len > MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct nfgenmsg));
	struct ctnl_header h = header(r, nlh->nlmsg_type, true);
	uint8_t buf[CTNL_MESSAGE];

	switch (nlh->nlmsg_type & 0xff) {
	case IPCTNL_MSG_EXP_NEW: return -EOPNOTSUPP;
	case IPCTNL_MSG_EXP_GET:
		if (!(nlh->nlmsg_flags & NLM_F_DUMP))
			return named ? -ENOENT : -EINVAL;
		break;
	case IPCTNL_MSG_EXP_DELETE:
		if (named)
			return -ENOENT;
		message_done(r, 0);
		return 0;
	case IPCTNL_MSG_EXP_GET_STATS_CPU:
		for (unsigned int i = 0; i < r->ctnl->backend.workers; i++) {
			ctnl_fill_expect_stats(buf, &h, i);
			dump(r, buf);
		}
		break;
	default: return -EINVAL;
	}
	dump_done(r);
	return 0;
}

/* Begin with the message at hand (netlink_rcv_skb, nfnetlink_rcv_msg). */
static void
begin_message(struct ctnl_request *r)
{
	const struct nlmsghdr *nlh = r->nlh;
	struct ctnl_message msg;
	int rc;

	if (!(nlh->nlmsg_flags & NLM_F_REQUEST) || nlh->nlmsg_type < NLMSG_MIN_TYPE ||
		mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg)) {
		message_done(r, 0);
		return;
	}
	switch (nlh->nlmsg_type >> 8) {
	case NFNL_SUBSYS_CTNETLINK:
		rc = ctnl_parse(nlh, &msg);
		if (rc == 0)
			rc = conntrack_message(r, &msg);
		break;
	case NFNL_SUBSYS_CTNETLINK_EXP: rc = expect_message(r, nlh); break;
	default: rc = -EINVAL; break;
	}
	if (rc != 0)
		message_done(r, rc);
}

/* --- phases: the worker at hand has answered, or none is asked yet */

static void
next_worker(struct ctnl_request *r)
{
	r->worker++;
	r->work.position = 0;
}

static void
list_step(struct ctnl_request *r)
{
	struct ctnl_header h = header(r, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, true);
	uint8_t buf[CTNL_MESSAGE];

	if (r->work.filtered)
		h.flags |= NLM_F_DUMP_FILTERED;
	for (unsigned int i = 0; i < r->work.count; i++) {
		ctnl_fill(buf, &h, &r->work.views[i], 1);
		dump(r, buf);
	}
	r->work.count = 0;
	if (r->work.position == CONNTRACK_VIEWS_END)
		next_worker(r);
	if (r->worker == r->workers || r->client == NULL)
		dump_done(r);
	else if (r->client->peer.backlog(r->client->peer.ctx) > BACKLOG_MAX)
		later(r);
	else
		ask(r, ctnl_run_list);
}

/* What was done is done; now wait until the NICs of these workers have let go. */
static void
begin_wait(struct ctnl_request *r, unsigned int from, unsigned int end)
{
	r->phase = LET_GO;
	r->asked = false;
	r->worker = from;
	r->workers = end;
}

static void
wait_step(struct ctnl_request *r)
{
	if (r->asked) {
		r->asked = false;
		if (r->work.awaited != 0) {
			later(r);
			return;
		}
		r->worker++;
	}
	if (r->worker == r->workers) {
		message_done(r, 0);
		return;
	}
	r->asked = true;
	ask(r, ctnl_run_wait);
}

static void
flush_step(struct ctnl_request *r)
{
	if (r->work.position == CONNTRACK_VIEWS_END)
		next_worker(r);
	if (r->worker < r->workers)
		ask(r, ctnl_run_flush);
	else
		begin_wait(r, 0, r->workers);
}

/* The worker at hand has the connection. */
static void
found(struct ctnl_request *r)
{
	struct ctnl_header h = header(r, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, true);
	uint8_t buf[CTNL_MESSAGE];

	if (r->get) {
		/* The question holds it, too. */
		ctnl_fill(buf, &h, &r->work.views[0], 2);
		dump(r, buf);
	}
	if (r->work.rc != 0 || r->work.awaited == 0)
		message_done(r, r->work.rc);
	else
		begin_wait(r, r->worker, r->worker + 1);
}

static void
find_step(struct ctnl_request *r)
{
	if (r->asked) {
		r->asked = false;
		if (r->work.conn != CONN_NONE) {
			found(r);
			return;
		}
		r->worker++;
	}
	if (r->worker == r->workers) {
		message_done(r, r->missing);
		return;
	}
	r->asked = true;
	ask(r, r->run);
}

static void
stats_step(struct ctnl_request *r)
{
	struct ctnl_header h = header(r, r->nlh->nlmsg_type, true);
	uint8_t buf[CTNL_MESSAGE];

	if (r->asked) {
		r->asked = false;
		r->connections += r->work.stats.connections;
		if (!r->total) {
			ctnl_fill_stats(buf, &h, r->worker, &r->work.stats);
			dump(r, buf);
		}
		r->worker++;
	}
	if (r->worker < r->workers) {
		r->asked = true;
		ask(r, ctnl_run_stats);
	} else if (r->total) {
		ctnl_fill_totals(buf, &h, r->connections, r->ctnl->backend.max);
		send_message(r, buf);
		message_done(r, 0);
	} else {
		dump_done(r);
	}
}

/* As mnl_nlmsg_ok(), which takes a length of 2 GiB and more for a negative one. */
static bool
message_ok(const struct nlmsghdr *nlh, int left)
{
	return left >= (int)sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) &&
	       nlh->nlmsg_len <= (uint32_t)left;
}

static void
request_done(struct ctnl_request *r)
{
	struct ctnl_client *client = r->client;

	LIST_REMOVE(r, link);
	free(r);
	if (client == NULL)
		return;
	client->request = NULL;
	client->peer.done(client->peer.ctx);
}

/* Go on by one. False: the request is done, and gone. */
static bool
step_once(struct ctnl_request *r)
{
	switch (r->phase) {
	case MESSAGE:
		if (r->client == NULL || !message_ok(r->nlh, r->left)) {
			request_done(r);
			return false;
		}
		begin_message(r);
		break;
	case LIST: list_step(r); break;
	case FLUSH: flush_step(r); break;
	case FIND: find_step(r); break;
	case LET_GO: wait_step(r); break;
	case STATS: stats_step(r); break;
	}
	return true;
}

/* Go on until a worker is asked; its answer comes here again, from within or later. */
static void
step(struct ctnl_request *r)
{
	r->waiting = false;
	if (r->stepping)
		return;
	r->stepping = true;
	do {
		if (!step_once(r))
			return;
	} while (!r->waiting);
	r->stepping = false;
}

void
ctnl_client_request(struct ctnl_client *client, const void *req, size_t len)
{
	struct ctnl_request *r = len <= INT32_MAX / 2 ? calloc(1, sizeof(*r) + len) : NULL;

	if (r == NULL) {
		client->peer.done(client->peer.ctx);
		return;
	}
	memcpy(r->data, req, len);
	LIST_INSERT_HEAD(&client->ctnl->requests, r, link);
	r->ctnl = client->ctnl;
	r->client = client;
	client->request = r;
	r->call.run = run_question;
	r->call.done = answered;
	r->call.arg = r;
	r->nlh = (const struct nlmsghdr *)(const void *)r->data;
	r->left = (int)len;
	step(r);
}

void
ctnl_request_forget(struct ctnl_request *r)
{
	r->client = NULL;
}

void
ctnl_requests_free(struct ctnl *ctnl)
{
	struct ctnl_request *r;

	while ((r = LIST_FIRST(&ctnl->requests)) != NULL) {
		LIST_REMOVE(r, link);
		free(r);
	}
}
