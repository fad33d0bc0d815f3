/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "feature.h"

#include <netinet/in.h>

#include <linux/netfilter.h>

const struct nft_feature *
nft_feature_find(const struct nft_feature *table, uint32_t number, bool set)
{
	for (const struct nft_feature *row = table; row->name != NULL; row++)
		if (!row->text && row->number == number && row->set == set)
			return row;
	return NULL;
}

static bool take_all;

void
nft_take_all(void)
{
	take_all = true;
}

bool
nft_takes_all(void)
{
	return take_all;
}

bool
nft_refuses(const struct nft_feature *row)
{
	return row->class == NFT_REFUSED && !take_all;
}

uint8_t
nft_family_bit(uint8_t family)
{
	switch (family) {
	case NFPROTO_IPV4: return NFT_ON_IP;
	case NFPROTO_IPV6: return NFT_ON_IP6;
	case NFPROTO_INET: return NFT_ON_INET;
	case NFPROTO_ARP: return NFT_ON_ARP;
	case NFPROTO_BRIDGE: return NFT_ON_BRIDGE;
	case NFPROTO_NETDEV: return NFT_ON_NETDEV;
	default: return 0;
	}
}

bool
nft_feature_built(const struct nft_feature *table, uint32_t number)
{
	const struct nft_feature *row = nft_feature_find(table, number, false);

	return row != NULL && !nft_refuses(row);
}

bool
nft_flags_built(const struct nft_feature *table, uint32_t flags)
{
	uint32_t known = 0;

	for (const struct nft_feature *row = table; row->name != NULL; row++) {
		if (row->text)
			continue;
		if (!nft_refuses(row))
			known |= row->number;
		else if ((flags & row->number) == row->number)
			return false;
	}
	return (flags & ~known) == 0;
}
