/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stock nft with the shim preloaded, against the nft socket's server and a wire
 * that knows just enough netlink: a generation, one table, one link; all other
 * dumps are empty. A batch is judged late, as a daemon does that asks its
 * workers: nft must not take the silence in between for success.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "nft_server.h"
#include "rpc_server.h"
#include "unit.h"

#define PATIENCE_MS 20000
#define NFT	    "/usr/sbin/nft"
#define PYTHON	    "/usr/bin/python3"
#define JUDGE_NS    (20 * NS_PER_MS)

struct nft_wire {
	int refuse;	       /* errno for the last message of a batch, 0: all is well */
	bool die;	       /* the daemon goes in place of judging */
	unsigned int batches;  /* judged */
	unsigned int messages; /* in the last batch, begin and end included */
	bool whole;	       /* it began and ended as it should */
	struct nft_client *monitor;
	struct nft_client *judged;
	uint32_t refused_seq;
	struct loop_timer *timer;
};

struct nft_client {
	struct nft_wire *wire;
	nft_send_t send;
	void *ctx;
	void (*done)(void *ctx);
	void *done_ctx;
};

static struct nft_wire wire;
static struct loop *loop;
static struct nft_server *server;
static bool preloading = true;
static char dir[64];
static char path[96];
static char preload[4096];
static char shuntctl[4096];

struct nft_client *
nft_client_new(struct nft_wire *w, nft_send_t send, void *ctx)
{
	struct nft_client *client = calloc(1, sizeof(*client));

	*client = (struct nft_client){.wire = w, .send = send, .ctx = ctx};
	return client;
}

void
nft_client_is(struct nft_client *client, uint32_t pid, const char *name)
{
	(void)client;
	(void)pid;
	(void)name;
}

void
nft_client_on_backlog(struct nft_client *client, size_t (*backlog)(void *ctx))
{
	(void)client;
	(void)backlog;
}

void
nft_client_free(struct nft_client *client)
{
	if (client->wire->monitor == client)
		client->wire->monitor = NULL;
	if (client->wire->judged == client)
		client->wire->judged = NULL;
	free(client);
}

static struct nlmsghdr *
answer(void *buf, uint16_t type, uint16_t flags, uint32_t seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = flags;
	nlh->nlmsg_seq = seq;
	return nlh;
}

static struct nlmsghdr *
nft_answer(void *buf, uint8_t type, uint16_t flags, uint32_t seq, uint8_t family)
{
	struct nlmsghdr *nlh = answer(buf, NFNL_SUBSYS_NFTABLES << 8 | type, flags, seq);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	*nfg = (struct nfgenmsg){.nfgen_family = family, .res_id = htons(1)};
	return nlh;
}

static void
send_error(struct nft_client *client, const struct nlmsghdr *req, int err)
{
	uint8_t buf[256];
	struct nlmsghdr *nlh = answer(buf, NLMSG_ERROR, NLM_F_CAPPED, req->nlmsg_seq);
	struct nlmsgerr *e = mnl_nlmsg_put_extra_header(nlh, sizeof(*e));

	e->error = -err;
	e->msg = *req;
	client->send(client->ctx, buf, nlh->nlmsg_len, false);
}

static void
put_table(struct nlmsghdr *nlh, const char *name)
{
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, name);
	mnl_attr_put_u32(nlh, NFTA_TABLE_FLAGS, 0);
	mnl_attr_put_u32(nlh, NFTA_TABLE_USE, 0);
	mnl_attr_put_u64(nlh, NFTA_TABLE_HANDLE, htobe64(1));
}

static void
answer_get(struct nft_client *client, const struct nlmsghdr *req)
{
	uint8_t buf[512];
	struct nlmsghdr *nlh;
	int type = req->nlmsg_type;

	if (type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN)) {
		nlh = nft_answer(buf, NFT_MSG_NEWGEN, 0, req->nlmsg_seq, AF_UNSPEC);
		mnl_attr_put_u32(nlh, NFTA_GEN_ID, htonl(1));
		client->send(client->ctx, buf, nlh->nlmsg_len, false);
		return;
	}
	if ((req->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP) {
		send_error(client, req, ENOENT);
		return;
	}
	if (type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE)) {
		nlh = nft_answer(buf, NFT_MSG_NEWTABLE, NLM_F_MULTI, req->nlmsg_seq, AF_INET);
		put_table(nlh, "standing");
		client->send(client->ctx, buf, nlh->nlmsg_len, false);
	} else if (type == RTM_GETLINK) {
		struct ifinfomsg *ifi;

		nlh = answer(buf, RTM_NEWLINK, NLM_F_MULTI, req->nlmsg_seq);
		ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
		*ifi = (struct ifinfomsg){.ifi_index = 77};
		mnl_attr_put_strz(nlh, IFLA_IFNAME, "dpdk0");
		client->send(client->ctx, buf, nlh->nlmsg_len, false);
	}
	nlh = answer(buf, NLMSG_DONE, NLM_F_MULTI, req->nlmsg_seq);
	mnl_nlmsg_put_extra_header(nlh, sizeof(int));
	client->send(client->ctx, buf, nlh->nlmsg_len, false);
}

static void
judge(void *arg)
{
	struct nft_wire *w = arg;
	struct nft_client *client = w->judged;

	if (client == NULL)
		return;
	if (w->die) {
		nft_server_free(server);
		server = NULL;
		return;
	}
	if (w->refuse != 0) {
		struct nlmsghdr req = {.nlmsg_len = sizeof(req), .nlmsg_seq = w->refused_seq};

		send_error(client, &req, w->refuse);
	}
	w->judged = NULL;
	w->batches++;
	client->done(client->done_ctx);
}

void
nft_client_request(struct nft_client *client, int protocol, const void *req, size_t len,
	void (*done)(void *ctx), void *ctx)
{
	const struct nlmsghdr *nlh = req;
	struct nft_wire *w = client->wire;
	int left = (int)len;
	int type = 0;

	(void)protocol;
	CU_ASSERT_FATAL(mnl_nlmsg_ok(nlh, left));
	if (nlh->nlmsg_type != NFNL_MSG_BATCH_BEGIN) {
		answer_get(client, nlh);
		done(ctx);
		return;
	}
	w->messages = 0;
	for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		w->messages++;
		type = nlh->nlmsg_type;
		if (type != NFNL_MSG_BATCH_END)
			w->refused_seq = nlh->nlmsg_seq;
	}
	w->whole = left == 0 && type == NFNL_MSG_BATCH_END;
	w->judged = client;
	client->done = done;
	client->done_ctx = ctx;
	loop_timer_arm(w->timer, JUDGE_NS, 0);
}

void
nft_client_join(struct nft_client *client, unsigned int group)
{
	if (group == NFNLGRP_NFTABLES)
		client->wire->monitor = client;
}

uint32_t
nft_client_port(struct nft_client *client, uint32_t process)
{
	(void)client;
	return process;
}

void
nft_client_leave(struct nft_client *client, unsigned int group)
{
	if (group == NFNLGRP_NFTABLES)
		client->wire->monitor = NULL;
}

/* A program that runs, what it has written to both of its outputs, and how it ended. */
struct child {
	pid_t pid;
	int out;
	bool eof;
	struct loop_fd *watch;
	char text[65536];
	size_t len;
};

static void
on_output(void *arg, uint32_t events)
{
	struct child *child = arg;
	ssize_t n =
		read(child->out, child->text + child->len, sizeof(child->text) - 1 - child->len);

	(void)events;
	if (n > 0) {
		child->len += (size_t)n;
		return;
	}
	child->eof = true;
	loop_modify(child->watch, 0);
	loop_remove(child->watch);
	child->watch = NULL;
}

static void
start(struct child *child, char **argv)
{
	posix_spawn_file_actions_t actions;
	char socket_env[128];
	char preload_env[sizeof(preload) + 16];
	char *preloaded[] = {"LC_ALL=C", "HOME=/", socket_env, preload_env, NULL};
	char *plain[] = {"LC_ALL=C", "HOME=/", NULL};
	int pipes[2];

	*child = (struct child){0};
	snprintf(socket_env, sizeof(socket_env), "SHUNT_NFT_SOCKET=%s", path);
	snprintf(preload_env, sizeof(preload_env), "LD_PRELOAD=%s", preload);
	CU_ASSERT_EQUAL_FATAL(pipe2(pipes, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
	posix_spawn_file_actions_adddup2(&actions, pipes[1], 2);
	CU_ASSERT_EQUAL_FATAL(posix_spawn(&child->pid, argv[0], &actions, NULL, argv,
				      preloading ? preloaded : plain),
		0);
	posix_spawn_file_actions_destroy(&actions);
	close(pipes[1]);
	child->out = pipes[0];
	CU_ASSERT_EQUAL_FATAL(
		loop_add(loop, child->out, EPOLLIN, on_output, child, &child->watch), 0);
}

/* Wait for the end. @return the exit status, -1 if it was killed */
static int
finish(struct child *child)
{
	int status;

	while (!child->eof) {
		if (loop_once(loop, PATIENCE_MS) > 0)
			continue;
		CU_FAIL("the program hangs");
		kill(child->pid, SIGKILL);
		break;
	}
	loop_remove(child->watch);
	close(child->out);
	CU_ASSERT_EQUAL(waitpid(child->pid, &status, 0), child->pid);
	child->text[child->len] = '\0';
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
run(struct child *child, const char *command)
{
	char *argv[] = {NFT, (char *)(uintptr_t)command, NULL};

	start(child, argv);
	return finish(child);
}

static void
begin(void)
{
	const struct unix_access access = {UNIX_NO_GROUP, UNIX_NO_GROUP};
	int err;

	wire = (struct nft_wire){0};
	snprintf(dir, sizeof(dir), "/tmp/shunt-test-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/nft.sock", dir);
	CU_ASSERT_EQUAL_FATAL(loop_create(&loop), 0);
	CU_ASSERT_EQUAL_FATAL(loop_timer_create(loop, judge, &wire, &wire.timer), 0);
	server = nft_server_new(loop, &wire, path, &access, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(server);
}

static void
end(void)
{
	nft_server_free(server);
	loop_timer_destroy(wire.timer);
	loop_destroy(loop);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static void
test_list(void)
{
	static struct child child;

	begin();
	CU_ASSERT_EQUAL(run(&child, "list ruleset"), 0);
	CU_ASSERT_STRING_EQUAL(child.text, "table ip standing {\n}\n");
	CU_ASSERT_EQUAL(run(&child, "list table ip absent"), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(child.text, "No such file or directory"));
	end();
}

static void
test_batch(void)
{
	static struct child child;

	begin();
	CU_ASSERT_EQUAL(run(&child, "add table ip x"), 0);
	CU_ASSERT_STRING_EQUAL(child.text, "");
	CU_ASSERT(wire.whole && wire.messages == 3 && wire.batches == 1);
	wire.refuse = EBUSY;
	CU_ASSERT_EQUAL(run(&child, "add table ip x"), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(child.text, "Device or resource busy"));
	CU_ASSERT_EQUAL(wire.batches, 2);
	end();
}

/* Longer than a fragment and than any socket buffer. Only its last message is bad. */
static void
test_long_batch(void)
{
	static struct child child;
	const unsigned int rules = 20000;
	char file[128];
	char *argv[] = {NFT, "-f", file, NULL};
	unsigned int i;
	FILE *f;

	begin();
	snprintf(file, sizeof(file), "%s/rules", dir);
	f = fopen(file, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fprintf(f, "flush ruleset\ntable ip t {\n\tchain c {\n");
	for (i = 0; i < rules; i++)
		fprintf(f, "\t\tip saddr 10.0.%u.%u tcp dport %u accept\n", i >> 8, i & 255, i + 1);
	fprintf(f, "\t}\n}\n");
	fclose(f);
	start(&child, argv);
	CU_ASSERT_EQUAL(finish(&child), 0);
	/* Begin, flush, table, chain, rules, end. */
	CU_ASSERT_EQUAL(wire.messages, rules + 5);
	CU_ASSERT(wire.whole);
	wire.refuse = EOPNOTSUPP;
	start(&child, argv);
	CU_ASSERT_EQUAL(finish(&child), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(child.text, "Operation not supported"));
	CU_ASSERT_PTR_NOT_NULL(strstr(child.text, "tcp dport 20000"));
	unlink(file);
	end();
}

/* Interface names are the daemon's. */
static void
test_links(void)
{
	static struct child child;

	begin();
	CU_ASSERT_EQUAL(run(&child, "add rule ip standing c iif dpdk0 accept"), 0);
	CU_ASSERT_EQUAL(run(&child, "add rule ip standing c iif lo accept"), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(child.text, "Interface does not exist"));
	end();
}

/* Send a monitor a new table, and wait until it has said so. */
static void
tell_monitor(struct child *child, const char *name)
{
	uint8_t buf[512];
	struct nlmsghdr *nlh = nft_answer(buf, NFT_MSG_NEWTABLE, 0, 0, AF_INET);

	put_table(nlh, name);
	wire.monitor->send(wire.monitor->ctx, buf, nlh->nlmsg_len, true);
	do {
		CU_ASSERT_FATAL(loop_once(loop, PATIENCE_MS) > 0);
		child->text[child->len] = '\0';
	} while (strstr(child->text, name) == NULL && !child->eof);
}

static void
test_monitor(void)
{
	static struct child child;
	char *argv[] = {NFT, "monitor", NULL};

	begin();
	start(&child, argv);
	while (wire.monitor == NULL && !child.eof)
		CU_ASSERT_FATAL(loop_once(loop, PATIENCE_MS) > 0);
	CU_ASSERT_FATAL(!child.eof);
	tell_monitor(&child, "first");
	CU_ASSERT_FATAL(!child.eof);
	tell_monitor(&child, "second");
	CU_ASSERT_FATAL(!child.eof);
	nft_server_free(server);
	server = NULL;
	finish(&child);
	CU_ASSERT_PTR_NOT_NULL(strstr(child.text, "add table ip first\nadd table ip second\n"));
	end();
}

/* Where the library is not in the program's own scope: ctypes loads it RTLD_LOCAL. */
static void
test_python(void)
{
	static struct child child;
	int status;
	char *argv[] = {PYTHON, "-c",
		"import ctypes, sys\n"
		"try:\n"
		"    nft = ctypes.CDLL('libnftables.so.1', mode=ctypes.RTLD_LOCAL)\n"
		"except OSError:\n"
		"    sys.exit(77)\n"
		"nft.nft_ctx_new.restype = ctypes.c_void_p\n"
		"ctx = ctypes.c_void_p(nft.nft_ctx_new(0))\n"
		"ret = nft.nft_run_cmd_from_buffer(ctx, b'list ruleset')\n"
		"sys.exit(ret or nft.nft_run_cmd_from_buffer(ctx, b'add table ip x'))\n",
		NULL};

	if (access(PYTHON, X_OK) != 0)
		return;
	begin();
	start(&child, argv);
	status = finish(&child);
	if (status != 77) {
		CU_ASSERT_EQUAL(status, 0);
		CU_ASSERT_STRING_EQUAL(child.text, "table ip standing {\n}\n");
		CU_ASSERT_EQUAL(wire.batches, 1);
	}
	end();
}

static void
call_nft_socket(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)ctx;
	(void)params;
	rpc_result(reply, json_pack("{s:s}", "path", path));
}

/* The shim linked in. Its socket is the one that the control socket names. */
static void
test_shuntctl(void)
{
	static const struct rpc_method method = {
		"nft.socket", UNIX_RIGHT_VIEW, call_nft_socket, NULL, "where nft's socket is"};
	const struct unix_access access = {UNIX_NO_GROUP, UNIX_NO_GROUP};
	static struct child child;
	struct rpc_server *control;
	char control_path[128];
	char *list[] = {shuntctl, "-s", control_path, "nft", "list", "ruleset", NULL};
	char *add[] = {shuntctl, "-s", control_path, "nft", "add", "table", "ip", "x", NULL};

	begin();
	snprintf(control_path, sizeof(control_path), "%s/control.sock", dir);
	CU_ASSERT_EQUAL_FATAL(rpc_server_create(loop, control_path, &access, &control), 0);
	CU_ASSERT_EQUAL(rpc_server_add(control, &method, 1, NULL), 0);
	preloading = false;
	start(&child, list);
	CU_ASSERT_EQUAL(finish(&child), 0);
	CU_ASSERT_STRING_EQUAL(child.text, "table ip standing {\n}\n");
	wire.refuse = EBUSY;
	start(&child, add);
	CU_ASSERT_EQUAL(finish(&child), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(child.text, "Device or resource busy"));
	CU_ASSERT_EQUAL(wire.batches, 1);
	preloading = true;
	rpc_server_destroy(control);
	end();
}

static void
test_no_daemon(void)
{
	static struct child child;

	begin();
	wire.die = true;
	CU_ASSERT_EQUAL(run(&child, "add table ip x"), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(child.text, "Broken pipe"));
	CU_ASSERT(run(&child, "list ruleset") > 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(child.text, "Connection refused"));
	end();
}

int
main(int argc, char **argv)
{
	CU_TestInfo tests[] = {
		{"list", test_list},
		{"batches, good and bad, judged late", test_batch},
		{"a long batch whose last rule is bad", test_long_batch},
		{"interfaces", test_links},
		{"monitor", test_monitor},
		{"libnftables in python", test_python},
		{"shuntctl nft", test_shuntctl},
		{"no daemon, and one that dies", test_no_daemon},
		CU_TEST_INFO_NULL,
	};

	if (argc != 3 || realpath(argv[1], preload) == NULL || realpath(argv[2], shuntctl) == NULL)
		return 2;
	if (access(NFT, X_OK) != 0)
		return 77; /* meson's word for skipped */
	return unit_run("nft shim", tests);
}
