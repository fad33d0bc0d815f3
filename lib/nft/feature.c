/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "feature.h"

const struct nft_feature *
nft_feature_find(const struct nft_feature *table, uint32_t number, bool set)
{
	for (const struct nft_feature *row = table; row->name != NULL; row++)
		if (!row->text && row->number == number && row->set == set)
			return row;
	return NULL;
}

bool
nft_feature_built(const struct nft_feature *table, uint32_t number)
{
	const struct nft_feature *row = nft_feature_find(table, number, false);

	return row != NULL && row->class != NFT_REFUSED;
}

bool
nft_flags_built(const struct nft_feature *table, uint32_t flags)
{
	uint32_t known = 0;

	for (const struct nft_feature *row = table; row->name != NULL; row++) {
		if (row->text)
			continue;
		if (row->class != NFT_REFUSED)
			known |= row->number;
		else if ((flags & row->number) == row->number)
			return false;
	}
	return (flags & ~known) == 0;
}
