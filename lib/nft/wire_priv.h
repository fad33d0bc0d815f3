/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages' side from inside: a message being handled, what fills answers.
 */
#ifndef SHUNT_NFT_WIRE_PRIV_H
#define SHUNT_NFT_WIRE_PRIV_H

/* A life in milliseconds, at most: ten thousand years. */
#define WIRE_TIMEOUT_MS (10000ULL * 366 * 86400 * 1000)

#include "nft_wire.h"
#include "store.h"

#include <linux/netfilter/nfnetlink.h>

/* Attributes above have no message that knows them. */
#define WIRE_ATTRS 32
/* Bytes of the largest message that is built: its nests end at 64 KiB. */
#define WIRE_SCRATCH (256 * 1024)

struct nft_wire {
	struct store *store;
	const struct nft_backend *backend;
	struct nft_client *clients;
	struct nft_client *committing; /* whose batch is being put in force; may be gone: busy */
	bool busy;
	bool at_next;		 /* wire_next() is under way */
	bool orphans;		 /* a client has left tables behind */
	uint32_t ports;		 /* of clients whose process is no name for them: counted down */
	struct store_gone *gone; /* what that batch removed */
	uint8_t *scratch;
	bool watched; /* somebody listened when packets' doings were looked at last */
	bool tracing; /* a client has joined the group of trace events */
	void (*on_tracing)(void *ctx, bool on); /* told of it; may be NULL */
	void *on_tracing_ctx;
	const struct nft_subsystem *subsystem; /* NULL: none */
	uint64_t waiting_at;		       /* counts batches that had to wait */
	const struct nft_client *mirror; /* alone may change the ruleset; NULL: who may at all */
};

/* A reader's hold on the ruleset (wire_lease.c). */
struct wire_lease {
	uint8_t asks;	     /* for the generation until it is over; 0: there is none */
	bool told;	     /* a generation, */
	uint32_t generation; /* this one, */
	uint64_t told_ns;    /* then */
	uint64_t since_ns;
	uint64_t active_ns; /* its last sign of life */
	size_t backlog;
};

struct nft_client {
	struct nft_client *next;
	struct nft_wire *wire;
	nft_send_t send;
	void *ctx;
	uint32_t pid;		      /* of its process; 0: not known */
	char name[16];		      /* and what that is called */
	size_t (*backlog)(void *ctx); /* NULL: nobody says */
	void *slot;		      /* the subsystem's */
	uint32_t groups;
	uint32_t port;		 /* no other client has it */
	void (*done)(void *ctx); /* of the request that is not answered yet */
	void *done_ctx;
	void *waiting; /* that request, while others' are under way */
	size_t waiting_len;
	uint64_t waiting_at; /* its place among those that wait */
	struct wire_lease lease;
	/* A dump's datagram as it fills up. */
	uint8_t *dump;
	size_t dump_len;
};

/* A message being handled. */
struct wire_msg {
	struct nft_wire *wire;
	struct nft_client *client;
	const struct nlmsghdr *nlh;
	uint8_t family;
	bool changing; /* of a batch: tables of others are not to be touched */
	const struct nlattr *attrs[WIRE_ATTRS + 1];
	const void *bad; /* on failure: the attribute at fault in the request, or NULL */
};

/* A failure with an attribute to blame. */
static inline int
wire_refuse(struct wire_msg *msg, const void *bad, int err)
{
	msg->bad = bad;
	return err;
}

/* Sort a nest's attributes by type; unknown ones and those out of bounds are refused. */
int wire_attrs(struct wire_msg *msg, const struct nlattr *nest, const struct nlattr **out, int max);
/* Refuse those of a nest that a table of attributes refuses. */
int wire_attributes(struct wire_msg *msg, const struct nft_feature *features,
	const struct nlattr *const *attrs, int max);
/* Typed attributes: 0, or -EINVAL with the blame. */
int wire_u32(struct wire_msg *msg, const struct nlattr *attr, uint32_t *value);
int wire_u64(struct wire_msg *msg, const struct nlattr *attr, uint64_t *value);
int wire_name(struct wire_msg *msg, const struct nlattr *attr, char name[STORE_NAME]);
/* The table that an attribute names: -ENOENT. */
int wire_find_table(struct wire_msg *msg, const struct nlattr *attr, struct store_table **table);
/* Whether a change may touch a table. */
bool wire_may_change(const struct wire_msg *msg, const struct store_table *table);
/* The same of a chain in it. */
int wire_find_chain(struct wire_msg *msg, const struct store_table *table,
	const struct nlattr *attr, struct store_chain **chain);

/* Whether the message is a mirror's (nft_client_mirror). */
static inline bool
wire_mirrors(const struct wire_msg *msg)
{
	return msg->wire->mirror != NULL && msg->client == msg->wire->mirror;
}

/* The handle of something new: the next one, or what a mirror says. @param last updated */
uint64_t wire_handle(const struct wire_msg *msg, const struct nlattr *attr, uint64_t *last);

/* Userdata as it came; NULL and 0 without. */
int wire_keep(struct wire_msg *msg, const struct nlattr *attr, struct store_blob **out);

/* wire_device.c: names of devices; one of the two attributes may be NULL, or both. */
int wire_take_devices(struct wire_msg *msg, const struct nlattr *one, const struct nlattr *many,
	struct store_blob **out);
/* Those of more that an item has not join its devices; those of less leave them, or -ENOENT. */
int wire_join_devices(struct store *store, struct store_item *item, struct store_blob **devices,
	const struct store_blob *more);
int wire_leave_devices(struct store *store, struct store_item *item, struct store_blob **devices,
	const struct store_blob *less);
uint32_t wire_device_count(const struct store_blob *devices);
/* The n-th name, or NULL. */
const char *wire_device(const struct store_blob *devices, uint32_t n);

/* Whether the batch puts the table to sleep or wakes it (__NFT_TABLE_F_UPDATE). */
bool wire_table_turns(const struct store *store, const struct store_table *table);

/* wire_lease.c: whether another one reads, and a client's batch has to wait. */
bool wire_lease_holds(const struct nft_client *client);
/* A request has come: a sign of life; with a batch its own reading is over. */
void wire_lease_request(struct nft_client *client, bool batch);
/* The client is told the generation. */
void wire_lease_generation(struct nft_client *client);
/* What is over by time. */
void wire_lease_look(struct nft_wire *wire);
/* Batches that nothing holds up any more are next. */
void wire_next(struct nft_wire *wire);

/* Changes, by message. 0 or a negative errno with msg->bad. */
int wire_new_table(struct wire_msg *msg);
int wire_del_table(struct wire_msg *msg);
int wire_new_chain(struct wire_msg *msg);
int wire_del_chain(struct wire_msg *msg);
int wire_new_rule(struct wire_msg *msg);
int wire_del_rule(struct wire_msg *msg);
int wire_new_set(struct wire_msg *msg);
int wire_del_set(struct wire_msg *msg);
int wire_new_elem(struct wire_msg *msg);
int wire_del_elem(struct wire_msg *msg);
int wire_new_object(struct wire_msg *msg);
int wire_del_object(struct wire_msg *msg);
int wire_new_flowtable(struct wire_msg *msg);
int wire_del_flowtable(struct wire_msg *msg);

/* wire_object_kinds.c: an object that is no statement; its data, to be told again. */
int wire_check_object(struct wire_msg *msg, uint32_t type, const struct nlattr *data);
int wire_keep_object(struct wire_msg *msg, struct store_object *object, const struct nlattr *data);
/* wire_object.c: what it has counted or used is over, once it was told. */
void wire_reset_object(struct nft_wire *wire, struct store_object *object);

/* Questions: they send. */
void wire_get(struct wire_msg *msg);
void wire_links(struct wire_msg *msg);

/* Begin a message in the scratch buffer. */
struct nlmsghdr *wire_begin(
	struct nft_wire *wire, uint16_t type, uint16_t flags, uint32_t seq, uint8_t family);
/* What a message says of an item, its names included. */
void wire_fill(struct nft_wire *wire, struct nlmsghdr *nlh, const struct store_item *item);
uint8_t wire_family(const struct store_item *item);
uint16_t wire_new_type(uint8_t kind);
uint16_t wire_del_type(uint8_t kind);
/* A rule's expressions with counters as they are now; wire_rule.c. */
void wire_fill_exprs(struct nft_wire *wire, struct nlmsghdr *nlh, const struct store_rule *rule);
/* What a statement's state says now; what a counter began with is added. */
void wire_read_state(struct nft_wire *wire, const struct nft_statement *statement, uint32_t number,
	const uint64_t base[2], uint64_t words[2]);
/* Append attributes as they came. */
void wire_put_raw(struct nlmsghdr *nlh, const struct store_blob *blob);
void wire_put_u64(struct nlmsghdr *nlh, uint16_t type, uint64_t value);

/* Answers. */
void wire_error(struct nft_client *client, const struct nlmsghdr *nlh, int err, const void *bad);
void wire_send(struct nft_client *client, const struct nlmsghdr *nlh, bool event);
/* Add a message to a client's dump; end it. */
void wire_dump(struct nft_client *client, const struct nlmsghdr *nlh);
void wire_dump_end(struct nft_client *client, const struct nlmsghdr *request);

/* The key of an element that a client asks for; wire_elem.c. */
int wire_elem_key(struct wire_msg *msg, const struct nlattr *nest, struct store_elem *key);

/*
 * wire_events.c: tell monitors, and the client that asked for an echo, of the log's
 * changes. The generation is told as the batch's first message wants it, as in Linux
 * (nf_tables_gen_notify sees its header); NULL: there was no batch.
 */
void wire_events(struct nft_wire *wire, struct nft_client *client, const struct nlmsghdr *first);

/* wire_trace.c: clients joined groups, left them, or went. */
void wire_listeners(struct nft_wire *wire);

/* What a message says of the generation. */
void wire_fill_generation(
	const struct nft_wire *wire, struct nlmsghdr *nlh, const struct nft_client *asker);

/* wire_fill.c: an element that a packet added. */
void wire_fill_dynamic(
	struct nlmsghdr *nlh, const struct store_set *set, struct nft_dynamic_elem *elem);

/* wire_set.c: a set that packets add to has a size (nft_dynset_init). */
int wire_size_set(struct wire_msg *msg, struct store_set *set);

/* wire_rename.c: what leads to a chain, by another name. */
int wire_rename_verdicts(struct wire_msg *msg, const struct store_chain *chain, const char *to);

/* wire_rule.c: a chain by its id in the open batch, or NULL. */
struct store_chain *wire_chain_of_batch(const struct store_table *table, uint32_t id);

/* wire_expr.c: the message's expressions into its rule, whose chain is known. */
int wire_take_exprs(struct wire_msg *msg, struct store_rule *rule);

/* What an expression names. */
struct wire_named {
	struct store_set *set;	   /* the last one that an expression named */
	struct store_chain *bound; /* a chain of `jump { }` that it has bound; NULL: none */
	uint8_t family;
	bool mirrors; /* the message is a mirror's */
};

/* wire_keep.c: an expression's data, which was parsed, as it is to be told again. */
void wire_keep_expr(struct nlmsghdr *nlh, const char *name, const struct nlattr *data,
	const struct wire_named *named);

/* wire_compat.c: what a rule says for iptables' extensions (nft_parse_compat). */
int wire_compat(struct wire_msg *msg, struct store_rule *rule);
/* The struct of an extension as it is listed: padded, the kernel's own part as zeroes. */
void wire_keep_info(struct nlmsghdr *nlh, const struct nlattr *data, const struct nlattr *info,
	uint8_t family, bool target);
/* NFNL_MSG_COMPAT_GET: which revision of an extension there is. */
void wire_get_compat(struct wire_msg *msg);

#endif
