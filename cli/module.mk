# SPDX-License-Identifier: GPL-2.0-or-later
WCR_SRCS += cli/main.c cli/doctor.c cli/merge.c cli/options.c

# All of wcr but its main(), which the test includes.
UNIT_TESTS += cli/tests/cli_test cli/tests/merge_test
cli_test_SRCS = cli/tests/cli_test.c analysis/tests/fixture.c $(filter-out cli/main.c,$(WCR_SRCS))
cli_test_LDLIBS = $(WCR_LDLIBS)
merge_test_SRCS = cli/tests/merge_test.c cli/merge.c analysis/tests/sample.c $(analysis_test_SRCS)
