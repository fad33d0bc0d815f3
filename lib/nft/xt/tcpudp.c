/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp, udp, udplite: ports, TCP's flags and options (xt_tcpudp.c).
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <linux/netfilter/xt_tcpudp.h>

#include "xt_rows.h"

#define TCP_LEN	  20
#define TCP_FLAGS 13
/* FIN, SYN, RST, ACK: the guards of a flow entry fix them. */
#define GUARDED 0x17

static bool
in_range(const uint16_t range[2], const uint8_t *port, bool invert)
{
	uint16_t is = (uint16_t)(port[0] << 8 | port[1]);

	return (is >= range[0] && is <= range[1]) != invert;
}

/* The fragment offset in units of 8 bytes. */
static unsigned int
fragment_offset(const struct pkt *pkt)
{
	const uint8_t *ip = pkt_l3(pkt);

	if (!(pkt->flags & PKT_LATER_FRAGMENT))
		return 0;
	/* The last extension header of a later fragment is the fragment header. */
	if (pkt->flags & PKT_IPV6)
		return pkt->l3_len >= 48
			       ? (unsigned int)(ip[pkt->l3_len - 6] << 5 | ip[pkt->l3_len - 5] >> 3)
			       : 2;
	return (unsigned int)((ip[6] & 0x1f) << 8 | ip[7]);
}

static bool
flags_match(const struct xt_tcp *info, const uint8_t *tcp, struct nft_eval *eval)
{
	uint8_t differ = (tcp[TCP_FLAGS] & info->flg_mask) ^ info->flg_cmp;

	/* What the guarded bits have decided is the same for the whole flow. */
	if (!(differ & (GUARDED | ~info->flg_mask)) && (info->flg_mask & ~GUARDED))
		nft_bind_to_packet(eval, NFT_INPUT_PAYLOAD);
	return (differ == 0) != ((info->invflags & XT_TCP_INV_FLAGS) != 0);
}

/* tcp_find_option */
static bool
option_matches(const struct xt_tcp *info, const uint8_t *tcp, struct nft_eval *eval)
{
	unsigned int len = (tcp[12] >> 4) * 4U;
	bool invert = info->invflags & XT_TCP_INV_OPTION;

	nft_bind_to_packet(eval, NFT_INPUT_PAYLOAD);
	if (len < TCP_LEN || (len > TCP_LEN && nft_xt_l4(eval->pkt, len) == NULL))
		return nft_xt_hotdrop(eval);
	for (unsigned int i = TCP_LEN; i < len;) {
		if (tcp[i] == info->option)
			return !invert;
		if (tcp[i] < 2 || i + 1 == len || tcp[i + 1] == 0)
			i++;
		else
			i += tcp[i + 1];
	}
	return invert;
}

static bool
match_tcp(const struct nft_xt_data *data, struct nft_eval *eval)
{
	const struct xt_tcp *info = (const void *)data;
	const uint8_t *tcp;

	if (eval->pkt->flags & PKT_LATER_FRAGMENT)
		/* An offset of 1 would overwrite the flags that were seen. */
		return fragment_offset(eval->pkt) == 1 ? nft_xt_hotdrop(eval) : false;
	tcp = nft_xt_l4(eval->pkt, TCP_LEN);
	if (tcp == NULL)
		return nft_xt_hotdrop(eval);
	return in_range(info->spts, tcp, info->invflags & XT_TCP_INV_SRCPT) &&
	       in_range(info->dpts, tcp + 2, info->invflags & XT_TCP_INV_DSTPT) &&
	       flags_match(info, tcp, eval) &&
	       (info->option == 0 || option_matches(info, tcp, eval));
}

static bool
match_udp(const struct nft_xt_data *data, struct nft_eval *eval)
{
	const struct xt_udp *info = (const void *)data;
	const uint8_t *udp;

	if (eval->pkt->flags & PKT_LATER_FRAGMENT)
		return false;
	udp = nft_xt_l4(eval->pkt, 8);
	if (udp == NULL)
		return nft_xt_hotdrop(eval);
	return in_range(info->spts, udp, info->invflags & XT_UDP_INV_SRCPT) &&
	       in_range(info->dpts, udp + 2, info->invflags & XT_UDP_INV_DSTPT);
}

static int
check_tcp(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	(void)ctx;
	return ((const struct xt_tcp *)(const void *)data)->invflags & ~XT_TCP_INV_MASK ? -EINVAL
											: 0;
}

static int
check_udp(struct nft_xt_data *data, struct expr_ctx *ctx)
{
	(void)ctx;
	return ((const struct xt_udp *)(const void *)data)->invflags & ~XT_UDP_INV_MASK ? -EINVAL
											: 0;
}

const struct nft_xt xt_tcp_0 = {.name = "tcp",
	.families = NFT_ON_IP | NFT_ON_IP6,
	.size = sizeof(struct xt_tcp),
	.proto = IPPROTO_TCP,
	.check = check_tcp,
	.match = match_tcp};
const struct nft_xt xt_udp_0 = {.name = "udp",
	.families = NFT_ON_IP | NFT_ON_IP6,
	.size = sizeof(struct xt_udp),
	.proto = IPPROTO_UDP,
	.check = check_udp,
	.match = match_udp};
const struct nft_xt xt_udplite_0 = {.name = "udplite",
	.families = NFT_ON_IP | NFT_ON_IP6,
	.size = sizeof(struct xt_udp),
	.proto = IPPROTO_UDPLITE,
	.check = check_udp,
	.match = match_udp};
