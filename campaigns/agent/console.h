/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's console: read from the log that xenconsoled keeps, written through the
 * pty it offers. The log is followed, never loaded: the last part is kept for excerpts.
 */
#ifndef WCR_AGENT_CONSOLE_H
#define WCR_AGENT_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "campaigns/agent/oops.h"
#include "lib/err.h"

#define CONSOLE_TAIL 16384
#define CONSOLE_LINE 1024
#define CONSOLE_ANSWER 16384

struct console {
    char log_path[256];
    int log_fd;             /* -1: not there yet */
    int pty_fd;             /* -1: not open */
    off_t pos;
    char line[CONSOLE_LINE];
    size_t line_len;
    char tail[CONSOLE_TAIL];    /* lines with their ends, oldest dropped first */
    size_t tail_len;
    struct oops oops;           /* of everything since console_attach or console_mark */
    unsigned tag;               /* of the last command */
    bool answered;
    int answer_rc;
    char answer[CONSOLE_ANSWER];
    size_t answer_len;
    uint64_t activated_ns;      /* when a run-time fault told that it fired; 0: not yet */
};

void console_init(struct console *c);
/* Before a domain of that name is created: what the log holds already is not its own. */
void console_attach(struct console *c, const char *log_dir, const char *domain_name);
void console_done(struct console *c);

/* Take what is new. Never blocks. */
void console_poll(struct console *c);

/* After a command: return when the guest printed something, or after @ms. */
void console_wait(struct console *c, int ms);

/* Forget what was seen so far (oops, excerpt), keep following. */
void console_mark(struct console *c);

/* The last that was printed, or "nothing", in one line for a message. */
void console_last(const struct console *c, char *ret, size_t n);

/* Send a line with a tag of its own; then console_poll until `answered`. */
int console_command(struct console *c, const char *pty, const char *text, struct err *err);

/* One complete line, as console_poll cuts them: for tests. */
void console_take_line(struct console *c, const char *line);

#endif
