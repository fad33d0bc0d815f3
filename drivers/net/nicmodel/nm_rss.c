/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Receive-side scaling by Toeplitz, and what a frame's checksums are.
 */
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_thash.h>
#include <rte_udp.h>

#include "flow/nm_frame.h"
#include "nm_port.h"

/* The verification suite's key. */
static const uint8_t default_key[NM_KEY] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41,
	0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4,
	0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01,
	0xfa};

static void
set_key(struct nm_port *p, const uint8_t *key)
{
	memcpy(p->key, key, NM_KEY);
	rte_convert_rss_key((const uint32_t *)(const void *)p->key, p->key_be, NM_KEY);
}

void
nm_rss_defaults(struct nm_port *p)
{
	set_key(p, default_key);
}

/* Words in host order, as rte_softrss_be takes them. */
static unsigned int
words_of(const uint8_t *bytes, unsigned int count, uint32_t *out)
{
	for (unsigned int i = 0; i < count; i++) {
		uint32_t word;

		memcpy(&word, bytes + 4 * i, 4);
		out[i] = rte_be_to_cpu_32(word);
	}
	return count;
}

uint32_t
nm_rss_hash(const struct nm_port *p, const struct rte_mbuf *frame)
{
	struct nm_headers headers;
	struct nm_fields f;
	uint32_t words[9];
	unsigned int n;

	if (p->rss_hf == 0)
		return 0;
	nm_read(frame, &f, &headers);
	if (f.l3 == 0)
		return 0;
	n = words_of(f.ip_src, f.l3 == 4 ? 1 : 4, words);
	n += words_of(f.ip_dst, f.l3 == 4 ? 1 : 4, words + n);
	if (f.l4 != 0 && !(f.fragment & rte_cpu_to_be_16(0x3fff)))
		words[n++] = (uint32_t)rte_be_to_cpu_16(f.sport) << 16 | rte_be_to_cpu_16(f.dport);
	return rte_softrss_be(words, n, (const uint8_t *)p->key_be);
}

int
nm_rss_update(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf)
{
	struct nm_port *p = nm_port(dev);

	if (conf->rss_key != NULL && conf->rss_key_len != 0 && conf->rss_key_len != NM_KEY)
		return -EINVAL;
	nm_lock();
	if (conf->rss_key != NULL)
		set_key(p, conf->rss_key);
	p->rss_hf = conf->rss_hf;
	rte_spinlock_unlock(&nm_nic.lock);
	return 0;
}

int
nm_rss_get(struct rte_eth_dev *dev, struct rte_eth_rss_conf *conf)
{
	const struct nm_port *p = nm_port(dev);

	conf->rss_hf = p->rss_hf;
	conf->rss_key_len = NM_KEY;
	if (conf->rss_key != NULL)
		memcpy(conf->rss_key, p->key, NM_KEY);
	return 0;
}

int
nm_reta_update(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	struct nm_port *p = nm_port(dev);

	if (size != NM_RETA)
		return -EINVAL;
	for (unsigned int i = 0; i < NM_RETA; i++) {
		const struct rte_eth_rss_reta_entry64 *e = &reta[i / RTE_ETH_RETA_GROUP_SIZE];
		unsigned int at = i % RTE_ETH_RETA_GROUP_SIZE;

		if (!(e->mask >> at & 1))
			continue;
		if (e->reta[at] >= dev->data->nb_rx_queues)
			return -EINVAL;
		p->reta[i] = e->reta[at];
	}
	return 0;
}

int
nm_reta_query(struct rte_eth_dev *dev, struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	const struct nm_port *p = nm_port(dev);

	if (size != NM_RETA)
		return -EINVAL;
	for (unsigned int i = 0; i < NM_RETA; i++)
		reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = p->reta[i];
	return 0;
}

static uint64_t
l4_flag(const uint8_t *frame, uint32_t len, const struct nm_fields *f, const struct nm_headers *h)
{
	const void *l3 = frame + h->l3, *l4 = frame + h->l4;
	const struct rte_udp_hdr *udp = l4;
	uint32_t ip_len;
	bool good;

	if (f->l4 == 0 || (f->fragment & rte_cpu_to_be_16(0x3fff)))
		return RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN;
	ip_len = f->l3 == 4 ? rte_be_to_cpu_16(((const struct rte_ipv4_hdr *)l3)->total_length)
			    : rte_be_to_cpu_16(((const struct rte_ipv6_hdr *)l3)->payload_len) +
				      sizeof(struct rte_ipv6_hdr);
	/* Lengths that are wrong are software's. */
	if (h->l3 + ip_len > len || ip_len < (uint32_t)(h->l4 - h->l3) + sizeof(*udp))
		return RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN;
	if (f->l4 == IPPROTO_UDP && udp->dgram_cksum == 0)
		return f->l3 == 4 ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN;
	/* A UDP length that is not IP's is for software to judge. */
	if (f->l4 == IPPROTO_UDP &&
		rte_be_to_cpu_16(udp->dgram_len) != ip_len - (uint32_t)(h->l4 - h->l3))
		return RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN;
	if (f->l3 == 4 && (f->version_ihl & 15) != 5)
		return RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN;
	good = f->l3 == 4 ? rte_ipv4_udptcp_cksum_verify(l3, l4) == 0
			  : rte_ipv6_udptcp_cksum_verify(l3, l4) == 0;
	return good ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : RTE_MBUF_F_RX_L4_CKSUM_BAD;
}

uint64_t
nm_checksums(const struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	struct nm_headers headers;
	struct nm_fields f;
	uint64_t flags = 0;

	nm_read(m, &f, &headers);
	if (f.l3 == 4) {
		uint16_t sum = rte_raw_cksum(frame + headers.l3, (f.version_ihl & 15U) * 4);

		flags |= sum == 0xffff ? RTE_MBUF_F_RX_IP_CKSUM_GOOD : RTE_MBUF_F_RX_IP_CKSUM_BAD;
	}
	return f.l3 != 0 ? flags | l4_flag(frame, m->data_len, &f, &headers) : flags;
}
