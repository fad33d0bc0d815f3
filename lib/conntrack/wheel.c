/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wheel.h"

#include <string.h>

#include <rte_common.h>

#define SLOT_BITS 8

void
wheel_init(struct wheel *wheel, uint64_t now_ms, wheel_link_of_t link_of, void *owner)
{
	memset(wheel, 0, sizeof(*wheel));
	memset(wheel->head, 0xff, sizeof(wheel->head));
	wheel->tick = now_ms / WHEEL_TICK_MS;
	wheel->link_of = link_of;
	wheel->owner = owner;
}

/* Put an entry where it comes out at a tick, which is not before the wheel's. */
static void
add_at(struct wheel *wheel, uint32_t entry, uint64_t due)
{
	struct wheel_link *link = wheel->link_of(wheel->owner, entry);
	unsigned int level = 0, slot;
	uint32_t *head;

	/* The lowest level on which the entry lies within one turn of the wheel's place. */
	while ((due >> (level * SLOT_BITS)) - (wheel->tick >> (level * SLOT_BITS)) >= WHEEL_SLOTS)
		level++;
	slot = (due >> (level * SLOT_BITS)) % WHEEL_SLOTS;
	head = &wheel->head[level][slot];
	link->next = *head;
	link->prev = WHEEL_NONE;
	link->place = (uint16_t)(level * WHEEL_SLOTS + slot);
	link->due = (uint16_t)due;
	if (*head != WHEEL_NONE)
		wheel->link_of(wheel->owner, *head)->prev = entry;
	*head = entry;
	wheel->filled[level][slot / 64] |= 1ULL << (slot % 64);
	wheel->count++;
}

void
wheel_add(struct wheel *wheel, uint32_t entry, uint64_t due_ms)
{
	/* Rounded up: an entry never comes out before its time. */
	uint64_t due = (due_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS;
	uint64_t last =
		wheel->tick + (1ULL << (WHEEL_LEVELS * SLOT_BITS)) - WHEEL_SLOTS * WHEEL_SLOTS;

	if (due <= wheel->tick)
		due = wheel->tick + 1;
	if (due > last)
		due = last;
	add_at(wheel, entry, due);
}

void
wheel_del(struct wheel *wheel, uint32_t entry)
{
	struct wheel_link *link = wheel->link_of(wheel->owner, entry);
	unsigned int level = link->place / WHEEL_SLOTS, slot = link->place % WHEEL_SLOTS;

	if (link->place == WHEEL_OUT)
		return;
	if (link->next != WHEEL_NONE)
		wheel->link_of(wheel->owner, link->next)->prev = link->prev;
	if (link->prev != WHEEL_NONE)
		wheel->link_of(wheel->owner, link->prev)->next = link->next;
	else
		wheel->head[level][slot] = link->next;
	if (wheel->head[level][slot] == WHEEL_NONE)
		wheel->filled[level][slot / 64] &= ~(1ULL << (slot % 64));
	link->place = WHEEL_OUT;
	wheel->count--;
}

/* The first filled slot of a level at or after one, or WHEEL_SLOTS. */
static unsigned int
filled_from(const struct wheel *wheel, unsigned int level, unsigned int slot)
{
	for (unsigned int word = slot / 64; word < WHEEL_SLOTS / 64; word++) {
		uint64_t bits = wheel->filled[level][word];

		if (word == slot / 64)
			bits &= ~0ULL << (slot % 64);
		if (bits != 0)
			return word * 64 + (unsigned int)__builtin_ctzll(bits);
	}
	return WHEEL_SLOTS;
}

static bool
level_empty(const struct wheel *wheel, unsigned int level)
{
	return filled_from(wheel, level, 0) == WHEEL_SLOTS;
}

/*
 * The next tick at which something may have to be done: of all levels, the
 * first filled slot of this turn or, where the next turn has some, its begin. A
 * lower level's slot may begin after a higher one's, so all are asked.
 */
static uint64_t
next_tick(const struct wheel *wheel)
{
	uint64_t tick = wheel->tick + 1, first = UINT64_MAX;

	for (unsigned int level = 0; level < WHEEL_LEVELS; level++) {
		unsigned int shift = level * SLOT_BITS;
		/* Slots of this level that begin at or after tick, in this turn. */
		uint64_t at = (tick + (1ULL << shift) - 1) >> shift;
		uint64_t turn = at / WHEEL_SLOTS;
		unsigned int slot = filled_from(wheel, level, at % WHEEL_SLOTS);

		/* Entries of the next turn are on this level too: stop where it begins. */
		if (slot < WHEEL_SLOTS)
			first = RTE_MIN(first, (turn * WHEEL_SLOTS + slot) << shift);
		else if (!level_empty(wheel, level))
			first = RTE_MIN(first, ((turn + 1) * WHEEL_SLOTS) << shift);
	}
	return first;
}

/* Empty the slot of a higher level that begins at this tick into the lower ones. */
static bool
cascade(struct wheel *wheel, unsigned int level, unsigned int *work)
{
	unsigned int slot = (wheel->tick >> (level * SLOT_BITS)) % WHEEL_SLOTS;
	uint64_t below = (1ULL << (level * SLOT_BITS)) - 1;

	while (wheel->head[level][slot] != WHEEL_NONE) {
		uint32_t entry = wheel->head[level][slot];

		if (*work == 0)
			return false;
		(*work)--;
		wheel_del(wheel, entry);
		add_at(wheel, entry,
			wheel->tick | (wheel->link_of(wheel->owner, entry)->due & below));
	}
	return true;
}

uint32_t
wheel_next(struct wheel *wheel, uint64_t now_ms, unsigned int *work)
{
	uint64_t now = now_ms / WHEEL_TICK_MS;

	for (;;) {
		uint32_t entry;

		for (unsigned int level = WHEEL_LEVELS - 1; level > 0; level--) {
			if (wheel->tick % (1ULL << (level * SLOT_BITS)) != 0)
				continue;
			if (!cascade(wheel, level, work))
				return WHEEL_NONE;
		}
		entry = wheel->head[0][wheel->tick % WHEEL_SLOTS];
		if (entry != WHEEL_NONE) {
			if (*work == 0)
				return WHEEL_NONE;
			(*work)--;
			wheel_del(wheel, entry);
			return entry;
		}
		if (wheel->tick >= now)
			return WHEEL_NONE;
		wheel->tick = next_tick(wheel);
		if (wheel->tick > now)
			wheel->tick = now;
	}
}
