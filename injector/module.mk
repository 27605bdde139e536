# SPDX-License-Identifier: GPL-2.0-or-later
injector_image_SRCS := $(addprefix injector/,image.c image_dwarf.c image_module.c image_patch.c)
injector_plan_SRCS := $(injector_image_SRCS) $(addprefix injector/,addresses.c classes.c code.c mutate.c \
	mutate_lock.c mutate_operand.c plan.c plan_json.c profile.c target.c)

WCR_SRCS += $(injector_plan_SRCS) injector/faults_cli.c injector/plan_cli.c injector/vmlinux.c
WCR_LIBS += jansson libdw libelf libxxhash smartcols
WCR_LDLIBS += -lZydis

AGENT_SRCS += $(addprefix injector/,addresses.c coverage.c debug.c domctl.c inject.c text_fault.c)
AGENT_LIBS += jansson xencall xencontrol xenevtchn xenforeignmemory

UNIT_TESTS += $(addprefix injector/tests/,module_test mutate_test plan_test profile_test semantics_test \
	text_fault_test)
injector_test_SRCS := $(addprefix injector/tests/,oracle.c sample.c) $(injector_plan_SRCS) \
	testbed/env.c
mutate_test_SRCS := injector/tests/mutate_test.c $(injector_test_SRCS)
mutate_test_LDLIBS := -lZydis -lcapstone
module_test_SRCS := injector/tests/module_test.c injector/tests/oracle.c $(injector_plan_SRCS) testbed/env.c
module_test_LDLIBS := -lZydis -lcapstone
plan_test_SRCS := injector/tests/plan_test.c $(injector_test_SRCS)
plan_test_LDLIBS := -lZydis -lcapstone
profile_test_SRCS := injector/tests/profile_test.c $(injector_plan_SRCS)
profile_test_LDLIBS := -lZydis
$(addprefix $(B)/tests/injector/tests/,plan_test profile_test): | $(B)/tests/recorded
$(B)/tests/recorded: injector/tests/recorded.S | packages
	@mkdir -p $(@D)
	$(CC) -nostdlib -static -Wl,-Ttext=0xffffffff81000000 -Wl,-e,recorded_update \
		-Wl,--build-id=0x0102030405060708090a0b0c0d0e0f1011121314 -o $@ $<
$(B)/tests/injector/tests/plan_test: | $(B)/tests/recorded.ko $(B)/tests/kernel-core
$(B)/tests/injector/tests/module_test: | $(addprefix $(B)/tests/,recorded sample.ko kernel-core kernel-mem)
$(B)/tests/recorded.ko: injector/tests/recorded.S
$(B)/tests/sample.ko: injector/tests/sample.c
$(B)/tests/%.ko: injector/tests/sample_module.S | packages
	@mkdir -p $(@D)
	$(CC) -I. -O2 -g -mcmodel=kernel -fno-pie -r -nostdlib \
		-Wl,--build-id=0x0102030405060708090a0b0c0d0e0f1011121314 -o $@ $(filter-out %.h,$^)
# As Linux before 6.4, and since.
$(B)/tests/kernel-%: injector/tests/module_kernel.c | packages
	@mkdir -p $(@D)
	$(CC) -g -nostdlib -static -D$(if $(filter mem,$*),MEM,CORE) -Wl,-Ttext=0xffffffff81000000 \
		-Wl,-e,module_kernel -Wl,--build-id=0x0102030405060708090a0b0c0d0e0f1011121314 -o $@ $<
semantics_test_SRCS := injector/tests/semantics_test.c $(injector_test_SRCS)
semantics_test_LDLIBS := -lZydis -lcapstone
text_fault_test_SRCS := injector/tests/text_fault_test.c injector/text_fault.c
