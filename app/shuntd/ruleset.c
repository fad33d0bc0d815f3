/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ruleset: the store behind the nft socket, and each committed batch's way
 * into force. The answer to a batch waits until every worker has taken it up.
 */
#include "ruleset.h"
#include "follow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compile.h"
#include "log.h"

/* How often a commit looks whether the workers have it. */
#define LATCH_NS (50 * 1000)
/* After this an event says that a commit is late. */
#define LATE_NS (2 * NS_PER_SEC)

static void
live_free(struct ruleset_live *live)
{
	if (live == NULL)
		return;
	nft_ruleset_free(live->rules);
	free(live);
}

static bool
compiled(const struct ruleset *r)
{
	return r->daemon->config->runtime.engine == CONFIG_ENGINE_COMPILED;
}

/* The base chains as lib/path takes them, and what else has to run. */
static int
make_hooks(struct ruleset *r, struct ruleset_live *live)
{
	const struct nft_ruleset *rules = live->rules;
	struct hook_chain *chains = calloc(rules->chain_count + 1, sizeof(*chains));
	struct hook_features on[2];
	int rc;

	if (chains == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < rules->chain_count; i++) {
		const struct nft_hooked *from = &rules->chains[i];

		chains[i] = (struct hook_chain){
			.families = {from->families[0], from->families[1]},
			.hook = (enum hook)from->hook,
			.priority = from->priority,
			.nat = from->kind == NFT_KIND_NAT,
			.route = from->kind == NFT_KIND_ROUTE,
			.run = compiled(r) ? nft_compiled_run : nft_reference_run,
			.chain = &from->base,
			.ports = from->ports,
			.other = from->other,
		};
	}
	for (unsigned int f = 0; f < 2; f++)
		on[f] = (struct hook_features){.conntrack = rules->conntrack[f],
			.nat = rules->conntrack[f] && rules->nat[f],
			.defrag = rules->conntrack[f]};
	rc = hooks_build(&live->hooks, on, chains, rules->chain_count);
	free(chains);
	live->hooks.generation = ++r->generation;
	live->hooks.states = r->states;
	return rc;
}

static int
prepare(void *ctx, struct store *store, struct nft_blame *blame)
{
	struct ruleset *r = ctx;
	struct ruleset_live *live = calloc(1, sizeof(*live));
	int rc;

	live_free(r->prepared);
	r->prepared = NULL;
	if (live == NULL)
		return -ENOMEM;
	rc = nft_load(store, ruleset_env(r->daemon), r->current != NULL ? r->current->rules : NULL,
		&live->rules, blame);
	if (rc == 0 && compiled(r))
		rc = nft_compile(live->rules->program);
	if (rc == 0)
		rc = make_hooks(r, live);
	if (rc != 0) {
		live_free(live);
		return rc;
	}
	r->prepared = live;
	return 0;
}

/* Whether what was in force before is in nobody's hands. */
static bool
in_force(const struct ruleset *r)
{
	return r->daemon->path == NULL || !r->daemon->walking || path_latched(r->daemon->path);
}

static void
finish(struct ruleset *r)
{
	void (*done)(void *) = r->done;

	loop_timer_disarm(r->timer);
	/* Events point into it. */
	ruleset_trace(r);
	live_free(r->old);
	r->old = NULL;
	r->done = NULL;
	done(r->done_arg);
}

static void
look(void *arg)
{
	struct ruleset *r = arg;

	if (in_force(r)) {
		finish(r);
	} else if (!r->late && clock_ns() - r->committed_ns > LATE_NS) {
		r->late = true;
		log_warning("a ruleset waits for the workers for more than two seconds");
		if (r->daemon->rpc != NULL)
			rpc_event(r->daemon->rpc, "commit-late",
				json_pack("{si}", "generation", (int)r->generation));
	}
}

static void
commit(void *ctx, void (*done)(void *arg), void *arg)
{
	struct ruleset *r = ctx;

	r->old = r->current;
	r->current = r->prepared;
	r->prepared = NULL;
	r->done = done;
	r->done_arg = arg;
	r->late = false;
	r->committed_ns = clock_ns();
	if (r->daemon->path != NULL)
		path_set_hooks(r->daemon->path, &r->current->hooks);
	if (in_force(r))
		finish(r);
	else
		loop_timer_arm(r->timer, LATCH_NS, LATCH_NS);
}

static struct nft_count
read_counter(void *ctx, uint32_t counter)
{
	const struct ruleset *r = ctx;

	return r->daemon->path != NULL ? path_read_counter(r->daemon->path, r->states, counter)
				       : nft_states_count(r->states, counter);
}

/* lo, then the ports of the config. */
static bool
link_at(void *ctx, unsigned int n, struct nft_link *link)
{
	const struct ruleset *r = ctx;
	const struct config *config = r->daemon->config;

	*link = (struct nft_link){.index = n + 1};
	if (n > config->port_count)
		return false;
	snprintf(link->name, sizeof(link->name), "%s", n == 0 ? "lo" : config->ports[n - 1].name);
	return true;
}

static void
ruleset_free(struct ruleset *r)
{
	if (r == NULL)
		return;
	follow_free(r->follow);
	nft_server_free(r->server);
	ctnetlink_free(r->ctnetlink);
	loop_timer_destroy(r->timer);
	nft_wire_free(r->wire);
	store_free(r->store);
	live_free(r->old);
	live_free(r->prepared);
	live_free(r->current);
	nft_states_free(r->states);
	free(r);
}

/* Everything but the file. */
static struct ruleset *
ruleset_new(struct daemon *d, const char *socket, int *err)
{
	const struct unix_access access = {
		.admin = d->config->control.admin_group, .view = d->config->control.view_group};
	struct ruleset *r = calloc(1, sizeof(*r));
	struct nft_blame blame;

	*err = -ENOMEM;
	if (r == NULL)
		return NULL;
	r->daemon = d;
	r->states = nft_states_new(d->config->runtime.worker_count);
	r->store = r->states != NULL ? store_new(r->states) : NULL;
	r->backend = (struct nft_backend){r, prepare, commit, read_counter, link_at};
	r->wire = r->store != NULL ? nft_wire_new(r->store, &r->backend) : NULL;
	if (r->wire == NULL || loop_timer_create(d->loop, look, r, &r->timer) != 0) {
		ruleset_free(r);
		return NULL;
	}
	nft_wire_on_tracing(r->wire, ruleset_trace_listen, r);
	*err = 0;
	if (d->path != NULL) {
		r->ctnetlink = ctnetlink_new(d, r->wire);
		*err = r->ctnetlink != NULL ? 0 : -ENOMEM;
	}
	if (*err == 0)
		*err = prepare(r, r->store, &blame);
	if (*err == 0)
		r->server = nft_server_new(d->loop, r->wire, socket, &access, err);
	if (r->server == NULL) {
		ruleset_free(r);
		return NULL;
	}
	r->current = r->prepared;
	r->prepared = NULL;
	return r;
}

/* The file that the config names; the default one need not exist. */
static bool
has_file(const struct config *config)
{
	return config->ruleset_place.line != 0 || access(config->ruleset, F_OK) == 0;
}

/* What the config says that the ruleset is. */
static int
ruleset_fill(struct ruleset *r, const char *socket, char err[DAEMON_ERR_LEN])
{
	const struct config *config = r->daemon->config;

	if (config->follow)
		return follow_new(r, &r->follow, err);
	return has_file(config) ? ruleset_file(r->daemon->loop, socket, config->ruleset, err) : 0;
}

int
ruleset_check(struct config *config, char err[DAEMON_ERR_LEN])
{
	struct daemon d = {.config = config};
	char folder[] = "/tmp/shuntd-check-XXXXXX", socket[64];
	int rc = 0;

	if (!config->follow && !has_file(config))
		return 0;
	if (mkdtemp(folder) == NULL || loop_create(&d.loop) != 0) {
		snprintf(err, DAEMON_ERR_LEN, "cannot check the ruleset: %s", strerror(errno));
		return -errno;
	}
	snprintf(socket, sizeof(socket), "%s/nft.sock", folder);
	d.ruleset = ruleset_new(&d, socket, &rc);
	if (d.ruleset != NULL)
		rc = ruleset_fill(d.ruleset, socket, err);
	else
		snprintf(err, DAEMON_ERR_LEN, "%s: %s", socket, strerror(-rc));
	ruleset_free(d.ruleset);
	loop_destroy(d.loop);
	rmdir(folder);
	return rc;
}

int
ruleset_init(struct daemon *d, char err[DAEMON_ERR_LEN])
{
	int rc;

	d->ruleset = ruleset_new(d, d->config->control.nft, &rc);
	if (d->ruleset == NULL) {
		snprintf(err, DAEMON_ERR_LEN, "%.300s: %s", d->config->control.nft, strerror(-rc));
		return rc;
	}
	path_set_hooks(d->path, &d->ruleset->current->hooks);
	rc = ruleset_fill(d->ruleset, d->config->control.nft, err);
	if (rc != 0)
		ruleset_fini(d);
	return rc;
}

void
ruleset_fini(struct daemon *d)
{
	path_set_hooks(d->path, NULL);
	/* The workers have stopped: nobody holds anything. */
	if (d->ruleset->done != NULL)
		finish(d->ruleset);
	ruleset_trace_free();
	ruleset_free(d->ruleset);
	d->ruleset = NULL;
}

json_t *
ruleset_program(const struct daemon *d)
{
	static const char *const families[] = {"ip", "ip6"};
	static const char *const hook_names[] = {
		[HOOK_PREROUTING] = "prerouting",
		[HOOK_INPUT] = "input",
		[HOOK_FORWARD] = "forward",
		[HOOK_OUTPUT] = "output",
		[HOOK_POSTROUTING] = "postrouting",
		[HOOK_INGRESS] = "ingress",
		[HOOK_EGRESS] = "egress",
	};
	static const char *const kinds[] = {
		[HOOK_CHAIN] = "chain",
		[HOOK_DEFRAG] = "defrag",
		[HOOK_CONNTRACK] = "conntrack",
		[HOOK_NAT] = "nat",
		[HOOK_CONFIRM] = "confirm",
		[HOOK_WHOLE_IP] = "whole-ip",
	};
	const struct ruleset_live *live = d->ruleset->current;
	json_t *rows = json_array();

	for (unsigned int f = 0; f < 2; f++)
		for (unsigned int h = 0; h < HOOK_COUNT; h++)
			for (unsigned int i = 0; i < live->hooks.lists[f][h].count; i++) {
				const struct hook_entry *e = &live->hooks.lists[f][h].entries[i];
				const struct nft_base *base = e->chain;
				const struct nft_chain_code *code =
					e->kind == HOOK_CHAIN ? &base->program->chains[base->chain]
							      : NULL;

				json_array_append_new(rows,
					json_pack("{ss ss si ss ss si}", "family", families[f],
						"hook", hook_names[h], "priority", (int)e->priority,
						"what", kinds[e->kind], "chain",
						code != NULL ? code->name : "", "rules",
						code != NULL ? (int)code->rule_count : 0));
			}
	return rows;
}
