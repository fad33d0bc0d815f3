/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tuple.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>

/* The reply to an ICMP type, or 0 where it has none; icmp_invert_tuple's table plus one. */
static const uint8_t reply4[256] = {
	[ICMP_ECHO] = ICMP_ECHOREPLY + 1,
	[ICMP_ECHOREPLY] = ICMP_ECHO + 1,
	[ICMP_TIMESTAMP] = ICMP_TIMESTAMPREPLY + 1,
	[ICMP_TIMESTAMPREPLY] = ICMP_TIMESTAMP + 1,
	[ICMP_INFO_REQUEST] = ICMP_INFO_REPLY + 1,
	[ICMP_INFO_REPLY] = ICMP_INFO_REQUEST + 1,
	[ICMP_ADDRESS] = ICMP_ADDRESSREPLY + 1,
	[ICMP_ADDRESSREPLY] = ICMP_ADDRESS + 1,
};

/* icmpv6_invert_tuple; 139 and 140 are node information query and reply (RFC 4620). */
static const uint8_t reply6[256] = {
	[ICMP6_ECHO_REQUEST] = ICMP6_ECHO_REPLY + 1,
	[ICMP6_ECHO_REPLY] = ICMP6_ECHO_REQUEST + 1,
	[139] = 140 + 1,
	[140] = 139 + 1,
};

bool
tuple_invert(const struct tuple *in, struct tuple *out)
{
	struct tuple t = *in;

	t.src = in->dst;
	t.dst = in->src;
	if (in->proto == IPPROTO_ICMP || in->proto == IPPROTO_ICMPV6) {
		/* Type is the first byte in memory, code the second. */
		uint8_t type = (uint8_t)in->dport;
		uint8_t reply = in->proto == IPPROTO_ICMP ? reply4[type] : reply6[type];

		if (reply == 0)
			return false;
		t.dport = (rte_be16_t)((in->dport & 0xff00) | (uint8_t)(reply - 1));
	} else {
		t.sport = in->dport;
		t.dport = in->sport;
	}
	*out = t;
	return true;
}

static void
print_end(const struct tuple *t, const union address *address, rte_be16_t port, bool ports,
	char *buf, size_t size)
{
	char text[INET6_ADDRSTRLEN];
	int family = t->family == FAMILY_IPV6 ? AF_INET6 : AF_INET;

	inet_ntop(family, address, text, sizeof(text));
	if (!ports)
		snprintf(buf, size, "%s", text);
	else
		snprintf(buf, size, family == AF_INET6 ? "[%s]:%u" : "%s:%u", text,
			rte_be_to_cpu_16(port));
}

char *
tuple_print(const struct tuple *t, char *buf)
{
	bool icmp = t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6;
	bool ports = t->sport != 0 || t->dport != 0;
	char src[56], dst[56], proto[8];

	print_end(t, &t->src, t->sport, ports && !icmp, src, sizeof(src));
	print_end(t, &t->dst, t->dport, ports && !icmp, dst, sizeof(dst));
	switch (t->proto) {
	case IPPROTO_TCP: snprintf(proto, sizeof(proto), "tcp"); break;
	case IPPROTO_UDP: snprintf(proto, sizeof(proto), "udp"); break;
	case IPPROTO_ICMP: snprintf(proto, sizeof(proto), "icmp"); break;
	case IPPROTO_ICMPV6: snprintf(proto, sizeof(proto), "icmpv6"); break;
	default: snprintf(proto, sizeof(proto), "%u", t->proto); break;
	}
	if (icmp)
		snprintf(buf, TUPLE_STRLEN, "%s %s %s type %u code %u id %u", proto, src, dst,
			t->dport & 0xffU, (unsigned int)(t->dport >> 8),
			rte_be_to_cpu_16(t->sport));
	else
		snprintf(buf, TUPLE_STRLEN, "%s %s %s", proto, src, dst);
	return buf;
}
