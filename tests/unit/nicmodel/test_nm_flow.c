/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of the modelled NIC, without a port: rules and single frames.
 */
#include "nm_rig.h"

int
main(void)
{
	CU_SuiteInfo suites[] = {
		{"match", NULL, NULL, NULL, NULL, match_tests},
		{"table", NULL, NULL, NULL, NULL, table_tests},
		{"write", NULL, NULL, NULL, NULL, write_tests},
		{"fate", NULL, NULL, NULL, NULL, fate_tests},
		{"refuse", NULL, NULL, NULL, NULL, refuse_tests},
		{"short", NULL, NULL, NULL, NULL, short_tests},
		CU_SUITE_INFO_NULL,
	};

	return unit_run_suites(suites);
}
