/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Append a rule of iptables' extensions, byte for byte: what no iptables sends any
 * more, or never did. To Linux, or by the preloaded shim to our store.
 * usage: xt_rule FAMILY TABLE CHAIN PROTO match|target NAME REVISION HEX [match ...]
 * PROTO: of NFTA_RULE_COMPAT, !N inverted, - without that attribute. A counter
 * comes before the first target, or at the end. Prints the errno, 0 for none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

static struct nlmsghdr *
begin(void *buf, uint16_t type, uint16_t flags, uint32_t seq, uint8_t family, uint16_t res)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->res_id = htons(res);
	return nlh;
}

static void
put_hex(struct nlmsghdr *nlh, uint16_t type, const char *hex)
{
	uint8_t bytes[1024];
	size_t n = 0;
	unsigned int byte;

	for (; n < sizeof(bytes) && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++) {
		bytes[n] = (uint8_t)byte;
		if (hex[2 * n + 1] == '\0')
			break;
	}
	mnl_attr_put(nlh, type, n, bytes);
}

static void
put_counter(struct nlmsghdr *nlh)
{
	struct nlattr *elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM), *data;

	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "counter");
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_put_u64(nlh, NFTA_COUNTER_BYTES, 0);
	mnl_attr_put_u64(nlh, NFTA_COUNTER_PACKETS, 0);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, elem);
}

static void
put_extension(struct nlmsghdr *nlh, char *const *words)
{
	struct nlattr *elem = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM), *data;

	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, words[0]);
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_put_strz(nlh, NFTA_MATCH_NAME, words[1]);
	mnl_attr_put_u32(nlh, NFTA_MATCH_REV, htonl((uint32_t)atoi(words[2])));
	put_hex(nlh, NFTA_MATCH_INFO, words[3]);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, elem);
}

static void
put_rule(struct nlmsghdr *nlh, char *const *words, int count)
{
	struct nlattr *nest;
	int counted = 0;

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, words[0]);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, words[1]);
	nest = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	for (int i = 3; i + 3 < count; i += 4) {
		if (strcmp(words[i], "target") == 0 && !counted++)
			put_counter(nlh);
		put_extension(nlh, words + i);
	}
	if (!counted)
		put_counter(nlh);
	mnl_attr_nest_end(nlh, nest);
	if (words[2][0] == '-')
		return;
	nest = mnl_attr_nest_start(nlh, NFTA_RULE_COMPAT);
	mnl_attr_put_u32(nlh, NFTA_RULE_COMPAT_PROTO,
		htonl((uint32_t)atoi(words[2] + (words[2][0] == '!'))));
	mnl_attr_put_u32(
		nlh, NFTA_RULE_COMPAT_FLAGS, htonl(words[2][0] == '!' ? NFT_RULE_COMPAT_F_INV : 0));
	mnl_attr_nest_end(nlh, nest);
}

/* The first error of a batch that ends with a message that is acknowledged. */
static int
talk(struct mnl_socket *nl, uint8_t *buf, size_t len)
{
	static uint8_t in[65536];

	if (mnl_socket_sendto(nl, buf, len) < 0)
		return errno;
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(nl, in, sizeof(in));
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)(void *)in;

		if (n < 0)
			return errno;
		if (nlh->nlmsg_type == NLMSG_ERROR)
			return -((const struct nlmsgerr *)mnl_nlmsg_get_payload(nlh))->error;
	}
}

int
main(int argc, char **argv)
{
	static uint8_t buf[16384];
	struct mnl_socket *nl;
	uint8_t family;
	size_t len = 0;

	if (argc < 9)
		return 2;
	family = strcmp(argv[1], "ip6") == 0	? NFPROTO_IPV6
		 : strcmp(argv[1], "inet") == 0 ? NFPROTO_INET
						: NFPROTO_IPV4;
	nl = mnl_socket_open(NETLINK_NETFILTER);
	if (nl == NULL || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		perror("netlink");
		return 1;
	}
	len += begin(buf, NFNL_MSG_BATCH_BEGIN, 0, 1, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
	{
		struct nlmsghdr *nlh = begin(buf + len, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE,
			NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK, 2, family, 0);

		put_rule(nlh, argv + 2, argc - 2);
		len += nlh->nlmsg_len;
	}
	len += begin(buf + len, NFNL_MSG_BATCH_END, 0, 3, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)
		       ->nlmsg_len;
	printf("%d\n", talk(nl, buf, len));
	mnl_socket_close(nl);
	return 0;
}
