/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For programs that make their NETLINK_NETFILTER sockets without libmnl, by
 * libnfnetlink: `conntrack -L expect`, and all of conntrackd. libc's socket calls
 * are replaced, in the library to preload alone: our own programs need none of it.
 * A NETLINK_ROUTE socket made this way stays the kernel's.
 */
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim_priv.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

REPLACES int
socket(int domain, int type, int protocol)
{
	struct shim_link *link;

	if (domain != AF_NETLINK || protocol != NETLINK_NETFILTER)
		return PASS(REAL_C(socket), -1, domain, type, protocol);
	link = shim_take(protocol, type & (SOCK_CLOEXEC | SOCK_NONBLOCK));
	return link != NULL ? link->fd : -1;
}

/*
 * Found when the library is loaded: a child calls it between vfork() and
 * execve(), where nothing may be allocated or locked.
 */
static int (*real_close)(int fd);

__attribute__((constructor)) static void
find_close(void)
{
	*(void **)(&real_close) = shim_real("close", "libc.so.6");
}

REPLACES int
close(int fd)
{
	struct shim_link *link = shim_of_fd(fd);

	if (link == NULL)
		return real_close != NULL ? real_close(fd) : (int)syscall(SYS_close, fd);
	shim_drop(link);
	return 0;
}

REPLACES int
bind(int fd, const struct sockaddr *address, socklen_t len)
{
	struct shim_link *link = shim_of_fd(fd);
	struct sockaddr_nl nl;

	if (link == NULL)
		return PASS(REAL_C(bind), -1, fd, address, len);
	if (len < sizeof(nl)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(&nl, address, sizeof(nl));
	return shim_join(link, nl.nl_groups);
}

/* An address of netlink's into room of a length, which becomes the address's. */
static void
give_address(uint32_t port, void *room, socklen_t *len)
{
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK, .nl_pid = port};

	if (room == NULL || len == NULL)
		return;
	memcpy(room, &nl, *len < sizeof(nl) ? *len : sizeof(nl));
	*len = sizeof(nl);
}

REPLACES int
getsockname(int fd, struct sockaddr *restrict address, socklen_t *restrict len)
{
	if (shim_of_fd(fd) == NULL)
		return PASS(REAL_C(getsockname), -1, fd, address, len);
	give_address((uint32_t)getpid(), address, len);
	return 0;
}

REPLACES int
setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	struct shim_link *link = shim_of_fd(fd);
	int group;

	if (link == NULL || level != SOL_NETLINK)
		return PASS(REAL_C(setsockopt), -1, fd, level, option, value, len);
	if (option != NETLINK_ADD_MEMBERSHIP && option != NETLINK_DROP_MEMBERSHIP)
		return 0;
	if (value == NULL || len < sizeof(group)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(&group, value, sizeof(group));
	return shim_group(link, option == NETLINK_ADD_MEMBERSHIP ? NFT_FRAME_JOIN : NFT_FRAME_LEAVE,
		(unsigned int)group);
}

REPLACES ssize_t
sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t len)
{
	struct shim_link *link = shim_of_fd(fd);
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};

	int before = errno;
	ssize_t ret;

	if (link == NULL)
		return PASS(REAL_C(sendto), -1, fd, data, size, flags, to, len);
	ret = shim_request(link, &iov, 1);
	/* A system call that succeeds leaves errno as it was. */
	if (ret >= 0)
		errno = before;
	return ret;
}

REPLACES ssize_t
recvfrom(int fd, void *restrict data, size_t size, int flags, struct sockaddr *restrict from,
	socklen_t *restrict len)
{
	struct shim_link *link = shim_of_fd(fd);
	int before = errno;
	ssize_t ret;

	if (link == NULL)
		return PASS(REAL_C(recvfrom), -1, fd, data, size, flags, from, len);
	ret = shim_receive(link, data, size);
	if (ret < 0)
		return ret;
	errno = before;
	give_address(0, from, len);
	return ret;
}

/* One datagram into one buffer, as libnfnetlink has it. */
REPLACES ssize_t
recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct shim_link *link = shim_of_fd(fd);
	int before = errno;
	ssize_t ret;

	if (link == NULL)
		return PASS(REAL_C(recvmsg), -1, fd, msg, flags);
	if (msg->msg_iovlen != 1) {
		errno = EOPNOTSUPP;
		return -1;
	}
	ret = shim_receive(link, msg->msg_iov->iov_base, msg->msg_iov->iov_len);
	if (ret < 0)
		return ret;
	errno = before;
	msg->msg_controllen = 0;
	msg->msg_flags = 0;
	give_address(0, msg->msg_name, msg->msg_name != NULL ? &msg->msg_namelen : NULL);
	return ret;
}
