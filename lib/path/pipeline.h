/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHUNT_PATH_PIPELINE_H
#define SHUNT_PATH_PIPELINE_H

#include "worker.h"

/* Build a worker's graph. Control thread. 0 or negative errno. */
int pipeline_create(struct worker *w, const char *name);

/* Take it down; nothing if there is none. */
void pipeline_destroy(struct worker *w);

#endif
