/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The JSON-RPC client of the control socket: blocking, for shuntctl and tests.
 * A client belongs to one thread.
 */
#ifndef SHUNT_CONTROL_RPC_CLIENT_H
#define SHUNT_CONTROL_RPC_CLIENT_H

#include <jansson.h>

#include "rpc.h"

struct rpc_client;

/** An error answer. */
struct rpc_failure {
	int code; /**< enum rpc_code, or what another server sends */
	char message[512];
};

/** What to do with a streamed answer. */
struct rpc_reader {
	/** The description of the rows, before the first. 0, or a negative errno to end the call.
	 */
	int (*begin)(void *arg, const json_t *head);
	/** A row. 0, or a negative errno to end the call: the connection is of no use then. */
	int (*row)(void *arg, const json_t *row);
	void *arg;
};

/**
 * Connect.
 * @return 0, -ENOMEM, or unix_connect()'s error (-ENOENT, -ECONNREFUSED: no daemon)
 */
int rpc_client_open(const char *path, struct rpc_client **out);

/** Close. NULL is fine. */
void rpc_client_close(struct rpc_client *client);

/** The longest silence of the server in milliseconds; -1, the default, for any. */
void rpc_client_timeout(struct rpc_client *client, int ms);

/**
 * Call a method and wait for its answer.
 * @param params an object, taken over; NULL for none
 * @param reader for a streamed answer; NULL: rows are skipped
 * @param result a new reference ({rows: N} after a stream); NULL to drop it
 * @param failure set on -EREMOTEIO
 * @return 0; -EREMOTEIO: the server answered with an error; -ECONNRESET: it went;
 *         -ETIMEDOUT; -EPROTO: it doesn't speak JSON-RPC; -EMSGSIZE: the request is
 *         over RPC_REQUEST_MAX; -ENOMEM; what the reader returned
 */
int rpc_call(struct rpc_client *client, const char *method, json_t *params,
	const struct rpc_reader *reader, json_t **result, struct rpc_failure *failure);

#endif
