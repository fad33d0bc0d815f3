/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nftables/libnftables.h>

#include "fuzz_record.h"
#include "fuzz_rig.h"
#include "nft_server.h"
#include "shim.h"

struct fuzz_record fuzz_records[FUZZ_RECORDS];
unsigned int fuzz_record_count;
static bool recording;

void __real_nft_client_request(struct nft_client *client, int protocol, const void *req, size_t len,
	void (*done)(void *ctx), void *ctx);
void __wrap_nft_client_request(struct nft_client *client, int protocol, const void *req, size_t len,
	void (*done)(void *ctx), void *ctx);

/* By the linker in the place of the server's calls. */
void
__wrap_nft_client_request(struct nft_client *client, int protocol, const void *req, size_t len,
	void (*done)(void *ctx), void *ctx)
{
	if (recording && fuzz_record_count < FUZZ_RECORDS && len <= FUZZ_ROOM / 4) {
		struct fuzz_record *r = &fuzz_records[fuzz_record_count++];

		*r = (struct fuzz_record){protocol, len, malloc(len + 1)};
		if (r->bytes == NULL)
			exit(2);
		memcpy(r->bytes, req, len);
	}
	__real_nft_client_request(client, protocol, req, len, done, ctx);
}

static void *
serve(void *loop)
{
	(void)loop_run(loop);
	return NULL;
}

void
fuzz_record(const char *const *texts, unsigned int count)
{
	const struct unix_access access = {UNIX_NO_GROUP, UNIX_NO_GROUP};
	char folder[] = "/tmp/shunt-fuzz-XXXXXX", path[64];
	struct nft_server *server;
	struct loop *loop;
	struct nft_ctx *nft;
	pthread_t thread;
	struct fuzz_rig rig;
	int err;

	if (mkdtemp(folder) == NULL || loop_create(&loop) != 0)
		exit(2);
	snprintf(path, sizeof(path), "%s/nft.sock", folder);
	fuzz_rig_new(&rig);
	server = nft_server_new(loop, rig.wire, path, &access, &err);
	if (server == NULL || pthread_create(&thread, NULL, serve, loop) != 0)
		exit(2);
	recording = true;
	shim_set_socket(path);
	nft = nft_ctx_new(NFT_CTX_DEFAULT);
	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	for (unsigned int i = 0; i < count; i++)
		(void)nft_run_cmd_from_buffer(nft, texts[i]);
	nft_ctx_free(nft);
	recording = false;
	loop_stop(loop);
	pthread_join(thread, NULL);
	nft_server_free(server);
	loop_destroy(loop);
	fuzz_rig_free(&rig);
	rmdir(folder);
}
