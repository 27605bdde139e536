/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON lines over a stream descriptor, with deadlines in wall time and an eye
 * on the peer's life. QMP, the agent channel and the runner's workers speak it.
 *
 * Sending is all or nothing as far as the deadline allows. Receiving never
 * returns half a line. The descriptors are non-blocking and owned by the user.
 */
#ifndef WCR_TESTBED_JSONL_H
#define WCR_TESTBED_JSONL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define JSONL_FOREVER INT64_MAX
#define JSONL_LINE_MAX (64u << 20)

struct jsonl {
    int in, out;        /* may be the same */
    int watch;          /* a pidfd that becomes readable when the peer died; -1: none */
    char *buf;
    size_t pos, len, size;
};

void jsonl_init(struct jsonl *j, int in, int out, int watch);
/* Frees the buffer; closes nothing. */
void jsonl_done(struct jsonl *j);

/* Milliseconds of CLOCK_MONOTONIC, and a point @ms from now (negative: never). */
int64_t wall_ms(void);
int64_t wall_deadline(int64_t ms);

/*
 * Errors of both: -ETIMEDOUT; -EPIPE the peer closed; -ESRCH the watched
 * process died; -EPROTO a line that is no JSON (its beginning is in the
 * message; the line is consumed); others as read() and write().
 */
int jsonl_send(struct jsonl *j, const json_t *value, int64_t deadline, struct err *err);
int jsonl_recv(struct jsonl *j, int64_t deadline, json_t **ret, struct err *err);

/* A complete line is already buffered: jsonl_recv will not wait. */
int jsonl_pending(const struct jsonl *j);

#endif
