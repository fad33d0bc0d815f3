/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The log: lines to standard error, with the sd-daemon(3) priority prefix when
 * the journal reads them. Never called on the packet path: packets have
 * counters, drop reasons and events.
 */
#ifndef SHUNT_BASE_LOG_H
#define SHUNT_BASE_LOG_H

#include <syslog.h>

/** The lines of a priority above this (LOG_ERR .. LOG_DEBUG) are not written. Default LOG_INFO. */
void log_set_level(int priority);

/**
 * Write one line. Any thread but a worker.
 * @param priority a syslog priority, LOG_ERR .. LOG_DEBUG
 * @param fmt printf format, without a newline
 */
void log_write(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...)	 log_write(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)	 log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)	 log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_write(LOG_DEBUG, __VA_ARGS__)

#endif
