/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a campaign: workers are processes, each with an executor of its own; this
 * process alone has the database. A trial is recorded in one transaction; trials
 * already recorded as done are skipped, so that a run killed at any moment goes on
 * when it is started again.
 */
#ifndef WCR_CAMPAIGNS_RUNNER_H
#define WCR_CAMPAIGNS_RUNNER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "campaigns/executor.h"
#include "campaigns/spec.h"

struct runner_options {
    const char *db_path;
    const char *vmlinux;        /* for text plans; NULL: the testbed's */
    const struct executor_ops *executor;
    struct executor_params params;
    unsigned jobs;
    unsigned limit;             /* stop after so many trials; 0: none */
    bool json;                  /* events as JSON lines instead of progress */
    FILE *out;                  /* progress and events */
    volatile int *interrupted;  /* set by a signal handler: finish nothing, leave cleanly */
};

struct runner_result {
    unsigned planned, skipped, done, errors, retried, redrawn;
    double wall_s;
};

/*
 * 0 when every trial is done or recorded as error; -EINTR when interrupted; others
 * when the campaign could not go on.
 */
int runner_run(const struct spec *spec, const struct runner_options *options,
               struct runner_result *ret, struct err *err);

#endif
