/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the kernel a campaign's workload executes, seen in a run without a fault. */
#ifndef WCR_CAMPAIGNS_PROFILE_H
#define WCR_CAMPAIGNS_PROFILE_H

#include "campaigns/executor.h"
#include "campaigns/planner.h"

/*
 * Run the workload once, for as long as a trial may take, on a machine of its own. @ret: as
 * injector/profile.h describes it.
 */
int profile_make(const struct spec *spec, const struct executor_ops *ops,
                 const struct executor_params *params, struct planner *planner, json_t **ret,
                 struct err *err);

#endif
