/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frames.h"

#include <netinet/in.h>
#include <string.h>

uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

struct tuple
random_tuple(uint64_t *state, bool ipv6, uint8_t proto)
{
	struct tuple t = {.proto = proto, .family = ipv6 ? FAMILY_IPV6 : FAMILY_IPV4};
	uint64_t ports = random_next(state);

	if (ipv6) {
		for (unsigned int i = 0; i < 2; i++) {
			t.src.q[i] = random_next(state);
			t.dst.q[i] = random_next(state);
		}
	} else {
		t.src.v4 = (uint32_t)random_next(state);
		t.dst.v4 = (uint32_t)random_next(state);
	}
	t.sport = (uint16_t)ports;
	if (proto == IPPROTO_TCP || proto == IPPROTO_UDP)
		t.dport = (uint16_t)(ports >> 16);
	return t;
}

struct rte_mbuf *
fake_mbuf(struct fake *fake, uint8_t *bytes, uint32_t len, uint32_t room)
{
	memset(fake, 0, sizeof(*fake));
	fake->m.buf_addr = bytes;
	fake->m.buf_len = (uint16_t)room;
	fake->m.data_len = (uint16_t)len;
	fake->m.pkt_len = len;
	fake->m.nb_segs = 1;
	fake->m.refcnt = 1;
	fake->m.priv_size = PKT_PRIV_SIZE;
	return &fake->m;
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

uint16_t
naive_sum(uint32_t start, const uint8_t *p, uint32_t len)
{
	uint64_t sum = start;

	for (uint32_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t
naive_l4_sum(const uint8_t *ip, uint8_t proto, const uint8_t *l4, uint32_t len)
{
	bool ipv6 = ip[0] >> 4 == 6;
	uint32_t sum = 0;

	if (proto != IPPROTO_ICMP)
		sum = (uint32_t)naive_sum(proto + len, ip + (ipv6 ? 8 : 12), ipv6 ? 32 : 8);
	return naive_sum(sum, l4, len);
}

void
seal(uint8_t *ip, uint8_t proto, uint8_t *l4, uint32_t len)
{
	uint32_t at = proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : 2, check;

	if (ip[0] >> 4 == 4) {
		put16(ip + 10, 0);
		put16(ip + 10, (uint16_t)~naive_sum(0, ip, (ip[0] & 15) * 4U));
	}
	if (l4 == NULL)
		return;
	put16(l4 + at, 0);
	check = (uint16_t)~naive_l4_sum(ip, proto, l4, len);
	put16(l4 + at, proto == IPPROTO_UDP && check == 0 ? 0xffff : check);
}

static uint32_t
put_ip4(uint8_t *ip, const struct frame_spec *spec)
{
	uint32_t len = 20 + 4U * spec->ext;

	memset(ip, 0, len);
	ip[0] = (uint8_t)(0x40 | len / 4);
	put16(ip + 4, 0x1234);
	put16(ip + 6, spec->fragment);
	ip[8] = spec->ttl == 0 ? 64 : spec->ttl;
	ip[9] = spec->proto;
	memcpy(ip + 12, &spec->t.src.v4, 4);
	memcpy(ip + 16, &spec->t.dst.v4, 4);
	memset(ip + 20, 1, len - 20);
	return len;
}

/* Hop-by-hop, routing, destination options in turn, of 8 or 16 bytes; a fragment header last. */
static uint32_t
put_ip6(uint8_t *ip, const struct frame_spec *spec)
{
	static const uint8_t kinds[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS};
	uint8_t *next = ip + 6;
	uint32_t at = 40;

	memset(ip, 0, 40);
	ip[0] = 0x60;
	ip[7] = spec->ttl == 0 ? 64 : spec->ttl;
	memcpy(ip + 8, &spec->t.src, 16);
	memcpy(ip + 24, &spec->t.dst, 16);
	for (unsigned int i = 0; i < spec->ext; i++) {
		uint32_t len = 8 + 8 * (i & 1);

		*next = kinds[i % 3];
		memset(ip + at, 0, len);
		ip[at + 1] = (uint8_t)(i & 1);
		next = ip + at;
		at += len;
	}
	if (spec->fragment != 0) {
		*next = IPPROTO_FRAGMENT;
		memset(ip + at, 0, 8);
		put16(ip + at + 2, spec->fragment);
		next = ip + at;
		at += 8;
	}
	*next = spec->proto;
	return at;
}

static uint32_t
put_l4(uint8_t *l4, const struct frame_spec *spec)
{
	switch (spec->proto) {
	case IPPROTO_TCP:
		memset(l4, 0, 20);
		put16(l4 + 4, 0x0102);
		put16(l4 + 6, 0x0304);
		put16(l4 + 8, 0x0506);
		put16(l4 + 10, 0x0708);
		l4[12] = 0x50;
		l4[13] = spec->tcp_flags == 0 ? 0x10 : spec->tcp_flags;
		break;
	case IPPROTO_UDP: put16(l4 + 4, 8U + spec->payload); break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		memset(l4, 0, 8);
		l4[0] = spec->icmp_type;
		l4[1] = spec->icmp_code;
		memcpy(l4 + 4, &spec->t.sport, 2);
		return 8;
	default: return 0;
	}
	memcpy(l4, &spec->t.sport, 2);
	memcpy(l4 + 2, &spec->t.dport, 2);
	return spec->proto == IPPROTO_TCP ? 20 : 8;
}

uint32_t
frame_build(uint8_t *out, const struct frame_spec *spec)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	uint8_t *ip = out + FRAME_L2, *l4;
	uint32_t l3_len, l4_len, header;

	memcpy(out, macs, sizeof(macs));
	put16(out + 12, spec->ipv6 ? 0x86dd : 0x0800);
	l3_len = spec->ipv6 ? put_ip6(ip, spec) : put_ip4(ip, spec);
	l4 = ip + l3_len;
	header = put_l4(l4, spec);
	for (uint32_t i = 0; i < spec->payload; i++)
		l4[header + i] = spec->quote != NULL ? spec->quote[i] : (uint8_t)(i * 7 + 3);
	l4_len = header + spec->payload;
	put16(ip + (spec->ipv6 ? 4 : 2), l4_len + l3_len - (spec->ipv6 ? 40 : 0));
	seal(ip, spec->proto, header == 0 ? NULL : l4, l4_len);
	if (spec->no_check)
		put16(l4 + 6, 0);
	return FRAME_L2 + l3_len + l4_len;
}
