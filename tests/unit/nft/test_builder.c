/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs built as a loader builds them: chains, jumps, sets, objects; and what
 * is refused on the way.
 */
#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>

#include "builder.h"
#include "unit.h"

static const struct nft_place everywhere = {
	.family = NFPROTO_INET, .kinds = NFT_KIND_FILTER, .hooks = 1U << HOOK_FORWARD};
static const struct nft_env env;

/* Append an expression as nft sends it; takes it over. */
static int
add(struct nft_builder *b, struct nftnl_expr *e)
{
	static char buf[4096];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	const struct nlattr *attr, *data = NULL, *bad;
	char name[32];

	strncpy(name, nftnl_expr_get_str(e, NFTNL_EXPR_NAME), sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	nftnl_expr_build_payload(nlh, e);
	nftnl_expr_free(e);
	mnl_attr_for_each (attr, nlh, 0)
		if (mnl_attr_get_type(attr) == NFTA_EXPR_DATA)
			data = attr;
	return builder_expr(b, name, data, &bad);
}

static struct nftnl_expr *
verdict(int code, const char *chain)
{
	struct nftnl_expr *e = nftnl_expr_alloc("immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
	if (chain != NULL)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
	return e;
}

/* States of a test, for one worker. */
static struct nft_states *states;

static struct nft_states *
fresh(void)
{
	nft_states_free(states);
	states = nft_states_new(1);
	return states;
}

/* Numbers come back, and start at nothing again. */
static void
test_states(void)
{
	struct nft_states *s = nft_states_new(2);
	uint32_t a, b;

	CU_ASSERT_EQUAL(nft_states_take(s, NFT_STATE_COUNTER, &a), 0);
	CU_ASSERT_EQUAL(nft_states_take(s, NFT_STATE_COUNTER, &b), 0);
	CU_ASSERT_NOT_EQUAL(a, b);
	s->counters[0][a].packets = 3;
	s->counters[1][a].packets = 4;
	CU_ASSERT_EQUAL(nft_states_count(s, a).packets, 7);
	CU_ASSERT_EQUAL(nft_states_count(s, b).packets, 0);
	nft_states_give(s, NFT_STATE_COUNTER, a);
	CU_ASSERT_EQUAL(nft_states_take(s, NFT_STATE_COUNTER, &b), 0);
	CU_ASSERT_EQUAL(a, b);
	CU_ASSERT_EQUAL(nft_states_count(s, b).packets, 0);
	for (unsigned int i = 0; i < 5000; i++)
		CU_ASSERT_EQUAL(nft_states_take(s, NFT_STATE_WORDS, &a), 0);
	nft_states_free(s);
}

/* A rule of a counter and a verdict; NFT_CONTINUE for none. */
static void
rule(struct nft_builder *b, int chain, int code, const char *to)
{
	CU_ASSERT_EQUAL(builder_rule(b, (uint32_t)chain, 1, &everywhere, NULL, 0), 0);
	CU_ASSERT_EQUAL(add(b, nftnl_expr_alloc("counter")), 0);
	if (code != NFT_CONTINUE)
		CU_ASSERT_EQUAL(add(b, verdict(code, to)), 0);
}

static enum verdict
run(struct nft_program *program, int chain)
{
	struct {
		struct rte_mbuf m;
		struct pkt pkt;
	} fake;
	struct nft_base base = {program, (uint32_t)chain};

	memset(&fake, 0, sizeof(fake));
	fake.pkt.ip_len = 100;
	return nft_reference_run(&base, pkt_of(&fake.m));
}

static uint64_t
counted(const struct nft_program *program, uint32_t n)
{
	return nft_states_count(program->states, n).packets;
}

/* jump comes back, return comes back early, goto does not. */
static void
test_chains(void)
{
	struct nft_builder *b = builder_new(fresh(), &env, 1);
	int base = builder_chain(b, "base", NF_DROP), one, two, three;
	struct nft_program *program;

	one = builder_chain(b, "one", NF_ACCEPT);
	two = builder_chain(b, "two", NF_ACCEPT);
	three = builder_chain(b, "three", NF_ACCEPT);
	CU_ASSERT_EQUAL(builder_chain(b, "one", NF_ACCEPT), -EEXIST);
	CU_ASSERT_EQUAL(builder_find_chain(b, "two"), two);
	CU_ASSERT_EQUAL(builder_find_chain(b, "none"), -ENOENT);
	rule(b, base, NFT_JUMP, "one");	   /* 0 */
	rule(b, base, NFT_JUMP, "three");  /* 1 */
	rule(b, base, NFT_CONTINUE, NULL); /* 2 */
	rule(b, one, NFT_JUMP, "two");	   /* 3 */
	rule(b, one, NFT_CONTINUE, NULL);  /* 4 */
	rule(b, two, NFT_RETURN, NULL);	   /* 5 */
	rule(b, two, NF_ACCEPT, NULL);	   /* 6: never */
	rule(b, three, NFT_GOTO, "two");   /* 7 */
	rule(b, three, NF_ACCEPT, NULL);   /* 8: never */
	program = builder_finish(b);
	CU_ASSERT_PTR_NOT_NULL_FATAL(program);
	/* Nothing accepts: the base chain's policy. */
	CU_ASSERT_EQUAL(run(program, base), VERDICT_DROP);
	for (uint32_t i = 0; i < 9; i++)
		CU_ASSERT_EQUAL(counted(program, i), i == 5 ? 2 : i == 6 || i == 8 ? 0 : 1);
	CU_ASSERT_STRING_EQUAL(program->chains[two].name, "two");
	nft_program_free(program);
}

/* Fifteen jumps deep and back. */
static void
test_depth(void)
{
	struct nft_builder *b = builder_new(fresh(), &env, 1);
	struct nft_program *program;
	char name[16];

	for (unsigned int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		CU_ASSERT_EQUAL(builder_chain(b, name, NF_DROP), (int)i);
	}
	for (unsigned int i = 0; i < 15; i++) {
		snprintf(name, sizeof(name), "c%u", i + 1);
		rule(b, (int)i, NFT_JUMP, name);
		rule(b, (int)i, NFT_CONTINUE, NULL);
	}
	program = builder_finish(b);
	CU_ASSERT_EQUAL(run(program, 0), VERDICT_DROP);
	for (uint32_t i = 0; i < 30; i++)
		CU_ASSERT_EQUAL(counted(program, i), 1);
	nft_program_free(program);
}

/* An anonymous verdict map by its id, a named counter. */
static void
test_objects(void)
{
	struct nft_set_decl decl = {.flags = NFT_SET_MAP, .key_len = 4, .verdicts = true};
	struct nft_elem_decl elem;
	struct nft_builder *b = builder_new(fresh(), &env, 1);
	struct nft_program *program;
	struct nftnl_expr *e;
	const struct nft_statement counter = {.kind = NFT_STATEMENT_COUNTER};
	uint32_t hits;
	int base, other;

	CU_ASSERT_EQUAL(nft_states_take(states, NFT_STATE_COUNTER, &hits), 0);

	CU_ASSERT_EQUAL(builder_set(b, "__map0", 3, &decl), 0);
	CU_ASSERT_EQUAL(builder_set(b, "__map0", 3, &decl), -EEXIST);
	decl.key_len = NFT_DATA_MAX + 1;
	CU_ASSERT_EQUAL(builder_set(b, "wide", 0, &decl), -EINVAL);
	CU_ASSERT_EQUAL(builder_object(b, "hits", NFT_OBJECT_COUNTER, &counter, hits), 0);
	CU_ASSERT_EQUAL(builder_object(b, "hits", NFT_OBJECT_COUNTER, &counter, hits), -EEXIST);
	base = builder_chain(b, "base", NF_ACCEPT);
	other = builder_chain(b, "other", NF_ACCEPT);
	for (uint32_t key = 200; key-- > 0;) {
		memset(&elem, 0, sizeof(elem));
		memcpy(elem.key, &key, 4);
		elem.verdict = (struct nft_verdict){key == 100 ? NFT_JUMP : NF_ACCEPT,
			key == 100 ? (uint32_t)other : NFT_CHAIN_NONE};
		CU_ASSERT_EQUAL(builder_elem(b, 0, &elem), 0);
	}
	CU_ASSERT_EQUAL(builder_rule(b, (uint32_t)base, 1, &everywhere, NULL, 0), 0);
	e = nftnl_expr_alloc("meta");
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, NFT_META_LEN);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
	CU_ASSERT_EQUAL(add(b, e), 0);
	e = nftnl_expr_alloc("lookup");
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, "__map%d");
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, 3);
	CU_ASSERT_EQUAL(add(b, e), 0);
	CU_ASSERT_EQUAL(builder_rule(b, (uint32_t)other, 2, &everywhere, NULL, 0), 0);
	e = nftnl_expr_alloc("objref");
	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME, "hits");
	CU_ASSERT_EQUAL(add(b, e), 0);
	CU_ASSERT_EQUAL(add(b, verdict(NF_DROP, NULL)), 0);
	program = builder_finish(b);
	/* The packet has 100 bytes. */
	CU_ASSERT_EQUAL(run(program, base), VERDICT_DROP);
	CU_ASSERT_EQUAL(counted(program, hits), 1);
	nft_program_free(program);
}

/* A builder that is thrown away at any point leaves nothing (the leak sanitizer watches). */
static void
test_refused(void)
{
	struct nft_builder *b = builder_new(fresh(), &env, 1);
	const struct nlattr *bad;

	CU_ASSERT_PTR_NULL(nft_states_new(0));
	CU_ASSERT_PTR_NULL(nft_states_new(NFT_WORKERS + 1));
	builder_chain(b, "base", NF_ACCEPT);
	rule(b, 0, NF_ACCEPT, NULL);
	CU_ASSERT_EQUAL(builder_rule(b, 0, 2, &everywhere, NULL, 0), 0);
	CU_ASSERT_EQUAL(builder_expr(b, "queue", NULL, &bad), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(add(b, verdict(NFT_JUMP, "nowhere")), -ENOENT);
	/* A rule that is too long. */
	for (unsigned int i = 0; i < 1000; i++)
		if (add(b, nftnl_expr_alloc("counter")) == -E2BIG) {
			builder_free(b);
			return;
		}
	CU_FAIL("a rule of a thousand counters was taken");
	builder_free(b);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"jump, return, goto", test_chains},
		{"fifteen jumps deep", test_depth},
		{"maps and objects", test_objects},
		{"refused", test_refused},
		{"states", test_states},
		CU_TEST_INFO_NULL,
	};

	int failed = unit_run("builder", tests);

	nft_states_free(states);
	return failed;
}
