/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a campaign: workers are processes, each with an executor of its own; this
 * process alone has the database. A trial is recorded in one transaction; trials
 * already recorded as done are skipped, so that a run killed at any moment goes on
 * when it is started again.
 */
#ifndef WCR_CAMPAIGNS_RUNNER_H
#define WCR_CAMPAIGNS_RUNNER_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "campaigns/executor.h"
#include "campaigns/planner.h"
#include "campaigns/progress.h"
#include "campaigns/shard.h"
#include "campaigns/spec.h"
#include "campaigns/store.h"

struct runner_options {
    const struct executor_ops *executor;
    struct executor_params params;
    struct store store;
    struct planner planner;
    struct shard shard;
    unsigned jobs;
    enum progress_style style;
    FILE *out;                          /* progress and events */
    const volatile sig_atomic_t *stop;  /* set by a signal handler: leave at once, cleanly */
};

struct runner_result {
    unsigned planned;       /* trials of the campaign, or of the shard */
    unsigned skipped;       /* that were done before */
    unsigned done, errors;
    unsigned not_needed;    /* the stop rule was reached before */
    unsigned retried;       /* experiment errors that led to another attempt */
    unsigned redrawn;       /* plans drawn again: not activated, or refused by the guest's memory */
    unsigned golden_bad;    /* fault-free trials that crashed or, with consistency, reused a wrong page */
    double wall_s;          /* since the first worker was ready */
};

/*
 * 0 when every trial is done, recorded as error, or not needed; -EINTR when stopped; others when
 * the campaign cannot go on (no machine could be started, the database fails).
 */
int runner_run(const struct spec *spec, const struct runner_options *options,
               struct runner_result *ret, struct err *err);

#endif
