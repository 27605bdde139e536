# SPDX-License-Identifier: GPL-2.0-or-later
# Flags of their own: the core includes core_env.h by that name alone.
core_test_names := core_states_test core_property_test
UNIT_TESTS += $(addprefix warmcache-core/tests/,$(core_test_names))
$(foreach t,$(core_test_names),$(eval $(t)_SRCS := warmcache-core/tests/$(t).c \
	warmcache-core/tests/core_fixture.c warmcache-core/src/core.c))
$(foreach t,$(core_test_names),$(eval $(t)_CFLAGS := -Iwarmcache-core/include))
core_property_test_SRCS += warmcache-core/tests/core_model.c
