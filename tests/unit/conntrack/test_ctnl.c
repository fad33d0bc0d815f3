/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctnetlink's server over a worker's connections that stand still: what is asked
 * of it is done at once. Which errors Linux gives is compared with Linux
 * (tests/kernel/test_conntrack.py); here: that mutated messages hurt nobody, that
 * a dump goes on only as it is read, that answers wait for NICs, and what
 * listeners are told.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "conntrack_socket.h"
#include "ctnl_priv.h"
#include "frame.h"
#include "unit.h"

static const uint64_t secret[4] = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 77};

#define CONNS 300

static struct conntrack ct;
static struct conntrack_config config;
static struct conntrack_shared shared;
static struct conntrack_ring *ring;
static struct ctnl *ctnl;
static struct ctnl_client *client;
static struct frame frame;
static uint64_t now_ns;

/* What the client has got. */
static unsigned int datagrams, messages, events, losses, answered, errors;
static int error;
static size_t backlog;
static uint32_t groups;
static struct ctnl_call *put_off;
static uint8_t last[CTNL_DATAGRAM];

static void
ask(void *ctx, unsigned int worker, struct ctnl_call *call)
{
	(void)ctx;
	CU_ASSERT_EQUAL(worker, 0);
	call->run(&ct, call->arg);
	call->done(call->arg);
}

static void
later(void *ctx, struct ctnl_call *call)
{
	(void)ctx;
	CU_ASSERT_PTR_NULL(put_off);
	put_off = call;
}

static void
go_on(void)
{
	struct ctnl_call *call = put_off;

	CU_ASSERT_PTR_NOT_NULL_FATAL(call);
	put_off = NULL;
	call->done(call->arg);
}

static void
listen_to(void *ctx, uint32_t to)
{
	(void)ctx;
	groups = to;
	atomic_store(&ring->groups, to);
	ct.events = to != 0 ? ring : NULL;
}

static void
got(void *ctx, const void *datagram, size_t len, bool event)
{
	const struct nlmsghdr *nlh = datagram;
	int left = (int)len;

	CU_ASSERT_PTR_EQUAL(ctx, &ct);
	if (datagram == NULL) {
		losses++;
		return;
	}
	CU_ASSERT_FATAL(len <= CTNL_DATAGRAM);
	memcpy(last, datagram, len);
	events += event;
	datagrams += !event;
	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		messages += nlh->nlmsg_type >> 8 == NFNL_SUBSYS_CTNETLINK;
		if (nlh->nlmsg_type != NLMSG_ERROR)
			continue;
		error = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(nlh))->error;
		errors++;
	}
	/* Whole messages, and nothing behind them. */
	CU_ASSERT_EQUAL(left, 0);
}

static size_t
unread(void *ctx)
{
	(void)ctx;
	return backlog;
}

static void
all_answered(void *ctx)
{
	(void)ctx;
	answered++;
}

static void
forget(void)
{
	datagrams = messages = events = losses = answered = errors = 0;
	error = 1;
}

static void
pass_ms(uint64_t ms)
{
	now_ns += ms * NS_PER_MS;
	clock_inject(now_ns);
	conntrack_set_clock(&ct, now_ns);
}

static void
walk(const struct tuple *t, uint8_t flags)
{
	frame_make(&frame, t, flags, 0, 0);
	if (conntrack_in(&ct, &frame.pkt) == VERDICT_ACCEPT)
		(void)conntrack_confirm(&ct, &frame.pkt);
	conntrack_packet_done(&ct);
}

static struct tuple
tuple_n(unsigned int n)
{
	uint8_t proto = n % 3 == 0 ? IPPROTO_TCP : IPPROTO_UDP;

	if (n % 5 == 0)
		return tuple6(proto, 1, (uint16_t)(1000 + n), 2, 53);
	return tuple4(proto, IP(10, 0, 0, 1), (uint16_t)(1000 + n), IP(192, 0, 2, 1), 53);
}

static void
fill(void)
{
	for (unsigned int n = 0; n < CONNS; n++) {
		struct tuple t = tuple_n(n);

		walk(&t, RTE_TCP_SYN_FLAG);
	}
	CU_ASSERT_EQUAL(ct.live, CONNS);
}

static void
begin(void)
{
	const struct ctnl_backend backend = {
		.workers = 1, .max = 1000, .ask = ask, .later = later, .listen = listen_to};
	const struct ctnl_peer peer = {&ct, 5, got, unread, all_answered};

	now_ns = 1000 * NS_PER_SEC;
	clock_inject(now_ns);
	tracker_defaults(&config.tracker);
	config.max = 1000;
	atomic_store(&shared.left, config.max);
	CU_ASSERT_EQUAL_FATAL(conntrack_init(&ct, 0, 400, secret, &config, &shared), 0);
	ct.settled = FLOW_SETTLED;
	ring = conntrack_ring_new();
	ctnl = ctnl_new(&backend);
	client = ctnl_client_new(ctnl, &peer);
	CU_ASSERT_PTR_NOT_NULL_FATAL(client);
	backlog = 0;
	put_off = NULL;
	forget();
}

static void
finish(void)
{
	if (client != NULL)
		ctnl_client_free(client);
	ctnl_free(ctnl);
	CU_ASSERT_EQUAL(groups, 0);
	ct.events = NULL;
	conntrack_flush(&ct, 0);
	CU_ASSERT_EQUAL(ct.live, 0);
	CU_ASSERT_EQUAL(ct.awaited, 0);
	CU_ASSERT_EQUAL(ct.created, ct.destroyed);
	conntrack_fini(&ct);
	free(ring);
	clock_restore();
}

/* --- messages */

static uint8_t request[2048];

static struct nlmsghdr *
message(uint8_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nfg->nfgen_family = family;
	return nlh;
}

static void
put_tuple(struct nlmsghdr *nlh, uint16_t type, const struct tuple *t)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);
	struct nlattr *inner = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	bool v6 = t->family == FAMILY_IPV6;

	mnl_attr_put(nlh, v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, v6 ? 16 : 4, &t->src);
	mnl_attr_put(nlh, v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, v6 ? 16 : 4, &t->dst);
	mnl_attr_nest_end(nlh, inner);
	inner = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, t->proto);
	mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, t->sport);
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, t->dport);
	mnl_attr_nest_end(nlh, inner);
	mnl_attr_nest_end(nlh, nest);
}

static void
say(const struct nlmsghdr *nlh)
{
	/* In memory of its own, so that a look behind its end is found. */
	void *copy = malloc(nlh->nlmsg_len);

	memcpy(copy, nlh, nlh->nlmsg_len);
	ctnl_client_request(client, copy, nlh->nlmsg_len);
	free(copy);
}

static struct nlmsghdr *
about(uint8_t type, uint16_t flags, unsigned int n)
{
	struct tuple t = tuple_n(n);
	struct nlmsghdr *nlh = message(type, flags, t.family);

	put_tuple(nlh, CTA_TUPLE_ORIG, &t);
	return nlh;
}

/* --- tests */

/* A dump in pieces, whoever reads it slowly gets no more for now, and nothing twice. */
static void
test_dump(void)
{
	begin();
	fill();
	say(message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, 0));
	CU_ASSERT_EQUAL(messages, CONNS);
	CU_ASSERT_EQUAL(answered, 1);
	/* 200 bytes and more each. */
	CU_ASSERT(datagrams > CONNS / 20 && datagrams < CONNS / 4);
	forget();
	backlog = 10000000;
	say(message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, 0));
	CU_ASSERT(messages == 0 && answered == 0);
	go_on();
	CU_ASSERT(messages == 0 && answered == 0);
	backlog = 0;
	go_on();
	CU_ASSERT_EQUAL(messages, CONNS);
	CU_ASSERT_EQUAL(answered, 1);
	forget();
	say(message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, FAMILY_IPV6));
	CU_ASSERT_EQUAL(messages, CONNS / 5);
	finish();
}

/* A client that goes in the middle leaves nothing behind, and is not called any more. */
static void
test_gone(void)
{
	begin();
	fill();
	backlog = 10000000;
	say(message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, 0));
	ctnl_client_free(client);
	client = NULL;
	forget();
	go_on();
	CU_ASSERT(messages == 0 && answered == 0 && put_off == NULL);
	finish();
	/* Nor does a server that goes. */
	begin();
	fill();
	backlog = 10000000;
	say(message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, 0));
	CU_ASSERT_PTR_NOT_NULL(put_off);
	finish();
}

/* Linux 6.18 lists those whose IPv6 address is another one; here it is the one that is asked for.
 */
static void
test_filter_ipv6(void)
{
	struct tuple t = tuple6(IPPROTO_UDP, 1, 1005, 2, 53);
	struct nlmsghdr *nlh;
	struct nlattr *nest;

	begin();
	fill();
	for (unsigned int round = 0; round < 2; round++) {
		forget();
		nlh = message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, FAMILY_IPV6);
		put_tuple(nlh, CTA_TUPLE_ORIG, &t);
		nest = mnl_attr_nest_start(nlh, CTA_FILTER);
		mnl_attr_put_u32(nlh, CTA_FILTER_ORIG_FLAGS, CTNL_IP_SRC);
		mnl_attr_nest_end(nlh, nest);
		say(nlh);
		CU_ASSERT_EQUAL(messages, round == 0 ? CONNS / 5 : 0);
		t = tuple6(IPPROTO_UDP, 3, 1005, 2, 53);
	}
	finish();
}

static uint32_t
conn_n(unsigned int n)
{
	struct tuple t = tuple_n(n);

	return conntrack_find(&ct, &t);
}

/* What a NIC still carries by the old state is waited for, and asked for again. */
static void
withdraw(void *ctx, struct conntrack *of, uint32_t conn)
{
	unsigned int *withdrawn = ctx;

	CU_ASSERT_PTR_EQUAL(of, &ct);
	(void)conn;
	++*withdrawn;
}

static void
rule_gone(uint32_t conn)
{
	struct conn *c = conn_at(&ct, conn);

	if (c->rule[0] & CONN_RULE_AWAITED)
		ct.awaited--;
	c->rule[0] = CONN_RULE_NONE;
	c->rules_out = 0;
	conntrack_rule_gone(&ct, conn);
}

static void
test_wait(void)
{
	unsigned int withdrawn = 0;
	struct nlmsghdr *nlh;
	uint32_t conn;

	begin();
	fill();
	ct.withdraw = withdraw;
	ct.withdraw_ctx = &withdrawn;
	conn = conn_n(1);
	conn_at(&ct, conn)->rule[0] = CONN_RULE_OUT | CONN_RULE_WANTED | CONN_RULE_LIVE;
	conn_at(&ct, conn)->rules_out = 1;
	nlh = about(IPCTNL_MSG_CT_NEW, NLM_F_ACK, 1);
	mnl_attr_put_u32(nlh, CTA_MARK, htonl(7));
	say(nlh);
	CU_ASSERT(withdrawn >= 1 && errors == 0 && answered == 0);
	CU_ASSERT_EQUAL(conn_at(&ct, conn)->mark, 7);
	withdrawn = 0;
	go_on();
	CU_ASSERT(withdrawn == 1 && answered == 0);
	rule_gone(conn);
	go_on();
	CU_ASSERT(errors == 1 && error == 0 && answered == 1);
	/* The end of one: nobody sees it any more, and the answer comes when its rule is gone. */
	forget();
	conn_at(&ct, conn)->rule[0] = CONN_RULE_OUT | CONN_RULE_WANTED | CONN_RULE_LIVE;
	conn_at(&ct, conn)->rules_out = 1;
	say(about(IPCTNL_MSG_CT_DELETE, NLM_F_ACK, 1));
	CU_ASSERT_EQUAL(conn_n(1), CONN_NONE);
	CU_ASSERT_EQUAL(answered, 0);
	go_on();
	CU_ASSERT_EQUAL(answered, 0);
	rule_gone(conn);
	go_on();
	CU_ASSERT(errors == 1 && error == 0 && answered == 1);
	/* All of them, two in a NIC. */
	forget();
	conn = conn_n(2);
	conn_at(&ct, conn)->rule[0] = CONN_RULE_OUT | CONN_RULE_WANTED;
	conn_at(&ct, conn)->rules_out = 1;
	say(message(IPCTNL_MSG_CT_DELETE, NLM_F_ACK, 0));
	CU_ASSERT_EQUAL(ct.live, 1);
	CU_ASSERT_EQUAL(answered, 0);
	rule_gone(conn);
	go_on();
	CU_ASSERT(ct.live == 0 && errors == 1 && error == 0 && answered == 1);
	finish();
}

/* UDP's life is computed: until its next packet it is what was said. */
static void
test_udp_life(void)
{
	struct conntrack_change change = {.flags = CHANGE_TIMEOUT, .timeout_s = 500};
	struct tuple t = tuple_n(1), back;
	uint32_t conn;

	begin();
	(void)tuple_invert(&t, &back);
	walk(&t, 0);
	walk(&back, 0);
	pass_ms(3000);
	walk(&t, 0);
	conn = conn_n(1);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 120000);
	CU_ASSERT_EQUAL(conntrack_change(&ct, conn, &change), 0);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 500000);
	pass_ms(400000);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 100000);
	CU_ASSERT(conn_status(&ct, conn) & CT_ASSURED);
	walk(&t, 0);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 120000);
	/* Fixed: packets renew it no more, and nobody changes it. */
	change = (struct conntrack_change){
		.flags = CHANGE_STATUS, .status = conn_status(&ct, conn) | CT_FIXED_TIMEOUT};
	CU_ASSERT_EQUAL(conntrack_change(&ct, conn, &change), 0);
	pass_ms(50000);
	walk(&t, 0);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 70000);
	change = (struct conntrack_change){.flags = CHANGE_TIMEOUT, .timeout_s = 1};
	CU_ASSERT_EQUAL(conntrack_change(&ct, conn, &change), -EPERM);
	pass_ms(60000);
	walk(&back, 0);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 10000);
	pass_ms(10000);
	CU_ASSERT(conn_expired(&ct, conn));
	/* The longest that can be said is kept within what the clock can tell. */
	walk(&t, 0);
	conn = conn_n(1);
	change.timeout_s = UINT32_MAX;
	CU_ASSERT_EQUAL(conntrack_change(&ct, conn, &change), 0);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), UINT32_MAX / 2);
	/* Counters that begin anew do not make a stream less of one. */
	walk(&back, 0);
	pass_ms(2500);
	walk(&back, 0);
	CU_ASSERT(conn_status(&ct, conn) & CT_ASSURED);
	conntrack_zero(&ct, conn);
	pass_ms(10);
	walk(&back, 0);
	CU_ASSERT_EQUAL(conn_tail(&ct, conn, 1)->packets, 1);
	CU_ASSERT_EQUAL(conn_expires_ms(&ct, conn), 120000);
	CU_ASSERT(conn_status(&ct, conn) & CT_ASSURED);
	finish();
}

/* Who listens is told once of each thing; who does not, nothing; what finds no room is counted. */
static void
test_events(void)
{
	struct conntrack_event event;
	struct tuple t = tuple_n(1), back;

	begin();
	(void)tuple_invert(&t, &back);
	walk(&t, 0);
	ctnl_client_listen(client, CONNTRACK_GROUP_UPDATE | CONNTRACK_GROUP_DESTROY);
	CU_ASSERT(!conntrack_ring_take(ring, &event));
	walk(&back, 0);
	CU_ASSERT_FATAL(conntrack_ring_take(ring, &event));
	CU_ASSERT_EQUAL(event.bits, CONN_EVENT_REPLY);
	ctnl_tell(ctnl, &event);
	CU_ASSERT_EQUAL(events, 1);
	walk(&back, 0);
	CU_ASSERT(!conntrack_ring_take(ring, &event));
	pass_ms(3000);
	walk(&t, 0);
	CU_ASSERT_FATAL(conntrack_ring_take(ring, &event));
	CU_ASSERT_EQUAL(event.bits, CONN_EVENT_ASSURED);
	/* What a packet that is dropped has changed is told with the next one. */
	CU_ASSERT_EQUAL(conntrack_in(&ct, &frame_make(&frame, &t, 0, 0, 0)->pkt), VERDICT_ACCEPT);
	conntrack_ops.set_mark(&frame.pkt, 9);
	conntrack_forget(&ct, &frame.pkt);
	CU_ASSERT(!conntrack_ring_take(ring, &event));
	walk(&t, 0);
	CU_ASSERT_FATAL(conntrack_ring_take(ring, &event));
	CU_ASSERT(event.bits == CONN_EVENT_MARK && event.view.mark == 9);
	/* Nobody asked for new ones. */
	t = tuple_n(2);
	walk(&t, 0);
	CU_ASSERT(!conntrack_ring_take(ring, &event));
	ctnl_client_listen(client, CONNTRACK_GROUP_NEW);
	fill();
	while (conntrack_ring_take(ring, &event))
		CU_ASSERT_EQUAL(event.bits & CONN_EVENT_NEW, CONN_EVENT_NEW);
	ctnl_client_listen(client, CONNTRACK_GROUP_DESTROY);
	for (unsigned int round = 0; round * CONNS < CONNTRACK_EVENTS + CONNS; round++) {
		conntrack_flush(&ct, 0);
		fill();
	}
	CU_ASSERT(atomic_load(&ring->lost) > 0);
	for (unsigned int i = 0; i < CONNTRACK_EVENTS; i++) {
		CU_ASSERT_FATAL(conntrack_ring_take(ring, &event));
		CU_ASSERT_EQUAL(event.bits, CONN_EVENT_DESTROY);
		CU_ASSERT(event.view.status & CT_DYING);
	}
	CU_ASSERT(!conntrack_ring_take(ring, &event));
	ctnl_lost(ctnl);
	CU_ASSERT_EQUAL(losses, 1);
	/* The last listener leaves: the worker looks at nothing any more. */
	ctnl_client_listen(client, 0);
	CU_ASSERT_PTR_NULL(ct.events);
	ctnl_lost(ctnl);
	CU_ASSERT_EQUAL(losses, 1);
	finish();
}

/* A connection whose place is taken while a NIC has its rule ends once, and begins once. */
static void
test_events_of_the_lingering(void)
{
	struct conntrack_event event;
	struct tuple t = tuple_n(1);
	uint32_t conn;

	begin();
	ctnl_client_listen(client, CONNTRACK_GROUP_NEW | CONNTRACK_GROUP_DESTROY);
	walk(&t, 0);
	CU_ASSERT_FATAL(conntrack_ring_take(ring, &event));
	CU_ASSERT_EQUAL(event.bits, CONN_EVENT_NEW);
	conn = conn_n(1);
	conn_at(&ct, conn)->rule[0] = CONN_RULE_OUT;
	conn_at(&ct, conn)->rules_out = 1;
	conntrack_destroy(&ct, conn);
	CU_ASSERT(!conntrack_ring_take(ring, &event));
	walk(&t, 0);
	CU_ASSERT_FATAL(conntrack_ring_take(ring, &event));
	CU_ASSERT_EQUAL(event.bits, CONN_EVENT_DESTROY);
	CU_ASSERT_FATAL(conntrack_ring_take(ring, &event));
	CU_ASSERT_EQUAL(event.bits, CONN_EVENT_NEW);
	/* One that was begun anew, but dropped, never was. */
	conntrack_destroy(&ct, conn);
	CU_ASSERT_EQUAL(conntrack_in(&ct, &frame_make(&frame, &t, 0, 0, 0)->pkt), VERDICT_ACCEPT);
	CU_ASSERT_FATAL(conntrack_ring_take(ring, &event));
	CU_ASSERT_EQUAL(event.bits, CONN_EVENT_DESTROY);
	conntrack_forget(&ct, &frame.pkt);
	rule_gone(conn);
	CU_ASSERT_EQUAL(ct.live, 0);
	CU_ASSERT(!conntrack_ring_take(ring, &event));
	finish();
}

/* --- mutated messages */

static uint64_t seed = 88172645463325252ULL;

static uint32_t
random_below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % n;
}

static size_t
random_message(void)
{
	static const uint8_t types[] = {IPCTNL_MSG_CT_NEW, IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE,
		IPCTNL_MSG_CT_GET_CTRZERO, IPCTNL_MSG_CT_GET_STATS_CPU, IPCTNL_MSG_CT_GET_STATS};
	struct nlmsghdr *nlh = about(types[random_below(sizeof(types))],
		random_below(2) ? NLM_F_ACK : NLM_F_DUMP, random_below(CONNS + 5));
	struct nlattr *nest, *inner;

	mnl_attr_put_u32(nlh, CTA_MARK, random_below(4));
	mnl_attr_put_u32(nlh, CTA_STATUS, htonl(8U | 1U << random_below(16)));
	mnl_attr_put_u32(nlh, CTA_TIMEOUT, htonl(random_below(3) ? 100 : UINT32_MAX));
	mnl_attr_put_u16(nlh, CTA_ZONE, 0);
	nest = mnl_attr_nest_start(nlh, CTA_PROTOINFO);
	inner = mnl_attr_nest_start(nlh, CTA_PROTOINFO_TCP);
	mnl_attr_put_u8(nlh, CTA_PROTOINFO_TCP_STATE, (uint8_t)random_below(12));
	mnl_attr_put_u8(nlh, CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, (uint8_t)random_below(256));
	mnl_attr_put_u8(nlh, CTA_PROTOINFO_TCP_WSCALE_REPLY, (uint8_t)random_below(256));
	mnl_attr_put_u16(nlh, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, (uint16_t)random_below(65536));
	mnl_attr_put_u16(nlh, CTA_PROTOINFO_TCP_FLAGS_REPLY, (uint16_t)random_below(65536));
	mnl_attr_nest_end(nlh, inner);
	mnl_attr_nest_end(nlh, nest);
	nest = mnl_attr_nest_start(nlh, CTA_FILTER);
	mnl_attr_put_u32(nlh, CTA_FILTER_ORIG_FLAGS, random_below(8192));
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_put_strz(nlh, CTA_LABELS, "label");
	return nlh->nlmsg_len;
}

static void
test_mutations(void)
{
	const char *more = getenv("SHUNT_FUZZ_REQUESTS");
	unsigned int rounds = more != NULL ? (unsigned int)strtoul(more, NULL, 10) : 100000;
	struct conntrack_event event;
	unsigned int fine = 0;

	begin();
	ctnl_client_listen(client, 7);
	fill();
	for (unsigned int i = 0; i < rounds; i++) {
		size_t len = random_message();
		uint8_t *copy;

		for (uint32_t n = random_below(5); n > 0; n--)
			request[random_below((uint32_t)len)] = (uint8_t)random_below(256);
		if (random_below(8) == 0)
			len = random_below((uint32_t)len) + 1;
		copy = malloc(len);
		memcpy(copy, request, len);
		forget();
		ctnl_client_request(client, copy, len);
		free(copy);
		CU_ASSERT_EQUAL_FATAL(answered, 1);
		CU_ASSERT_PTR_NULL_FATAL(put_off);
		fine += error == 0 || messages > 0;
		while (conntrack_ring_take(ring, &event))
			ctnl_tell(ctnl, &event);
		if (i % 64 == 0) {
			/* What was changed goes on in traffic. */
			for (unsigned int n = 0; n < CONNS; n += 7) {
				struct tuple t = tuple_n(n), back;

				(void)tuple_invert(&t, &back);
				walk(&t, n % 2 ? RTE_TCP_SYN_FLAG : RTE_TCP_ACK_FLAG);
				walk(&back, RTE_TCP_ACK_FLAG);
			}
			pass_ms(500);
			conntrack_expire(&ct, 1000);
		}
		CU_ASSERT_EQUAL_FATAL(ct.awaited, 0);
		CU_ASSERT_EQUAL_FATAL(ct.live, ct.created - ct.destroyed);
	}
	/* Not all of it is nonsense. */
	CU_ASSERT(fine > rounds / 20);
	finish();
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"a dump, as it is read", test_dump},
		{"clients that go", test_gone},
		{"a filter of IPv6 addresses", test_filter_ipv6},
		{"NICs are waited for", test_wait},
		{"a life that is said", test_udp_life},
		{"events", test_events},
		{"events of those that linger", test_events_of_the_lingering},
		{"mutated messages", test_mutations},
		CU_TEST_INFO_NULL,
	};

	return unit_run("ctnetlink", tests);
}
