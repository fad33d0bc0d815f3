/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hundred rulesets that are refused, loaded by the stock nft while a flow
 * passes: not a packet is lost, and handles, counters and listing stay as they
 * were. Traffic comes as fast as it leaves; it waits where there is no room.
 *
 * usage: test_dataplane_loads LIBSHUNT_NFT
 */
#include <CUnit/Basic.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"
#include "dp.h"

#define LOADS 100
/* Frames under way at most: less than a ring holds. */
#define WINDOW 256

static const char good[] = "table inet t {\n"
			   "	set s { type inet_service; elements = { 53, 80 }; }\n"
			   "	chain f {\n"
			   "		type filter hook forward priority 0; policy drop;\n"
			   "		udp dport @s counter accept\n"
			   "		ct state established counter accept\n"
			   "	}\n"
			   "}\n";

/* What is refused: by nft, by the store, by what evaluates it; early and late in the batch. */
static const char *const bad[] = {
	"table inet t { chain f { jump nowhere; }; }\n",
	"table inet t { chain g { counter; }; chain h { meta skuid 0 drop; }; }\n",
	"flush ruleset\ntable inet u { chain d { jump d; }; chain c { type filter hook input "
	"priority 0; "
	"jump d; }; }\n",
	"delete rule inet t f handle 4711\n",
	"flush chain inet t f\ndelete set inet t s\nadd rule inet t f udp dport @s accept\n",
	"add element inet t s { 443 }\nadd chain inet t x { type nat hook forward priority 0; }\n",
};

static char folder[] = "/tmp/shunt-loads-XXXXXX";
static char socket_path[64], preload[512], env_socket[128];
static uint64_t sent, received;
static const char *shim;

/* --- traffic */

static void
pump(void)
{
	struct dp_frame frame;

	for (unsigned int i = 0; i < 32 && sent - received < WINDOW; i++, sent++)
		dp_put(&(struct dp_packet){.port = LAN,
			.src = "10.0.1.10",
			.dst = "198.51.100.7",
			.proto = IPPROTO_UDP,
			.sport = (uint16_t)(5000 + sent % 16),
			.dport = 53,
			.payload = 20});
	dp_walk();
	while (dp_receive(WAN, &frame))
		received++;
}

/* --- programs */

static void
put(const char *name, const char *text, char path[64])
{
	FILE *f;

	snprintf(path, 64, "%s/%s", folder, name);
	f = fopen(path, "w");
	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		exit(1);
}

/* nft against the ruleset, while packets pass. Its output is in the file "out". */
static int
nft(const char *a, const char *b, const char *c)
{
	char *argv[] = {
		"nft", (char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)c, NULL};
	char *envp[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", preload, env_socket, NULL};
	posix_spawn_file_actions_t files;
	char out[64];
	int status;
	pid_t pid;

	snprintf(out, sizeof(out), "%s/out", folder);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&files, 1, 2);
	if (posix_spawnp(&pid, "nft", &files, NULL, argv, envp) != 0)
		exit(1);
	posix_spawn_file_actions_destroy(&files);
	while (waitpid(pid, &status, WNOHANG) == 0)
		pump();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
output(char *text, size_t size)
{
	char path[64];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/out", folder);
	f = fopen(path, "r");
	if (f != NULL) {
		n = fread(text, 1, size - 1, f);
		fclose(f);
	}
	text[n] = '\0';
}

/* --- the daemon: its ruleset and its control thread, over the test's dataplane */

static void *
control(void *arg)
{
	struct daemon *d = arg;

	(void)loop_run(d->loop);
	return NULL;
}

/* What the first counter says; the numbers of all are taken out of the listing. */
static uint64_t
counted(char *listing)
{
	uint64_t first = UINT64_MAX;
	char *at = listing;

	while ((at = strstr(at, "packets ")) != NULL) {
		char *rest = strstr(at, "accept");

		if (first == UINT64_MAX)
			first = strtoull(at + strlen("packets "), NULL, 10);
		if (rest == NULL)
			break;
		memmove(at, rest, strlen(rest) + 1);
	}
	return first;
}

static void
refuse_all(void)
{
	static char before[4096], after[4096], errors[4096];
	char path[64];
	unsigned int carets = 0;
	uint64_t passed, without;

	put("good.nft", good, path);
	CU_ASSERT_EQUAL_FATAL(nft("-f", path, NULL), 0);
	without = sent;
	while (sent < without + 1000)
		pump();
	CU_ASSERT_EQUAL(nft("-a", "list", "ruleset"), 0);
	output(before, sizeof(before));
	CU_ASSERT_TRUE(counted(before) >= 1000 - WINDOW);
	for (unsigned int i = 0; i < LOADS; i++) {
		put("bad.nft", bad[i % (sizeof(bad) / sizeof(bad[0]))], path);
		CU_ASSERT_EQUAL(nft("-f", path, NULL), 1);
		output(errors, sizeof(errors));
		carets += strstr(errors, "^") != NULL;
	}
	CU_ASSERT_EQUAL(carets, LOADS);
	/* What is under way arrives: then nothing was lost. */
	for (unsigned int i = 0; i < 1000 && received < sent; i++) {
		struct dp_frame frame;

		dp_walk();
		while (dp_receive(WAN, &frame))
			received++;
	}
	printf("%lu packets passed meanwhile... ", (unsigned long)sent);
	CU_ASSERT_EQUAL(received, sent);
	CU_ASSERT_EQUAL(dp_drops(DROP_RULE), 0);
	passed = received;
	nft("-a", "list", "ruleset");
	output(after, sizeof(after));
	/* Listing pumps a few more: not one less was counted than had passed under these rules. */
	CU_ASSERT_TRUE(counted(after) >= passed - without);
	CU_ASSERT_STRING_EQUAL(before, after);
}

static void
test_refused_loads(void)
{
	static struct config_port ports[DP_PORTS] = {
		{.name = "lan"}, {.name = "wan"}, {.name = "dmz"}};
	static struct config config;
	static struct daemon daemon;
	char err[DAEMON_ERR_LEN] = "";
	pthread_t thread;

	config.runtime.worker_count = 1;
	config.ports = ports;
	config.port_count = DP_PORTS;
	config.control.nft = socket_path;
	config.control.admin_group = config.control.view_group = (gid_t)-1;
	config.ruleset = "/nonexistent/ruleset.nft";
	dp_start(&(struct dp_setup){.real_clock = true});
	daemon = (struct daemon){.config = &config, .path = dp_path(), .walking = true};
	CU_ASSERT_EQUAL_FATAL(loop_create(&daemon.loop), 0);
	CU_ASSERT_EQUAL_FATAL(ruleset_init(&daemon, err), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, control, &daemon), 0);
	refuse_all();
	loop_stop(daemon.loop);
	pthread_join(thread, NULL);
	daemon.walking = false;
	ruleset_fini(&daemon);
	loop_destroy(daemon.loop);
	dp_settle();
	dp_stop();
}

static CU_TestInfo tests[] = {
	{"a hundred refused rulesets under traffic", test_refused_loads},
	CU_TEST_INFO_NULL,
};

int
main(int argc, char **argv)
{
	CU_SuiteInfo suites[] = {
		{"loads", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};
	char command[96];
	unsigned int failures;

	if (argc != 2 || mkdtemp(folder) == NULL)
		return 2;
	shim = argv[1];
	snprintf(socket_path, sizeof(socket_path), "%s/nft.sock", folder);
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", shim);
	snprintf(env_socket, sizeof(env_socket), "SHUNT_NFT_SOCKET=%s", socket_path);
	dp_init(argv[0]);
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command) == 0 && failures == 0 ? 0 : 1;
}
