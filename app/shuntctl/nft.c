/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `shuntctl nft`: nft's command line on libnftables, whose netlink goes to the
 * daemon by the shim that is linked in. The options are those of nftables 1.0.6's
 * src/main.c.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shuntctl.h"

/* Old enough to miss in libnftables.h of some releases. */
#ifndef NFT_OPTIMIZE_ENABLED
#define NFT_OPTIMIZE_ENABLED 0x1
#endif

/**
 * Where the shim's netlink sockets go from now on. Weak: without the shim,
 * libnftables would talk to the kernel, so then nothing is run.
 */
void __attribute__((weak)) shim_set_socket(const char *path);

static const struct {
	const char *name;
	unsigned int flag;
} debug_levels[] = {
	{"scanner", NFT_DEBUG_SCANNER},
	{"parser", NFT_DEBUG_PARSER},
	{"eval", NFT_DEBUG_EVALUATION},
	{"netlink", NFT_DEBUG_NETLINK},
	{"mnl", NFT_DEBUG_MNL},
	{"proto-ctx", NFT_DEBUG_PROTO_CTX},
	{"segtree", NFT_DEBUG_SEGTREE},
	{"all", 0x7f},
};

/* Options that are an output flag each. */
static const struct {
	int option;
	unsigned int flag;
} output_flags[] = {
	{'N', NFT_CTX_OUTPUT_REVERSEDNS},
	{'S', NFT_CTX_OUTPUT_SERVICE},
	{'s', NFT_CTX_OUTPUT_STATELESS},
	{'a', NFT_CTX_OUTPUT_HANDLE},
	{'j', NFT_CTX_OUTPUT_JSON},
	{'e', NFT_CTX_OUTPUT_ECHO},
	{'u', NFT_CTX_OUTPUT_GUID},
	{'p', NFT_CTX_OUTPUT_NUMERIC_PROTO},
	{'y', NFT_CTX_OUTPUT_NUMERIC_PRIO},
	{'n', NFT_CTX_OUTPUT_NUMERIC_ALL},
	{'T', NFT_CTX_OUTPUT_NUMERIC_TIME},
	{'t', NFT_CTX_OUTPUT_TERSE},
};

static const struct option long_options[] = {
	{"help", no_argument, NULL, 'h'},
	{"file", required_argument, NULL, 'f'},
	{"define", required_argument, NULL, 'D'},
	{"interactive", no_argument, NULL, 'i'},
	{"includepath", required_argument, NULL, 'I'},
	{"check", no_argument, NULL, 'c'},
	{"optimize", no_argument, NULL, 'o'},
	{"handle", no_argument, NULL, 'a'},
	{"stateless", no_argument, NULL, 's'},
	{"terse", no_argument, NULL, 't'},
	{"service", no_argument, NULL, 'S'},
	{"reversedns", no_argument, NULL, 'N'},
	{"guid", no_argument, NULL, 'u'},
	{"numeric", no_argument, NULL, 'n'},
	{"numeric-priority", no_argument, NULL, 'y'},
	{"numeric-protocol", no_argument, NULL, 'p'},
	{"numeric-time", no_argument, NULL, 'T'},
	{"echo", no_argument, NULL, 'e'},
	{"json", no_argument, NULL, 'j'},
	{"debug", required_argument, NULL, 'd'},
	{NULL, 0, NULL, 0},
};

/* What the options say beyond the context's settings. */
struct request {
	const char *file;
	bool interactive;
	bool help;
};

static bool
set_debug(struct nft_ctx *nft, char *list)
{
	unsigned int mask = nft_ctx_output_get_debug(nft);
	char *save = NULL;
	char *word;
	size_t i;

	for (word = strtok_r(list, ",", &save); word != NULL; word = strtok_r(NULL, ",", &save)) {
		for (i = 0; i < sizeof(debug_levels) / sizeof(debug_levels[0]); i++) {
			if (strcmp(debug_levels[i].name, word) == 0)
				break;
		}
		if (i == sizeof(debug_levels) / sizeof(debug_levels[0])) {
			fprintf(stderr, "invalid debug parameter `%s'\n", word);
			return false;
		}
		mask |= debug_levels[i].flag;
	}
	nft_ctx_output_set_debug(nft, mask);
	return true;
}

static bool
set_output(struct nft_ctx *nft, int option)
{
	size_t i;

	for (i = 0; i < sizeof(output_flags) / sizeof(output_flags[0]); i++) {
		if (output_flags[i].option != option)
			continue;
		nft_ctx_output_set_flags(nft, nft_ctx_output_get_flags(nft) | output_flags[i].flag);
		return true;
	}
	return false;
}

/* One option. @return false: wrong, said so */
static bool
take_option(struct nft_ctx *nft, int option, struct request *request)
{
	switch (option) {
	case 'f': request->file = optarg; return true;
	case 'i': request->interactive = true; return true;
	case 'h': request->help = true; return true;
	case 'c': nft_ctx_set_dry_run(nft, true); return true;
	case 'o': nft_ctx_set_optimize(nft, NFT_OPTIMIZE_ENABLED); return true;
	case 'd': return set_debug(nft, optarg);
	case 'D':
		if (nft_ctx_add_var(nft, optarg) == 0)
			return true;
		fprintf(stderr, "Failed to define variable '%s'\n", optarg);
		return false;
	case 'I':
		if (nft_ctx_add_include_path(nft, optarg) == 0)
			return true;
		fprintf(stderr, "Failed to add include path '%s'\n", optarg);
		return false;
	default: return set_output(nft, option);
	}
}

/* The words as one command. */
static int
run_words(struct nft_ctx *nft, int argc, char **argv)
{
	char *command = NULL;
	size_t size;
	FILE *out = open_memstream(&command, &size);
	int ret;
	int i;

	if (out == NULL)
		return -1;
	for (i = 0; i < argc; i++)
		fprintf(out, "%s%s", i > 0 ? " " : "", argv[i]);
	fputc('\n', out);
	if (fclose(out) != 0) {
		free(command);
		return -1;
	}
	ret = nft_run_cmd_from_buffer(nft, command);
	free(command);
	return ret;
}

static int
run_lines(struct nft_ctx *nft)
{
	char *line = NULL;
	size_t size = 0;

	for (;;) {
		if (isatty(STDIN_FILENO)) {
			printf("nft> ");
			fflush(stdout);
		}
		if (getline(&line, &size, stdin) < 0 || strcmp(line, "quit\n") == 0)
			break;
		/* An error has been printed; the next line is another matter. */
		nft_run_cmd_from_buffer(nft, line);
	}
	free(line);
	return 0;
}

/* Options and what they ask for. @return enum ctl_exit */
static int
run(struct nft_ctx *nft, int argc, char **argv)
{
	struct request request = {0};
	int option;
	int ret;

	/* 0: glibc starts afresh, also with the "+". */
	optind = 0;
	while ((option = getopt_long(
			argc, argv, "+hf:D:iI:coastSNunypTejd:", long_options, NULL)) != -1) {
		if (!take_option(nft, option, &request))
			return CTL_USAGE;
	}
	if (request.help) {
		printf("nft's options and commands: see nft(8)\n");
		return CTL_OK;
	}
	if (optind < argc && request.file == NULL && !request.interactive) {
		ret = run_words(nft, argc - optind, argv + optind);
	} else if (optind < argc) {
		fprintf(stderr, "shuntctl: nft takes either a command or -f or -i\n");
		return CTL_USAGE;
	} else if (request.file != NULL) {
		ret = nft_run_cmd_from_filename(nft, request.file);
	} else if (request.interactive) {
		ret = run_lines(nft);
	} else {
		fprintf(stderr, "shuntctl: nft needs a command, -f or -i\n");
		return CTL_USAGE;
	}
	return ret == 0 ? CTL_OK : CTL_REFUSED;
}

int
ctl_nft_socket(const char *control_socket, char *path)
{
	struct ctl ctl = {.socket = control_socket, .out = stdout, .err = stderr};
	json_t *result = NULL;
	const char *text;
	int ret = ctl_ask(&ctl, "nft.socket", NULL, &result);

	if (ret == CTL_OK) {
		text = json_string_value(json_object_get(result, "path"));
		if (text == NULL || strlen(text) >= PATH_MAX) {
			fprintf(stderr, "shuntctl: the daemon names no nft socket\n");
			ret = CTL_REFUSED;
		} else {
			memcpy(path, text, strlen(text) + 1);
		}
	}
	json_decref(result);
	return ret;
}

int
shuntctl_nft(const char *control_socket, int argc, char **argv)
{
	/* The shim may keep the pointer. */
	static char path[PATH_MAX];
	char *args[argc + 2];
	struct nft_ctx *nft;
	int ret;

	if (shim_set_socket == NULL) {
		fprintf(stderr, "shuntctl: nft is not built into this shuntctl\n");
		return CTL_REFUSED;
	}
	ret = ctl_nft_socket(control_socket, path);
	if (ret != CTL_OK)
		return ret;
	shim_set_socket(path);
	nft = nft_ctx_new(NFT_CTX_DEFAULT);
	if (nft == NULL) {
		fprintf(stderr, "shuntctl: libnftables does not start\n");
		return CTL_REFUSED;
	}
	/* getopt wants a program's name in front. */
	args[0] = "nft";
	memcpy(&args[1], argv, (size_t)argc * sizeof(*argv));
	args[argc + 1] = NULL;
	ret = run(nft, argc + 1, args);
	nft_ctx_free(nft);
	return ret;
}

int
ctl_nft(struct ctl *ctl, const struct ctl_command *command, int argc, char **argv)
{
	/* shuntctl -j nft list ruleset */
	char *args[argc + 1];
	int n = 0;

	(void)command;
	if (ctl->json)
		args[n++] = "-j";
	memcpy(&args[n], argv, (size_t)argc * sizeof(*argv));
	return shuntctl_nft(ctl->socket, argc + n, args);
}

int
ctl_trace(struct ctl *ctl, const struct ctl_command *command, int argc, char **argv)
{
	static char monitor[] = "monitor", trace[] = "trace";
	char *args[] = {monitor, trace, NULL};

	if (argc > 0)
		return ctl_misuse(ctl, command, "unexpected \"%s\"", argv[0]);
	/* nft has no JSON of traces. */
	if (ctl->json)
		return ctl_misuse(ctl, command, "there is no JSON of traces");
	return shuntctl_nft(ctl->socket, 2, args);
}
