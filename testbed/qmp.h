/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's machine protocol: greeting, capabilities, commands, events.
 */
#ifndef WCR_TESTBED_QMP_H
#define WCR_TESTBED_QMP_H

#include "testbed/jsonl.h"

struct qmp {
    struct jsonl line;
    uint64_t next_id;
    char version[32];               /* "7.2.22" */
    /* Called for each event as it is read; may be NULL. */
    void (*event)(void *ctx, const char *name, const json_t *event);
    void *event_ctx;
};

/* Take a connected descriptor through greeting and capabilities. */
int qmp_open(struct qmp *q, int fd, int watch, int64_t deadline, struct err *err);
void qmp_done(struct qmp *q);

/*
 * Execute and wait for the answer. @args is stolen (may be NULL). @ret (may be
 * NULL) receives the "return" member. A QMP error is -EREMOTEIO with its text.
 */
int qmp_command(struct qmp *q, const char *command, json_t *args, int64_t deadline, json_t **ret,
                struct err *err);

/*
 * A command of the human monitor that answers nothing when it succeeds. What
 * QEMU puts off is asked again until @deadline. Any answer is -EREMOTEIO.
 */
int qmp_human(struct qmp *q, const char *line, int64_t deadline, struct err *err);

/* Read events that are waiting, without waiting. */
int qmp_poll(struct qmp *q, struct err *err);

#endif
