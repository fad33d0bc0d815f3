/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trail.h"

const char *
nft_input_name(enum nft_input input)
{
	static const char *const names[] = {
		[NFT_INPUT_NONE] = "none",
		[NFT_INPUT_PAYLOAD] = "payload",
		[NFT_INPUT_CT_COUNT] = "ct-count",
		[NFT_INPUT_LIMIT] = "limit",
		[NFT_INPUT_LOG] = "log",
		[NFT_INPUT_REJECT] = "reject",
		[NFT_INPUT_CT_SET] = "ct-set",
		[NFT_INPUT_NUMGEN] = "numgen",
		[NFT_INPUT_SET] = "set",
		[NFT_INPUT_TRACE] = "nftrace",
		[NFT_INPUT_WRITE] = "write",
		[NFT_INPUT_COUNTERS] = "counters",
	};

	return (unsigned int)input < sizeof(names) / sizeof(names[0]) ? names[input] : "unknown";
}
