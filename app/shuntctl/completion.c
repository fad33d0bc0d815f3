/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "shuntctl.h"

/* The first words, each once. */
static void
first_words(FILE *out)
{
	const struct ctl_command *command;
	const char *before = "";

	for (command = ctl_commands; command->words != NULL; command++) {
		size_t len = strcspn(command->words, " ");

		/* Commands of one first word stand together in the table. */
		if (strncmp(before, command->words, len) == 0 && strcspn(before, " ") == len)
			continue;
		fprintf(out, "%.*s ", (int)len, command->words);
		before = command->words;
	}
}

static void
second_words(FILE *out, const char *first)
{
	const struct ctl_command *command;
	size_t len = strlen(first);

	for (command = ctl_commands; command->words != NULL; command++) {
		if (strncmp(command->words, first, len) == 0 && command->words[len] == ' ')
			fprintf(out, "%s ", command->words + len + 1);
	}
}

static void
command_options(FILE *out)
{
	const struct ctl_command *command;
	const struct ctl_option *option;

	for (command = ctl_commands; command->words != NULL; command++) {
		if (command->options == NULL)
			continue;
		fprintf(out, "\t[\"%s\"]=\"", command->words);
		for (option = command->options; option->name != NULL; option++)
			fprintf(out, "%s ", option->name);
		fprintf(out, "\"\n");
	}
}

int
ctl_completion(struct ctl *ctl, const struct ctl_command *command, int argc, char **argv)
{
	FILE *out = ctl->out;

	(void)argv;
	if (argc > 0)
		return ctl_misuse(ctl, command, "completion takes no arguments");
	fprintf(out, "# bash completion for shuntctl, made by `shuntctl completion`\n"
		     "declare -gA _shuntctl_next=(\n\t[\"-\"]=\"");
	first_words(out);
	fprintf(out, "\"\n\t[\"show\"]=\"");
	second_words(out, "show");
	fprintf(out, "\"\n");
	command_options(out);
	fprintf(out,
		")\n"
		"_shuntctl()\n"
		"{\n"
		"\tlocal word words=() skip= i\n"
		"\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
		"\tif [[ $before == -s ]]; then\n"
		"\t\tCOMPREPLY=($(compgen -f -- \"$current\"))\n"
		"\t\treturn\n"
		"\tfi\n"
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tword=${COMP_WORDS[i]}\n"
		"\t\tif [[ $skip ]]; then skip=; continue; fi\n"
		"\t\tcase $word in\n"
		"\t\t-s) skip=1 ;;\n"
		"\t\t-*) ;;\n"
		"\t\t*) words+=(\"$word\") ;;\n"
		"\t\tesac\n"
		"\tdone\n"
		"\tword=${words[*]}\n"
		"\tif [[ ${words[0]} == nft || ${words[0]} == apply ]]; then\n"
		"\t\tCOMPREPLY=($(compgen -f -- \"$current\"))\n"
		"\t\treturn\n"
		"\tfi\n"
		"\tif [[ ${words[0]} == exec ]]; then\n"
		"\t\tCOMPREPLY=($(compgen -c -f -- \"$current\"))\n"
		"\t\treturn\n"
		"\tfi\n"
		"\tCOMPREPLY=($(compgen -W \"${_shuntctl_next[${word:--}]} -j -s\" -- "
		"\"$current\"))\n"
		"}\n"
		"complete -F _shuntctl shuntctl\n");
	return CTL_OK;
}
