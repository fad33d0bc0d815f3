/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exthdr: TCP options, read and set, and IPv6 extension headers (nft_exthdr.c).
 */
#include <errno.h>
#include <string.h>

#include <rte_ip.h>
#include <rte_tcp.h>

#include "checksum.h"
#include "expr_rows.h"

#define TCPOPT_NOP 1
#define TCPOPT_MSS 2

struct exthdr {
	struct expr head;
	uint8_t reg;
	uint8_t op; /* enum nft_exthdr_op */
	uint8_t type;
	uint8_t offset;
	uint8_t len;
	bool present;
	bool set;
	bool strip;
};

#define NOT_YET "not built yet"

static const struct nft_feature features[] = {
	NFT_HAS("exthdr", NFT_EXTHDR_OP_IPV6, .note = "IPv6 extension headers"),
	NFT_HAS("tcp option", NFT_EXTHDR_OP_TCPOPT),
	NFT_HAS_NOT("ip option", NFT_EXTHDR_OP_IPV4, NOT_YET),
	NFT_HAS_NOT("sctp chunk", NFT_EXTHDR_OP_SCTP, NOT_YET),
	NFT_HAS_NOT("dccp option", NFT_EXTHDR_OP_DCCP, NOT_YET),
	NFT_HAS("tcp option set", NFT_EXTHDR_OP_TCPOPT, .set = true,
		.note = "`maxseg` becomes smaller only"),
	NFT_END,
};

static int
parse(struct expr *expr, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	struct exthdr *e = (struct exthdr *)expr;
	const struct nlattr *type = attrs[NFTA_EXTHDR_TYPE];
	const struct nft_feature *row;
	uint32_t op, offset, len, flags;
	int rc = attr_u32_or(attrs[NFTA_EXTHDR_OP], ctx, NFT_EXTHDR_OP_IPV6, &op);

	e->set = attrs[NFTA_EXTHDR_SREG] != NULL;
	/* Neither: `reset tcp option`, which takes it out (nft_exthdr_tcp_strip_init). */
	e->strip = !e->set && attrs[NFTA_EXTHDR_DREG] == NULL;
	if (e->strip && (op != NFT_EXTHDR_OP_TCPOPT || attrs[NFTA_EXTHDR_FLAGS] != NULL))
		return attr_refuse(ctx, NULL, -EOPNOTSUPP);
	if (rc == 0)
		rc = expr_feature(features, op, e->set, ctx, attrs[NFTA_EXTHDR_OP], &row);
	if (rc == 0 && (type == NULL || mnl_attr_get_payload_len(type) != 1))
		rc = attr_refuse(ctx, type, -EINVAL);
	e->type = rc == 0 ? mnl_attr_get_u8(type) : 0;
	if (rc != 0 || e->strip)
		return rc;
	if (rc == 0)
		rc = attr_u32(attrs[NFTA_EXTHDR_OFFSET], ctx, &offset);
	if (rc == 0 && offset > UINT8_MAX)
		rc = attr_refuse(ctx, attrs[NFTA_EXTHDR_OFFSET], -ERANGE);
	if (rc == 0)
		rc = attr_u32(attrs[NFTA_EXTHDR_LEN], ctx, &len);
	if (rc == 0 && (len == 0 || len > NFT_DATA_MAX || (e->set && len != 2 && len != 4)))
		rc = attr_refuse(ctx, attrs[NFTA_EXTHDR_LEN], e->set ? -EINVAL : -ERANGE);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_EXTHDR_FLAGS], ctx, 0, &flags);
	if (rc == 0 && (flags & ~(uint32_t)NFT_EXTHDR_F_PRESENT))
		rc = attr_refuse(ctx, attrs[NFTA_EXTHDR_FLAGS], -EINVAL);
	if (rc == 0)
		rc = e->set ? attr_load(attrs[NFTA_EXTHDR_SREG], ctx, len, &e->reg)
			    : attr_reg(attrs[NFTA_EXTHDR_DREG], ctx,
				      flags & NFT_EXTHDR_F_PRESENT ? 4 : len, &e->reg);
	if (rc != 0)
		return rc;
	e->op = (uint8_t)op;
	e->offset = (uint8_t)offset;
	e->len = (uint8_t)len;
	e->present = flags & NFT_EXTHDR_F_PRESENT;
	return 0;
}

/* The TCP header with its options, or NULL. */
static uint8_t *
tcp_of(const struct pkt *pkt, uint32_t *len)
{
	uint32_t left = (uint32_t)pkt->ip_len + pkt->l2_len - pkt->l4_off;
	struct rte_tcp_hdr *tcp;

	if (pkt->l4_proto != IPPROTO_TCP || (pkt->flags & PKT_LATER_FRAGMENT) ||
		left < sizeof(*tcp))
		return NULL;
	tcp = rte_pktmbuf_mtod_offset(pkt_mbuf(pkt), struct rte_tcp_hdr *, pkt->l4_off);
	*len = (uint32_t)(tcp->data_off >> 4) * 4;
	return *len >= sizeof(*tcp) && *len <= left ? (uint8_t *)tcp : NULL;
}

/* optlen(): an option without a length, or of length 0, is one byte. */
static uint32_t
option_len(const uint8_t *option)
{
	return option[0] <= TCPOPT_NOP || option[1] == 0 ? 1 : option[1];
}

/* The option of the type, or NULL; its bytes are within the header. */
static uint8_t *
find_option(const struct exthdr *e, const struct pkt *pkt)
{
	uint8_t *tcp;
	uint32_t len, n;

	tcp = tcp_of(pkt, &len);
	if (tcp == NULL)
		return NULL;
	for (uint32_t i = sizeof(struct rte_tcp_hdr); i + 1 < len; i += n) {
		n = option_len(&tcp[i]);
		if (tcp[i] != e->type)
			continue;
		if (i + n > len || (!e->present && (uint32_t)e->len + e->offset > n))
			return NULL;
		return &tcp[i];
	}
	return NULL;
}

/* The extension header of the type (ipv6_find_hdr), or NULL. */
static const uint8_t *
find_header(const struct exthdr *e, const struct pkt *pkt, uint32_t *left)
{
	const uint8_t *ip = rte_pktmbuf_mtod_offset(pkt_mbuf(pkt), const uint8_t *, pkt->l2_len);
	uint32_t at = sizeof(struct rte_ipv6_hdr);
	uint8_t next = ip[offsetof(struct rte_ipv6_hdr, proto)];

	if (!(pkt->flags & PKT_IPV6))
		return NULL;
	while (next != e->type) {
		if ((next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_AH &&
			    next != IPPROTO_DSTOPTS && next != IPPROTO_FRAGMENT) ||
			at + 8 > pkt->ip_len)
			return NULL;
		/* What follows in a later fragment is no header. */
		if (next == IPPROTO_FRAGMENT && (ip[at + 2] != 0 || (ip[at + 3] & 0xf8) != 0))
			return NULL;
		if (next == IPPROTO_FRAGMENT) {
			next = ip[at];
			at += 8;
		} else {
			uint32_t units = ip[at + 1];
			bool ah = next == IPPROTO_AH;

			next = ip[at];
			at += ah ? (units + 2) * 4 : (units + 1) * 8;
		}
	}
	*left = at < pkt->ip_len ? pkt->ip_len - at : 0;
	return &ip[at];
}

/* nft_exthdr_tcp_eval, nft_exthdr_ipv6_eval */
static void
load(const struct exthdr *e, struct nft_eval *eval)
{
	const struct pkt *pkt = eval->pkt;
	uint32_t left = UINT32_MAX;
	const uint8_t *from;

	if (e->op == NFT_EXTHDR_OP_IPV6 && !(pkt->flags & PKT_IPV6)) {
		nft_break(eval);
		return;
	}
	from = e->op == NFT_EXTHDR_OP_IPV6 ? find_header(e, pkt, &left) : find_option(e, pkt);
	nft_mark(eval, e->reg, e->present ? 4 : e->len, 0);
	if (e->present) {
		nft_store(eval, e->reg, from != NULL);
		return;
	}
	if (from == NULL || (uint32_t)e->offset + e->len > left) {
		nft_break(eval);
		return;
	}
	eval->regs.word[e->reg + (e->len + 3U) / 4 - 1] = 0;
	memcpy(nft_reg(eval, e->reg), from + e->offset, e->len);
}

/* nft_exthdr_tcp_set_eval: the checksum is changed as if the value began at an even byte. */
static void
set(const struct exthdr *e, struct nft_eval *eval)
{
	uint8_t *option = find_option(e, eval->pkt);
	uint8_t value[4] = {0};
	struct rte_tcp_hdr *tcp;
	uint16_t old, new;
	uint32_t len;

	tcp = (struct rte_tcp_hdr *)(void *)tcp_of(eval->pkt, &len);
	if (option == NULL || tcp == NULL) {
		/* Without the option nothing is done; without a TCP header the rule breaks. */
		if (tcp == NULL)
			nft_break(eval);
		return;
	}
	memcpy(value, nft_reg(eval, e->reg), e->len);
	memcpy(&old, option + e->offset, sizeof(old));
	memcpy(&new, value, sizeof(new));
	/* A larger segment than announced could stall the connection. */
	if (e->len == 2 && e->type == TCPOPT_MSS && rte_be_to_cpu_16(old) <= rte_be_to_cpu_16(new))
		return;
	tcp->cksum = check_replace(tcp->cksum, option + e->offset, value, e->len);
	memcpy(option + e->offset, value, e->len);
}

/* nft_exthdr_tcp_strip_eval: it becomes padding; one that is cut short cannot go. */
static void
strip(const struct exthdr *e, struct nft_eval *eval)
{
	static const uint8_t padding[2] = {TCPOPT_NOP, TCPOPT_NOP};
	uint32_t len, n;
	uint8_t *tcp = tcp_of(eval->pkt, &len);
	struct rte_tcp_hdr *header = (struct rte_tcp_hdr *)(void *)tcp;

	if (tcp == NULL) {
		nft_break(eval);
		return;
	}
	for (uint32_t i = sizeof(*header); i + 1 < len; i += n) {
		n = option_len(&tcp[i]);
		if (tcp[i] != e->type)
			continue;
		if (i + n > len) {
			eval->regs.code = NF_DROP;
			return;
		}
		for (uint32_t at = i; at < i + n; at++) {
			/* The word that the byte is in, with the byte replaced. */
			uint8_t word[2] = {tcp[at & ~1U], tcp[at | 1U]};

			word[at & 1] = padding[0];
			header->cksum = check_replace(header->cksum, &tcp[at & ~1U], word, 2);
			tcp[at] = padding[0];
		}
		return;
	}
}

static void
evaluate(const struct expr *expr, struct nft_eval *eval)
{
	const struct exthdr *e = (const struct exthdr *)expr;

	/* Options differ from packet to packet; what has extension headers is no flow's. */
	nft_bind_to_packet(eval, NFT_INPUT_PAYLOAD);
	if (e->strip)
		strip(e, eval);
	else if (e->set)
		set(e, eval);
	else
		load(e, eval);
}

const struct expr_ops expr_exthdr = {
	"exthdr", sizeof(struct exthdr), NFTA_EXTHDR_SREG, parse, evaluate, false, features, 0};
