/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each expression is to the compiler. One without a row is evaluated, and
 * may read any register.
 */
#include "compile_priv.h"
#include "expr_rows.h"

static const struct expr_compile rows[] = {
	{.ops = &expr_payload,
		.load = payload_load,
		.writes = payload_writes,
		.reads = payload_reads},
	{.ops = &expr_meta, .load = meta_load, .writes = meta_writes},
	{.ops = &expr_ct, .load = ct_load},
	{.ops = &expr_bitwise, .mask = bitwise_mask},
	{.ops = &expr_cmp, .test = cmp_test},
	{.ops = &expr_immediate, .writes = immediate_writes, .reads_none = true},
	{.ops = &expr_counter, .reads_none = true},
	{.ops = &expr_fib, .reads_none = true},
	{.ops = &expr_numgen, .reads_none = true},
	{.ops = &expr_rt, .reads_none = true},
	{.ops = &expr_flow_offload, .reads_none = true},
	{.ops = &expr_limit, .reads_none = true},
	{.ops = &expr_log, .reads_none = true},
	{.ops = &expr_match, .reads_none = true},
	{.ops = &expr_target, .reads_none = true},
	{.ops = &expr_notrack, .reads_none = true},
	{.ops = &expr_objref, .reads_none = true},
	{.ops = &expr_reject, .reads_none = true},
};

const struct expr_compile *
compile_row(const struct expr_ops *ops)
{
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].ops == ops)
			return &rows[i];
	return NULL;
}
