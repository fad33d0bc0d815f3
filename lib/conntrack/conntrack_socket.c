/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server and its clients, and what they are told unasked.
 */
#include "conntrack_socket.h"

#include <stdlib.h>

#include "ctnl_priv.h"

static void
listeners(struct ctnl *ctnl)
{
	const struct ctnl_client *client;
	uint32_t groups = 0;

	LIST_FOREACH (client, &ctnl->clients, link)
		groups |= client->groups;
	if (groups == ctnl->groups)
		return;
	ctnl->groups = groups;
	ctnl->backend.listen(ctnl->backend.ctx, groups);
}

struct ctnl *
ctnl_new(const struct ctnl_backend *backend)
{
	struct ctnl *ctnl = calloc(1, sizeof(*ctnl));

	if (ctnl != NULL)
		ctnl->backend = *backend;
	return ctnl;
}

void
ctnl_free(struct ctnl *ctnl)
{
	if (ctnl == NULL)
		return;
	ctnl_requests_free(ctnl);
	free(ctnl);
}

struct ctnl_client *
ctnl_client_new(struct ctnl *ctnl, const struct ctnl_peer *peer)
{
	struct ctnl_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return NULL;
	client->ctnl = ctnl;
	client->peer = *peer;
	LIST_INSERT_HEAD(&ctnl->clients, client, link);
	return client;
}

void
ctnl_client_free(struct ctnl_client *client)
{
	if (client->request != NULL)
		ctnl_request_forget(client->request);
	LIST_REMOVE(client, link);
	listeners(client->ctnl);
	free(client);
}

void
ctnl_client_listen(struct ctnl_client *client, uint32_t groups)
{
	client->groups = groups;
	listeners(client->ctnl);
}

void
ctnl_tell(struct ctnl *ctnl, const struct conntrack_event *event)
{
	uint32_t group = conntrack_event_group(event->bits);
	uint8_t buf[CTNL_MESSAGE];
	struct ctnl_client *client;

	if (!(ctnl->groups & group))
		return;
	ctnl_fill_event(buf, event);
	LIST_FOREACH (client, &ctnl->clients, link)
		if (client->groups & group)
			client->peer.send(client->peer.ctx, buf,
				((const struct nlmsghdr *)(const void *)buf)->nlmsg_len, true);
}

void
ctnl_lost(struct ctnl *ctnl)
{
	struct ctnl_client *client;

	LIST_FOREACH (client, &ctnl->clients, link)
		if (client->groups != 0)
			client->peer.send(client->peer.ctx, NULL, 0, true);
}
