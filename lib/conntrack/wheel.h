/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * A hierarchical timing wheel (Varghese and Lauck 1987) of connections: three
 * levels of 256 slots, 16 ms a slot. It only says whom to look at; whether a
 * connection has expired is decided from its records, so a packet never has to
 * move its connection in the wheel.
 *
 * One owner thread.
 */
#ifndef SHUNT_CONNTRACK_WHEEL_H
#define SHUNT_CONNTRACK_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_LEVELS  3
#define WHEEL_SLOTS   256
#define WHEEL_TICK_MS 16
/** The end of a list; the place of an entry that is in no slot. */
#define WHEEL_NONE UINT32_MAX
#define WHEEL_OUT  UINT16_MAX

/** What an entry has for the wheel. An entry in no slot has place WHEEL_OUT. */
struct wheel_link {
	uint32_t next;
	uint32_t prev;
	uint16_t place; /**< level * WHEEL_SLOTS + slot, or WHEEL_OUT */
	uint16_t due;	/**< its tick, as far as the slot does not say it */
};

/** The link of an entry by its number. */
typedef struct wheel_link *(*wheel_link_of_t)(void *owner, uint32_t entry);

struct wheel {
	uint64_t tick; /**< every slot up to here has been emptied, but for this one */
	uint32_t head[WHEEL_LEVELS][WHEEL_SLOTS];
	uint64_t filled[WHEEL_LEVELS][WHEEL_SLOTS / 64]; /**< a bit for each slot with entries */
	uint32_t count;
	wheel_link_of_t link_of;
	void *owner;
};

/** Make an empty wheel that stands at a time. */
void wheel_init(struct wheel *wheel, uint64_t now_ms, wheel_link_of_t link_of, void *owner);

/**
 * Put an entry that is in no slot where it comes out at a time, or within
 * two ticks after; a time beyond the wheel (74 hours) is due at its end.
 */
void wheel_add(struct wheel *wheel, uint32_t entry, uint64_t due_ms);

/** Take an entry out; nothing if it is in no slot. */
void wheel_del(struct wheel *wheel, uint32_t entry);

/**
 * Take the next entry that is due.
 * @param work decremented for each entry taken or moved between levels; at 0
 *   the call stops, and the next one goes on from there
 * @return an entry, now in no slot, or WHEEL_NONE
 */
uint32_t wheel_next(struct wheel *wheel, uint64_t now_ms, unsigned int *work);

#endif
