/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the benchmarks of the dataplane share: one worker, a lan and a wan side
 * that are received from captures and transmitted into net_null, SNAT.
 */
#ifndef SHUNT_TESTS_PERF_RIG_H
#define SHUNT_TESTS_PERF_RIG_H

#include "frames.h"
#include "path.h"
#include "rules.h"

struct rig {
	struct path *path;
	struct route *route;
	struct rules *rules;
	struct rte_mempool *pool;
	struct rte_ring *rings[2]; /* lan, wan */
	uint16_t ring_ports[2];
};

/*
 * Build it; exits with a message on failure. flows: connections that find memory
 * at once. text: what nft loads; what leaves to wan leaves by the port "wan2".
 */
void rig_create(struct rig *rig, char *program, const char *dir, int argc, char **argv,
	uint32_t flows, const char *text);
void rig_destroy(struct rig *rig);

/* Where the two sides are received from. */
enum rig_source {
	RIG_RINGS,    /* what rig_inject() puts there */
	RIG_CAPTURES, /* DIR/lan.pcap and wan.pcap, without end */
};
void rig_receive(struct rig *rig, enum rig_source source);

/* Put one frame into its side's ring, which takes 1,023. */
void rig_inject(struct rig *rig, const struct frame_spec *spec);

#endif
