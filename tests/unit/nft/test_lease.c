/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Listings beside writers: who was outrun reads on, and batches of others wait for
 * it, but not for long.
 */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "nft_wire.h"
#include "store.h"
#include "unit.h"

#define CLIENTS 4
#define NFT(m)	((uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_##m))

struct peer {
	struct nft_client *client;
	uint32_t generation; /* it was told */
	unsigned int asked, answered;
	unsigned int order; /* of its last answer */
	int error;
	size_t backlog;
};

static struct {
	struct nft_states *states;
	struct store *store;
	struct nft_wire *wire;
	struct peer peers[CLIENTS];
	unsigned int answers, tables;
	void (*done)(void *arg); /* of a commit that is held */
	void *done_arg;
	bool hold;
} t;

static int
prepare(void *ctx, struct store *store, struct nft_blame *blame)
{
	(void)ctx;
	(void)store;
	(void)blame;
	return 0;
}

static void
commit(void *ctx, void (*done)(void *arg), void *arg)
{
	(void)ctx;
	t.done = done;
	t.done_arg = arg;
	if (!t.hold)
		done(arg);
}

static const struct nft_backend backend = {.prepare = prepare, .commit = commit};

static void
on_answer(void *ctx, const void *datagram, size_t len, bool event)
{
	const struct nlmsghdr *nlh = datagram;
	const struct nlattr *attr;
	struct peer *peer = ctx;

	CU_ASSERT_FATAL(!event && len >= sizeof(*nlh));
	if (nlh->nlmsg_type == NLMSG_ERROR)
		peer->error = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(nlh))->error;
	if (nlh->nlmsg_type != NFT(NEWGEN))
		return;
	mnl_attr_for_each (attr, nlh, sizeof(struct nfgenmsg))
		if (mnl_attr_get_type(attr) == NFTA_GEN_ID)
			peer->generation = ntohl(mnl_attr_get_u32(attr));
}

static size_t
on_backlog(void *ctx)
{
	return ((const struct peer *)ctx)->backlog;
}

static void
on_done(void *ctx)
{
	struct peer *peer = ctx;

	peer->answered++;
	peer->order = ++t.answers;
}

static size_t
message(uint8_t *to, uint16_t type, const char *table)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(to);
	struct nfgenmsg *nfg;
	bool frame = type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | (table != NULL ? NLM_F_CREATE : 0);
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = table != NULL ? NFPROTO_IPV4 : AF_UNSPEC;
	nfg->res_id = frame ? htons(NFNL_SUBSYS_NFTABLES) : 0;
	if (table != NULL)
		mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
	return MNL_ALIGN(nlh->nlmsg_len);
}

/* Whether a client has all its answers. */
static bool
served(unsigned int n)
{
	return t.peers[n].answered == t.peers[n].asked;
}

static void
ask(unsigned int n)
{
	uint8_t buf[256];

	t.peers[n].asked++;
	nft_client_request(
		t.peers[n].client, 12, buf, message(buf, NFT(GETGEN), NULL), on_done, &t.peers[n]);
	CU_ASSERT(served(n));
}

/* A batch that adds a table. */
static void
write_table(unsigned int n)
{
	uint8_t buf[512];
	char name[16];
	size_t len;

	snprintf(name, sizeof(name), "t%u", t.tables++);
	len = message(buf, NFNL_MSG_BATCH_BEGIN, NULL);
	len += message(buf + len, NFT(NEWTABLE), name);
	len += message(buf + len, NFNL_MSG_BATCH_END, NULL);
	t.peers[n].asked++;
	nft_client_request(t.peers[n].client, 12, buf, len, on_done, &t.peers[n]);
}

/* Client n begins a listing, and client by writes meanwhile: n is outrun, and begins again. */
static void
outrun(unsigned int n, unsigned int by)
{
	/* What it was told for a listing before is long ago. */
	clock_advance(10 * NS_PER_SEC);
	ask(n);
	write_table(by);
	CU_ASSERT(served(by));
	ask(n);
	ask(n);
}

static void
set_up(void)
{
	memset(&t, 0, sizeof(t));
	clock_inject(NS_PER_SEC);
	t.states = nft_states_new(1);
	t.store = store_new(t.states);
	t.wire = nft_wire_new(t.store, &backend);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t.wire);
	for (unsigned int n = 0; n < CLIENTS; n++) {
		t.peers[n].client = nft_client_new(t.wire, on_answer, &t.peers[n]);
		CU_ASSERT_PTR_NOT_NULL_FATAL(t.peers[n].client);
		nft_client_on_backlog(t.peers[n].client, on_backlog);
	}
}

/* Everybody is served, every table was made, nobody was refused. */
static void
tear_down(void)
{
	unsigned int tables = 0;

	store_for_each(item, &t.store->tables) tables++;
	CU_ASSERT_EQUAL(tables, t.tables);
	for (unsigned int n = 0; n < CLIENTS; n++) {
		if (t.peers[n].client == NULL)
			continue;
		CU_ASSERT(served(n));
		CU_ASSERT_EQUAL(t.peers[n].error, 0);
		nft_client_free(t.peers[n].client);
	}
	nft_wire_free(t.wire);
	store_free(t.store);
	nft_states_free(t.states);
	clock_restore();
}

static void
test_whole(void)
{
	uint32_t generation;

	set_up();
	/* A listing that nobody outruns holds nobody up. */
	ask(0);
	write_table(1);
	CU_ASSERT(served(1));
	generation = t.peers[0].generation;
	ask(0);
	CU_ASSERT_EQUAL(t.peers[0].generation, generation + 1);
	/* It begins again, with others that wait. */
	write_table(1);
	CU_ASSERT(!served(1));
	ask(0);
	write_table(2);
	CU_ASSERT(!served(1) && !served(2));
	/* And is told that it is whole. */
	ask(0);
	CU_ASSERT_EQUAL(t.peers[0].generation, generation + 1);
	CU_ASSERT(served(1) && served(2));
	CU_ASSERT(t.peers[1].order < t.peers[2].order);
	write_table(1);
	CU_ASSERT(served(1));
	tear_down();
}

static void
test_time(void)
{
	set_up();
	/* One that asks no more. */
	outrun(0, 1);
	write_table(1);
	clock_advance(NS_PER_SEC - 1);
	nft_wire_look(t.wire);
	CU_ASSERT(!served(1));
	clock_advance(1);
	nft_wire_look(t.wire);
	CU_ASSERT(served(1));
	/* One that takes its answers slowly, and for ever. */
	outrun(0, 1);
	write_table(1);
	for (unsigned int i = 0; i < 49; i++) {
		clock_advance(NS_PER_SEC / 10);
		t.peers[0].backlog++;
		nft_wire_look(t.wire);
		CU_ASSERT(!served(1));
	}
	clock_advance(NS_PER_SEC / 10);
	nft_wire_look(t.wire);
	CU_ASSERT(served(1));
	clock_advance(10 * NS_PER_SEC);
	ask(0);
	write_table(1);
	CU_ASSERT(served(1));
	tear_down();
}

static void
test_gone(void)
{
	set_up();
	outrun(0, 1);
	write_table(1);
	write_table(2);
	CU_ASSERT(!served(1) && !served(2));
	nft_client_free(t.peers[0].client);
	t.peers[0].client = NULL;
	CU_ASSERT(served(1) && served(2));
	/* One that waits and goes takes its batch along. */
	outrun(1, 2);
	write_table(2);
	t.tables--;
	nft_client_free(t.peers[2].client);
	t.peers[2].client = NULL;
	ask(1);
	write_table(3);
	CU_ASSERT(served(3));
	tear_down();
}

/* Who writes reads no more: two that read and write do not wait for each other. */
static void
test_both(void)
{
	set_up();
	ask(0);
	ask(1);
	write_table(2);
	ask(0);
	ask(1);
	write_table(0);
	CU_ASSERT(!served(0));
	write_table(1);
	CU_ASSERT(served(0) && served(1));
	CU_ASSERT(t.peers[0].order < t.peers[1].order);
	/* Alone nobody waits for itself. */
	outrun(0, 1);
	write_table(0);
	CU_ASSERT(served(0));
	tear_down();
}

/* While a batch waits no other listing may hold it up. */
static void
test_no_more(void)
{
	set_up();
	ask(0);
	ask(1);
	write_table(2);
	ask(0);
	write_table(2);
	CU_ASSERT(!served(2));
	ask(1);
	ask(0);
	ask(0);
	CU_ASSERT(served(2));
	tear_down();
}

/* A commit that is under way, and then a listing: in the order in which they came. */
static void
test_order(void)
{
	set_up();
	t.hold = true;
	write_table(3);
	write_table(2);
	write_table(0);
	write_table(1);
	CU_ASSERT(!served(0) && !served(1) && !served(2) && !served(3));
	t.hold = false;
	t.done(t.done_arg);
	CU_ASSERT(served(0) && served(1) && served(2) && served(3));
	CU_ASSERT(t.peers[3].order < t.peers[2].order);
	CU_ASSERT(t.peers[2].order < t.peers[0].order);
	CU_ASSERT(t.peers[0].order < t.peers[1].order);
	tear_down();
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"a listing that was outrun is whole the next time", test_whole},
		{"not for longer than it may take", test_time},
		{"clients that go", test_gone},
		{"readers that write", test_both},
		{"batches that wait already", test_no_more},
		{"batches in their order", test_order},
		CU_TEST_INFO_NULL,
	};

	return unit_run("nft/lease", tests);
}
