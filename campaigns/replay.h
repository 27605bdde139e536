/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trial again: run anew by its plan, or, once recorded, replayed instruction by instruction.
 */
#ifndef WCR_CAMPAIGNS_REPLAY_H
#define WCR_CAMPAIGNS_REPLAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "campaigns/executor.h"

/*
 * Run one trial in @mode; @plan NULL: a golden run. @ret_message: the "trial" message of
 * campaigns/trial.h.
 */
int replay_run(const struct spec *spec, const struct executor_ops *ops,
               const struct executor_params *params, const char *fault_class, const char *mode,
               json_t *plan, json_t **ret_message, struct err *err);

/*
 * What a recording is of, in its directory's trial.json: the trial's address, "plan", "vmlinux",
 * and "replies", the message of replay_run().
 */
int replay_describe(const char *dir, json_t *about, struct err *err);

/*
 * Replay to the end of the recording, @dir, and compare what domain 0's console and the agent say
 * with what they said then. @ret_bytes: so much; -EILSEQ: something else.
 */
int replay_again(const char *dir, const char *testbed_env, int64_t *ret_bytes, struct err *err);

/*
 * The same under gdb, on this terminal, stopped where the fault is executed or the kernel panics.
 * @script: commands for gdb instead of a user's; may be NULL. @ret_status: gdb's exit status.
 */
int replay_gdb(const char *dir, const char *testbed_env, const char *script, int *ret_status,
               struct err *err);

#endif
