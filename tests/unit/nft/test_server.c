/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nft socket's server, in front of a wire that knows no netlink: it gives
 * back what it is asked, at once or when the test says so. Server and clients
 * share a thread, so each test decides who moves when.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nft_server.h"
#include "unit.h"

/* The longest that a test waits for one event: a fault, not a delay that is expected. */
#define PATIENCE_MS 20000
#define MIB	    ((size_t)1024 * 1024)
#define PIECE	    ((size_t)32 * 1024)

/* What the wire does with a request. */
enum mode {
	ECHO,  /* gives it back in pieces */
	COUNT, /* says its length */
	FLOOD, /* gives FLOOD_SIZE bytes */
};

#define FLOOD_SIZE (8 * MIB)

struct nft_wire {
	enum mode mode;
	bool delay; /* done comes when the test says so */
	unsigned int requests;
	unsigned int clients;
	int protocol;
	struct nft_client *waiting; /* the last whose done is due */
	struct nft_client *last;
};

struct nft_client {
	struct nft_wire *wire;
	nft_send_t send;
	void *ctx;
	void (*done)(void *ctx);
	void *done_ctx;
	uint32_t groups;
};

struct nft_client *
nft_client_new(struct nft_wire *wire, nft_send_t send, void *ctx)
{
	struct nft_client *client = calloc(1, sizeof(*client));

	client->wire = wire;
	client->send = send;
	client->ctx = ctx;
	wire->clients++;
	wire->last = client;
	return client;
}

void
nft_client_is(struct nft_client *client, uint32_t pid, const char *name)
{
	(void)client;
	(void)pid;
	(void)name;
}

void
nft_client_on_backlog(struct nft_client *client, size_t (*backlog)(void *ctx))
{
	(void)client;
	(void)backlog;
}

void
nft_client_free(struct nft_client *client)
{
	if (client->wire->waiting == client)
		client->wire->waiting = NULL;
	if (client->wire->last == client)
		client->wire->last = NULL;
	client->wire->clients--;
	free(client);
}

void
nft_client_request(struct nft_client *client, int protocol, const void *req, size_t len,
	void (*done)(void *ctx), void *ctx)
{
	struct nft_wire *wire = client->wire;
	static uint8_t zero[PIECE];
	size_t off;

	wire->requests++;
	wire->protocol = protocol;
	if (wire->mode == COUNT)
		client->send(client->ctx, &len, sizeof(len), false);
	for (off = 0; wire->mode == ECHO && off < len; off += PIECE)
		client->send(client->ctx, (const uint8_t *)req + off,
			len - off < PIECE ? len - off : PIECE, false);
	for (off = 0; wire->mode == FLOOD && off < FLOOD_SIZE; off += PIECE)
		client->send(client->ctx, zero, PIECE, false);
	if (!wire->delay) {
		done(ctx);
		return;
	}
	client->done = done;
	client->done_ctx = ctx;
	wire->waiting = client;
}

void
nft_client_join(struct nft_client *client, unsigned int group)
{
	client->groups |= 1U << group;
}

uint32_t
nft_client_port(struct nft_client *client, uint32_t process)
{
	(void)client;
	return process;
}

void
nft_client_leave(struct nft_client *client, unsigned int group)
{
	client->groups &= ~(1U << group);
}

static struct nft_wire wire;
static struct loop *loop;
static struct nft_server *server;
static char dir[64];
static char path[96];

static void
settle(void)
{
	while (loop_once(loop, 0) > 0)
		;
}

static void
begin(void)
{
	const struct unix_access access = {UNIX_NO_GROUP, UNIX_NO_GROUP};
	int err;

	wire = (struct nft_wire){0};
	snprintf(dir, sizeof(dir), "/tmp/shunt-test-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/nft.sock", dir);
	CU_ASSERT_EQUAL_FATAL(loop_create(&loop), 0);
	server = nft_server_new(loop, &wire, path, &access, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(server);
	CU_ASSERT_EQUAL(err, 0);
}

static void
end(void)
{
	nft_server_free(server);
	loop_destroy(loop);
	CU_ASSERT_EQUAL(wire.clients, 0);
	CU_ASSERT_EQUAL(access(path, F_OK), -1);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static int
connect_client(void)
{
	int fd = unix_connect(path);

	CU_ASSERT_FATAL(fd >= 0);
	settle();
	return fd;
}

/* Send bytes, moving the server as needed. @return false: it has closed */
static bool
say(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			CU_ASSERT_FATAL(loop_once(loop, PATIENCE_MS) > 0);
		} else {
			return false;
		}
	}
	return true;
}

static bool
say_frame(int fd, uint8_t type, uint16_t flags, const void *data, size_t len)
{
	struct nft_frame head = {
		.len = (uint32_t)len, .type = type, .protocol = NETLINK_NETFILTER, .flags = flags};

	return say(fd, &head, sizeof(head)) && say(fd, data, len);
}

/* A request in fragments. */
static bool
say_request(int fd, const uint8_t *data, size_t len)
{
	while (len > NFT_FRAGMENT_MAX) {
		if (!say_frame(fd, NFT_FRAME_REQ, NFT_FRAME_MORE, data, NFT_FRAGMENT_MAX))
			return false;
		data += NFT_FRAGMENT_MAX;
		len -= NFT_FRAGMENT_MAX;
	}
	return say_frame(fd, NFT_FRAME_REQ, 0, data, len);
}

/* Receive so many bytes. @return false: the server has closed */
static bool
hear(int fd, void *data, size_t len)
{
	uint8_t *p = data;

	while (len > 0) {
		ssize_t n = recv(fd, p, len, MSG_DONTWAIT);

		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			CU_ASSERT_FATAL(loop_once(loop, PATIENCE_MS) > 0);
		} else {
			return false;
		}
	}
	return true;
}

/* The type of the next frame, its payload in data; 0 at the end. */
static int
hear_frame(int fd, void *data, size_t size, size_t *len)
{
	struct nft_frame head;

	if (!hear(fd, &head, sizeof(head)))
		return 0;
	CU_ASSERT_FATAL(head.len <= size);
	*len = head.len;
	CU_ASSERT_EQUAL(head.flags, 0);
	return hear(fd, data, head.len) ? head.type : 0;
}

/* Take REPs up to END. @return their bytes in all, in data */
static size_t
hear_answer(int fd, uint8_t *data, size_t size)
{
	size_t total = 0;
	size_t len;
	int type;

	while ((type = hear_frame(fd, data + total, size - total, &len)) == NFT_FRAME_REP)
		total += len;
	CU_ASSERT_EQUAL(type, NFT_FRAME_END);
	return total;
}

static bool
closed(int fd)
{
	uint8_t byte;

	return !hear(fd, &byte, 1);
}

static uint8_t *
pattern(size_t len)
{
	uint8_t *data = malloc(len);
	size_t i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(data);
	for (i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 2654435761U >> 13);
	return data;
}

static void
test_echo(void)
{
	struct nft_frame head = {.len = 4, .type = NFT_FRAME_REQ, .protocol = NETLINK_ROUTE};
	uint8_t data[64];
	struct stat st;
	int fd;

	begin();
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);
	fd = connect_client();
	CU_ASSERT(say_request(fd, (const uint8_t *)"hello", 5));
	CU_ASSERT_EQUAL(hear_answer(fd, data, sizeof(data)), 5);
	CU_ASSERT_EQUAL(memcmp(data, "hello", 5), 0);
	CU_ASSERT_EQUAL(wire.protocol, NETLINK_NETFILTER);
	CU_ASSERT(say(fd, &head, sizeof(head)) && say(fd, "link", 4));
	CU_ASSERT_EQUAL(hear_answer(fd, data, sizeof(data)), 4);
	CU_ASSERT_EQUAL(wire.protocol, NETLINK_ROUTE);
	/* A client that has said all still hears all. */
	CU_ASSERT(say_request(fd, (const uint8_t *)"bye", 3));
	CU_ASSERT_EQUAL(shutdown(fd, SHUT_WR), 0);
	CU_ASSERT_EQUAL(hear_answer(fd, data, sizeof(data)), 3);
	CU_ASSERT(closed(fd));
	CU_ASSERT_EQUAL(nft_server_clients(server), 0);
	close(fd);
	end();
}

/* However the stream is cut, the request is the same. */
static void
test_fragments(void)
{
	const size_t len = 2 * NFT_FRAGMENT_MAX + 12345;
	const size_t cuts[] = {1, 3, 7, 8, 9, 4096, 100003};
	uint8_t *data = pattern(len);
	uint8_t *back = malloc(len + PIECE);
	uint8_t *stream = malloc(len + 3 * sizeof(struct nft_frame));
	size_t total = 0;
	size_t off;
	size_t c;
	int fd;

	begin();
	for (off = 0; off < len; off += NFT_FRAGMENT_MAX) {
		size_t n = len - off < NFT_FRAGMENT_MAX ? len - off : NFT_FRAGMENT_MAX;
		struct nft_frame head = {.len = (uint32_t)n,
			.type = NFT_FRAME_REQ,
			.protocol = NETLINK_NETFILTER,
			.flags = off + n < len ? NFT_FRAME_MORE : 0};

		memcpy(stream + total, &head, sizeof(head));
		memcpy(stream + total + sizeof(head), data + off, n);
		total += sizeof(head) + n;
	}
	fd = connect_client();
	for (c = 0; c < sizeof(cuts) / sizeof(cuts[0]); c++) {
		for (off = 0; off < total; off += cuts[c]) {
			size_t n = total - off < cuts[c] ? total - off : cuts[c];

			CU_ASSERT_FATAL(say(fd, stream + off, n));
			/* Every cut is seen as one, the small ones near the headers. */
			if (off < 64 || cuts[c] > 8)
				settle();
		}
		memset(back, 0, len);
		CU_ASSERT_EQUAL(hear_answer(fd, back, len + PIECE), len);
		CU_ASSERT_EQUAL(memcmp(back, data, len), 0);
		CU_ASSERT_EQUAL(wire.requests, c + 1);
	}
	close(fd);
	end();
	free(data);
	free(back);
	free(stream);
}

/* What is no frame ends its client, and no other. */
static void
test_garbage(void)
{
	static const struct nft_frame bad[] = {
		{4, 0, NETLINK_NETFILTER, 0},
		{4, NFT_FRAME_REP, NETLINK_NETFILTER, 0},
		{0, NFT_FRAME_END, NETLINK_NETFILTER, 0},
		{4, 255, NETLINK_NETFILTER, 0},
		{0, NFT_FRAME_REQ, NETLINK_NETFILTER, 0},
		{0, NFT_FRAME_REQ, NETLINK_NETFILTER, NFT_FRAME_MORE},
		{NFT_FRAGMENT_MAX + 1, NFT_FRAME_REQ, NETLINK_NETFILTER, 0},
		{UINT32_MAX, NFT_FRAME_REQ, NETLINK_NETFILTER, 0},
		{4, NFT_FRAME_REQ, NETLINK_XFRM, 0},
		{4, NFT_FRAME_REQ, NETLINK_NETFILTER, 2},
		{4, NFT_FRAME_JOIN, NETLINK_ROUTE, 0},
		{3, NFT_FRAME_JOIN, NETLINK_NETFILTER, 0},
		{UINT32_MAX, NFT_FRAME_LEAVE, NETLINK_NETFILTER, 0},
		{4, NFT_FRAME_JOIN, NETLINK_NETFILTER, NFT_FRAME_MORE},
	};
	static const uint32_t bad_groups[] = {0, 33, UINT32_MAX};
	uint32_t group = 7;
	unsigned int seed = 1;
	uint8_t noise[512];
	uint8_t data[16];
	size_t i;
	size_t j;
	int good;
	int fd;

	begin();
	good = connect_client();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fd = connect_client();
		say(fd, &bad[i], sizeof(bad[i]));
		CU_ASSERT(closed(fd));
		close(fd);
	}
	for (i = 0; i < sizeof(bad_groups) / sizeof(bad_groups[0]); i++) {
		fd = connect_client();
		say_frame(fd, NFT_FRAME_JOIN, 0, &bad_groups[i], sizeof(bad_groups[i]));
		CU_ASSERT(closed(fd));
		close(fd);
	}
	/* Between the fragments of a request nothing else may come. */
	fd = connect_client();
	CU_ASSERT(say_frame(fd, NFT_FRAME_REQ, NFT_FRAME_MORE, "half", 4));
	say_frame(fd, NFT_FRAME_JOIN, 0, &group, sizeof(group));
	CU_ASSERT(closed(fd));
	close(fd);
	for (i = 0; i < 2000; i++) {
		fd = connect_client();
		for (j = 0; j < sizeof(noise); j++)
			noise[j] = (uint8_t)(rand_r(&seed) >> 8);
		/* Some begin as a request does. */
		if (i % 2 == 0)
			memcpy(noise, (uint8_t[8]){noise[0], 0, 0, 0, 1, 12, noise[1] & 1, 0}, 8);
		say(fd, noise, sizeof(noise));
		close(fd);
		settle();
	}
	CU_ASSERT_EQUAL(nft_server_clients(server), 1);
	CU_ASSERT(say_request(good, (const uint8_t *)"well", 4));
	CU_ASSERT_EQUAL(hear_answer(good, data, sizeof(data)), 4);
	close(good);
	end();
}

static void
test_size(void)
{
	uint8_t *data = pattern(NFT_REQUEST_MAX);
	size_t len = 0;
	size_t i;
	int fd;

	begin();
	wire.mode = COUNT;
	fd = connect_client();
	CU_ASSERT(say_request(fd, data, NFT_REQUEST_MAX));
	CU_ASSERT_EQUAL(hear_answer(fd, (uint8_t *)&len, sizeof(len)), sizeof(len));
	CU_ASSERT_EQUAL(len, NFT_REQUEST_MAX);
	/* One fragment too many: it is sent away at its header. */
	for (i = 0; i < NFT_REQUEST_MAX / NFT_FRAGMENT_MAX; i++)
		CU_ASSERT_FATAL(
			say_frame(fd, NFT_FRAME_REQ, NFT_FRAME_MORE, data, NFT_FRAGMENT_MAX));
	settle();
	CU_ASSERT_EQUAL(nft_server_clients(server), 1);
	say_frame(fd, NFT_FRAME_REQ, 0, data, 1);
	settle();
	CU_ASSERT_EQUAL(nft_server_clients(server), 0);
	CU_ASSERT_EQUAL(wire.requests, 1);
	close(fd);
	end();
	free(data);
}

static void
finish(void)
{
	struct nft_client *client = wire.waiting;

	CU_ASSERT_PTR_NOT_NULL_FATAL(client);
	wire.waiting = NULL;
	client->done(client->done_ctx);
	settle();
}

/* A further request waits for the END of the first. */
static void
test_one_at_a_time(void)
{
	uint8_t data[16];
	size_t len;
	int fd;

	begin();
	wire.delay = true;
	fd = connect_client();
	CU_ASSERT(say_request(fd, (const uint8_t *)"one", 3));
	CU_ASSERT(say_request(fd, (const uint8_t *)"other", 5));
	settle();
	CU_ASSERT_EQUAL(wire.requests, 1);
	/* The answer is sent as it comes; its end, when it is known. */
	CU_ASSERT_EQUAL(hear_frame(fd, data, sizeof(data), &len), NFT_FRAME_REP);
	CU_ASSERT_EQUAL(recv(fd, data, 1, MSG_DONTWAIT), -1);
	finish();
	CU_ASSERT_EQUAL(wire.requests, 2);
	CU_ASSERT_EQUAL(hear_frame(fd, data, sizeof(data), &len), NFT_FRAME_END);
	finish();
	CU_ASSERT_EQUAL(hear_answer(fd, data, sizeof(data)), 5);
	close(fd);
	end();
}

/* Who goes before the answer is kept until the wire is done with it. */
static void
test_killed(void)
{
	uint8_t data[16];
	size_t len;
	int fd;

	begin();
	wire.delay = true;
	/* While the wire has the request. */
	fd = connect_client();
	CU_ASSERT(say_request(fd, (const uint8_t *)"one", 3));
	settle();
	close(fd);
	settle();
	CU_ASSERT_EQUAL(wire.clients, 1);
	CU_ASSERT_EQUAL(nft_server_clients(server), 1);
	/* The wire doesn't know, and may go on. */
	wire.waiting->send(wire.waiting->ctx, "late", 4, false);
	wire.waiting->send(wire.waiting->ctx, "event", 5, true);
	settle();
	finish();
	CU_ASSERT_EQUAL(wire.clients, 0);
	/* In the middle of a request: it is not run. */
	fd = connect_client();
	CU_ASSERT(say_frame(fd, NFT_FRAME_REQ, NFT_FRAME_MORE, "half", 4));
	settle();
	close(fd);
	settle();
	CU_ASSERT_EQUAL(wire.clients, 0);
	CU_ASSERT_EQUAL(wire.requests, 1);
	/* Having sent it whole: it is. */
	wire.delay = false;
	fd = connect_client();
	CU_ASSERT(say_request(fd, (const uint8_t *)"two", 3));
	close(fd);
	settle();
	CU_ASSERT_EQUAL(wire.requests, 2);
	CU_ASSERT_EQUAL(wire.clients, 0);
	/* The server goes first. */
	wire.delay = true;
	fd = connect_client();
	CU_ASSERT(say_request(fd, (const uint8_t *)"three", 5));
	settle();
	CU_ASSERT_PTR_NOT_NULL(wire.waiting);
	end();
	CU_ASSERT_EQUAL(hear_frame(fd, data, sizeof(data), &len), NFT_FRAME_REP);
	CU_ASSERT(closed(fd));
	close(fd);
}

/* An answer that isn't taken holds up the client's next request, and nobody else's. */
static void
test_slow_reader(void)
{
	uint8_t *data = malloc(FLOOD_SIZE);
	uint8_t other[PIECE];
	int slow;
	int fd;

	begin();
	wire.mode = FLOOD;
	slow = connect_client();
	CU_ASSERT(say_request(slow, (const uint8_t *)"one", 3));
	CU_ASSERT(say_request(slow, (const uint8_t *)"two", 3));
	settle();
	CU_ASSERT_EQUAL(wire.requests, 1);
	wire.mode = ECHO;
	fd = connect_client();
	CU_ASSERT(say_request(fd, (const uint8_t *)"quick", 5));
	CU_ASSERT_EQUAL(hear_answer(fd, other, sizeof(other)), 5);
	CU_ASSERT_EQUAL(wire.requests, 2);
	CU_ASSERT_EQUAL(hear_answer(slow, data, FLOOD_SIZE), FLOOD_SIZE);
	CU_ASSERT_EQUAL(hear_answer(slow, data, FLOOD_SIZE), 3);
	close(slow);
	close(fd);
	end();
	free(data);
}

/* Notify all clients that joined. */
static void
notify(struct nft_client *client, const void *data, size_t len)
{
	if (client->groups & 1U << 7)
		client->send(client->ctx, data, len, true);
}

/*
 * A monitor that reads misses nothing. One that doesn't loses what comes beyond a
 * bound, and what comes then, until it has read; it is told where that was.
 */
static void
test_monitor(void)
{
	static uint32_t event[PIECE / 4];
	static uint32_t got[PIECE / 4];
	const uint32_t group = 7;
	size_t frame = sizeof(event) + sizeof(struct nft_frame);
	uint32_t sent = 0;
	uint32_t i;
	size_t len;
	int fd;

	begin();
	fd = connect_client();
	CU_ASSERT(say_frame(fd, NFT_FRAME_JOIN, 0, &group, sizeof(group)));
	settle();
	CU_ASSERT_EQUAL(wire.last->groups, 1U << 7);
	for (i = 0; i < 200; i++) {
		event[0] = i;
		notify(wire.last, event, sizeof(event));
	}
	for (i = 0; i < 200; i++) {
		CU_ASSERT_EQUAL(hear_frame(fd, got, sizeof(got), &len), NFT_FRAME_EVENT);
		CU_ASSERT(len == sizeof(event) && got[0] == i);
	}
	CU_ASSERT(say_frame(fd, NFT_FRAME_LEAVE, 0, &group, sizeof(group)));
	settle();
	CU_ASSERT_EQUAL(wire.last->groups, 0);
	CU_ASSERT(say_frame(fd, NFT_FRAME_JOIN, 0, &group, sizeof(group)));
	settle();
	for (i = 0; i * frame < 2 * NFT_EVENTS_MAX; i++) {
		event[0] = i;
		notify(wire.last, event, sizeof(event));
		settle();
	}
	CU_ASSERT_EQUAL(nft_server_clients(server), 1);
	while (hear_frame(fd, got, sizeof(got), &len) == NFT_FRAME_EVENT) {
		CU_ASSERT_FATAL(len == sizeof(event) && got[0] == sent);
		sent++;
	}
	/* What the socket's own buffer takes comes on top. */
	CU_ASSERT(sent * frame > NFT_EVENTS_MAX - MIB);
	CU_ASSERT(sent * frame < NFT_EVENTS_MAX + 16 * MIB);
	CU_ASSERT_EQUAL(len, 0);
	/* From here on it misses nothing again, and its requests were never in danger. */
	notify(wire.last, event, sizeof(event));
	settle();
	CU_ASSERT_EQUAL(hear_frame(fd, got, sizeof(got), &len), NFT_FRAME_EVENT);
	CU_ASSERT_EQUAL(got[0], i - 1);
	/* Events that the wire itself has lost. */
	notify(wire.last, NULL, 0);
	settle();
	CU_ASSERT_EQUAL(hear_frame(fd, got, sizeof(got), &len), NFT_FRAME_LOST);
	CU_ASSERT(say_request(fd, (const uint8_t *)"here", 4));
	CU_ASSERT_EQUAL(hear_answer(fd, (uint8_t *)got, sizeof(got)), 4);
	close(fd);
	end();
}

static void
test_limit(void)
{
	int fds[NFT_CLIENTS_MAX];
	uint8_t data[16];
	int fd;
	int i;

	begin();
	for (i = 0; i < NFT_CLIENTS_MAX; i++)
		fds[i] = connect_client();
	CU_ASSERT_EQUAL(nft_server_clients(server), NFT_CLIENTS_MAX);
	fd = connect_client();
	CU_ASSERT(closed(fd));
	close(fd);
	close(fds[0]);
	settle();
	fds[0] = connect_client();
	for (i = 0; i < NFT_CLIENTS_MAX; i++) {
		CU_ASSERT(say_request(fds[i], (const uint8_t *)"here", 4));
		CU_ASSERT_EQUAL(hear_answer(fds[i], data, sizeof(data)), 4);
		close(fds[i]);
	}
	end();
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"requests and answers", test_echo},
		{"a request in fragments, cut anywhere", test_fragments},
		{"what is no frame", test_garbage},
		{"the longest request, and one longer", test_size},
		{"one request at a time", test_one_at_a_time},
		{"clients that go, and a server that goes", test_killed},
		{"an answer that is not taken", test_slow_reader},
		{"monitors", test_monitor},
		{"as many clients as there may be", test_limit},
		CU_TEST_INFO_NULL,
	};

	return unit_run("nft server", tests);
}
