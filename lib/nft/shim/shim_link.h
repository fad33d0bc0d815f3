/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The inside of the shim: one connection to the daemon, which behaves as a
 * netlink socket does. All functions set errno as the system call that they stand
 * for; none returns an errno. libmnl and libc are not called by names that the
 * shim replaces (mnlshim.c).
 */
#ifndef SHUNT_NFT_SHIM_LINK_H
#define SHUNT_NFT_SHIM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "nft_frame.h"

/** Received and not yet asked for. */
struct shim_datagram {
	STAILQ_ENTRY(shim_datagram) link;
	size_t len;
	bool lost; /**< none: here some were lost */
	uint8_t data[];
};

STAILQ_HEAD(shim_queue, shim_datagram);

/** A socket of the daemon's. */
struct shim_link {
	int fd;
	uint8_t protocol;
	bool outstanding; /**< a request is sent whose END has not come */
	bool dead;	  /**< the daemon has gone, or speaks gibberish */
	bool overrun;	  /**< datagrams were lost: nobody read them */
	uint32_t options; /**< NETLINK_* socket options that are on, a bit each */
	size_t queued;	  /**< bytes in both queues */
	struct shim_queue replies;
	struct shim_queue events;
	struct nft_frame head;	  /**< of the frame that is coming in */
	size_t have;		  /**< bytes of it, header included */
	struct shim_datagram *in; /**< its payload */
	uint8_t *out;		  /**< a frame that goes out; made when needed */
};

/**
 * Connect to the daemon.
 * @param flags SOCK_CLOEXEC and SOCK_NONBLOCK, as for socket(2)
 * @return NULL with errno: ECONNREFUSED (no daemon, also if there is no such file),
 *         EACCES, ENAMETOOLONG, ENOMEM, EMFILE…
 */
struct shim_link *shim_open(const char *path, int protocol, int flags);

/** Close and free. */
void shim_close(struct shim_link *link);

/**
 * Send a request, whatever is outstanding being waited for first.
 * @return its length, or -1 with errno: EPIPE (the daemon has gone), EMSGSIZE (over
 *         NFT_REQUEST_MAX), ENODATA (empty), ENOMEM
 */
ssize_t shim_request(struct shim_link *link, const struct iovec *iov, size_t count);

/** Wait for the END of what is outstanding, queueing the rest. @return 0, or -1 with EPIPE */
int shim_finish(struct shim_link *link);

/**
 * The next datagram. Waits while a request is outstanding, even if the socket is
 * non-blocking, since the kernel answers within the send; once its END is reached
 * it is EAGAIN, the kernel's empty queue.
 * @return its length, or -1 with errno: EAGAIN, EPIPE, ENOSPC (it is longer than
 *         size, and lost), ENOBUFS (some were lost), EINTR
 */
ssize_t shim_receive(struct shim_link *link, void *buf, size_t size);

/** Whether shim_receive() has something to say now; reads what is there. */
bool shim_readable(struct shim_link *link);

/**
 * Join or leave a group of the netfilter sockets.
 * @param type NFT_FRAME_JOIN or NFT_FRAME_LEAVE
 * @return 0, or -1 with errno: EINVAL (no such group), EOPNOTSUPP (NETLINK_ROUTE: the daemon
 *         notifies of no links), EPIPE, ENOMEM
 */
int shim_group(struct shim_link *link, enum nft_frame_type type, unsigned int group);

/** Join groups as bind() does: bit 0 is group 1. @return as shim_group() */
int shim_join(struct shim_link *link, unsigned int groups);

#endif
