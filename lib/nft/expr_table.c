/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of expressions: a new one is a file under expr/ and a row here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "expr.h"
#include "expr_rows.h"

/* In the order of their names. */
static const struct expr_ops *const rows[] = {
	&expr_bitwise,
	&expr_byteorder,
	&expr_cmp,
	&expr_connlimit,
	&expr_counter,
	&expr_ct,
	&expr_dup,
	&expr_dynset,
	&expr_exthdr,
	&expr_fib,
	&expr_flow_offload,
	&expr_fwd,
	&expr_hash,
	&expr_immediate,
	&expr_last,
	&expr_limit,
	&expr_log,
	&expr_lookup,
	&expr_masq,
	&expr_match,
	&expr_meta,
	&expr_nat,
	&expr_notrack,
	&expr_numgen,
	&expr_objref,
	&expr_osf,
	&expr_payload,
	&expr_queue,
	&expr_quota,
	&expr_range,
	&expr_redir,
	&expr_reject,
	&expr_rt,
	&expr_socket,
	&expr_synproxy,
	&expr_target,
	&expr_tproxy,
	&expr_xfrm,
};

#define NOT_YET "not built yet"

/* What else Linux 6.18 has: refused by name. A row above replaces one here. */
const struct nft_feature nft_absent_expressions[] = {
	NFT_HAS_NOT("inner", 0, NOT_YET, .text = true),
	NFT_HAS_NOT("tunnel", 0, NOT_YET, .text = true),
	NFT_END,
};

int
expr_exists(const char *name, uint8_t family)
{
	const struct expr_ops *ops = expr_find(name);

	if (ops != NULL)
		return ops->families == 0 || (ops->families & nft_family_bit(family)) ? 0 : -ENOENT;
	for (const struct nft_feature *row = nft_absent_expressions; row->name != NULL; row++)
		if (strcmp(row->name, name) == 0)
			return -EOPNOTSUPP;
	return -ENOENT;
}

const struct expr_ops *
expr_row(unsigned int n)
{
	return n < sizeof(rows) / sizeof(rows[0]) ? rows[n] : NULL;
}

static int
compare(const void *name, const void *row)
{
	return strcmp(name, (*(const struct expr_ops *const *)row)->name);
}

const struct expr_ops *
expr_find(const char *name)
{
	const struct expr_ops *const *row =
		bsearch(name, rows, sizeof(rows) / sizeof(rows[0]), sizeof(rows[0]), compare);

	return row != NULL ? *row : NULL;
}
