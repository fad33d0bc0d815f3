/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests of iptables-nft: for each extension the question for its revision, and
 * a batch with tables, counted base chains and a rule with it; chains renamed.
 */
#include "fuzz_xt.h"

#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

#include "xt.h"

static struct nlmsghdr *
begin(uint8_t *out, uint8_t subsystem, uint8_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(out);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (uint16_t)(subsystem << 8 | type);
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->res_id = subsystem == 0 ? htons(NFNL_SUBSYS_NFTABLES) : 0;
	return nlh;
}

static size_t
put_chain(
	uint8_t *out, uint8_t family, const char *table, const char *name, const struct nft_xt *xt)
{
	struct nlmsghdr *nlh =
		begin(out, NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWCHAIN, NLM_F_CREATE, family);
	bool nat = strcmp(table, "nat") == 0;
	uint32_t hook = xt->hooks != 0 ? (uint32_t)__builtin_ctz(xt->hooks) : NF_INET_FORWARD;
	struct nlattr *nest;

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, name);
	if (strcmp(name, "base") == 0) {
		nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
		mnl_attr_put_u32(nlh, NFTA_HOOK_HOOKNUM, htonl(hook));
		mnl_attr_put_u32(nlh, NFTA_HOOK_PRIORITY, htonl(100));
		mnl_attr_nest_end(nlh, nest);
		mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, nat ? "nat" : "filter");
		nest = mnl_attr_nest_start(nlh, NFTA_CHAIN_COUNTERS);
		mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, htobe64(5));
		mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, htobe64(500));
		mnl_attr_nest_end(nlh, nest);
	}
	return nlh->nlmsg_len;
}

static void
put_extension(struct nlmsghdr *nlh, const struct nft_xt *xt)
{
	static const uint8_t zero[512];
	struct nlattr *elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM), *data;

	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, xt->target != NULL ? "target" : "match");
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_put_strz(nlh, NFTA_MATCH_NAME, xt->name);
	mnl_attr_put_u32(nlh, NFTA_MATCH_REV, htonl(xt->revision));
	mnl_attr_put(nlh, NFTA_MATCH_INFO, NFT_XT_ALIGN(xt->size), zero);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, elem);
}

static void
put_jump(struct nlmsghdr *nlh)
{
	struct nlattr *nests[4];

	nests[0] = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "immediate");
	nests[1] = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_put_u32(nlh, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
	nests[2] = mnl_attr_nest_start(nlh, NFTA_IMMEDIATE_DATA);
	nests[3] = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);
	mnl_attr_put_u32(nlh, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_JUMP));
	mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, "other");
	for (int i = 4; i-- > 0;)
		mnl_attr_nest_end(nlh, nests[i]);
}

static size_t
put_rule(uint8_t *out, uint8_t family, const char *table, const struct nft_xt *xt)
{
	struct nlmsghdr *nlh = begin(
		out, NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, family);
	struct nlattr *nest;

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, "base");
	nest = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	put_extension(nlh, xt);
	put_jump(nlh);
	mnl_attr_nest_end(nlh, nest);
	nest = mnl_attr_nest_start(nlh, NFTA_RULE_COMPAT);
	mnl_attr_put_u32(nlh, NFTA_RULE_COMPAT_PROTO, htonl(xt->proto != 0 ? xt->proto : 6));
	mnl_attr_put_u32(nlh, NFTA_RULE_COMPAT_FLAGS, 0);
	mnl_attr_nest_end(nlh, nest);
	return nlh->nlmsg_len;
}

static size_t
put_batch(uint8_t *out, uint8_t family, const struct nft_xt *xt)
{
	const char *table = xt->table != NULL ? xt->table : "filter";
	struct nlmsghdr *nlh;
	size_t len = begin(out, 0, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC)->nlmsg_len;

	nlh = begin(out + len, NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWTABLE, NLM_F_CREATE, family);
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, table);
	len += nlh->nlmsg_len;
	len += put_chain(out + len, family, table, "base", xt);
	len += put_chain(out + len, family, table, "other", xt);
	len += put_rule(out + len, family, table, xt);
	/* The second chain of the table; some other one, if it was there before. */
	nlh = begin(out + len, NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWCHAIN, 0, family);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, table);
	mnl_attr_put_u64(nlh, NFTA_CHAIN_HANDLE, htobe64(2));
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, "renamed");
	len += nlh->nlmsg_len;
	return len + begin(out + len, 0, NFNL_MSG_BATCH_END, 0, AF_UNSPEC)->nlmsg_len;
}

size_t
fuzz_xt_request(unsigned int n, uint8_t *out)
{
	const struct nft_xt *xt = nft_xt_row(n / 2);
	uint8_t family;
	struct nlmsghdr *nlh;

	if (xt == NULL)
		return 0;
	family = xt->families == NFT_ON_IP6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	if (n % 2 == 0)
		return put_batch(out, family, xt);
	nlh = begin(out, NFNL_SUBSYS_NFT_COMPAT, NFNL_MSG_COMPAT_GET, NLM_F_ACK, family);
	mnl_attr_put_strz(nlh, NFTA_COMPAT_NAME, xt->name);
	mnl_attr_put_u32(nlh, NFTA_COMPAT_REV, htonl(xt->revision));
	mnl_attr_put_u32(nlh, NFTA_COMPAT_TYPE, htonl(xt->target != NULL));
	return nlh->nlmsg_len;
}
