/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libnftables asks, recorded: with the shim linked in, it speaks with a server in
 * this process. Programs that use this are linked with --wrap=nft_client_request.
 */
#ifndef SHUNT_TESTS_FUZZ_RECORD_H
#define SHUNT_TESTS_FUZZ_RECORD_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_RECORDS 4096
#define FUZZ_ROOM    (1 << 20)

/* A request as the server got it; of at most FUZZ_ROOM / 4 bytes. */
struct fuzz_record {
	int protocol;
	size_t len;
	uint8_t *bytes; /* len and one more; the caller's to free */
};

extern struct fuzz_record fuzz_records[FUZZ_RECORDS];
extern unsigned int fuzz_record_count;

/* Run commands, one after the other, against an empty store, and append what they ask. */
void fuzz_record(const char *const *texts, unsigned int count);

#endif
