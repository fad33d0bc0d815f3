/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A listing is many dumps between two questions for the generation; if that has
 * changed, nft begins again (nft_cache_update). With others that write all the time
 * it would never end, as it does not with Linux. So a client that was outrun once
 * gets the next listing whole: batches of others wait, for a bounded time.
 */
#include "clock.h"
#include "wire_priv.h"

/* It neither asks nor takes its answers: it has stopped, or wants no more. */
#define IDLE_NS NS_PER_SEC
/* A listing that takes longer than this is outrun again. */
#define LEASE_NS (5 * NS_PER_SEC)
/* A generation that was told longer ago than this was for something else. */
#define RECENT_NS (10 * NS_PER_SEC)
/* A listing asks for the generation twice. */
#define ASKS 2

static bool
leased(const struct nft_client *client)
{
	return client->lease.asks != 0;
}

static bool
is_waited(const struct nft_wire *wire)
{
	for (const struct nft_client *c = wire->clients; c != NULL; c = c->next)
		if (c->waiting != NULL)
			return true;
	return false;
}

bool
wire_lease_holds(const struct nft_client *client)
{
	for (const struct nft_client *c = client->wire->clients; c != NULL; c = c->next)
		if (c != client && leased(c))
			return true;
	return false;
}

void
wire_lease_request(struct nft_client *client, bool batch)
{
	client->lease.active_ns = clock_ns();
	if (!batch)
		return;
	client->lease.asks = 0;
	client->lease.told = false;
}

void
wire_lease_generation(struct nft_client *client)
{
	uint32_t generation = client->wire->store->generation;
	struct wire_lease *lease = &client->lease;
	uint64_t now = clock_ns();

	if (leased(client)) {
		lease->asks--;
	} else if (lease->told && lease->generation != generation &&
		   now - lease->told_ns < RECENT_NS && !is_waited(client->wire)) {
		/* Who waits already has waited for others, too. */
		lease->asks = ASKS;
		lease->since_ns = now;
	}
	lease->told = true;
	lease->told_ns = now;
	lease->generation = generation;
}

void
wire_lease_look(struct nft_wire *wire)
{
	uint64_t now = clock_ns();

	for (struct nft_client *c = wire->clients; c != NULL; c = c->next) {
		size_t backlog = nft_client_backlog(c);

		if (!leased(c))
			continue;
		if (backlog != c->lease.backlog)
			c->lease.active_ns = now;
		c->lease.backlog = backlog;
		if (now - c->lease.active_ns >= IDLE_NS || now - c->lease.since_ns >= LEASE_NS)
			c->lease.asks = 0;
	}
}
