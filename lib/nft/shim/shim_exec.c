/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that a preloaded program starts keep the shim, also if their environment
 * is made anew: firewalld runs iptables with nothing but a language, and its rules
 * would silently be the kernel's. Not in a program that links the shim.
 */
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nft_frame.h"

#define REPLACES __attribute__((visibility("default")))

/* A longer environment is somebody's own; it goes as it is. */
#define ENV_MAX 4096

#define PRELOAD "LD_PRELOAD="
#define SOCKET	"SHUNT_NFT_SOCKET="

/*
 * Found when the library is loaded: between vfork() and execve() nothing may be
 * allocated or locked.
 */
static char preload[sizeof(PRELOAD) + PATH_MAX];
static char socket_at[sizeof(SOCKET) + PATH_MAX];
static int (*real_execve)(const char *path, char *const argv[], char *const envp[]);

__attribute__((constructor)) static void
find_own_place(void)
{
	const char *at = secure_getenv("SHUNT_NFT_SOCKET");
	char path[PATH_MAX];
	Dl_info self;

	*(void **)(&real_execve) = dlsym(RTLD_NEXT, "execve");
	if (dladdr(preload, &self) == 0 || realpath(self.dli_fname, path) == NULL)
		return;
	memcpy(preload, PRELOAD, sizeof(PRELOAD) - 1);
	memcpy(preload + sizeof(PRELOAD) - 1, path, strlen(path) + 1);
	if (at == NULL || strlen(at) >= PATH_MAX)
		at = NFT_SOCKET_DEFAULT;
	memcpy(socket_at, SOCKET, sizeof(SOCKET) - 1);
	memcpy(socket_at + sizeof(SOCKET) - 1, at, strlen(at) + 1);
}

static int
has(char *const envp[], const char *name, size_t len)
{
	for (; *envp != NULL; envp++)
		if (strncmp(*envp, name, len) == 0)
			return 1;
	return 0;
}

REPLACES int
execve(const char *path, char *const argv[], char *const envp[])
{
	size_t count = 0;

	if (real_execve == NULL) {
		errno = ENOSYS;
		return -1;
	}
	while (envp != NULL && envp[count] != NULL && count <= ENV_MAX)
		count++;
	/* Whoever says what is to be preloaded, is taken at his word. */
	if (preload[0] == '\0' || envp == NULL || count > ENV_MAX ||
		has(envp, PRELOAD, sizeof(PRELOAD) - 1))
		return real_execve(path, argv, envp);
	{
		char *env[count + 3];

		memcpy(env, envp, count * sizeof(env[0]));
		env[count++] = preload;
		if (!has(envp, SOCKET, sizeof(SOCKET) - 1))
			env[count++] = socket_at;
		env[count] = NULL;
		return real_execve(path, argv, env);
	}
}
