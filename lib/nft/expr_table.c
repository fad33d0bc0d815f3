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
	&expr_flow_offload,
	&expr_immediate,
	&expr_limit,
	&expr_log,
	&expr_lookup,
	&expr_masq,
	&expr_meta,
	&expr_nat,
	&expr_notrack,
	&expr_objref,
	&expr_payload,
	&expr_range,
	&expr_redir,
	&expr_reject,
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
