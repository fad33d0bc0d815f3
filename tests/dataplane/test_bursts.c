/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A burst cannot be told from single packets, nor four workers from one: the
 * same script at every burst size and number of workers, the same frames out.
 */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>

#include <rte_tcp.h>

#include "dp.h"

#define FLOWS 40
#define MOST  4096

/* What came out, as sortable digests. */
struct outcome {
	unsigned int count;
	uint64_t digest[MOST];
	uint64_t drops[DROP_COUNT];
	uint32_t connections;
	uint64_t packets, bytes;
};

static uint64_t
digest(unsigned int port, const struct dp_frame *frame)
{
	uint64_t h = 0xcbf29ce484222325ULL + port;

	for (unsigned int i = 0; i < frame->len; i++)
		h = (h ^ frame->bytes[i]) * 0x100000001b3ULL;
	return h;
}

static void
collect(struct outcome *o)
{
	struct dp_frame frame;

	dp_settle();
	for (unsigned int port = 0; port < DP_PORTS; port++)
		while (dp_receive((enum dp_port)port, &frame) && o->count < MOST)
			o->digest[o->count++] = digest(port, &frame);
}

/* One round: every flow's packets of it, in chunks of a burst. */
static void
round_of(struct outcome *o, unsigned int burst, unsigned int round)
{
	unsigned int waiting = 0;

	for (uint16_t flow = 0; flow < FLOWS; flow++) {
		bool reply = round % 2 == 1, tcp = flow % 2 == 1;
		struct dp_packet p = {
			.port = reply ? WAN : LAN,
			.src = reply ? "198.51.100.7" : "10.0.1.10",
			.dst = reply ? "203.0.113.1" : "198.51.100.7",
			.proto = tcp ? IPPROTO_TCP : IPPROTO_UDP,
			.sport = reply ? 80 : (uint16_t)(2000 + flow),
			.dport = reply ? (uint16_t)(2000 + flow) : 80,
			.payload = tcp && round < 3 ? 0 : (uint16_t)(10 + round),
			.tcp_flags = round == 0	  ? RTE_TCP_SYN_FLAG
				     : round == 1 ? RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG
				     : round == 9 ? RTE_TCP_FIN_FLAG | RTE_TCP_ACK_FLAG
						  : RTE_TCP_ACK_FLAG,
			.seq = round < 2 ? 1000 : 1001,
			.ack = 1001,
		};

		/* Each three times over: retransmissions meet their first ones in one burst. */
		for (unsigned int copy = 0; copy < 3; copy++) {
			dp_put(&p);
			if (++waiting == burst) {
				collect(o);
				waiting = 0;
			}
		}
		if (flow % 8 == 7) {
			/* In between: what no record carries. */
			p.ttl = 1;
			p.payload = 1;
			dp_put(&p);
			waiting++;
		}
	}
	collect(o);
	clock_advance(300 * NS_PER_MS);
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void
run(struct outcome *o, unsigned int burst, unsigned int workers)
{
	memset(o, 0, sizeof(*o));
	dp_start(&(struct dp_setup){.workers = workers, .masquerade = true});
	for (unsigned int round = 0; round < 10; round++)
		round_of(o, burst, round);
	o->connections = dp_connections();
	for (unsigned int reason = 0; reason < DROP_COUNT; reason++)
		o->drops[reason] = dp_drops((enum drop_reason)reason);
	for (unsigned int w = 0; w < workers; w++) {
		struct conntrack *ct = path_conntrack(dp_path(), w);

		for (uint32_t pair = 0; pair < ct->table[0].fresh_pair; pair++) {
			if (!(ct->conns[0][pair].status & CT_CONFIRMED))
				continue;
			for (unsigned int dir = 0; dir < 2; dir++) {
				o->packets += flow4_at(&ct->table[0], 2 * pair + dir)->tail.packets;
				o->bytes += flow4_at(&ct->table[0], 2 * pair + dir)->tail.bytes;
			}
		}
	}
	dp_stop();
	qsort(o->digest, o->count, sizeof(o->digest[0]), compare);
}

static void
test_identical(void)
{
	static const unsigned int bursts[] = {1, 2, 7, 32, 256}, workers[] = {1, 2, 4};
	static struct outcome reference, got;

	run(&reference, 1, 1);
	CU_ASSERT(reference.count > 900);
	CU_ASSERT_EQUAL(reference.connections, FLOWS);
	for (unsigned int b = 0; b < RTE_DIM(bursts); b++) {
		for (unsigned int w = 0; w < RTE_DIM(workers); w++) {
			run(&got, bursts[b], workers[w]);
			if (memcmp(&reference, &got, sizeof(got)) != 0)
				printf("burst %u, %u workers: %u frames, %u connections\n",
					bursts[b], workers[w], got.count, got.connections);
			CU_ASSERT_EQUAL(got.count, reference.count);
			CU_ASSERT_EQUAL(got.connections, reference.connections);
			CU_ASSERT_EQUAL(got.packets, reference.packets);
			CU_ASSERT_EQUAL(got.bytes, reference.bytes);
			CU_ASSERT_EQUAL(
				memcmp(reference.digest, got.digest, sizeof(got.digest)), 0);
			CU_ASSERT_EQUAL(memcmp(reference.drops, got.drops, sizeof(got.drops)), 0);
		}
	}
}

CU_TestInfo burst_tests[] = {
	{"the same frames at every burst size and number of workers", test_identical},
	CU_TEST_INFO_NULL,
};
