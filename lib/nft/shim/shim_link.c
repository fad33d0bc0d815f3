/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shim_link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * What a program may leave unread, as a netlink socket has a receive buffer:
 * beyond it datagrams are lost and the next receive says ENOBUFS.
 */
#define QUEUE_MAX ((size_t)256 * 1024 * 1024)

/* Wait without a bound; poll() itself is one of the replaced. @return 0, or -1 with errno */
static int
wait_for(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	return syscall(SYS_ppoll, &p, 1, NULL, NULL, 0) < 0 ? -1 : 0;
}

struct shim_link *
shim_open(const char *path, int protocol, int flags)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	struct shim_link *link;
	int fd;
	int err;

	if (len == 0 || len >= sizeof(sun.sun_path)) {
		errno = len == 0 ? EINVAL : ENAMETOOLONG;
		return NULL;
	}
	memcpy(sun.sun_path, path, len);
	fd = socket(AF_UNIX, SOCK_STREAM | (flags & SOCK_CLOEXEC), 0);
	if (fd < 0)
		return NULL;
	while ((err = connect(fd, (struct sockaddr *)&sun, sizeof(sun))) != 0 && errno == EINTR)
		;
	if (err == 0 && flags & SOCK_NONBLOCK)
		err = fcntl(fd, F_SETFL, O_NONBLOCK);
	link = err == 0 ? calloc(1, sizeof(*link)) : NULL;
	if (link == NULL) {
		/* To nft's user a file that is not there says less than "refused". */
		err = errno == ENOENT ? ECONNREFUSED : errno;
		close(fd);
		errno = err;
		return NULL;
	}
	link->fd = fd;
	link->protocol = (uint8_t)protocol;
	STAILQ_INIT(&link->replies);
	STAILQ_INIT(&link->events);
	return link;
}

static void
free_queue(struct shim_queue *queue)
{
	struct shim_datagram *d;

	while ((d = STAILQ_FIRST(queue)) != NULL) {
		STAILQ_REMOVE_HEAD(queue, link);
		free(d);
	}
}

void
shim_close(struct shim_link *link)
{
	close(link->fd);
	free_queue(&link->replies);
	free_queue(&link->events);
	free(link->in);
	free(link->out);
	free(link);
}

/* A whole header is there. @return false: not the daemon's language, or no memory */
static bool
begin_frame(struct shim_link *link)
{
	const struct nft_frame *head = &link->head;

	switch (head->type) {
	case NFT_FRAME_END: return head->len == 0;
	case NFT_FRAME_LOST:
		if (head->len != 0)
			return false;
		break;
	case NFT_FRAME_REP:
	case NFT_FRAME_EVENT: break;
	default: return false;
	}
	if (head->len > NFT_DATAGRAM_MAX)
		return false;
	link->in = malloc(sizeof(*link->in) + head->len);
	if (link->in == NULL)
		return false;
	link->in->len = head->len;
	return true;
}

static void
end_frame(struct shim_link *link)
{
	struct shim_datagram *d = link->in;

	link->in = NULL;
	link->have = 0;
	if (link->head.type == NFT_FRAME_END) {
		link->outstanding = false;
		return;
	}
	if (link->queued + d->len > QUEUE_MAX) {
		link->overrun = true;
		free(d);
		return;
	}
	link->queued += d->len;
	d->lost = link->head.type == NFT_FRAME_LOST;
	if (link->head.type == NFT_FRAME_REP)
		STAILQ_INSERT_TAIL(&link->replies, d, link);
	else
		STAILQ_INSERT_TAIL(&link->events, d, link);
}

/*
 * Read what is there of one frame, and not a byte of the next: a program that
 * waits by other means than the replaced ones must find the socket readable.
 * @return 1: a frame has been taken, 0: more must come, -1: dead
 */
static int
pump(struct shim_link *link)
{
	const size_t head = sizeof(link->head);

	while (!link->dead) {
		uint8_t *to;
		size_t want;
		ssize_t n;

		if (link->have < head) {
			to = (uint8_t *)&link->head + link->have;
			want = head - link->have;
		} else {
			want = head + link->head.len - link->have;
			if (want == 0) {
				end_frame(link);
				return 1;
			}
			to = link->in->data + (link->have - head);
		}
		n = recv(link->fd, to, want, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			break;
		link->have += (size_t)n;
		if (link->have == head && !begin_frame(link))
			break;
	}
	link->dead = true;
	return -1;
}

/* Send all, and take what comes in meanwhile so that the daemon cannot be stuck with it. */
static int
send_all(struct shim_link *link, const uint8_t *data, size_t len)
{
	while (len != 0 && !link->dead) {
		ssize_t n = send(link->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			if (wait_for(link->fd, POLLIN | POLLOUT) == 0)
				pump(link);
		} else if (errno != EINTR) {
			link->dead = true;
		}
	}
	if (len == 0)
		return 0;
	errno = EPIPE;
	return -1;
}

/* A frame's buffer, its payload behind the header. */
static uint8_t *
out_payload(struct shim_link *link)
{
	if (link->out == NULL)
		link->out = malloc(sizeof(struct nft_frame) + NFT_FRAGMENT_MAX);
	return link->out == NULL ? NULL : link->out + sizeof(struct nft_frame);
}

static int
send_frame(struct shim_link *link, enum nft_frame_type type, uint16_t flags, size_t len)
{
	struct nft_frame head = {
		.len = (uint32_t)len,
		.type = (uint8_t)type,
		.protocol = link->protocol,
		.flags = flags,
	};

	memcpy(link->out, &head, sizeof(head));
	return send_all(link, link->out, sizeof(head) + len);
}

int
shim_finish(struct shim_link *link)
{
	while (link->outstanding && !link->dead) {
		/* A signal doesn't call the kernel's batch off either. */
		if (pump(link) == 0)
			wait_for(link->fd, POLLIN);
	}
	if (!link->outstanding)
		return 0;
	errno = EPIPE;
	return -1;
}

/* The length of it all, or 0 with errno. */
static size_t
request_len(const struct iovec *iov, size_t count)
{
	size_t len = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		if (iov[i].iov_len > NFT_REQUEST_MAX - len) {
			errno = EMSGSIZE;
			return 0;
		}
		len += iov[i].iov_len;
	}
	if (len == 0)
		errno = ENODATA;
	return len;
}

ssize_t
shim_request(struct shim_link *link, const struct iovec *iov, size_t count)
{
	size_t len = request_len(iov, count);
	size_t left = len;
	size_t skip = 0;
	uint8_t *payload;

	if (len == 0 || shim_finish(link) != 0)
		return -1;
	payload = out_payload(link);
	if (payload == NULL)
		return -1;
	link->outstanding = true;
	while (left != 0) {
		size_t n = 0;

		while (n < NFT_FRAGMENT_MAX && n < left) {
			size_t part = iov->iov_len - skip;

			if (part > NFT_FRAGMENT_MAX - n)
				part = NFT_FRAGMENT_MAX - n;
			/* An empty one may point nowhere. */
			if (part != 0)
				memcpy(payload + n, (const uint8_t *)iov->iov_base + skip, part);
			n += part;
			skip += part;
			if (skip == iov->iov_len) {
				iov++;
				skip = 0;
			}
		}
		left -= n;
		if (send_frame(link, NFT_FRAME_REQ, left != 0 ? NFT_FRAME_MORE : 0, n) != 0)
			return -1;
	}
	return (ssize_t)len;
}

/* Take the first of a queue. @return whether there was one; *ret is for the caller then */
static bool
take(struct shim_link *link, struct shim_queue *queue, void *buf, size_t size, ssize_t *ret)
{
	struct shim_datagram *d = STAILQ_FIRST(queue);

	if (d == NULL)
		return false;
	STAILQ_REMOVE_HEAD(queue, link);
	link->queued -= d->len;
	if (d->lost) {
		errno = ENOBUFS;
		*ret = -1;
	} else if (d->len <= size) {
		memcpy(buf, d->data, d->len);
		*ret = (ssize_t)d->len;
	} else {
		/* libmnl's word for MSG_TRUNC. */
		errno = ENOSPC;
		*ret = -1;
	}
	free(d);
	return true;
}

static bool
nonblocking(const struct shim_link *link)
{
	int flags = fcntl(link->fd, F_GETFL);

	return flags >= 0 && flags & O_NONBLOCK;
}

ssize_t
shim_receive(struct shim_link *link, void *buf, size_t size)
{
	bool asked = link->outstanding;
	ssize_t ret = -1;

	for (;;) {
		if (link->overrun) {
			link->overrun = false;
			errno = ENOBUFS;
			return -1;
		}
		if (take(link, &link->replies, buf, size, &ret))
			return ret;
		if (asked && !link->outstanding) {
			errno = EAGAIN;
			return -1;
		}
		if (!link->outstanding && take(link, &link->events, buf, size, &ret))
			return ret;
		if (link->dead) {
			errno = EPIPE;
			return -1;
		}
		if (pump(link) != 0)
			continue;
		/* The rest of a frame that has begun is on its way. */
		if (!link->outstanding && link->have == 0 && nonblocking(link)) {
			errno = EAGAIN;
			return -1;
		}
		if (wait_for(link->fd, POLLIN) != 0 && errno == EINTR && !link->outstanding)
			return -1;
	}
}

bool
shim_readable(struct shim_link *link)
{
	int before = errno;
	bool readable;

	for (;;) {
		readable = link->overrun || link->dead || !STAILQ_EMPTY(&link->replies) ||
			   (!link->outstanding && !STAILQ_EMPTY(&link->events));
		/* An END is nothing to read: nft's monitor gives up on an EAGAIN. */
		if (readable || pump(link) == 0)
			break;
	}
	errno = before;
	return readable;
}

int
shim_group(struct shim_link *link, enum nft_frame_type type, unsigned int group)
{
	uint32_t value = group;
	uint8_t *payload;

	if (link->protocol != NETLINK_NETFILTER) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (group == 0 || group > NFNLGRP_MAX) {
		errno = EINVAL;
		return -1;
	}
	payload = out_payload(link);
	if (payload == NULL)
		return -1;
	memcpy(payload, &value, sizeof(value));
	return send_frame(link, type, 0, sizeof(value));
}

int
shim_join(struct shim_link *link, unsigned int groups)
{
	for (unsigned int i = 0; i < 32; i++) {
		if (groups & 1U << i && shim_group(link, NFT_FRAME_JOIN, i + 1) != 0)
			return -1;
	}
	return 0;
}
