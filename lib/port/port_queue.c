/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues and their owners; RSS.
 */
#include <string.h>

#include "port_priv.h"

/*
 * The key of period 16 bits (doc/architecture.md, homes): it makes the Toeplitz
 * hash a function of the XOR of a tuple's 16-bit words, so the same both ways.
 */
#define KEY_EVEN 0x6d
#define KEY_ODD	 0x5a
#define KEY_MAX	 64

/* Without all of these a port cannot be exact. */
#define HASH_NEEDED                                                                                \
	(RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |                             \
		RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP)
/* By addresses alone, like the home of protocols without ports. Not SCTP: its ports are no part of
 * the home. */
#define HASH_WANTED                                                                                \
	(HASH_NEEDED | RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_IPV6 |      \
		RTE_ETH_RSS_NONFRAG_IPV6_OTHER)

static unsigned int
rx_load(uint16_t worker)
{
	unsigned int load = 0;
	uint16_t i, q;

	for (i = 0; i < PORT_MAX; i++) {
		if (!port_table[i].used)
			continue;
		for (q = 0; q < port_table[i].rx_queues; q++)
			load += port_table[i].rx_owner[q] == worker;
	}
	return load;
}

void
port_map_queues(struct port *port)
{
	unsigned int load[PORT_WORKERS_MAX];
	uint16_t q, w, least, turn;

	for (w = 0; w < port->workers; w++) {
		load[w] = rx_load(w);
		port->tx_queue[w] = PORT_QUEUE_NONE;
	}
	for (q = 0; q < port->rx_queues; q++) {
		/* As many queues as workers: the RETA names a worker by its queue. */
		least = q;
		if (port->rx_queues < port->workers) {
			for (w = 0, least = 0; w < port->workers; w++)
				least = load[w] < load[least] ? w : least;
		}
		port->rx_owner[q] = least;
		load[least]++;
	}
	/* Too few transmit queues: ports take turns in whom they leave without one. */
	turn = port->tx_queues < port->workers ? port->index % port->workers : 0;
	for (w = 0; w < port->workers; w++) {
		uint16_t worker = (uint16_t)((w + turn) % port->workers);

		q = w % port->tx_queues;
		if (w < port->tx_queues) {
			port->tx_queue[worker] = q;
			port->tx_owner[q] = worker;
		}
		port->tx_via[worker] = port->tx_owner[q];
	}
}

static void
key_write(uint8_t key[KEY_MAX])
{
	unsigned int i;

	for (i = 0; i < KEY_MAX; i++)
		key[i] = i % 2 == 0 ? KEY_EVEN : KEY_ODD;
}

void
port_rss_plan(const struct port *port, const struct port_config *config,
	const struct rte_eth_dev_info *info, struct rte_eth_conf *conf, struct port_rss_wish *wish)
{
	uint64_t offered = info->flow_type_rss_offloads & HASH_WANTED;
	static uint8_t key[KEY_MAX];

	memset(wish, 0, sizeof(*wish));
	if (port->rx_queues < 2 || offered == 0)
		return;
	/* Any spreading is better than none, exact or not. */
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = offered;
	wish->hash_functions = offered;
	wish->key_len = info->hash_key_size != 0 ? info->hash_key_size : PORT_RSS_KEY_LEN;
	wish->reta_size = info->reta_size;
	wish->exact = config->reta != NULL && port->rx_queues == port->workers &&
		      (offered & HASH_NEEDED) == HASH_NEEDED && wish->key_len >= PORT_RSS_KEY_LEN &&
		      wish->key_len <= KEY_MAX && config->reta_size <= PORT_RETA_MAX &&
		      wish->reta_size >= config->reta_size &&
		      wish->reta_size % config->reta_size == 0 &&
		      wish->reta_size <= RTE_ETH_RSS_RETA_SIZE_512;
	if (!wish->exact)
		return;
	key_write(key);
	conf->rx_adv_conf.rss_conf.rss_key = key;
	conf->rx_adv_conf.rss_conf.rss_key_len = wish->key_len;
	wish->size = config->reta_size;
	memcpy(wish->reta, config->reta, config->reta_size);
}

static bool
reta_program(const struct port *port, const struct port_rss_wish *wish)
{
	struct rte_eth_rss_reta_entry64 set[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE];
	struct rte_eth_rss_reta_entry64 got[RTE_DIM(set)];
	unsigned int i, group, slot;

	memset(set, 0, sizeof(set));
	memset(got, 0, sizeof(got));
	for (i = 0; i < wish->reta_size; i++) {
		group = i / RTE_ETH_RETA_GROUP_SIZE;
		slot = i % RTE_ETH_RETA_GROUP_SIZE;
		set[group].mask |= 1ULL << slot;
		got[group].mask |= 1ULL << slot;
		set[group].reta[slot] = wish->reta[i & (wish->size - 1u)];
	}
	if (rte_eth_dev_rss_reta_update(port->ethdev, set, wish->reta_size) != 0 ||
		rte_eth_dev_rss_reta_query(port->ethdev, got, wish->reta_size) != 0)
		return false;
	for (i = 0; i < wish->reta_size; i++) {
		group = i / RTE_ETH_RETA_GROUP_SIZE;
		slot = i % RTE_ETH_RETA_GROUP_SIZE;
		if (got[group].reta[slot] != set[group].reta[slot])
			return false;
	}
	return true;
}

static bool
key_program(const struct port *port, const struct port_rss_wish *wish)
{
	uint8_t key[KEY_MAX], got[KEY_MAX] = {0};
	struct rte_eth_rss_conf conf = {
		.rss_key = key, .rss_key_len = wish->key_len, .rss_hf = wish->hash_functions};

	key_write(key);
	if (rte_eth_dev_rss_hash_update(port->ethdev, &conf) != 0)
		return false;
	conf = (struct rte_eth_rss_conf){.rss_key = got, .rss_key_len = wish->key_len};
	return rte_eth_dev_rss_hash_conf_get(port->ethdev, &conf) == 0 &&
	       (conf.rss_hf & HASH_NEEDED) == HASH_NEEDED && memcmp(key, got, wish->key_len) == 0;
}

enum port_rss
port_rss_apply(const struct port *port, const struct port_rss_wish *wish)
{
	if (port->workers == 1)
		return PORT_RSS_SINGLE;
	if (wish->exact && key_program(port, wish) && reta_program(port, wish))
		return PORT_RSS_EXACT;
	return PORT_RSS_SPREAD;
}
