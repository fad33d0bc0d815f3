/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shim linked in, as in shuntctl: this program calls libmnl and libc by
 * their names, and plays the daemon itself. One thread: what the daemon will say
 * is in the socket before the call that waits for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "nft_frame.h"
#include "shim.h"
#include "unit.h"

static char dir[64];
static char path[96];
static int listener;
static int daemon_fd;
static struct mnl_socket *nl;
static int fd;

static void
begin(int bus)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	snprintf(dir, sizeof(dir), "/tmp/shunt-test-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/nft.sock", dir);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_FATAL(listener >= 0);
	CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
	CU_ASSERT_EQUAL_FATAL(listen(listener, 4), 0);
	shim_set_socket(path);
	nl = mnl_socket_open(bus);
	CU_ASSERT_PTR_NOT_NULL_FATAL(nl);
	daemon_fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	CU_ASSERT_FATAL(daemon_fd >= 0);
	fd = mnl_socket_get_fd(nl);
	CU_ASSERT_EQUAL(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static void
end(void)
{
	CU_ASSERT_EQUAL(mnl_socket_close(nl), 0);
	if (daemon_fd >= 0)
		close(daemon_fd);
	close(listener);
	unlink(path);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static void
daemon_bytes(const void *data, size_t len)
{
	CU_ASSERT_EQUAL_FATAL(send(daemon_fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void
daemon_says(uint8_t type, const char *text)
{
	struct nft_frame head = {.len = (uint32_t)strlen(text), .type = type};

	daemon_bytes(&head, sizeof(head));
	if (head.len != 0)
		daemon_bytes(text, head.len);
}

/* The next frame that the daemon gets. */
static struct nft_frame
daemon_hears(void *data, size_t size)
{
	struct nft_frame head = {0};
	size_t have = 0;

	CU_ASSERT_EQUAL_FATAL(recv(daemon_fd, &head, sizeof(head), 0), sizeof(head));
	CU_ASSERT_FATAL(head.len <= size);
	while (have < head.len) {
		ssize_t n = recv(daemon_fd, (char *)data + have, head.len - have, 0);

		CU_ASSERT_FATAL(n > 0);
		have += (size_t)n;
	}
	return head;
}

/* Receive, and compare. */
static bool
hears(const char *text)
{
	char buf[64];
	ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));

	return n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

static bool
hears_error(int err)
{
	char buf[64];

	errno = 0;
	return mnl_socket_recvfrom(nl, buf, sizeof(buf)) == -1 && errno == err;
}

static ssize_t
send_batch(const char *one, const char *other)
{
	struct iovec iov[] = {
		{(void *)(uintptr_t)one, strlen(one)},
		{NULL, 0},
		{(void *)(uintptr_t)other, strlen(other)},
	};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 3};

	return sendmsg(fd, &msg, 0);
}

/* Both ways of waiting, which must agree. */
static int
readable(int timeout_ms)
{
	struct timeval tv = {.tv_usec = timeout_ms * 1000};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	fd_set set;
	int n;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	n = select(fd + 1, &set, NULL, NULL, &tv);
	CU_ASSERT_EQUAL(n, FD_ISSET(fd, &set) != 0);
	CU_ASSERT_EQUAL(poll(&p, 1, timeout_ms), n);
	CU_ASSERT_EQUAL(p.revents & POLLIN, n != 0 ? POLLIN : 0);
	return n;
}

static void
test_talk(void)
{
	char data[64];
	struct nft_frame head;

	begin(NETLINK_NETFILTER);
	CU_ASSERT(hears_error(EAGAIN));
	CU_ASSERT_EQUAL(mnl_socket_sendto(nl, "ask", 3), 3);
	head = daemon_hears(data, sizeof(data));
	CU_ASSERT(head.len == 3 && head.type == NFT_FRAME_REQ && head.flags == 0);
	CU_ASSERT_EQUAL(head.protocol, NETLINK_NETFILTER);
	CU_ASSERT_EQUAL(memcmp(data, "ask", 3), 0);
	daemon_says(NFT_FRAME_REP, "a");
	daemon_says(NFT_FRAME_EVENT, "event");
	daemon_says(NFT_FRAME_REP, "b");
	daemon_says(NFT_FRAME_END, "");
	daemon_says(NFT_FRAME_EVENT, "later");
	CU_ASSERT(hears("a"));
	CU_ASSERT(hears("b"));
	/* The kernel's queue is empty; what came of itself is for later. */
	CU_ASSERT(hears_error(EAGAIN));
	CU_ASSERT(hears("event"));
	CU_ASSERT(hears("later"));
	CU_ASSERT(hears_error(EAGAIN));
	/* An answer that nobody read is there behind the next request, as a netlink socket's is. */
	CU_ASSERT_EQUAL(mnl_socket_sendto(nl, "one", 3), 3);
	daemon_says(NFT_FRAME_REP, "unread");
	daemon_says(NFT_FRAME_END, "");
	CU_ASSERT_EQUAL(mnl_socket_sendto(nl, "two", 3), 3);
	CU_ASSERT(hears("unread"));
	daemon_says(NFT_FRAME_REP, "second");
	CU_ASSERT(hears("second"));
	daemon_says(NFT_FRAME_END, "");
	CU_ASSERT(hears_error(EAGAIN));
	CU_ASSERT_EQUAL(mnl_socket_sendto(nl, "", 0), -1);
	end();
}

/* Where notifications are missing the next receive says so; answers have nothing to do with it. */
static void
test_lost(void)
{
	begin(NETLINK_NETFILTER);
	daemon_says(NFT_FRAME_EVENT, "one");
	daemon_says(NFT_FRAME_LOST, "");
	daemon_says(NFT_FRAME_EVENT, "two");
	CU_ASSERT_EQUAL(readable(0), 1);
	CU_ASSERT(hears("one"));
	CU_ASSERT_EQUAL(readable(0), 1);
	CU_ASSERT(hears_error(ENOBUFS));
	CU_ASSERT(hears("two"));
	CU_ASSERT(hears_error(EAGAIN));
	CU_ASSERT_EQUAL(mnl_socket_sendto(nl, "ask", 3), 3);
	daemon_says(NFT_FRAME_REP, "a");
	daemon_says(NFT_FRAME_LOST, "");
	daemon_says(NFT_FRAME_REP, "b");
	daemon_says(NFT_FRAME_END, "");
	CU_ASSERT(hears("a"));
	CU_ASSERT(hears("b"));
	CU_ASSERT(hears_error(EAGAIN));
	CU_ASSERT(hears_error(ENOBUFS));
	CU_ASSERT(hears_error(EAGAIN));
	end();
}

static void
test_batch(void)
{
	char data[64];

	begin(NETLINK_NETFILTER);
	/* The answer is awaited within the call. */
	daemon_says(NFT_FRAME_REP, "error");
	daemon_says(NFT_FRAME_EVENT, "event");
	daemon_says(NFT_FRAME_END, "");
	CU_ASSERT_EQUAL(send_batch("begin", "end"), 8);
	CU_ASSERT_EQUAL(daemon_hears(data, sizeof(data)).len, 8);
	CU_ASSERT_EQUAL(memcmp(data, "beginend", 8), 0);
	CU_ASSERT_EQUAL(recv(fd, data, 1, MSG_DONTWAIT), -1);
	CU_ASSERT_EQUAL(readable(0), 1);
	CU_ASSERT(hears("error"));
	CU_ASSERT_EQUAL(readable(0), 1);
	CU_ASSERT(hears("event"));
	CU_ASSERT_EQUAL(readable(0), 0);
	/* A good one has no answer. */
	daemon_says(NFT_FRAME_END, "");
	CU_ASSERT_EQUAL(send_batch("begin", "end"), 8);
	CU_ASSERT_EQUAL(readable(0), 0);
	end();
}

static void
test_fragments(void)
{
	const size_t len = NFT_FRAGMENT_MAX + 1000;
	char *data = malloc(len);
	char *got = malloc(len);
	/* Larger than what may be sent, but never touched. */
	struct iovec huge[2] = {{data, len}, {data, NFT_REQUEST_MAX}};
	struct msghdr msg = {.msg_iov = huge, .msg_iovlen = 2};
	int size = 4 << 20;
	struct nft_frame head;
	size_t i;

	begin(NETLINK_NETFILTER);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	for (i = 0; i < len; i++)
		data[i] = (char)(i * 7 + i / 1000);
	CU_ASSERT_EQUAL(mnl_socket_sendto(nl, data, len), (ssize_t)len);
	head = daemon_hears(got, len);
	CU_ASSERT(head.len == NFT_FRAGMENT_MAX && head.flags == NFT_FRAME_MORE);
	head = daemon_hears(got + head.len, len - head.len);
	CU_ASSERT(head.len == 1000 && head.flags == 0);
	CU_ASSERT_EQUAL(memcmp(data, got, len), 0);
	daemon_says(NFT_FRAME_END, "");
	errno = 0;
	CU_ASSERT_EQUAL(sendmsg(fd, &msg, 0), -1);
	CU_ASSERT_EQUAL(errno, EMSGSIZE);
	end();
	free(data);
	free(got);
}

/* Only what can be received counts: nft's monitor gives up on an EAGAIN. */
static void
test_waiting(void)
{
	struct nft_frame head = {.len = 4, .type = NFT_FRAME_EVENT};
	char buf[2];
	int pipes[2];
	struct pollfd p[2];
	fd_set set;

	begin(NETLINK_NETFILTER);
	CU_ASSERT_EQUAL(readable(0), 0);
	CU_ASSERT_EQUAL(readable(5), 0);
	CU_ASSERT_EQUAL(mnl_socket_sendto(nl, "x", 1), 1);
	daemon_says(NFT_FRAME_END, "");
	CU_ASSERT_EQUAL(readable(5), 0);
	/* Half a header, half a payload. */
	daemon_bytes(&head, 3);
	CU_ASSERT_EQUAL(readable(5), 0);
	daemon_bytes((uint8_t *)&head + 3, sizeof(head) - 3);
	daemon_bytes("wo", 2);
	CU_ASSERT_EQUAL(readable(5), 0);
	daemon_bytes("rd", 2);
	CU_ASSERT_EQUAL(readable(-1), 1);
	/* Other descriptors are reported beside it. */
	CU_ASSERT_EQUAL_FATAL(pipe2(pipes, O_CLOEXEC), 0);
	CU_ASSERT_EQUAL(write(pipes[1], "x", 1), 1);
	FD_ZERO(&set);
	FD_SET(fd, &set);
	FD_SET(pipes[0], &set);
	CU_ASSERT_EQUAL(select((fd > pipes[0] ? fd : pipes[0]) + 1, &set, NULL, NULL, NULL), 2);
	CU_ASSERT(FD_ISSET(fd, &set) && FD_ISSET(pipes[0], &set));
	CU_ASSERT(hears("word"));
	CU_ASSERT_EQUAL(select((fd > pipes[0] ? fd : pipes[0]) + 1, &set, NULL, NULL, NULL), 1);
	CU_ASSERT(!FD_ISSET(fd, &set) && FD_ISSET(pipes[0], &set));
	p[0] = (struct pollfd){.fd = fd, .events = POLLIN};
	p[1] = (struct pollfd){.fd = pipes[0], .events = POLLIN};
	CU_ASSERT_EQUAL(poll(p, 2, -1), 1);
	CU_ASSERT(p[0].revents == 0 && p[1].revents == POLLIN);
	close(pipes[0]);
	close(pipes[1]);
	/* Longer than the buffer: libmnl's ENOSPC, and it is gone. */
	daemon_says(NFT_FRAME_EVENT, "long");
	CU_ASSERT_EQUAL(mnl_socket_recvfrom(nl, buf, sizeof(buf)), -1);
	CU_ASSERT_EQUAL(errno, ENOSPC);
	CU_ASSERT(hears_error(EAGAIN));
	end();
}

#define ROUNDS 300

/* A daemon of its own: an END, and a little later a notification. CUnit is not for threads. */
static void *
slow_daemon(void *arg)
{
	const struct nft_frame last = {.type = NFT_FRAME_END};
	const struct nft_frame event = {.len = 1, .type = NFT_FRAME_EVENT};
	struct pollfd p = {.fd = daemon_fd, .events = POLLIN};
	char data[16];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		/* A request of one byte is a frame of nine. */
		if (poll(&p, 1, 20000) != 1 || recv(daemon_fd, data, 9, MSG_WAITALL) != 9 ||
			send(daemon_fd, &last, sizeof(last), MSG_NOSIGNAL) < 0)
			return arg;
		sched_yield();
		if (send(daemon_fd, &event, 5, MSG_NOSIGNAL) < 0)
			return arg;
		sched_yield();
		if (send(daemon_fd, (const char *)&event + 5, 3, MSG_NOSIGNAL) < 0 ||
			send(daemon_fd, "e", 1, MSG_NOSIGNAL) < 0)
			return arg;
	}
	return NULL;
}

/* What comes while the program waits is not reported before it can be received. */
static void
test_waiting_long(void)
{
	struct pollfd p;
	pthread_t thread;
	fd_set set;
	void *ret;
	int i;

	begin(NETLINK_NETFILTER);
	p = (struct pollfd){.fd = fd, .events = POLLIN};
	fcntl(daemon_fd, F_SETFL, 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, slow_daemon, dir), 0);
	for (i = 0; i < ROUNDS; i++) {
		CU_ASSERT_EQUAL(mnl_socket_sendto(nl, "x", 1), 1);
		FD_ZERO(&set);
		FD_SET(fd, &set);
		CU_ASSERT_EQUAL(
			i % 2 == 0 ? select(fd + 1, &set, NULL, NULL, NULL) : poll(&p, 1, -1), 1);
		CU_ASSERT(hears("e"));
	}
	CU_ASSERT_EQUAL(pthread_join(thread, &ret), 0);
	CU_ASSERT_PTR_NULL(ret);
	end();
}

static void
test_options(void)
{
	struct nft_frame head;
	uint32_t group;
	socklen_t len = sizeof(int);
	int value = NFNLGRP_NFTABLES;

	begin(NETLINK_NETFILTER);
	CU_ASSERT_EQUAL(mnl_socket_get_portid(nl), 0);
	CU_ASSERT_EQUAL(
		mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &value, sizeof(value)), 0);
	head = daemon_hears(&group, sizeof(group));
	CU_ASSERT(head.type == NFT_FRAME_JOIN && group == NFNLGRP_NFTABLES);
	CU_ASSERT_EQUAL(
		mnl_socket_setsockopt(nl, NETLINK_DROP_MEMBERSHIP, &value, sizeof(value)), 0);
	head = daemon_hears(&group, sizeof(group));
	CU_ASSERT(head.type == NFT_FRAME_LEAVE && group == NFNLGRP_NFTABLES);
	/* bind() has groups as bits. */
	CU_ASSERT_EQUAL(mnl_socket_bind(nl, 1U << (NFNLGRP_CONNTRACK_NEW - 1), 0), 0);
	head = daemon_hears(&group, sizeof(group));
	CU_ASSERT(head.type == NFT_FRAME_JOIN && group == NFNLGRP_CONNTRACK_NEW);
	value = 0;
	CU_ASSERT_EQUAL(
		mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &value, sizeof(value)), -1);
	value = 1;
	CU_ASSERT_EQUAL(mnl_socket_setsockopt(nl, NETLINK_EXT_ACK, &value, sizeof(value)), 0);
	value = 0;
	CU_ASSERT_EQUAL(mnl_socket_getsockopt(nl, NETLINK_EXT_ACK, &value, &len), 0);
	CU_ASSERT_EQUAL(value, 1);
	CU_ASSERT_EQUAL(mnl_socket_setsockopt(nl, 31, &value, sizeof(value)), -1);
	CU_ASSERT_EQUAL(errno, ENOPROTOOPT);
	end();
	begin(NETLINK_ROUTE);
	CU_ASSERT_EQUAL(
		mnl_socket_setsockopt(nl, NETLINK_ADD_MEMBERSHIP, &value, sizeof(value)), -1);
	CU_ASSERT_EQUAL(errno, EOPNOTSUPP);
	end();
}

/* No daemon, one that goes, one that speaks something else. */
static void
test_dead(void)
{
	static const struct nft_frame bad[] = {
		{4, 0, 0, 0},
		{4, NFT_FRAME_REQ, 0, 0},
		{1, NFT_FRAME_END, 0, 0},
		{UINT32_MAX, NFT_FRAME_REP, 0, 0},
	};
	char name[200];
	size_t i;

	begin(NETLINK_NETFILTER);
	CU_ASSERT_EQUAL(mnl_socket_sendto(nl, "x", 1), 1);
	daemon_says(NFT_FRAME_REP, "last words");
	close(daemon_fd);
	daemon_fd = -1;
	CU_ASSERT(hears("last words"));
	CU_ASSERT(hears_error(EPIPE));
	CU_ASSERT_EQUAL(readable(-1), 1);
	/* No SIGPIPE. */
	CU_ASSERT_EQUAL(mnl_socket_sendto(nl, "x", 1), -1);
	CU_ASSERT_EQUAL(errno, EPIPE);
	CU_ASSERT_EQUAL(send_batch("a", "b"), -1);
	CU_ASSERT_EQUAL(errno, EPIPE);
	end();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin(NETLINK_NETFILTER);
		daemon_bytes(&bad[i], sizeof(bad[i]));
		CU_ASSERT(hears_error(EPIPE));
		end();
	}
	/* The socket of the last run is no longer there. */
	CU_ASSERT_PTR_NULL(mnl_socket_open(NETLINK_NETFILTER));
	CU_ASSERT_EQUAL(errno, ECONNREFUSED);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	shim_set_socket(name);
	CU_ASSERT_PTR_NULL(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
	CU_ASSERT_EQUAL(errno, ENAMETOOLONG);
}

/* Other sockets are libmnl's and libc's, also while one of ours is open. */
static void
test_pass(void)
{
	struct {
		struct nlmsghdr nlh;
		struct genlmsghdr genl;
	} get = {
		.nlh = {.nlmsg_len = sizeof(get),
			.nlmsg_type = GENL_ID_CTRL,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			.nlmsg_seq = 1},
		.genl = {.cmd = CTRL_CMD_GETFAMILY, .version = 1},
	};
	struct iovec iov = {"y", 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	char buf[8192];
	struct mnl_socket *real;
	int pair[2];
	int on = 1;

	begin(NETLINK_NETFILTER);
	real = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	CU_ASSERT_PTR_NOT_NULL_FATAL(real);
	CU_ASSERT_EQUAL(mnl_socket_bind(real, 0, MNL_SOCKET_AUTOPID), 0);
	CU_ASSERT_NOT_EQUAL(mnl_socket_get_portid(real), 0);
	CU_ASSERT_EQUAL(mnl_socket_setsockopt(real, NETLINK_EXT_ACK, &on, sizeof(on)), 0);
	CU_ASSERT_EQUAL(mnl_socket_sendto(real, &get, sizeof(get)), (ssize_t)sizeof(get));
	CU_ASSERT(mnl_socket_recvfrom(real, buf, sizeof(buf)) > (ssize_t)sizeof(get));
	CU_ASSERT_EQUAL(((struct nlmsghdr *)buf)->nlmsg_type, GENL_ID_CTRL);
	CU_ASSERT_EQUAL(mnl_socket_close(real), 0);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CU_ASSERT_EQUAL(sendmsg(pair[0], &msg, 0), 1);
	CU_ASSERT_EQUAL(recv(pair[1], buf, 2, MSG_DONTWAIT), 1);
	close(pair[0]);
	close(pair[1]);
	end();
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"requests, answers, notifications", test_talk},
		{"lost notifications", test_lost},
		{"batches", test_batch},
		{"fragments", test_fragments},
		{"select and poll", test_waiting},
		{"select and poll, woken early", test_waiting_long},
		{"groups and options", test_options},
		{"no daemon, a dead one, a mad one", test_dead},
		{"sockets that are not the shim's", test_pass},
		CU_TEST_INFO_NULL,
	};

	return unit_run("nft shim, linked", tests);
}
