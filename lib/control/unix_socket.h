/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Unix stream sockets of the control plane: listening on a path, where a dead
 * daemon may have left its socket, and what a peer may do. Control thread.
 */
#ifndef SHUNT_CONTROL_UNIX_SOCKET_H
#define SHUNT_CONTROL_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

/** No such group. */
#define UNIX_NO_GROUP ((gid_t)-1)

/** Who may connect. Root and the daemon's own user always may, with all rights. */
struct unix_access {
	gid_t admin; /**< members may change things; UNIX_NO_GROUP for none */
	gid_t view;  /**< members may look; UNIX_NO_GROUP for none */
};

/** What a peer may do, in ascending order. */
enum unix_right {
	UNIX_RIGHT_NONE,
	UNIX_RIGHT_VIEW,
	UNIX_RIGHT_ADMIN,
};

/** A listening socket, with what it takes to remove its file and no other's. */
struct unix_listener {
	int fd; /**< non-blocking, close-on-exec */
	dev_t dev;
	ino_t ino;
	char path[108]; /**< sun_path's size */
};

/**
 * Listen on a path. A socket there that nobody serves (connect(2) is refused)
 * is replaced. The file's mode follows from access: 0600 without groups, 0660
 * and the group with one, 0666 with two (a file has one group; the peer's
 * credentials are what decides).
 * @return 0; -EADDRINUSE: another process serves it; -EEXIST: there is something
 *         that is no socket; -ENAMETOOLONG: 107 bytes at most; -EPERM: the group
 *         cannot be given to the file; or what socket, bind or listen gave
 */
int unix_listen(struct unix_listener *listener, const char *path, const struct unix_access *access);

/** Stop listening and remove the file, if it is still this socket's. */
void unix_unlisten(struct unix_listener *listener);

/**
 * Connect to a path, blocking.
 * @param path  of a socket, 107 bytes at most
 * @return the descriptor (close-on-exec), or a negative errno: -ENOENT, -ECONNREFUSED
 *         (nobody serves it), -EACCES, -ENAMETOOLONG…
 */
int unix_connect(const char *path);

/**
 * The rights of a connected peer, from its credentials when it connected
 * (SO_PEERCRED, SO_PEERGROUPS; see unix(7)).
 * @return a right; UNIX_RIGHT_NONE also if the kernel doesn't tell
 */
enum unix_right unix_peer_right(int fd, const struct unix_access *access);

/** The id of a group. @return 0, or -ENOENT if there is none of this name */
int unix_group(const char *name, gid_t *gid);

#endif
