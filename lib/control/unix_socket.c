/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unix_socket.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* asm-generic/socket.h; Linux 4.13 */
#endif

/* NGROUPS_MAX is 65,536: a user in more groups than this is judged by the primary one alone. */
#define PEER_GROUPS 1024

#define BACKLOG 32

static int
address(struct sockaddr_un *sun, const char *path)
{
	size_t len = strlen(path);

	*sun = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (len == 0)
		return -EINVAL;
	if (len >= sizeof(sun->sun_path))
		return -ENAMETOOLONG;
	memcpy(sun->sun_path, path, len);
	return 0;
}

/* Remove what a dead daemon left. 0 if the path is free now. */
static int
remove_stale(const struct sockaddr_un *sun)
{
	struct stat st;
	int err;
	int fd;

	if (lstat(sun->sun_path, &st) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	/* Non-blocking: a live daemon whose backlog is full says EAGAIN. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	err = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ? 0 : errno;
	close(fd);
	if (err != ECONNREFUSED)
		return err == 0 || err == EAGAIN || err == EPROTOTYPE ? -EADDRINUSE : -err;
	return unlink(sun->sun_path) == 0 || errno == ENOENT ? 0 : -errno;
}

/* Mode and group of the file. Before listen(), so nobody has connected yet. */
static int
protect(const char *path, const struct unix_access *access)
{
	bool admin = access->admin != UNIX_NO_GROUP;
	bool view = access->view != UNIX_NO_GROUP;
	mode_t mode = 0600;

	if (admin && view && access->admin != access->view) {
		mode = 0666;
	} else if (admin || view) {
		mode = 0660;
		if (chown(path, (uid_t)-1, admin ? access->admin : access->view) != 0)
			return -errno;
	}
	return chmod(path, mode) == 0 ? 0 : -errno;
}

int
unix_listen(struct unix_listener *listener, const char *path, const struct unix_access *access)
{
	struct sockaddr_un sun;
	struct stat st;
	int err;

	*listener = (struct unix_listener){.fd = -1};
	err = address(&sun, path);
	if (err == 0)
		err = remove_stale(&sun);
	if (err != 0)
		return err;
	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0)
		return -errno;
	if (bind(listener->fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		err = -errno;
		close(listener->fd);
		listener->fd = -1;
		return err;
	}
	memcpy(listener->path, sun.sun_path, sizeof(listener->path));
	if (lstat(path, &st) != 0) {
		err = -errno;
		goto fail;
	}
	listener->dev = st.st_dev;
	listener->ino = st.st_ino;
	err = protect(path, access);
	if (err != 0)
		goto fail;
	if (listen(listener->fd, BACKLOG) == 0)
		return 0;
	err = -errno;
fail:
	unix_unlisten(listener);
	return err;
}

void
unix_unlisten(struct unix_listener *listener)
{
	struct stat st;

	if (listener->fd < 0)
		return;
	if (lstat(listener->path, &st) == 0 && st.st_dev == listener->dev &&
		st.st_ino == listener->ino)
		unlink(listener->path);
	close(listener->fd);
	listener->fd = -1;
}

int
unix_connect(const char *path)
{
	struct sockaddr_un sun;
	int err = address(&sun, path);
	int fd;

	if (err != 0)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	while (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		if (errno == EINTR)
			continue;
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static enum unix_right
group_right(gid_t gid, const struct unix_access *access)
{
	if (gid == UNIX_NO_GROUP)
		return UNIX_RIGHT_NONE;
	if (gid == access->admin)
		return UNIX_RIGHT_ADMIN;
	return gid == access->view ? UNIX_RIGHT_VIEW : UNIX_RIGHT_NONE;
}

enum unix_right
unix_peer_right(int fd, const struct unix_access *access)
{
	gid_t groups[PEER_GROUPS];
	socklen_t len = sizeof(struct ucred);
	struct ucred peer;
	enum unix_right right;
	size_t i;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return UNIX_RIGHT_NONE;
	if (peer.uid == 0 || peer.uid == geteuid())
		return UNIX_RIGHT_ADMIN;
	right = group_right(peer.gid, access);
	len = sizeof(groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
		return right;
	for (i = 0; i < len / sizeof(groups[0]); i++) {
		enum unix_right more = group_right(groups[i], access);

		if (more > right)
			right = more;
	}
	return right;
}

int
unix_group(const char *name, gid_t *gid)
{
	struct group entry;
	struct group *found = NULL;
	size_t size = 1024;
	char *buf = NULL;
	int err = ERANGE;

	/* A group of many members needs a large buffer. */
	while (err == ERANGE && size <= 1 << 20) {
		char *larger = realloc(buf, size);

		if (larger == NULL)
			break;
		buf = larger;
		err = getgrnam_r(name, &entry, buf, size, &found);
		size *= 4;
	}
	if (found != NULL)
		*gid = entry.gr_gid;
	free(buf);
	return found != NULL ? 0 : -ENOENT;
}
