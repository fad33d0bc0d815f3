/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shuntd: arguments, signals, the life of the daemon.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"
#include "ruleset.h"

static const char usage[] =
	"usage: shuntd [-c FILE] [--check]\n"
	"  -c, --config FILE  the config (" CONFIG_FILE ")\n"
	"      --check        check config and ruleset, say what the machine lacks, and exit\n"
	"  -d, --debug        more lines in the log\n"
	"  -V, --version      print the version\n"
	"exit status: 0, 1 refused, 2 usage\n";

static struct daemon the_daemon;

/* What a start would need, and what is missing. Returns the exit status. */
static int
check(struct config *config)
{
	char err[DAEMON_ERR_LEN];
	uint64_t free_mb = eal_hugepages_mb();
	uint32_t need_mb = eal_megabytes(config);

	config_print(config, stdout);
	printf("memory: %u MB for %u packet buffers, and up to %lu MB for %u connections\n",
		need_mb, eal_buffers(config),
		(unsigned long)((uint64_t)config->conntrack.max * 256 >> 20),
		config->conntrack.max);
	if (free_mb < need_mb)
		printf("hugepages: %lu MB free, %u MB wanted: ordinary pages will serve, slower\n",
			(unsigned long)free_mb, need_mb);
	if (geteuid() != 0)
		printf("user: not root: ports on kernel interfaces and PCI devices will not "
		       "open\n");
	if (ruleset_check(config, err) != 0) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	return 0;
}

static void
on_signal(void *arg, uint32_t events)
{
	struct signalfd_siginfo info;
	int fd = *(int *)arg;

	(void)events;
	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			log_warning("reload is not built yet: nothing changes");
			continue;
		}
		log_info("stopping: signal %u", info.ssi_signo);
		loop_stop(the_daemon.loop);
	}
}

static int
signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* Before EAL makes threads, which inherit it. */
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int
serve(struct config *config)
{
	struct daemon *d = &the_daemon;
	struct loop_fd *watch = NULL;
	char err[DAEMON_ERR_LEN];
	int fd = signals(), rc;

	d->config = config;
	d->started_ns = clock_ns();
	rc = fd < 0 ? -errno : wiring_up(d, err);
	if (rc != 0) {
		fprintf(stderr, "shuntd: %s\n", fd < 0 ? strerror(-rc) : err);
		return 1;
	}
	rc = loop_add(d->loop, fd, EPOLLIN, on_signal, &fd, &watch);
	if (rc == 0) {
		log_info("ready: %u ports, %u workers", config->port_count,
			config->runtime.worker_count);
		notify("READY=1");
		rc = loop_run(d->loop);
		notify("STOPPING=1");
	}
	loop_remove(watch);
	wiring_down(d);
	close(fd);
	return rc == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'C'},
		{"debug", no_argument, NULL, 'd'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		/* What the daemon starts for its ruleset file: not for people. */
		{"load-ruleset", required_argument, NULL, 'L'},
		{NULL, 0, NULL, 0},
	};
	const char *path = CONFIG_FILE;
	struct config *config;
	const char *load = NULL;
	bool only_check = false;
	cpu_set_t cpus;
	int c, rc;

	while ((c = getopt_long(argc, argv, "c:dVh", options, NULL)) != -1) {
		switch (c) {
		case 'c': path = optarg; break;
		case 'C': only_check = true; break;
		case 'd': log_set_level(LOG_DEBUG); break;
		case 'V': puts("shuntd " SHUNT_VERSION); return 0;
		case 'L': load = optarg; break;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (load != NULL && optind + 1 == argc)
		return ruleset_load_main(load, argv[optind]);
	if (optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	sched_getaffinity(0, sizeof(cpus), &cpus);
	if (config_load(path, &cpus, stderr, &config) != 0)
		return 1;
	rc = only_check ? check(config) : serve(config);
	config_free(config);
	return rc;
}
