/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "unix_socket.h"

#define PATH_SIZE 64

/* What DPDK's smallest set-up with one port's buffers needs, and what no machine has. */
#define MEMORY_MIN (64ULL << 20)
#define MEMORY_MAX (1ULL << 44)

#define CONNTRACK_MAX_DEFAULT 1048576
#define CONNTRACK_MAX_MOST    (1U << 28)

/* sun_path less its terminator. */
#define SOCKET_PATH_MAX 107

void
check_say(FILE *err, const char *file, struct config_place at, const char *text)
{
	const char *c;

	fprintf(err, "%s:%u:%u: ", file, at.line, at.column);
	/* The text may quote the file: no escape sequences to the terminal. */
	for (c = text; *c != '\0'; c++)
		fputc((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c, err);
	fputc('\n', err);
}

void
check_fail(struct check *c, const char *path, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	check_say(c->err, c->file, place_of(c->index, path), text);
	c->errors++;
}

void *
check_alloc(struct check *c, unsigned int count, size_t size)
{
	void *p = calloc(count > 0 ? count : 1, size);

	if (p == NULL)
		c->no_memory = true;
	return p;
}

char *
check_copy(struct check *c, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		c->no_memory = true;
	return copy;
}

bool
check_number(struct check *c, const char *path, const char *text, uint64_t min, uint64_t max,
	uint64_t *out)
{
	int ret = value_number(text, min, max, out);

	if (ret == -EINVAL)
		check_fail(c, path, "\"%s\" is no number", text);
	else if (ret != 0)
		check_fail(c, path, "%s is not in %llu to %llu", text, (unsigned long long)min,
			(unsigned long long)max);
	return ret == 0;
}

/* A word of a list. words ends with NULL. @return its number, or -1 after an error */
static int
check_word(struct check *c, const char *path, const char *text, const char *const *words)
{
	char all[128] = "";
	size_t len = 0;
	int i;

	for (i = 0; words[i] != NULL; i++) {
		if (strcmp(text, words[i]) == 0)
			return i;
		len += (size_t)snprintf(
			all + len, sizeof(all) - len, "%s%s", i > 0 ? ", " : "", words[i]);
	}
	check_fail(c, path, "\"%s\" is none of: %s", text, all);
	return -1;
}

/* Every CPU but the first; the only one if there is one. */
static void
default_workers(struct check *c)
{
	struct config *config = c->config;
	int count = CPU_COUNT(c->cpus);
	int first = -1;
	int cpu;

	config->runtime.workers = check_alloc(c, CONFIG_WORKERS_MAX, sizeof(unsigned int));
	if (config->runtime.workers == NULL)
		return;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, c->cpus))
			continue;
		if (first < 0 && count > 1) {
			first = cpu;
			continue;
		}
		if (config->runtime.worker_count < CONFIG_WORKERS_MAX)
			config->runtime.workers[config->runtime.worker_count++] = (unsigned int)cpu;
	}
}

static bool
worker_exists(const struct config *config, uint64_t cpu)
{
	unsigned int i;

	for (i = 0; i < config->runtime.worker_count; i++) {
		if (config->runtime.workers[i] == cpu)
			return true;
	}
	return false;
}

static void
check_workers(struct check *c)
{
	const struct raw_runtime *raw = &c->raw->runtime;
	struct config *config = c->config;
	unsigned int i;

	if (raw->workers_count == 0) {
		if (place_has(c->index, "runtime.workers"))
			check_fail(c, "runtime.workers", "at least one worker is needed");
		else
			default_workers(c);
		return;
	}
	if (raw->workers_count > CONFIG_WORKERS_MAX) {
		check_fail(c, "runtime.workers", "at most %d workers", CONFIG_WORKERS_MAX);
		return;
	}
	config->runtime.workers = check_alloc(c, raw->workers_count, sizeof(unsigned int));
	for (i = 0; i < raw->workers_count && config->runtime.workers != NULL; i++) {
		char path[PATH_SIZE];
		uint64_t cpu;

		snprintf(path, sizeof(path), "runtime.workers[%u]", i);
		if (!check_number(c, path, raw->workers[i], 0, CPU_SETSIZE - 1, &cpu))
			continue;
		if (!CPU_ISSET((int)cpu, c->cpus))
			check_fail(c, path, "there is no CPU %s for shuntd here", raw->workers[i]);
		else if (worker_exists(config, cpu))
			check_fail(c, path, "CPU %s is given twice", raw->workers[i]);
		else
			config->runtime.workers[config->runtime.worker_count++] = (unsigned int)cpu;
	}
}

/* EAL arguments that other keys or shuntd itself decide. */
static const struct {
	const char *option;
	const char *instead;
} eal_refused[] = {
	{"-l", "runtime.workers says which CPUs"},
	{"-c", "runtime.workers says which CPUs"},
	{"-s", "runtime.workers says which CPUs"},
	{"-S", "runtime.workers says which CPUs"},
	{"--lcores", "runtime.workers says which CPUs"},
	{"--main-lcore", "runtime.workers says which CPUs"},
	{"-m", "runtime.memory says how much"},
	{"--file-prefix", "every shuntd has one of its own"},
	{"--proc-type", "shuntd is always a primary process"},
};

static void
check_eal(struct check *c)
{
	const struct raw_runtime *raw = &c->raw->runtime;
	struct config *config = c->config;
	unsigned int i;
	size_t j;

	config->runtime.eal = check_alloc(c, raw->eal_count, sizeof(char *));
	if (config->runtime.eal == NULL)
		return;
	for (i = 0; i < raw->eal_count; i++) {
		const char *arg = raw->eal[i];

		for (j = 0; j < sizeof(eal_refused) / sizeof(eal_refused[0]); j++) {
			const char *option = eal_refused[j].option;
			size_t len = strlen(option);
			char path[PATH_SIZE];

			/* "-l1" and "--lcores=1" are one argument; "-log" would be none at all. */
			if (strncmp(arg, option, len) != 0 ||
				(option[1] == '-' && arg[len] != '\0' && arg[len] != '='))
				continue;
			snprintf(path, sizeof(path), "runtime.eal[%u]", i);
			check_fail(c, path, "EAL's %s is not for here: %s", option,
				eal_refused[j].instead);
			break;
		}
		config->runtime.eal[config->runtime.eal_count++] = check_copy(c, arg);
	}
}

static void
check_runtime(struct check *c)
{
	static const char *const idle[] = {"adaptive", "busy", NULL};
	static const char *const engine[] = {"compiled", "reference", NULL};
	const struct raw_runtime *raw = &c->raw->runtime;
	struct config *config = c->config;
	int word;

	check_workers(c);
	check_eal(c);
	if (raw->memory != NULL && strcmp(raw->memory, "auto") != 0) {
		if (value_size(raw->memory, &config->runtime.memory) != 0)
			check_fail(c, "runtime.memory", "\"%s\" is neither auto nor a size, as 2G",
				raw->memory);
		else if (config->runtime.memory < MEMORY_MIN || config->runtime.memory > MEMORY_MAX)
			check_fail(c, "runtime.memory", "%s is not in 64M to 16T", raw->memory);
	}
	if (raw->idle != NULL) {
		word = check_word(c, "runtime.idle", raw->idle, idle);
		config->runtime.idle = word > 0 ? CONFIG_IDLE_BUSY : CONFIG_IDLE_ADAPTIVE;
	}
	if (raw->engine != NULL) {
		word = check_word(c, "runtime.engine", raw->engine, engine);
		config->runtime.engine =
			word > 0 ? CONFIG_ENGINE_REFERENCE : CONFIG_ENGINE_COMPILED;
	}
}

static void
check_host(struct check *c)
{
	const struct raw_host *raw = &c->raw->host;
	bool twins;

	if (raw->twins != NULL) {
		if (value_bool(raw->twins, &twins) != 0)
			check_fail(c, "host.twins", "\"%s\" is neither true nor false", raw->twins);
		else if (twins)
			check_fail(c, "host.twins",
				"twins are not built yet: host.twins must be false");
	}
	if (raw->netns != NULL && raw->netns[0] != '\0')
		check_fail(c, "host.netns", "twins are not built yet: host.netns must be \"\"");
}

static void
check_conntrack(struct check *c)
{
	const struct raw_conntrack *raw = &c->raw->conntrack;
	const char *const texts[] = {
#define X(name, seconds) raw->timeouts.name,
		CONFIG_TIMEOUTS(X)
#undef X
	};
	static const uint32_t defaults[] = {
#define X(name, seconds) seconds,
		CONFIG_TIMEOUTS(X)
#undef X
	};
	uint64_t n = CONNTRACK_MAX_DEFAULT;
	unsigned int i;

	if (raw->max != NULL)
		check_number(c, "conntrack.max", raw->max, 1, CONNTRACK_MAX_MOST, &n);
	c->config->conntrack.max = (uint32_t)n;
	for (i = 0; i < CONFIG_TIMEOUT_COUNT; i++) {
		char path[PATH_SIZE];

		n = defaults[i];
		snprintf(path, sizeof(path), "conntrack.timeouts.%s", config_timeout_name(i));
		if (texts[i] != NULL)
			check_number(c, path, texts[i], 1, CONFIG_TIMEOUT_MAX, &n);
		c->config->conntrack.timeouts[i] = (uint32_t)n;
	}
}

static void
check_offload(struct check *c)
{
	static const char *const modes[] = {"off", "software", "flowtable", "auto", NULL};
	const char *text = c->raw->offload.mode;
	int mode = CONFIG_OFFLOAD_FLOWTABLE;

	if (text != NULL)
		mode = check_word(c, "offload.mode", text, modes);
	if (mode == CONFIG_OFFLOAD_AUTO)
		check_fail(c, "offload.mode", "offload.mode auto is not built yet");
	c->config->offload.mode = mode >= 0 ? (enum config_offload)mode : CONFIG_OFFLOAD_OFF;
}

static char *
check_socket(struct check *c, const char *path, const char *text, const char *def)
{
	if (text == NULL)
		text = def;
	if (text[0] != '/')
		check_fail(c, path, "\"%s\" is no absolute path", text);
	else if (strlen(text) > SOCKET_PATH_MAX)
		check_fail(c, path, "a socket's path has at most %d bytes", SOCKET_PATH_MAX);
	return check_copy(c, text);
}

/* A group that the file names must exist; the default one may be missing. */
static gid_t
check_group(struct check *c, const char *path, const char *text, const char *def)
{
	gid_t gid = UNIX_NO_GROUP;

	if (unix_group(text != NULL ? text : def, &gid) != 0 && text != NULL)
		check_fail(c, path, "there is no group \"%s\" here", text);
	return gid;
}

static void
check_control(struct check *c)
{
	const struct raw_control *raw = &c->raw->control;
	struct config *config = c->config;

	config->control.socket =
		check_socket(c, "control.socket", raw->socket, "/run/shunt/control.sock");
	config->control.nft = check_socket(c, "control.nft", raw->nft, "/run/shunt/nft.sock");
	if (config->control.socket != NULL && config->control.nft != NULL &&
		strcmp(config->control.socket, config->control.nft) == 0)
		check_fail(c, "control.nft", "the control socket and the nft socket are the same");
	config->control.admin_group =
		check_group(c, "control.admin_group", raw->admin_group, "shunt");
	config->control.view_group =
		check_group(c, "control.view_group", raw->view_group, "shunt-view");
}

static void
check_ruleset(struct check *c)
{
	const char *text = c->raw->ruleset != NULL ? c->raw->ruleset : "/etc/shunt/ruleset.nft";
	const char *slash = strrchr(c->file, '/');
	char *path;

	if (text[0] == '\0')
		check_fail(c, "ruleset", "the path is empty");
	if (text[0] == '/' || slash == NULL) {
		path = check_copy(c, text);
	} else if (asprintf(&path, "%.*s/%s", (int)(slash - c->file), c->file, text) < 0) {
		path = NULL;
		c->no_memory = true;
	}
	c->config->ruleset = path;
	c->config->follow = c->raw->follow != NULL;
	if (c->config->follow && strcmp(c->raw->follow, "kernel") != 0)
		check_fail(c, "follow", "'%s': only 'kernel' can be followed", c->raw->follow);
	else if (c->config->follow && c->raw->ruleset != NULL)
		check_fail(c, "follow", "the ruleset is the kernel's: without 'ruleset'");
	if (c->raw->ruleset != NULL)
		c->config->ruleset_place = place_of(c->index, "ruleset");
}

/* All parts. @return 0, -EINVAL or -ENOMEM */
static int
check_all(struct check *c)
{
	check_runtime(c);
	check_net(c);
	check_host(c);
	check_ruleset(c);
	check_conntrack(c);
	check_offload(c);
	check_control(c);
	if (c->no_memory)
		return -ENOMEM;
	return c->errors > 0 ? -EINVAL : 0;
}

int
config_parse(const char *path, const char *text, size_t len, const cpu_set_t *cpus, FILE *err,
	struct config **out)
{
	struct place_index *index = NULL;
	struct raw_config *raw = NULL;
	struct place_error error;
	struct check c = {.file = path, .cpus = cpus, .err = err};
	int ret = place_index(text, len, &index, &error);

	if (ret == 0)
		ret = raw_load(text, len, index, &raw, &error);
	if (ret == -EINVAL)
		check_say(err, path, error.at, error.text);
	if (ret == 0) {
		c.index = index;
		c.raw = raw;
		c.config = calloc(1, sizeof(*c.config));
		ret = c.config != NULL ? check_all(&c) : -ENOMEM;
	}
	if (ret == -ENOMEM)
		fprintf(err, "%s: out of memory\n", path);
	raw_free(raw);
	place_free(index);
	if (ret != 0)
		config_free(c.config);
	else
		*out = c.config;
	return ret;
}
