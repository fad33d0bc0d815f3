/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel interfaces behind a port. A packet socket hands over what the stack
 * has: several frames merged by GRO, a checksum that hardware should have
 * finished, a VLAN tag beside the frame. So these offloads go off, by
 * ETHTOOL_SFEATURES, and come back at close.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "port_priv.h"

#define FEATURE_BITS 32

/* Prefixes of feature names as `ethtool -k` lists them (netdev_features_strings). */
static const char *const unwanted[] = {
	"rx-gro", /* and -hw, -list */
	"rx-lro",
	"rx-udp-gro-forwarding",
	"rx-udp_tunnel-port-offload",
	"tx-tcp", /* -segmentation, -ecn-, -mangleid-, 6- */
	"tx-udp", /* -segmentation, tunnels */
	"tx-gso",
	"tx-gre",
	"tx-ipxip",
	"tx-sctp-segmentation",
	"tx-esp-segmentation",
	"tx-generic-segmentation",
	"tx-fcoe-segmentation",
	"tx-tunnel",
	"tx-checksum",
	"rx-checksum",
	"rx-vlan-hw-parse",
	"tx-vlan-hw-insert",
	"rx-vlan-stag-hw-parse",
	"tx-vlan-stag-hw-insert",
};

static bool
is_unwanted(const char *feature)
{
	unsigned int i;

	for (i = 0; i < RTE_DIM(unwanted); i++) {
		if (strncmp(feature, unwanted[i], strlen(unwanted[i])) == 0)
			return true;
	}
	return false;
}

static int
ethtool(int fd, const char *interface, void *data)
{
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	request.ifr_data = data;
	return ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

/* The names of all features, in the order of their bits. Free it. */
static struct ethtool_gstrings *
feature_names(int fd, const char *interface)
{
	/* The answer, one number for the one set, lies behind the question. */
	_Alignas(struct ethtool_sset_info)
		uint8_t buffer[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)] = {0};
	struct ethtool_sset_info *query = (struct ethtool_sset_info *)buffer;
	struct ethtool_gstrings *names;
	uint32_t count;

	query->cmd = ETHTOOL_GSSET_INFO;
	query->sset_mask = 1ULL << ETH_SS_FEATURES;
	if (ethtool(fd, interface, query) != 0 || query->sset_mask == 0)
		return NULL;
	memcpy(&count, buffer + sizeof(*query), sizeof(count));
	names = calloc(1, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);
	if (names == NULL)
		return NULL;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = count;
	if (ethtool(fd, interface, names) != 0) {
		free(names);
		return NULL;
	}
	return names;
}

static struct ethtool_gfeatures *
features_get(int fd, const char *interface, uint32_t blocks)
{
	struct ethtool_gfeatures *f =
		calloc(1, sizeof(*f) + blocks * sizeof(struct ethtool_get_features_block));

	if (f == NULL)
		return NULL;
	f->cmd = ETHTOOL_GFEATURES;
	f->size = blocks;
	if (ethtool(fd, interface, f) != 0) {
		free(f);
		return NULL;
	}
	return f;
}

/* Set the features of mask all on or all off. */
static int
features_set(int fd, const struct port_kernel *kernel, const uint32_t *mask, bool on)
{
	struct ethtool_sfeatures *f;
	uint32_t i;
	int ret;

	f = calloc(1, sizeof(*f) + kernel->blocks * sizeof(struct ethtool_set_features_block));
	if (f == NULL)
		return -ENOMEM;
	f->cmd = ETHTOOL_SFEATURES;
	f->size = kernel->blocks;
	for (i = 0; i < kernel->blocks; i++) {
		f->features[i].valid = mask[i];
		f->features[i].requested = on ? mask[i] : 0;
	}
	ret = ethtool(fd, kernel->name, f);
	free(f);
	return ret;
}

static void
append(char text[PORT_FEATURES_LEN], const char *name)
{
	size_t used = strlen(text);

	snprintf(text + used, PORT_FEATURES_LEN - used, "%s%.32s", used == 0 ? "" : " ", name);
}

static const char *
name_of(const struct ethtool_gstrings *names, uint32_t bit)
{
	return (const char *)&names->data[bit * ETH_GSTRING_LEN];
}

/* Which bits to turn off: asked for or active, unwanted, and not fixed. */
static bool
choose(const struct ethtool_gstrings *names, const struct ethtool_gfeatures *f, uint32_t *mask)
{
	bool any = false;
	uint32_t bit;

	for (bit = 0; bit < names->len; bit++) {
		const struct ethtool_get_features_block *b = &f->features[bit / FEATURE_BITS];
		uint32_t one = 1u << bit % FEATURE_BITS;

		if (!((b->requested | b->active) & one) || (b->never_changed & one) ||
			!(b->available & one) || !is_unwanted(name_of(names, bit)))
			continue;
		mask[bit / FEATURE_BITS] |= one;
		any = true;
	}
	return any;
}

/* Say what went off and what is still on; keep what to ask for again. */
static void
report(struct port_kernel *kernel, const struct ethtool_gstrings *names,
	const struct ethtool_gfeatures *before, const struct ethtool_gfeatures *after,
	const uint32_t *mask)
{
	uint32_t bit, word, one;

	for (bit = 0; bit < names->len; bit++) {
		word = bit / FEATURE_BITS;
		one = 1u << bit % FEATURE_BITS;
		if (!is_unwanted(name_of(names, bit)))
			continue;
		if (after->features[word].active & one)
			append(kernel->left_on, name_of(names, bit));
		else if (before->features[word].active & one)
			append(kernel->changed, name_of(names, bit));
		/* Also what was asked for and could not be active: it is to be so again. */
		kernel->saved[word] |= mask[word] & before->features[word].requested & one;
	}
}

static int
quiet(int fd, struct port_kernel *kernel, const struct ethtool_gstrings *names)
{
	uint32_t mask[RTE_DIM(kernel->saved)] = {0};
	struct ethtool_gfeatures *before, *after = NULL;
	int ret = -ENOMEM;

	before = features_get(fd, kernel->name, kernel->blocks);
	if (before == NULL)
		return -EIO;
	ret = 0;
	if (choose(names, before, mask))
		ret = features_set(fd, kernel, mask, false);
	if (ret == 0) {
		after = features_get(fd, kernel->name, kernel->blocks);
		ret = after == NULL ? -EIO : 0;
	}
	if (ret == 0)
		report(kernel, names, before, after, mask);
	free(before);
	free(after);
	return ret;
}

int
port_kernel_quiet(const char *interface, struct port_kernel *kernel)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_gstrings *names;
	int ret;

	memset(kernel, 0, sizeof(*kernel));
	if (fd < 0)
		return -errno;
	snprintf(kernel->name, sizeof(kernel->name), "%s", interface);
	names = feature_names(fd, interface);
	if (names == NULL) {
		ret = -EOPNOTSUPP;
	} else {
		kernel->blocks = (names->len + FEATURE_BITS - 1) / FEATURE_BITS;
		ret = kernel->blocks > RTE_DIM(kernel->saved) ? -EOVERFLOW
							      : quiet(fd, kernel, names);
	}
	free(names);
	close(fd);
	return ret;
}

int
port_kernel_restore(struct port_kernel *kernel)
{
	uint32_t i, any = 0;
	int fd, ret = 0;

	for (i = 0; i < kernel->blocks; i++)
		any |= kernel->saved[i];
	if (any == 0)
		return 0;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ret = features_set(fd, kernel, kernel->saved, true);
	close(fd);
	if (ret == 0)
		memset(kernel->saved, 0, sizeof(kernel->saved));
	return ret;
}

/* An ioctl that answers about one interface. */
static int
query(const char *interface, unsigned long what, struct ifreq *answer)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	memset(answer, 0, sizeof(*answer));
	snprintf(answer->ifr_name, sizeof(answer->ifr_name), "%s", interface);
	ret = ioctl(fd, what, answer) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

int
port_kernel_mtu(const char *interface)
{
	struct ifreq answer;
	int ret = query(interface, SIOCGIFMTU, &answer);

	return ret != 0 ? ret : answer.ifr_mtu;
}

bool
port_kernel_up(const char *interface)
{
	struct ifreq answer;

	return query(interface, SIOCGIFFLAGS, &answer) == 0 && (answer.ifr_flags & IFF_UP) &&
	       (answer.ifr_flags & IFF_RUNNING);
}
