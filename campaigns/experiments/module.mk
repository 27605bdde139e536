# SPDX-License-Identifier: GPL-2.0-or-later
WCR_SRCS += $(addprefix campaigns/experiments/,bed.c experiment_cli.c file_read.c recovery.c service.c web.c)

UNIT_TESTS += campaigns/experiments/tests/recovery_test
recovery_test_SRCS := campaigns/experiments/tests/recovery_test.c campaigns/experiments/recovery.c
E2E_TESTS += campaigns/experiments/tests/experiment_e2e.sh
