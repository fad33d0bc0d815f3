/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control_tests.h"

static const struct unix_access nobody_else = {UNIX_NO_GROUP, UNIX_NO_GROUP};

static void
test_stale(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct unix_listener a;
	struct unix_listener b;
	char dir[] = "/tmp/shunt-test-XXXXXX";
	struct stat st;
	int dead;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/s", dir);
	dead = socket(AF_UNIX, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL(bind(dead, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(dead);
	CU_ASSERT_EQUAL(unix_connect(sun.sun_path), -ECONNREFUSED);
	CU_ASSERT_EQUAL(unix_listen(&a, sun.sun_path, &nobody_else), 0);
	CU_ASSERT_EQUAL(stat(sun.sun_path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0600);
	/* A live one is left alone. */
	CU_ASSERT_EQUAL(unix_listen(&b, sun.sun_path, &nobody_else), -EADDRINUSE);
	CU_ASSERT_EQUAL(access(sun.sun_path, F_OK), 0);
	/* And another's file is not removed when this one ends. */
	CU_ASSERT_EQUAL(unlink(sun.sun_path), 0);
	CU_ASSERT_EQUAL(unix_listen(&b, sun.sun_path, &nobody_else), 0);
	unix_unlisten(&a);
	CU_ASSERT_EQUAL(access(sun.sun_path, F_OK), 0);
	unix_unlisten(&b);
	CU_ASSERT_EQUAL(access(sun.sun_path, F_OK), -1);
	CU_ASSERT_EQUAL(unix_connect(sun.sun_path), -ENOENT);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static void
test_refused_paths(void)
{
	struct unix_listener listener;
	char dir[] = "/tmp/shunt-test-XXXXXX";
	char path[64];
	char longer[200];
	int fd;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	CU_ASSERT(fd >= 0);
	close(fd);
	CU_ASSERT_EQUAL(unix_listen(&listener, path, &nobody_else), -EEXIST);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	CU_ASSERT_EQUAL(unlink(path), 0);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	CU_ASSERT_EQUAL(unix_listen(&listener, longer, &nobody_else), -ENAMETOOLONG);
	CU_ASSERT_EQUAL(unix_connect(longer), -ENAMETOOLONG);
	CU_ASSERT_EQUAL(unix_listen(&listener, "", &nobody_else), -EINVAL);
	snprintf(path, sizeof(path), "%s/no/such/folder", dir);
	CU_ASSERT_EQUAL(unix_listen(&listener, path, &nobody_else), -ENOENT);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static void
test_group(void)
{
	gid_t gid = 12345;

	CU_ASSERT_EQUAL(unix_group("root", &gid), 0);
	CU_ASSERT_EQUAL(gid, 0);
	CU_ASSERT_EQUAL(unix_group("no such group here", &gid), -ENOENT);
}

/* As which user and groups to ask, and what the answer must be. */
struct role {
	const char *name;
	gid_t gid;
	gid_t more; /* a supplementary group */
	int view;   /* code of a view method */
	int admin;  /* code of an admin method */
};

#define ADMIN_GID 64001
#define VIEW_GID  64002
#define OTHER_GID 64003

static const struct role roles[] = {
	{"admin by primary group", ADMIN_GID, OTHER_GID, 0, 0},
	{"admin by supplementary group", OTHER_GID, ADMIN_GID, 0, 0},
	{"both groups: admin", VIEW_GID, ADMIN_GID, 0, 0},
	{"view", VIEW_GID, OTHER_GID, 0, RPC_DENIED},
	{"neither", OTHER_GID, OTHER_GID, RPC_DENIED, RPC_DENIED},
};

static void
call_nothing(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)ctx;
	(void)params;
	rpc_result(reply, json_true());
}

static const struct rpc_method role_methods[] = {
	{"look", UNIX_RIGHT_VIEW, call_nothing, NULL, ""},
	{"change", UNIX_RIGHT_ADMIN, call_nothing, NULL, ""},
};

/* Connect as somebody else, and give the socket back: its credentials stay. */
static int
connect_as(const struct role *role, const char *path)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	char byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int pair[2];
	int fd = -1;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		if (setgroups(1, &role->more) != 0 || setgid(role->gid) != 0 || setuid(65534) != 0)
			_exit(1);
		fd = unix_connect(path);
		if (fd < 0)
			_exit(2);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
		_exit(sendmsg(pair[1], &msg, 0) == 1 ? 0 : 3);
	}
	close(pair[1]);
	if (recvmsg(pair[0], &msg, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&msg) != NULL)
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	close(pair[0]);
	waitpid(pid, NULL, 0);
	return fd;
}

static void
test_rights(void)
{
	const struct unix_access access = {ADMIN_GID, VIEW_GID};
	struct bench bench;
	struct stat st;
	size_t i;

	if (geteuid() != 0) {
		printf(" (skipped: needs root to become others) ");
		return;
	}
	bench_open(&bench);
	rpc_server_destroy(bench.server);
	CU_ASSERT_EQUAL(chmod(bench.dir, 0755), 0);
	CU_ASSERT_EQUAL_FATAL(rpc_server_create(bench.loop, bench.path, &access, &bench.server), 0);
	CU_ASSERT_EQUAL(rpc_server_add(bench.server, role_methods, 2, NULL), 0);
	CU_ASSERT_EQUAL(stat(bench.path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0666);
	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		struct raw raw = {.fd = connect_as(&roles[i], bench.path)};

		CU_ASSERT_FATAL(raw.fd >= 0);
		if (roles[i].view == RPC_DENIED) {
			CU_ASSERT_EQUAL(raw_code(raw_hear(&bench, &raw)), RPC_DENIED);
			CU_ASSERT_PTR_NULL(raw_hear(&bench, &raw));
			raw_close(&raw);
			continue;
		}
		CU_ASSERT_EQUAL(raw_code(raw_ask(&bench, &raw,
					"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"look\"}")),
			roles[i].view);
		CU_ASSERT_EQUAL(raw_code(raw_ask(&bench, &raw,
					"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"change\"}")),
			roles[i].admin);
		raw_close(&raw);
	}
	bench_settle(&bench);
	bench_close(&bench);
}

/* Those who may only look cannot keep an administrator out. */
static void
test_reserved(void)
{
	const struct unix_access access = {ADMIN_GID, VIEW_GID};
	const struct role *viewer = &roles[3];
	int fds[RPC_CLIENTS_MAX];
	struct raw admin;
	struct bench bench;
	int i;

	if (geteuid() != 0) {
		printf(" (skipped: needs root to become others) ");
		return;
	}
	bench_open(&bench);
	rpc_server_destroy(bench.server);
	CU_ASSERT_EQUAL(chmod(bench.dir, 0755), 0);
	CU_ASSERT_EQUAL_FATAL(rpc_server_create(bench.loop, bench.path, &access, &bench.server), 0);
	for (i = 0; i < RPC_CLIENTS_MAX; i++) {
		fds[i] = connect_as(viewer, bench.path);
		bench_settle(&bench);
	}
	CU_ASSERT_EQUAL(rpc_server_clients(bench.server), RPC_CLIENTS_MAX - RPC_CLIENTS_ADMIN);
	raw_open(&bench, &admin);
	CU_ASSERT_EQUAL(raw_code(raw_ask(&bench, &admin,
				"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.methods\"}")),
		0);
	raw_close(&admin);
	for (i = 0; i < RPC_CLIENTS_MAX; i++)
		close(fds[i]);
	bench_settle(&bench);
	bench_close(&bench);
}

/* The mode and group of the file with one group. */
static void
test_mode(void)
{
	const struct unix_access access = {ADMIN_GID, ADMIN_GID};
	struct unix_listener listener;
	char dir[] = "/tmp/shunt-test-XXXXXX";
	char path[64];
	struct stat st;

	if (geteuid() != 0)
		return;
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	CU_ASSERT_EQUAL(unix_listen(&listener, path, &access), 0);
	CU_ASSERT_EQUAL(stat(path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 07777, 0660);
	CU_ASSERT_EQUAL(st.st_gid, ADMIN_GID);
	unix_unlisten(&listener);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

CU_TestInfo socket_tests[] = {
	{"a dead daemon's socket is replaced, a live one's is not", test_stale},
	{"paths that are refused", test_refused_paths},
	{"groups by name", test_group},
	{"rights by peer credentials and groups", test_rights},
	{"places kept for administrators", test_reserved},
	{"mode and group of the socket file", test_mode},
	CU_TEST_INFO_NULL,
};
