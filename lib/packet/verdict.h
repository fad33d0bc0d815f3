/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * Hooks and verdicts, with netfilter's numbers.
 */
#ifndef SHUNT_PACKET_VERDICT_H
#define SHUNT_PACKET_VERDICT_H

/** The hooks: those of IPv4 and IPv6, numbered as NF_INET_*, then those of devices. */
enum hook {
	HOOK_PREROUTING,
	HOOK_INPUT,
	HOOK_FORWARD,
	HOOK_OUTPUT,
	HOOK_POSTROUTING,
	HOOK_INGRESS,
	HOOK_EGRESS,
	HOOK_COUNT,
};

/** What a chain, a built-in or a whole hook decided on a packet. */
enum verdict {
	VERDICT_DROP,	/**< the packet goes no further; a drop reason was set */
	VERDICT_ACCEPT, /**< it goes on to the next entry of the hook */
	VERDICT_STOLEN, /**< somebody else owns the mbuf now (held, answered, handed off) */
};

#endif
