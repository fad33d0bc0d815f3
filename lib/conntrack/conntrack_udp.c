/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <rte_udp.h>

#include "tracker.h"

bool
udp_valid(const void *header, uint32_t len)
{
	const struct rte_udp_hdr *uh = header;

	return len >= sizeof(*uh) && rte_be_to_cpu_16(uh->dgram_len) >= sizeof(*uh) &&
	       rte_be_to_cpu_16(uh->dgram_len) <= len;
}

bool
udplite_valid(const void *header, uint32_t len)
{
	const struct rte_udp_hdr *uh = header;
	uint32_t coverage;

	if (len < sizeof(*uh))
		return false;
	/* The length field is the checksum's coverage, 0 for all (RFC 3828 3.1). */
	coverage = rte_be_to_cpu_16(uh->dgram_len);
	if (coverage != 0 && (coverage < sizeof(*uh) || coverage > len))
		return false;
	return uh->dgram_cksum != 0;
}

static void
renew(struct track *track, uint32_t timeout_ms)
{
	track->timeout_ms = track->status & CT_FIXED_TIMEOUT ? 0 : timeout_ms;
}

enum track_result
udp_packet(uint32_t created_ms, uint32_t now_ms, const struct tracker_config *config,
	struct track *track)
{
	bool stream = (track->status & CT_SEEN_REPLY) && udp_is_stream(created_ms, now_ms);

	renew(track, stream ? config->udp_stream_ms : config->udp_ms);
	if (stream)
		track->status |= CT_ASSURED;
	return TRACK_OK;
}

enum track_result
udplite_packet(const struct tracker_config *config, struct track *track)
{
	bool replied = track->status & CT_SEEN_REPLY;

	renew(track, replied ? config->udp_stream_ms : config->udp_ms);
	if (replied)
		track->status |= CT_ASSURED;
	return TRACK_OK;
}
