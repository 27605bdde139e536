/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef WCR_AGENT_GUEST_XML_H
#define WCR_AGENT_GUEST_XML_H

#include <stdbool.h>
#include <stdint.h>

#include "campaigns/agent/agent.h"

/* The domain's XML, malloc'ed; NULL: out of memory. */
char *guest_xml(const struct agent_options *opt, const struct guest_params *params,
                const char *mode, uint64_t run_id);

#endif
