/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nft socket over a store without a dataplane: what nft sees of a ruleset is
 * compared with the kernel's.
 * usage: nft_store [--all] SOCKET; prints "ready", ends with its standard input.
 * --all: what the dataplane cannot evaluate is stored, too.
 * NFT_STORE_RECORD in the environment: a file that gets what clients ask, as frames.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"
#include "compile.h"
#include "load.h"
#include "nft_frame.h"
#include "nft_server.h"
#include "store.h"

static struct nft_ruleset *prepared, *current;
/* No port is there. */
static const char *
port_name(uint16_t port)
{
	static const char none[16];

	(void)port;
	return none;
}

static uint32_t
port_index(uint16_t port)
{
	return port + 2U;
}

static uint16_t
port_by_name(const char *name)
{
	(void)name;
	return PORT_NONE;
}

static const struct nft_env env = {
	.port_name = port_name, .port_index = port_index, .port_by_name = port_by_name};

static int
prepare(void *ctx, struct store *store, struct nft_blame *blame)
{
	int rc;

	(void)ctx;

	nft_ruleset_free(prepared);
	prepared = NULL;
	rc = nft_load(store, &env, current, &prepared, blame);
	return rc != 0 ? rc : nft_compile(prepared->program);
}

static void
commit(void *ctx, void (*done)(void *arg), void *arg)
{
	(void)ctx;
	nft_ruleset_free(current);
	current = prepared;
	prepared = NULL;
	done(arg);
}

static struct nft_count
read_counter(void *ctx, uint32_t counter)
{
	return nft_states_count(ctx, counter);
}

static bool
link_at(void *ctx, unsigned int n, struct nft_link *link)
{
	(void)ctx;
	*link = (struct nft_link){1, "lo"};
	return n == 0;
}

static FILE *record;

void __real_nft_client_request(struct nft_client *client, int protocol, const void *req, size_t len,
	void (*done)(void *ctx), void *ctx);
void __wrap_nft_client_request(struct nft_client *client, int protocol, const void *req, size_t len,
	void (*done)(void *ctx), void *ctx);

/* By the linker in the place of the server's calls. */
void
__wrap_nft_client_request(struct nft_client *client, int protocol, const void *req, size_t len,
	void (*done)(void *ctx), void *ctx)
{
	const struct nft_frame frame = {(uint32_t)len, NFT_FRAME_REQ, (uint8_t)protocol, 0};

	if (record != NULL) {
		fwrite(&frame, sizeof(frame), 1, record);
		fwrite(req, len, 1, record);
		fflush(record);
	}
	__real_nft_client_request(client, protocol, req, len, done, ctx);
}

static void
look(void *arg)
{
	nft_wire_look(arg);
}

static void
stop(void *arg, uint32_t events)
{
	(void)events;
	loop_stop(arg);
}

int
main(int argc, char **argv)
{
	struct nft_states *states = nft_states_new(1);
	struct store *store = store_new(states);
	struct nft_backend backend = {states, prepare, commit, read_counter, link_at};
	struct unix_access access = {UNIX_NO_GROUP, UNIX_NO_GROUP};
	struct nft_wire *wire = nft_wire_new(store, &backend);
	struct nft_server *server;
	struct loop_timer *timer;
	struct loop_fd *watch;
	struct loop *loop;
	int err;

	if (getenv("NFT_STORE_RECORD") != NULL)
		record = fopen(getenv("NFT_STORE_RECORD"), "ab");
	if (argc == 3 && strcmp(argv[1], "--all") == 0) {
		nft_take_all();
		argv++;
		argc--;
	}
	if (argc != 2 || wire == NULL || loop_create(&loop) != 0)
		return 2;
	server = nft_server_new(loop, wire, argv[1], &access, &err);
	if (server == NULL) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-err));
		return 1;
	}
	if (loop_add(loop, STDIN_FILENO, EPOLLIN, stop, loop, &watch) != 0 ||
		loop_timer_create(loop, look, wire, &timer) != 0)
		return 1;
	loop_timer_arm(timer, 0, 100 * NS_PER_MS);
	puts("ready");
	fflush(stdout);
	loop_run(loop);
	loop_remove(watch);
	loop_timer_destroy(timer);
	nft_server_free(server);
	loop_destroy(loop);
	nft_wire_free(wire);
	store_free(store);
	nft_ruleset_free(current);
	nft_ruleset_free(prepared);
	nft_states_free(states);
	if (record != NULL)
		fclose(record);
	return 0;
}
