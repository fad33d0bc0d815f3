/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * What of nf_tables is supported, as tables: one row a feature, beside the code
 * that takes or refuses it and asked by that code. doc/support.md is printed from
 * them. Static, any thread.
 */
#ifndef SHUNT_NFT_FEATURE_H
#define SHUNT_NFT_FEATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How a feature is supported. */
enum nft_class {
	NFT_EXACT,    /**< behaves as Linux does */
	NFT_CONSTANT, /**< taken: there is one result for every packet that can come here */
	NFT_INERT,    /**< taken and stored, but nothing can come by */
	NFT_REFUSED,  /**< EOPNOTSUPP when it is loaded */
};

/** Families, bits; 0 in a row: all. */
enum nft_family_bit {
	NFT_ON_IP = 1 << 0,
	NFT_ON_IP6 = 1 << 1,
	NFT_ON_INET = 1 << 2,
	NFT_ON_ARP = 1 << 3,
	NFT_ON_BRIDGE = 1 << 4,
	NFT_ON_NETDEV = 1 << 5,
};

/** A row. A table ends with a row without a name. */
struct nft_feature {
	const char *name; /**< as nft writes it */
	/** What netlink says for it: a key, a type, an attribute; of a table of flags: bits. */
	uint32_t number;
	bool set;	  /**< the key is written, not read */
	bool text;	  /**< no number: for the reader, not found by one */
	uint8_t len;	  /**< of a key: bytes in registers */
	uint8_t class;	  /**< enum nft_class */
	uint8_t families; /**< enum nft_family_bit; 0: all */
	uint8_t hooks;	  /**< bits of enum hook where it can be; 0: all */
	uint8_t later;	  /**< of these, where it is not built yet; the note says so */
	uint8_t constant; /**< bits of enum hook where an exact one is constant */
	uint8_t kinds;	  /**< enum nft_chain_kind where it can be; 0: all */
	const char *note; /**< why, or what else; NULL: nothing */
};

/** A row of what is supported; further fields by name. */
#define NFT_HAS(text_, number_, ...)                                                               \
	{                                                                                          \
		.name = text_, .number = number_, __VA_ARGS__                                      \
	}
/** A row of what is refused, and why. */
#define NFT_HAS_NOT(text_, number_, why_, ...)                                                     \
	{                                                                                          \
		.name = text_, .number = number_, .class = NFT_REFUSED, .note = why_, __VA_ARGS__  \
	}
/** The end of a table. */
#define NFT_END                                                                                    \
	{                                                                                          \
		.name = NULL                                                                       \
	}

/** The row of a number, read or written; NULL: there is none. */
const struct nft_feature *nft_feature_find(
	const struct nft_feature *table, uint32_t number, bool set);

/** Whether a row refuses. */
bool nft_refuses(const struct nft_feature *row);

/**
 * For tests of the store alone, before anything is loaded: from now on what is
 * refused because it cannot be evaluated is taken, stored and listed.
 */
void nft_take_all(void);
/** Whether it was called. */
bool nft_takes_all(void);

/** The bit of a family, by NFPROTO_*; 0: none that Linux has. */
uint8_t nft_family_bit(uint8_t family);

/** Whether the table has a number, and does not refuse it. */
bool nft_feature_built(const struct nft_feature *table, uint32_t number);

/**
 * Whether flags can be together: each is in a row that is not refused, and no
 * refused row has all its bits among them.
 */
bool nft_flags_built(const struct nft_feature *table, uint32_t flags);

/** Families of tables, by NFPROTO_*; wire_table.c. */
extern const struct nft_feature nft_families[];
/** NFT_TABLE_F_*; wire_table.c. */
extern const struct nft_feature nft_table_features[];
/** Types of base chains, by enum nft_chain_kind; wire_table.c. */
extern const struct nft_feature nft_chain_types[];
/** Hooks of base chains, by NF_INET_*; wire_table.c. */
extern const struct nft_feature nft_hooks[];
/** NFT_CHAIN_*; wire_table.c. */
extern const struct nft_feature nft_chain_features[];
/** NFT_SET_*, and what goes together; wire_set.c. */
extern const struct nft_feature nft_set_features[];
/** Attributes of sets that are not taken, by NFTA_SET_*; wire_set.c. */
extern const struct nft_feature nft_set_attributes[];
/** Attributes of elements, by NFTA_SET_ELEM_*; wire_elem.c. */
extern const struct nft_feature nft_elem_attributes[];
/** Named objects, by NFT_OBJECT_*; wire_object.c. */
extern const struct nft_feature nft_objects[];
/** NFT_FLOWTABLE_*; wire_object.c. */
extern const struct nft_feature nft_flowtable_features[];
/** Expressions of Linux that have no row in the table of expressions; expr_table.c. */
extern const struct nft_feature nft_absent_expressions[];

#endif
