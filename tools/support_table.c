/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doc/support.md, printed from the tables of lib/nft.
 */
#include <stdio.h>
#include <string.h>

#include "expr.h"
#include "xt.h"

#define HOOKS_ALL ((1U << HOOK_COUNT) - 1)

static const char *const class_names[] = {
	[NFT_EXACT] = "exact",
	[NFT_CONSTANT] = "constant",
	[NFT_INERT] = "inert",
	[NFT_REFUSED] = "refused",
};

static const char *const hook_names[] = {
	[HOOK_PREROUTING] = "prerouting",
	[HOOK_INPUT] = "input",
	[HOOK_FORWARD] = "forward",
	[HOOK_OUTPUT] = "output",
	[HOOK_POSTROUTING] = "postrouting",
	[HOOK_INGRESS] = "ingress",
	[HOOK_EGRESS] = "egress",
};

static const char *const family_names[] = {"ip", "ip6", "inet", "arp", "bridge", "netdev"};
static const char *const kind_names[] = {"filter", "nat", "route"};

/* The names of bits, with commas; one word if they are all or none. */
static void
print_bits(uint32_t bits, const char *const *names, unsigned int count)
{
	const char *comma = "";

	if (bits == 0 || bits == (1U << count) - 1) {
		printf("all");
		return;
	}
	for (unsigned int i = 0; i < count; i++) {
		if (!(bits & 1U << i))
			continue;
		printf("%s%s", comma, names[i]);
		comma = ", ";
	}
}

/* A cell of a table: a bar would end it. */
static void
print_text(const char *text)
{
	for (; text != NULL && *text != '\0'; text++)
		printf(*text == '|' ? "\\|" : "%c", *text);
}

/* A row for the hooks that it holds for, chains of one type said there. */
static void
print_row(const char *expr, const struct nft_feature *f, enum nft_class class, uint32_t hooks)
{
	printf("| %s | ", expr);
	print_text(f->name);
	printf(" | ");
	if (class == NFT_REFUSED) {
		printf("| | ");
	} else {
		print_bits(f->families, family_names, 6);
		printf(" | ");
		print_bits(hooks, hook_names, HOOK_COUNT);
		if (f->kinds != 0) {
			printf(" of type ");
			print_bits(f->kinds, kind_names, 3);
		}
		printf(" | ");
	}
	printf("%s | ", class_names[class]);
	print_text(f->note);
	printf(" |\n");
}

/* What an expression can do: a row each, two where it is constant at some hooks only. */
static void
print_expression(const char *name, const struct nft_feature *features)
{
	for (const struct nft_feature *f = features; f->name != NULL; f++) {
		uint32_t hooks = (f->hooks != 0 ? f->hooks : HOOKS_ALL) & ~(uint32_t)f->later;
		uint32_t constant = f->class == NFT_EXACT ? hooks & f->constant : 0;

		if (constant != hooks)
			print_row(name, f, (enum nft_class)f->class, hooks & ~constant);
		if (constant != 0)
			print_row(name, f, NFT_CONSTANT, constant);
	}
}

/* A table of anything else, under a heading. */
static void
print_features(const char *title, const struct nft_feature *features)
{
	bool hooks = false;

	for (const struct nft_feature *f = features; f->name != NULL; f++)
		hooks |= f->hooks != 0;
	printf("\n## %s\n| what | %sclass | note |\n|---|%s---|---|\n", title,
		hooks ? "hooks | " : "", hooks ? "---|" : "");
	for (const struct nft_feature *f = features; f->name != NULL; f++) {
		printf("| ");
		print_text(f->name);
		if (hooks) {
			printf(" | ");
			print_bits(f->hooks, hook_names, HOOK_COUNT);
		}
		printf(" | %s | ", class_names[f->class]);
		print_text(f->note);
		printf(" |\n");
	}
}

/* iptables' extensions: one row a name, with its revisions. */
static void
print_extensions(bool target)
{
	const struct nft_xt *xt, *other;

	printf("\n## iptables' extensions: %s\n"
	       "| iptables -%c | revisions | tables | hooks | note |\n|---|---|---|---|---|\n",
		target ? "targets" : "matches", target ? 'j' : 'm');
	for (unsigned int n = 0; (xt = nft_xt_row(n)) != NULL; n++) {
		const char *comma = "", *note = xt->note;
		bool first = true;

		for (unsigned int i = 0; i < n; i++)
			first &= strcmp(nft_xt_row(i)->name, xt->name) != 0 ||
				 (nft_xt_row(i)->target != NULL) != target;
		if ((xt->target != NULL) != target || !first)
			continue;
		printf("| %s | ", xt->name);
		for (unsigned int i = n, last = UINT8_MAX; (other = nft_xt_row(i)) != NULL; i++) {
			if ((other->target != NULL) != target || strcmp(other->name, xt->name) != 0)
				continue;
			if (other->note != NULL)
				note = other->note;
			if (other->revision != last)
				printf("%s%u", comma, other->revision);
			last = other->revision;
			comma = ", ";
		}
		printf(" | %s | ", xt->table != NULL ? xt->table : "all");
		print_bits(xt->hooks, hook_names, HOOK_COUNT);
		printf(" | ");
		print_text(note);
		printf(" |\n");
	}
}

static const char intro[] =
	"<!-- SPDX-License-Identifier: GPL-2.0-or-later -->\n"
	"# What is supported\n"
	"\n"
	"Printed from the tables of lib/nft, which the code that takes or refuses a\n"
	"ruleset asks; do not edit. After a change of one:\n"
	"\n"
	"    ninja -C build && build/tools/support_table > doc/support.md\n"
	"\n"
	"| class | means |\n"
	"|---|---|\n"
	"| exact | behaves as Linux 6.18 does (doc/differences.md has what is left) |\n"
	"| constant | taken; there is one result for every packet that can come here |\n"
	"| inert | taken and stored; nothing can come by |\n"
	"| refused | EOPNOTSUPP when it is loaded, with nft's caret under the rule or the name |\n"
	"\n"
	"What is not listed is refused as well, as are attributes that a newer nft sends.\n";

int
main(void)
{
	const struct expr_ops *ops;

	fputs(intro, stdout);
	print_features("Families", nft_families);
	print_features("Tables", nft_table_features);
	print_features("Types of base chains", nft_chain_types);
	print_features("Hooks of base chains", nft_hooks);
	print_features("Chains", nft_chain_features);
	printf("\n## Expressions\nHooks: of the base chains that reach the rule.\n\n"
	       "| expression | as nft writes it | families | hooks | class | note |\n"
	       "|---|---|---|---|---|---|\n");
	for (unsigned int n = 0; (ops = expr_row(n)) != NULL; n++) {
		if (ops->features == NULL) {
			fprintf(stderr, "%s: its file has no table of features\n", ops->name);
			return 1;
		}
		print_expression(ops->name, ops->features);
	}
	for (const struct nft_feature *f = nft_absent_expressions; f->name != NULL; f++)
		if (expr_find(f->name) != NULL) {
			fprintf(stderr, "%s: built, and in the list of what is not\n", f->name);
			return 1;
		}
	print_features("Expressions that are not built", nft_absent_expressions);
	print_extensions(false);
	print_extensions(true);
	print_features("Sets and maps", nft_set_features);
	print_features("What sets may carry", nft_set_attributes);
	print_features("What elements may carry", nft_elem_attributes);
	print_features("Named objects", nft_objects);
	print_features("Flowtables", nft_flowtable_features);
	return fflush(stdout) == 0 ? 0 : 1;
}
