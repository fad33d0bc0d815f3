/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More than any config: a file that is larger is the wrong one. */
#define FILE_MAX (1 << 20)

const char *
config_timeout_name(enum config_timeout timeout)
{
	static const char *const names[] = {
#define X(name, seconds) #name,
		CONFIG_TIMEOUTS(X)
#undef X
	};

	return names[timeout];
}

/* Read a file of FILE_MAX bytes at most. */
static int
read_file(const char *path, char **text, size_t *len)
{
	FILE *file = fopen(path, "re");
	char *buf;
	size_t n;
	int err;

	if (file == NULL)
		return -errno;
	buf = malloc(FILE_MAX + 1);
	if (buf == NULL) {
		fclose(file);
		return -ENOMEM;
	}
	n = fread(buf, 1, FILE_MAX + 1, file);
	err = ferror(file) ? -errno : n > FILE_MAX ? -EFBIG : 0;
	fclose(file);
	if (err != 0) {
		free(buf);
		return err;
	}
	*text = buf;
	*len = n;
	return 0;
}

int
config_load(const char *path, const cpu_set_t *cpus, FILE *err, struct config **out)
{
	size_t len = 0;
	char *text = NULL;
	int ret = read_file(path, &text, &len);

	if (ret != 0) {
		fprintf(err, "%s: %s\n", path, strerror(-ret));
		return ret;
	}
	ret = config_parse(path, text, len, cpus, err, out);
	free(text);
	return ret;
}

void
config_free(struct config *config)
{
	unsigned int i;

	if (config == NULL)
		return;
	free(config->runtime.workers);
	for (i = 0; i < config->runtime.eal_count; i++)
		free(config->runtime.eal[i]);
	free(config->runtime.eal);
	for (i = 0; i < config->port_count; i++) {
		free(config->ports[i].name);
		free(config->ports[i].device);
		free(config->ports[i].addresses);
	}
	free(config->ports);
	free(config->routes);
	free(config->neighbours);
	free(config->ruleset);
	free(config->control.socket);
	free(config->control.nft);
	free(config);
}

const char *
config_address_text(uint8_t family, const union address *address, char *buf)
{
	const char *text = inet_ntop(
		family == FAMILY_IPV6 ? AF_INET6 : AF_INET, address, buf, INET6_ADDRSTRLEN);

	return text != NULL ? text : "?";
}

static void
print_mac(FILE *out, const uint8_t mac[6])
{
	fprintf(out, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		mac[5]);
}

static void
print_ports(const struct config *config, FILE *out)
{
	char text[INET6_ADDRSTRLEN];
	unsigned int i;
	unsigned int a;

	for (i = 0; i < config->port_count; i++) {
		const struct config_port *port = &config->ports[i];

		fprintf(out, "port %s: device %s", port->name, port->device);
		for (a = 0; a < port->address_count; a++)
			fprintf(out, "%s%s/%u", a == 0 ? ", addresses " : " ",
				config_address_text(port->addresses[a].family,
					&port->addresses[a].address, text),
				port->addresses[a].len);
		if (port->mtu != 0)
			fprintf(out, ", mtu %u", port->mtu);
		if (port->has_mac) {
			fprintf(out, ", mac ");
			print_mac(out, port->mac);
		}
		fputc('\n', out);
	}
}

static void
print_runtime(const struct config *config, FILE *out)
{
	unsigned int i;

	fprintf(out, "workers: CPU");
	for (i = 0; i < config->runtime.worker_count; i++)
		fprintf(out, " %u", config->runtime.workers[i]);
	fprintf(out, ", %s when idle, engine %s\n",
		config->runtime.idle == CONFIG_IDLE_BUSY ? "busy" : "adaptive",
		config->runtime.engine == CONFIG_ENGINE_REFERENCE ? "reference" : "compiled");
	if (config->runtime.memory == 0)
		fprintf(out, "memory: auto\n");
	else
		fprintf(out, "memory: %llu MiB\n",
			(unsigned long long)(config->runtime.memory >> 20));
	for (i = 0; i < config->runtime.eal_count; i++)
		fprintf(out, "eal: %s\n", config->runtime.eal[i]);
}

static void
print_control(const struct config *config, FILE *out)
{
	fprintf(out, "control: %s, nft %s", config->control.socket, config->control.nft);
	if (config->control.admin_group != (gid_t)-1)
		fprintf(out, ", admin group %u", (unsigned int)config->control.admin_group);
	if (config->control.view_group != (gid_t)-1)
		fprintf(out, ", view group %u", (unsigned int)config->control.view_group);
	fputc('\n', out);
}

void
config_print(const struct config *config, FILE *out)
{
	static const char *const modes[] = {"off", "software", "flowtable", "auto"};
	char text[INET6_ADDRSTRLEN];
	unsigned int i;

	print_runtime(config, out);
	print_ports(config, out);
	for (i = 0; i < config->route_count; i++) {
		const struct config_route *route = &config->routes[i];

		fprintf(out, "route %s/%u",
			config_address_text(route->to.family, &route->to.address, text),
			route->to.len);
		fprintf(out, " via %s on %s\n",
			config_address_text(route->to.family, &route->via, text),
			config->ports[route->port].name);
	}
	for (i = 0; i < config->neighbour_count; i++) {
		const struct config_neighbour *n = &config->neighbours[i];

		fprintf(out, "neighbour %s on %s: mac ",
			config_address_text(n->family, &n->address, text),
			config->ports[n->port].name);
		print_mac(out, n->mac);
		fputc('\n', out);
	}
	fprintf(out, "ruleset: %s\n", config->follow ? "the kernel's" : config->ruleset);
	fprintf(out, "conntrack: %u connections", config->conntrack.max);
	for (i = 0; i < CONFIG_TIMEOUT_COUNT; i++)
		fprintf(out, ", %s %us", config_timeout_name(i), config->conntrack.timeouts[i]);
	fprintf(out, "\noffload: %s\n", modes[config->offload.mode]);
	print_control(config, out);
}
