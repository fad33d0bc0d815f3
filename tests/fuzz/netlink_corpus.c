/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libFuzzer has found to reach new code (tools/fuzz), run without it:
 * standard input has inputs of the netlink target, each behind its length (4 bytes,
 * little endian).
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "netlink_target.h"

#define INPUT_MAX (1 << 20)

int
main(void)
{
	unsigned int count = 0;
	uint32_t len;

	while (fread(&len, sizeof(len), 1, stdin) == 1) {
		uint8_t *data;

		len = le32toh(len);
		/* In memory of its own, so that a look behind its end is found. */
		data = len > INPUT_MAX ? NULL : malloc(len + (len == 0));
		if (data == NULL || (len != 0 && fread(data, len, 1, stdin) != 1)) {
			fprintf(stderr, "input %u of %u bytes: cut off or too long\n", count, len);
			free(data);
			return 2;
		}
		netlink_target(data, len);
		free(data);
		count++;
	}
	printf("%u inputs\n", count);
	return count == 0 ? 2 : 0;
}
