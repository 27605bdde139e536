/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Creating and destroying the guest through libvirt. */
#ifndef WCR_AGENT_LIBVIRT_H
#define WCR_AGENT_LIBVIRT_H

#include "campaigns/agent/agent.h"

void libvirt_init(void);
void libvirt_close(struct agent *a);

/* Create the domain of this XML; sets a->domid. */
int libvirt_create(struct agent *a, const char *xml, struct err *err);

/* Destroy the agent's domain, whatever its state; 0 when there was none. */
int libvirt_destroy(struct agent *a, struct err *err);

#endif
