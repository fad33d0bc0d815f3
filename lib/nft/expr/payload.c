/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * payload: bytes of the packet into registers (nft_payload.c).
 */
#include <errno.h>
#include <string.h>

#include "compile_priv.h"
#include "expr_rows.h"
#include "payload_priv.h"

/* By base. */
static const struct nft_feature features[] = {
	NFT_HAS("ether, vlan, @ll", NFT_PAYLOAD_LL_HEADER,
		.note = "the frame as it came; a packet that the router makes has none: no match"),
	NFT_HAS("ip, ip6, @nh", NFT_PAYLOAD_NETWORK_HEADER),
	NFT_HAS("tcp, udp, udplite, sctp, dccp, th, icmp, icmpv6, igmp, esp, ah, comp, @th",
		NFT_PAYLOAD_TRANSPORT_HEADER),
	NFT_HAS("@ih", NFT_PAYLOAD_INNER_HEADER, .note = "what TCP, UDP, GRE or IPIP carries"),
	NFT_HAS("any of them set to a value", 0, .set = true,
		.note = "its flow is never cached; a header that no longer holds together is "
			"dropped"),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct payload *p = (struct payload *)expr;
	const struct nft_feature *row;
	uint32_t base, offset, len;
	int rc;

	p->set = attrs[NFTA_PAYLOAD_SREG] != NULL;
	if (p->set && attrs[NFTA_PAYLOAD_DREG] != NULL)
		return attr_refuse(ctx, attrs[NFTA_PAYLOAD_DREG], -EINVAL);
	rc = attr_u32(attrs[NFTA_PAYLOAD_BASE], ctx, &base);
	if (rc == 0)
		rc = expr_feature(features, base, false, ctx, attrs[NFTA_PAYLOAD_BASE], &row);
	if (rc == 0)
		rc = attr_u32(attrs[NFTA_PAYLOAD_OFFSET], ctx, &offset);
	if (rc == 0 && offset > UINT8_MAX)
		rc = attr_refuse(ctx, attrs[NFTA_PAYLOAD_OFFSET], -ERANGE);
	if (rc == 0)
		rc = attr_u32(attrs[NFTA_PAYLOAD_LEN], ctx, &len);
	if (rc == 0 && (len == 0 || len > NFT_DATA_MAX))
		rc = attr_refuse(ctx, attrs[NFTA_PAYLOAD_LEN], -ERANGE);
	if (rc == 0)
		rc = p->set ? attr_load(attrs[NFTA_PAYLOAD_SREG], ctx, len, &p->reg)
			    : attr_reg(attrs[NFTA_PAYLOAD_DREG], ctx, len, &p->reg);
	if (rc != 0)
		return rc;
	p->base = (uint8_t)base;
	p->offset = (uint8_t)offset;
	p->len = (uint8_t)len;
	p->fast = !p->set &&
		  (base == NFT_PAYLOAD_NETWORK_HEADER || base == NFT_PAYLOAD_TRANSPORT_HEADER) &&
		  (len == 1 || len == 2 || len == 4) && offset % len == 0;
	return p->set ? payload_parse_set(p, attrs, ctx) : 0;
}

/* What GRE carries, behind the fields that its flags announce; -1: unknown. */
static int
behind_gre(const struct pkt *pkt, const uint8_t *gre, uint32_t room)
{
	int at = 4;

	if (room < 4 || (gre[1] & 7) != 0)
		return -1;
	at += gre[0] & 0x80 ? 4 : 0; /* checksum */
	at += gre[0] & 0x20 ? 4 : 0; /* key */
	at += gre[0] & 0x10 ? 4 : 0; /* sequence number */
	return pkt->l4_off + at;
}

/* nft_payload_inner_offset */
static int
inner_of(const struct pkt *pkt)
{
	uint32_t room = (uint32_t)pkt->l2_len + pkt->ip_len - pkt->l4_off;
	const uint8_t *l4 = rte_pktmbuf_mtod_offset(pkt_mbuf(pkt), const uint8_t *, pkt->l4_off);

	if (pkt->flags & PKT_LATER_FRAGMENT)
		return -1;
	switch (pkt->l4_proto) {
	case IPPROTO_UDP: return pkt->l4_off + 8;
	case IPPROTO_TCP: return room < 20 ? -1 : pkt->l4_off + (l4[12] >> 4) * 4;
	case IPPROTO_GRE: return behind_gre(pkt, l4, room);
	case IPPROTO_IPIP: return pkt->l4_off;
	default: return -1;
	}
}

/* The fast form reads a later fragment's data as if it were the header (nft_payload_fast_eval). */
int
payload_base(const struct payload *p, const struct pkt *pkt)
{
	switch (p->base) {
	case NFT_PAYLOAD_LL_HEADER:
		/* What the router makes has no Ethernet header before it leaves. */
		return pkt->in_port == PORT_NONE && pkt->hook != HOOK_EGRESS ? -1 : 0;
	case NFT_PAYLOAD_NETWORK_HEADER: return pkt->l2_len;
	case NFT_PAYLOAD_INNER_HEADER: return inner_of(pkt);
	default:
		if (((pkt->flags & PKT_LATER_FRAGMENT) && !p->fast) || pkt_is_other(pkt))
			return -1;
		return pkt->l4_off;
	}
}

/* Bits of the byte at an offset that differ between packets of a flow that pass all guards. */
static uint8_t
unknown_ip4(unsigned int offset)
{
	switch (offset) {
	case 0:		     /* version 4, IHL 5 */
	case 7:		     /* no fragment */
	case 9: return 0;    /* protocol */
	case 6: return 0xc0; /* but for DF and the reserved bit */
	default: return offset >= 12 && offset < 20 ? 0 : 0xff;
	}
}

static uint8_t
unknown_ip6(unsigned int offset)
{
	if (offset == 0)
		return 0x0f;
	return offset == 6 || (offset >= 8 && offset < 40) ? 0 : 0xff;
}

/* Ports; of TCP's flags those that the guards fix. */
static uint8_t
unknown_l4(const struct pkt *pkt, unsigned int offset)
{
	if (pkt->l4_proto != IPPROTO_TCP && pkt->l4_proto != IPPROTO_UDP)
		return 0xff;
	if (offset < 4)
		return 0;
	return pkt->l4_proto == IPPROTO_TCP && offset == 13 ? (uint8_t)~0x17 : 0xff;
}

static uint8_t
unknown_at(const struct payload *p, const struct pkt *pkt, unsigned int offset)
{
	switch (p->base) {
	/* The port's MAC and the EtherType; who sent it may change, but at egress it is we. */
	case NFT_PAYLOAD_LL_HEADER:
		return offset >= 6 && offset < 12 && pkt->hook != HOOK_EGRESS ? 0xff : 0;
	case NFT_PAYLOAD_NETWORK_HEADER:
		return pkt->flags & PKT_IPV6 ? unknown_ip6(offset) : unknown_ip4(offset);
	case NFT_PAYLOAD_TRANSPORT_HEADER: return unknown_l4(pkt, offset);
	default: return 0xff;
	}
}

/* What is loaded, bit by bit: the same for the whole flow, or not. */
static void
mark(const struct payload *p, struct nft_eval *eval)
{
	uint8_t *unknown = (uint8_t *)&eval->unknown[p->reg];

	nft_mark(eval, p->reg, p->len, 0);
	for (unsigned int i = 0; i < p->len; i++)
		unknown[i] = unknown_at(p, eval->pkt, p->offset + i);
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct payload *p = (const struct payload *)expr;
	const struct pkt *pkt = eval->pkt;
	uint32_t end = (uint32_t)pkt->l2_len + pkt->ip_len;
	uint32_t words = (p->len + 3U) / 4;
	int base;

	if (p->set) {
		payload_set(p, eval);
		return;
	}
	base = payload_base(p, pkt);
	if (base < 0 || (uint32_t)base + p->offset + p->len > end) {
		nft_break(eval);
		return;
	}
	eval->regs.word[p->reg + words - 1] = 0;
	mark(p, eval);
	memcpy(nft_reg(eval, p->reg),
		rte_pktmbuf_mtod_offset(pkt_mbuf(pkt), const uint8_t *, base + p->offset), p->len);
}

/* A key if all its bits are the same for a flow, or all of none: by family. */
bool
payload_load(const struct expr *expr, struct match_key *key, uint8_t *reg)
{
	const struct payload *p = (const struct payload *)expr;

	if (p->set || p->len > MATCH_MAX ||
		(p->base != NFT_PAYLOAD_NETWORK_HEADER && p->base != NFT_PAYLOAD_TRANSPORT_HEADER))
		return false;
	*reg = p->reg;
	*key = (struct match_key){
		.from = p->base == NFT_PAYLOAD_NETWORK_HEADER ? FROM_NETWORK : FROM_TRANSPORT,
		.offset = p->offset,
		.len = p->len,
		.fast = p->fast};
	for (unsigned int i = 0; i < p->len; i++) {
		unsigned int at = p->offset + i;

		if (key->from == FROM_TRANSPORT && at >= 4)
			return false; /* what differs hangs on the protocol */
		if (key->from == FROM_NETWORK) {
			uint8_t ip4 = unknown_ip4(at), ip6 = unknown_ip6(at);

			/* Some bits of a byte: a mask decides, and the reference does. */
			if ((ip4 != 0 && ip4 != 0xff) || (ip6 != 0 && ip6 != 0xff))
				return false;
			key->unsafe[0] |= (uint16_t)((ip4 != 0) << i);
			key->unsafe[1] |= (uint16_t)((ip6 != 0) << i);
		}
	}
	return true;
}

uint32_t
payload_writes(const struct expr *expr)
{
	const struct payload *p = (const struct payload *)expr;

	return p->set ? 0 : words_of(p->reg, p->len);
}

uint32_t
payload_reads(const struct expr *expr)
{
	const struct payload *p = (const struct payload *)expr;

	return p->set ? words_of(p->reg, p->len) : 0;
}

const struct expr_ops expr_payload = {"payload", sizeof(struct payload), NFTA_PAYLOAD_CSUM_FLAGS,
	parse, evaluate, false, features, 0};
