/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rules.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"
#include "rules_live.h"
#include "ruleset.h"

struct rules {
	struct daemon daemon;
	struct config config;
	struct config_port ports[PATH_PORTS];
	pthread_t thread;
	bool running;
	char folder[32];
	char socket[64];
	char preload[512], env_socket[128];
};

static void
die(const char *what)
{
	fprintf(stderr, "rules: %s\n", what);
	exit(1);
}

static void *
control(void *arg)
{
	(void)loop_run(arg);
	return NULL;
}

struct rules *
rules_new(struct path *path, unsigned int workers, const char *const *names, const char *shim)
{
	struct rules *r = calloc(1, sizeof(*r));
	char err[DAEMON_ERR_LEN] = "";

	if (r == NULL)
		die("no memory");
	snprintf(r->folder, sizeof(r->folder), "/tmp/shunt-rules-XXXXXX");
	if (mkdtemp(r->folder) == NULL)
		die("no folder");
	snprintf(r->socket, sizeof(r->socket), "%s/nft.sock", r->folder);
	snprintf(r->preload, sizeof(r->preload), "LD_PRELOAD=%s", shim);
	snprintf(r->env_socket, sizeof(r->env_socket), "SHUNT_NFT_SOCKET=%s", r->socket);
	for (; names[r->config.port_count] != NULL; r->config.port_count++)
		r->ports[r->config.port_count].name =
			(char *)(uintptr_t)names[r->config.port_count];
	r->config.ports = r->ports;
	r->config.runtime.worker_count = workers;
	r->config.control.nft = r->socket;
	r->config.control.admin_group = r->config.control.view_group = (gid_t)-1;
	r->config.ruleset = "/nonexistent/ruleset.nft";
	r->daemon = (struct daemon){.config = &r->config, .path = path, .walking = true};
	if (loop_create(&r->daemon.loop) != 0 || ruleset_init(&r->daemon, err) != 0 ||
		pthread_create(&r->thread, NULL, control, r->daemon.loop) != 0)
		die(err);
	r->running = true;
	return r;
}

static void
take_output(const struct rules *r, char *out, size_t size)
{
	char path[64];
	size_t n = 0;
	FILE *f;

	if (out == NULL)
		return;
	snprintf(path, sizeof(path), "%s/out", r->folder);
	f = fopen(path, "r");
	if (f != NULL) {
		n = fread(out, 1, size - 1, f);
		fclose(f);
	}
	out[n] = '\0';
}

int
rules_nft(struct rules *r, void (*meanwhile)(void *arg), void *arg, const char *a, const char *b,
	const char *c, char *out, size_t out_size)
{
	char *argv[] = {
		"nft", (char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)c, NULL};
	char *envp[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", r->preload, r->env_socket, NULL};
	posix_spawn_file_actions_t files;
	char path[64];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/out", r->folder);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 1, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&files, 1, 2);
	if (posix_spawnp(&pid, "nft", &files, NULL, argv, envp) != 0)
		die("nft does not start");
	posix_spawn_file_actions_destroy(&files);
	while (waitpid(pid, &status, WNOHANG) == 0)
		meanwhile(arg);
	take_output(r, out, out_size);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int
rules_load(struct rules *r, void (*meanwhile)(void *arg), void *arg, const char *text, char *out,
	size_t out_size)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/rules.nft", r->folder);
	f = fopen(path, "w");
	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		die("the rules cannot be written");
	return rules_nft(r, meanwhile, arg, "-f", path, NULL, out, out_size);
}

const struct nft_base *
rules_forward(const struct rules *r)
{
	const struct hook_list *list = &r->daemon.ruleset->current->hooks.lists[0][HOOK_FORWARD];

	for (unsigned int i = 0; i < list->count; i++)
		if (list->entries[i].kind == HOOK_CHAIN)
			return list->entries[i].chain;
	die("no chain of hook forward");
	return NULL;
}

void
rules_stand(struct rules *r)
{
	if (!r->running)
		return;
	loop_stop(r->daemon.loop);
	pthread_join(r->thread, NULL);
	r->running = false;
}

void
rules_free(struct rules *r)
{
	char path[64];

	rules_stand(r);
	r->daemon.walking = false;
	ruleset_fini(&r->daemon);
	loop_destroy(r->daemon.loop);
	snprintf(path, sizeof(path), "%s/out", r->folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/rules.nft", r->folder);
	unlink(path);
	rmdir(r->folder);
	free(r);
}
