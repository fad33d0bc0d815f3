/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <locale.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"
#include "rpc_server.h"
#include "shuntctl.h"
#include "unit.h"

#define MANY 100000

/* A daemon in a thread, with methods that answer in every way there is. */
static struct loop *loop;
static struct rpc_server *server;
static char dir[] = "/tmp/shunt-test-XXXXXX";
static char path[64];
static pthread_t thread;

static const struct rpc_column port_columns[] = {
	{"name", "PORT", 'l'},
	{"rx", "RX", 'r'},
	{"up", "UP", 'l'},
	{"addresses", "ADDRESSES", 'l'},
	{NULL, NULL, 0},
};

static void
call_ports(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)ctx;
	(void)params;
	rpc_table(reply, port_columns,
		json_pack("[{s:s, s:i, s:b, s:[s, s], s:i}, {s:s, s:n, s:b, s:[]}]", "name", "lan",
			"rx", 12345, "up", 1, "addresses", "10.0.0.1/24", "2001:db8::1/64", "extra",
			7, "name", "w\033[2J\n", "rx", "up", 0, "addresses"));
}

static const struct rpc_column flow_columns[] = {
	{"n", "N", 'r'}, {"why", "WHY", 'l'}, {NULL, NULL, 0}};

struct flows {
	int at;
	bool why;
};

static int
next_flow(void *state, struct rpc_stream *stream)
{
	struct flows *flows = state;
	int ret = 0;

	while (flows->at < MANY && ret == 0)
		ret = rpc_row(stream, json_pack("{s:i, s:s}", "n", flows->at++, "why",
					      flows->why ? "neighbour" : "-"));
	return ret < 0 ? ret : ret == 1 ? RPC_MORE : RPC_END;
}

static void
call_flows(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	struct flows *flows = calloc(1, sizeof(*flows));

	(void)ctx;
	flows->why = json_is_true(json_object_get(params, "why"));
	rpc_stream_table(reply, flow_columns, next_flow, free, flows);
}

static void
call_status(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)ctx;
	(void)params;
	rpc_result(reply, json_pack("{s:s, s:i}", "version", "0.1.0", "workers", 2));
}

static int
next_line(void *state, struct rpc_stream *stream)
{
	(void)state;
	rpc_row(stream, json_string("rule 1"));
	rpc_row(stream, json_string("rule 2"));
	return RPC_END;
}

static void
no_state(void *state)
{
	(void)state;
}

static void
call_program(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)params;
	rpc_stream(reply, json_object(), next_line, no_state, ctx);
}

static int
next_broken(void *state, struct rpc_stream *stream)
{
	(void)state;
	rpc_row(stream, json_pack("{s:i}", "n", 1));
	return -5;
}

static void
call_drops(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)params;
	rpc_stream_table(reply, flow_columns, next_broken, no_state, ctx);
}

static void
call_explain(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)ctx;
	rpc_result(reply, json_deep_copy(params));
}

static void
call_graph(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)ctx;
	(void)params;
	rpc_result(reply, json_pack("{s:s}", "text", "rx -> tx\n"));
}

/* Stands for the shim: notes where nft's netlink would go. */
static char shim_path[128];

void shim_set_socket(const char *socket);

void
shim_set_socket(const char *socket)
{
	snprintf(shim_path, sizeof(shim_path), "%s", socket);
}

static void
call_nft_socket(void *ctx, const json_t *params, struct rpc_reply *reply)
{
	(void)ctx;
	(void)params;
	rpc_result(reply, json_pack("{s:s}", "path", "/run/test/nft.sock"));
}

static const struct rpc_param flow_params[] = {{"why", 'b', false, ""}, {NULL, 0, false, NULL}};
static const struct rpc_param explain_params[] = {
	{"in", 's', false, ""},
	{"proto", 's', true, ""},
	{"src", 's', true, ""},
	{"dst", 's', true, ""},
	{"sport", 'i', false, ""},
	{"dport", 'i', false, ""},
	{NULL, 0, false, NULL},
};

static const struct rpc_method methods[] = {
	{"show.ports", UNIX_RIGHT_VIEW, call_ports, NULL, ""},
	{"show.flows", UNIX_RIGHT_VIEW, call_flows, flow_params, ""},
	{"show.status", UNIX_RIGHT_VIEW, call_status, NULL, ""},
	{"show.program", UNIX_RIGHT_VIEW, call_program, NULL, ""},
	{"show.drops", UNIX_RIGHT_VIEW, call_drops, NULL, ""},
	{"show.graph", UNIX_RIGHT_VIEW, call_graph, NULL, ""},
	{"nft.socket", UNIX_RIGHT_VIEW, call_nft_socket, NULL, ""},
	{"explain", UNIX_RIGHT_VIEW, call_explain, explain_params, ""},
};

static void *
serve(void *arg)
{
	loop_run(arg);
	return NULL;
}

/* Run a command line; *out and *err are what it printed, the caller's. */
static int
run(int width, const char *line, char **out, char **err)
{
	struct ctl ctl = {.socket = path, .width = width};
	char copy[256];
	char *argv[16];
	int argc = 0;
	char *word;
	char *save;
	size_t sizes[2];
	int ret;

	snprintf(copy, sizeof(copy), "%s", line);
	for (word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
		if (strcmp(word, "-j") == 0 && argc == 0)
			ctl.json = true;
		else
			argv[argc++] = word;
	}
	ctl.out = open_memstream(out, &sizes[0]);
	ctl.err = open_memstream(err, &sizes[1]);
	ret = ctl_run(&ctl, argc, argv);
	fclose(ctl.out);
	fclose(ctl.err);
	return ret;
}

/* What a command must print, and how it must end. */
static const struct {
	const char *line;
	int ret;
	int width;
	const char *out; /* NULL: anything */
	const char *err; /* how it begins */
} cases[] = {
	{"show ports", CTL_OK, 0,
		"PORT       RX  UP   ADDRESSES\n"
		"lan     12345  yes  10.0.0.1/24,2001:db8::1/64\n"
		"w?[2J?      -  no   \n",
		""},
	/* A terminal of 30: the widest column gives way. */
	{"show ports", CTL_OK, 30,
		"PORT       RX  UP   ADDRESSES\n"
		"lan     12345  yes  10.0.0.1/~\n"
		"w?[2J?      -  no   \n",
		""},
	{"-j show ports", CTL_OK, 0,
		"[\n{\"name\":\"lan\",\"rx\":12345,\"up\":true,"
		"\"addresses\":[\"10.0.0.1/24\",\"2001:db8::1/64\"],\"extra\":7},\n"
		"{\"name\":\"w\\u001B[2J\\n\",\"rx\":null,\"up\":false,\"addresses\":[]}\n]\n",
		""},
	{"show status", CTL_OK, 0, "version  0.1.0\nworkers  2\n", ""},
	{"show status -j", CTL_OK, 0, "{\n  \"version\": \"0.1.0\",\n  \"workers\": 2\n}\n", ""},
	{"show program", CTL_OK, 0, "rule 1\nrule 2\n", ""},
	{"-j show program", CTL_OK, 0, "[\n\"rule 1\",\n\"rule 2\"\n]\n", ""},
	{"show graph", CTL_OK, 0, "rx -> tx\n", ""},
	{"show events", CTL_OK, 0, "SEQ  TIME  TYPE  WHAT\n", ""},
	{"-j show events port.", CTL_OK, 0, "[]\n", ""},
	/* A listing that breaks off prints what came, and says so. */
	{"show drops", CTL_REFUSED, 0, "N  WHY\n1  -\n", "shuntctl: the listing broke off"},
	{"-j show drops", CTL_REFUSED, 0, "[\n{\"n\":1}\n", "shuntctl: the listing broke off"},
	{"-j explain in lan tcp 10.0.0.1:1000 [2001:db8::1]:80", CTL_USAGE, 0, "",
		"shuntctl: \"[2001:db8::1]:80\" is no address of the same family\nusage: "},
	{"explain in lan tcp 10.0.0.1:1000 10.0.0.2:80", CTL_OK, 0,
		"in     lan\nproto  tcp\nsrc    10.0.0.1\ndst    10.0.0.2\nsport  1000\ndport  "
		"80\n",
		""},
	{"explain udp [2001:db8::1] [2001:db8::2]:53 -j", CTL_OK, 0,
		"{\n  \"proto\": \"udp\",\n  \"src\": \"2001:db8::1\",\n  \"dst\": "
		"\"2001:db8::2\",\n"
		"  \"dport\": 53\n}\n",
		""},
	{"show workers", CTL_REFUSED, 0, "",
		"shuntctl: no method \"show.workers\": this daemon is not built to do that\n"},
	{"capture lan", CTL_REFUSED, 0, "", "shuntctl: capture is not built yet\n"},
	{"trace lan", CTL_USAGE, 0, "", "shuntctl: unexpected \"lan\"\nusage: "},
	{"-j trace", CTL_USAGE, 0, "", "shuntctl: there is no JSON of traces\nusage: "},
	{"", CTL_USAGE, 0, "", "usage: "},
	{"show port", CTL_USAGE, 0, "", "shuntctl: no command \"show port\": see"},
	{"shov ports", CTL_USAGE, 0, "", "shuntctl: no command"},
	{"show ports lan", CTL_USAGE, 0, "",
		"shuntctl: unexpected \"lan\"\nusage: shuntctl [-s SOCKET] [-j] show ports"},
	{"show flows --whi", CTL_USAGE, 0, "", "shuntctl: unexpected \"--whi\"\nusage: "},
	{"events a b", CTL_USAGE, 0, "", "shuntctl: unexpected \"b\"\nusage: "},
	{"help me", CTL_USAGE, 0, "", "shuntctl: help takes"},
	{"help", CTL_OK, 0, NULL, ""},
};

static void
test_commands(void)
{
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *out;
		char *err;
		int ret = run(cases[i].width, cases[i].line, &out, &err);

		CU_ASSERT_EQUAL(ret, cases[i].ret);
		CU_ASSERT(cases[i].out == NULL || strcmp(out, cases[i].out) == 0);
		CU_ASSERT_EQUAL(strncmp(err, cases[i].err, strlen(cases[i].err)), 0);
		CU_ASSERT((cases[i].err[0] == '\0') == (err[0] == '\0'));
		if (ret != cases[i].ret ||
			(cases[i].out != NULL && strcmp(out, cases[i].out) != 0) ||
			strncmp(err, cases[i].err, strlen(cases[i].err)) != 0)
			fprintf(stderr, "\n%s: %d\n%s%s", cases[i].line, ret, out, err);
		free(out);
		free(err);
	}
}

static void
test_long(void)
{
	char *out;
	char *err;
	char *at;
	json_t *all;
	int lines = 0;

	CU_ASSERT_EQUAL(run(0, "show flows --why", &out, &err), CTL_OK);
	for (at = out; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	CU_ASSERT_EQUAL(lines, MANY + 1);
	/* The width is that of the first rows; later ones are whole all the same. */
	CU_ASSERT_EQUAL(strncmp(out, "  N  WHY\n  0  neighbour\n", 24), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "\n99999  neighbour\n"));
	free(out);
	free(err);
	CU_ASSERT_EQUAL(run(0, "-j show flows", &out, &err), CTL_OK);
	all = json_loads(out, 0, NULL);
	CU_ASSERT_EQUAL(json_array_size(all), MANY);
	json_decref(all);
	free(out);
	free(err);
}

static const struct {
	const char *line;
	const char *why; /* NULL: good */
} tuples[] = {
	{"tcp 10.0.0.1:1 10.0.0.2:65535", NULL},
	{"in a udp [::1]:1 [::2]", NULL},
	{"tcp 10.0.0.1:1", "a tuple is a protocol and two addresses"},
	{"in a tcp b", "a tuple is a protocol and two addresses"},
	{"tpc 10.0.0.1 10.0.0.2", "no protocol \"tpc\""},
	{"tcp 10.0.0.1:0 10.0.0.2", "\"10.0.0.1:0\" is no address"},
	{"tcp 10.0.0.1:65536 10.0.0.2", "\"10.0.0.1:65536\" is no address"},
	{"tcp 10.0.0.1: 10.0.0.2", "\"10.0.0.1:\" is no address"},
	{"tcp 10.0.0.1:+1 10.0.0.2", "\"10.0.0.1:+1\" is no address"},
	{"tcp 10.0.0 10.0.0.2", "\"10.0.0\" is no address"},
	{"tcp ::1 ::2", "\"::1\" is no address"},
	{"tcp [::1 [::2]", "\"[::1\" is no address"},
	{"tcp [::1]x [::2]", "\"[::1]x\" is no address"},
	{"tcp [10.0.0.1] 10.0.0.2", "\"[10.0.0.1]\" is no address"},
	{"tcp 10.0.0.1 [::2]", "\"[::2]\" is no address of the same family"},
	{"icmp 10.0.0.1:1 10.0.0.2", "icmp has no ports"},
	{"tcp 1111111111111111111111111111111111111111111111111111111111111 10.0.0.2",
		"\"1111111111111111111111111111111111111111111111111111111111111\" is no address"},
};

static void
test_tuple(void)
{
	size_t i;

	for (i = 0; i < sizeof(tuples) / sizeof(tuples[0]); i++) {
		char copy[128];
		char why[256];
		char *argv[8];
		char *save;
		char *word;
		int argc = 0;
		json_t *tuple;

		snprintf(copy, sizeof(copy), "%s", tuples[i].line);
		for (word = strtok_r(copy, " ", &save); word != NULL;
			word = strtok_r(NULL, " ", &save))
			argv[argc++] = word;
		tuple = ctl_tuple(argc, argv, why, sizeof(why));
		CU_ASSERT_EQUAL(tuple != NULL, tuples[i].why == NULL);
		CU_ASSERT_STRING_EQUAL(why, tuples[i].why != NULL ? tuples[i].why : "");
		json_decref(tuple);
	}
}

/* What bash offers after some words. */
static void
complete(const char *script, const char *words, int cword, const char *offered)
{
	char line[512];
	char got[1024] = "";
	FILE *bash;
	size_t n;

	/* Within a function, as bash-completion loads it. */
	snprintf(line, sizeof(line),
		"bash -c 'load() { . %s; }; load; COMP_WORDS=(%s \"\"); COMP_CWORD=%d; _shuntctl; "
		"echo \"${COMPREPLY[*]}\"'",
		script, words, cword);
	bash = popen(line, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(bash);
	n = fread(got, 1, sizeof(got) - 1, bash);
	got[n] = '\0';
	CU_ASSERT_EQUAL(pclose(bash), 0);
	CU_ASSERT_STRING_EQUAL(got, offered);
	if (strcmp(got, offered) != 0)
		fprintf(stderr, "\n%s: %s", words, got);
}

static void
test_completion(void)
{
	char script[96];
	char *out;
	char *err;
	FILE *file;

	CU_ASSERT_EQUAL(run(0, "completion", &out, &err), CTL_OK);
	snprintf(script, sizeof(script), "%s/completion.bash", dir);
	file = fopen(script, "w");
	fputs(out, file);
	fclose(file);
	complete(script, "shuntctl sh", 1, "show\n");
	complete(script, "shuntctl -j -s /x e", 4, "explain events exec\n");
	complete(script, "shuntctl show p", 2, "ports program\n");
	complete(script, "shuntctl -j show flows --", 4, "--why\n");
	complete(script, "shuntctl show status x", 3, "\n");
	unlink(script);
	free(out);
	free(err);
}

/* nft's command line, as far as it goes without a kernel or a daemon behind it. */
static const struct {
	const char *line;
	int ret;
} nft_cases[] = {
	{"nft describe tcp dport", CTL_OK},
	{"nft -n -a -s -t -y -p -T -u -N -S -e describe tcp dport", CTL_OK},
	{"nft --numeric --debug eval,netlink describe tcp dport", CTL_OK},
	{"nft --help", CTL_OK},
	{"nft no such command", CTL_REFUSED},
	{"nft -f /no/such/file", CTL_REFUSED},
	{"nft -D novalue describe tcp dport", CTL_USAGE},
	{"nft -d nonsense describe tcp dport", CTL_USAGE},
	{"nft --nonsense", CTL_USAGE},
	{"nft -f x list ruleset", CTL_USAGE},
	{"nft", CTL_USAGE},
	{"-j nft", CTL_USAGE},
};

static void
test_nft(void)
{
	size_t i;

	for (i = 0; i < sizeof(nft_cases) / sizeof(nft_cases[0]); i++) {
		char *out;
		char *err;
		int ret;

		shim_path[0] = '\0';
		ret = run(0, nft_cases[i].line, &out, &err);
		CU_ASSERT_EQUAL(ret, nft_cases[i].ret);
		if (ret != nft_cases[i].ret)
			fprintf(stderr, "\n%s: %d\n", nft_cases[i].line, ret);
		CU_ASSERT_STRING_EQUAL(shim_path, "/run/test/nft.sock");
		free(out);
		free(err);
	}
}

static void
test_no_daemon(void)
{
	char *out;
	char *err;

	loop_stop(loop);
	pthread_join(thread, NULL);
	rpc_server_destroy(server);
	loop_destroy(loop);
	CU_ASSERT_EQUAL(run(0, "show ports", &out, &err), CTL_NO_DAEMON);
	CU_ASSERT_STRING_EQUAL(out, "");
	CU_ASSERT_EQUAL(strncmp(err, "shuntctl: no daemon serves /tmp/", 32), 0);
	free(out);
	free(err);
	shim_path[0] = '\0';
	CU_ASSERT_EQUAL(run(0, "nft list ruleset", &out, &err), CTL_NO_DAEMON);
	CU_ASSERT_STRING_EQUAL(shim_path, "");
	free(out);
	free(err);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

int
main(void)
{
	const struct unix_access access = {UNIX_NO_GROUP, UNIX_NO_GROUP};
	CU_TestInfo tests[] = {
		{"commands: what they print and how they end", test_commands},
		{"a long listing", test_long},
		{"tuples", test_tuple},
		{"bash completion", test_completion},
		{"nft's command line", test_nft},
		{"no daemon", test_no_daemon},
		CU_TEST_INFO_NULL,
	};

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	if (loop_create(&loop) != 0 || rpc_server_create(loop, path, &access, &server) != 0 ||
		rpc_server_add(server, methods, sizeof(methods) / sizeof(methods[0]), NULL) != 0 ||
		pthread_create(&thread, NULL, serve, loop) != 0)
		return 1;
	return unit_run("shuntctl", tests);
}
