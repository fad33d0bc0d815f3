/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mutated netlink against the store. libnftables, with the shim linked in, loads
 * and lists rulesets; what it sent is recorded, changed and sent again. Nothing
 * may crash, and after each request what holds on to what still adds up.
 *
 * SHUNT_FUZZ_REQUESTS  requests, 60,000 unless told
 * SHUNT_FUZZ_SEED      where the random numbers begin; else the clock says
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>

#include "compile.h"
#include "fuzz_xt.h"
#include "load.h"
#include "nft_server.h"
#include "shim.h"
#include "store.h"

#define REQUESTS 60000
#define RECORDS	 4096
#define EPISODE	 2000
#define ROOM	 (1 << 20)

/* --- a store, its wire, and what it is loaded into */

static struct nft_ruleset *prepared, *current;

static const char *
port_name(uint16_t port)
{
	(void)port;
	return "eth0\0\0\0\0\0\0\0\0\0\0\0";
}

static uint32_t
port_index(uint16_t port)
{
	return port;
}

static uint16_t
port_by_name(const char *name)
{
	(void)name;
	return 1;
}

static const struct nft_env env = {
	.port_name = port_name, .port_index = port_index, .port_by_name = port_by_name};

static int
prepare(void *ctx, struct store *store, struct nft_blame *blame)
{
	int rc;

	(void)ctx;
	nft_ruleset_free(prepared);
	prepared = NULL;
	rc = nft_load(store, &env, current, &prepared, blame);
	return rc != 0 ? rc : nft_compile(prepared->program);
}

static void
commit(void *ctx, void (*done)(void *arg), void *arg)
{
	(void)ctx;
	nft_ruleset_free(current);
	current = prepared;
	prepared = NULL;
	done(arg);
}

static struct nft_count
read_counter(void *ctx, uint32_t counter)
{
	return nft_states_count(ctx, counter);
}

static bool
link_at(void *ctx, unsigned int n, struct nft_link *link)
{
	(void)ctx;
	*link = (struct nft_link){1, "lo"};
	return n == 0;
}

struct rig {
	struct nft_states *states;
	struct store *store;
	struct nft_backend backend;
	struct nft_wire *wire;
};

static void
rig_new(struct rig *rig)
{
	rig->states = nft_states_new(1);
	rig->store = store_new(rig->states);
	rig->backend = (struct nft_backend){rig->states, prepare, commit, read_counter, link_at};
	rig->wire = nft_wire_new(rig->store, &rig->backend);
	if (rig->wire == NULL)
		exit(2);
}

static void
rig_free(struct rig *rig)
{
	nft_ruleset_free(current);
	nft_ruleset_free(prepared);
	current = prepared = NULL;
	nft_wire_free(rig->wire);
	store_free(rig->store);
	nft_states_free(rig->states);
}

/* --- recording */

static struct record {
	int protocol;
	size_t len;
	uint8_t *bytes;
} records[RECORDS];
static unsigned int record_count;
static bool recording;

void __real_nft_client_request(struct nft_client *client, int protocol, const void *req, size_t len,
	void (*done)(void *ctx), void *ctx);
void __wrap_nft_client_request(struct nft_client *client, int protocol, const void *req, size_t len,
	void (*done)(void *ctx), void *ctx);

/* By the linker in the place of the server's calls. */
void
__wrap_nft_client_request(struct nft_client *client, int protocol, const void *req, size_t len,
	void (*done)(void *ctx), void *ctx)
{
	if (recording && record_count < RECORDS && len <= ROOM / 4) {
		struct record *r = &records[record_count++];

		*r = (struct record){protocol, len, malloc(len + 1)};
		if (r->bytes == NULL)
			exit(2);
		memcpy(r->bytes, req, len);
	}
	__real_nft_client_request(client, protocol, req, len, done, ctx);
}

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

static void *
serve(void *loop)
{
	(void)loop_run(loop);
	return NULL;
}

static void
record_all(void)
{
	const struct unix_access access = {UNIX_NO_GROUP, UNIX_NO_GROUP};
	char folder[] = "/tmp/shunt-fuzz-XXXXXX", path[64];
	struct nft_server *server;
	struct loop *loop;
	struct nft_ctx *nft;
	pthread_t thread;
	struct rig rig;
	int err;

	if (mkdtemp(folder) == NULL || loop_create(&loop) != 0)
		exit(2);
	snprintf(path, sizeof(path), "%s/nft.sock", folder);
	rig_new(&rig);
	server = nft_server_new(loop, rig.wire, path, &access, &err);
	if (server == NULL || pthread_create(&thread, NULL, serve, loop) != 0)
		exit(2);
	recording = true;
	shim_set_socket(path);
	nft = nft_ctx_new(NFT_CTX_DEFAULT);
	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	for (unsigned int i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		(void)nft_run_cmd_from_buffer(nft, texts[i]);
	nft_ctx_free(nft);
	recording = false;
	loop_stop(loop);
	pthread_join(thread, NULL);
	nft_server_free(server);
	loop_destroy(loop);
	rig_free(&rig);
	rmdir(folder);
}

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
			if (words_at + count <= len && len + count <= ROOM) {
				memmove(bytes + words_at + count, bytes + words_at, len - words_at);
				len += count;
			}
			break;
		default: /* a piece of another request */
			if (words_at + 64 <= len) {
				const struct record *r = &records[below(record_count)];
				size_t from = below((uint32_t)r->len) & ~3U;

				count = r->len - from < 64 ? r->len - from : 64;
				memcpy(bytes + words_at, r->bytes + from, count);
			}
			break;
		}
	}
	return len;
}

/* --- what must hold */

struct held {
	const struct store_item *items[1 << 16];
	unsigned int count;
};

static void
hold(struct held *held, const struct store_refs *refs)
{
	for (uint32_t i = 0; i < refs->count && held->count < 1 << 16; i++)
		held->items[held->count++] = refs->items[i];
}

static void
hold_elem(struct held *held, const struct store_elem *elem)
{
	if (elem->chain != NULL && held->count < 1 << 16)
		held->items[held->count++] = &elem->chain->item;
	if (elem->object != NULL && held->count < 1 << 16)
		held->items[held->count++] = &elem->object->item;
}

static void
check_use(const struct held *held, const struct store_item *item)
{
	uint32_t use = 0;

	for (unsigned int i = 0; i < held->count; i++)
		use += held->items[i] == item;
	if (use == item->use && item->linked)
		return;
	fprintf(stderr, "kind %u is used %u times, not %u\n", item->kind, use, item->use);
	abort();
}

static void
check_list(const struct held *held, const struct store_list *list)
{
	uint32_t count = 0;

	store_for_each(item, list)
	{
		check_use(held, item);
		count++;
	}
	if (count == list->count)
		return;
	fprintf(stderr, "%u items, not %u\n", count, list->count);
	abort();
}

static void
check(const struct store *store)
{
	static struct held held;

	held.count = 0;
	store_for_each(t, &store->tables)
	{
		struct store_table *table = (struct store_table *)t;

		store_for_each(c, &table->chains)
			store_for_each(r, &((struct store_chain *)c)->rules)
				hold(&held, &((struct store_rule *)r)->refs);
		store_for_each(s, &table->sets) store_for_each(e, &((struct store_set *)s)->elems)
			hold_elem(&held, (struct store_elem *)e);
	}
	store_for_each(t, &store->tables)
	{
		struct store_table *table = (struct store_table *)t;

		check_list(&held, &table->chains);
		check_list(&held, &table->sets);
		check_list(&held, &table->objects);
		check_list(&held, &table->flowtables);
	}
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
is_taken(const struct record *r)
{
	struct nft_client *client;
	struct rig rig;
	bool taken;

	rig_new(&rig);
	client = nft_client_new(rig.wire, take, NULL);
	__real_nft_client_request(client, r->protocol, r->bytes, r->len, done, NULL);
	taken = rig.store->generation > 1;
	nft_client_free(client);
	rig_free(&rig);
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
		struct record *r = &records[record_count];

		if (record_count++ == RECORDS)
			exit(2);
		*r = (struct record){12, len, malloc(len + 1)};
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
	struct rig rig;

	rig_new(&rig);
	client = nft_client_new(rig.wire, take, NULL);
	nft_client_join(client, NFNLGRP_NFTABLES);
	for (unsigned int i = 0; i < EPISODE; i++) {
		const struct record *r = &records[below(record_count)];
		uint8_t *exact;
		size_t len;

		memcpy(bytes, r->bytes, r->len);
		len = below(3) == 0 ? r->len : mutate(bytes, r->len);
		/* Where it ends the heap block ends: a read beyond it is seen. */
		exact = malloc(len + 1);
		if (exact == NULL)
			exit(2);
		memcpy(exact, bytes, len);
		__real_nft_client_request(client, r->protocol, exact, len, done, NULL);
		free(exact);
		if (i % 16 == 0)
			check(rig.store);
	}
	check(rig.store);
	nft_client_free(client);
	rig_free(&rig);
}

int
main(void)
{
	const char *want = getenv("SHUNT_FUZZ_REQUESTS"), *seed = getenv("SHUNT_FUZZ_SEED");
	uint64_t requests = want != NULL ? strtoull(want, NULL, 10) : REQUESTS;
	uint8_t *bytes = malloc(ROOM + 64);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	state = (seed != NULL ? strtoull(seed, NULL, 10)
			      : (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) |
		1;
	record_all();
	record_iptables();
	printf("SHUNT_FUZZ_SEED=%" PRIu64 " SHUNT_FUZZ_REQUESTS=%" PRIu64 " of %u recorded\n",
		state, requests, record_count);
	fflush(stdout);
	if (bytes == NULL || record_count < 50)
		return 2;
	for (uint64_t n = 0; n < requests; n += EPISODE)
		episode(bytes);
	printf("%" PRIu64 " answered, %" PRIu64 " bytes\n", answered, sent_back);
	for (unsigned int i = 0; i < record_count; i++)
		free(records[i].bytes);
	free(bytes);
	return 0;
}
