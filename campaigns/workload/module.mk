# SPDX-License-Identifier: GPL-2.0-or-later
GUEST_PROGS += init log
init_SRCS := $(addprefix campaigns/workload/,init.c bench.c command.c content.c file_command.c \
	files.c look_command.c network.c options.c reader.c status_io.c status_page.c stream_command.c \
	versions.c web_command.c worker.c)
log_SRCS := campaigns/workload/log.c

UNIT_TESTS += campaigns/workload/tests/options_test
options_test_SRCS := campaigns/workload/tests/options_test.c campaigns/workload/options.c
