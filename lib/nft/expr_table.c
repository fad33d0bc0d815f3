/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of expressions: a new one is a file under expr/ and a row here.
 */
#include <string.h>

#include "expr.h"
#include "expr_rows.h"

static const struct expr_ops *const rows[] = {
	&expr_bitwise,
	&expr_byteorder,
	&expr_cmp,
	&expr_counter,
	&expr_ct,
	&expr_dynset,
	&expr_exthdr,
	&expr_fib,
	&expr_flow_offload,
	&expr_immediate,
	&expr_limit,
	&expr_log,
	&expr_lookup,
	&expr_masq,
	&expr_meta,
	&expr_nat,
	&expr_notrack,
	&expr_numgen,
	&expr_objref,
	&expr_payload,
	&expr_range,
	&expr_redir,
	&expr_reject,
	&expr_rt,
};

#define NOT_YET "not built yet"

/* What else Linux 6.18 has: refused by name. A row above replaces one here. */
const struct nft_feature nft_absent_expressions[] = {
	NFT_HAS_NOT("connlimit", 0, "`ct count`: " NOT_YET, .text = true),
	NFT_HAS_NOT("dup", 0, NOT_YET, .text = true),
	NFT_HAS_NOT("fwd", 0, "family netdev only", .text = true),
	NFT_HAS_NOT("hash", 0, "`jhash`, `symhash`: " NOT_YET, .text = true),
	NFT_HAS_NOT("inner", 0, NOT_YET, .text = true),
	NFT_HAS_NOT("last", 0, NOT_YET, .text = true),
	NFT_HAS_NOT("osf", 0, NOT_YET, .text = true),
	NFT_HAS_NOT("queue", 0, "no packet leaves for userspace", .text = true),
	NFT_HAS_NOT("quota", 0, NOT_YET, .text = true),
	NFT_HAS_NOT("socket", 0, "a packet has no socket here yet", .text = true),
	NFT_HAS_NOT("synproxy", 0, NOT_YET, .text = true),
	NFT_HAS_NOT("tproxy", 0, "a packet has no socket to go to", .text = true),
	NFT_HAS_NOT("tunnel", 0, NOT_YET, .text = true),
	NFT_HAS_NOT("xfrm", 0, "`ipsec`: " NOT_YET, .text = true),
	NFT_HAS_NOT("match, target", 0, "iptables' extensions", .text = true),
	NFT_END,
};

const struct expr_ops *
expr_row(unsigned int n)
{
	return n < sizeof(rows) / sizeof(rows[0]) ? rows[n] : NULL;
}

const struct expr_ops *
expr_find(const char *name)
{
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i]->name, name) == 0)
			return rows[i];
	return NULL;
}
