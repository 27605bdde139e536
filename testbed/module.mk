# SPDX-License-Identifier: GPL-2.0-or-later
WCR_SRCS += testbed/env.c testbed/jsonl.c testbed/qmp.c testbed/testbed.c testbed/testbed_cli.c \
	testbed/testbed_config.c testbed/testbed_dir.c testbed/testbed_qemu.c
WCR_LIBS += jansson
