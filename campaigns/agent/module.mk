# SPDX-License-Identifier: GPL-2.0-or-later
AGENT_SRCS += $(addprefix campaigns/agent/,main.c console.c exec.c fault.c guest.c guest_xml.c libvirt.c \
	observe.c oops.c proto.c status.c verdict.c verify.c xen.c) \
	$(addprefix campaigns/workload/,content.c status_page.c) warmcache-core/tools/wcr_call.c
AGENT_LDLIBS += -lpthread
AGENT_LIBS += jansson libvirt xencontrol xencall xenforeignmemory xenstore

UNIT_TESTS += $(addprefix campaigns/agent/tests/,console_test exec_test proto_test status_test verdict_test)
console_test_SRCS := campaigns/agent/tests/console_test.c campaigns/agent/console.c \
	campaigns/agent/oops.c
exec_test_SRCS := campaigns/agent/tests/exec_test.c campaigns/agent/exec.c
proto_test_SRCS := campaigns/agent/tests/proto_test.c campaigns/agent/proto.c \
	campaigns/agent/guest_xml.c
proto_test_LIBS := jansson
status_test_SRCS := campaigns/agent/tests/status_test.c campaigns/agent/status.c \
	campaigns/workload/status_page.c
verdict_test_SRCS := campaigns/agent/tests/verdict_test.c campaigns/agent/verdict.c \
	campaigns/workload/content.c
