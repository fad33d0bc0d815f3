/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hooks.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* Where Linux registers its own hooks (enum nf_ip_hook_priorities). */
static const struct {
	enum hook_kind kind;
	enum hook hook;
	int32_t priority;
} builtins[] = {
	{HOOK_DEFRAG, HOOK_PREROUTING, -400},
	{HOOK_DEFRAG, HOOK_OUTPUT, -400},
	{HOOK_CONNTRACK, HOOK_PREROUTING, -200},
	{HOOK_CONNTRACK, HOOK_OUTPUT, -200},
	{HOOK_NAT, HOOK_PREROUTING, -100},
	{HOOK_NAT, HOOK_OUTPUT, -100},
	{HOOK_NAT, HOOK_INPUT, 100},
	{HOOK_NAT, HOOK_POSTROUTING, 100},
	{HOOK_CONFIRM, HOOK_INPUT, INT_MAX},
	{HOOK_CONFIRM, HOOK_POSTROUTING, INT_MAX},
};

/* Before all entries of its priority, as nf_hook_entries_grow inserts. */
static int
insert(struct hook_list *list, const struct hook_entry *entry)
{
	unsigned int at = 0;

	if (list->count == HOOK_ENTRIES)
		return -E2BIG;
	while (at < list->count && list->entries[at].priority < entry->priority)
		at++;
	memmove(&list->entries[at + 1], &list->entries[at],
		(list->count - at) * sizeof(list->entries[0]));
	list->entries[at] = *entry;
	list->count++;
	return 0;
}

static bool
builtin_on(const struct hook_features *on, enum hook_kind kind)
{
	switch (kind) {
	case HOOK_DEFRAG: return on->defrag || on->conntrack;
	case HOOK_CONNTRACK:
	case HOOK_CONFIRM: return on->conntrack;
	case HOOK_NAT: return on->nat;
	default: return false;
	}
}

/* At ingress and egress (netdev_chain of the device, nf_hook_entries_grow). */
static int
insert_device(struct hooks *hooks, const struct hook_chain *chain)
{
	struct hook_entry entry = {
		HOOK_CHAIN, chain->priority, chain->run, chain->chain, chain->ports};
	unsigned int at = chain->hook - HOOK_INGRESS;
	int rc = 0;

	hooks->devices[at] |= chain->ports;
	for (unsigned int family = 0; family < 2 && rc == 0; family++)
		if (chain->families[family])
			rc = insert(&hooks->lists[family][chain->hook], &entry);
	/* nft_do_chain_inet_ingress drops an IP packet whose header is none. */
	if (!chain->other)
		entry.kind = HOOK_WHOLE_IP;
	return rc == 0 ? insert(&hooks->other[at], &entry) : rc;
}

int
hooks_build(struct hooks *hooks, const struct hook_features features[2],
	const struct hook_chain *chains, unsigned int count)
{
	memset(hooks, 0, sizeof(*hooks));
	for (unsigned int family = 0; family < 2; family++) {
		hooks->features[family] = features[family];
		/* First: a chain of the same priority was registered later. */
		for (unsigned int i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++) {
			struct hook_entry entry = {
				.kind = builtins[i].kind,
				.priority = builtins[i].priority,
			};

			if (builtin_on(&features[family], entry.kind))
				insert(&hooks->lists[family][builtins[i].hook], &entry);
		}
		for (unsigned int i = 0; i < count; i++) {
			const struct hook_chain *chain = &chains[i];
			struct hook_entry entry = {
				HOOK_CHAIN, chain->priority, chain->run, chain->chain, 0};
			struct hook_list *list = chain->nat
							 ? &hooks->nat_chains[family][chain->hook]
							 : &hooks->lists[family][chain->hook];

			if (chain->hook < HOOK_INGRESS && chain->families[family] &&
				insert(list, &entry) != 0)
				return -E2BIG;
		}
	}
	for (unsigned int i = 0; i < count; i++)
		if (chains[i].hook >= HOOK_INGRESS && insert_device(hooks, &chains[i]) != 0)
			return -E2BIG;
	return 0;
}
