# SPDX-License-Identifier: GPL-2.0-or-later
DOM0_PROGS += wcctl
wcctl_SRCS := $(addprefix warmcache-core/tools/,wcctl_main.c wcctl.c wcr_call.c)
wcctl_LIBS := jansson xencall

UNIT_TESTS += $(addprefix warmcache-core/tools/tests/,wcctl_test wcctl_man_test)
wcctl_test_SRCS := warmcache-core/tools/tests/wcctl_test.c \
	$(addprefix warmcache-core/tools/,wcctl.c wcr_call.c)
wcctl_man_test_SRCS := $(addprefix warmcache-core/tools/,tests/wcctl_man_test.c wcr_call.c)
