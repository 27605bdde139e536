/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A shell command in domain 0: what a test or a person needs beyond the guest. */
#ifndef WCR_AGENT_EXEC_H
#define WCR_AGENT_EXEC_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

#define EXEC_OUTPUT 8192

struct exec_result {
    int rc;                         /* exit status, or 128 + the signal */
    char output[EXEC_OUTPUT + 1];   /* the last bytes of standard output and error, as text */
    size_t len;
};

/*
 * Run `sh -c @line` and wait for the shell, not for what it left in the background.
 * -ETIMEDOUT: it was still there at @deadline_ns; it and all it started were killed.
 */
int exec_shell(const char *line, uint64_t deadline_ns, struct exec_result *ret, struct err *err);

#endif
