/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "unit.h"

/* What the errors below share: a config that is complete, in one line. */
#define PORT "ports: [{name: lan, device: net_null0, addresses: [10.0.0.1/24]}]\n"

/* A machine of four CPUs. */
static cpu_set_t cpus;

/* Parse; *said is what it wrote, the caller's. */
static int
parse(const char *text, size_t len, struct config **config, char **said)
{
	size_t size;
	FILE *err = open_memstream(said, &size);
	int ret;

	CU_ASSERT_PTR_NOT_NULL_FATAL(err);
	*config = NULL;
	ret = config_parse("f.yaml", text, len, &cpus, err, config);
	fclose(err);
	return ret;
}

static void
test_minimal(void)
{
	struct config *config;
	char *said;
	unsigned int i;

	CU_ASSERT_EQUAL_FATAL(parse(PORT, strlen(PORT), &config, &said), 0);
	CU_ASSERT_STRING_EQUAL(said, "");
	/* Every CPU but the first. */
	CU_ASSERT_EQUAL_FATAL(config->runtime.worker_count, 3);
	for (i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(config->runtime.workers[i], i + 1);
	CU_ASSERT_EQUAL(config->runtime.memory, 0);
	CU_ASSERT_EQUAL(config->runtime.idle, CONFIG_IDLE_ADAPTIVE);
	CU_ASSERT_EQUAL(config->runtime.engine, CONFIG_ENGINE_COMPILED);
	CU_ASSERT_EQUAL(config->offload.mode, CONFIG_OFFLOAD_FLOWTABLE);
	CU_ASSERT_EQUAL(config->conntrack.max, 1048576);
	CU_ASSERT_EQUAL(config->conntrack.timeouts[CONFIG_TIMEOUT_tcp_established], 432000);
	CU_ASSERT_EQUAL(config->conntrack.timeouts[CONFIG_TIMEOUT_generic], 600);
	CU_ASSERT_STRING_EQUAL(config->ruleset, "/etc/shunt/ruleset.nft");
	CU_ASSERT_EQUAL(config->ruleset_place.line, 0);
	CU_ASSERT_STRING_EQUAL(config->control.socket, "/run/shunt/control.sock");
	CU_ASSERT_STRING_EQUAL(config->control.nft, "/run/shunt/nft.sock");
	config_free(config);
	free(said);
}

static void
test_one_cpu(void)
{
	cpu_set_t saved = cpus;
	struct config *config;
	char *said;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	CU_ASSERT_EQUAL_FATAL(parse(PORT, strlen(PORT), &config, &said), 0);
	CU_ASSERT_EQUAL_FATAL(config->runtime.worker_count, 1);
	CU_ASSERT_EQUAL(config->runtime.workers[0], 0);
	config_free(config);
	free(said);
	cpus = saved;
}

static const char full[] = "runtime:\n"
			   "  workers: [3, 1]\n"
			   "  memory: \"2G\"\n"
			   "  idle: busy\n"
			   "  eal: [--no-pci, \"--vdev=net_null9\"]\n"
			   "  engine: reference\n"
			   "ports:\n"
			   "  - {name: lan, device: \"0000:03:00.0\", addresses: [10.0.0.1/24, "
			   "\"2001:db8:1::1/64\"]}\n"
			   "  - name: wan\n"
			   "    device: \"net_af_packet0,iface=veth1\"\n"
			   "    addresses: [192.0.2.1/31]\n"
			   "    mtu: 1500\n"
			   "    mac: \"02:00:00:00:00:aB\"\n"
			   "host: {twins: false, netns: \"\"}\n"
			   "routes:\n"
			   "  - {to: 0.0.0.0/0, via: 192.0.2.0}\n"
			   "  - {to: \"::/0\", via: \"2001:db8:1::fe\"}\n"
			   "neighbours:\n"
			   "  - {port: wan, address: 192.0.2.0, mac: \"02:00:00:00:00:fe\"}\n"
			   "  - {port: lan, address: \"fe80::1\", mac: \"02:00:00:00:00:fe\"}\n"
			   "ruleset: rules.nft\n"
			   "conntrack: {max: 1000, timeouts: {tcp_established: 7200, udp: 5}}\n"
			   "offload: {mode: software}\n"
			   "control: {socket: /tmp/c.sock, nft: /tmp/n.sock, admin_group: root}\n";

static void
test_full(void)
{
	struct config *config;
	char *said;
	union address via6;

	CU_ASSERT_EQUAL(parse(full, strlen(full), &config, &said), 0);
	CU_ASSERT_STRING_EQUAL(said, "");
	free(said);
	CU_ASSERT_PTR_NOT_NULL_FATAL(config);
	CU_ASSERT_EQUAL(config->runtime.worker_count, 2);
	CU_ASSERT_EQUAL(config->runtime.workers[0], 3);
	CU_ASSERT_EQUAL(config->runtime.memory, 2ULL << 30);
	CU_ASSERT_EQUAL(config->runtime.idle, CONFIG_IDLE_BUSY);
	CU_ASSERT_EQUAL(config->runtime.engine, CONFIG_ENGINE_REFERENCE);
	CU_ASSERT_EQUAL(config->runtime.eal_count, 2);
	CU_ASSERT_STRING_EQUAL(config->runtime.eal[1], "--vdev=net_null9");
	CU_ASSERT_EQUAL_FATAL(config->port_count, 2);
	CU_ASSERT_EQUAL(config->ports[0].address_count, 2);
	CU_ASSERT_EQUAL(config->ports[0].addresses[0].address.v4, htonl(0x0a000001));
	CU_ASSERT_EQUAL(config->ports[0].addresses[1].family, FAMILY_IPV6);
	CU_ASSERT_EQUAL(config->ports[0].addresses[1].len, 64);
	CU_ASSERT_FALSE(config->ports[0].has_mac);
	CU_ASSERT_STRING_EQUAL(config->ports[1].device, "net_af_packet0,iface=veth1");
	CU_ASSERT_EQUAL(config->ports[1].place.line, 10);
	CU_ASSERT_EQUAL(config->ports[1].place.column, 13);
	CU_ASSERT_EQUAL(config->ports[1].mtu, 1500);
	CU_ASSERT_EQUAL(config->ports[1].mac[5], 0xab);
	CU_ASSERT_EQUAL_FATAL(config->route_count, 2);
	CU_ASSERT_EQUAL(config->routes[0].port, 1);
	CU_ASSERT_EQUAL(config->routes[0].to.len, 0);
	CU_ASSERT_EQUAL(config->routes[1].port, 0);
	inet_pton(AF_INET6, "2001:db8:1::fe", &via6);
	CU_ASSERT_EQUAL(memcmp(&config->routes[1].via, &via6, 16), 0);
	CU_ASSERT_EQUAL_FATAL(config->neighbour_count, 2);
	CU_ASSERT_EQUAL(config->neighbours[0].port, 1);
	CU_ASSERT_EQUAL(config->neighbours[0].mac[5], 0xfe);
	CU_ASSERT_STRING_EQUAL(config->ruleset, "rules.nft");
	CU_ASSERT_EQUAL(config->ruleset_place.line, 21);
	CU_ASSERT_EQUAL(config->conntrack.max, 1000);
	CU_ASSERT_EQUAL(config->conntrack.timeouts[CONFIG_TIMEOUT_udp], 5);
	CU_ASSERT_EQUAL(config->conntrack.timeouts[CONFIG_TIMEOUT_udp_stream], 120);
	CU_ASSERT_EQUAL(config->offload.mode, CONFIG_OFFLOAD_SOFTWARE);
	CU_ASSERT_EQUAL(config->control.admin_group, 0);
	config_free(config);
}

/* Each text with all that must be said of it. */
static const struct {
	const char *text;
	const char *errors;
} bad[] = {
#include "bad.inc"
};

static void
test_bad(void)
{
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config *config;
		char *said;

		CU_ASSERT_EQUAL(parse(bad[i].text, strlen(bad[i].text), &config, &said), -EINVAL);
		CU_ASSERT_PTR_NULL(config);
		CU_ASSERT_STRING_EQUAL(said, bad[i].errors);
		if (strcmp(said, bad[i].errors) != 0)
			fprintf(stderr, "\n%s--- must be:\n%s--- is:\n%s", bad[i].text,
				bad[i].errors, said);
		free(said);
	}
}

static void
test_file(void)
{
	char dir[] = "/tmp/shunt-test-XXXXXX";
	char path[64];
	char want[128];
	struct config *config = NULL;
	char *said;
	size_t size;
	FILE *file;
	FILE *err;
	int i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/shunt.yaml", dir);
	file = fopen(path, "w");
	fprintf(file, PORT "ruleset: rules.nft\n");
	fclose(file);
	CU_ASSERT_EQUAL_FATAL(config_load(path, &cpus, stderr, &config), 0);
	/* Relative to the file, wherever the daemon runs. */
	snprintf(want, sizeof(want), "%s/rules.nft", dir);
	CU_ASSERT_STRING_EQUAL(config->ruleset, want);
	config_free(config);
	err = open_memstream(&said, &size);
	CU_ASSERT_EQUAL(config_load(dir, &cpus, err, &config), -EISDIR);
	file = fopen(path, "w");
	for (i = 0; i < 1 << 17; i++)
		fprintf(file, "# large\n#\n");
	fclose(file);
	CU_ASSERT_EQUAL(config_load(path, &cpus, err, &config), -EFBIG);
	unlink(path);
	CU_ASSERT_EQUAL(config_load(path, &cpus, err, &config), -ENOENT);
	fclose(err);
	snprintf(want, sizeof(want), "%s: No such file or directory\n", path);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, want));
	free(said);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static void
test_print(void)
{
	struct config *config;
	char *said;
	char *printed;
	size_t size;
	FILE *out = open_memstream(&printed, &size);

	CU_ASSERT_EQUAL_FATAL(parse(full, strlen(full), &config, &said), 0);
	config_print(config, out);
	fclose(out);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(printed, "workers: CPU 3 1, busy when idle, engine reference\n"
				"memory: 2048 MiB\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(printed, "port wan: device net_af_packet0,iface=veth1, "
					       "addresses 192.0.2.1/31, mtu 1500, mac "
					       "02:00:00:00:00:ab\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(printed, "route ::/0 via 2001:db8:1::fe on lan\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(printed, "offload: software\n"));
	config_free(config);
	free(said);
	free(printed);
}

/* The samples that the project ships. */
static void
test_samples(void)
{
	struct config *config = NULL;

	CU_ASSERT_EQUAL_FATAL(config_load(SAMPLES "/home-gateway.yaml", &cpus, stderr, &config), 0);
	CU_ASSERT_EQUAL(access(config->ruleset, R_OK), 0);
	config_free(config);
}

/* Bytes of a good file changed, lines left out or doubled: an answer, and no report of a sanitizer.
 */
static void
test_mutated(void)
{
	unsigned int seed = 31415926;
	size_t good = 0;
	int i;

	printf(" (seed %u) ", seed);
	for (i = 0; i < 20000; i++) {
		char text[2 * sizeof(full)];
		size_t len = sizeof(full) - 1;
		struct config *config;
		char *said;
		int n = 1 + rand_r(&seed) % 3;
		int ret;

		memcpy(text, full, len);
		while (n-- > 0) {
			size_t at = (size_t)rand_r(&seed) % len;
			size_t cut = 1 + (size_t)rand_r(&seed) % 40;

			if (cut > len - at)
				cut = len - at;
			switch (rand_r(&seed) % 4) {
			case 0:
				text[at] = "{}[]:,-&*!|>'\"#%@\n \t~?\\0x"[rand_r(&seed) % 26];
				break;
			case 1: text[at] = (char)rand_r(&seed); break;
			case 2:
				if (len + cut < sizeof(text)) {
					memmove(text + at + cut, text + at, len - at);
					len += cut;
				}
				break;
			default:
				memmove(text + at, text + at + cut, len - at - cut);
				len -= cut;
				len = len > 0 ? len : 1;
				break;
			}
		}
		ret = parse(text, len, &config, &said);
		if ((ret == 0) != (config != NULL) || (ret != 0) != (said[0] != '\0'))
			CU_FAIL("neither a config nor an error");
		if (ret != 0 &&
			(strncmp(said, "f.yaml:", 7) != 0 || strncmp(said, "f.yaml:0", 8) == 0))
			CU_FAIL("an error without a place");
		good += ret == 0;
		config_free(config);
		free(said);
	}
	CU_ASSERT(good > 100);
	CU_ASSERT(good < 19900);
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"a minimal file, and the defaults", test_minimal},
		{"one CPU", test_one_cpu},
		{"every key", test_full},
		{"errors, each with its place", test_bad},
		{"files", test_file},
		{"what --check prints", test_print},
		{"the samples", test_samples},
		{"mutated files", test_mutated},
		CU_TEST_INFO_NULL,
	};
	int cpu;

	CPU_ZERO(&cpus);
	for (cpu = 0; cpu < 4; cpu++)
		CPU_SET(cpu, &cpus);
	return unit_run("config", tests);
}
