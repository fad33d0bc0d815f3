/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What iptables-nft says beside nft's own messages (nft_compat.c).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <linux/netfilter/nf_tables_compat.h>

#include "wire_priv.h"
#include "xt.h"

int
wire_compat(struct wire_msg *msg, struct store_rule *rule)
{
	const struct nlattr *attrs[NFTA_RULE_COMPAT_MAX + 1];
	uint32_t proto = 0, flags = 0;
	int rc = wire_attrs(msg, msg->attrs[NFTA_RULE_COMPAT], attrs, NFTA_RULE_COMPAT_MAX);

	if (rc == 0)
		rc = wire_u32(msg, attrs[NFTA_RULE_COMPAT_PROTO], &proto);
	if (rc == 0)
		rc = wire_u32(msg, attrs[NFTA_RULE_COMPAT_FLAGS], &flags);
	if (rc == 0 && ((flags & ~(uint32_t)NFT_RULE_COMPAT_F_MASK) || proto > UINT16_MAX))
		rc = -EINVAL;
	if (rc != 0)
		return wire_refuse(msg, NULL, rc);
	rule->compat_proto = (uint16_t)proto;
	rule->compat_invert = flags & NFT_RULE_COMPAT_F_INV;
	return 0;
}

void
wire_keep_info(struct nlmsghdr *nlh, const struct nlattr *data, const struct nlattr *info,
	uint8_t family, bool target)
{
	const struct nft_xt *xt = nft_xt_named(family, data, target);
	uint16_t shown = xt->shown != 0 ? xt->shown : xt->size;
	uint16_t len = NFT_XT_ALIGN(xt->size);
	struct nlattr *out = mnl_nlmsg_get_payload_tail(nlh);

	/* It was parsed: the last one is as long as the struct at least, others mean nothing. */
	if (mnl_attr_get_payload_len(info) < xt->size)
		return;
	out->nla_type = info->nla_type;
	out->nla_len = (uint16_t)(MNL_ATTR_HDRLEN + len);
	memcpy(mnl_attr_get_payload(out), mnl_attr_get_payload(info), shown);
	memset((uint8_t *)mnl_attr_get_payload(out) + shown, 0, len - shown);
	nlh->nlmsg_len += MNL_ALIGN(out->nla_len);
}

void
wire_get_compat(struct wire_msg *msg)
{
	uint32_t revision, target, best;
	struct nlmsghdr *nlh;
	char name[STORE_NAME];
	int rc = wire_name(msg, msg->attrs[NFTA_COMPAT_NAME], name);

	if (rc == 0)
		rc = wire_u32(msg, msg->attrs[NFTA_COMPAT_REV], &revision);
	if (rc == 0)
		rc = wire_u32(msg, msg->attrs[NFTA_COMPAT_TYPE], &target);
	if (rc == 0 && ((msg->nlh->nlmsg_type & 0xff) != NFNL_MSG_COMPAT_GET ||
			       (msg->family != NFPROTO_IPV4 && msg->family != NFPROTO_IPV6)))
		rc = -EINVAL;
	if (rc == 0)
		rc = nft_xt_revision(msg->family, name, revision, target == 1, &best);
	if (rc != 0) {
		wire_error(msg->client, msg->nlh, rc, NULL);
		return;
	}
	nlh = wire_begin(
		msg->wire, NFNL_MSG_COMPAT_GET, NLM_F_MULTI, msg->nlh->nlmsg_seq, msg->family);
	nlh->nlmsg_type = NFNL_SUBSYS_NFT_COMPAT << 8 | NFNL_MSG_COMPAT_GET;
	((struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->res_id = 0;
	mnl_attr_put_strz(nlh, NFTA_COMPAT_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_COMPAT_REV, htonl(best));
	mnl_attr_put_u32(nlh, NFTA_COMPAT_TYPE, htonl(target));
	wire_send(msg->client, nlh, false);
	if (msg->nlh->nlmsg_flags & NLM_F_ACK)
		wire_error(msg->client, msg->nlh, 0, NULL);
}
