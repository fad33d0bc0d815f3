/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ranges.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "set.h"

/* Elements of a piece. */
#define PIECE 256

/* Immutable as long as a version has it. */
struct nft_piece {
	uint32_t holders; /* versions, and the working copy */
	uint32_t count;
	struct nft_elem *elems[PIECE];
	uint8_t keys[];
};

/* A place: elements in front of it are not behind a key. */
struct place {
	uint32_t piece, at;
};

static struct nft_piece *
piece_new(uint32_t key_len)
{
	struct nft_piece *piece = malloc(sizeof(*piece) + (size_t)PIECE * key_len);

	if (piece != NULL) {
		piece->holders = 1;
		piece->count = 0;
	}
	return piece;
}

static void
piece_put(struct nft_piece *piece)
{
	if (--piece->holders == 0)
		free(piece);
}

/* An end is in front of a start of the same key. */
static int
compare(const uint8_t *a, bool a_end, const uint8_t *b, bool b_end, uint32_t len)
{
	int order = memcmp(a, b, len);

	return order != 0 ? order : (int)b_end - (int)a_end;
}

/* Behind everything that is not behind a key with its end flag. */
static struct place
find(const struct nft_sorted *s, const uint8_t *key, bool end)
{
	uint32_t low = 0, high = s->count, at;
	const struct nft_piece *piece;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		piece = s->pieces[middle];
		if (compare(piece->keys, piece->elems[0]->end, key, end, s->key_len) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return (struct place){0, 0};
	piece = s->pieces[low - 1];
	for (at = 0, high = piece->count; at < high;) {
		uint32_t middle = at + (high - at) / 2;

		if (compare(piece->keys + (size_t)middle * s->key_len, piece->elems[middle]->end,
			    key, end, s->key_len) <= 0)
			at = middle + 1;
		else
			high = middle;
	}
	return (struct place){low - 1, at};
}

/* A piece that may be changed: a copy, if a version has it. */
static struct nft_piece *
own(struct nft_sorted *s, uint32_t number)
{
	struct nft_piece *piece = s->pieces[number], *copy;

	if (piece->holders == 1)
		return piece;
	copy = piece_new(s->key_len);
	if (copy == NULL)
		return NULL;
	copy->count = piece->count;
	memcpy(copy->elems, piece->elems, piece->count * sizeof(piece->elems[0]));
	memcpy(copy->keys, piece->keys, (size_t)piece->count * s->key_len);
	piece_put(piece);
	s->pieces[number] = copy;
	return copy;
}

/* Room for a piece in front of a number. */
static int
add_piece(struct nft_sorted *s, uint32_t number, struct nft_piece *piece)
{
	if (s->count == s->room) {
		uint32_t room = s->room == 0 ? 16 : s->room * 2;
		struct nft_piece **pieces = realloc(s->pieces, room * sizeof(struct nft_piece *));

		if (pieces == NULL)
			return -ENOMEM;
		s->pieces = pieces;
		s->room = room;
	}
	memmove(&s->pieces[number + 1], &s->pieces[number],
		(s->count - number) * sizeof(s->pieces[0]));
	s->pieces[number] = piece;
	s->count++;
	return 0;
}

/* A full piece becomes two; at its end a new one begins, for keys often come in order. */
static int
split(struct nft_sorted *s, struct place *place)
{
	struct nft_piece *piece = own(s, place->piece), *new = piece_new(s->key_len);
	uint32_t keep = place->at == PIECE ? PIECE : PIECE / 2;

	if (piece == NULL || new == NULL || add_piece(s, place->piece + 1, new) != 0) {
		free(new);
		return -ENOMEM;
	}
	new->count = piece->count - keep;
	memcpy(new->elems, piece->elems + keep, new->count * sizeof(new->elems[0]));
	memcpy(new->keys, piece->keys + (size_t)keep * s->key_len,
		(size_t) new->count * s->key_len);
	piece->count = keep;
	if (place->at >= keep) {
		place->piece++;
		place->at -= keep;
	}
	return 0;
}

int
nft_sorted_insert(struct nft_sorted *s, struct nft_elem *elem)
{
	struct place place = find(s, elem->bytes, elem->end);
	struct nft_piece *piece;

	if (s->count == 0) {
		piece = piece_new(s->key_len);
		if (piece == NULL || add_piece(s, 0, piece) != 0) {
			free(piece);
			return -ENOMEM;
		}
	}
	if (s->pieces[place.piece]->count == PIECE && split(s, &place) != 0)
		return -ENOMEM;
	piece = own(s, place.piece);
	if (piece == NULL)
		return -ENOMEM;
	memmove(&piece->elems[place.at + 1], &piece->elems[place.at],
		(piece->count - place.at) * sizeof(piece->elems[0]));
	memmove(piece->keys + (size_t)(place.at + 1) * s->key_len,
		piece->keys + (size_t)place.at * s->key_len,
		(size_t)(piece->count - place.at) * s->key_len);
	piece->elems[place.at] = elem;
	memcpy(piece->keys + (size_t)place.at * s->key_len, elem->bytes, s->key_len);
	piece->count++;
	return 0;
}

/* Where an element is: it may have twins in front of it. False: nowhere. */
static bool
locate(const struct nft_sorted *s, const struct nft_elem *elem, struct place *out)
{
	struct place place = find(s, elem->bytes, elem->end);

	for (;;) {
		if (place.at == 0) {
			if (place.piece == 0)
				return false;
			place.piece--;
			place.at = s->pieces[place.piece]->count;
			continue;
		}
		place.at--;
		if (s->pieces[place.piece]->elems[place.at] == elem) {
			*out = place;
			return true;
		}
		if (memcmp(s->pieces[place.piece]->elems[place.at]->bytes, elem->bytes,
			    s->key_len) != 0)
			return false;
	}
}

int
nft_sorted_remove(struct nft_sorted *s, const struct nft_elem *elem)
{
	struct nft_piece *piece;
	struct place place;

	if (!locate(s, elem, &place))
		return 0;
	piece = own(s, place.piece);
	if (piece == NULL)
		return -ENOMEM;
	piece->count--;
	memmove(&piece->elems[place.at], &piece->elems[place.at + 1],
		(piece->count - place.at) * sizeof(piece->elems[0]));
	memmove(piece->keys + (size_t)place.at * s->key_len,
		piece->keys + (size_t)(place.at + 1) * s->key_len,
		(size_t)(piece->count - place.at) * s->key_len);
	if (piece->count == 0) {
		piece_put(piece);
		s->count--;
		memmove(&s->pieces[place.piece], &s->pieces[place.piece + 1],
			(s->count - place.piece) * sizeof(s->pieces[0]));
	}
	return 0;
}

struct nft_elem *
nft_sorted_floor(const struct nft_sorted *s, const uint8_t *key)
{
	struct place place = find(s, key, false);

	return s->count != 0 && place.at != 0 ? s->pieces[place.piece]->elems[place.at - 1] : NULL;
}

struct nft_elem *
nft_sorted_next(const struct nft_sorted *s, const struct nft_elem *elem)
{
	struct place place = {0, 0};

	if (elem != NULL && !locate(s, elem, &place))
		return NULL;
	if (elem != NULL)
		place.at++;
	if (place.piece < s->count && place.at == s->pieces[place.piece]->count) {
		place.piece++;
		place.at = 0;
	}
	return place.piece < s->count ? s->pieces[place.piece]->elems[place.at] : NULL;
}

struct nft_elem *
nft_sorted_before(const struct nft_sorted *s, const struct nft_elem *elem)
{
	struct place place;

	if (!locate(s, elem, &place) || (place.at == 0 && place.piece == 0))
		return NULL;
	if (place.at == 0) {
		place.piece--;
		place.at = s->pieces[place.piece]->count;
	}
	return s->pieces[place.piece]->elems[place.at - 1];
}

void
nft_sorted_clear(struct nft_sorted *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		piece_put(s->pieces[i]);
	free(s->pieces);
	s->pieces = NULL;
	s->count = s->room = 0;
}

/* --- versions */

struct nft_ranges *
nft_ranges_new(const struct nft_sorted *s)
{
	struct nft_ranges *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->key_len = s->key_len;
	r->pieces = malloc((s->count + 1) * sizeof(struct nft_piece *));
	r->firsts = malloc((size_t)(s->count + 1) * s->key_len);
	if (r->pieces == NULL || r->firsts == NULL) {
		nft_ranges_free(r);
		return NULL;
	}
	for (; r->count < s->count; r->count++) {
		r->pieces[r->count] = s->pieces[r->count];
		r->pieces[r->count]->holders++;
		memcpy(r->firsts + (size_t)r->count * s->key_len, s->pieces[r->count]->keys,
			s->key_len);
	}
	return r;
}

void
nft_ranges_free(struct nft_ranges *r)
{
	if (r == NULL)
		return;
	for (uint32_t i = 0; i < r->count; i++)
		piece_put(r->pieces[i]);
	free(r->pieces);
	free(r->firsts);
	free(r);
}

/* How many of some keys in order are not behind a key. */
static uint32_t
not_behind(const uint8_t *keys, uint32_t count, const void *key, uint32_t len)
{
	uint32_t low = 0;

	while (low < count) {
		uint32_t middle = low + (count - low) / 2;

		if (memcmp(keys + (size_t)middle * len, key, len) <= 0)
			low = middle + 1;
		else
			count = middle;
	}
	return low;
}

const struct nft_elem *
nft_ranges_floor(const struct nft_ranges *r, const void *key)
{
	uint32_t at = not_behind(r->firsts, r->count, key, r->key_len);
	const struct nft_piece *piece;

	if (at == 0)
		return NULL;
	piece = r->pieces[at - 1];
	at = not_behind(piece->keys, piece->count, key, r->key_len);
	return at != 0 ? piece->elems[at - 1] : NULL;
}
