/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small campaign with a bit of everything, for the tests of analysis/. */
#ifndef WCR_ANALYSIS_TESTS_FIXTURE_H
#define WCR_ANALYSIS_TESTS_FIXTURE_H

#include <stdio.h>

#include "db/db.h"

struct fixture_trial {
    const char *fault_class;
    unsigned seed;
    const char *mode, *outcome;
    int activated;              /* 1, 0, -1 */
    int reused;                 /* -1: not verified */
    int corrupt, stale_disk;
};

extern char fixture_dir[64], fixture_path[96];

/* cmocka setup and teardown: a directory; fixture_path in it does not exist yet. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A database with one campaign and these trials; 100 pages are reusable in each. */
void fixture_write(const char *campaign, const struct fixture_trial *trials, size_t len);

/* The campaign "quick": golden, PTR with corrupt pages when disabled, DST stale, an error. */
void fixture_write_quick(void);

/* What @function printed to the file it was given, malloc'ed, and its return value. */
char *fixture_capture(int (*function)(FILE *out, void *ctx), void *ctx, int *ret);

/* Run a command with standard output and error captured; both malloc'ed. */
int fixture_command(int (*command)(int, char **), char **ret_out, char **ret_err,
                    const char *arg0, ...) __attribute__((sentinel));

/* Fail unless @text has @words in it. */
void fixture_contains(const char *text, const char *words);

char *fixture_read(const char *path);

#endif
