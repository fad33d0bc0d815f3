/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/route beside the kernel: the same addresses and routes on interfaces of a
 * network namespace of this process, then `ip route get` for random addresses.
 * Type, egress, gateway and source must agree. Exit status 77 (skipped) without
 * the right to make a namespace. SEED=… repeats a run.
 *
 *   router:  lan (port 0)   wan (port 1)   dmz (port 2)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "route.h"
#include "unit.h"

#define SKIPPED 77
#define QUERIES 400

static const char *const ports[] = {"lan", "wan", "dmz"};

static const struct {
	uint16_t port;
	const char *address;
	uint8_t len;
} addresses[] = {
	{0, "10.0.1.1", 24},
	{0, "10.0.1.129", 25},
	{0, "10.0.1.7", 24},
	{0, "10.0.9.1", 31},
	{1, "203.0.113.1", 24},
	{1, "198.51.100.5", 30},
	{2, "10.0.2.1", 24},
	{2, "10.0.4.4", 32},
	{0, "2001:db8:1::1", 64},
	{0, "fd00:1::1", 64},
	{1, "2001:db8:2::1", 64},
	{1, "2001:db8:2:1::1", 64},
	{2, "2001:db8:3::1", 127},
	{2, "2001:db8:4::", 64},
};

static const struct {
	const char *dst;
	uint8_t len;
	const char *via; /* NULL: by port, or a refusal */
	int port;	 /* -1: none */
	enum route_type type;
} routes[] = {
	{"0.0.0.0", 0, "203.0.113.30", -1, ROUTE_UNICAST},
	{"10.7.0.0", 16, "10.0.1.200", -1, ROUTE_UNICAST},
	{"10.7.1.0", 24, NULL, -1, ROUTE_BLACKHOLE},
	{"10.7.2.0", 24, NULL, -1, ROUTE_UNREACHABLE},
	{"10.7.3.0", 25, NULL, -1, ROUTE_PROHIBIT},
	{"10.8.0.0", 16, NULL, 2, ROUTE_UNICAST},
	{"10.0.1.64", 26, "198.51.100.6", 1, ROUTE_UNICAST},
	{"10.0.2.255", 32, NULL, 0, ROUTE_UNICAST},
	{"::", 0, "fe80::99", 1, ROUTE_UNICAST},
	{"2001:db8:7::", 48, "2001:db8:1::9", -1, ROUTE_UNICAST},
	{"2001:db8:7:1::", 64, NULL, -1, ROUTE_UNREACHABLE},
	{"fd00:2::", 32, NULL, 2, ROUTE_UNICAST},
};

static const char *const type_words[] = {
	[ROUTE_BLACKHOLE] = "blackhole",
	[ROUTE_UNREACHABLE] = "unreachable",
	[ROUTE_PROHIBIT] = "prohibit",
};

static struct route *route;
static uint64_t state;

static uint32_t
rnd(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545F4914F6CDD1DULL) >> 32);
}

static void
must(const char *command)
{
	if (system(command) != 0) {
		fprintf(stderr, "failed: %s\n", command);
		exit(1);
	}
}

static uint8_t
family_of(const char *text)
{
	return strchr(text, ':') != NULL ? FAMILY_IPV6 : FAMILY_IPV4;
}

static union address
addr(const char *text)
{
	union address a = {0};

	if (inet_pton(family_of(text) == FAMILY_IPV4 ? AF_INET : AF_INET6, text, &a) != 1)
		abort();
	return a;
}

static const char *
print(uint8_t family, const union address *a, char buf[INET6_ADDRSTRLEN])
{
	inet_ntop(family == FAMILY_IPV4 ? AF_INET : AF_INET6, a, buf, INET6_ADDRSTRLEN);
	return buf;
}

/* The kernel's side. */
static void
kernel_setup(void)
{
	char command[256];
	unsigned int i;

	must("ip link set lo up; sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
	     "net.ipv6.conf.default.forwarding=1 net.ipv6.conf.default.accept_dad=0 "
	     "net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.addr_gen_mode=0 "
	     "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 "
	     "net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.default.send_redirects=0");
	for (i = 0; i < RTE_DIM(ports); i++) {
		snprintf(command, sizeof(command),
			"ip link add %s address 02:00:00:00:00:%02x type veth peer name p%u && "
			"ip link set p%u up && ip link set %s up",
			ports[i], i + 1, i, i, ports[i]);
		must(command);
	}
	for (i = 0; i < RTE_DIM(addresses); i++) {
		snprintf(command, sizeof(command), "ip address add %s/%u dev %s %s",
			addresses[i].address, addresses[i].len, ports[addresses[i].port],
			family_of(addresses[i].address) == FAMILY_IPV6 ? "nodad" : "");
		must(command);
	}
	for (i = 0; i < RTE_DIM(routes); i++) {
		const char *word =
			routes[i].type == ROUTE_UNICAST ? "" : type_words[routes[i].type];

		snprintf(command, sizeof(command), "ip %s route add %s %s/%u %s %s %s %s",
			family_of(routes[i].dst) == FAMILY_IPV6 ? "-6" : "", word, routes[i].dst,
			routes[i].len, routes[i].via != NULL ? "via" : "",
			routes[i].via != NULL ? routes[i].via : "",
			routes[i].port >= 0 ? "dev" : "",
			routes[i].port >= 0 ? ports[routes[i].port] : "");
		must(command);
	}
}

static void
ours_setup(void)
{
	char err[ROUTE_ERR_LEN];
	unsigned int i;
	int ret = 0;

	if (rcu_init(1) != 0 || (route = route_new()) == NULL)
		abort();
	for (i = 0; i < RTE_DIM(ports); i++) {
		struct route_port info = {{0x02, 0, 0, 0, 0, (uint8_t)(i + 1)}, 1500};

		ret |= route_set_port(route, (uint16_t)i, &info);
	}
	for (i = 0; i < RTE_DIM(addresses); i++) {
		struct route_address a = {
			.port = addresses[i].port,
			.family = family_of(addresses[i].address),
			.len = addresses[i].len,
			.address = addr(addresses[i].address),
		};

		ret |= route_add_address(route, &a);
	}
	for (i = 0; i < RTE_DIM(routes); i++) {
		struct route_entry e = {
			.family = family_of(routes[i].dst),
			.len = routes[i].len,
			.type = routes[i].type,
			.has_via = routes[i].via != NULL,
			.port = routes[i].port < 0 ? PORT_NONE : (uint16_t)routes[i].port,
			.dst = addr(routes[i].dst),
		};

		if (e.has_via)
			e.via = addr(routes[i].via);
		ret |= route_add(route, &e);
	}
	CU_ASSERT_EQUAL_FATAL(ret, 0);
	ret = route_commit(route, NULL, err);
	if (ret != 0)
		printf("%s\n", err);
	CU_ASSERT_EQUAL_FATAL(ret, 0);
}

/* The word after `key` in a line of ip; empty if it is not there. */
static void
word_after(const char *line, const char *key, char out[64])
{
	const char *at = strstr(line, key);

	out[0] = '\0';
	if (at != NULL)
		sscanf(at + strlen(key), "%63s", out);
}

/* What the kernel says, as one line of the same form as ours(). */
static void
kernel_says(const char *query, char out[256])
{
	char command[256], line[512] = "", rest[256], dev[64], via[64], src[64];
	FILE *f;

	snprintf(command, sizeof(command), "ip route get %s 2>&1", query);
	f = popen(command, "r");
	if (f == NULL)
		abort();
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	while (fgets(rest, sizeof(rest), f) != NULL)
		;
	pclose(f);
	word_after(line, " dev ", dev);
	word_after(line, " via ", via);
	word_after(line, " src ", src);
	if (strstr(line, "Network is unreachable") != NULL)
		snprintf(out, 256, "none");
	else if (strncmp(line, "RTNETLINK", 9) == 0)
		snprintf(out, 256, "error:%.200s", strstr(line, ": ") + 1);
	else if (strncmp(line, "local", 5) == 0)
		snprintf(out, 256, "local src %s", src);
	else if (strncmp(line, "anycast", 7) == 0)
		snprintf(out, 256, "anycast");
	else if (strncmp(line, "broadcast", 9) == 0)
		snprintf(out, 256, "broadcast");
	else
		snprintf(out, 256, "unicast dev %s via %s src %s", dev, via, src);
	out[strcspn(out, "\n")] = '\0';
}

static void
ours_say(const char *dst, char out[256])
{
	char via[INET6_ADDRSTRLEN] = "", src_text[INET6_ADDRSTRLEN];
	const struct route_table *table = route_current(route);
	const struct route_nexthop *nh;
	struct route_result result;
	union address to = addr(dst), src = {0};
	uint8_t family = family_of(dst);
	int ret;

	ret = family == FAMILY_IPV4 ? route_output4(table, to.v4, &result, &src.v4)
				    : route_output6(table, PORT_NONE, &to, &result, &src);
	switch (result.type) {
	case ROUTE_NONE: snprintf(out, 256, "none"); return;
	case ROUTE_BLACKHOLE: snprintf(out, 256, "error: Invalid argument"); return;
	case ROUTE_UNREACHABLE: snprintf(out, 256, "error: No route to host"); return;
	case ROUTE_PROHIBIT: snprintf(out, 256, "error: Permission denied"); return;
	case ROUTE_BROADCAST: snprintf(out, 256, "broadcast"); return;
	case ROUTE_ANYCAST: snprintf(out, 256, "anycast"); return;
	case ROUTE_LOCAL: snprintf(out, 256, "local src %s", print(family, &src, src_text)); return;
	default: break;
	}
	nh = route_nexthop(table, result.nexthop);
	if (!result.on_link)
		print(family, &nh->via, via);
	snprintf(out, 256, "unicast dev %s via %s src %s", ports[result.port], via,
		ret == 0 ? print(family, &src, src_text) : "?");
}

/* One of the interesting places: an address or a route's prefix, and near it. */
static void
random_destination(bool v6, char out[INET6_ADDRSTRLEN])
{
	union address a;
	const char *text;
	uint8_t len;
	unsigned int i;

	do {
		i = rnd() % (RTE_DIM(addresses) + RTE_DIM(routes));
		text = i < RTE_DIM(addresses) ? addresses[i].address
					      : routes[i - RTE_DIM(addresses)].dst;
		len = i < RTE_DIM(addresses) ? addresses[i].len
					     : routes[i - RTE_DIM(addresses)].len;
	} while ((family_of(text) == FAMILY_IPV6) != v6);
	a = addr(text);
	if (rnd() % 4 != 0) {
		/* Any host bits, also all ones and zeros; sometimes a bit of the prefix too. */
		uint32_t bits = rnd() % 8 == 0 ? 0 : rnd() % 8 == 0 ? UINT32_MAX : rnd();

		if (v6) {
			a.w[3] = rte_cpu_to_be_32(bits);
			a.v6[7] ^= rnd() % 4 == 0 ? 1 : 0;
		} else {
			uint32_t mask =
				len == 0 ? UINT32_MAX : (uint32_t)(UINT32_MAX >> 1 >> (len - 1));

			if (rnd() % 3 == 0)
				mask = mask << 1 | 1;
			a.v4 = rte_cpu_to_be_32((rte_be_to_cpu_32(a.v4) & ~mask) | (bits & mask));
		}
	}
	print(v6 ? FAMILY_IPV6 : FAMILY_IPV4, &a, out);
}

static bool
special4(const char *text)
{
	uint32_t a = rte_be_to_cpu_32(addr(text).v4);

	return a == 0 || a == UINT32_MAX || a >> 24 == 127 || a >> 28 == 0xe;
}

static void
test_output(void)
{
	char dst[INET6_ADDRSTRLEN], kernel[256], ours[256];
	unsigned int i, bad = 0;

	for (i = 0; i < QUERIES; i++) {
		bool v6 = i % 2 == 1;

		random_destination(v6, dst);
		if (v6 ? addr(dst).v6[0] == 0 : special4(dst))
			continue;
		kernel_says(dst, kernel);
		ours_say(dst, ours);
		if (strcmp(kernel, ours) != 0) {
			printf("\n    %s: kernel \"%s\", ours \"%s\"", dst, kernel, ours);
			bad++;
		}
	}
	CU_ASSERT_EQUAL(bad, 0);
}

/* What a received packet meets: martians too. */
static void
input_says(const char *src, const char *dst, uint16_t port, char out[256])
{
	struct route_result r =
		route_input4(route_current(route), port, addr(src).v4, addr(dst).v4);

	switch (r.type) {
	case ROUTE_UNICAST: snprintf(out, 256, "unicast dev %s", ports[r.port]); break;
	case ROUTE_MARTIAN_SOURCE:
	case ROUTE_MARTIAN_DESTINATION: snprintf(out, 256, "martian"); break;
	default: snprintf(out, 256, "%s", route_type_name(r.type)); break;
	}
}

static void
input_kernel(const char *src, const char *dst, uint16_t port, char out[256])
{
	char query[128], line[256];

	snprintf(query, sizeof(query), "%s from %s iif %s", dst, src, ports[port]);
	kernel_says(query, line);
	/* The martian checks give EINVAL, or EXDEV; a blackhole EINVAL as well. */
	if (strstr(line, "Invalid") != NULL)
		snprintf(out, 256, "martian");
	else if (strstr(line, "No route to host") != NULL)
		snprintf(out, 256, "unreachable");
	else if (strstr(line, "Permission denied") != NULL)
		snprintf(out, 256, "prohibit");
	else if (strncmp(line, "unicast", 7) == 0)
		sscanf(line, "%255[^\n]", out), *strstr(out, " via") = '\0';
	else if (strncmp(line, "local", 5) == 0)
		snprintf(out, 256, "local");
	else
		snprintf(out, 256, "%s", line);
}

static void
test_input(void)
{
	static const char *const edges[] = {"127.0.0.1", "127.1.2.3", "255.255.255.255",
		"224.0.0.5", "0.0.0.1", "240.0.0.1", "10.0.1.255", "10.0.1.1", "203.0.113.1",
		"192.0.2.55"};
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], kernel[256], ours[256];
	unsigned int i, bad = 0, martians = 0;
	uint16_t port;

	for (i = 0; i < QUERIES; i++) {
		port = (uint16_t)(rnd() % RTE_DIM(ports));
		random_destination(false, src);
		random_destination(false, dst);
		if (rnd() % 3 == 0)
			snprintf(src, sizeof(src), "%s", edges[rnd() % RTE_DIM(edges)]);
		if (rnd() % 5 == 0)
			snprintf(dst, sizeof(dst), "%s", edges[rnd() % RTE_DIM(edges)]);
		/* ip takes 0.0.0.0 as "any", and multicast has a way of its own. */
		if (addr(src).v4 == 0 || addr(dst).v4 == 0 || addr(dst).v6[0] >> 4 == 0xe)
			continue;
		input_kernel(src, dst, port, kernel);
		input_says(src, dst, port, ours);
		martians += strcmp(ours, "martian") == 0;
		if (strcmp(ours, "blackhole") == 0)
			snprintf(ours, sizeof(ours), "martian");
		if (strcmp(kernel, ours) != 0) {
			printf("\n    %s -> %s on %s: kernel \"%s\", ours \"%s\"", src, dst,
				ports[port], kernel, ours);
			bad++;
		}
	}
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT(martians > 20);
}

int
main(void)
{
	const char *seed = getenv("SEED");
	CU_TestInfo tests[] = {
		{"the same configuration is taken", ours_setup},
		{"destinations: type, egress, gateway, source", test_output},
		{"received packets: martians", test_input},
		CU_TEST_INFO_NULL,
	};
	int status;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0)
		return SKIPPED;
	if (system("command -v ip sysctl >/dev/null") != 0)
		return SKIPPED;
	state = seed != NULL ? strtoull(seed, NULL, 0) : clock_ns() | 1;
	printf("SEED=0x%llx\n", (unsigned long long)state);
	kernel_setup();
	status = unit_run("beside the kernel", tests);
	route_free(route);
	rcu_fini();
	return status;
}
