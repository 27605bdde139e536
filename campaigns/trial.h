/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One injection and what follows from it, on an executor. This runs in a worker;
 * it decides nothing about retries or redraws and knows no database.
 *
 * A job is {"job", "class", "seed", "index", "modes": [...], "golden": bool,
 * "activation": bool, "plan": {...}}. What happens is told as messages:
 *
 *   {"type":"trial", "job", "mode", "pair": "snapshot" or "two_runs", "crash_id",
 *    "inject", "crash", "reboot", "verify": the agent's replies (verify null when the
 *    guest did not boot again), "phases": {name: seconds}, "wall_s"}   once for each mode
 *   {"type":"phase", "job", "phase"}                       for progress
 *   {"type":"not_activated", "job", "inject"}              only when "activation" is set
 *
 * Steps that several modes share count for the first of them.
 */
#ifndef WCR_CAMPAIGNS_TRIAL_H
#define WCR_CAMPAIGNS_TRIAL_H

#include <jansson.h>

#include "campaigns/executor.h"

/* Takes over @message. An error ends the trial. */
typedef int (*trial_emit_fn)(void *ctx, json_t *message, struct err *err);

struct trial_runner {
    const struct executor_ops *ops;
    void *executor;
    const struct spec *spec;
    trial_emit_fn emit;
    void *emit_ctx;
};

/* 0: every mode of the job was told, or not_activated. Else an experiment error. */
int trial_run(const struct trial_runner *t, const json_t *job, struct err *err);

#endif
