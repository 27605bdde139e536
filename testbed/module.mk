# SPDX-License-Identifier: GPL-2.0-or-later
WCR_SRCS += testbed/env.c testbed/jsonl.c testbed/qmp.c testbed/testbed.c testbed/testbed_cli.c \
	testbed/testbed_config.c testbed/testbed_dir.c testbed/testbed_qemu.c
WCR_LIBS += jansson

UNIT_TESTS += testbed/tests/env_test testbed/tests/qmp_test
env_test_SRCS := testbed/tests/env_test.c testbed/env.c
qmp_test_SRCS := testbed/tests/qmp_test.c testbed/qmp.c testbed/jsonl.c
