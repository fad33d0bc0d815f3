/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/offload on a NIC that a test commands; its rounds are run by hand.
 */
#include <rte_eal.h>

#include "rig.h"

int
main(void)
{
	char *args[] = {"test_offload", "--no-huge", "-m", "128", "--no-shconf", "--no-pci", "-l",
		"0", "--log-level=critical"};
	CU_SuiteInfo suites[] = {
		{"life", NULL, NULL, NULL, NULL, life_tests},
		{"full", NULL, NULL, NULL, NULL, full_tests},
		{"change", NULL, NULL, NULL, NULL, change_tests},
		{"root", NULL, NULL, NULL, NULL, root_tests},
		{"translate", NULL, NULL, NULL, NULL, translate_tests},
		{"random", NULL, NULL, NULL, NULL, random_tests},
		CU_SUITE_INFO_NULL,
	};
	int failed;

	if (rte_eal_init(RTE_DIM(args), args) < 0)
		return 1;
	failed = unit_run_suites(suites);
	rte_eal_cleanup();
	return failed;
}
