/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packet.h"

static const struct {
	const char *name;
	const char *text;
} reasons[DROP_COUNT] = {
#define X(symbol, name, text) [DROP_##symbol] = {name, text},
	DROP_REASONS(X)
#undef X
};

const char *
drop_reason_name(enum drop_reason reason)
{
	return (unsigned int)reason < DROP_COUNT ? reasons[reason].name : "unknown";
}

const char *
drop_reason_text(enum drop_reason reason)
{
	return (unsigned int)reason < DROP_COUNT ? reasons[reason].text : "";
}
