/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The suites of lib/control, and the server that they share: a loop, a socket in
 * a folder of its own, raw clients. All in one thread, so each test decides
 * who moves when.
 */
#ifndef SHUNT_TESTS_CONTROL_H
#define SHUNT_TESTS_CONTROL_H

#include "loop.h"
#include "rpc_server.h"
#include "unit.h"

extern CU_TestInfo loop_tests[];
extern CU_TestInfo socket_tests[];
extern CU_TestInfo request_tests[];
extern CU_TestInfo stream_tests[];
extern CU_TestInfo client_tests[];

/** The longest that a test waits for one event: a fault, not a delay that is expected. */
#define PATIENCE_MS 20000

struct bench {
	struct loop *loop;
	struct rpc_server *server;
	char dir[64];
	char path[96];
};

/** A raw client. */
struct raw {
	int fd;
	char *data;
	size_t len;
	size_t size;
	bool eof;
};

/** Make loop and server; CU_ASSERTs on failure. Methods of the tests are added. */
void bench_open(struct bench *bench);
/** Destroy all and assert that the socket is gone. */
void bench_close(struct bench *bench);
/** Rounds until nothing moves any more. */
void bench_settle(struct bench *bench);

void raw_open(struct bench *bench, struct raw *raw);
void raw_close(struct raw *raw);
/** Send a text whole, moving the server as needed. */
void raw_say(struct bench *bench, struct raw *raw, const char *text, size_t len);
/** The next line as JSON; NULL at the end of the connection. Caller's reference. */
json_t *raw_hear(struct bench *bench, struct raw *raw);
/** Say a line, hear a line. */
json_t *raw_ask(struct bench *bench, struct raw *raw, const char *line);
/** The error code of an answer, 0 for a result. Takes the reference. */
int raw_code(json_t *answer);

#endif
