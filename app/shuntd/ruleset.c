/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ruleset at start. Rules need lib/nft, which is not built yet: a file with
 * anything but comments is refused, so that nobody runs without the rules that
 * they wrote.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"

int
ruleset_check(const struct config *config, char err[DAEMON_ERR_LEN])
{
	FILE *f = fopen(config->ruleset, "r");
	char line[1024];
	unsigned int number = 0;

	if (f == NULL) {
		/* The default file need not exist: no rules. */
		if (errno == ENOENT && config->ruleset_place.line == 0)
			return 0;
		snprintf(err, DAEMON_ERR_LEN, "%.400s: %s", config->ruleset, strerror(errno));
		return -errno;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		const char *p = line;

		number++;
		while (isspace((unsigned char)*p))
			p++;
		if (*p == '\0' || *p == '#')
			continue;
		fclose(f);
		snprintf(err, DAEMON_ERR_LEN,
			"%.400s:%u: rules are not built yet; only comments load", config->ruleset,
			number);
		return -EOPNOTSUPP;
	}
	fclose(f);
	return 0;
}

int
ruleset_init(struct daemon *d, char err[DAEMON_ERR_LEN])
{
	static const struct hook_features none[2];
	int rc = ruleset_check(d->config, err);

	if (rc != 0)
		return rc;
	/* Without rules Linux tracks nothing either. */
	rc = hooks_build(&d->hooks, none, NULL, 0);
	if (rc == 0)
		path_set_hooks(d->path, &d->hooks);
	return rc;
}

void
ruleset_fini(struct daemon *d)
{
	path_set_hooks(d->path, NULL);
}
