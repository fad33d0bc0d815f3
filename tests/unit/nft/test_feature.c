/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of features against the parsers: what a row says is what is taken,
 * in every family, at every hook, in every type of chain; and no key of netlink
 * is forgotten.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "expr_rows.h"
#include "unit.h"

#define KEYS_MAX 64

static const uint8_t families[] = {NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_INET};
static const unsigned int kinds[] = {NFT_KIND_FILTER, NFT_KIND_NAT, NFT_KIND_ROUTE};

static int
any_object(void *owner, const char *name, uint32_t type, uint32_t *state)
{
	(void)owner;
	(void)name;
	(void)type;
	*state = 0;
	return 0;
}

/* Attributes of an expression whose feature is one number. */
typedef void (*fill_t)(struct nlmsghdr *nlh, uint32_t number, bool set);

static void
put_u32(struct nlmsghdr *nlh, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(nlh, type, htonl(value));
}

static void
fill_meta(struct nlmsghdr *nlh, uint32_t key, bool set)
{
	put_u32(nlh, NFTA_META_KEY, key);
	put_u32(nlh, set ? NFTA_META_SREG : NFTA_META_DREG, NFT_REG_1);
}

static void
fill_ct(struct nlmsghdr *nlh, uint32_t key, bool set)
{
	put_u32(nlh, NFTA_CT_KEY, key);
	put_u32(nlh, set ? NFTA_CT_SREG : NFTA_CT_DREG, NFT_REG_1);
	if (!set)
		mnl_attr_put_u8(nlh, NFTA_CT_DIRECTION, 0);
}

static void
fill_nat(struct nlmsghdr *nlh, uint32_t type, bool set)
{
	(void)set;
	put_u32(nlh, NFTA_NAT_TYPE, type);
	put_u32(nlh, NFTA_NAT_FAMILY, NFPROTO_IPV4);
}

static void
fill_nothing(struct nlmsghdr *nlh, uint32_t number, bool set)
{
	(void)nlh;
	(void)number;
	(void)set;
}

static void
fill_reject(struct nlmsghdr *nlh, uint32_t type, bool set)
{
	(void)set;
	put_u32(nlh, NFTA_REJECT_TYPE, type);
	mnl_attr_put_u8(nlh, NFTA_REJECT_ICMP_CODE, 0);
}

static void
fill_flow(struct nlmsghdr *nlh, uint32_t number, bool set)
{
	(void)number;
	(void)set;
	mnl_attr_put_strz(nlh, NFTA_FLOW_TABLE_NAME, "ft");
}

/* Every expression whose features depend on a number, a family or a place. */
static const struct {
	const struct expr_ops *ops;
	fill_t fill;
	uint32_t numbers;   /* that are tried */
	uint32_t must_have; /* of these, numbers below have a row that is read: all of netlink */
	bool one_family;    /* the attributes name IPv4 */
} judged[] = {
	{&expr_meta, fill_meta, KEYS_MAX, NFT_META_SDIFNAME + 1, false},
	/* Event masks are set only. */
	{&expr_ct, fill_ct, KEYS_MAX, NFT_CT_EVENTMASK, false},
	{&expr_nat, fill_nat, 8, NFT_NAT_DNAT + 1, true},
	{&expr_masq, fill_nothing, 1, 1, false},
	{&expr_redir, fill_nothing, 1, 1, false},
	{&expr_reject, fill_reject, NFT_REJECT_ICMPX_UNREACH + 1, 3, false},
	{&expr_flow_offload, fill_flow, 1, 1, false},
};

static int
parse(const struct expr_ops *ops, fill_t fill, uint32_t number, bool set, struct expr_ctx *ctx)
{
	static uint8_t out[1024] __attribute__((aligned(16)));
	static char buf[512];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);

	CU_ASSERT_FATAL(ops->size <= sizeof(out));
	fill(nlh, number, set);
	mnl_attr_nest_end(nlh, nest);
	return expr_parse(ops, nest, ctx, (struct expr *)(void *)out);
}

static bool
says(const struct nft_feature *row, unsigned int family, unsigned int hook, unsigned int kind)
{
	return row != NULL && row->class != NFT_REFUSED &&
	       (row->families == 0 || row->families & 1U << family) &&
	       (row->hooks == 0 || row->hooks & 1U << hook) && !(row->later & 1U << hook) &&
	       (row->kinds == 0 || row->kinds & kinds[kind]);
}

/* One number of one expression at every place. Returns how often the two differed. */
static unsigned int
judge(unsigned int n, uint32_t number, bool set)
{
	const struct expr_ops *ops = judged[n].ops;
	const struct nft_feature *row = nft_feature_find(ops->features, number, set);
	unsigned int wrong = 0;

	for (unsigned int f = 0; f < 3; f++)
		for (unsigned int hook = 0; hook < HOOK_COUNT; hook++)
			for (unsigned int k = 0; k < 3; k++) {
				struct expr_ctx ctx = {.family = families[f],
					.chain_type = (uint8_t)kinds[k],
					.hooks = 1U << hook,
					.written = UINT32_MAX,
					.object = any_object};
				bool want = says(row, f, hook, k) &&
					    !(judged[n].one_family && families[f] == NFPROTO_IPV6);
				int rc = parse(ops, judged[n].fill, number, set, &ctx);

				wrong += rc != (want ? 0 : -EOPNOTSUPP);
			}
	return wrong;
}

static void
rows_and_parsers_agree(void)
{
	for (unsigned int n = 0; n < sizeof(judged) / sizeof(judged[0]); n++)
		for (uint32_t number = 0; number < judged[n].numbers; number++) {
			CU_ASSERT_EQUAL(judge(n, number, false), 0);
			if (judged[n].fill == fill_meta || judged[n].fill == fill_ct)
				CU_ASSERT_EQUAL(judge(n, number, true), 0);
		}
}

static void
no_key_is_forgotten(void)
{
	for (unsigned int n = 0; n < sizeof(judged) / sizeof(judged[0]); n++)
		for (uint32_t number = 0; number < judged[n].must_have; number++)
			CU_ASSERT_PTR_NOT_NULL(
				nft_feature_find(judged[n].ops->features, number, false));
	for (uint32_t key = NFT_CT_SRC_IP; key < __NFT_CT_MAX; key++)
		CU_ASSERT_PTR_NOT_NULL(nft_feature_find(expr_ct.features, key, false));
	for (uint32_t type = 1; type <= NFT_OBJECT_MAX; type++)
		CU_ASSERT_PTR_NOT_NULL(nft_feature_find(nft_objects, type, false));
	for (uint32_t attr = 1; attr <= NFTA_SET_ELEM_MAX; attr++)
		CU_ASSERT(attr == NFTA_SET_ELEM_FLAGS || attr == NFTA_SET_ELEM_PAD ||
			  nft_feature_find(nft_elem_attributes, attr, false) != NULL);
}

/* A row that is found by number has a number of its own; refusals say why. */
static void
rows_are_well_formed(void)
{
	static const struct nft_feature *const tables[] = {nft_families, nft_chain_types, nft_hooks,
		nft_set_attributes, nft_elem_attributes, nft_objects, nft_absent_expressions};
	const struct expr_ops *ops;

	for (unsigned int n = 0; (ops = expr_row(n)) != NULL; n++) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(ops->features);
		for (const struct nft_feature *f = ops->features; f->name != NULL; f++) {
			CU_ASSERT(
				f->text || nft_feature_find(ops->features, f->number, f->set) == f);
			CU_ASSERT(f->class != NFT_REFUSED || f->note != NULL);
		}
	}
	for (unsigned int n = 0; n < sizeof(tables) / sizeof(tables[0]); n++)
		for (const struct nft_feature *f = tables[n]; f->name != NULL; f++) {
			CU_ASSERT(f->text || nft_feature_find(tables[n], f->number, f->set) == f);
			CU_ASSERT(f->class != NFT_REFUSED || f->note != NULL);
		}
	for (const struct nft_feature *f = nft_absent_expressions; f->name != NULL; f++)
		CU_ASSERT_PTR_NULL(expr_find(f->name));
}

static void
flags_go_together_or_not(void)
{
	CU_ASSERT(nft_flags_built(nft_set_features, 0));
	CU_ASSERT(nft_flags_built(nft_set_features, NFT_SET_ANONYMOUS | NFT_SET_CONSTANT));
	CU_ASSERT(nft_flags_built(nft_set_features, NFT_SET_INTERVAL | NFT_SET_MAP));
	CU_ASSERT(nft_flags_built(nft_set_features, NFT_SET_CONCAT | NFT_SET_MAP));
	CU_ASSERT(nft_flags_built(nft_set_features, NFT_SET_CONCAT | NFT_SET_INTERVAL));
	CU_ASSERT(nft_flags_built(nft_set_features, NFT_SET_OBJECT));
	CU_ASSERT_FALSE(nft_flags_built(nft_set_features, 1U << 31));
	CU_ASSERT(nft_flags_built(nft_table_features, NFT_TABLE_F_DORMANT));
	CU_ASSERT(nft_flags_built(nft_table_features, NFT_TABLE_F_OWNER));
	CU_ASSERT_FALSE(nft_flags_built(nft_chain_features, NFT_CHAIN_BASE | NFT_CHAIN_HW_OFFLOAD));
	CU_ASSERT(nft_flags_built(nft_flowtable_features, NFT_FLOWTABLE_MASK));
	CU_ASSERT_FALSE(nft_flags_built(nft_flowtable_features, 1U << 2));
	/* No refused word is missing: each set flag of netlink is in a row of its own. */
	for (uint32_t flag = NFT_SET_ANONYMOUS; flag <= NFT_SET_EXPR; flag <<= 1)
		CU_ASSERT_PTR_NOT_NULL(nft_feature_find(nft_set_features, flag, false));
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"rows and parsers agree", rows_and_parsers_agree},
		{"no key is forgotten", no_key_is_forgotten},
		{"rows are well formed", rows_are_well_formed},
		{"flags go together, or not", flags_go_together_or_not},
		CU_TEST_INFO_NULL,
	};

	return unit_run("feature", tests);
}
