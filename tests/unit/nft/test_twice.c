/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attributes that are there more than once, as no client sends them: the last one
 * counts, and what stands for the others takes no room. Over 256 KiB of names would
 * go into a message of 64, if each were replaced by a longer one.
 */
#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "nft_wire.h"
#include "store.h"
#include "unit.h"

#define TIMES 4000

static struct {
	uint8_t buf[256 * 1024];
	size_t len;
	struct nft_states *states;
	struct store *store;
	struct nft_wire *wire;
	struct nft_client *client;
	struct nft_ruleset *ruleset;
	int error;
	unsigned int rules;
} t;

static const struct nft_env env;

static int
prepare(void *ctx, struct store *store, struct nft_blame *blame)
{
	(void)ctx;
	nft_ruleset_free(t.ruleset);
	t.ruleset = NULL;
	return nft_load(store, &env, NULL, &t.ruleset, blame);
}

static void
commit(void *ctx, void (*done)(void *arg), void *arg)
{
	(void)ctx;
	done(arg);
}

static struct nft_count
read_counter(void *ctx, uint32_t counter)
{
	(void)ctx;
	(void)counter;
	return (struct nft_count){0};
}

static bool
link_at(void *ctx, unsigned int n, struct nft_link *link)
{
	(void)ctx;
	(void)n;
	(void)link;
	return false;
}

static const struct nft_backend backend = {
	.prepare = prepare, .commit = commit, .read = read_counter, .link = link_at};

static void
on_answer(void *ctx, const void *datagram, size_t len, bool event)
{
	const struct nlmsghdr *nlh = datagram;

	(void)ctx;
	(void)event;
	CU_ASSERT_FATAL(len >= sizeof(*nlh));
	if (nlh->nlmsg_type == NLMSG_ERROR)
		t.error = ((const struct nlmsgerr *)mnl_nlmsg_get_payload(nlh))->error;
	else if (nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
		t.rules++;
}

static void
on_done(void *ctx)
{
	(void)ctx;
}

static struct nlmsghdr *
begin(uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(t.buf + t.len);
	struct nfgenmsg *nfg;
	bool frame = type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END;

	nlh->nlmsg_type = frame ? type : (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = frame ? AF_UNSPEC : NFPROTO_IPV4;
	nfg->res_id = frame ? htons(NFNL_SUBSYS_NFTABLES) : 0;
	return nlh;
}

static void
finish(const struct nlmsghdr *nlh)
{
	t.len += MNL_ALIGN(nlh->nlmsg_len);
}

static void
open_batch(void)
{
	t.len = 0;
	finish(begin(NFNL_MSG_BATCH_BEGIN, 0));
}

static int
send_batch(void)
{
	finish(begin(NFNL_MSG_BATCH_END, 0));
	t.error = 0;
	nft_client_request(t.client, 12, t.buf, t.len, on_done, NULL);
	return t.error;
}

static void
add_chain(const char *name, uint32_t id)
{
	struct nlmsghdr *nlh = begin(NFT_MSG_NEWCHAIN, NLM_F_CREATE);

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, "t");
	if (name != NULL) {
		mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, name);
	} else {
		mnl_attr_put_u32(nlh, NFTA_CHAIN_FLAGS, htonl(NFT_CHAIN_BINDING));
		mnl_attr_put_u32(nlh, NFTA_CHAIN_ID, htonl(id));
	}
	finish(nlh);
}

/* The first attributes of a rule of one expression. */
static struct nlmsghdr *
begin_rule(const char *expr, struct nlattr *nests[3])
{
	struct nlmsghdr *nlh = begin(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, "t");
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, "c");
	nests[0] = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	nests[1] = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, expr);
	nests[2] = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	return nlh;
}

static void
end_rule(struct nlmsghdr *nlh, struct nlattr *nests[3])
{
	for (int i = 3; i-- > 0;)
		mnl_attr_nest_end(nlh, nests[i]);
	finish(nlh);
}

static void
set_up(void)
{
	struct nlmsghdr *nlh;

	memset(&t, 0, sizeof(t));
	t.states = nft_states_new(1);
	t.store = store_new(t.states);
	t.wire = nft_wire_new(t.store, &backend);
	t.client = nft_client_new(t.wire, on_answer, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t.client);
	open_batch();
	nlh = begin(NFT_MSG_NEWTABLE, NLM_F_CREATE);
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, "t");
	finish(nlh);
	add_chain("c", 0);
	add_chain("to", 0);
	CU_ASSERT_EQUAL_FATAL(send_batch(), 0);
}

/* What is kept is listed. */
static void
tear_down(unsigned int rules)
{
	t.len = 0;
	finish(begin(NFT_MSG_GETRULE, NLM_F_DUMP));
	nft_client_request(t.client, 12, t.buf, t.len, on_done, NULL);
	CU_ASSERT_EQUAL(t.rules, rules);
	nft_client_free(t.client);
	nft_wire_free(t.wire);
	store_free(t.store);
	nft_ruleset_free(t.ruleset);
	nft_states_free(t.states);
}

static void
names_of_sets(void)
{
	char name[NFT_NAME_MAXLEN];
	struct nlattr *nests[3];
	struct nlmsghdr *nlh;

	set_up();
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	open_batch();
	nlh = begin(NFT_MSG_NEWSET, NLM_F_CREATE);
	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, "t");
	mnl_attr_put_strz(nlh, NFTA_SET_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_SET_KEY_LEN, htonl(4));
	mnl_attr_put_u32(nlh, NFTA_SET_ID, htonl(7));
	finish(nlh);
	nlh = begin_rule("meta", nests);
	mnl_attr_put_u32(nlh, NFTA_META_KEY, htonl(NFT_META_MARK));
	mnl_attr_put_u32(nlh, NFTA_META_DREG, htonl(NFT_REG_1));
	mnl_attr_nest_end(nlh, nests[2]);
	mnl_attr_nest_end(nlh, nests[1]);
	nests[1] = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "lookup");
	nests[2] = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	for (int i = 0; i < TIMES; i++)
		mnl_attr_put_strz(nlh, NFTA_LOOKUP_SET, "n");
	mnl_attr_put_u32(nlh, NFTA_LOOKUP_SET_ID, htonl(7));
	mnl_attr_put_u32(nlh, NFTA_LOOKUP_SREG, htonl(NFT_REG_1));
	end_rule(nlh, nests);
	CU_ASSERT_EQUAL(send_batch(), 0);
	tear_down(1);
}

/* An immediate that leads to a chain, by many of its attributes. */
static void
add_jump(uint16_t type, const char *name, uint32_t id)
{
	struct nlattr *nests[3], *data, *verdict;
	struct nlmsghdr *nlh = begin_rule("immediate", nests);

	mnl_attr_put_u32(nlh, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
	for (int i = 0; i < 30; i++) {
		data = mnl_attr_nest_start(nlh, NFTA_IMMEDIATE_DATA);
		verdict = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);
		mnl_attr_put_u32(nlh, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_JUMP));
		for (int n = 0; n < TIMES / 30; n++) {
			if (type == NFTA_VERDICT_CHAIN)
				mnl_attr_put_strz(nlh, type, name);
			else
				mnl_attr_put_u32(nlh, type, htonl(id));
		}
		mnl_attr_nest_end(nlh, verdict);
		mnl_attr_nest_end(nlh, data);
	}
	end_rule(nlh, nests);
}

static void
chains_without_a_name(void)
{
	set_up();
	open_batch();
	add_chain(NULL, 5);
	add_jump(NFTA_VERDICT_CHAIN_ID, NULL, 5);
	CU_ASSERT_EQUAL(send_batch(), 0);
	tear_down(1);
}

static void
chains_that_are_renamed(void)
{
	char name[NFT_NAME_MAXLEN];
	struct nlmsghdr *nlh;

	set_up();
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	open_batch();
	add_jump(NFTA_VERDICT_CHAIN, "to", 0);
	CU_ASSERT_EQUAL(send_batch(), 0);
	open_batch();
	nlh = begin(NFT_MSG_NEWCHAIN, 0);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, "t");
	mnl_attr_put_u64(nlh, NFTA_CHAIN_HANDLE, htobe64(2));
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, name);
	finish(nlh);
	CU_ASSERT_EQUAL(send_batch(), 0);
	CU_ASSERT_PTR_NOT_NULL(store_chain(store_table(t.store, NFPROTO_IPV4, "t"), name));
	tear_down(1);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"names of sets", names_of_sets},
		{"chains without a name", chains_without_a_name},
		{"chains that are renamed", chains_that_are_renamed},
		CU_TEST_INFO_NULL,
	};

	return unit_run("twice", tests);
}
