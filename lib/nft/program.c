/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
nft_program_states(struct nft_program *program, unsigned int workers)
{
	size_t bytes = (program->counter_count * sizeof(struct nft_count) + 63) / 64 * 64;

	for (unsigned int w = 0; w < workers && bytes != 0; w++) {
		/* Lines of its own: no worker writes where another one does. */
		program->counters[w] = aligned_alloc(64, bytes);
		if (program->counters[w] == NULL)
			return -ENOMEM;
		memset(program->counters[w], 0, bytes);
	}
	if (program->bucket_count == 0)
		return 0;
	program->buckets = aligned_alloc(64, program->bucket_count * sizeof(struct nft_bucket));
	if (program->buckets == NULL)
		return -ENOMEM;
	/* Full: empty since the beginning of time. */
	memset(program->buckets, 0, program->bucket_count * sizeof(struct nft_bucket));
	return 0;
}

struct nft_count
nft_program_counter(const struct nft_program *program, uint32_t counter)
{
	struct nft_count sum = {0};

	for (unsigned int w = 0; w < NFT_WORKERS; w++) {
		if (program->counters[w] == NULL)
			continue;
		sum.packets += program->counters[w][counter].packets;
		sum.bytes += program->counters[w][counter].bytes;
	}
	return sum;
}

void
nft_program_free(struct nft_program *program)
{
	if (program == NULL)
		return;
	for (uint32_t i = 0; i < program->chain_count; i++) {
		/* The code of a rule begins at its own allocation. */
		for (uint32_t r = 0; r < program->chains[i].rule_count; r++)
			free((void *)(uintptr_t)program->chains[i].rules[r].begin);
		free(program->chains[i].rules);
		free(program->chains[i].name);
	}
	for (uint32_t i = 0; i < program->set_count; i++)
		nft_set_free(program->sets[i]);
	for (unsigned int w = 0; w < NFT_WORKERS; w++)
		free(program->counters[w]);
	free(program->buckets);
	free(program->chains);
	free(program->sets);
	free(program);
}
