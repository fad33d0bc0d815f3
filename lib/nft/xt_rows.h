/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * iptables' extensions, for the table and for tests. The number is the revision;
 * 4 and 6 stand for the family where Linux has one for each.
 */
#ifndef SHUNT_NFT_XT_ROWS_H
#define SHUNT_NFT_XT_ROWS_H

#include "xt.h"

/** Each as its file under xt/ says. Static. */
extern const struct nft_xt xt_addrtype_0, xt_addrtype_1, xt_comment_0, xt_connmark_match_1,
	xt_conntrack_1, xt_conntrack_2, xt_conntrack_3, xt_icmp_0, xt_icmp6_0, xt_limit_0,
	xt_mark_match_1, xt_multiport_1, xt_state_0, xt_tcp_0, xt_udp_0, xt_udplite_0;
extern const struct nft_xt xt_connmark_1, xt_connmark_2, xt_ct_0, xt_ct_1, xt_ct_2, xt_dnat_0,
	xt_dnat_1, xt_dnat_2, xt_log_0, xt_mark_2, xt_masquerade4_0, xt_masquerade6_0, xt_notrack_0,
	xt_redirect4_0, xt_redirect6_0, xt_reject4_0, xt_reject6_0, xt_snat_0, xt_snat_1, xt_snat_2,
	xt_tcpmss4_0, xt_tcpmss6_0;

#endif
