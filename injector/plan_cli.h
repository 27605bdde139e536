/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands that speak of plans share. */
#ifndef WCR_INJECTOR_PLAN_CLI_H
#define WCR_INJECTOR_PLAN_CLI_H

#include <jansson.h>

/* What the plan, of plan_to_json(), does, in lines for a person, indented, to standard output. */
void plan_print(const json_t *plan);

#endif
