/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dp.h"
#include "suites.h"

int
main(int argc, char **argv)
{
	CU_SuiteInfo suites[] = {
		{"forward", NULL, NULL, NULL, NULL, forward_tests},
		{"workers", NULL, NULL, NULL, NULL, worker_tests},
		{"bursts", NULL, NULL, NULL, NULL, burst_tests},
		CU_SUITE_INFO_NULL,
	};
	unsigned int failures;

	(void)argc;
	dp_init(argv[0]);
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures == 0 ? 0 : 1;
}
