/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iptables' extensions: what binds a walk to its packet, structs that are not what
 * they say, random ones on random packets. What they match is compared with Linux
 * by tests/kernel/test_xt.py.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/xt_TCPMSS.h>
#include <linux/netfilter/xt_connmark.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_limit.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "checksum.h"
#include "expr_rows.h"
#include "program.h"
#include "unit.h"
#include "xt_rows.h"

#define SEED   20230617U
#define ROUNDS 3000
#define FRAME  512
#define L2     14

static struct {
	_Alignas(16) uint8_t code[256];
	_Alignas(16) uint8_t buf[2048];
	struct nft_program program;
	struct nft_states states;
	struct nft_bucket bucket;
	struct expr_ctx ctx;
	struct nft_trail trail;
	struct {
		struct rte_mbuf m;
		struct pkt pkt;
	} fake;
	uint8_t *frame; /* of its own, so that a byte beyond its end is seen */
	uint32_t status, mark;
	bool connection;
} t;

/* --- what extensions ask */

static uint32_t
ask_state(const struct pkt *pkt)
{
	(void)pkt;
	return t.connection ? CT_STATE_ESTABLISHED : CT_STATE_INVALID;
}

static bool
ask_direction(const struct pkt *pkt, enum ct_dir *dir)
{
	(void)pkt;
	*dir = CT_DIR_ORIGINAL;
	return t.connection;
}

static bool
ask_status(const struct pkt *pkt, uint32_t *status)
{
	(void)pkt;
	*status = t.status;
	return t.connection;
}

static bool
ask_mark(const struct pkt *pkt, uint32_t *mark)
{
	(void)pkt;
	*mark = t.mark;
	return t.connection;
}

static void
tell_mark(const struct pkt *pkt, uint32_t mark)
{
	(void)pkt;
	t.mark = mark;
}

static bool
ask_expiration(const struct pkt *pkt, uint32_t *ms)
{
	(void)pkt;
	*ms = 30000;
	return t.connection;
}

static bool
ask_tuple(const struct pkt *pkt, enum ct_dir dir, struct tuple *tuple)
{
	(void)dir;
	*tuple = pkt->tuple;
	return t.connection;
}

static int
ask_nat(struct pkt *pkt, const struct nat_range *range, enum nat_manip manip)
{
	(void)pkt;
	(void)range;
	(void)manip;
	return 0;
}

static int
ask_address(struct pkt *pkt, union address *addr)
{
	(void)pkt;
	memset(addr, 1, sizeof(*addr));
	return 0;
}

static int
ask_own(const struct pkt *pkt, union address *addr)
{
	(void)pkt;
	(void)addr;
	return -ENOENT;
}

static void
untrack(struct pkt *pkt)
{
	(void)pkt;
}

static const struct ct_ops ct = {
	.state = ask_state,
	.direction = ask_direction,
	.status = ask_status,
	.mark = ask_mark,
	.set_mark = tell_mark,
	.expiration = ask_expiration,
	.tuple = ask_tuple,
	.nat = ask_nat,
	.masquerade_address = ask_address,
	.redirect_address = ask_own,
	.notrack = untrack,
};

static void
on_reject(struct pkt *pkt, uint32_t type, uint8_t code)
{
	(void)pkt;
	(void)type;
	(void)code;
}

static void
on_log(const struct pkt *pkt, const char *prefix, uint32_t level, uint32_t flags)
{
	(void)pkt;
	(void)level;
	(void)flags;
	CU_ASSERT(strlen(prefix) < 30);
}

static uint32_t
fib_type(const struct pkt *pkt, const union address *address, uint16_t port)
{
	(void)pkt;
	(void)port;
	return ((const uint8_t *)address)[0] & 7;
}

static uint32_t
path_mtu(const struct pkt *pkt)
{
	(void)pkt;
	return 1400;
}

static const struct nft_env env = {
	.ct = &ct, .reject = on_reject, .log = on_log, .fib_type = fib_type, .path_mtu = path_mtu};

static int
new_state(void *owner, uint32_t kind, uint32_t *state)
{
	(void)owner;
	CU_ASSERT_EQUAL(kind, NFT_STATE_WORDS);
	*state = 0;
	return 0;
}

/* --- a rule of one extension, a packet */

static int
parse(const struct nft_xt *xt, const void *info, size_t len)
{
	const struct expr_ops *ops = xt->target != NULL ? &expr_target : &expr_match;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(t.buf);
	struct nlattr *nest = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);

	CU_ASSERT_FATAL(ops->size <= sizeof(t.code));
	mnl_attr_put_strz(nlh, NFTA_MATCH_NAME, xt->name);
	mnl_attr_put_u32(nlh, NFTA_MATCH_REV, htonl(xt->revision));
	mnl_attr_put(nlh, NFTA_MATCH_INFO, len, info);
	mnl_attr_nest_end(nlh, nest);
	return expr_parse(ops, nest, &t.ctx, (struct expr *)(void *)t.code);
}

/* A place where nothing but the struct can be wrong. */
static void
at_home(const struct nft_xt *xt)
{
	t.ctx = (struct expr_ctx){
		.family = xt->families == NFT_ON_IP6 ? NFPROTO_IPV6 : NFPROTO_IPV4,
		.chain_type = xt->table != NULL && strcmp(xt->table, "nat") == 0 ? NFT_KIND_NAT : 0,
		.compat = {.table = xt->table, .proto = xt->proto != 0 ? xt->proto : IPPROTO_TCP},
		.state = new_state};
}

static int32_t
evaluate(void)
{
	const struct expr *expr = (const struct expr *)(const void *)t.code;
	struct nft_eval eval = {
		.program = &t.program, .env = &env, .pkt = &t.fake.pkt, .trail = &t.trail};

	nft_trail_clear(&t.trail);
	eval.regs.code = NFT_CONTINUE;
	expr->ops->evaluate(expr, &eval);
	return eval.regs.code;
}

/* A frame of IPv4 or IPv6 and a payload; nothing behind it but what the mbuf says. */
static void
make_packet(bool ipv6, uint8_t proto, const void *l4, uint16_t len, uint16_t room)
{
	uint16_t l3 = ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);

	free(t.frame);
	t.frame = calloc(1, L2 + l3 + len + room);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t.frame);
	t.frame[L2] = ipv6 ? 0x60 : 0x45;
	if (len != 0)
		memcpy(t.frame + L2 + l3, l4, len);
	memset(&t.fake, 0, sizeof(t.fake));
	t.fake.m.buf_addr = t.frame;
	t.fake.m.buf_len = (uint16_t)(L2 + l3 + len + room);
	t.fake.m.pkt_len = t.fake.m.data_len = (uint16_t)(L2 + l3 + len);
	t.fake.m.nb_segs = 1;
	t.fake.pkt.flags = ipv6 ? PKT_IPV6 : PKT_IPV4;
	t.fake.pkt.l2_len = L2;
	t.fake.pkt.l3_len = l3;
	t.fake.pkt.l4_off = (uint16_t)(L2 + l3);
	t.fake.pkt.ip_len = (uint16_t)(l3 + len);
	t.fake.pkt.l4_proto = proto;
	t.fake.pkt.tuple.family = ipv6 ? FAMILY_IPV6 : FAMILY_IPV4;
}

static void
begin(void)
{
	memset(&t, 0, sizeof(t));
	t.states.buckets = &t.bucket;
	t.program.states = &t.states;
	t.connection = true;
}

static void
end(void)
{
	free(t.frame);
	t.frame = NULL;
}

static uint8_t
binds(const struct nft_xt *xt, const void *info)
{
	at_home(xt);
	CU_ASSERT_EQUAL_FATAL(parse(xt, info, NFT_XT_ALIGN(xt->size)), 0);
	(void)evaluate();
	return t.trail.input;
}

/* --- tests */

static void
flags_bind_by_their_bits(void)
{
	uint8_t tcp[20] = {[12] = 0x50, [13] = 0x10};
	struct xt_tcp info[2] = {{.spts = {0, 65535}, .dpts = {0, 65535}}};

	begin();
	make_packet(false, IPPROTO_TCP, tcp, sizeof(tcp), 0);
	/* The guards fix SYN, ACK, FIN and RST. */
	info->flg_mask = 0x17;
	info->flg_cmp = 0x10;
	CU_ASSERT_EQUAL(binds(&xt_tcp_0, info), NFT_INPUT_NONE);
	/* PSH differs from packet to packet: it decides here... */
	info->flg_mask = 0x18;
	CU_ASSERT_EQUAL(binds(&xt_tcp_0, info), NFT_INPUT_PAYLOAD);
	/* ...but not where SYN has decided already. */
	info->flg_mask = 0x0a;
	info->flg_cmp = 0x02;
	CU_ASSERT_EQUAL(binds(&xt_tcp_0, info), NFT_INPUT_NONE);
	info->flg_mask = info->flg_cmp = 0;
	info->option = 2;
	CU_ASSERT_EQUAL(binds(&xt_tcp_0, info), NFT_INPUT_PAYLOAD);
	end();
}

static void
connections_bind_where_they_change(void)
{
	struct xt_conntrack_mtinfo3 info = {.match_flags = XT_CONNTRACK_STATE, .state_mask = 2};
	uint8_t padded[NFT_XT_ALIGN(sizeof(info))] = {0};
	struct xt_connmark_tginfo2 save[2] = {{.ctmask = 0xff, .nfmask = 0xff}};
	uint8_t udp[8] = {0};

	begin();
	make_packet(false, IPPROTO_UDP, udp, sizeof(udp), 0);
	memcpy(padded, &info, sizeof(info));
	CU_ASSERT_EQUAL(binds(&xt_conntrack_3, padded), NFT_INPUT_NONE);
	info.match_flags = XT_CONNTRACK_EXPIRES;
	memcpy(padded, &info, sizeof(info));
	CU_ASSERT_EQUAL(binds(&xt_conntrack_3, padded), NFT_INPUT_CT_COUNT);
	/* A UDP stream gets assured by a packet that this walk does not see. */
	info.match_flags = XT_CONNTRACK_STATUS;
	info.status_mask = CT_ASSURED;
	memcpy(padded, &info, sizeof(info));
	CU_ASSERT_EQUAL(binds(&xt_conntrack_3, padded), NFT_INPUT_PAYLOAD);
	t.status = CT_ASSURED;
	CU_ASSERT_EQUAL(binds(&xt_conntrack_3, padded), NFT_INPUT_NONE);
	/* A mark that is saved again is the same. */
	save->mode = XT_CONNMARK_SAVE;
	t.fake.pkt.mark = 5;
	CU_ASSERT_EQUAL(binds(&xt_connmark_2, save), NFT_INPUT_CT_SET);
	CU_ASSERT_EQUAL(t.mark, 5);
	CU_ASSERT_EQUAL(binds(&xt_connmark_2, save), NFT_INPUT_NONE);
	end();
}

static void
effects_bind(void)
{
	static const struct xt_rateinfo rate = {.avg = 10000, .burst = 5};
	static const uint8_t zero[NFT_XT_MAX];
	static const uint8_t mss[8] = {0x78, 0x05};
	uint8_t tcp[20] = {[12] = 0x50, [13] = 2};

	begin();
	make_packet(false, IPPROTO_TCP, tcp, sizeof(tcp), 8);
	CU_ASSERT_EQUAL(binds(&xt_limit_0, &rate), NFT_INPUT_LIMIT);
	CU_ASSERT_EQUAL(binds(&xt_log_0, zero), NFT_INPUT_LOG);
	CU_ASSERT_EQUAL(binds(&xt_reject4_0, zero), NFT_INPUT_REJECT);
	CU_ASSERT_EQUAL(binds(&xt_icmp_0, zero), NFT_INPUT_PAYLOAD);
	CU_ASSERT_EQUAL(binds(&xt_tcpmss4_0, mss), NFT_INPUT_PAYLOAD);
	CU_ASSERT_EQUAL(binds(&xt_mark_2, zero), NFT_INPUT_NONE);
	CU_ASSERT_EQUAL(binds(&xt_addrtype_1, zero), NFT_INPUT_NONE);
	CU_ASSERT_EQUAL(binds(&xt_multiport_1, zero), NFT_INPUT_NONE);
	end();
}

/* Without room behind the packet the option cannot go in: it is dropped, as is Linux's. */
static void
mss_needs_room(void)
{
	static const uint8_t mss[8] = {0x78, 0x05};
	uint8_t tcp[20] = {[12] = 0x50, [13] = 2};

	begin();
	at_home(&xt_tcpmss4_0);
	CU_ASSERT_EQUAL_FATAL(parse(&xt_tcpmss4_0, mss, sizeof(mss)), 0);
	make_packet(false, IPPROTO_TCP, tcp, sizeof(tcp), 0);
	CU_ASSERT_EQUAL(evaluate(), NF_DROP);
	make_packet(false, IPPROTO_TCP, tcp, sizeof(tcp), 4);
	CU_ASSERT_EQUAL(evaluate(), NFT_CONTINUE);
	CU_ASSERT_EQUAL(t.fake.pkt.ip_len, 44);
	CU_ASSERT_EQUAL(t.fake.m.pkt_len, L2 + 44);
	CU_ASSERT_EQUAL(t.frame[L2 + 20 + 12], 0x60);
	/* 1400 is more than what a missing option stands for: 536. */
	CU_ASSERT_EQUAL(memcmp(t.frame + L2 + 40, "\2\4\2\30", 4), 0);
	end();
}

static void
every_row_is_found(void)
{
	const struct nft_xt *xt;
	uint32_t best;

	begin();
	for (unsigned int n = 0; (xt = nft_xt_row(n)) != NULL; n++) {
		at_home(xt);
		CU_ASSERT_PTR_EQUAL(
			nft_xt_find(t.ctx.family, xt->name, xt->revision, xt->target != NULL), xt);
		CU_ASSERT_EQUAL(nft_xt_revision(t.ctx.family, xt->name, xt->revision,
					xt->target != NULL, &best),
			0);
		CU_ASSERT(best >= xt->revision);
		CU_ASSERT_EQUAL(
			nft_xt_revision(t.ctx.family, xt->name, 99, xt->target != NULL, &best),
			-EPROTONOSUPPORT);
		CU_ASSERT((xt->match != NULL) != (xt->target != NULL));
		CU_ASSERT(xt->shown <= xt->size);
	}
	CU_ASSERT_EQUAL(nft_xt_revision(NFPROTO_IPV4, "nothere", 0, false, &best), -ENOENT);
	CU_ASSERT_EQUAL(nft_xt_revision(NFPROTO_IPV4, "LOG", 0, false, &best), -ENOENT);
	end();
}

/* Any other size than the struct's is refused, before anything reads it. */
static void
sizes_are_exact(void)
{
	static const uint8_t zero[1024];
	const struct nft_xt *xt;

	begin();
	for (unsigned int n = 0; (xt = nft_xt_row(n)) != NULL; n++)
		for (unsigned int len = 0; len < 320; len++) {
			int rc;

			at_home(xt);
			rc = parse(xt, zero, len);
			if (len < xt->size || NFT_XT_ALIGN(len) != NFT_XT_ALIGN(xt->size))
				CU_ASSERT_EQUAL(rc, -EINVAL);
		}
	end();
}

/* Bytes at random; about a third of them small numbers, which more often pass. */
static void
fill(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(rand() % 3 == 0 ? rand() % 20 : rand());
	if (rand() % 2 == 0)
		memset(bytes, 0, len / 2);
}

static void
random_structs_on_random_packets(void)
{
	static uint8_t info[512], l4[FRAME];
	unsigned int parsed = 0;
	const struct nft_xt *xt;

	begin();
	srand(SEED);
	printf("seed %u ", SEED);
	for (unsigned int n = 0; (xt = nft_xt_row(n)) != NULL; n++)
		for (unsigned int round = 0; round < ROUNDS; round++) {
			static const uint8_t protos[] = {
				IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, 99};
			bool ipv6 = xt->families == NFT_ON_IP6 ||
				    (xt->families != NFT_ON_IP && rand() % 2 == 0);

			at_home(xt);
			t.ctx.family = ipv6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
			fill(info, sizeof(info));
			if (parse(xt, info, NFT_XT_ALIGN(xt->size)) != 0)
				continue;
			parsed++;
			fill(l4, sizeof(l4));
			make_packet(ipv6, protos[rand() % 4], l4, (uint16_t)(rand() % 80),
				(uint16_t)(rand() % 6));
			if (rand() % 8 == 0)
				t.fake.pkt.flags |= PKT_LATER_FRAGMENT;
			t.connection = rand() % 4 != 0;
			(void)evaluate();
			CU_ASSERT(t.fake.pkt.l2_len + t.fake.pkt.ip_len <= t.fake.m.buf_len);
		}
	CU_ASSERT(parsed > ROUNDS);
	end();
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"flags bind by their bits", flags_bind_by_their_bits},
		{"connections bind where they change", connections_bind_where_they_change},
		{"effects bind", effects_bind},
		{"an option needs room", mss_needs_room},
		{"every row is found", every_row_is_found},
		{"sizes are exact", sizes_are_exact},
		{"random structs on random packets", random_structs_on_random_packets},
		CU_TEST_INFO_NULL,
	};

	return unit_run("xt", tests);
}
