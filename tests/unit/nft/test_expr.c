/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expressions: built by libnftnl as nft sends them, parsed, evaluated on a
 * packet by the reference.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>

#include "expr_rows.h"
#include "program.h"
#include "unit.h"

#define RULE_MAX 2048

/* A program of one chain of one rule, and a packet. */
static struct {
	struct nft_program program;
	struct nft_chain_code chains[2];
	struct nft_rule_code rule;
	struct nft_set *sets[1];
	struct nft_elem *elems[3];
	_Alignas(16) uint8_t code[RULE_MAX];
	size_t used;
	struct expr_ctx ctx;
	struct {
		struct rte_mbuf m;
		struct pkt pkt;
	} fake;
	uint8_t frame[256];
	uint32_t state;
	struct nat_range bound;
	enum nat_manip bound_end;
	unsigned int bindings, rejects, logs, flow_adds;
	uint32_t ct_state, ct_mark;
	bool has_conn;
} t;

static struct pkt *
packet(void)
{
	return pkt_of(&t.fake.m);
}

/* --- what the rules ask */

static uint32_t
ask_state(const struct pkt *pkt)
{
	(void)pkt;
	return t.ct_state;
}

static bool
ask_mark(const struct pkt *pkt, uint32_t *mark)
{
	(void)pkt;
	*mark = t.ct_mark;
	return t.has_conn;
}

static void
tell_mark(const struct pkt *pkt, uint32_t mark)
{
	(void)pkt;
	t.ct_mark = mark;
}

static int
ask_nat(struct pkt *pkt, const struct nat_range *range, enum nat_manip manip)
{
	(void)pkt;
	t.bound = *range;
	t.bound_end = manip;
	t.bindings++;
	return 0;
}

static int
ask_address(struct pkt *pkt, union address *addr)
{
	(void)pkt;
	addr->v4 = inet_addr("203.0.113.1");
	return 0;
}

static bool
ask_flow_add(struct pkt *pkt, uint32_t flowtable)
{
	(void)pkt;
	(void)flowtable;
	t.flow_adds++;
	return true;
}

static const struct ct_ops ct = {
	.state = ask_state,
	.mark = ask_mark,
	.set_mark = tell_mark,
	.nat = ask_nat,
	.masquerade_address = ask_address,
	.flow_add = ask_flow_add,
};

static const char *
port_name(uint16_t port)
{
	static const char names[2][16] = {"lan", "wan"};

	return names[port];
}

static uint32_t
port_index(uint16_t port)
{
	return port + 2U;
}

static void
on_reject(struct pkt *pkt, uint32_t type, uint8_t code)
{
	(void)pkt;
	(void)type;
	(void)code;
	t.rejects++;
}

static void
on_log(const struct pkt *pkt, const char *prefix, uint32_t level, uint32_t flags)
{
	(void)flags;
	(void)pkt;
	(void)level;
	CU_ASSERT_STRING_EQUAL(prefix, "in: ");
	t.logs++;
}

static const struct nft_env env = {
	.ct = &ct,
	.port_name = port_name,
	.port_index = port_index,
	.reject = on_reject,
	.log = on_log,
};

/* --- what the loader asks */

static int
find_set(void *owner, const char *name, uint32_t id, uint32_t *set, uint32_t *key_len,
	uint32_t *data_len, uint32_t *flags)
{
	(void)owner;
	(void)id;
	if (strcmp(name, "s") != 0)
		return -ENOENT;
	*set = 0;
	*key_len = t.sets[0]->key_len;
	*data_len = 16;
	*flags = t.sets[0]->verdicts ? NFT_SET_MAP : 0;
	return 0;
}

static int
find_chain(void *owner, const char *name, uint32_t *chain)
{
	(void)owner;
	*chain = 1;
	return strcmp(name, "other") == 0 ? 0 : -ENOENT;
}

static int
find_object(void *owner, const char *name, uint32_t type, uint32_t *state)
{
	(void)owner;
	(void)type;
	*state = 1;
	return strcmp(name, "obj") == 0 ? 0 : -ENOENT;
}

static int
new_state(void *owner, uint32_t kind, uint32_t *state)
{
	(void)owner;
	(void)kind;
	*state = t.state++;
	return 0;
}

/* --- */

/* Named objects 0 and 1. */
static struct nft_object_code objects[2] = {
	{{.kind = NFT_STATEMENT_COUNTER}, 0}, {{.kind = NFT_STATEMENT_COUNTER}, 1}};

/* The ports of flowtables 0 and 1. */
static uint64_t covered[2] = {0, 1};

static void
free_set(void)
{
	nft_set_free(t.sets[0]);
	for (unsigned int i = 0; i < 3; i++)
		free(t.elems[i]);
}

static void
make_set(const struct nft_set_decl *decl)
{
	free_set();
	memset(t.elems, 0, sizeof(t.elems));
	t.sets[0] = nft_set_new(decl);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t.sets[0]);
}

static struct nft_elem *
put_elem(unsigned int i, const uint8_t *key, bool end)
{
	struct nft_elem *elem = calloc(1, sizeof(*elem) + nft_elem_bytes(t.sets[0]));

	CU_ASSERT_PTR_NOT_NULL_FATAL(elem);
	memcpy(elem->bytes, key, t.sets[0]->key_len);
	elem->end = end;
	elem->to = NFT_GENERATION_NEVER;
	CU_ASSERT_EQUAL(nft_set_link(t.sets[0], elem), 0);
	return t.elems[i] = elem;
}

/* UDP 10.0.1.10:1000 -> 10.0.2.10:53, 8 bytes of data, from lan to wan in forward. */
static void
reset(void)
{
	static const uint8_t frame[14 + 36] = {2, 0xff, 0, 0, 0, 1, 2, 0, 10, 0, 1, 10, 8, 0, 0x45,
		0x10, 0, 36, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 1, 10, 10, 0, 2, 10, 0x03, 0xe8, 0,
		53, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};

	if (t.program.chain_count != 0) {
		nft_states_free(t.program.states);
		free_set();
	}
	memset(&t, 0, sizeof(t));
	t.chains[0] =
		(struct nft_chain_code){.rules = &t.rule, .rule_count = 1, .policy = NF_ACCEPT};
	t.chains[1] = (struct nft_chain_code){.policy = NF_ACCEPT};
	t.sets[0] = nft_set_new(&(struct nft_set_decl){.key_len = 4});
	t.program = (struct nft_program){.chains = t.chains,
		.chain_count = 2,
		.sets = t.sets,
		.set_count = 1,
		.states = nft_states_new(1),
		.objects = objects,
		.object_count = 2,
		.flowtables = covered,
		.flowtable_count = 2,
		.env = &env};
	CU_ASSERT_PTR_NOT_NULL_FATAL(t.program.states);
	for (unsigned int i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(nft_states_take(t.program.states, i % 2, &(uint32_t){0}), 0);
	t.ctx = (struct expr_ctx){.family = NFPROTO_INET,
		.written = UINT32_MAX,
		.chain_type = NFT_KIND_FILTER,
		.hooks = 1U << HOOK_FORWARD,
		.set = find_set,
		.chain = find_chain,
		.object = find_object,
		.state = new_state};
	memcpy(t.frame, frame, sizeof(frame));
	t.fake.m.buf_addr = t.frame;
	t.fake.m.data_len = sizeof(frame);
	t.fake.m.nb_segs = 1;
	*packet() = (struct pkt){.flags = PKT_IPV4 | PKT_L4,
		.l2_len = 14,
		.l3_len = 20,
		.l4_off = 34,
		.ip_len = 36,
		.in_port = 0,
		.out_port = 1,
		.l4_proto = 17,
		.hook = HOOK_FORWARD,
		.conn = CONN_NONE,
		.drop = DROP_RULE,
		.now_ns = 3600000000000ULL};
}

/* Append an expression as nft sends it. Returns what the parser said. Takes e over. */
static int
add(struct nftnl_expr *e)
{
	static char buf[4096]; /* ctx.bad points into it */
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	const struct expr_ops *ops = expr_find(nftnl_expr_get_str(e, NFTNL_EXPR_NAME));
	const struct nlattr *attr, *data = NULL;
	int rc;

	CU_ASSERT_PTR_NOT_NULL_FATAL(ops);
	nftnl_expr_build_payload(nlh, e);
	nftnl_expr_free(e);
	mnl_attr_for_each (attr, nlh, 0)
		if (mnl_attr_get_type(attr) == NFTA_EXPR_DATA)
			data = attr;
	CU_ASSERT_FATAL(t.used + ops->size <= RULE_MAX);
	CU_ASSERT_EQUAL(ops->size % 8, 0);
	rc = expr_parse(ops, data, &t.ctx, (struct expr *)(void *)(t.code + t.used));
	if (rc == 0)
		t.used += ops->size;
	return rc;
}

static enum verdict
run(void)
{
	struct nft_base base = {&t.program, 0};

	t.rule = (struct nft_rule_code){1, NULL, t.code, t.code + t.used};
	return nft_reference_run(&base, packet());
}

static struct nftnl_expr *
payload(uint32_t base, uint32_t offset, uint32_t len)
{
	struct nftnl_expr *e = nftnl_expr_alloc("payload");

	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
	return e;
}

static struct nftnl_expr *
cmp(uint32_t op, const void *data, uint32_t len)
{
	struct nftnl_expr *e = nftnl_expr_alloc("cmp");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, len);
	return e;
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

static struct nftnl_expr *
key(const char *name, uint32_t key_attr, uint32_t k, uint32_t dreg_attr)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	nftnl_expr_set_u32(e, (uint16_t)key_attr, k);
	nftnl_expr_set_u32(e, (uint16_t)dreg_attr, NFT_REG_1);
	return e;
}

/* udp dport 53 drop; and what does not match goes on to the policy. */
static void
test_match(void)
{
	const uint8_t dns[2] = {0, 53}, http[2] = {0, 80};

	reset();
	CU_ASSERT_EQUAL(add(payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2)), 0);
	CU_ASSERT_EQUAL(add(cmp(NFT_CMP_EQ, dns, 2)), 0);
	CU_ASSERT_EQUAL(add(verdict(NF_DROP, NULL)), 0);
	CU_ASSERT_EQUAL(run(), VERDICT_DROP);
	reset();
	add(payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2));
	add(cmp(NFT_CMP_EQ, http, 2));
	add(verdict(NF_DROP, NULL));
	CU_ASSERT_EQUAL(run(), VERDICT_ACCEPT);
	t.chains[0].policy = NF_DROP;
	CU_ASSERT_EQUAL(run(), VERDICT_DROP);
}

/* Beyond the packet, `!=` does not match either: the rule breaks. */
static void
test_break(void)
{
	const uint8_t any[2] = {9, 9};

	reset();
	add(payload(NFT_PAYLOAD_TRANSPORT_HEADER, 100, 2));
	add(cmp(NFT_CMP_NEQ, any, 2));
	add(verdict(NF_DROP, NULL));
	CU_ASSERT_EQUAL(run(), VERDICT_ACCEPT);
	/* A later fragment: aligned small loads read its data, others break. */
	reset();
	packet()->flags |= PKT_FRAGMENT | PKT_LATER_FRAGMENT;
	add(payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2));
	add(cmp(NFT_CMP_NEQ, any, 2));
	add(verdict(NF_DROP, NULL));
	CU_ASSERT_EQUAL(run(), VERDICT_DROP);
	reset();
	packet()->flags |= PKT_FRAGMENT | PKT_LATER_FRAGMENT;
	add(payload(NFT_PAYLOAD_TRANSPORT_HEADER, 1, 2));
	add(cmp(NFT_CMP_NEQ, any, 2));
	add(verdict(NF_DROP, NULL));
	CU_ASSERT_EQUAL(run(), VERDICT_ACCEPT);
}

static void
test_meta_ct(void)
{
	char wan[16] = "wan", lan[16] = "lan";
	uint32_t mask = CT_STATE_ESTABLISHED | CT_STATE_RELATED, zero = 0, mark = 7;
	struct nftnl_expr *e;

	reset();
	t.ct_state = CT_STATE_ESTABLISHED;
	add(key("meta", NFTNL_EXPR_META_KEY, NFT_META_OIFNAME, NFTNL_EXPR_META_DREG));
	add(cmp(NFT_CMP_EQ, wan, 16));
	add(key("meta", NFTNL_EXPR_META_KEY, NFT_META_IIFNAME, NFTNL_EXPR_META_DREG));
	add(cmp(NFT_CMP_EQ, lan, 16));
	add(key("ct", NFTNL_EXPR_CT_KEY, NFT_CT_STATE, NFTNL_EXPR_CT_DREG));
	e = nftnl_expr_alloc("bitwise");
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, 4);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, &mask, 4);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &zero, 4);
	CU_ASSERT_EQUAL(add(e), 0);
	add(cmp(NFT_CMP_NEQ, &zero, 4));
	add(verdict(NF_DROP, NULL));
	CU_ASSERT_EQUAL(run(), VERDICT_DROP);
	t.ct_state = CT_STATE_NEW;
	CU_ASSERT_EQUAL(run(), VERDICT_ACCEPT);
	/* In prerouting there is no output interface: its name is empty, not absent. */
	packet()->hook = HOOK_PREROUTING;
	t.ct_state = CT_STATE_ESTABLISHED;
	CU_ASSERT_EQUAL(run(), VERDICT_ACCEPT);
	/* No connection: ct mark breaks. */
	reset();
	add(key("ct", NFTNL_EXPR_CT_KEY, NFT_CT_MARK, NFTNL_EXPR_CT_DREG));
	add(cmp(NFT_CMP_NEQ, &mark, 4));
	add(verdict(NF_DROP, NULL));
	CU_ASSERT_EQUAL(run(), VERDICT_ACCEPT);
	t.has_conn = true;
	CU_ASSERT_EQUAL(run(), VERDICT_DROP);
}

/* A set of ranges, and a verdict map. */
static void
test_lookup(void)
{
	static const uint8_t udp = 17;
	static const uint8_t starts[][4] = {{0, 0, 0, 0}, {10, 0, 1, 0}, {10, 0, 2, 0}};
	struct nftnl_expr *e;

	for (unsigned int invert = 0; invert < 2; invert++) {
		reset();
		/* 10.0.1.0/24: a start, and the end behind it; before it, an end at zero. */
		make_set(&(struct nft_set_decl){.flags = NFT_SET_INTERVAL, .key_len = 4});
		for (unsigned int i = 0; i < 3; i++)
			put_elem(i, starts[2 - i], i != 1)->verdict.code = 0;
		CU_ASSERT_EQUAL(nft_set_prepare(t.sets[0]), 0);
		nft_set_publish(t.sets[0], 0);
		add(payload(NFT_PAYLOAD_NETWORK_HEADER, 12, 4));
		e = nftnl_expr_alloc("lookup");
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
		nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, "s");
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, invert ? NFT_LOOKUP_F_INV : 0);
		CU_ASSERT_EQUAL(add(e), 0);
		add(verdict(NF_DROP, NULL));
		CU_ASSERT_EQUAL(run(), invert ? VERDICT_ACCEPT : VERDICT_DROP);
		t.frame[26 + 2] = 2; /* source 10.0.2.10 */
		CU_ASSERT_EQUAL(run(), invert ? VERDICT_DROP : VERDICT_ACCEPT);
	}
	reset();
	make_set(&(struct nft_set_decl){.key_len = 1, .verdicts = true});
	put_elem(0, &udp, false)->verdict = (struct nft_verdict){NF_DROP, NFT_CHAIN_NONE};
	add(key("meta", NFTNL_EXPR_META_KEY, NFT_META_L4PROTO, NFTNL_EXPR_META_DREG));
	e = nftnl_expr_alloc("lookup");
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, "s");
	CU_ASSERT_EQUAL(add(e), 0);
	CU_ASSERT_EQUAL(run(), VERDICT_DROP);
	packet()->l4_proto = 6;
	CU_ASSERT_EQUAL(run(), VERDICT_ACCEPT);
}

/* Counters count where they stand; a limit starts full and refills. */
static void
test_states(void)
{
	const uint8_t http[2] = {0, 80};
	struct nftnl_expr *e;
	unsigned int passed = 0;

	reset();
	CU_ASSERT_EQUAL(add(nftnl_expr_alloc("counter")), 0);
	add(payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2));
	add(cmp(NFT_CMP_EQ, http, 2));
	CU_ASSERT_EQUAL(add(nftnl_expr_alloc("counter")), 0);
	run();
	run();
	CU_ASSERT_EQUAL(nft_states_count(t.program.states, 0).packets, 2);
	CU_ASSERT_EQUAL(nft_states_count(t.program.states, 0).bytes, 72);
	CU_ASSERT_EQUAL(nft_states_count(t.program.states, 1).packets, 0);
	/* limit rate 1/hour burst 100 */
	reset();
	e = nftnl_expr_alloc("limit");
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_RATE, 1);
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_UNIT, 3600);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_BURST, 100);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	CU_ASSERT_EQUAL(add(e), 0);
	add(verdict(NF_DROP, NULL));
	packet()->now_ns = 1000 * 3600ULL * 1000000000ULL;
	for (unsigned int i = 0; i < 200; i++)
		passed += run() == VERDICT_DROP;
	CU_ASSERT_EQUAL(passed, 100);
	packet()->now_ns += 3 * 3600ULL * 1000000000ULL;
	for (unsigned int i = 0; i < 200; i++)
		passed += run() == VERDICT_DROP;
	CU_ASSERT_EQUAL(passed, 103);
}

static void
test_nat(void)
{
	const rte_be16_t ports[2] = {htons(4000), htons(5000)};
	struct nftnl_expr *e;

	reset();
	t.ctx.chain_type = NFT_KIND_NAT;
	t.ctx.hooks = 1U << HOOK_POSTROUTING;
	for (unsigned int i = 0; i < 2; i++) {
		e = nftnl_expr_alloc("immediate");
		nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1 + i);
		nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, &ports[i], 2);
		CU_ASSERT_EQUAL(add(e), 0);
	}
	e = nftnl_expr_alloc("masq");
	nftnl_expr_set_u32(e, NFTNL_EXPR_MASQ_REG_PROTO_MIN, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_MASQ_REG_PROTO_MAX, NFT_REG_2);
	CU_ASSERT_EQUAL(add(e), 0);
	CU_ASSERT_EQUAL(run(), VERDICT_ACCEPT);
	CU_ASSERT_EQUAL(t.bindings, 1);
	CU_ASSERT_EQUAL(t.bound_end, NAT_MANIP_SRC);
	CU_ASSERT_EQUAL(t.bound.flags, NAT_RANGE_MAP_IPS | NAT_RANGE_PROTO_SPECIFIED);
	CU_ASSERT_EQUAL(t.bound.min_addr.v4, inet_addr("203.0.113.1"));
	CU_ASSERT_EQUAL(t.bound.min_port, htons(4000));
	CU_ASSERT_EQUAL(t.bound.max_port, htons(5000));
	/* Not in a filter chain, nor at another hook. */
	t.ctx.chain_type = NFT_KIND_FILTER;
	CU_ASSERT_EQUAL(add(nftnl_expr_alloc("masq")), -EOPNOTSUPP);
	t.ctx.chain_type = NFT_KIND_NAT;
	t.ctx.hooks = 1U << HOOK_PREROUTING;
	CU_ASSERT_EQUAL(add(nftnl_expr_alloc("masq")), -EOPNOTSUPP);
}

static void
test_statements(void)
{
	struct nftnl_expr *e;

	reset();
	e = nftnl_expr_alloc("log");
	nftnl_expr_set_str(e, NFTNL_EXPR_LOG_PREFIX, "in: ");
	CU_ASSERT_EQUAL(add(e), 0);
	e = nftnl_expr_alloc("flow_offload");
	nftnl_expr_set_str(e, NFTNL_EXPR_FLOW_TABLE_NAME, "obj");
	CU_ASSERT_EQUAL(add(e), 0);
	e = nftnl_expr_alloc("objref");
	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME, "obj");
	CU_ASSERT_EQUAL(add(e), 0);
	e = nftnl_expr_alloc("reject");
	nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
	nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, NFT_REJECT_ICMPX_PORT_UNREACH);
	CU_ASSERT_EQUAL(add(e), 0);
	CU_ASSERT_EQUAL(run(), VERDICT_DROP);
	CU_ASSERT_EQUAL(packet()->drop, DROP_REJECT);
	CU_ASSERT_EQUAL(t.logs, 1);
	CU_ASSERT_EQUAL(t.flow_adds, 1);
	CU_ASSERT_EQUAL(t.rejects, 1);
	CU_ASSERT_EQUAL(nft_states_count(t.program.states, 1).packets, 1);
}

/* What is wrong is refused, with the attribute to blame. */
static void
test_refused(void)
{
	struct nftnl_expr *e;

	reset();
	CU_ASSERT_EQUAL(add(verdict(NFT_JUMP, "nowhere")), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(t.ctx.bad);
	CU_ASSERT_EQUAL(add(verdict(NFT_JUMP, "other")), 0);
	e = payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 16);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG32_15);
	CU_ASSERT_EQUAL(add(e), -ERANGE);
	CU_ASSERT_EQUAL(mnl_attr_get_type(t.ctx.bad), NFTA_PAYLOAD_DREG);
	e = payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, 99);
	CU_ASSERT_EQUAL(add(e), -EINVAL);
	CU_ASSERT_EQUAL(
		add(key("meta", NFTNL_EXPR_META_KEY, NFT_META_CGROUP, NFTNL_EXPR_META_DREG)),
		-EOPNOTSUPP);
	CU_ASSERT_EQUAL(mnl_attr_get_type(t.ctx.bad), NFTA_META_KEY);
	e = nftnl_expr_alloc("lookup");
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, "absent");
	CU_ASSERT_EQUAL(add(e), -ENOENT);
	CU_ASSERT_EQUAL(mnl_attr_get_type(t.ctx.bad), NFTA_LOOKUP_SET);
	CU_ASSERT_PTR_NULL(expr_find("inner"));
	reset();
	free_set();
	t.sets[0] = NULL;
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"match and policy", test_match},
		{"what breaks", test_break},
		{"meta and ct", test_meta_ct},
		{"sets and verdict maps", test_lookup},
		{"counters and limits", test_states},
		{"nat", test_nat},
		{"log, flow add, objref, reject", test_statements},
		{"refused, with the place", test_refused},
		CU_TEST_INFO_NULL,
	};

	return unit_run("expressions", tests);
}
