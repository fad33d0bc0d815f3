/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tracker.h"

/* A kind by type; what no row names is invalid. Stored plus one, so that 0 is "not named". */
#define KIND(kind) (ICMP_KIND_##kind + 1)

static const uint8_t icmp_kinds[256] = {
	[0] = KIND(REPLY),    /* echo reply */
	[3] = KIND(ERROR),    /* destination unreachable */
	[4] = KIND(ERROR),    /* source quench */
	[5] = KIND(ERROR),    /* redirect */
	[8] = KIND(REQUEST),  /* echo */
	[11] = KIND(ERROR),   /* time exceeded */
	[12] = KIND(ERROR),   /* parameter problem */
	[13] = KIND(REQUEST), /* timestamp */
	[14] = KIND(REPLY),
	[15] = KIND(REQUEST), /* information */
	[16] = KIND(REPLY),
	[17] = KIND(REQUEST), /* address mask */
	[18] = KIND(REPLY),
};

static const uint8_t icmpv6_kinds[256] = {
	[0 ... 127] = KIND(ERROR),
	[128] = KIND(REQUEST), /* echo */
	[129] = KIND(REPLY),
	[130 ... 132] = KIND(UNTRACKED), /* MLD query, report, done */
	[133 ... 136] = KIND(UNTRACKED), /* router and neighbour discovery */
	[137] = KIND(ERROR),		 /* redirect */
	[139] = KIND(REQUEST),		 /* node information query */
	[140] = KIND(REPLY),
	[143] = KIND(UNTRACKED),	 /* MLDv2 report */
	[151 ... 152] = KIND(UNTRACKED), /* multicast router discovery */
};

enum icmp_kind
icmp_kind(uint8_t type)
{
	return icmp_kinds[type] == 0 ? ICMP_KIND_INVALID : icmp_kinds[type] - 1;
}

enum icmp_kind
icmpv6_kind(uint8_t type)
{
	return icmpv6_kinds[type] == 0 ? ICMP_KIND_INVALID : icmpv6_kinds[type] - 1;
}

static enum track_result
packet(enum icmp_kind original, uint32_t timeout_ms, struct track *track)
{
	track->timeout_ms = 0;
	if (original != ICMP_KIND_REQUEST)
		return TRACK_INVALID;
	if (!(track->status & CT_FIXED_TIMEOUT))
		track->timeout_ms = timeout_ms;
	return TRACK_OK;
}

enum track_result
icmp_packet(uint8_t original_type, const struct tracker_config *config, struct track *track)
{
	return packet(icmp_kind(original_type), config->icmp_ms, track);
}

enum track_result
icmpv6_packet(uint8_t original_type, const struct tracker_config *config, struct track *track)
{
	return packet(icmpv6_kind(original_type), config->icmpv6_ms, track);
}
