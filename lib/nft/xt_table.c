/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of iptables' extensions: a new one is a file under xt/ and a row here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <linux/netfilter/nf_tables_compat.h>

#include "xt_rows.h"

static const struct nft_xt *const rows[] = {
	&xt_addrtype_0,
	&xt_addrtype_1,
	&xt_comment_0,
	&xt_connmark_match_1,
	&xt_conntrack_1,
	&xt_conntrack_2,
	&xt_conntrack_3,
	&xt_icmp_0,
	&xt_icmp6_0,
	&xt_limit_0,
	&xt_mark_match_1,
	&xt_multiport_1,
	&xt_state_0,
	&xt_tcp_0,
	&xt_udp_0,
	&xt_udplite_0,
	&xt_connmark_1,
	&xt_connmark_2,
	&xt_ct_0,
	&xt_ct_1,
	&xt_ct_2,
	&xt_dnat_0,
	&xt_dnat_1,
	&xt_dnat_2,
	&xt_log_0,
	&xt_mark_2,
	&xt_masquerade4_0,
	&xt_masquerade6_0,
	&xt_notrack_0,
	&xt_redirect4_0,
	&xt_redirect6_0,
	&xt_reject4_0,
	&xt_reject6_0,
	&xt_snat_0,
	&xt_snat_1,
	&xt_snat_2,
	&xt_tcpmss4_0,
	&xt_tcpmss6_0,
};

const struct nft_xt *
nft_xt_row(unsigned int n)
{
	return n < sizeof(rows) / sizeof(rows[0]) ? rows[n] : NULL;
}

/* Whether an extension is one of that name, for the family. */
static bool
fits(const struct nft_xt *xt, uint8_t family, const char *name, bool target)
{
	uint8_t bit = nft_family_bit(family);

	return (xt->target != NULL) == target && (xt->families == 0 || (xt->families & bit)) &&
	       strcmp(xt->name, name) == 0;
}

const struct nft_xt *
nft_xt_find(uint8_t family, const char *name, uint32_t revision, bool target)
{
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i]->revision == revision && fits(rows[i], family, name, target))
			return rows[i];
	return NULL;
}

int
nft_xt_revision(uint8_t family, const char *name, uint32_t revision, bool target, uint32_t *best)
{
	bool any = false, found = false;

	*best = 0;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!fits(rows[i], family, name, target))
			continue;
		any = true;
		found |= rows[i]->revision == revision;
		if (rows[i]->revision > *best)
			*best = rows[i]->revision;
	}
	if (!any)
		return -ENOENT;
	return found ? 0 : -EPROTONOSUPPORT;
}

const struct nft_xt *
nft_xt_named(uint8_t family, const struct nlattr *data, bool target)
{
	char name[NFT_COMPAT_NAME_MAX] = "";
	uint32_t revision = UINT32_MAX;
	const struct nlattr *attr;

	if (data == NULL)
		return NULL;
	/* The attributes of `match` and of `target` have the same numbers. */
	mnl_attr_for_each_nested (attr, data) {
		size_t len = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) == NFTA_MATCH_NAME) {
			len = strnlen(mnl_attr_get_payload(attr), len);
			if (len >= sizeof(name))
				return NULL;
			memcpy(name, mnl_attr_get_payload(attr), len);
			name[len] = '\0';
		} else if (mnl_attr_get_type(attr) == NFTA_MATCH_REV && len == sizeof(revision)) {
			revision = ntohl(mnl_attr_get_u32(attr));
		}
	}
	return nft_xt_find(family, name, revision, target);
}
