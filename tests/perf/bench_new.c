/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows 3 and 6 of the benchmarks: new connections, one never-seen 64-byte UDP
 * tuple each, SNAT, LIVE connections in steady state, so that each walk creates
 * as many as expire; and the bytes that a connection takes.
 *
 *   bench_new LIVE SECONDS DIR RULES [EAL arguments]
 *
 * The clock is injected: a walk of 256 packets moves it so far that LIVE
 * connections are within the timeout. Only the walks are timed, not the
 * generator.
 */
#include <stdlib.h>

#include <rte_cycles.h>

#include "frames.h"
#include "rig.h"

#define BATCH 256

#define RULES 100

/* So many rules, of which the last one matches. */
static const char *
make_rules(unsigned int count)
{
	static char text[RULES * 80 + 512];
	size_t n = (size_t)snprintf(text, sizeof(text),
		"table ip nat {\n"
		"	chain postrouting {\n"
		"		type nat hook postrouting priority srcnat;\n"
		"		oifname wan2 snat to 203.0.113.1\n"
		"	}\n"
		"}\n"
		"table ip filter {\n"
		"	chain forward {\n"
		"		type filter hook forward priority filter; policy drop;\n");

	for (unsigned int i = 0; i + 1 < count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
			"ip saddr 172.16.%u.0/24 udp dport %u counter drop\n", i, 1000 + i);
	snprintf(text + n, sizeof(text) - n, "oifname wan2 counter accept\n}\n}\n");
	return text;
}

static void
capture_one(const char *dir, const char *name)
{
	struct frame_spec s = {.proto = IPPROTO_UDP};
	uint8_t frame[FRAME_LEN];
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.pcap", dir, name);
	f = pcap_open(path);
	if (f == NULL)
		exit(1);
	frame_make(frame, &s);
	pcap_frame(f, frame, FRAME_LEN);
	fclose(f);
}

/* The next frames, every flow a new one. */
static void
feed(struct rig *rig, uint32_t *flow)
{
	for (unsigned int i = 0; i < BATCH; i++) {
		struct frame_spec s = {.flow = (*flow)++ & 0xffffff, .proto = IPPROTO_UDP};

		rig_inject(rig, &s);
	}
}

/* Create connections until so many are live. */
static void
fill(struct rig *rig, uint32_t *flow, uint32_t live)
{
	while (path_conntrack(rig->path, 0)->live < live) {
		feed(rig, flow);
		path_walk(rig->path, 0);
		path_prepare(rig->path);
	}
}

int
main(int argc, char **argv)
{
	uint32_t live = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000, flow = 0;
	double seconds = argc > 2 ? atof(argv[2]) : 2;
	uint64_t cycles = 0, packets, limit, begin, created, one, two;
	struct rig rig;
	struct conntrack *ct;

	/* Not received from, but the ports want them. */
	capture_one(argv[3], "lan");
	capture_one(argv[3], "wan");
	/* The rules are loaded in real time; then it stands still. */
	rig_create(&rig, argv[0], argv[3], argc - 5, argv + 5, 65536,
		make_rules(RTE_MIN((unsigned int)atoi(argv[4]), (unsigned int)RULES)));
	clock_inject(clock_ns());
	ct = path_conntrack(rig.path, 0);
	fill(&rig, &flow, live);
	one = path_bytes(rig.path);
	fill(&rig, &flow, 2 * live);
	two = path_bytes(rig.path);
	clock_advance(40 * NS_PER_SEC);
	while (ct->live > live)
		path_walk(rig.path, 0);
	limit = (uint64_t)(seconds * (double)rte_get_tsc_hz());
	created = ct->created;
	packets = 0;
	/* Two turns of the timeout before the clock starts: free lists and wheel as in use. */
	for (int warm = (int)(2 * live / BATCH); cycles < limit; warm--) {
		if (warm == 0) {
			cycles = 0;
			packets = 0;
			created = ct->created;
		}
		feed(&rig, &flow);
		clock_advance(30 * NS_PER_SEC / (live / BATCH));
		path_prepare(rig.path);
		begin = rte_rdtsc();
		path_walk(rig.path, 0);
		cycles += warm > 0 ? 0 : rte_rdtsc() - begin;
		packets += BATCH;
	}
	created = ct->created - created;
	printf("{\"row\": \"new\", \"live\": %u, \"cycles\": %.1f, \"per_second\": %.0f, "
	       "\"created\": %lu, \"bytes\": %.1f, \"dropped\": %lu, \"conservation\": %ld}\n",
		ct->live, (double)cycles / (double)created,
		(double)rte_get_tsc_hz() * (double)created / (double)cycles, created,
		(double)(two - one) / live, packets - created, (long)path_conservation(rig.path));
	rig_destroy(&rig);
	return 0;
}
