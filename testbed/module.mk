# SPDX-License-Identifier: GPL-2.0-or-later
WCR_SRCS += testbed/env.c testbed/jsonl.c testbed/qmp.c testbed/testbed.c testbed/testbed_cli.c \
	testbed/testbed_config.c testbed/testbed_dir.c testbed/testbed_qemu.c
WCR_LIBS += jansson

UNIT_TESTS += testbed/tests/env_test testbed/tests/qmp_test testbed/tests/patches_test.sh
env_test_SRCS := testbed/tests/env_test.c testbed/env.c
qmp_test_SRCS := testbed/tests/qmp_test.c testbed/qmp.c testbed/jsonl.c

# What an end-to-end test needs for a machine of its own.
MACHINE_SRCS := $(addprefix testbed/,env.c jsonl.c qmp.c testbed.c testbed_config.c testbed_dir.c \
	testbed_qemu.c tests/machine.c)

E2E_TESTS += testbed/tests/testbed_e2e
testbed_e2e_SRCS = testbed/tests/testbed_e2e.c $(MACHINE_SRCS) $(injector_image_SRCS)
