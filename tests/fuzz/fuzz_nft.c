/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mutated netlink against the store. libnftables, with the shim linked in, loads
 * and lists rulesets; what it sent is recorded, changed and sent again. Nothing
 * may crash, and after each request what holds on to what still adds up.
 *
 * SHUNT_FUZZ_REQUESTS  requests, 60,000 unless told
 * SHUNT_FUZZ_SEED      where the random numbers begin; else the clock says
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/netfilter/nfnetlink.h>

#include "fuzz_record.h"
#include "fuzz_rig.h"
#include "fuzz_xt.h"

#define REQUESTS 60000
#define EPISODE	 2000

/* --- what is recorded */

static const char *const texts[] = {
	"add table ip t; add chain ip t c { type filter hook forward priority 0; policy drop; }; "
	"add chain ip t d; add rule ip t c ip saddr 10.0.0.1 tcp dport 80 counter jump d; "
	"add rule ip t d ct state established,related accept; add rule ip t d log prefix \"x\" "
	"drop",
	"add set ip t s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 11.0.0.1 }; }; "
	"add rule ip t c ip saddr @s accept; add map ip t m { type inet_service : verdict; }; "
	"add element ip t m { 80 : accept, 81 : jump d }; add rule ip t c tcp dport vmap @m",
	"add set ip t y { type ipv4_addr; flags dynamic,timeout; timeout 1m; }; "
	"add rule ip t c update @y { ip saddr limit rate 10/second }; add element ip t y { 1.1.1.1 "
	"}; "
	"add rule ip t c meter z { ip daddr counter } accept",
	"add set ip t r { type ipv4_addr . inet_service; flags interval; "
	"elements = { 10.0.0.0/8 . 1-80 }; }; add rule ip t c ip saddr . tcp dport @r accept",
	"add counter ip t n; add rule ip t c counter name n; "
	"add flowtable ip t f { hook ingress priority 0; devices = { eth0 }; }; "
	"add rule ip t c meta l4proto { tcp, udp } flow add @f",
	"add table inet i; add chain inet i p { type nat hook postrouting priority 100; }; "
	"add rule inet i p oifname \"eth0\" masquerade; add rule inet i p ip saddr 10.0.0.1 snat "
	"ip to "
	"10.0.0.2:1-5; add chain inet i q { type nat hook prerouting priority -100; }; "
	"add rule inet i q tcp dport 80 dnat ip to 10.0.0.3:80; add rule inet i q tcp dport 1 "
	"redirect to :5",
	"add chain inet i g { type filter hook input priority 0; }; add rule inet i g reject; "
	"add rule inet i g limit rate 5/minute accept; add rule inet i g tcp flags syn jump { "
	"drop; }; "
	"add rule inet i g fib daddr type local accept; add rule inet i g numgen inc mod 3 vmap { "
	"0 : drop }; "
	"add rule inet i g tcp option maxseg size set 1400; add rule inet i g ip6 saddr ::1 drop; "
	"add rule inet i g ct mark set 1; add rule inet i g meta mark 1-5 notrack",
	"list ruleset",
	"delete element ip t s { 11.0.0.1 }",
	"reset counters",
	"replace rule ip t c handle 3 drop",
	"insert rule ip t c index 1 accept",
	"rename chain ip t d e",
	"get element ip t y { 1.1.1.1 }",
	"flush chain ip t c",
	"delete flowtable ip t f",
	"delete table inet i",
	"flush set ip t y",
	"add table ip t { flags dormant; }",
	"flush ruleset",
};

/* --- mutations */

static uint64_t state;

static uint32_t
below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % n;
}

static size_t
mutate(uint8_t *bytes, size_t len)
{
	static const uint16_t words[] = {0, 1, 3, 4, 5, 8, 0x7fff, 0x8000, 0xffff, 20, 255, 256};

	for (uint32_t n = below(5); n > 0 && len > 20; n--) {
		size_t at = below((uint32_t)len), words_at = at & ~(size_t)3, count;

		switch (below(7)) {
		case 0: bytes[at] ^= (uint8_t)(1U << below(8)); break;
		case 1: bytes[at] = (uint8_t)below(256); break;
		case 2: memcpy(bytes + words_at, &words[below(12)], 2); break; /* a length */
		case 3:							       /* a type */
			if (words_at + 4 <= len)
				bytes[words_at + 2] = (uint8_t)below(24);
			break;
		case 4: len = (len - below(40 < len ? 40 : (uint32_t)len)) & ~(size_t)3; break;
		case 5: /* a piece twice */
			count = (below(64) + 4) & ~3U;
			if (words_at + count <= len && len + count <= FUZZ_ROOM) {
				memmove(bytes + words_at + count, bytes + words_at, len - words_at);
				len += count;
			}
			break;
		default: /* a piece of another request */
			if (words_at + 64 <= len) {
				const struct fuzz_record *r =
					&fuzz_records[below(fuzz_record_count)];
				size_t from = below((uint32_t)r->len) & ~3U;

				count = r->len - from < 64 ? r->len - from : 64;
				memcpy(bytes + words_at, r->bytes + from, count);
			}
			break;
		}
	}
	return len;
}

/* --- */

static uint64_t sent_back, answered;

static void
take(void *ctx, const void *datagram, size_t len, bool event)
{
	(void)ctx;
	(void)datagram;
	(void)event;
	sent_back += len;
}

static void
done(void *ctx)
{
	(void)ctx;
	answered++;
}

/* Whether a store takes a request as it is. */
static bool
is_taken(const struct fuzz_record *r)
{
	struct nft_client *client;
	struct fuzz_rig rig;
	bool taken;

	fuzz_rig_new(&rig);
	client = nft_client_new(rig.wire, take, NULL);
	nft_client_request(client, r->protocol, r->bytes, r->len, done, NULL);
	taken = rig.store->generation > 1;
	nft_client_free(client);
	fuzz_rig_free(&rig);
	return taken;
}

/* What iptables sends is made, not recorded: libnftables has no word for it. */
static void
record_iptables(void)
{
	unsigned int taken = 0;
	uint8_t request[4096];
	size_t len;

	for (unsigned int n = 0; (len = fuzz_xt_request(n, request)) != 0; n++) {
		struct fuzz_record *r = &fuzz_records[fuzz_record_count];

		if (fuzz_record_count++ == FUZZ_RECORDS)
			exit(2);
		*r = (struct fuzz_record){12, len, malloc(len + 1)};
		if (r->bytes == NULL)
			exit(2);
		memcpy(r->bytes, request, len);
		taken += is_taken(r);
	}
	/* Most of them are good as they are: what is changed begins behind the first checks. */
	if (taken < 30)
		exit(2);
}

static void
episode(uint8_t *bytes)
{
	struct nft_client *client;
	struct fuzz_rig rig;

	fuzz_rig_new(&rig);
	client = nft_client_new(rig.wire, take, NULL);
	nft_client_join(client, NFNLGRP_NFTABLES);
	for (unsigned int i = 0; i < EPISODE; i++) {
		const struct fuzz_record *r = &fuzz_records[below(fuzz_record_count)];
		uint8_t *exact;
		size_t len;

		memcpy(bytes, r->bytes, r->len);
		len = below(3) == 0 ? r->len : mutate(bytes, r->len);
		/* Where it ends the heap block ends: a read beyond it is seen. */
		exact = malloc(len + 1);
		if (exact == NULL)
			exit(2);
		memcpy(exact, bytes, len);
		nft_client_request(client, r->protocol, exact, len, done, NULL);
		free(exact);
		if (i % 16 == 0)
			fuzz_check(rig.store);
	}
	fuzz_check(rig.store);
	nft_client_free(client);
	fuzz_rig_free(&rig);
}

int
main(void)
{
	const char *want = getenv("SHUNT_FUZZ_REQUESTS"), *seed = getenv("SHUNT_FUZZ_SEED");
	uint64_t requests = want != NULL ? strtoull(want, NULL, 10) : REQUESTS;
	uint8_t *bytes = malloc(FUZZ_ROOM + 64);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	state = (seed != NULL ? strtoull(seed, NULL, 10)
			      : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) |
		1;
	fuzz_record(texts, sizeof(texts) / sizeof(texts[0]));
	record_iptables();
	printf("SHUNT_FUZZ_SEED=%" PRIu64 " SHUNT_FUZZ_REQUESTS=%" PRIu64 " of %u recorded\n",
		state, requests, fuzz_record_count);
	fflush(stdout);
	if (bytes == NULL || fuzz_record_count < 50)
		return 2;
	for (uint64_t n = 0; n < requests; n += EPISODE)
		episode(bytes);
	printf("%" PRIu64 " answered, %" PRIu64 " bytes\n", answered, sent_back);
	for (unsigned int i = 0; i < fuzz_record_count; i++)
		free(fuzz_records[i].bytes);
	free(bytes);
	return 0;
}
