/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * payload set: a register into the packet, and its checksums with it
 * (nft_payload_set_eval). What the packet's metadata says of its structure follows
 * when the base chain ends (PKT_WRITTEN), as Linux looks at a packet once a hook;
 * its addresses follow at once.
 */
#include <errno.h>
#include <string.h>

#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_sctp.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "checksum.h"
#include "payload_priv.h"

#define CRC32C 0x82f63b78 /* reflected */

/* nft_payload_set_init */
int
payload_parse_set(struct payload *p, const struct nlattr *const *attrs, struct expr_ctx *ctx)
{
	uint32_t type, offset = 0, flags;
	int rc = attr_u32_or(attrs[NFTA_PAYLOAD_CSUM_TYPE], ctx, NFT_PAYLOAD_CSUM_NONE, &type);

	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_PAYLOAD_CSUM_OFFSET], ctx, 0, &offset);
	if (rc == 0 && offset > UINT8_MAX)
		rc = attr_refuse(ctx, attrs[NFTA_PAYLOAD_CSUM_OFFSET], -ERANGE);
	if (rc == 0)
		rc = attr_u32_or(attrs[NFTA_PAYLOAD_CSUM_FLAGS], ctx, 0, &flags);
	if (rc == 0 && (flags & ~(uint32_t)NFT_PAYLOAD_L4CSUM_PSEUDOHDR))
		rc = attr_refuse(ctx, attrs[NFTA_PAYLOAD_CSUM_FLAGS], -EINVAL);
	if (rc == 0 && type > NFT_PAYLOAD_CSUM_SCTP)
		rc = attr_refuse(ctx, attrs[NFTA_PAYLOAD_CSUM_TYPE], -EOPNOTSUPP);
	if (rc == 0 && type == NFT_PAYLOAD_CSUM_SCTP &&
		(p->base != NFT_PAYLOAD_TRANSPORT_HEADER ||
			offset != offsetof(struct rte_sctp_hdr, cksum)))
		rc = attr_refuse(ctx, NULL, -EINVAL);
	if (rc != 0)
		return rc;
	p->csum_type = (uint8_t)type;
	p->csum_offset = (uint8_t)offset;
	p->csum_l4 = flags != 0;
	return 0;
}

static uint8_t *
frame_of(const struct pkt *pkt)
{
	return rte_pktmbuf_mtod(pkt_mbuf(pkt), uint8_t *);
}

/* Where the IP packet ends in the frame, by the length that it came with. */
static uint32_t
end_of(const struct pkt *pkt)
{
	return (uint32_t)pkt->l2_len + pkt->ip_len;
}

/* A checksum for what changes; false: it is beyond the packet. nft_csum_replace. */
static bool
replace(const struct pkt *pkt, uint32_t at, const void *from, const void *to, uint32_t len)
{
	uint16_t sum;

	if (at + sizeof(sum) > end_of(pkt))
		return false;
	memcpy(&sum, frame_of(pkt) + at, sizeof(sum));
	sum = check_replace(sum, from, to, len);
	if (sum == 0)
		sum = 0xffff;
	memcpy(frame_of(pkt) + at, &sum, sizeof(sum));
	return true;
}

/*
 * The L4 checksum's offset in the frame; 0: the packet has none that would have to
 * follow (nft_payload_l4csum_offset).
 */
static uint32_t
l4_checksum(const struct pkt *pkt)
{
	const struct rte_udp_hdr *udp;

	if (pkt->flags & PKT_LATER_FRAGMENT)
		return 0;
	switch (pkt->l4_proto) {
	case IPPROTO_TCP: return pkt->l4_off + (uint32_t)offsetof(struct rte_tcp_hdr, cksum);
	case IPPROTO_UDP:
		udp = (const void *)(frame_of(pkt) + pkt->l4_off);
		if (pkt->l4_off + sizeof(*udp) > end_of(pkt) || udp->dgram_cksum == 0)
			return 0;
		break;
	case IPPROTO_UDPLITE: break;
	case IPPROTO_ICMPV6:
		return pkt->l4_off + (uint32_t)offsetof(struct rte_icmp_hdr, icmp_cksum);
	default: return 0;
	}
	return pkt->l4_off + (uint32_t)offsetof(struct rte_udp_hdr, dgram_cksum);
}

/* The checksums that a change of bytes asks for; false: one of them is not there. */
static bool
checksums(const struct payload *p, const struct pkt *pkt, uint32_t base, const uint8_t *value)
{
	const uint8_t *from = frame_of(pkt) + base + p->offset;
	uint8_t old[NFT_DATA_MAX];
	uint32_t l4;

	/* A checksum may be among the bytes: what it is made from must not change by it. */
	memcpy(old, from, p->len);
	if (p->csum_type == NFT_PAYLOAD_CSUM_INET &&
		!replace(pkt, base + p->csum_offset, old, value, p->len))
		return false;
	if (!p->csum_l4)
		return true;
	l4 = l4_checksum(pkt);
	return l4 == 0 || replace(pkt, l4, old, value, p->len);
}

/* SCTP's checksum anew, of all that IP carries (nft_payload_csum_sctp); false: too short. */
static bool
sum_sctp(const struct pkt *pkt)
{
	uint8_t *frame = frame_of(pkt);
	struct rte_sctp_hdr *sctp = (void *)(frame + pkt->l4_off);
	uint32_t crc = UINT32_MAX;

	if (pkt->l4_off + sizeof(*sctp) > end_of(pkt))
		return false;
	sctp->cksum = 0;
	/* A bit at a time: few rules write to SCTP, and a table would be one more thing. */
	for (uint32_t at = pkt->l4_off; at < end_of(pkt); at++) {
		crc ^= frame[at];
		for (unsigned int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ CRC32C : crc >> 1;
	}
	sctp->cksum = rte_cpu_to_le_32(~crc);
	return true;
}

/* The addresses as they are now: fib and the like look there. */
static void
follow(struct pkt *pkt)
{
	const struct rte_ipv4_hdr *ip4 = pkt_l3(pkt);
	const struct rte_ipv6_hdr *ip6 = pkt_l3(pkt);
	union address before = pkt->tuple.dst;

	/* Of a frame that is no IP packet nothing was read. */
	if (pkt_is_other(pkt))
		return;
	/* Whose connection it will be is asked again, before there is one. */
	pkt->flags |= pkt->conn == CONN_NONE ? PKT_WRITTEN | PKT_MOVED : PKT_WRITTEN;
	if (pkt->flags & PKT_IPV6) {
		memcpy(&pkt->tuple.src, ip6->src_addr, sizeof(pkt->tuple.src));
		memcpy(&pkt->tuple.dst, ip6->dst_addr, sizeof(pkt->tuple.dst));
	} else {
		pkt->tuple.src.v4 = ip4->src_addr;
		pkt->tuple.dst.v4 = ip4->dst_addr;
	}
	if (pkt->out_port != PORT_NONE && memcmp(&before, &pkt->tuple.dst, sizeof(before)) != 0)
		pkt->flags |= PKT_READDRESSED;
}

void
payload_set(const struct payload *p, struct nft_eval *eval)
{
	const uint8_t *value = nft_reg(eval, p->reg);
	struct pkt *pkt = eval->pkt;
	int base = payload_base(p, pkt);

	/* A record would not write: every packet comes this way. */
	nft_bind_to_packet(eval, NFT_INPUT_WRITE);
	if (base < 0 || (uint32_t)base + p->offset + p->len > end_of(pkt)) {
		nft_break(eval);
		return;
	}
	/* Those that were there before one that is not keep their change, as in Linux. */
	if (p->base != NFT_PAYLOAD_LL_HEADER)
		follow(pkt);
	if ((p->csum_type == NFT_PAYLOAD_CSUM_INET || p->csum_l4) &&
		!checksums(p, pkt, (uint32_t)base, value)) {
		nft_break(eval);
		return;
	}
	memcpy(frame_of(pkt) + base + p->offset, value, p->len);
	if (p->base != NFT_PAYLOAD_LL_HEADER)
		follow(pkt);
	if (p->csum_type == NFT_PAYLOAD_CSUM_SCTP && pkt->l4_proto == IPPROTO_SCTP &&
		!(pkt->flags & PKT_LATER_FRAGMENT) && !sum_sctp(pkt))
		nft_break(eval);
}
