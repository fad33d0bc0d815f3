/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ruleset file, loaded by libnftables in a process of its own, through the
 * nft socket: the same way that operators' changes take later.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nftables/libnftables.h>

#include "ruleset.h"
#include "shim.h"

/* Bytes of what nft says that are kept. */
struct said {
	struct loop *loop;
	int fd;
	size_t len;
	char *text;
	bool over;
};

int
ruleset_load_main(const char *socket, const char *file)
{
	struct nft_ctx *nft;
	int rc;

	shim_set_socket(socket);
	nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (nft == NULL)
		return 1;
	nft_ctx_set_error(nft, stderr);
	rc = nft_run_cmd_from_filename(nft, file);
	nft_ctx_free(nft);
	return rc == 0 ? 0 : 1;
}

static void
hear(void *arg, uint32_t events)
{
	struct said *said = arg;
	char rest[512];
	ssize_t n;

	(void)events;
	while ((n = read(said->fd, rest, sizeof(rest))) > 0) {
		size_t room = DAEMON_ERR_LEN - 1 - said->len;
		size_t take = (size_t)n < room ? (size_t)n : room;

		memcpy(said->text + said->len, rest, take);
		said->len += take;
		said->text[said->len] = '\0';
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		said->over = true;
}

/* The loader as a child, its standard error in a pipe. */
static int
start(const char *socket, const char *file, int *fd, pid_t *pid)
{
	char *argv[] = {"shuntd", "--load-ruleset", (char *)(uintptr_t)socket,
		(char *)(uintptr_t)file, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int pipes[2], rc;

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawn_file_actions_adddup2(&actions, pipes[1], STDERR_FILENO);
	/* The daemon's blocked signals are its own. */
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	rc = posix_spawn(pid, "/proc/self/exe", &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	close(pipes[1]);
	if (rc != 0) {
		close(pipes[0]);
		return -rc;
	}
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	*fd = pipes[0];
	return 0;
}

int
ruleset_file(struct loop *loop, const char *socket, const char *file, char err[DAEMON_ERR_LEN])
{
	struct said said = {.loop = loop, .text = err};
	struct loop_fd *watch;
	int rc, status = 0;
	pid_t pid;

	err[0] = '\0';
	rc = start(socket, file, &said.fd, &pid);
	if (rc == 0) {
		rc = loop_add(loop, said.fd, EPOLLIN, hear, &said, &watch);
		while (rc == 0 && !said.over)
			if (loop_once(loop, 100) < 0)
				break;
		if (rc == 0)
			loop_remove(watch);
		close(said.fd);
		waitpid(pid, &status, 0);
	}
	if (rc != 0) {
		snprintf(err, DAEMON_ERR_LEN, "%.300s: %s", file, strerror(-rc));
		return rc;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (said.len == 0)
		snprintf(err, DAEMON_ERR_LEN, "%.300s: the ruleset did not load", file);
	return -EINVAL;
}
