/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trackers on a line protocol, for test_tracker.py: one connection at a
 * time, as nf_conntrack_in would keep it. Commands, one a line:
 *   C LOOSE LIBERAL IGNORE_RST MAX_RETRANS   TCP's switches
 *   N                                        forget the connection
 *   P SIDE HEX                               a TCP segment, header first, sent by side 0 or 1
 *   I 4|6 TYPE                               an ICMP type as first packet
 * The answer to P: ct state of the packet, whether there is a connection, its
 * TCP state, status, timeout in seconds, peers' flags and scales, then end,
 * max_end, max_win, max_ack of the original and the reply side, and the side
 * that is the original one. To I: the ct state.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tracker.h"

static struct {
	struct tracker_config config;
	struct tcp_track tcp;
	struct track track;
	uint32_t timeout_ms;
	unsigned int original; /* the side that opened it */
	bool live;
} one;

static const char *
segment(unsigned int side, const struct tcp_seg *seg)
{
	bool fresh = !one.live;
	unsigned int dir = fresh ? CT_DIR_ORIGINAL : side != one.original;
	const char *state = dir == CT_DIR_REPLY || (!fresh && one.track.status & CT_SEEN_REPLY)
				    ? "established"
				    : "new";
	const uint32_t settled = CT_SEEN_REPLY | CT_ASSURED;
	enum track_result result;

	if (fresh) {
		one.track = (struct track){0};
		one.original = side;
		if (!tcp_new(&one.tcp, seg, &one.config.tcp))
			return "invalid";
	}
	one.track.expires_ms = one.timeout_ms;
	if (one.track.state == CT_TCP_ESTABLISHED && (one.track.status & settled) == settled &&
		tcp_fast(&one.tcp, dir, seg, &one.config.tcp)) {
		result = TRACK_OK;
		one.track.timeout_ms = one.tcp.timeout_ms;
	} else {
		result = tcp_packet(&one.tcp, dir, seg, &one.config.tcp, &one.track);
	}
	if (one.track.timeout_ms != 0)
		one.timeout_ms = one.track.timeout_ms;
	switch (result) {
	case TRACK_INVALID: return "invalid";
	case TRACK_REPLACE: one.live = false; return segment(side, seg);
	case TRACK_DESTROY: one.live = false; return state;
	case TRACK_OK:
	case TRACK_IGNORE: break;
	}
	one.live = true;
	if (dir == CT_DIR_REPLY)
		one.track.status |= CT_SEEN_REPLY;
	return state;
}

static size_t
unhex(const char *hex, uint8_t *out, size_t max)
{
	size_t len = 0;
	unsigned int byte;

	while (len < max && sscanf(hex + 2 * len, "%2x", &byte) == 1)
		out[len++] = (uint8_t)byte;
	return len;
}

static void
command_packet(unsigned int side, const char *hex)
{
	uint8_t *bytes, buffer[4096];
	size_t len = unhex(hex, buffer, sizeof(buffer));
	const char *state = "invalid";
	struct tcp_seg seg;

	/* Exactly as long as the packet, so that a sanitizer sees a read beyond it. */
	bytes = malloc(len + 1);
	if (bytes == NULL)
		abort();
	memcpy(bytes, buffer, len);
	if (tcp_seg_read(bytes, (uint32_t)len, &seg))
		state = segment(side & 1, &seg);
	free(bytes);
	printf("%s %d %s %u %u %u %u %u %u", state, one.live, tcp_state_name(one.track.state),
		one.track.status, one.timeout_ms / 1000, one.tcp.seen[0].flags,
		one.tcp.seen[1].flags, one.tcp.seen[0].scale, one.tcp.seen[1].scale);
	for (unsigned int i = 0; i < 2; i++)
		printf(" %u %u %u %u", one.tcp.seen[i].end, one.tcp.seen[i].max_end,
			one.tcp.seen[i].max_win, one.tcp.seen[i].max_ack);
	printf(" %u\n", one.original);
}

static const char *
icmp_first(unsigned int family, uint8_t type)
{
	enum icmp_kind kind = family == 4 ? icmp_kind(type) : icmpv6_kind(type);
	struct track track = {0};

	if (kind == ICMP_KIND_UNTRACKED)
		return "untracked";
	if (kind == ICMP_KIND_ERROR || kind == ICMP_KIND_INVALID)
		return "invalid";
	return (family == 4 ? icmp_packet : icmpv6_packet)(type, &one.config, &track) == TRACK_OK
		       ? "new"
		       : "invalid";
}

int
main(void)
{
	static char line[16384], hex[8192];
	unsigned int a, b, c, d;

	tracker_defaults(&one.config);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (sscanf(line, "C %u %u %u %u", &a, &b, &c, &d) == 4) {
			one.config.tcp.loose = a;
			one.config.tcp.be_liberal = b;
			one.config.tcp.ignore_invalid_rst = c;
			one.config.tcp.max_retrans = (uint8_t)d;
		} else if (line[0] == 'N') {
			memset(&one.tcp, 0, sizeof(one.tcp));
			memset(&one.track, 0, sizeof(one.track));
			one.live = false;
			one.timeout_ms = 0;
		} else if (sscanf(line, "P %u %8191s", &a, hex) == 2) {
			command_packet(a, hex);
		} else if (sscanf(line, "I %u %u", &a, &b) == 2) {
			printf("%s\n", icmp_first(a, (uint8_t)b));
		} else {
			fprintf(stderr, "no such command: %s", line);
			return 2;
		}
	}
	return 0;
}
