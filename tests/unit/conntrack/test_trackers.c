/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "tracker.h"
#include "unit.h"

static struct tracker_config config;

static void
test_timeouts(void)
{
	unsigned int count = 0;

	tracker_defaults(&config);
	for (const struct tracker_timeout *t = tracker_timeouts; t->name != NULL; t++, count++) {
		uint32_t ms;

		memcpy(&ms, (char *)&config + t->offset, sizeof(ms));
		CU_ASSERT_EQUAL(ms, t->seconds * 1000);
		CU_ASSERT_EQUAL(strncmp(t->sysctl, "nf_conntrack_", 13), 0);
		CU_ASSERT_EQUAL(tracker_set_timeout(&config, t->name, 7), 0);
		memcpy(&ms, (char *)&config + t->offset, sizeof(ms));
		CU_ASSERT_EQUAL(ms, 7000);
	}
	CU_ASSERT_EQUAL(count, 15);
	for (unsigned int state = CT_TCP_SYN_SENT; state < CT_TCP_TIMEOUTS; state++)
		CU_ASSERT_NOT_EQUAL(config.tcp.timeout_ms[state], 0);
	CU_ASSERT_EQUAL(tracker_set_timeout(&config, "tcp", 7), -ENOENT);
	CU_ASSERT_EQUAL(tracker_set_timeout(&config, "udp", 0), -ERANGE);
	CU_ASSERT_EQUAL(tracker_set_timeout(&config, "udp", UINT32_MAX / 1000 + 1), -ERANGE);
	tracker_defaults(&config);
	CU_ASSERT_EQUAL(config.tcp.timeout_ms[CT_TCP_ESTABLISHED], 432000000);
}

static void
test_udp(void)
{
	const uint32_t created = UINT32_MAX - 500; /* the clock wraps in between */
	struct track track = {0};

	tracker_defaults(&config);
	CU_ASSERT_EQUAL(udp_packet(created, created + 5000, &config, &track), TRACK_OK);
	CU_ASSERT_EQUAL(track.timeout_ms, 30000);
	track.status = CT_SEEN_REPLY;
	udp_packet(created, created + 2000, &config, &track);
	CU_ASSERT_EQUAL(track.timeout_ms, 30000);
	CU_ASSERT_EQUAL(track.status, CT_SEEN_REPLY);
	udp_packet(created, created + 2001, &config, &track);
	CU_ASSERT_EQUAL(track.timeout_ms, 120000);
	CU_ASSERT_EQUAL(track.status, CT_SEEN_REPLY | CT_ASSURED);
	track.status |= CT_FIXED_TIMEOUT;
	udp_packet(created, created + 3000, &config, &track);
	CU_ASSERT_EQUAL(track.timeout_ms, 0);
	track.status = CT_SEEN_REPLY;
	udplite_packet(&config, &track);
	CU_ASSERT_EQUAL(track.timeout_ms, 120000);
	CU_ASSERT_EQUAL(track.status, CT_SEEN_REPLY | CT_ASSURED);
}

static void
test_udp_lengths(void)
{
	uint8_t header[12] = {[5] = 12, [7] = 1};

	CU_ASSERT_TRUE(udp_valid(header, 12));
	CU_ASSERT_TRUE(udp_valid(header, 13)); /* padding */
	CU_ASSERT_FALSE(udp_valid(header, 11));
	CU_ASSERT_FALSE(udp_valid(header, 7));
	header[5] = 7;
	CU_ASSERT_FALSE(udp_valid(header, 12));
	CU_ASSERT_FALSE(udplite_valid(header, 12));
	header[5] = 0;
	CU_ASSERT_FALSE(udp_valid(header, 12));
	CU_ASSERT_TRUE(udplite_valid(header, 12)); /* covers all */
	header[7] = 0;
	CU_ASSERT_FALSE(udplite_valid(header, 12)); /* no checksum */
	CU_ASSERT_FALSE(udplite_valid(header, 0));
}

static void
test_icmp(void)
{
	static const uint8_t requests[] = {8, 13, 15, 17}, errors[] = {3, 4, 5, 11, 12};
	unsigned int found[2][ICMP_KIND_INVALID + 1] = {0};
	struct track track = {0};

	tracker_defaults(&config);
	for (unsigned int type = 0; type < 256; type++) {
		found[0][icmp_kind((uint8_t)type)]++;
		found[1][icmpv6_kind((uint8_t)type)]++;
	}
	for (unsigned int i = 0; i < sizeof(requests); i++) {
		CU_ASSERT_EQUAL(icmp_kind(requests[i]), ICMP_KIND_REQUEST);
		CU_ASSERT_EQUAL(icmp_kind((uint8_t)(requests[i] == 8 ? 0 : requests[i] + 1)),
			ICMP_KIND_REPLY);
	}
	for (unsigned int i = 0; i < sizeof(errors); i++)
		CU_ASSERT_EQUAL(icmp_kind(errors[i]), ICMP_KIND_ERROR);
	CU_ASSERT_EQUAL(found[0][ICMP_KIND_REQUEST], 4);
	CU_ASSERT_EQUAL(found[0][ICMP_KIND_REPLY], 4);
	CU_ASSERT_EQUAL(found[0][ICMP_KIND_ERROR], 5);
	CU_ASSERT_EQUAL(found[0][ICMP_KIND_UNTRACKED], 0);
	CU_ASSERT_EQUAL(found[1][ICMP_KIND_REQUEST], 2);
	CU_ASSERT_EQUAL(found[1][ICMP_KIND_UNTRACKED], 10);
	CU_ASSERT_EQUAL(icmpv6_kind(128), ICMP_KIND_REQUEST);
	CU_ASSERT_EQUAL(icmpv6_kind(135), ICMP_KIND_UNTRACKED);
	CU_ASSERT_EQUAL(icmpv6_kind(2), ICMP_KIND_ERROR);

	CU_ASSERT_EQUAL(icmp_packet(8, &config, &track), TRACK_OK);
	CU_ASSERT_EQUAL(track.timeout_ms, 30000);
	CU_ASSERT_EQUAL(icmp_packet(0, &config, &track), TRACK_INVALID);
	CU_ASSERT_EQUAL(icmpv6_packet(128, &config, &track), TRACK_OK);
	CU_ASSERT_EQUAL(icmpv6_packet(129, &config, &track), TRACK_INVALID);
	CU_ASSERT_EQUAL(generic_packet(&config, &track), TRACK_OK);
	CU_ASSERT_EQUAL(track.timeout_ms, 600000);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"timeouts by name", test_timeouts},
		{"UDP", test_udp},
		{"UDP lengths", test_udp_lengths},
		{"ICMP and the rest", test_icmp},
		CU_TEST_INFO_NULL,
	};

	return unit_run("trackers", tests);
}
