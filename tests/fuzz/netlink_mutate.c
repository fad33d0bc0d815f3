/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer's view of the netlink target: changes that keep frames, messages and
 * attributes whole, so that most of what is tried gets behind the first checks. Now and
 * then a length is made wrong on purpose, or libFuzzer's own mutation is taken.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "netlink_target.h"
#include "nft_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2,
	size_t size2, uint8_t *out, size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

#define FRAMES	 1024
#define MESSAGES 512
#define NODES	 2048
#define NO_NODE	 UINT32_MAX
#define HEADER	 (sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg))

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	netlink_target(data, size);
	return 0;
}

static uint64_t state;

static uint32_t
below(size_t n)
{
	state = state * 6364136223846793005 + 1442695040888963407;
	return n == 0 ? 0 : (uint32_t)((state >> 33) % n);
}

/* --- what an input has */

struct node {
	size_t at; /* of its header */
	uint32_t len;
	uint32_t parent; /* NO_NODE: the message */
	bool nest;
};

/* An input, and where in it a frame, a message and its attributes are. */
struct input {
	uint8_t *data;
	size_t size, max;
	size_t frames[FRAMES];
	uint32_t frame_count;
	size_t messages[MESSAGES];
	uint32_t message_count;
	struct node nodes[NODES];
	uint32_t node_count;
	uint32_t frame, message; /* those at hand */
};

static uint32_t
get32(const struct input *in, size_t at)
{
	uint32_t value;

	memcpy(&value, in->data + at, 4);
	return value;
}

static void
set32(struct input *in, size_t at, uint32_t value)
{
	memcpy(in->data + at, &value, 4);
}

static uint16_t
get16(const struct input *in, size_t at)
{
	uint16_t value;

	memcpy(&value, in->data + at, 2);
	return value;
}

static void
set16(struct input *in, size_t at, uint16_t value)
{
	memcpy(in->data + at, &value, 2);
}

static size_t
frame_end(const struct input *in, size_t at)
{
	size_t end = at + sizeof(struct nft_frame) + get32(in, at);

	return end > in->size ? in->size : end;
}

static void
find_frames(struct input *in)
{
	size_t at = 0;

	in->frame_count = 0;
	while (at + sizeof(struct nft_frame) <= in->size && in->frame_count < FRAMES) {
		in->frames[in->frame_count++] = at;
		at = frame_end(in, at);
	}
}

static void
find_messages(struct input *in, uint32_t frame)
{
	size_t at = in->frames[frame] + sizeof(struct nft_frame), end;

	end = frame_end(in, in->frames[frame]);
	in->frame = frame;
	in->message_count = 0;
	while (at + HEADER <= end && in->message_count < MESSAGES) {
		uint32_t len = get32(in, at);

		if (len < HEADER || len > end - at)
			break;
		in->messages[in->message_count++] = at;
		at += MNL_ALIGN(len);
	}
}

static void
find_nodes(struct input *in, size_t at, size_t end, uint32_t parent)
{
	while (at + 4 <= end && in->node_count < NODES) {
		uint16_t len = get16(in, at), type = get16(in, at + 2);
		uint32_t n = in->node_count;

		if (len < 4 || len > end - at)
			break;
		in->nodes[in->node_count++] =
			(struct node){at, len, parent, (type & NLA_F_NESTED) != 0};
		if (type & NLA_F_NESTED)
			find_nodes(in, at + 4, at + len, n);
		at += MNL_ALIGN(len);
	}
}

/* Choose a frame, a message in it, and find the message's attributes. */
static bool
choose(struct input *in)
{
	find_frames(in);
	in->node_count = 0;
	if (in->frame_count == 0)
		return false;
	find_messages(in, below(in->frame_count));
	if (in->message_count == 0)
		return false;
	in->message = below(in->message_count);
	find_nodes(in, in->messages[in->message] + HEADER,
		in->messages[in->message] + get32(in, in->messages[in->message]), NO_NODE);
	return true;
}

/* --- changes */

/* Put len bytes in the place of gone ones; both multiples of 4. What encloses them grows along. */
static bool
splice(struct input *in, size_t at, size_t gone, const uint8_t *bytes, size_t len, uint32_t parent,
	bool in_message)
{
	long more = (long)len - (long)gone;

	if (at + gone > in->size || in->size + len - gone > in->max)
		return false;
	for (uint32_t n = parent; n != NO_NODE; n = in->nodes[n].parent)
		if ((long)in->nodes[n].len + more > UINT16_MAX)
			return false;
	for (uint32_t n = parent; n != NO_NODE; n = in->nodes[n].parent)
		set16(in, in->nodes[n].at, (uint16_t)((long)in->nodes[n].len + more));
	if (in_message)
		set32(in, in->messages[in->message],
			(uint32_t)((long)get32(in, in->messages[in->message]) + more));
	set32(in, in->frames[in->frame], (uint32_t)((long)get32(in, in->frames[in->frame]) + more));
	memmove(in->data + at + len, in->data + at + gone, in->size - at - gone);
	if (len != 0)
		memcpy(in->data + at, bytes, len);
	in->size += len - gone;
	return true;
}

/* The attribute of a node in bytes of its own, padded. */
static size_t
copy_node(const struct input *in, const struct node *node, uint8_t *out, size_t room)
{
	size_t len = MNL_ALIGN(node->len);

	if (len > room || node->at + len > in->size)
		return 0;
	memcpy(out, in->data + node->at, len);
	return len;
}

/* An attribute from anywhere in the input, of a type if there is one. */
static size_t
borrow(struct input *in, uint8_t *out, size_t room, uint16_t type)
{
	static struct input other;

	other.data = in->data;
	other.size = in->size;
	for (unsigned int tries = 0; tries < 6; tries++) {
		const struct node *node;

		if (!choose(&other) || other.node_count == 0)
			continue;
		node = &other.nodes[below(other.node_count)];
		for (unsigned int n = 0; n < 16 && get16(&other, node->at + 2) != type; n++)
			node = &other.nodes[below(other.node_count)];
		if (get16(&other, node->at + 2) == type || tries > 3)
			return copy_node(&other, node, out, room);
	}
	return 0;
}

static void
number(struct input *in, const struct node *node)
{
	static const uint32_t values[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 20, 31, 32,
		63, 64, 65, 127, 128, 255, 256, 65535, 65536, 0x7fffffff, 0x80000000, 0xfffffffe,
		0xffffffff};
	uint32_t value = values[below(sizeof(values) / sizeof(values[0]))];
	size_t at = node->at + 4;

	if (below(3) == 0)
		value = (1U << below(32)) - below(2);
	if (node->len >= 12 && below(2) == 0)
		set32(in, at + (below(2) != 0 ? 4 : 0), __builtin_bswap32(value));
	else if (node->len >= 8)
		set32(in, at + (below((node->len - 4) / 4) & ~3U), __builtin_bswap32(value));
	else if (node->len > 4)
		in->data[at] = (uint8_t)value;
}

static void
payload(struct input *in, const struct node *node)
{
	uint8_t bytes[512 + 4] = {0};
	size_t len = node->len - 4, now;
	uint32_t n = (uint32_t)(node - in->nodes);

	if (len > 256 || node->at + MNL_ALIGN(node->len) > in->size)
		return;
	memcpy(bytes + 4, in->data + node->at + 4, len);
	now = LLVMFuzzerMutate(bytes + 4, len, below(4) == 0 ? len + 64 : len == 0 ? 1 : len);
	memset(bytes + 4 + now, 0, MNL_ALIGN(now) - now);
	memcpy(bytes, &(uint16_t){(uint16_t)(now + 4)}, 2);
	memcpy(bytes + 2, in->data + node->at + 2, 2);
	(void)splice(in, node->at, MNL_ALIGN(node->len), bytes, MNL_ALIGN(now + 4),
		in->nodes[n].parent, true);
}

static void
change_attribute(struct input *in)
{
	static uint8_t bytes[16384];
	const struct node *node;
	size_t len;

	if (!choose(in) || in->node_count == 0)
		return;
	node = &in->nodes[below(in->node_count)];
	/* The last one may lack its padding. */
	if (node->at + MNL_ALIGN(node->len) > in->size)
		return;
	switch (below(12)) {
	case 0:
	case 1:
	case 2: number(in, node); break;
	case 3:
	case 4: payload(in, node); break;
	case 5:
		set16(in, node->at + 2,
			(uint16_t)((get16(in, node->at + 2) & 0xc000) | (below(28) + 1)));
		break;
	case 6: /* gone */
		(void)splice(in, node->at, MNL_ALIGN(node->len), NULL, 0, node->parent, true);
		break;
	case 7: /* once more */
		len = copy_node(in, node, bytes, sizeof(bytes));
		(void)splice(in, node->at, 0, bytes, len, node->parent, true);
		break;
	case 8:
	case 9: /* another's, of the same type if there is one */
		len = borrow(in, bytes, sizeof(bytes), get16(in, node->at + 2));
		if (len != 0)
			(void)splice(
				in, node->at, MNL_ALIGN(node->len), bytes, len, node->parent, true);
		break;
	case 10: /* another's, beside or within it */
		len = borrow(in, bytes, sizeof(bytes), (uint16_t)(below(12) + 1));
		if (len != 0)
			(void)splice(in, node->nest ? node->at + 4 : node->at, 0, bytes, len,
				node->nest ? (uint32_t)(node - in->nodes) : node->parent, true);
		break;
	default: /* a wrong length */
		set16(in, node->at, (uint16_t)(node->len + below(9) - 4));
		break;
	}
}

static void
change_header(struct input *in, size_t at)
{
	static const uint16_t types[] = {NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END,
		NFNL_SUBSYS_CTNETLINK << 8, NFNL_SUBSYS_CTNETLINK << 8 | 1,
		NFNL_SUBSYS_CTNETLINK << 8 | 2, NFNL_SUBSYS_CTNETLINK << 8 | 4,
		NFNL_SUBSYS_CTNETLINK_EXP << 8 | 1, NFNL_SUBSYS_NFT_COMPAT << 8};
	static const uint8_t families[] = {0, 1, 2, 3, 5, 7, 10, 12};

	switch (below(4)) {
	case 0:
		set16(in, at + 4,
			below(4) == 0 ? types[below(8)]
				      : (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | below(NFT_MSG_MAX)));
		break;
	case 1: set16(in, at + 6, get16(in, at + 6) ^ (uint16_t)(1U << below(12))); break;
	case 2: in->data[at + 16] = families[below(8)]; break;
	default: set32(in, at + (below(2) != 0 ? 8 : 0), below(128)); break;
	}
}

static void
change_message(struct input *in)
{
	static uint8_t bytes[65536];
	size_t at, len, to;

	if (!choose(in))
		return;
	at = in->messages[in->message];
	len = MNL_ALIGN(get32(in, at));
	if (at + len > in->size || len > sizeof(bytes))
		return;
	memcpy(bytes, in->data + at, len);
	to = in->messages[below(in->message_count)];
	switch (below(5)) {
	case 0: (void)splice(in, at, len, NULL, 0, NO_NODE, false); break;
	case 1: (void)splice(in, to, 0, bytes, len, NO_NODE, false); break;
	case 2: /* into another frame, of this client or the other */
		find_messages(in, below(in->frame_count));
		if (in->message_count != 0)
			(void)splice(in, in->messages[below(in->message_count)], 0, bytes, len,
				NO_NODE, false);
		break;
	default: change_header(in, at); break;
	}
}

static void
change_frame(struct input *in)
{
	static const uint8_t join[12] = {4, 0, 0, 0, NFT_FRAME_JOIN, 12, 0, 0, NFNLGRP_NFTABLES};
	static uint8_t bytes[65536];
	size_t at, len, to;

	find_frames(in);
	if (in->frame_count == 0)
		return;
	at = in->frames[below(in->frame_count)];
	to = in->frames[below(in->frame_count)];
	len = frame_end(in, at) - at;
	if (len > sizeof(bytes))
		return;
	memcpy(bytes, in->data + at, len);
	switch (below(5)) {
	case 0: /* gone */
		memmove(in->data + at, in->data + at + len, in->size - at - len);
		in->size -= len;
		return;
	case 1:
		memcpy(bytes, join, len = sizeof(join));
		bytes[8] = (uint8_t)below(12);
		/* fallthrough */
	case 2: /* once more, elsewhere */
		if (in->size + len > in->max)
			return;
		memmove(in->data + to + len, in->data + to, in->size - to);
		memcpy(in->data + to, bytes, len);
		in->size += len;
		return;
	default: in->data[at + 7] ^= (uint8_t)(1U << below(3)); return;
	}
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	static struct input in;
	uint32_t n;

	state = seed;
	(void)below(1);
	if (below(20) == 0)
		return LLVMFuzzerMutate(data, size, max);
	in.data = data;
	in.size = size;
	in.max = max;
	for (n = below(4) + 1; n > 0; n--)
		switch (below(10)) {
		case 0: change_frame(&in); break;
		case 1:
		case 2: change_message(&in); break;
		default: change_attribute(&in); break;
		}
	return in.size;
}

/* The first frames of one, the last of the other. */
size_t
LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2, size_t size2,
	uint8_t *out, size_t max, unsigned int seed)
{
	static struct input in;
	size_t first, from, second;

	state = seed;
	(void)below(1);
	in.data = (uint8_t *)(uintptr_t)data1;
	in.size = size1;
	find_frames(&in);
	first = in.frame_count == 0 ? 0 : frame_end(&in, in.frames[below(in.frame_count)]);
	in.data = (uint8_t *)(uintptr_t)data2;
	in.size = size2;
	find_frames(&in);
	from = in.frame_count == 0 ? 0 : in.frames[below(in.frame_count)];
	second = size2 - from;
	if (first > max)
		first = max;
	if (second > max - first)
		second = max - first;
	memcpy(out, data1, first);
	memcpy(out + first, data2 + from, second);
	return first + second;
}
