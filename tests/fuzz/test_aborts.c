/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A transaction that fails leaves nothing behind: 1,000 of them, of every kind and each
 * with many good changes ahead of its error; then the memory, the generation and every
 * byte of a listing are what they were.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "fuzz_record.h"
#include "fuzz_rig.h"
#include "unit.h"

#define ABORTS	    1000
#define LISTING_MAX (1 << 20)

static const char *const texts[] = {
	/* What stands. */
	"add table inet t; add chain inet t c { type filter hook forward priority 0; policy drop; "
	"}; add chain inet t d; add chain inet t e; add rule inet t c ip saddr 10.0.0.1 counter "
	"jump d; add rule inet t d ct state established accept comment \"kept\"; "
	"add set inet t s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 11.0.0.1 }; "
	"}; add rule inet t c ip saddr @s accept; "
	"add map inet t m { type inet_service : verdict; elements = { 80 : accept, 81 : jump e }; "
	"}; add rule inet t c tcp dport vmap @m; "
	"add set inet t five { type inet_service; size 5; elements = { 1, 2, 3, 4 }; }; "
	"add set inet t r { type ipv4_addr . inet_service; flags interval; counter; elements = { "
	"10.0.0.0/8 . 1-80 }; }; add rule inet t c ip saddr . tcp dport @r accept; "
	"add set inet t y { type ipv4_addr; flags dynamic; }; add rule inet t c update @y { ip "
	"saddr limit rate 10/second }; add counter inet t n { packets 5 bytes 50 }; "
	"add quota inet t q { over 5 mbytes }; add rule inet t c counter name n quota name q; "
	"add flowtable inet t f { hook ingress priority 0; devices = { eth0 }; }; "
	"add rule inet t c meta l4proto { tcp, udp } flow add @f; "
	"add rule inet t c tcp flags syn jump { drop; }; add rule inet t c limit rate 5/minute log",
	"list ruleset",
	/* What fails, mostly at its end. */
	"flush ruleset; add table ip a; add chain ip a b { type nat hook postrouting priority 100; "
	"}; add rule ip a b masquerade; add rule ip a b jump nowhere",
	"delete table inet t; add table inet t; add chain inet t c { type filter hook input "
	"priority 0; }; add rule inet t c counter; add rule inet t none drop",
	"add rule inet t d jump e; add rule inet t e counter accept; add rule inet t e jump d",
	"add rule inet t e ip saddr { 1.1.1.1, 2.2.2.2 } counter; add rule inet t e ip version 4 "
	"masquerade",
	"add element inet t five { 5 }; add element inet t five { 6, 7 }",
	"add element inet t s { 12.0.0.0/8, 13.0.0.1-13.0.0.9 }; delete element inet t s { "
	"11.0.0.1 "
	"}; add element inet t m { 90 : goto d }; delete element inet t m { 81 }; "
	"create element inet t five { 1 }",
	"add element inet t r { 11.0.0.0/8 . 1-80, 12.1.1.1 . 5 }; flush set inet t r; "
	"flush set inet t s; flush map inet t m; delete counter inet t n",
	"rename chain inet t d z; add chain inet t c { policy accept; }; add counter inet t k; "
	"add rule inet t z counter name k; delete chain inet t e",
	"flush chain inet t c; flush chain inet t d; delete chain inet t d; delete chain inet t "
	"e",
	"insert rule inet t c drop; delete rule inet t c handle 4; replace rule inet t d handle "
	"99999 "
	"drop",
	"add flowtable inet t g { hook ingress priority 1; devices = { eth0 }; }; "
	"add rule inet t d meta l4proto udp flow add @g; delete flowtable inet t f",
	"add rule inet t d tcp dport { 1-5, 9 } jump { ip saddr 1.1.1.1 drop; counter; }; add map "
	"inet t "
	"o { type ipv4_addr : counter; }; add element inet t o { 1.1.1.1 : \"n\" }; "
	"add rule inet t d counter name ip saddr map @o; add rule inet t d meter w { ip daddr "
	"counter } drop; delete quota inet t q",
	"add table inet t { flags dormant; }; add chain inet t x { type filter hook output "
	"priority "
	"5; }; add chain inet t x2 { type nat hook forward priority 5; }",
	"add table ip o { flags owner; }; add chain ip o c; add rule ip o c drop; delete table ip "
	"none",
	"add rule inet t c limit rate 1/second burst 5 packets quota over 5 bytes counter numgen "
	"inc "
	"mod 3 vmap { 0 : drop, 1 : jump e }; add rule inet t c queue num 5",
};

static struct fuzz_rig rig;
static struct nft_client *client;
static uint8_t listing[LISTING_MAX], before[LISTING_MAX];
static size_t listed;
static unsigned int errors;
static bool answered, keep;

static void
take(void *ctx, const void *datagram, size_t len, bool event)
{
	const struct nlmsghdr *nlh = datagram;
	int left = (int)len;

	(void)ctx;
	(void)event;
	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
		if (nlh->nlmsg_type == NLMSG_ERROR)
			errors += ((const struct nlmsgerr *)mnl_nlmsg_get_payload(nlh))->error != 0;
	if (!keep)
		return;
	CU_ASSERT_FATAL(listed + len <= sizeof(listing));
	memcpy(listing + listed, datagram, len);
	listed += len;
}

static void
done(void *ctx)
{
	(void)ctx;
	answered = true;
}

static void
ask(const struct fuzz_record *r)
{
	answered = false;
	nft_client_request(client, r->protocol, r->bytes, r->len, done, NULL);
	CU_ASSERT_FATAL(answered);
}

static bool
is_batch(const struct fuzz_record *r)
{
	return ((const struct nlmsghdr *)(const void *)r->bytes)->nlmsg_type ==
	       NFNL_MSG_BATCH_BEGIN;
}

static bool
lists(const struct fuzz_record *r, uint8_t message)
{
	const struct nlmsghdr *nlh = (const void *)r->bytes;

	return nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | message) &&
	       (nlh->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
}

/* Everything that there is to be listed, the elements of each set too. */
static void
list(void)
{
	static const uint8_t messages[] = {NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE,
		NFT_MSG_GETSET, NFT_MSG_GETOBJ, NFT_MSG_GETFLOWTABLE, NFT_MSG_GETSETELEM};

	listed = 0;
	keep = true;
	for (unsigned int m = 0; m < sizeof(messages); m++)
		for (unsigned int i = 0; i < fuzz_record_count; i++)
			if (lists(&fuzz_records[i], messages[m]))
				ask(&fuzz_records[i]);
	keep = false;
}

static size_t
memory(void)
{
	return mallinfo2().uordblks;
}

/* All that fail once. Returns how many these are. */
static unsigned int
abort_all(unsigned int from)
{
	unsigned int count = 0;

	for (unsigned int i = from; i < fuzz_record_count; i++) {
		uint32_t generation = rig.store->generation;

		if (!is_batch(&fuzz_records[i]))
			continue;
		errors = 0;
		ask(&fuzz_records[i]);
		CU_ASSERT_NOT_EQUAL(errors, 0);
		CU_ASSERT_EQUAL(rig.store->generation, generation);
		count++;
	}
	return count;
}

/* And one that is cut off before its end. */
static void
cut_off(unsigned int from)
{
	for (unsigned int i = from; i < fuzz_record_count; i++) {
		struct fuzz_record r = fuzz_records[i];

		if (!is_batch(&r) || r.len <= 2 * 20)
			continue;
		r.len -= 20;
		ask(&r);
	}
}

/* Counters and buckets are no malloc()'s: what comes next says whether one was kept. */
static uint32_t
next_number(enum nft_state_kind kind)
{
	uint32_t number = 0;

	CU_ASSERT_EQUAL(nft_states_take(rig.states, kind, &number), 0);
	nft_states_give(rig.states, kind, number);
	return number;
}

static void
test_aborts(void)
{
	unsigned int stands = 0, aborts = 0, round;
	uint32_t counter, bucket;
	size_t used, kept;

	fuzz_record(texts, sizeof(texts) / sizeof(texts[0]));
	fuzz_rig_new(&rig);
	client = nft_client_new(rig.wire, take, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(client);
	while (stands < fuzz_record_count && !is_batch(&fuzz_records[stands]))
		stands++;
	CU_ASSERT_FATAL(stands < fuzz_record_count);
	ask(&fuzz_records[stands++]);
	CU_ASSERT_EQUAL(errors, 0);
	/* Once before it counts: what grows by use and stays, grows here. */
	round = abort_all(stands);
	CU_ASSERT_EQUAL(round, sizeof(texts) / sizeof(texts[0]) - 2);
	cut_off(stands);
	list();
	kept = listed;
	memcpy(before, listing, listed);
	counter = next_number(NFT_STATE_COUNTER);
	bucket = next_number(NFT_STATE_WORDS);
	used = memory();
	while (aborts < ABORTS)
		aborts += abort_all(stands);
	cut_off(stands);
	CU_ASSERT_EQUAL(memory(), used);
	CU_ASSERT_EQUAL(next_number(NFT_STATE_COUNTER), counter);
	CU_ASSERT_EQUAL(next_number(NFT_STATE_WORDS), bucket);
	list();
	CU_ASSERT_EQUAL(listed, kept);
	CU_ASSERT(memcmp(before, listing, kept) == 0);
	printf("%u aborted transactions of %u kinds: %zu bytes before, %zu after; a listing of %zu "
	       "bytes\n",
		aborts, round, used, memory(), kept);
	fuzz_check(rig.store);
	nft_client_free(client);
	fuzz_rig_free(&rig);
	for (unsigned int i = 0; i < fuzz_record_count; i++)
		free(fuzz_records[i].bytes);
}

int
main(int argc, char **argv)
{
	/* What a thread keeps for its next malloc() counts as used. */
	static const char name[] = "GLIBC_TUNABLES", none[] = "glibc.malloc.tcache_count=0";

	CU_TestInfo tests[] = {
		{"aborted transactions leave nothing", test_aborts},
		CU_TEST_INFO_NULL,
	};

	(void)argc;
	if (getenv(name) == NULL && setenv(name, none, 1) == 0)
		execv("/proc/self/exe", argv);
	return unit_run("aborts", tests);
}
