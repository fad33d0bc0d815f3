/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHUNT_TESTS_DP_SUITES_H
#define SHUNT_TESTS_DP_SUITES_H

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>

extern CU_TestInfo forward_tests[], worker_tests[], burst_tests[];

#endif
