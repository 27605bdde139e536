# SPDX-License-Identifier: GPL-2.0-or-later
AGENT_SRCS += $(addprefix campaigns/agent/,main.c console.c fault.c guest.c guest_xml.c libvirt.c \
	mech.c observe.c oops.c proto.c status.c verdict.c verify.c xen.c) \
	campaigns/workload/content.c campaigns/workload/status_page.c lib/err.c
AGENT_LIBS += jansson libvirt xencontrol xencall xenforeignmemory xenstore
