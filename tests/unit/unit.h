/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * @file
 * A unit test program: a table of tests, run by CUnit; exit status 1 on failure.
 */
#ifndef SHUNT_TESTS_UNIT_H
#define SHUNT_TESTS_UNIT_H

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

/** Run a NULL-terminated table of suites. Returns main()'s exit status. */
static inline int
unit_run_suites(CU_SuiteInfo *suites)
{
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures == 0 ? 0 : 1;
}

/** Run the tests of a NULL-terminated table. Returns main()'s exit status. */
static inline int
unit_run(const char *suite_name, CU_TestInfo *tests)
{
	CU_SuiteInfo suites[] = {
		{suite_name, NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	return unit_run_suites(suites);
}

#endif
