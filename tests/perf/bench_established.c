/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Row 1 of the benchmarks: established connections with NAT, 64-byte frames in
 * random order, both directions, every check on. Prints one line of JSON.
 *
 *   bench_established udp|tcp FLOWS SECONDS DIR [--frames-only] [EAL arguments]
 *
 * Ports: net_pcap with infinite_rx to receive, net_null to transmit, as
 * tests/perf/bench runs testpmd beside it. DIR holds the captures.
 */
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include "frames.h"
#include "rig.h"

/* An established packet passes three counters. */
static const char rules[] = "table inet filter {\n"
			    "	chain forward {\n"
			    "		type filter hook forward priority filter; policy drop;\n"
			    "		counter\n"
			    "		ct state invalid counter drop\n"
			    "		meta l4proto { tcp, udp } counter\n"
			    "		ct state established,related counter accept\n"
			    "		oifname wan2 counter accept\n"
			    "	}\n"
			    "}\n"
			    "table ip nat {\n"
			    "	chain postrouting {\n"
			    "		type nat hook postrouting priority srcnat;\n"
			    "		oifname wan2 snat to 203.0.113.1\n"
			    "	}\n"
			    "}\n";

static void
write_capture(const char *dir, const char *name, uint32_t flows, uint8_t proto, bool reply)
{
	uint32_t *order = malloc(flows * sizeof(*order));
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.pcap", dir, name);
	f = pcap_open(path);
	if (f == NULL || order == NULL)
		exit(1);
	/* Each flow once, in random order (Fisher and Yates). */
	srandom(reply ? 2 : 1);
	for (uint32_t i = 0; i < flows; i++) {
		uint32_t j = (uint32_t)random() % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (uint32_t i = 0; i < flows; i++) {
		uint8_t frame[FRAME_LEN];
		struct frame_spec s = {
			.flow = order[i],
			.proto = proto,
			.reply = reply,
			.tcp_flags = RTE_TCP_ACK_FLAG,
			.seq = 1000,
			.ack = 1000,
		};

		frame_make(frame, &s);
		pcap_frame(f, frame, FRAME_LEN);
	}
	fclose(f);
	free(order);
}

/* Bring every flow to where its records settle. */
static void
establish(struct rig *rig, uint32_t flows, uint8_t proto)
{
	static const struct {
		bool reply;
		uint8_t flags;
		uint32_t seq;
		uint32_t ack;
	} dialogue[] = {
		{false, RTE_TCP_SYN_FLAG, 999, 0},
		{true, RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG, 999, 1000},
		{false, RTE_TCP_ACK_FLAG, 1000, 1000},
		{true, RTE_TCP_ACK_FLAG, 1000, 1000},
		{false, RTE_TCP_ACK_FLAG, 1000, 1000},
	};

	for (unsigned int step = 0; step < RTE_DIM(dialogue); step++) {
		for (uint32_t flow = 0; flow < flows; flow++) {
			struct frame_spec s = {
				.flow = flow,
				.proto = proto,
				.reply = dialogue[step].reply,
				.tcp_flags = dialogue[step].flags,
				.seq = dialogue[step].seq,
				.ack = dialogue[step].ack,
			};

			rig_inject(rig, &s);
			if (flow % 256 == 255)
				path_walk(rig->path, 0);
		}
		path_walk(rig->path, 0);
	}
}

int
main(int argc, char **argv)
{
	uint8_t proto = argc > 1 && strcmp(argv[1], "tcp") == 0 ? IPPROTO_TCP : IPPROTO_UDP;
	uint32_t flows = argc > 2 ? (uint32_t)atoi(argv[2]) : 4096;
	double seconds = argc > 3 ? atof(argv[3]) : 2;
	const char *dir = argc > 4 ? argv[4] : ".";
	const struct path_counters *c;
	uint64_t begin, cycles = 0, packets, walked, base, limit;
	struct rig rig;

	write_capture(dir, "lan", flows, proto, false);
	write_capture(dir, "wan", flows, proto, true);
	if (argc > 5 && strcmp(argv[5], "--frames-only") == 0)
		return 0;
	rig_create(&rig, argv[0], dir, argc - 5, argv + 5, flows, rules);
	establish(&rig, flows, proto);
	c = path_counters(rig.path, 0);
	rig_receive(&rig, RIG_CAPTURES);
	for (unsigned int i = 0; i < 2000; i++)
		path_walk(rig.path, 0);
	base = c->established;
	walked = c->walked;
	limit = (uint64_t)(seconds * (double)rte_get_tsc_hz());
	begin = rte_rdtsc();
	while (cycles < limit) {
		for (unsigned int i = 0; i < 256; i++)
			path_walk(rig.path, 0);
		cycles = rte_rdtsc() - begin;
	}
	packets = c->established - base;
	printf("{\"row\": \"established\", \"proto\": \"%s\", \"flows\": %u, \"cycles\": %.1f, "
	       "\"mpps\": %.2f, \"packets\": %lu, \"slow\": %lu, \"path_packets\": %lu, "
	       "\"conservation\": %ld}\n",
		proto == IPPROTO_TCP ? "tcp" : "udp", flows, (double)cycles / (double)packets,
		(double)packets / ((double)cycles / (double)rte_get_tsc_hz()) / 1e6, packets,
		c->walked - walked, path_effects(rig.path, 1).packets,
		(long)path_conservation(rig.path));
	rig_destroy(&rig);
	return c == NULL;
}
