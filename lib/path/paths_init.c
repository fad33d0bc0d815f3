/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "paths.h"

#include <errno.h>
#include <stdlib.h>

int
paths_init(struct paths *paths)
{
	*paths = (struct paths){.used = {1, 1}};
	paths->effects = calloc(PATH_IDS, sizeof(*paths->effects));
	paths->entries = calloc(PATH_IDS, sizeof(*paths->entries));
	paths->pool = calloc(2 * PATHS_POOL, sizeof(*paths->pool));
	paths->slots = calloc(PATHS_SLOTS, sizeof(*paths->slots));
	if (paths->effects != NULL && paths->entries != NULL && paths->pool != NULL &&
		paths->slots != NULL)
		return 0;
	paths_fini(paths);
	return -ENOMEM;
}

void
paths_fini(struct paths *paths)
{
	free(paths->effects);
	free(paths->entries);
	free(paths->pool);
	free(paths->slots);
	*paths = (struct paths){0};
}
