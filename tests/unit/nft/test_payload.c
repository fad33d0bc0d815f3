/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * payload set: what it writes, where it does not, and what a packet is afterwards.
 * Whether the bytes are Linux's is for tests/kernel/test_expr.py.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>

#include "expr_rows.h"
#include "unit.h"

#define ROOM  16 /* of the frame's memory that no rule may touch, in front and behind */
#define FRAME 96

static struct {
	struct {
		struct rte_mbuf m;
		struct pkt pkt;
	} fake;
	uint8_t memory[ROOM + FRAME + ROOM];
	_Alignas(16) uint8_t code[64];
	struct expr_ctx ctx;
	struct nft_eval eval;
	struct nft_trail trail;
	char message[512];
} t;

/* UDP 10.0.1.10:1000 -> 10.0.2.10:53, 8 bytes of data, right checksums; padding behind. */
static const uint8_t udp[] = {2, 0xff, 0, 0, 0, 1, 2, 0, 10, 0, 1, 10, 8, 0, 0x45, 0x10, 0, 36, 0,
	1, 0, 0, 64, 17, 0x63, 0xa5, 10, 0, 1, 10, 10, 0, 2, 10, 0x03, 0xe8, 0, 53, 0, 16, 0xd4,
	0x89, 1, 2, 3, 4, 5, 6, 7, 8};

static uint8_t *
frame(void)
{
	return t.memory + ROOM;
}

static struct pkt *
packet(void)
{
	return pkt_of(&t.fake.m);
}

static int
reset(void)
{
	memset(&t, 0, sizeof(t));
	memset(t.memory, 0xa5, sizeof(t.memory));
	memcpy(frame(), udp, sizeof(udp));
	t.fake.m.buf_addr = frame();
	t.fake.m.data_len = sizeof(udp) + 8;
	t.fake.m.pkt_len = sizeof(udp) + 8;
	t.fake.m.nb_segs = 1;
	*packet() = (struct pkt){.out_port = PORT_NONE, .conn = CONN_NONE, .trail = &t.trail};
	t.ctx = (struct expr_ctx){.family = NFPROTO_INET,
		.written = UINT32_MAX,
		.chain_type = NFT_KIND_FILTER,
		.hooks = 1U << HOOK_FORWARD};
	t.eval = (struct nft_eval){.pkt = packet(), .trail = &t.trail};
	t.eval.regs.code = NFT_CONTINUE;
	return pkt_parse(&t.fake.m, packet());
}

/* What is written, as nft sends it. */
struct write {
	uint32_t base, offset, len, type, at, flags;
};

static int
parse(const struct write *w)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(t.message);
	struct nftnl_expr *e = nftnl_expr_alloc("payload");
	const struct nlattr *attr, *data = NULL;

	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, w->base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, w->offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, w->len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_TYPE, w->type);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET, w->at);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_FLAGS, w->flags);
	nftnl_expr_build_payload(nlh, e);
	nftnl_expr_free(e);
	mnl_attr_for_each (attr, nlh, 0)
		if (mnl_attr_get_type(attr) == NFTA_EXPR_DATA)
			data = attr;
	return expr_parse(&expr_payload, data, &t.ctx, (struct expr *)(void *)t.code);
}

static int32_t
write_value(const struct write *w, const void *value, size_t len)
{
	CU_ASSERT_EQUAL_FATAL(parse(w), 0);
	memcpy(nft_reg(&t.eval, 4), value, len);
	expr_payload.evaluate((const struct expr *)(const void *)t.code, &t.eval);
	return t.eval.regs.code;
}

static void
test_errnos(void)
{
	static const struct {
		struct write w;
		int rc;
		uint16_t bad;
	} rows[] = {
		{{NFT_PAYLOAD_NETWORK_HEADER, 300, 4, 0, 0, 0}, -ERANGE, NFTA_PAYLOAD_OFFSET},
		{{NFT_PAYLOAD_NETWORK_HEADER, 4, 65, 0, 0, 0}, -ERANGE, NFTA_PAYLOAD_LEN},
		{{NFT_PAYLOAD_NETWORK_HEADER, 4, 4, 1, 300, 0}, -ERANGE, NFTA_PAYLOAD_CSUM_OFFSET},
		{{NFT_PAYLOAD_NETWORK_HEADER, 4, 4, 1, 10, 2}, -EINVAL, NFTA_PAYLOAD_CSUM_FLAGS},
		{{NFT_PAYLOAD_NETWORK_HEADER, 4, 4, 3, 10, 0}, -EOPNOTSUPP, NFTA_PAYLOAD_CSUM_TYPE},
		{{NFT_PAYLOAD_NETWORK_HEADER, 4, 4, 2, 8, 0}, -EINVAL, 0},
		{{NFT_PAYLOAD_TRANSPORT_HEADER, 4, 4, 2, 4, 0}, -EINVAL, 0},
		{{9, 4, 4, 0, 0, 0}, -EOPNOTSUPP, NFTA_PAYLOAD_BASE},
		{{NFT_PAYLOAD_TRANSPORT_HEADER, 4, 4, 2, 8, 0}, 0, 0},
		{{NFT_PAYLOAD_NETWORK_HEADER, 12, 4, 1, 10, 1}, 0, 0},
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL(reset(), 0);
		CU_ASSERT_EQUAL(parse(&rows[i].w), rows[i].rc);
		if (rows[i].rc != 0)
			CU_ASSERT_EQUAL(
				t.ctx.bad == NULL ? 0 : mnl_attr_get_type(t.ctx.bad), rows[i].bad);
	}
}

/* ip daddr set: bytes, both checksums, the tuple at once; the rest when it is parsed again. */
static void
test_address(void)
{
	const struct write daddr = {NFT_PAYLOAD_NETWORK_HEADER, 16, 4, 1, 10, 1};
	const uint8_t to[4] = {192, 0, 2, 7};
	struct pkt again = {0};

	CU_ASSERT_EQUAL(reset(), 0);
	CU_ASSERT_EQUAL(packet()->flags & PKT_L4_BAD, 0);
	CU_ASSERT_EQUAL(write_value(&daddr, to, 4), NFT_CONTINUE);
	CU_ASSERT_EQUAL(t.trail.input, NFT_INPUT_WRITE);
	CU_ASSERT_EQUAL(memcmp(&packet()->tuple.dst, to, 4), 0);
	CU_ASSERT_EQUAL(packet()->flags & (PKT_WRITTEN | PKT_MOVED), PKT_WRITTEN | PKT_MOVED);
	CU_ASSERT_EQUAL(packet()->flags & PKT_READDRESSED, 0);
	CU_ASSERT_EQUAL(pkt_reparse(packet()), 0);
	CU_ASSERT_EQUAL(packet()->flags & PKT_WRITTEN, 0);
	/* As if it had come so, checksums included. */
	again = *packet();
	CU_ASSERT_EQUAL(pkt_parse(&t.fake.m, packet()), 0);
	CU_ASSERT_EQUAL(memcmp(&again.tuple, &packet()->tuple, sizeof(again.tuple)), 0);
	CU_ASSERT_EQUAL(packet()->flags, again.flags);
	CU_ASSERT_EQUAL(packet()->flags & PKT_L4_BAD, 0);
	/* Routed already, and with a connection: whose it is stays. */
	CU_ASSERT_EQUAL(reset(), 0);
	packet()->out_port = 1;
	packet()->conn = 5;
	CU_ASSERT_EQUAL(write_value(&daddr, to, 4), NFT_CONTINUE);
	CU_ASSERT_EQUAL(packet()->flags & (PKT_WRITTEN | PKT_MOVED | PKT_READDRESSED),
		PKT_WRITTEN | PKT_READDRESSED);
}

/* What the packet says of itself is read again; its length is what came. */
static void
test_structure(void)
{
	const uint8_t tcp = IPPROTO_TCP, zero = 0, ihl = 0x4f, later[2] = {0, 5}, len[2] = {0, 99};

	CU_ASSERT_EQUAL(reset(), 0);
	write_value(&(struct write){NFT_PAYLOAD_NETWORK_HEADER, 9, 1, 0, 0, 0}, &tcp, 1);
	CU_ASSERT_EQUAL(packet()->l4_proto, IPPROTO_UDP);
	CU_ASSERT_EQUAL(pkt_reparse(packet()), 0);
	CU_ASSERT_EQUAL(packet()->l4_proto, IPPROTO_TCP);
	/* 16 bytes are no TCP header. */
	CU_ASSERT_EQUAL(packet()->flags & (PKT_L4 | PKT_L4_BAD), PKT_L4_BAD);

	CU_ASSERT_EQUAL(reset(), 0);
	write_value(&(struct write){NFT_PAYLOAD_NETWORK_HEADER, 8, 1, 0, 0, 0}, &zero, 1);
	CU_ASSERT_EQUAL(pkt_reparse(packet()), 0);
	CU_ASSERT_TRUE((packet()->flags & PKT_TTL) != 0);

	CU_ASSERT_EQUAL(reset(), 0);
	write_value(&(struct write){NFT_PAYLOAD_NETWORK_HEADER, 6, 2, 0, 0, 0}, later, 2);
	CU_ASSERT_EQUAL(pkt_reparse(packet()), 0);
	CU_ASSERT_TRUE((packet()->flags & PKT_LATER_FRAGMENT) != 0);
	CU_ASSERT_EQUAL(packet()->flags & PKT_L4, 0);

	CU_ASSERT_EQUAL(reset(), 0);
	write_value(&(struct write){NFT_PAYLOAD_NETWORK_HEADER, 2, 2, 0, 0, 0}, len, 2);
	CU_ASSERT_EQUAL(pkt_reparse(packet()), 0);
	CU_ASSERT_EQUAL(packet()->ip_len, 36);

	/* A header of 60 bytes in a packet of 36 does not hold together. */
	CU_ASSERT_EQUAL(reset(), 0);
	write_value(&(struct write){NFT_PAYLOAD_NETWORK_HEADER, 0, 1, 0, 0, 0}, &ihl, 1);
	CU_ASSERT_EQUAL(pkt_reparse(packet()), -1);
	CU_ASSERT_EQUAL(packet()->drop, DROP_IP4_HEADER_LENGTH);
}

static void
test_breaks(void)
{
	const struct write ports = {NFT_PAYLOAD_TRANSPORT_HEADER, 0, 4, 1, 6, 0};
	const uint8_t value[16] = {1, 2, 3, 4};
	uint8_t before[sizeof(udp)];

	/* A later fragment has no ports, a packet of the router's own no Ethernet header. */
	CU_ASSERT_EQUAL(reset(), 0);
	packet()->flags |= PKT_FRAGMENT | PKT_LATER_FRAGMENT;
	CU_ASSERT_EQUAL(write_value(&ports, value, 4), NFT_BREAK);
	CU_ASSERT_EQUAL(memcmp(frame(), udp, sizeof(udp)), 0);
	CU_ASSERT_EQUAL(reset(), 0);
	packet()->in_port = PORT_NONE;
	CU_ASSERT_EQUAL(
		write_value(&(struct write){NFT_PAYLOAD_LL_HEADER, 0, 6, 0, 0, 0}, value, 6),
		NFT_BREAK);
	/* The last byte, and the one behind it, which is padding. */
	CU_ASSERT_EQUAL(reset(), 0);
	CU_ASSERT_EQUAL(write_value(&(struct write){NFT_PAYLOAD_TRANSPORT_HEADER, 15, 1, 0, 0, 0},
				value, 1),
		NFT_CONTINUE);
	CU_ASSERT_EQUAL(frame()[sizeof(udp) - 1], 1);
	CU_ASSERT_EQUAL(reset(), 0);
	CU_ASSERT_EQUAL(write_value(&(struct write){NFT_PAYLOAD_TRANSPORT_HEADER, 15, 2, 0, 0, 0},
				value, 2),
		NFT_BREAK);
	CU_ASSERT_EQUAL(memcmp(frame(), udp, sizeof(udp)), 0);
	/* The checksum beyond the packet: nothing is written. */
	CU_ASSERT_EQUAL(reset(), 0);
	CU_ASSERT_EQUAL(write_value(&(struct write){NFT_PAYLOAD_TRANSPORT_HEADER, 0, 4, 1, 15, 0},
				value, 4),
		NFT_BREAK);
	CU_ASSERT_EQUAL(memcmp(frame(), udp, sizeof(udp)), 0);
	/* TCP too short for its checksum: the IPv4 header's has changed by then, as in Linux. */
	CU_ASSERT_EQUAL(reset(), 0);
	packet()->l4_proto = IPPROTO_TCP;
	memcpy(before, frame(), sizeof(before));
	CU_ASSERT_EQUAL(
		write_value(&(struct write){NFT_PAYLOAD_NETWORK_HEADER, 16, 4, 1, 10, 1}, value, 4),
		NFT_BREAK);
	CU_ASSERT_NOT_EQUAL(memcmp(frame() + 24, before + 24, 2), 0);
	memcpy(frame() + 24, before + 24, 2);
	CU_ASSERT_EQUAL(memcmp(frame(), before, sizeof(before)), 0);
}

/* At ingress nobody has looked at the header yet; what is no IP packet stays none. */
static void
test_ingress(void)
{
	const uint8_t value[40] = {1};

	CU_ASSERT_EQUAL(reset(), 0);
	packet()->hook = HOOK_INGRESS;
	write_value(&(struct write){NFT_PAYLOAD_NETWORK_HEADER, 8, 1, 0, 0, 0}, value, 1);
	CU_ASSERT_EQUAL(pkt_reparse(packet()), -1);
	CU_ASSERT_EQUAL(packet()->drop, DROP_IP4_CHECKSUM);
	/* Nothing but the Ethernet header is there. */
	CU_ASSERT_EQUAL(reset(), 0);
	packet()->hook = HOOK_INGRESS;
	packet()->flags = PKT_OTHERHOST;
	packet()->ip_len = 1;
	packet()->l4_off = 14;
	packet()->l3_len = 0;
	packet()->l4_proto = 0;
	memset(&packet()->tuple, 0, sizeof(packet()->tuple));
	CU_ASSERT_EQUAL(
		write_value(&(struct write){NFT_PAYLOAD_NETWORK_HEADER, 0, 1, 0, 0, 0}, value, 1),
		NFT_CONTINUE);
	CU_ASSERT_EQUAL(packet()->flags, PKT_OTHERHOST);
	CU_ASSERT_EQUAL(packet()->tuple.src.v4, 0);
	CU_ASSERT_EQUAL(
		write_value(&(struct write){NFT_PAYLOAD_NETWORK_HEADER, 0, 2, 0, 0, 0}, value, 2),
		NFT_BREAK);
	CU_ASSERT_EQUAL(
		write_value(&(struct write){NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, 0, 0, 0}, value, 1),
		NFT_BREAK);
}

/* Whatever a rule writes to whatever comes, it stays within the IP packet. */
static void
test_bounds(void)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_GRE,
		IPPROTO_ICMP, IPPROTO_IPIP, 99};
	unsigned int wrote = 0, outside = 0;

	srand(7);
	for (unsigned int n = 0; n < 200000; n++) {
		struct write w = {.base = (uint32_t)rand() % 4,
			.offset = (uint32_t)rand() % 70,
			.len = 1 + (uint32_t)rand() % 20,
			.type = (uint32_t)rand() % 2,
			.at = (uint32_t)rand() % 60,
			.flags = (uint32_t)rand() % 2};
		uint8_t value[20];
		uint32_t end;

		CU_ASSERT_EQUAL_FATAL(reset(), 0);
		packet()->l4_proto = protos[(uint32_t)rand() % sizeof(protos)];
		packet()->ip_len = (uint16_t)(20 + (uint32_t)rand() % 17);
		if (rand() % 8 == 0)
			w = (struct write){NFT_PAYLOAD_TRANSPORT_HEADER, w.offset, w.len,
				NFT_PAYLOAD_CSUM_SCTP, 8, w.flags};
		for (unsigned int i = 0; i < sizeof(value); i++)
			value[i] = (uint8_t)rand();
		frame()[46] = (uint8_t)rand(); /* TCP's data offset, GRE's flags */
		frame()[34] = (uint8_t)rand();
		wrote += write_value(&w, value, w.len) == NFT_CONTINUE;
		end = 14U + packet()->ip_len;
		for (unsigned int i = 0; i < sizeof(t.memory); i++)
			outside += (i < ROOM || i >= ROOM + end) &&
				   t.memory[i] != (i >= ROOM && i < ROOM + sizeof(udp)
								  ? i == ROOM + 46 || i == ROOM + 34
									    ? t.memory[i]
									    : udp[i - ROOM]
								  : 0xa5);
		/* And what is read again stays within it, too. */
		if (pkt_reparse(packet()) == 0)
			outside += packet()->l4_off > end || packet()->l3_len > packet()->ip_len;
	}
	CU_ASSERT_EQUAL(outside, 0);
	CU_ASSERT_TRUE(wrote > 20000);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"attributes", test_errnos},
		{"an address", test_address},
		{"structure", test_structure},
		{"what breaks", test_breaks},
		{"ingress", test_ingress},
		{"bounds", test_bounds},
		CU_TEST_INFO_NULL,
	};

	return unit_run("payload set", tests);
}
