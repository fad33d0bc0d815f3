/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tracker.h"

#include <errno.h>

#define TCP(state)   offsetof(struct tracker_config, tcp.timeout_ms[CT_TCP_##state])
#define MEMBER(name) offsetof(struct tracker_config, name)

const struct tracker_timeout tracker_timeouts[] = {
	{"tcp_syn_sent", "nf_conntrack_tcp_timeout_syn_sent", TCP(SYN_SENT), 120},
	{"tcp_syn_recv", "nf_conntrack_tcp_timeout_syn_recv", TCP(SYN_RECV), 60},
	{"tcp_established", "nf_conntrack_tcp_timeout_established", TCP(ESTABLISHED), 432000},
	{"tcp_fin_wait", "nf_conntrack_tcp_timeout_fin_wait", TCP(FIN_WAIT), 120},
	{"tcp_close_wait", "nf_conntrack_tcp_timeout_close_wait", TCP(CLOSE_WAIT), 60},
	{"tcp_last_ack", "nf_conntrack_tcp_timeout_last_ack", TCP(LAST_ACK), 30},
	{"tcp_time_wait", "nf_conntrack_tcp_timeout_time_wait", TCP(TIME_WAIT), 120},
	{"tcp_close", "nf_conntrack_tcp_timeout_close", TCP(CLOSE), 10},
	{"tcp_max_retrans", "nf_conntrack_tcp_timeout_max_retrans", TCP(RETRANS), 300},
	{"tcp_unacknowledged", "nf_conntrack_tcp_timeout_unacknowledged", TCP(UNACK), 300},
	{"udp", "nf_conntrack_udp_timeout", MEMBER(udp_ms), 30},
	{"udp_stream", "nf_conntrack_udp_timeout_stream", MEMBER(udp_stream_ms), 120},
	{"icmp", "nf_conntrack_icmp_timeout", MEMBER(icmp_ms), 30},
	{"icmpv6", "nf_conntrack_icmpv6_timeout", MEMBER(icmpv6_ms), 30},
	{"generic", "nf_conntrack_generic_timeout", MEMBER(generic_ms), 600},
	{NULL, NULL, 0, 0},
};

static void
set(struct tracker_config *config, const struct tracker_timeout *timeout, uint32_t seconds)
{
	uint32_t ms = seconds * 1000;

	memcpy((char *)config + timeout->offset, &ms, sizeof(ms));
}

void
tracker_defaults(struct tracker_config *config)
{
	memset(config, 0, sizeof(*config));
	config->tcp.max_retrans = 3;
	config->tcp.loose = true;
	for (const struct tracker_timeout *t = tracker_timeouts; t->name != NULL; t++)
		set(config, t, t->seconds);
	/* Linux has no sysctl for the simultaneous open. */
	config->tcp.timeout_ms[CT_TCP_SYN_SENT2] = 120000;
	config->tcp.timeout_ms[CT_TCP_NONE] = config->tcp.timeout_ms[CT_TCP_SYN_SENT];
}

int
tracker_set_timeout(struct tracker_config *config, const char *name, uint32_t seconds)
{
	for (const struct tracker_timeout *t = tracker_timeouts; t->name != NULL; t++) {
		if (strcmp(t->name, name) != 0)
			continue;
		if (seconds == 0 || seconds > UINT32_MAX / 1000)
			return -ERANGE;
		set(config, t, seconds);
		return 0;
	}
	return -ENOENT;
}

enum track_result
generic_packet(const struct tracker_config *config, struct track *track)
{
	track->timeout_ms = track->status & CT_FIXED_TIMEOUT ? 0 : config->generic_ms;
	return TRACK_OK;
}
