/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHUNT_NFT_EXPR_PAYLOAD_PRIV_H
#define SHUNT_NFT_EXPR_PAYLOAD_PRIV_H

#include "expr.h"

/* payload, read or written (payload_set.c). */
struct payload {
	struct expr head;
	uint8_t base; /* enum nft_payload_bases */
	uint8_t reg;
	uint8_t offset;
	uint8_t len;
	bool set;
	bool fast; /* NFT_PAYLOAD_FAST: 1, 2 or 4 aligned bytes above layer 2 */
	/* Of a write. */
	uint8_t csum_type; /* enum nft_payload_csum_types */
	uint8_t csum_offset;
	bool csum_l4; /* NFT_PAYLOAD_L4CSUM_PSEUDOHDR */
};

/* Where the base is in the frame, or -1: it has none. */
int payload_base(const struct payload *p, const struct pkt *pkt);

/* The attributes of a write, behind those that a read has too. */
int payload_parse_set(struct payload *p, const struct nlattr *const *attrs, struct expr_ctx *ctx);

/* Write the register to the packet. */
void payload_set(const struct payload *p, struct nft_eval *eval);

#endif
