/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The hooks: for each family and hook one ordered list of user base chains and
 * built-ins (doc/architecture.md, hooks). The list is part of the published
 * program: immutable, replaced as a whole.
 */
#ifndef SHUNT_PATH_HOOKS_H
#define SHUNT_PATH_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "packet.h"

/** Most entries of one hook. */
#define HOOK_ENTRIES 128

/** The built-ins; a user chain is HOOK_CHAIN. */
enum hook_kind {
	HOOK_CHAIN,
	HOOK_DEFRAG,
	HOOK_CONNTRACK,
	HOOK_NAT,
	HOOK_CONFIRM,
	HOOK_WHOLE_IP, /**< at ingress, for a chain of IP packets: drops what should be one */
};

/** Run a base chain. VERDICT_DROP sets pkt->drop. Worker. */
typedef enum verdict (*hook_chain_t)(const void *chain, struct pkt *pkt);

/** One entry. */
struct hook_entry {
	enum hook_kind kind;
	int32_t priority;
	hook_chain_t run;  /**< HOOK_CHAIN */
	const void *chain; /**< its argument; for the program's owner to keep alive */
	uint64_t ports;	   /**< of ingress and egress: those that it is for, a bit each */
};

/** The entries of a hook, in order. */
struct hook_list {
	unsigned int count;
	struct hook_entry entries[HOOK_ENTRIES];
};

/** A base chain to put into the lists. */
struct hook_chain {
	bool families[2]; /**< IPv4, IPv6 */
	enum hook hook;
	int32_t priority;
	bool nat;   /**< of type nat: runs inside the NAT built-in */
	bool route; /**< of type route: an output chain that may change the route */
	hook_chain_t run;
	const void *chain;
	uint64_t ports; /**< of ingress and egress: lib/port indices, a bit each */
	bool other;	/**< sees frames that are no IP packets, too (family netdev) */
};

/** What is on for a family: a loaded rule needs it (exactly when Linux has it on). */
struct hook_features {
	bool conntrack;
	bool nat;
	bool defrag;
};

/** All hooks. */
struct hooks {
	uint32_t generation;
	struct nft_states *states;	  /**< what the chains count in; NULL without rules */
	struct hook_features features[2]; /**< IPv4, IPv6 */
	struct hook_list lists[2][HOOK_COUNT];
	struct hook_list nat_chains[2][HOOK_COUNT]; /**< in their own order */
	struct hook_list other[2]; /**< ingress and egress of what is neither IPv4 nor IPv6 */
	uint64_t devices[2];	   /**< ingress and egress: ports that have a chain, a bit each */
};

/**
 * Build the lists. Any thread.
 * @param chains in the order of registration: at equal priority the last runs first
 * @return 0, or -E2BIG if a hook has more than HOOK_ENTRIES entries
 */
int hooks_build(struct hooks *hooks, const struct hook_features features[2],
	const struct hook_chain *chains, unsigned int count);

/** Whether a chain is at a port's ingress or egress. */
static inline bool
hook_on_device(const struct hooks *hooks, enum hook hook, uint16_t port)
{
	return (hooks->devices[hook - HOOK_INGRESS] >> (port & 63) & 1) != 0;
}

/** Whether a chain is at this hook for this family (conntrack's own place is not a chain). */
static inline bool
hook_has(const struct hooks *hooks, unsigned int family, enum hook hook)
{
	return hooks->lists[family][hook].count != 0;
}

#endif
