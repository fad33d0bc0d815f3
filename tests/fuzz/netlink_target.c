/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What clients write to the nft socket, as libFuzzer makes it: frames (nft_frame.h) of
 * two clients against a store that begins empty, ctnetlink over a few connections
 * beside it. In a frame's flags, besides MORE:
 *
 *   OTHER   the second client's
 *   HOLD    a commit that it makes comes into force when that client asks again,
 *           or at the end: the other's requests have to wait
 *   GONE    the client goes away in the middle, and comes again
 */
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "clock.h"
#include "conntrack.h"
#include "conntrack_events.h"
#include "conntrack_socket.h"
#include "frame.h"
#include "fuzz_rig.h"
#include "netlink_target.h"
#include "nft_frame.h"

#define CONNS 12

static const uint64_t secret[4] = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 77};

static struct conntrack ct;
static struct conntrack_config config;
static struct conntrack_shared shared;
static struct conntrack_ring *ring;
static struct ctnl *ctnl;
static struct ctnl_call *put_off;

/* A client as the socket has it. */
static struct client {
	struct nft_client *nft;
	bool asked; /* and not answered yet */
} clients[2];
static struct fuzz_rig rig;
uint32_t netlink_sum;

/* --- ctnetlink, as app/shuntd joins it, with a worker that answers at once */

static void
ask(void *ctx, unsigned int worker, struct ctnl_call *call)
{
	(void)ctx;
	(void)worker;
	call->run(&ct, call->arg);
	call->done(call->arg);
}

static void
later(void *ctx, struct ctnl_call *call)
{
	(void)ctx;
	if (put_off != NULL)
		abort();
	put_off = call;
}

static void
listen_to(void *ctx, uint32_t groups)
{
	(void)ctx;
	atomic_store(&ring->groups, groups);
	ct.events = groups != 0 ? ring : NULL;
}

static void
peer_send(void *ctx, const void *datagram, size_t len, bool event)
{
	nft_client_send(ctx, datagram, len, event);
}

static size_t
peer_backlog(void *ctx)
{
	(void)ctx;
	return 0;
}

static void
peer_done(void *ctx)
{
	nft_client_done(ctx);
}

static struct ctnl_client *
ctnl_client_of(struct nft_client *client)
{
	const struct ctnl_peer peer = {
		client, nft_client_number(client), peer_send, peer_backlog, peer_done};
	void **slot = nft_client_slot(client);

	if (*slot == NULL)
		*slot = ctnl_client_new(ctnl, &peer);
	return *slot;
}

static void
on_request(void *ctx, struct nft_client *client, const void *req, size_t len)
{
	(void)ctx;
	ctnl_client_request(ctnl_client_of(client), req, len);
}

static void
on_groups(void *ctx, struct nft_client *client, uint32_t groups)
{
	(void)ctx;
	ctnl_client_listen(ctnl_client_of(client), groups >> 1 & 7);
}

static void
on_gone(void *ctx, struct nft_client *client)
{
	void **slot = nft_client_slot(client);

	(void)ctx;
	if (*slot != NULL)
		ctnl_client_free(*slot);
	*slot = NULL;
}

static const struct nft_subsystem subsystem = {NULL, on_request, on_groups, on_gone};

static void
tell_events(void)
{
	struct conntrack_event event;

	while (conntrack_ring_take(ring, &event))
		ctnl_tell(ctnl, &event);
}

/* --- */

static void
take(void *ctx, const void *datagram, size_t len, bool event)
{
	(void)ctx;
	(void)event;
	/* Every byte of an answer is read: what was never written is found. */
	for (size_t i = 0; i < len; i++)
		netlink_sum += ((const uint8_t *)datagram)[i];
}

static void
done(void *ctx)
{
	struct client *c = ctx;

	if (!c->asked)
		abort();
	c->asked = false;
}

static void
come(struct client *c)
{
	c->nft = nft_client_new(rig.wire, take, c);
	c->asked = false;
	if (c->nft == NULL)
		exit(2);
	nft_client_port(c->nft, 77);
}

/* What was put off, of all. */
static void
release(void)
{
	while (fuzz_release() || put_off != NULL) {
		struct ctnl_call *call = put_off;

		put_off = NULL;
		if (call != NULL)
			call->done(call->arg);
	}
}

/* A client asks one thing at a time: what waits, maybe for another's listing, is finished first. */
static void
finish(void)
{
	release();
	if (!clients[0].asked && !clients[1].asked)
		return;
	clock_advance(5 * NS_PER_SEC);
	nft_wire_look(rig.wire);
	release();
}

static void
request(struct client *c, int protocol, const uint8_t *bytes, size_t len)
{
	/* Where it ends the heap block ends: a read beyond it is seen. */
	uint8_t *exact = malloc(len + (len == 0));

	if (exact == NULL)
		exit(2);
	memcpy(exact, bytes, len);
	if (c->asked)
		finish();
	if (c->asked)
		abort();
	c->asked = true;
	nft_client_request(c->nft, protocol, exact, len, done, c);
	free(exact);
}

static void
handle(const struct nft_frame *frame, const uint8_t *bytes)
{
	struct client *c = &clients[(frame->flags & NETLINK_OTHER) != 0];
	uint32_t group;

	fuzz_hold_commits = frame->flags & NETLINK_HOLD;
	switch (frame->type) {
	case NFT_FRAME_JOIN:
	case NFT_FRAME_LEAVE:
		if (frame->len != sizeof(group))
			break;
		memcpy(&group, bytes, sizeof(group));
		if (frame->type == NFT_FRAME_JOIN)
			nft_client_join(c->nft, group);
		else
			nft_client_leave(c->nft, group);
		break;
	case NFT_FRAME_REQ:
		request(c, frame->protocol == NETLINK_ROUTE ? NETLINK_ROUTE : NETLINK_NETFILTER,
			bytes, frame->len);
		break;
	default: break;
	}
	tell_events();
	if (frame->flags & NETLINK_GONE) {
		nft_client_free(c->nft);
		come(c);
	}
}

static void
begin(void)
{
	const struct ctnl_backend backend = {
		.workers = 1, .max = 1000, .ask = ask, .later = later, .listen = listen_to};
	static struct frame frame;

	if (ring == NULL) {
		clock_inject(1000 * NS_PER_SEC);
		tracker_defaults(&config.tracker);
		config.max = 1000;
		atomic_store(&shared.left, config.max);
		ring = conntrack_ring_new();
		if (ring == NULL || conntrack_init(&ct, 0, 400, secret, &config, &shared) != 0)
			exit(2);
		ct.settled = FLOW_SETTLED;
		conntrack_set_clock(&ct, 1000 * NS_PER_SEC);
	}
	for (unsigned int n = 0; n < CONNS; n++) {
		uint8_t proto = n % 3 == 0 ? IPPROTO_TCP : IPPROTO_UDP;
		struct tuple t = n % 5 == 0 ? tuple6(proto, 1, (uint16_t)(1000 + n), 2, 53)
					    : tuple4(proto, IP(10, 0, 0, 1), (uint16_t)(1000 + n),
						      IP(192, 0, 2, 1), 53);

		frame_make(&frame, &t, RTE_TCP_SYN_FLAG, 0, 0);
		if (conntrack_in(&ct, &frame.pkt) == VERDICT_ACCEPT)
			(void)conntrack_confirm(&ct, &frame.pkt);
		conntrack_packet_done(&ct);
	}
	ctnl = ctnl_new(&backend);
	if (ctnl == NULL)
		exit(2);
	fuzz_rig_new(&rig);
	nft_wire_serve(rig.wire, &subsystem);
	come(&clients[0]);
	come(&clients[1]);
}

static void
end(void)
{
	finish();
	if (clients[0].asked || clients[1].asked)
		abort();
	fuzz_check(rig.store);
	nft_client_free(clients[0].nft);
	nft_client_free(clients[1].nft);
	finish();
	fuzz_rig_free(&rig);
	ctnl_free(ctnl);
	put_off = NULL;
	tell_events();
	ct.events = NULL;
	conntrack_flush(&ct, 0);
	if (ct.live != 0 || ct.awaited != 0)
		abort();
}

void
netlink_target(const uint8_t *data, size_t size)
{
	struct nft_frame frame;

	begin();
	while (size >= sizeof(frame)) {
		memcpy(&frame, data, sizeof(frame));
		data += sizeof(frame);
		size -= sizeof(frame);
		if (frame.len > size)
			frame.len = (uint32_t)size;
		handle(&frame, data);
		data += frame.len;
		size -= frame.len;
	}
	end();
}
