/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker process: an executor and a loop that takes jobs from its parent over a
 * socket, as JSON lines (campaigns/trial.h). It adds these messages:
 *
 *   {"type":"ready", "facts": {...}}                    the machine is warm
 *   {"type":"failed", "error"}                          it could not be made so; the worker ends
 *   {"type":"done", "job"}                              the job is over
 *   {"type":"error", "job", "error", "code", "console"} the job failed
 */
#ifndef WCR_CAMPAIGNS_WORKER_H
#define WCR_CAMPAIGNS_WORKER_H

#include <sys/types.h>

#include "campaigns/executor.h"
#include "testbed/jsonl.h"

struct worker {
    pid_t pid;              /* 0: not running */
    int pidfd, fd;
    struct jsonl line;
};

/*
 * Start one. It dies with this thread. @close_fds: descriptors of the parent that it
 * must not hold (the sockets of other workers), -1 are ignored.
 */
int worker_start(struct worker *w, const struct executor_ops *ops,
                 const struct executor_params *params, const struct spec *spec,
                 const int *close_fds, unsigned close_len, struct err *err);

/* Ask it to leave and wait; after @grace_ms it is killed. */
void worker_stop(struct worker *w, int64_t grace_ms);

#endif
