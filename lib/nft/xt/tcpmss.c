/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCPMSS: the largest segment that a SYN offers, made smaller, or put in if it is
 * missing (xt_TCPMSS.c).
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter/xt_TCPMSS.h>

#include <rte_ip.h>
#include <rte_tcp.h>

#include "checksum.h"
#include "xt_rows.h"

#define OPTION	   2
#define OPTION_LEN 4
#define HEADER_MAX 60

/* What stands in for a SYN without the option (RFC 1122, RFC 8200). */
#define LEAST4 536
#define LEAST6 1220

/* Where there is a route yet. */
#define HOOKS (1 << HOOK_FORWARD | 1 << HOOK_OUTPUT | 1 << HOOK_POSTROUTING)

static int
check(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	const struct xt_tcpmss_info *info = (const void *)data;

	return info->mss == XT_TCPMSS_CLAMP_PMTU && (ctx->compat.own_hooks & ~(uint32_t)HOOKS)
		       ? -EINVAL
		       : 0;
}

static uint32_t
option_len(const uint8_t *option)
{
	return option[0] < 2 || option[1] == 0 ? 1 : option[1];
}

static void
replace(struct rte_tcp_hdr *tcp, void *at, const void *by, uint32_t len)
{
	tcp->cksum = check_replace(tcp->cksum, at, by, len);
	memcpy(at, by, len);
}

/* The IP header says the new length. */
static void
lengthen_ip(struct pkt *pkt, uint16_t more)
{
	struct rte_ipv4_hdr *ip4 = pkt_l3(pkt);
	struct rte_ipv6_hdr *ip6 = pkt_l3(pkt);
	rte_be16_t len;

	if (pkt->flags & PKT_IPV6) {
		ip6->payload_len =
			rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(ip6->payload_len) + more));
	} else {
		len = rte_cpu_to_be_16((uint16_t)(rte_be_to_cpu_16(ip4->total_length) + more));
		ip4->hdr_checksum =
			check_replace(ip4->hdr_checksum, &ip4->total_length, &len, sizeof(len));
		ip4->total_length = len;
	}
	pkt->ip_len = (uint16_t)(pkt->ip_len + more);
}

/* Room at the packet's end: in the frame's padding, or behind it. */
static bool
make_room(struct pkt *pkt)
{
	struct rte_mbuf *m = pkt_mbuf(pkt);
	uint32_t want = (uint32_t)pkt->l2_len + pkt->ip_len + OPTION_LEN;

	if (pkt->ip_len > UINT16_MAX - OPTION_LEN)
		return false;
	return m->pkt_len >= want || rte_pktmbuf_append(m, (uint16_t)(want - m->pkt_len)) != NULL;
}

/* The option behind the header's first 20 bytes. False: no room, the packet is dropped. */
static bool
insert(struct pkt *pkt, uint32_t len, uint16_t mss)
{
	struct rte_tcp_hdr *tcp = pkt_l4(pkt);
	uint8_t *options = (uint8_t *)(tcp + 1);
	uint16_t least = pkt->flags & PKT_IPV6 ? LEAST6 : LEAST4;
	const uint8_t zero[OPTION_LEN] = {0};
	rte_be16_t was = rte_cpu_to_be_16((uint16_t)len);
	rte_be16_t is = rte_cpu_to_be_16((uint16_t)(len + OPTION_LEN));
	uint8_t word[2], option[OPTION_LEN];

	if (!make_room(pkt))
		return false;
	mss = mss < least ? mss : least;
	option[0] = OPTION;
	option[1] = OPTION_LEN;
	option[2] = (uint8_t)(mss >> 8);
	option[3] = (uint8_t)mss;
	memmove(options + OPTION_LEN, options, len - sizeof(*tcp));
	memcpy(options, option, OPTION_LEN);
	/* The pseudo header's length, what came in, the header's own length. */
	tcp->cksum = check_replace(tcp->cksum, &was, &is, sizeof(was));
	tcp->cksum = check_replace(tcp->cksum, zero, option, OPTION_LEN);
	memcpy(word, &tcp->data_off, sizeof(word));
	word[0] = (uint8_t)(word[0] + (OPTION_LEN / 4 << 4));
	replace(tcp, &tcp->data_off, word, sizeof(word));
	lengthen_ip(pkt, OPTION_LEN);
	return true;
}

/* tcpmss_mangle_packet. False: drop. */
static bool
mangle(struct pkt *pkt, uint16_t mss)
{
	uint32_t len = nft_xt_l4_left(pkt), header;
	struct rte_tcp_hdr *tcp = pkt_l4(pkt);
	uint8_t *at = (uint8_t *)tcp;

	if (len < sizeof(*tcp))
		return false;
	header = (uint32_t)(tcp->data_off >> 4) * 4;
	if (header < sizeof(*tcp) || len < header)
		return false;
	for (uint32_t i = sizeof(*tcp); i + OPTION_LEN <= header; i += option_len(at + i)) {
		uint8_t new[2] = {(uint8_t)(mss >> 8), (uint8_t)mss};

		if (at[i] != OPTION || at[i + 1] != OPTION_LEN)
			continue;
		/* A larger segment than announced could stall the connection. */
		if ((at[i + 2] << 8 | at[i + 3]) > mss)
			replace(tcp, at + i + 2, new, sizeof(new));
		return true;
	}
	/* Data would have to move, or the length has no bit left: it stays as it is. */
	return len > header || header >= HEADER_MAX || insert(pkt, len, mss);
}

static void
target(const struct nft_xt_data *data, struct nft_eval *eval)
{
	uint16_t mss = ((const struct xt_tcpmss_info *)(const void *)data)->mss;
	struct pkt *pkt = eval->pkt;
	uint32_t headers = (pkt->flags & PKT_IPV6 ? sizeof(struct rte_ipv6_hdr)
						  : sizeof(struct rte_ipv4_hdr)) +
			   sizeof(struct rte_tcp_hdr);

	/* Options differ from packet to packet. */
	nft_bind_to_packet(eval, NFT_INPUT_PAYLOAD);
	if (pkt->flags & PKT_LATER_FRAGMENT)
		return;
	if (mss == XT_TCPMSS_CLAMP_PMTU) {
		uint32_t mtu = eval->env->path_mtu(pkt);

		if (mtu <= headers) {
			eval->regs.code = NF_DROP;
			return;
		}
		mss = (uint16_t)(mtu - headers);
	}
	if (!mangle(pkt, mss))
		eval->regs.code = NF_DROP;
}

const struct nft_xt xt_tcpmss4_0 = {.name = "TCPMSS",
	.families = NFT_ON_IP,
	.size = sizeof(struct xt_tcpmss_info),
	.proto = IPPROTO_TCP,
	.check = check,
	.target = target};
const struct nft_xt xt_tcpmss6_0 = {.name = "TCPMSS",
	.families = NFT_ON_IP6,
	.size = sizeof(struct xt_tcpmss_info),
	.proto = IPPROTO_TCP,
	.check = check,
	.target = target};
