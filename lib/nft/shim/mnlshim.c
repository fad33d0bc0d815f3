/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The symbols that the shim replaces. A descriptor alone would not do: libmnl
 * wants an address of 12 bytes from recvmsg(), and libnftables takes a batch for
 * applied if nothing is to be read right after its sendmsg() (mnl_batch_talk()).
 * So sendmsg() waits for the answer, and select() knows of what is queued here.
 */
#include "shim.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim_priv.h"

/* Sockets open at once. nft has one or two. */
#define LINKS_MAX 64

/*
 * Searched without a lock: sendmsg() and select() are used by threads that know
 * nothing of us. These find no descriptor of theirs here, and so follow no
 * pointer that the owner's thread may be freeing.
 */
static struct {
	_Atomic(struct shim_link *) link;
	atomic_int fd_plus_1; /* 0 for none */
} slots[LINKS_MAX];
static atomic_uint link_count;

static char socket_path[PATH_MAX];

REPLACES void
shim_set_socket(const char *path)
{
	size_t len = path != NULL ? strlen(path) : 0;

	/* One that is too long for here is too long for connect(), which says so. */
	if (len >= sizeof(socket_path))
		len = sizeof(socket_path) - 1;
	memcpy(socket_path, path != NULL ? path : "", len);
	socket_path[len] = '\0';
}

static struct shim_link *
link_of_socket(const struct mnl_socket *nl)
{
	int i;

	if (nl == NULL || atomic_load(&link_count) == 0)
		return NULL;
	for (i = 0; i < LINKS_MAX; i++) {
		struct shim_link *link = atomic_load(&slots[i].link);

		if ((const void *)link == (const void *)nl)
			return link;
	}
	return NULL;
}

struct shim_link *
shim_of_fd(int fd)
{
	int i;

	if (fd < 0 || atomic_load(&link_count) == 0)
		return NULL;
	for (i = 0; i < LINKS_MAX; i++) {
		if (atomic_load(&slots[i].fd_plus_1) == fd + 1)
			return atomic_load(&slots[i].link);
	}
	return NULL;
}

struct shim_link *
shim_take(int bus, int flags)
{
	const char *path = socket_path[0] != '\0' ? socket_path : secure_getenv("SHUNT_NFT_SOCKET");
	struct shim_link *link;
	int i;

	if (path == NULL || path[0] == '\0')
		path = NFT_SOCKET_DEFAULT;
	link = shim_open(path, bus, flags);
	if (link == NULL)
		return NULL;
	for (i = 0; i < LINKS_MAX; i++) {
		struct shim_link *none = NULL;

		if (atomic_compare_exchange_strong(&slots[i].link, &none, link)) {
			atomic_store(&slots[i].fd_plus_1, link->fd + 1);
			atomic_fetch_add(&link_count, 1);
			return link;
		}
	}
	shim_close(link);
	errno = EMFILE;
	return NULL;
}

static bool
ours(int bus)
{
	return bus == NETLINK_NETFILTER || bus == NETLINK_ROUTE;
}

REPLACES struct mnl_socket *
mnl_socket_open(int bus)
{
	return ours(bus) ? (struct mnl_socket *)shim_take(bus, 0)
			 : PASS(REAL_MNL(mnl_socket_open), NULL, bus);
}

REPLACES struct mnl_socket *
mnl_socket_open2(int bus, int flags)
{
	return ours(bus) ? (struct mnl_socket *)shim_take(bus, flags)
			 : PASS(REAL_MNL(mnl_socket_open2), NULL, bus, flags);
}

void
shim_drop(struct shim_link *link)
{
	int i;

	for (i = 0; i < LINKS_MAX; i++) {
		if (atomic_load(&slots[i].link) != link)
			continue;
		/* In this order: a slot without a link is free to be taken. */
		atomic_store(&slots[i].fd_plus_1, 0);
		atomic_store(&slots[i].link, NULL);
		atomic_fetch_sub(&link_count, 1);
	}
	shim_close(link);
}

REPLACES int
mnl_socket_close(struct mnl_socket *nl)
{
	struct shim_link *link = link_of_socket(nl);

	if (link == NULL)
		return PASS(REAL_MNL(mnl_socket_close), -1, nl);
	shim_drop(link);
	return 0;
}

REPLACES int
mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
	struct shim_link *link = link_of_socket(nl);

	/* A port id means nothing on a connection of one's own: replies find their way without. */
	return link != NULL ? shim_join(link, groups)
			    : PASS(REAL_MNL(mnl_socket_bind), -1, nl, groups, pid);
}

REPLACES int
mnl_socket_get_fd(const struct mnl_socket *nl)
{
	struct shim_link *link = link_of_socket(nl);

	return link != NULL ? link->fd : PASS(REAL_MNL(mnl_socket_get_fd), -1, nl);
}

REPLACES unsigned int
mnl_socket_get_portid(const struct mnl_socket *nl)
{
	/* 0, not bound: mnl_cb_run() then takes any. */
	return link_of_socket(nl) != NULL ? 0 : PASS(REAL_MNL(mnl_socket_get_portid), 0, nl);
}

/*
 * A system call that succeeds leaves errno as it was, and iptables-nft looks at it
 * after commits that did: what the link's own calls left there is put back.
 */
static ssize_t
quietly(ssize_t ret, int before)
{
	if (ret >= 0)
		errno = before;
	return ret;
}

REPLACES ssize_t
mnl_socket_sendto(const struct mnl_socket *nl, const void *req, size_t size)
{
	struct shim_link *link = link_of_socket(nl);
	struct iovec iov = {.iov_base = (void *)(uintptr_t)req, .iov_len = size};
	int before = errno;

	return link != NULL ? quietly(shim_request(link, &iov, 1), before)
			    : PASS(REAL_MNL(mnl_socket_sendto), -1, nl, req, size);
}

REPLACES ssize_t
mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t size)
{
	struct shim_link *link = link_of_socket(nl);
	int before = errno;

	return link != NULL ? quietly(shim_receive(link, buf, size), before)
			    : PASS(REAL_MNL(mnl_socket_recvfrom), -1, nl, buf, size);
}

/* Options that change nothing on a connection of one's own, or what the daemon does anyway. */
static bool
known_option(int type)
{
	switch (type) {
	case NETLINK_PKTINFO:
	case NETLINK_BROADCAST_ERROR:
	case NETLINK_NO_ENOBUFS:
	case NETLINK_CAP_ACK:
	case NETLINK_EXT_ACK:
	case NETLINK_GET_STRICT_CHK: return true;
	default: return false;
	}
}

REPLACES int
mnl_socket_setsockopt(const struct mnl_socket *nl, int type, void *buf, socklen_t len)
{
	struct shim_link *link = link_of_socket(nl);
	bool group = type == NETLINK_ADD_MEMBERSHIP || type == NETLINK_DROP_MEMBERSHIP;
	int value;

	if (link == NULL)
		return PASS(REAL_MNL(mnl_socket_setsockopt), -1, nl, type, buf, len);
	if (!group && !known_option(type)) {
		errno = ENOPROTOOPT;
		return -1;
	}
	if (buf == NULL || len < sizeof(value)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(&value, buf, sizeof(value));
	if (group)
		return shim_group(link,
			type == NETLINK_ADD_MEMBERSHIP ? NFT_FRAME_JOIN : NFT_FRAME_LEAVE,
			(unsigned int)value);
	if (value != 0)
		link->options |= 1U << type;
	else
		link->options &= ~(1U << type);
	return 0;
}

REPLACES int
mnl_socket_getsockopt(const struct mnl_socket *nl, int type, void *buf, socklen_t *len)
{
	struct shim_link *link = link_of_socket(nl);
	int value;

	if (link == NULL)
		return PASS(REAL_MNL(mnl_socket_getsockopt), -1, nl, type, buf, len);
	if (!known_option(type)) {
		errno = ENOPROTOOPT;
		return -1;
	}
	if (buf == NULL || len == NULL || *len < sizeof(value)) {
		errno = EINVAL;
		return -1;
	}
	value = (int)(link->options >> type & 1U);
	memcpy(buf, &value, sizeof(value));
	*len = sizeof(value);
	return 0;
}

REPLACES ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct shim_link *link = shim_of_fd(fd);
	int before = errno;
	ssize_t ret;

	if (link == NULL)
		return PASS(REAL_C(sendmsg), -1, fd, msg, flags);
	ret = shim_request(link, msg->msg_iov, msg->msg_iovlen);
	/* The kernel runs a batch before sendmsg() returns. */
	return quietly(ret < 0 || shim_finish(link) != 0 ? -1 : ret, before);
}

/* Of the set, those that are ours: with something to read, or (readable false) without. */
static int
pick(int nfds, const fd_set *set, bool readable, fd_set *out)
{
	int count = 0;
	int i;

	FD_ZERO(out);
	for (i = 0; i < LINKS_MAX; i++) {
		int fd = atomic_load(&slots[i].fd_plus_1) - 1;
		struct shim_link *link;

		if (fd < 0 || fd >= nfds || fd >= FD_SETSIZE || !FD_ISSET(fd, set))
			continue;
		link = atomic_load(&slots[i].link);
		if (link == NULL || shim_readable(link) != readable)
			continue;
		FD_SET(fd, out);
		count++;
	}
	return count;
}

/* Add or remove. @return by how many the set changed */
static int
merge(int nfds, fd_set *set, const fd_set *other, bool add)
{
	int count = 0;
	int fd;

	for (fd = 0; fd < nfds && fd < FD_SETSIZE; fd++) {
		if (!FD_ISSET(fd, other) || (FD_ISSET(fd, set) != 0) == add)
			continue;
		if (add)
			FD_SET(fd, set);
		else
			FD_CLR(fd, set);
		count++;
	}
	return count;
}

REPLACES int
select(int nfds, fd_set *r, fd_set *w, fd_set *e, struct timeval *timeout)
{
	__typeof__(&select) real = REAL_C(select);
	struct timeval zero = {0};
	fd_set in[3];
	fd_set mine;
	fd_set empty;
	int n;

	if (r == NULL || atomic_load(&link_count) == 0)
		return PASS(real, -1, nfds, r, w, e, timeout);
	in[0] = *r;
	if (w != NULL)
		in[1] = *w;
	if (e != NULL)
		in[2] = *e;
	for (;;) {
		bool queued = pick(nfds, &in[0], true, &mine) != 0;

		n = PASS(real, -1, nfds, r, w, e, queued ? &zero : timeout);
		if (n < 0)
			return n;
		/* Of ours that are readable, some are so by an END or half a frame. */
		pick(nfds, r, false, &empty);
		n -= merge(nfds, r, &empty, false);
		if (queued)
			n += merge(nfds, r, &mine, true);
		if (n != 0)
			return n;
		/* Linux leaves in timeout what is left of it. */
		if (timeout != NULL && timeout->tv_sec == 0 && timeout->tv_usec == 0)
			return 0;
		*r = in[0];
		if (w != NULL)
			*w = in[1];
		if (e != NULL)
			*e = in[2];
	}
}

/* Set or clear POLLIN of ours by what is queued. @return how many want POLLIN and can have it */
static int
adjust(struct pollfd *fds, nfds_t nfds)
{
	int readable = 0;
	nfds_t i;

	for (i = 0; i < nfds; i++) {
		struct shim_link *link = shim_of_fd(fds[i].fd);

		if (link == NULL || !(fds[i].events & POLLIN))
			continue;
		if (shim_readable(link)) {
			fds[i].revents |= POLLIN;
			readable++;
		} else {
			fds[i].revents &= ~POLLIN;
		}
	}
	return readable;
}

REPLACES int
poll(struct pollfd *fds, nfds_t nfds, int timeout)
{
	struct timespec left = {timeout / 1000, timeout % 1000 * 1000000L};
	nfds_t i;
	int n;

	if (atomic_load(&link_count) == 0)
		return PASS(REAL_C(poll), -1, fds, nfds, timeout);
	for (;;) {
		struct timespec zero = {0};
		struct timespec *wait = timeout >= 0 ? &left : NULL;

		/* The system call, not libc's: it leaves in its argument what is left. */
		n = (int)syscall(
			SYS_ppoll, fds, nfds, adjust(fds, nfds) != 0 ? &zero : wait, NULL, 0);
		if (n < 0)
			return n;
		adjust(fds, nfds);
		for (n = 0, i = 0; i < nfds; i++)
			n += fds[i].revents != 0;
		if (n != 0 || (timeout >= 0 && left.tv_sec == 0 && left.tv_nsec == 0))
			return n;
	}
}

/* What poll() is called in programs built with _FORTIFY_SOURCE. */
REPLACES int __poll_chk(struct pollfd *fds, nfds_t nfds, int timeout, size_t size);
REPLACES int
__poll_chk(struct pollfd *fds, nfds_t nfds, int timeout, size_t size)
{
	/* Too small, or none of ours: libc's, which ends the program if need be. */
	if (size / sizeof(*fds) < nfds || atomic_load(&link_count) == 0)
		return PASS(REAL_C(__poll_chk), -1, fds, nfds, timeout, size);
	return poll(fds, nfds, timeout);
}
