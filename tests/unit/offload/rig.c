/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

struct offload *offload;
struct told told[RIG_OFFERS];

void
rig_start(unsigned int workers, uint32_t max_rules, bool bare)
{
	const struct offload_config config = {.workers = workers,
		.max_rules = max_rules,
		.poll_ns = POLL_NS,
		.driver = &nic_driver};

	nic_reset();
	memset(told, 0, sizeof(told));
	clock_inject(1000 * NS_PER_SEC);
	offload = offload_new(&config);
	CU_ASSERT_PTR_NOT_NULL_FATAL(offload);
	if (bare)
		return;
	CU_ASSERT_EQUAL_FATAL(offload_port_add(offload, 0, LAN), 0);
	CU_ASSERT_EQUAL_FATAL(offload_port_add(offload, 1, WAN), 0);
	CU_ASSERT_EQUAL(nic.held, 2 * ROOT);
	nic.call_count = 0;
}

void
rig_stop(void)
{
	offload_free(offload);
	offload = NULL;
	CU_ASSERT_EQUAL(nic.held, 0);
	nic_reset();
	clock_restore();
}

uint64_t
rig_handle(unsigned int worker, uint32_t n)
{
	return (uint64_t)worker << 56 | n;
}

struct offload_offer
rig_offer(unsigned int worker, uint32_t n)
{
	struct offload_offer offer = {.handle = rig_handle(worker, n),
		.in_mac = {2, 0, 0, 0, 0, LAN},
		.dst_mac = {2, 0, 0, 0, 0, 0xfe},
		.src_mac = {2, 0, 0, 0, 0, WAN},
		.in_port = LAN,
		.out_port = WAN};

	offer.tuple = (struct tuple){.proto = IPPROTO_UDP,
		.family = FAMILY_IPV4,
		.sport = rte_cpu_to_be_16(1000),
		.dport = rte_cpu_to_be_16(53)};
	offer.tuple.src.v4 = n;
	offer.tuple.dst.v4 = rte_cpu_to_be_32(0xc0000201);
	offer.out = offer.tuple;
	offer.out.src.v4 = rte_cpu_to_be_32(0xc6336401);
	offer.out.sport = rte_cpu_to_be_16(2000);
	return offer;
}

void
rig_send(unsigned int worker, uint32_t n)
{
	struct offload_offer offer = rig_offer(worker, n);

	CU_ASSERT_EQUAL(offload_offer(offload, worker, &offer), 0);
}

void
rig_withdraw(unsigned int worker, uint32_t n)
{
	CU_ASSERT_EQUAL(offload_withdraw(offload, worker, rig_handle(worker, n)), 0);
}

unsigned int
rig_run(unsigned int rounds)
{
	unsigned int done = 0;

	while (rounds-- > 0)
		done = offload_run(offload);
	return done;
}

static void
tell(const struct offload_event *event)
{
	uint32_t n = (uint32_t)event->handle;
	struct told *t;

	if (n >= RIG_OFFERS)
		abort();
	t = &told[n];
	if (event->kind != OFFLOAD_REFUSED && t->refused + t->removed > 0)
		t->late = true;
	switch ((enum offload_kind)event->kind) {
	case OFFLOAD_LIVE: t->live++; break;
	case OFFLOAD_COUNTED: t->counted++; break;
	case OFFLOAD_REMOVED: t->removed++; break;
	case OFFLOAD_REFUSED:
		if (t->refused++ == 0)
			t->reason = event->reason;
		CU_ASSERT_EQUAL(event->packets, 0);
		break;
	default: CU_FAIL("an event of no kind");
	}
	t->packets += event->packets;
	t->bytes += event->bytes;
}

unsigned int
rig_drain(unsigned int worker, unsigned int max)
{
	struct offload_event events[64];
	unsigned int n, done = 0;

	while (done < max) {
		n = offload_events(offload, worker, events, RTE_MIN(max - done, RTE_DIM(events)));
		if (n == 0)
			break;
		for (unsigned int i = 0; i < n; i++) {
			CU_ASSERT_EQUAL(events[i].handle >> 56, worker);
			tell(&events[i]);
		}
		done += n;
	}
	return done;
}

void
rig_round(void)
{
	rig_run(1);
	rig_drain(0, UINT32_MAX);
}
