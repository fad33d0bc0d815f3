/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nat_rig.h"

#include <errno.h>

#define MAX 8192

struct conntrack ct;
struct nat nat;
struct nat_range snat, dnat;
struct asked asked;

static const uint64_t secret[4] = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 77};
static struct conntrack_config config;
static struct conntrack_shared shared;
static struct home_table homes;

static int
reserve(void *ctx, struct nat *asking, uint32_t conn, const struct tuple *reply, uint8_t home)
{
	CU_ASSERT(ctx == &asked && asking == &nat);
	asked.asked++;
	asked.conn = conn;
	asked.home = home;
	asked.reply = *reply;
	return asked.answer;
}

static void
unreserve(void *ctx, struct nat *asking, uint32_t conn, const struct tuple *reply, uint8_t home)
{
	CU_ASSERT(ctx == &asked && asking == &nat);
	asked.unreserved++;
	asked.conn = conn;
	asked.home = home;
	asked.reply = *reply;
}

void
rig_start(uint8_t workers)
{
	clock_inject(1000 * NS_PER_SEC);
	tracker_defaults(&config.tracker);
	config.max = MAX;
	config.checksum = true;
	atomic_store(&shared.left, MAX);
	memset(&snat, 0, sizeof(snat));
	memset(&dnat, 0, sizeof(dnat));
	memset(&asked, 0, sizeof(asked));
	CU_ASSERT_EQUAL_FATAL(conntrack_init(&ct, 0, MAX, secret, &config, &shared), 0);
	CU_ASSERT_EQUAL_FATAL(home_table_init(&homes, workers), 0);
	CU_ASSERT_EQUAL_FATAL(nat_init(&nat, &ct, &homes, 42), 0);
	if (workers > 1) {
		nat.reserve = reserve;
		nat.unreserve = unreserve;
		nat.reserve_ctx = &asked;
	}
}

void
rig_finish(void)
{
	conntrack_flush(&ct, 0);
	CU_ASSERT_EQUAL(ct.live, 0);
	CU_ASSERT_EQUAL(ct.unconfirmed, 0);
	CU_ASSERT_EQUAL(ct.wheel.count, 0);
	CU_ASSERT_EQUAL(ct.table[0].index.count + ct.table[1].index.count, 0);
	CU_ASSERT_EQUAL(ct.lease + atomic_load(&shared.left), MAX);
	CU_ASSERT_EQUAL(nat.by_source.count, 0);
	CU_ASSERT_EQUAL(nat.held_connections, 0);
	CU_ASSERT_EQUAL(nat.held_packets, 0);
	for (unsigned int i = 0; i < NAT_HOLDS; i++)
		CU_ASSERT_EQUAL(nat.holds[i].conn, CONN_NONE);
	nat_fini(&nat);
	conntrack_fini(&ct);
	clock_restore();
}

struct nat_range
range_ip(rte_be32_t min, rte_be32_t max)
{
	struct nat_range range = {.flags = NAT_RANGE_MAP_IPS};

	range.min_addr.v4 = min;
	range.max_addr.v4 = max;
	return range;
}

struct nat_range
range_port(rte_be32_t addr, uint16_t min, uint16_t max)
{
	struct nat_range range = range_ip(addr, addr);

	range.flags |= NAT_RANGE_PROTO_SPECIFIED;
	range.min_port = rte_cpu_to_be_16(min);
	range.max_port = rte_cpu_to_be_16(max);
	return range;
}

/* The nat chains: one rule each, that matches if its range says anything. */
static enum verdict
chains(void *ctx, struct pkt *pkt, enum hook hook)
{
	bool source = hook == HOOK_POSTROUTING;
	const struct nat_range *range = source ? &snat : &dnat;
	int rc;

	CU_ASSERT_PTR_EQUAL(ctx, &nat);
	if (range->flags == 0)
		return VERDICT_ACCEPT;
	rc = nat_ct_ops.nat(pkt, range, source ? NAT_MANIP_SRC : NAT_MANIP_DST);
	CU_ASSERT(rc == 0 || rc == -ENOSPC);
	return rc == 0 ? VERDICT_ACCEPT : VERDICT_DROP;
}

enum verdict
walk_in(struct frame *f)
{
	enum verdict verdict = conntrack_in(&ct, &f->pkt);

	if (verdict == VERDICT_ACCEPT)
		verdict = nat_hook(&nat, &f->pkt, HOOK_PREROUTING, chains, &nat);
	if (verdict == VERDICT_DROP)
		conntrack_forget(&ct, &f->pkt);
	return verdict;
}

enum verdict
walk_out(struct frame *f)
{
	enum verdict verdict = nat_hook(&nat, &f->pkt, HOOK_POSTROUTING, chains, &nat);

	if (verdict == VERDICT_ACCEPT)
		verdict = conntrack_confirm(&ct, &f->pkt);
	if (verdict == VERDICT_DROP)
		conntrack_forget(&ct, &f->pkt);
	return verdict;
}

enum verdict
walk(struct frame *f)
{
	enum verdict verdict = walk_in(f);

	return verdict == VERDICT_ACCEPT ? walk_out(f) : verdict;
}

enum verdict
walk_tuple(struct frame *f, const struct tuple *t)
{
	return walk(frame_make(f, t, 0, 0, 0));
}
