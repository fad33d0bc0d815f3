/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int max_priority = LOG_INFO;

void
log_set_level(int priority)
{
	max_priority = priority;
}

void
log_write(int priority, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	if (priority > max_priority)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* One call a line, so that the lines of two threads do not mix. */
	if (getenv("JOURNAL_STREAM") != NULL)
		fprintf(stderr, "<%d>%s\n", priority, line);
	else
		fprintf(stderr, "shunt: %s\n", line);
}
