/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * The ruleset as its owner sees it: tables, chains, rules, sets, elements,
 * objects, flowtables, with handles and a generation, changed by transactions.
 * What a client sent is kept as attributes, to be given back byte for byte; what
 * the loader needs of it is parsed beside.
 *
 * Control thread only. A transaction is a log: each change can be taken back, in
 * reverse order (as nf_tables' commit list).
 */
#ifndef SHUNT_NFT_STORE_H
#define SHUNT_NFT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dynamic.h"
#include "expr.h"
#include "set.h"
#include "states.h"

struct store_gone;

/** What the store holds. */
enum store_kind {
	STORE_TABLE,
	STORE_CHAIN,
	STORE_RULE,
	STORE_SET,
	STORE_ELEM,
	STORE_OBJECT,
	STORE_FLOWTABLE,
};

/** Bytes of a name, the NUL included (NFT_NAME_MAXLEN). */
#define STORE_NAME NFT_NAME_MAXLEN

/** An attribute's payload, or a run of attributes, as it came. */
struct store_blob {
	uint32_t len;
	uint8_t data[] __attribute__((aligned(4)));
};

/** The head of everything: its place in a list of siblings, which survives unlinking. */
struct store_item {
	struct store_item *prev, *next;
	struct store_list *list;
	uint8_t kind;
	bool linked;
	uint32_t use; /**< others that hold on to it */
	uint64_t handle;
};

/** Siblings in order, and for those with a name a tree by it. */
struct store_list {
	struct store_item *first, *last;
	uint32_t count;
	void *by_key; /**< tsearch(3)'s */
	int (*compare)(const void *, const void *);
};

/** A table. */
struct store_table {
	struct store_item item;
	char name[STORE_NAME];
	uint8_t family;
	uint32_t flags; /**< NFT_TABLE_F_* */
	uint32_t owner; /**< the client that it dies with (nft_client_port()), 0: none */
	uint64_t handles;
	uint64_t handles_before; /**< as the open batch found it */
	struct store_blob *userdata;
	struct store_list chains, sets, objects, flowtables;
};

/** What a base chain does with what no rule decided. Changed as a whole. */
struct store_policy {
	uint32_t verdict; /**< NF_ACCEPT or NF_DROP */
	bool counted;	  /**< it was given counters: they are listed */
	uint64_t base[2]; /**< packets, bytes that are added to what was counted; may wrap */
};

/** A chain; a base chain if based. */
struct store_chain {
	struct store_item item;
	char name[STORE_NAME];
	struct store_table *table;
	struct store_list rules;
	uint32_t flags;
	struct store_blob *userdata;
	bool based;
	bool binding;		    /**< made for one rule's `jump { }`, dies with it */
	bool bound;		    /**< that rule is there: no further rules come */
	uint32_t batch_id;	    /**< NFTA_CHAIN_ID while its batch is open, else 0 */
	uint8_t kind;		    /**< enum nft_chain_kind */
	uint8_t hook;		    /**< enum hook */
	uint32_t hook_number;	    /**< the same as netlink has it: of the family's hooks */
	struct store_blob *devices; /**< attributes NFTA_DEVICE_NAME; NULL: its hook has none */
	int32_t priority;
	struct store_policy policy;
	bool has_count;	     /**< count is a state of ours */
	uint32_t count;	     /**< number of the counter of packets that the policy decided on */
	uint64_t registered; /**< counts up; at equal priority the highest runs first */
	uint32_t number;     /**< in programs, for life */
	uint8_t reach_level; /**< how deep it is reached, plus one; 0: not at all */
	uint8_t reach_hooks; /**< from which enum hook, bits */
	uint8_t reach_kinds; /**< from which enum nft_chain_kind */
};

/** What a rule or an element holds on to. */
struct store_refs {
	struct store_item **items;
	uint32_t count;
};

/** A state of a rule. */
struct store_state {
	uint32_t number;
	uint16_t expr; /**< the place of the expression that has it */
	uint8_t kind;  /**< enum nft_state_kind */
	struct nft_statement statement;
	uint64_t base[2]; /**< what a counter began with */
};

/** A rule. */
struct store_rule {
	struct store_item item;
	struct store_chain *chain;
	struct store_blob *exprs; /**< NFTA_RULE_EXPRESSIONS, names resolved */
	struct store_blob *userdata;
	struct store_refs refs;
	struct store_state *states; /**< in the order in which expressions ask */
	uint32_t state_count;
	struct nft_code *code; /**< the loader's; held; NULL: it was in no program yet */
	uint32_t batch_seq;    /**< while its batch is open: for the blame */
	uint32_t batch_id;     /**< NFTA_RULE_ID, the same */
	bool fresh;
	uint16_t compat_proto; /**< NFTA_RULE_COMPAT: what iptables' extensions ask for */
	bool compat_invert;
};

/** What a set is to be from the commit on. */
struct store_renewal {
	bool due;
	uint32_t size; /**< 0: as it is */
	uint64_t timeout_ns;
};

/** A set or map. */
struct store_set {
	struct store_item item;
	char name[STORE_NAME];
	struct store_table *table;
	struct store_blob *attrs; /**< all but table, name, id and handle, as they came */
	uint32_t flags;		  /**< NFT_SET_* */
	uint32_t key_len, data_len;
	uint32_t key_type, data_type; /**< nft's own numbers */
	bool verdicts;
	bool touched;			  /**< by the batch that was committed last */
	uint32_t size;			  /**< most elements, 0: any number */
	uint8_t fields[NFT_FIELDS];	  /**< ranges of concatenations: bytes of each field */
	uint32_t field_count;		  /**< 0: no such */
	uint64_t timeout_ns;		  /**< of elements that say none; 0: they stay */
	struct nft_dynamic *dynamic;	  /**< what packets add; owned; NULL: they add nothing */
	struct nft_statements statements; /**< what every element has */
	uint32_t object_type;		  /**< object maps: NFT_OBJECT_*, else 0 */
	struct store_list elems;
	uint32_t catchalls;	 /**< of them */
	struct nft_set *live;	 /**< what workers look up; owned */
	struct nft_set *pending; /**< elements of the open batch; owned; NULL: there were none */
	struct store_renewal renewal;
	uint32_t batch_id; /**< NFTA_SET_ID while its batch is open, else 0 */
	uint32_t number;   /**< in programs, for life */
};

/** An element. */
struct store_elem {
	struct store_item item;
	struct store_set *set;
	uint64_t timeout_ns;	     /**< its life, 0: for ever */
	struct store_blob *userdata; /**< NULL: none */
	struct store_chain *chain;   /**< verdict maps */
	bool shadow;		     /**< of one that a packet added, until that is deleted */
	struct store_object *object; /**< object maps */
	struct nft_elem_statements *statements; /**< owned; NULL: none */
	bool has_last;				/**< the end of its range was said */
	bool entered;				/**< it is in one of the two sets */
	bool pending;				/**< that is set->pending, not set->live */
	bool fresh;				/**< made by the open batch */
	struct nft_elem e;
};

/** A named object. */
struct store_object {
	struct store_item item;
	char name[STORE_NAME];
	struct store_table *table;
	uint32_t type;
	struct store_blob *userdata;
	struct store_blob *data; /**< NFTA_OBJ_DATA, as it came */
	struct nft_statement statement;
	uint32_t state;	       /**< none of NFT_STATEMENT_OTHER */
	uint64_t base[2];      /**< what a counter began with */
	struct nft_count zero; /**< what a counter had counted when it was reset */
	bool depleted;	       /**< a quota's end was seen, and told of */
	uint32_t number;       /**< in programs, for life */
};

/** A flowtable. */
struct store_flowtable {
	struct store_item item;
	char name[STORE_NAME];
	struct store_table *table;
	uint32_t flags;
	uint32_t priority;	    /**< as it came: network order's value */
	struct store_blob *devices; /**< attributes NFTA_DEVICE_NAME */
	uint32_t number;	    /**< in programs, for life */
};

/** A change in the log. */
struct store_change {
	enum { STORE_ADDED, STORE_REMOVED, STORE_FIELD, STORE_SWAPPED } op;
	struct store_item *item;
	void *field; /**< STORE_FIELD: what to put back, its bytes */
	void *old;   /**< they; owned */
	uint32_t old_len;
	uint16_t flags; /**< NLM_F_* of the message that made it */
	bool echo;
	bool quiet; /**< a field that changed by the way: nobody is told */
	uint32_t seq;
};

/** Numbers that programs use: given to an item for its life. */
struct store_numbers {
	uint32_t *free;
	uint32_t free_count, free_room;
	uint32_t next; /**< none from here on was ever given */
};

/** What has a number, by enum store_kind. */
#define STORE_NUMBERED (STORE_FLOWTABLE + 1)

/** The store. */
struct store {
	struct store_list tables;
	struct nft_states *states;
	uint32_t generation; /**< grows with every commit that changes something */
	uint64_t table_handles, table_handles_before;
	uint64_t registrations;
	uint64_t bindings; /**< chains without a name so far */
	struct store_change *log;
	uint32_t log_count, log_room;
	struct store_numbers numbers[STORE_NUMBERED];
	struct store_gone *going; /**< store_ready()'s */
	struct store_gone *limbo; /**< taken out of sets, but workers may be at them */
};

/** Create over states that the caller owns. @return NULL without memory */
struct store *store_new(struct nft_states *states);
/** Free with everything in it. */
void store_free(struct store *store);

/** Find by name; NULL. */
struct store_table *store_table(const struct store *store, uint8_t family, const char *name);
struct store_chain *store_chain(const struct store_table *table, const char *name);
struct store_set *store_set(const struct store_table *table, const char *name);
struct store_object *store_object(const struct store_table *table, const char *name, uint32_t type);
struct store_flowtable *store_flowtable(const struct store_table *table, const char *name);
/** Find by handle; NULL. */
struct store_item *store_by_handle(const struct store_list *list, uint64_t handle);
/** The element that is equal to a key: its bytes, end flag, catch-all; NULL. */
struct store_elem *store_elem(const struct store_set *set, const struct store_elem *key);
/** Of a set with fields the element whose ranges hold a key, NULL. */
struct store_elem *store_elem_holding(const struct store_set *set, const uint8_t *key);
/** The store's element of one that a set gave. NULL gives NULL. */
struct store_elem *store_elem_of(struct nft_elem *e);

/** Whether an element's time is over: it is not there. */
bool store_elem_over(const struct store_elem *elem, uint64_t now_ns);

/** A new item, zeroed, in no list; with a number if it is of a kind. @return NULL without memory */
void *store_item_new(struct store *store, enum store_kind kind);
/** The same of an element of a set. */
struct store_elem *store_elem_new(struct store_set *set);
/** What workers look up of a set, by what it is. @return 0 or -ENOMEM */
int store_set_furnish(struct store_set *set);
/** No state was taken. */
#define STORE_NO_STATE UINT32_MAX

/** Where the state of a statement is that a rule, an element or an object of the ruleset has. */
enum nft_state_kind store_state_kind(const struct nft_statement *statement);

/**
 * Take a state for a statement, with what it begins with. A counter's beginning is
 * for its owner to add.
 * @return 0, -ENOSPC, -ENOMEM
 */
int store_state_take(struct store *store, const struct nft_statement *statement,
	const uint64_t words[2], uint32_t *number);

/** Free one that is in no list and in no log. */
void store_item_free(struct store *store, struct store_item *item);

/** Make a list ready; its items are compared by this, or not at all. */
void store_list_init(struct store_list *list, int (*compare)(const void *, const void *));
/**
 * Link an item: before another, or at the end for NULL; and log it.
 * @return 0, or -ENOMEM: the item is the caller's still
 */
int store_add(struct store *store, struct store_list *list, struct store_item *item,
	struct store_item *before);
/** Unlink an item with what hangs below it, and log it. @return 0 or -ENOMEM */
int store_remove(struct store *store, struct store_item *item);
/** Log a field's value before it is changed. @return 0 or -ENOMEM */
int store_save(struct store *store, struct store_item *item, void *field, size_t len);
/**
 * Put a blob in another's place and log it: the old one is freed at the commit,
 * the new one by an undo.
 * @return 0 or -ENOMEM: the new one is the caller's still
 */
int store_swap(struct store *store, struct store_item *item, struct store_blob **at,
	struct store_blob *blob);
/** Change a name, which is the key of the item's list, and log it. @return 0 or -ENOMEM */
int store_rename(struct store *store, struct store_item *item, char *name, const char *to);
/** Hold on to an item. @return 0 or -ENOMEM */
int store_ref(struct store_refs *refs, struct store_item *item);

/** A batch begins. */
void store_begin(struct store *store);
/**
 * A batch was taken back because rules cannot be reached as they are: Linux looks
 * for the one at fault by doing the batch again, which uses up as many handles.
 */
void store_replayed(struct store *store);

/** Take back all changes logged after a mark (log_count as it was). */
void store_undo(struct store *store, uint32_t mark);
/**
 * Make ready what a commit of the log needs, so that it cannot fail: behind all
 * else that can, and before anybody hears of it.
 * @return 0 or -ENOMEM
 */
int store_ready(struct store *store);
/** Forget that again. */
void store_unready(struct store *store);
/**
 * Forget the log, behind store_ready().
 * @return the items removed; store_gone() frees them once no worker has a program
 *   that names their states
 */
struct store_gone *store_commit(struct store *store);
void store_gone(struct store *store, struct store_gone *gone);

/** A copy of bytes. @return NULL without memory */
struct store_blob *store_blob(const void *data, size_t len);

/**
 * The hook of a number that netlink has for a family (NF_INET_*, NF_ARP_*,
 * NF_NETDEV_*). @return HOOK_COUNT: the family has no such
 */
enum hook store_hook(uint8_t family, uint32_t number);

/** Names of chain types as netlink has them. @return 0: no such type */
unsigned int store_chain_kind(const char *type);
const char *store_chain_type(unsigned int kind);

#define store_for_each(item, list)                                                                 \
	for (struct store_item *item = (list)->first; item != NULL; item = item->next)

#endif
