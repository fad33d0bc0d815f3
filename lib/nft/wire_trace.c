/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What befalls traced packets, told to `nft monitor trace` (nft_trace_notify);
 * and who listens at all.
 */
#include <arpa/inet.h>

#include "trace.h"
#include "wire_priv.h"

#define GROUP (1U << NFNLGRP_NFTRACE)

/* Newer than the headers of Debian 12; Linux has them since 6.17. */
enum {
	TRACE_CT_ID = NFTA_TRACE_PAD + 1,
	TRACE_CT_DIRECTION,
	TRACE_CT_STATUS,
	TRACE_CT_STATE,
};

void
wire_listeners(struct nft_wire *wire)
{
	bool tracing = false;

	for (const struct nft_client *c = wire->clients; c != NULL; c = c->next)
		tracing = tracing || (c->groups & GROUP);
	if (tracing == wire->tracing)
		return;
	wire->tracing = tracing;
	if (wire->on_tracing != NULL)
		wire->on_tracing(wire->on_tracing_ctx, tracing);
}

void
nft_wire_on_tracing(struct nft_wire *wire, void (*tracing)(void *ctx, bool on), void *ctx)
{
	wire->on_tracing = tracing;
	wire->on_tracing_ctx = ctx;
}

static void
put_be32(struct nlmsghdr *nlh, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(nlh, type, htonl(value));
}

/* An interface, all of them ARPHRD_ETHER. */
static void
put_interface(struct nlmsghdr *nlh, uint16_t index_type, uint32_t index)
{
	if (index == 0)
		return;
	put_be32(nlh, index_type, index);
	mnl_attr_put_u16(nlh, (uint16_t)(index_type + 1), htons(1));
}

static void
put_header(struct nlmsghdr *nlh, uint16_t type, const uint8_t *data, uint8_t len)
{
	if (len != 0)
		mnl_attr_put(nlh, type, len, data);
}

static void
put_packet(struct nlmsghdr *nlh, const struct nft_trace_event *event)
{
	put_interface(nlh, NFTA_TRACE_IIF, event->in_index);
	put_interface(nlh, NFTA_TRACE_OIF, event->out_index);
	put_header(nlh, NFTA_TRACE_NETWORK_HEADER, event->network, event->network_len);
	put_header(nlh, NFTA_TRACE_TRANSPORT_HEADER, event->transport, event->transport_len);
	put_header(nlh, NFTA_TRACE_LL_HEADER, event->link, event->link_len);
	if (event->ct_state == 0)
		return;
	put_be32(nlh, TRACE_CT_STATE, event->ct_state);
	if (!event->conn)
		return;
	mnl_attr_put_u8(nlh, TRACE_CT_DIRECTION, event->ct_reply);
	mnl_attr_put_u32(nlh, TRACE_CT_ID, event->ct_id);
	if (event->ct_status != 0)
		put_be32(nlh, TRACE_CT_STATUS, event->ct_status);
}

/* nft_verdict_dump */
static void
put_verdict(struct nlmsghdr *nlh, const struct nft_trace_event *event)
{
	/* Without the flag of nests, as Linux has it here. */
	struct nlattr *nest = mnl_nlmsg_get_payload_tail(nlh);

	mnl_attr_put(nlh, NFTA_TRACE_VERDICT, 0, NULL);
	put_be32(nlh, NFTA_VERDICT_CODE, (uint32_t)event->verdict);
	if (event->target != NULL)
		mnl_attr_put_strz(nlh, NFTA_VERDICT_CHAIN, event->target->name);
	nest->nla_len = (uint16_t)((uint8_t *)mnl_nlmsg_get_payload_tail(nlh) - (uint8_t *)nest);
}

void
nft_wire_trace(struct nft_wire *wire, const struct nft_trace_event *event)
{
	struct nlmsghdr *nlh = wire_begin(wire, NFT_MSG_TRACE, 0, 0, event->family);
	const struct nft_chain_code *chain = event->chain;

	((struct nfgenmsg *)mnl_nlmsg_get_payload(nlh))->res_id = 0;
	put_be32(nlh, NFTA_TRACE_NFPROTO, event->nfproto);
	put_be32(nlh, NFTA_TRACE_TYPE, event->type);
	mnl_attr_put_u32(nlh, NFTA_TRACE_ID, event->id);
	mnl_attr_put_strz(nlh, NFTA_TRACE_CHAIN, chain->name);
	mnl_attr_put_strz(nlh, NFTA_TRACE_TABLE, chain->table);
	if (event->rule != 0)
		wire_put_u64(nlh, NFTA_TRACE_RULE_HANDLE, event->rule);
	if (event->type == NFT_TRACETYPE_POLICY)
		put_be32(nlh, NFTA_TRACE_POLICY, (uint32_t)event->verdict);
	else
		put_verdict(nlh, event);
	if (event->mark != 0)
		put_be32(nlh, NFTA_TRACE_MARK, event->mark);
	if (event->packet)
		put_packet(nlh, event);
	for (struct nft_client *c = wire->clients; c != NULL; c = c->next)
		if (c->groups & GROUP)
			wire_send(c, nlh, true);
}

void
nft_wire_lost(struct nft_wire *wire, unsigned int group)
{
	for (struct nft_client *c = wire->clients; c != NULL; c = c->next)
		if (group < 32 && (c->groups & 1U << group))
			c->send(c->ctx, NULL, 0, true);
}
