/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "clock.h"
#include "unit.h"

static void
test_real(void)
{
	uint64_t a = clock_ns();
	uint64_t b = clock_ns();

	CU_ASSERT_FALSE(clock_injected());
	CU_ASSERT(a != 0);
	CU_ASSERT(b >= a);
}

static void
test_injected(void)
{
	clock_inject(5 * NS_PER_SEC);
	CU_ASSERT_TRUE(clock_injected());
	CU_ASSERT_EQUAL(clock_ns(), 5 * NS_PER_SEC);
	clock_advance(3 * NS_PER_MS);
	CU_ASSERT_EQUAL(clock_ns(), 5 * NS_PER_SEC + 3 * NS_PER_MS);
	CU_ASSERT_EQUAL(clock_ms32(clock_ns()), 5003);
	clock_inject(0);
	CU_ASSERT_TRUE(clock_injected());
	clock_restore();
	CU_ASSERT_FALSE(clock_injected());
}

int
main(void)
{
	CU_TestInfo tests[] = {
		{"the real clock moves", test_real},
		{"the injected clock moves by hand", test_injected},
		CU_TEST_INFO_NULL,
	};

	return unit_run("clock", tests);
}
