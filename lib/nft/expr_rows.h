/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The operations of every expression, for the table and for tests.
 */
#ifndef SHUNT_NFT_EXPR_ROWS_H
#define SHUNT_NFT_EXPR_ROWS_H

#include "expr.h"

/** Each as its file under expr/ says. Static. */
extern const struct expr_ops expr_bitwise, expr_byteorder, expr_cmp, expr_counter, expr_ct,
	expr_dynset, expr_exthdr, expr_fib, expr_numgen, expr_rt, expr_flow_offload, expr_immediate,
	expr_limit, expr_log, expr_lookup, expr_masq, expr_match, expr_meta, expr_nat, expr_notrack,
	expr_objref, expr_payload, expr_range, expr_redir, expr_reject, expr_quota, expr_last,
	expr_hash, expr_connlimit, expr_dup, expr_fwd, expr_osf, expr_queue, expr_socket,
	expr_synproxy, expr_tproxy, expr_xfrm, expr_target;

#endif
