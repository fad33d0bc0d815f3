/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `shuntctl exec`, `shuntctl conntrack`: programs on libmnl or libnfnetlink that
 * talk to the daemon in place of the kernel, by the library to preload.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shuntctl.h"

#define SHIM "libshunt-nft.so"

/* The library: where it is said to be, in the tree that this program was built in, or installed. */
static bool
find_shim(char path[PATH_MAX])
{
	const char *said = getenv("SHUNT_NFT_LIBRARY");
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (said != NULL && *said != '\0') {
		snprintf(path, PATH_MAX, "%s", said);
		return access(path, R_OK) == 0;
	}
	if (n > 0) {
		self[n] = '\0';
		n = snprintf(path, PATH_MAX, "%s/../../lib/nft/shim/" SHIM, dirname(self));
		if (n < PATH_MAX && access(path, R_OK) == 0)
			return true;
	}
	snprintf(path, PATH_MAX, "%s", SHUNT_LIBDIR "/" SHIM);
	return access(path, R_OK) == 0;
}

/* Into the environment: the library in front of those that are preloaded anyway. */
static bool
preload(const char *shim, const char *socket)
{
	const char *before = getenv("LD_PRELOAD");
	char *list;
	bool ok;

	if (asprintf(&list, "%s%s%s", shim, before != NULL && *before != '\0' ? ":" : "",
		    before != NULL ? before : "") < 0)
		return false;
	ok = setenv("LD_PRELOAD", list, 1) == 0 && setenv("SHUNT_NFT_SOCKET", socket, 1) == 0;
	free(list);
	return ok;
}

/* Become the program. @return why not: enum ctl_exit */
static int
become(struct ctl *ctl, char **argv, const char *missing)
{
	char socket[PATH_MAX], shim[PATH_MAX];
	int ret;

	/* It may be where only root's PATH leads. */
	static const char more[] = ":/usr/local/sbin:/usr/sbin:/sbin";
	const char *path = getenv("PATH");
	char *all;

	ret = ctl_nft_socket(ctl->socket, socket);
	if (ret != CTL_OK)
		return ret;
	if (!find_shim(shim)) {
		fprintf(ctl->err, "shuntctl: %s is not there\n", shim);
		return CTL_REFUSED;
	}
	if (asprintf(&all, "%s%s", path != NULL ? path : "/usr/local/bin:/usr/bin:/bin", more) <
			0 ||
		setenv("PATH", all, 1) != 0 || !preload(shim, socket)) {
		fprintf(ctl->err, "shuntctl: no memory\n");
		return CTL_REFUSED;
	}
	free(all);
	fflush(ctl->out);
	execvp(argv[0], argv);
	if (errno == ENOENT && missing != NULL)
		fprintf(ctl->err, "shuntctl: %s\n", missing);
	else
		fprintf(ctl->err, "shuntctl: %s: %s\n", argv[0], strerror(errno));
	return CTL_REFUSED;
}

int
ctl_conntrack(struct ctl *ctl, const struct ctl_command *command, int argc, char **argv)
{
	char *args[argc + 2];

	if (ctl->json)
		return ctl_misuse(ctl, command, "conntrack prints no JSON; `-o xml` it does");
	args[0] = "conntrack";
	memcpy(&args[1], argv, (size_t)argc * sizeof(*argv));
	args[argc + 1] = NULL;
	return become(ctl, args, "conntrack is not installed (the package conntrack has it)");
}

int
ctl_exec(struct ctl *ctl, const struct ctl_command *command, int argc, char **argv)
{
	char *args[argc + 1];
	int skip = argc > 0 && strcmp(argv[0], "--") == 0;

	if (argc == skip)
		return ctl_misuse(ctl, command, "which program?");
	memcpy(args, &argv[skip], (size_t)(argc - skip) * sizeof(*argv));
	args[argc - skip] = NULL;
	return become(ctl, args, NULL);
}
