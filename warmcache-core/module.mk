# SPDX-License-Identifier: GPL-2.0-or-later
include warmcache-core/src/objects.mk

core_test_names := core_states_test core_aliases_test core_life_test core_memory_test \
	core_property_test core_fuzz
core_test_common_SRCS := warmcache-core/tests/core_fixture.c \
	$(core-objs:%.o=warmcache-core/src/%.c)

UNIT_TESTS += $(addprefix warmcache-core/tests/,$(core_test_names))
# Flags of their own: the core includes core_env.h by that name alone.
$(foreach t,$(core_test_names),$(eval $(t)_CFLAGS := -Iwarmcache-core/include))
$(foreach t,$(core_test_names),$(eval $(t)_SRCS := warmcache-core/tests/$(t).c $(core_test_common_SRCS)))
core_property_test_SRCS += warmcache-core/tests/core_model.c
core_fuzz_SRCS += warmcache-core/tests/core_model.c

FUZZERS += warmcache-core/tests/core_fuzz
core_fuzz_FUZZ_SRCS := $(core_fuzz_SRCS)
core_fuzz_LDLIBS := -lcmocka
core_fuzz_SRCS += warmcache-core/tests/core_fuzz_driver.c

# The longest first, so that it ends with the others.
E2E_TESTS := warmcache-core/tests/life_e2e $(E2E_TESTS) \
	$(addprefix warmcache-core/tests/,aliases_e2e filesystems_e2e)
E2E_ALONE_TESTS += warmcache-core/tests/hostile_e2e
aliases_e2e_SRCS = warmcache-core/tests/aliases_e2e.c $(MACHINE_SRCS)
filesystems_e2e_SRCS = warmcache-core/tests/filesystems_e2e.c $(MACHINE_SRCS)
hostile_e2e_SRCS = warmcache-core/tests/hostile_e2e.c $(MACHINE_SRCS)
life_e2e_SRCS = warmcache-core/tests/life_e2e.c $(MACHINE_SRCS)

# What a toolstack can do to a guest, and no tool of domain 0's does here.
DOM0_PROGS += domctl_test
domctl_test_SRCS := warmcache-core/tests/dom0/domctl_test.c
domctl_test_LIBS := xencontrol xenforeignmemory
