/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest's console says about its death. The signature, "KIND SYMBOL+OFFSET", is
 * made of the first oops alone, for later ones are mostly its consequences; equal
 * signatures are taken for the same crash.
 */
#ifndef WCR_AGENT_OOPS_H
#define WCR_AGENT_OOPS_H

#include <stdbool.h>
#include <stddef.h>

struct oops {
    bool seen;              /* an oops, a BUG or a panic */
    bool panic;
    bool fs_error;          /* a file system complained about its metadata */
    bool oom;               /* the OOM killer worked */
    bool worker_died;       /* init told that a worker ended */
    unsigned count;
    char kind[80];
    char symbol[120];       /* where; empty until its line came */
    char panic_text[120];
};

/* One console line, without its end; time stamps in front are skipped. */
void oops_line(struct oops *o, const char *line);

/* Empty when nothing was seen. */
void oops_signature(const struct oops *o, char *ret, size_t size);

/* The text behind xenconsoled's and printk's time stamps. */
const char *console_text(const char *line);

#endif
