/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * JSON-RPC 2.0 on the control socket: what server and client share. One object
 * a line in both directions; doc/rpc.md describes it for those who write a
 * client of their own.
 */
#ifndef SHUNT_CONTROL_RPC_H
#define SHUNT_CONTROL_RPC_H

/** Bytes of a request, its newline included. */
#define RPC_REQUEST_MAX (1 << 20)
/** Bytes of a result or of a row; what may be longer is streamed. */
#define RPC_RESULT_MAX (1 << 20)
/** Connections at a time; the last RPC_CLIENTS_ADMIN of them are for administrators. */
#define RPC_CLIENTS_MAX	  64
#define RPC_CLIENTS_ADMIN 8
/** Unanswered requests of one connection: the server reads no further until one is answered. */
#define RPC_REQUESTS_MAX 8
/** Events that wait for one slow listener, and events that `show events` recalls. */
#define RPC_EVENTS_MAX 256
/** Bytes of an event; a longer one is cut down to its type. */
#define RPC_EVENT_SIZE 4096

/** The codes of error replies: those of JSON-RPC 2.0, section 5.1, and ours. */
enum rpc_code {
	RPC_PARSE_ERROR = -32700,     /**< not JSON, or a line too long; the connection ends */
	RPC_INVALID_REQUEST = -32600, /**< JSON, but no request */
	RPC_NO_METHOD = -32601,	      /**< no such method: not built yet, or misspelt */
	RPC_INVALID_PARAMS = -32602,  /**< unknown, missing or of the wrong type */
	RPC_INTERNAL = -32603,	      /**< out of memory, or a fault of the daemon */
	RPC_REFUSED = -32000,	      /**< understood and refused; the message says why */
	RPC_DENIED = -32001,	      /**< the peer has not the right */
	RPC_BUSY = -32002,	      /**< too many clients */
	RPC_TOO_LARGE = -32003,	      /**< the result exceeds RPC_RESULT_MAX */
};

#endif
