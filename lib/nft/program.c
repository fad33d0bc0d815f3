/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "program.h"

#include <stdlib.h>

void
nft_code_put(struct nft_code *code)
{
	if (code != NULL && --code->holders == 0)
		free(code);
}

void
nft_program_free(struct nft_program *program)
{
	if (program == NULL)
		return;
	if (--*program->holders != 0) {
		free(program);
		return;
	}
	for (uint32_t i = 0; i < program->chain_count; i++) {
		for (uint32_t r = 0; r < program->chains[i].rule_count; r++)
			nft_code_put(program->chains[i].rules[r].code);
		nft_fast_free(program->chains[i].fast);
		free(program->chains[i].rules);
		free(program->chains[i].name);
		free(program->chains[i].table);
	}
	for (uint32_t i = 0; !program->borrowed && i < program->set_count; i++)
		nft_set_free(program->sets[i]);
	for (uint32_t i = 0; i < program->elem_count; i++)
		free(program->elems[i]);
	free(program->elems);
	free(program->flowtables);
	free(program->objects);
	free(program->chains);
	free(program->sets);
	free(program->holders);
	free(program);
}

struct nft_program *
nft_program_again(const struct nft_program *program, uint32_t generation)
{
	struct nft_program *again = malloc(sizeof(*again));

	if (again == NULL)
		return NULL;
	*again = *program;
	again->generation = generation;
	++*again->holders;
	return again;
}
