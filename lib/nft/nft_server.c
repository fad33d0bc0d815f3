/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft_server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "nft_server_priv.h"

/* Accepted in one go. */
#define ACCEPT_BURST 16

static void
on_accept(void *arg, uint32_t events)
{
	struct nft_server *server = arg;
	int i;

	(void)events;
	for (i = 0; i < ACCEPT_BURST; i++) {
		int fd = accept4(server->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			if (server->conn_count < NFT_CLIENTS_MAX &&
				unix_peer_right(fd, &server->access) == UNIX_RIGHT_ADMIN)
				nft_conn_open(server, fd);
			else
				close(fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) {
			/* No descriptors or no memory: looking again at once would spin. */
			loop_modify(server->watch, 0);
			loop_timer_arm(server->resume, NS_PER_SEC, 0);
		}
		return;
	}
}

static void
on_resume(void *arg)
{
	struct nft_server *server = arg;

	loop_modify(server->watch, EPOLLIN);
}

struct nft_server *
nft_server_new(struct loop *loop, struct nft_wire *wire, const char *path,
	const struct unix_access *access, int *err)
{
	struct nft_server *server = calloc(1, sizeof(*server));

	*err = -ENOMEM;
	if (server == NULL)
		return NULL;
	server->loop = loop;
	server->wire = wire;
	server->access = (struct unix_access){.admin = access->admin, .view = UNIX_NO_GROUP};
	server->listener.fd = -1;
	LIST_INIT(&server->conns);
	*err = loop_timer_create(loop, on_resume, server, &server->resume);
	if (*err == 0)
		*err = unix_listen(&server->listener, path, &server->access);
	if (*err == 0)
		*err = loop_add(
			loop, server->listener.fd, EPOLLIN, on_accept, server, &server->watch);
	if (*err == 0)
		return server;
	nft_server_free(server);
	return NULL;
}

void
nft_server_free(struct nft_server *server)
{
	struct nft_conn *conn;

	if (server == NULL)
		return;
	loop_remove(server->watch);
	unix_unlisten(&server->listener);
	while ((conn = LIST_FIRST(&server->conns)) != NULL)
		nft_conn_free(conn);
	loop_timer_destroy(server->resume);
	free(server);
}

unsigned int
nft_server_clients(const struct nft_server *server)
{
	return server->conn_count;
}
