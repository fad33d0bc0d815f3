/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "shuntctl.h"

/* 1 to 65535, digits alone. @return -1 if it is none */
static int
port_number(const char *text)
{
	int n = 0;

	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		n = n * 10 + (*text - '0');
		if (n > 65535)
			return -1;
	}
	return n > 0 ? n : -1;
}

/* "10.0.0.1:80", "[2001:db8::1]:80", either without port. @return the family, 0 if it is none */
static int
endpoint(const char *text, char address[INET6_ADDRSTRLEN], int *port)
{
	struct in6_addr binary;
	bool bracket = text[0] == '[';
	size_t len = strcspn(text + bracket, bracket ? "]" : ":");
	const char *rest = text + bracket + len;
	int family = bracket ? AF_INET6 : AF_INET;

	if (bracket && *rest++ != ']')
		return 0;
	if (len >= INET6_ADDRSTRLEN)
		return 0;
	memcpy(address, text + bracket, len);
	address[len] = '\0';
	*port = 0;
	if (*rest == ':')
		*port = port_number(rest + 1);
	else if (*rest != '\0')
		return 0;
	return *port >= 0 && inet_pton(family, address, &binary) == 1 ? family : 0;
}

static bool
has_ports(const char *proto)
{
	static const char *const names[] = {"tcp", "udp", "udplite", "sctp", "dccp"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(proto, names[i]) == 0)
			return true;
	}
	return false;
}

static bool
is_protocol(const char *proto)
{
	return has_ports(proto) || strcmp(proto, "icmp") == 0 || strcmp(proto, "icmpv6") == 0 ||
	       strcmp(proto, "gre") == 0 || strcmp(proto, "esp") == 0;
}

json_t *
ctl_tuple(int argc, char **argv, char *why, size_t size)
{
	char src[INET6_ADDRSTRLEN];
	char dst[INET6_ADDRSTRLEN];
	const char *in = NULL;
	json_t *tuple;
	int family;
	int sport;
	int dport;

	if (argc >= 2 && strcmp(argv[0], "in") == 0) {
		in = argv[1];
		argc -= 2;
		argv += 2;
	}
	*why = '\0';
	if (argc != 3)
		snprintf(why, size, "a tuple is a protocol and two addresses");
	else if (!is_protocol(argv[0]))
		snprintf(why, size, "no protocol \"%s\"", argv[0]);
	else if ((family = endpoint(argv[1], src, &sport)) == 0)
		snprintf(why, size, "\"%s\" is no address", argv[1]);
	else if (endpoint(argv[2], dst, &dport) != family)
		snprintf(why, size, "\"%s\" is no address of the same family", argv[2]);
	else if (!has_ports(argv[0]) && (sport != 0 || dport != 0))
		snprintf(why, size, "%s has no ports", argv[0]);
	if (*why != '\0')
		return NULL;
	tuple = json_pack(
		"{s:s*, s:s, s:s, s:s}", "in", in, "proto", argv[0], "src", src, "dst", dst);
	if (tuple == NULL) {
		snprintf(why, size, "the port's name is not UTF-8");
		return NULL;
	}
	if (sport != 0)
		json_object_set_new(tuple, "sport", json_integer(sport));
	if (dport != 0)
		json_object_set_new(tuple, "dport", json_integer(dport));
	return tuple;
}

int
ctl_explain(struct ctl *ctl, const struct ctl_command *command, int argc, char **argv)
{
	char why[256];
	json_t *tuple;

	if (argc > 0 && strcmp(argv[argc - 1], "-j") == 0) {
		ctl->json = true;
		argc--;
	}
	tuple = ctl_tuple(argc, argv, why, sizeof(why));
	if (tuple == NULL)
		return ctl_misuse(ctl, command, "%s", why);
	return ctl_call(ctl, command, tuple);
}
