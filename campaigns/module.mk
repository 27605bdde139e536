# SPDX-License-Identifier: GPL-2.0-or-later
WCR_SRCS += campaigns/executor.c campaigns/executor_testbed.c campaigns/executor_xen.c \
	campaigns/inject_cli.c campaigns/planner.c campaigns/profile.c campaigns/progress.c \
	campaigns/replay.c campaigns/replay_cli.c campaigns/run_cli.c campaigns/runner.c \
	campaigns/shard.c campaigns/spec.c campaigns/stop.c campaigns/store_db.c campaigns/trial.c \
	campaigns/worker.c campaigns/agent/xen.c \
	$(addprefix injector/,debug.c domctl.c inject.c text_fault.c)
WCR_LIBS += jansson xencall xencontrol xenevtchn xenforeignmemory xenstore

UNIT_TESTS += $(addprefix campaigns/tests/,executor_xen_test progress_test runner_test spec_test)
executor_xen_test_SRCS := campaigns/tests/executor_xen_test.c campaigns/executor_xen.c testbed/jsonl.c
progress_test_SRCS := campaigns/tests/progress_test.c campaigns/progress.c
runner_test_SRCS := campaigns/tests/runner_test.c campaigns/runner.c campaigns/shard.c \
	campaigns/worker.c campaigns/trial.c campaigns/progress.c campaigns/spec.c campaigns/stop.c db/interval.c \
	testbed/jsonl.c injector/classes.c lib/yaml_file.c
spec_test_SRCS := campaigns/tests/spec_test.c campaigns/spec.c injector/classes.c lib/yaml_file.c

E2E_TESTS += $(addprefix campaigns/tests/,chaos_e2e mechanism_e2e inject_e2e profile_e2e web_e2e kill_e2e.sh \
	program_e2e.sh replay_e2e.sh)
# Recursive, as others below: modules that come later add to these.
chaos_e2e_SRCS = campaigns/tests/chaos_e2e.c $(filter-out cli/main.c,$(WCR_SRCS))
chaos_e2e_LDLIBS = $(WCR_LDLIBS)
mechanism_e2e_SRCS = campaigns/tests/mechanism_e2e.c $(MACHINE_SRCS)
web_e2e_SRCS = campaigns/tests/web_e2e.c $(MACHINE_SRCS)
RUNTIME_TESTS += campaigns/tests/runtime_e2e
runtime_e2e_SRCS = campaigns/tests/runtime_e2e.c $(MACHINE_SRCS)
DEBIAN_TESTS += campaigns/tests/inject_e2e campaigns/tests/module_e2e.sh
profile_e2e_SRCS = campaigns/tests/profile_e2e.c $(filter-out testbed/env.c,$(MACHINE_SRCS)) \
	$(injector_plan_SRCS) testbed/env.c
profile_e2e_LDLIBS := -lZydis
inject_e2e_SRCS = campaigns/tests/inject_e2e.c $(filter-out testbed/env.c,$(MACHINE_SRCS)) \
	$(injector_plan_SRCS) testbed/env.c
inject_e2e_LDLIBS := -lZydis
