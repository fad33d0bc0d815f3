/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mutates frames and gives them to everything in lib/packet that reads one.
 *
 * SHUNT_FUZZ_PACKETS  packets, 1,000,000 unless told
 * SHUNT_FUZZ_SEED     where the random numbers begin; else the clock says
 *
 * Each frame ends where a heap block does, and what lies before its headers is
 * poison of another kind: the address sanitizer sees a read beyond it. Exit
 * status 1 if a property does not hold, or a reason of the parser to drop was
 * never met, which would mean that the mutations do not reach it.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frames.h"
#include "icmp_error.h"
#include "rewrite.h"

#define PACKETS 1000000ULL
#define SEEDS	64
/* The reasons of the parser are the first of the list, but for the MAC's, which it does not see. */
#define LAST_PARSE_REASON DROP_IP6_EXT_CHAIN

struct seed_frame {
	uint8_t bytes[FRAME_MAX];
	uint32_t len;
};

struct fuzz {
	uint64_t random;
	uint64_t packets;
	uint64_t drops[DROP_COUNT];
	uint64_t parsed, quotes, errors, resets;
	uint32_t flags; /* every flag that a frame had */
	struct seed_frame seeds[SEEDS];
	/* blocks[len] has exactly len bytes: allocated once, for speed. */
	uint8_t *blocks[FRAME_MAX + 1];
	/* The frame at hand, to print it. */
	uint8_t frame[FRAME_MAX];
	uint32_t len;
};

static void
complain(const struct fuzz *f, const char *what)
{
	fprintf(stderr, "packet %" PRIu64 ": %s:", f->packets, what);
	for (uint32_t i = 0; i < f->len; i++)
		fprintf(stderr, " %02x", f->frame[i]);
	fprintf(stderr, "\n");
	exit(1);
}

static void
make_seeds(struct fuzz *f)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6};
	static const uint16_t fragments[2][2] = {{0x2000, 0x20}, {1, 0x100}};

	for (unsigned int i = 0; i < SEEDS; i++) {
		bool ipv6 = i & 1, error = i & 16;
		struct seed_frame inner;
		struct frame_spec spec = {
			.ipv6 = ipv6,
			.proto = protos[i >> 1 & 3],
			.ext = i & 8 ? (uint8_t)(1 + i / 8) : 0,
			.fragment = i >= 48 ? fragments[ipv6][i >> 1 & 1] : 0,
			.payload = (uint16_t)(i * 3),
			.icmp_type = ipv6 ? 128 : 8,
		};

		/* One with a header more than the parser follows. */
		if (i == 47)
			spec.ext = 9;
		spec.t = random_tuple(&f->random, ipv6, spec.proto);
		f->seeds[i].len = frame_build(f->seeds[i].bytes, &spec);
		if (!error)
			continue;
		inner = f->seeds[i];
		spec = (struct frame_spec){
			.ipv6 = ipv6,
			.proto = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
			.icmp_type = ipv6 ? 1 + (i >> 1 & 3) : 3 + 8 * (i >> 1 & 1),
			.quote = inner.bytes + FRAME_L2,
			.payload = (uint16_t)(inner.len - FRAME_L2),
			.t = random_tuple(&f->random, ipv6, IPPROTO_ICMP),
		};
		f->seeds[i].len = frame_build(f->seeds[i].bytes, &spec);
	}
}

/* Make the IPv4 header's checksum right, so that what lies behind it is reached. */
static void
mend(uint8_t *frame, uint32_t len)
{
	uint32_t header;

	if (len < FRAME_L2 + 20 || frame[FRAME_L2] >> 4 != 4)
		return;
	header = (frame[FRAME_L2] & 15) * 4U;
	if (header >= 20 && FRAME_L2 + header <= len)
		seal(frame + FRAME_L2, 0, NULL, 0);
}

/* Change a byte: most often one of the headers; to anything, or to what sits at a limit. */
static void
change(struct fuzz *f, uint64_t r)
{
	static const uint8_t limits[] = {
		0, 1, 2, 7, 8, 0x45, 0x4f, 0x60, 0x7f, 0x80, 0x81, 0xff, 6, 17, 44, 51, 43, 60, 58};
	uint32_t reach = r & 7 ? RTE_MIN(f->len, 100U) : f->len;
	uint32_t at = reach == 0 ? 0 : (uint32_t)(r >> 8 & 0xffff) % reach;

	if (f->len == 0)
		return;
	switch (r >> 3 & 3) {
	case 0: f->frame[at] = (uint8_t)(r >> 24); break;
	case 1: f->frame[at] ^= (uint8_t)(1U << (r >> 24 & 7)); break;
	default: f->frame[at] = limits[(r >> 24 & 0xff) % sizeof(limits)]; break;
	}
}

static void
mutate(struct fuzz *f)
{
	uint64_t r = random_next(&f->random);
	const struct seed_frame *seed = &f->seeds[r % SEEDS];
	unsigned int changes = r >> 8 & 3;

	f->len = seed->len;
	memcpy(f->frame, seed->bytes, f->len);
	for (unsigned int i = 0; i < changes; i++)
		change(f, random_next(&f->random));
	/* The EtherType is two bytes of which a chance seldom makes another. */
	if ((r >> 16 & 0x3f) == 0)
		memcpy(f->frame + 12, r >> 22 & 1 ? "\x81\x00" : "\x88\xa8", 2);
	if ((r >> 23 & 7) == 0)
		f->len = (uint32_t)(r >> 32) % (f->len + 1);
	if ((r >> 26 & 7) != 0)
		mend(f->frame, f->len);
}

/* A made packet must parse without fault, and be no more than its limit. */
static void
check_made(struct fuzz *f, struct fake *made, uint32_t limit, const char *what)
{
	struct pkt *pkt = pkt_of(&made->m);

	if (pkt_parse(&made->m, pkt) != 0 || (pkt->flags & (PKT_L4_BAD | PKT_IP_BAD)) ||
		!(pkt->flags & PKT_L4) || pkt->ip_len > limit ||
		pkt->ip_len + pkt->l2_len != made->m.data_len)
		complain(f, what);
}

static void
answer(struct fuzz *f, const struct pkt *pkt)
{
	static uint8_t bytes[FRAME_MAX];
	bool ipv6 = (pkt->flags & PKT_IPV6) != 0;
	union address source = {.w = {0x01020304}};
	struct fake made;

	fake_mbuf(&made, bytes, 0, sizeof(bytes));
	if (icmp_error_build(&made.m, pkt, ipv6 ? 1 : 3, 0, 0, &source) != 0)
		complain(f, "no error was built");
	check_made(f, &made, ipv6 ? 1280 : 576, "the error that was built is bad");
	f->errors += icmp_error_allowed(pkt);
	fake_mbuf(&made, bytes, 0, sizeof(bytes));
	if (tcp_reset_build(&made.m, pkt) == 0) {
		f->resets++;
		check_made(f, &made, 60, "the reset that was built is bad");
	}
}

/* What is right stays right when it is translated. */
static void
translate(struct fuzz *f, struct rte_mbuf *m, struct pkt *pkt)
{
	enum nat_manip manip = f->packets & 1 ? NAT_MANIP_SRC : NAT_MANIP_DST;
	bool ipv6 = (pkt->flags & PKT_IPV6) != 0;
	uint32_t flags = pkt->flags, bytes = m->data_len;
	uint8_t proto = pkt->l4_proto;
	uint16_t l3_off, l4_off;
	struct tuple quoted, to, was;
	bool quote = false;

	to = random_tuple(&f->random, ipv6, proto);
	if (pkt->flags & PKT_ICMP_ERROR) {
		if (pkt_parse_quote(pkt, &quoted, &l3_off, &l4_off) == 0) {
			f->quotes++;
			if (l3_off >= l4_off || l4_off > pkt->l2_len + pkt->ip_len)
				complain(f, "a quote beyond the packet");
			to = random_tuple(&f->random, ipv6, quoted.proto);
			to.dport = quoted.dport;
			/* A quoted message without reply belongs to no connection. */
			quote = tuple_invert(&to, &was);
			pkt_translate_error(pkt, &to, manip);
		}
	} else {
		to.dport = pkt->tuple.dport;
		pkt_translate(pkt, &to, manip);
	}
	if (!(flags & PKT_TTL))
		pkt_dec_ttl(pkt);
	was = pkt->tuple;
	pkt->flags = 0;
	if (pkt_parse(m, pkt) != 0 || m->data_len != bytes || !tuple_equal(&pkt->tuple, &was))
		complain(f, "a translated packet parses otherwise");
	/* Summed anew with a quote; else as right or wrong as it was. The NIC's word is about the
	 * frame as it came. */
	if (m->ol_flags == 0 && (pkt->flags & PKT_L4_BAD) && (quote || !(flags & PKT_L4_BAD)))
		complain(f, "a translated packet's checksum is wrong");
}

static void
one(struct fuzz *f)
{
	uint8_t *block;
	struct fake fake;
	struct pkt *pkt;

	mutate(f);
	block = f->blocks[f->len];
	memcpy(block, f->frame, f->len);
	pkt = pkt_of(fake_mbuf(&fake, block, f->len, f->len));
	fake.m.ol_flags = random_next(&f->random) & RTE_MBUF_F_RX_L4_CKSUM_MASK &
			  (f->packets & 3 ? 0 : UINT64_MAX);
	if (pkt_parse(&fake.m, pkt) != 0) {
		if (pkt->drop > LAST_PARSE_REASON)
			complain(f, "not a reason of the parser");
		f->drops[pkt->drop]++;
		return;
	}
	f->parsed++;
	f->flags |= pkt->flags;
	if (pkt->l2_len + pkt->ip_len > f->len || pkt->l3_len > pkt->ip_len ||
		pkt->l4_off != pkt->l2_len + pkt->l3_len)
		complain(f, "lengths beyond the frame");
	answer(f, pkt);
	translate(f, &fake.m, pkt);
}

/* Whether the mutations reached everything. */
static int
report(const struct fuzz *f)
{
	const uint32_t all = PKT_IPV4 | PKT_IPV6 | PKT_L4 | PKT_FRAGMENT | PKT_LATER_FRAGMENT |
			     PKT_OPTIONS | PKT_EXT_HEADERS | PKT_TTL | PKT_TCP_FLAGS | PKT_L4_BAD |
			     PKT_ICMP_ERROR;
	int rc = 0;

	for (unsigned int i = 0; i <= LAST_PARSE_REASON; i++) {
		if (i == DROP_NOT_FOR_US)
			continue;
		printf("%-20s %" PRIu64 "\n", drop_reason_name(i), f->drops[i]);
		if (f->drops[i] == 0) {
			fprintf(stderr, "%s was never reached\n", drop_reason_name(i));
			rc = 1;
		}
	}
	printf("parsed %" PRIu64 ", quotes %" PRIu64 ", errors allowed %" PRIu64 ", resets %" PRIu64
	       "\n",
		f->parsed, f->quotes, f->errors, f->resets);
	if ((f->flags & all) != all || f->quotes == 0 || f->errors == 0 || f->resets == 0) {
		fprintf(stderr, "flags %#x of %#x were reached\n", f->flags, all);
		rc = 1;
	}
	return rc;
}

/* A number from the environment. Ends the program if it is none. */
static uint64_t
from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	unsigned long long value;
	char *end;

	if (text == NULL)
		return otherwise;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0') {
		fprintf(stderr, "%s: not a number: %s\n", name, text);
		exit(2);
	}
	return value;
}

int
main(void)
{
	static struct fuzz f;
	uint64_t packets = from_environment("SHUNT_FUZZ_PACKETS", PACKETS);
	struct timespec now;
	int rc;

	clock_gettime(CLOCK_REALTIME, &now);
	f.random = from_environment(
		"SHUNT_FUZZ_SEED", (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
	printf("SHUNT_FUZZ_SEED=%" PRIu64 " SHUNT_FUZZ_PACKETS=%" PRIu64 "\n", f.random, packets);
	fflush(stdout);
	make_seeds(&f);
	for (uint32_t i = 0; i <= FRAME_MAX; i++) {
		f.blocks[i] = malloc(i == 0 ? 1 : i);
		if (f.blocks[i] == NULL)
			return 2;
	}
	for (f.packets = 0; f.packets < packets; f.packets++)
		one(&f);
	rc = report(&f);
	for (uint32_t i = 0; i <= FRAME_MAX; i++)
		free(f.blocks[i]);
	return rc;
}
