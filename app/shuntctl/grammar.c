/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <string.h>

#include "shuntctl.h"

static const struct ctl_option flow_options[] = {
	{"--why", "why", "only flows that are not in hardware, with the reason"},
	{NULL, NULL, NULL},
};

/* clang-format off */
#define SHOW(what, text) \
	{"show " what, "", ctl_call_plain, "show." what, NULL, NULL, false, text}
#define NOT_BUILT(words, args, text) \
	{words, args, NULL, NULL, NULL, NULL, false, text}

const struct ctl_command ctl_commands[] = {
	SHOW("status", "the daemon: version, uptime, engine, what it holds"),
	SHOW("ports", "ports: device, link, addresses, counters"),
	SHOW("workers", "workers: CPU, load, packets"),
	SHOW("routes", "the routing table"),
	SHOW("neighbours", "neighbours and their MAC addresses"),
	SHOW("connections", "tracked connections"),
	{"show flows", "[--why]", ctl_call_plain, "show.flows", flow_options, NULL, false,
		"flows: where each is forwarded, and why not in hardware"},
	SHOW("offload", "what the NICs can do, and what is in them"),
	SHOW("drops", "dropped packets by reason"),
	SHOW("counters", "packets in and out, and their conservation"),
	SHOW("program", "the compiled ruleset"),
	SHOW("follow", "whose ruleset is followed, and whether it is in force"),
	SHOW("graph", "the packet graph as it runs"),
	{"show events", "[TYPE]", ctl_call_plain, "show.events", NULL, "type", false,
		"the last events"},
	{"explain", "[in PORT] PROTO SRC[:PORT] DST[:PORT]", ctl_explain, "explain", NULL, NULL,
		false, "what would become of a packet, and why; IPv6 in brackets"},
	{"events", "[TYPE]", ctl_call_plain, "events", NULL, "type", true,
		"events as they happen; TYPE is how their type begins"},
	{"nft", "ARGS…", ctl_nft, "nft.socket", NULL, NULL, false,
		"nft against this daemon, with all that nft takes"},
	{"trace", "", ctl_trace, "nft.socket", NULL, NULL, false,
		"packets that a rule gave nftrace, and their way through the rules"},
	{"conntrack", "ARGS…", ctl_conntrack, "nft.socket", NULL, NULL, false,
		"conntrack(8) against this daemon, with all that it takes"},
	{"exec", "-- PROGRAM ARGS…", ctl_exec, "nft.socket", NULL, NULL, false,
		"a program on libmnl or libnfnetlink against this daemon"},
	NOT_BUILT("capture", "PORT [-w FILE]", "packets of a port"),
	NOT_BUILT("top", "", "the largest flows"),
	NOT_BUILT("metrics", "", "all metrics, in OpenMetrics text"),
	NOT_BUILT("devices", "", "devices that could be ports"),
	NOT_BUILT("reload", "", "read config and ruleset again"),
	NOT_BUILT("apply", "FILE --confirm SECONDS", "try a ruleset"),
	NOT_BUILT("confirm", "", "keep what was applied"),
	NOT_BUILT("rollback", "", "go back to what was before"),
	{"completion", "", ctl_completion, NULL, NULL, NULL, false,
		"the bash completion script"},
	{"help", "", ctl_help, NULL, NULL, NULL, false, "this"},
	{NULL, NULL, NULL, NULL, NULL, NULL, false, NULL},
};
/* clang-format on */

/* How many arguments the words of a command match; 0 if not all of its words do. */
static int
match(const struct ctl_command *command, int argc, char **argv)
{
	const char *word = command->words;
	int n = 0;

	for (;;) {
		size_t len = strcspn(word, " ");

		if (n == argc || strlen(argv[n]) != len || memcmp(argv[n], word, len) != 0)
			return 0;
		n++;
		if (word[len] == '\0')
			return n;
		word += len + 1;
	}
}

const struct ctl_command *
ctl_find(int argc, char **argv, int *used)
{
	const struct ctl_command *command;

	for (command = ctl_commands; command->words != NULL; command++) {
		*used = match(command, argc, argv);
		if (*used > 0)
			return command;
	}
	return NULL;
}

void
ctl_usage(FILE *out)
{
	const struct ctl_command *command;

	fprintf(out, "usage: shuntctl [-s SOCKET] [-j] COMMAND\n"
		     "  -s SOCKET  the daemon's control socket (" CTL_SOCKET ")\n"
		     "  -j         JSON\n"
		     "commands:\n");
	for (command = ctl_commands; command->words != NULL; command++) {
		int n = fprintf(out, "  %s %s", command->words, command->args);

		/* The ellipsis is three bytes of one column. */
		if (strstr(command->args, "…") != NULL)
			n -= 2;
		fprintf(out, "%*s%s%s\n", n < 32 ? 32 - n : 1, "", command->text,
			command->run == NULL ? " (not built yet)" : "");
	}
	fprintf(out, "exit status: 0, 1 refused, 2 usage, 3 no daemon\n");
}

int
ctl_help(struct ctl *ctl, const struct ctl_command *command, int argc, char **argv)
{
	(void)argv;
	if (argc > 0)
		return ctl_misuse(ctl, command, "help takes no arguments");
	ctl_usage(ctl->out);
	return CTL_OK;
}

int
ctl_misuse(struct ctl *ctl, const struct ctl_command *command, const char *fmt, ...)
{
	va_list ap;

	fprintf(ctl->err, "shuntctl: ");
	va_start(ap, fmt);
	vfprintf(ctl->err, fmt, ap);
	va_end(ap);
	fprintf(ctl->err, "\nusage: shuntctl [-s SOCKET] [-j] %s %s\n", command->words,
		command->args);
	return CTL_USAGE;
}

int
ctl_run(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_command *command;
	int used;

	if (argc == 0) {
		ctl_usage(ctl->err);
		return CTL_USAGE;
	}
	command = ctl_find(argc, argv, &used);
	if (command == NULL) {
		fprintf(ctl->err, "shuntctl: no command \"%s%s%s\": see `shuntctl help`\n", argv[0],
			argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
		return CTL_USAGE;
	}
	if (command->run == NULL) {
		fprintf(ctl->err, "shuntctl: %s is not built yet\n", command->words);
		return CTL_REFUSED;
	}
	return command->run(ctl, command, argc - used, argv + used);
}
