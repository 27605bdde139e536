/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of a whole campaign, by whatever shows it: wcr compare, wcr report. */
#ifndef WCR_ANALYSIS_COMPARISON_H
#define WCR_ANALYSIS_COMPARISON_H

#include <stdio.h>

#include "analysis/result.h"

struct comparison {
    struct result campaign, classes, outcomes, pairs, errors, corrupt, stops;
};

int comparison_load(struct db *db, int64_t campaign, struct comparison *ret, struct err *err)
    __attribute__((warn_unused_result));
void comparison_done(struct comparison *c);

/* A class, or "all" of them but GOLDEN, in one mode. */
struct class_row {
    const char *fault_class, *mode;
    int64_t trials, activated, crashes, rated, inconsistent, corrupt, stale_disk, reused, reusable;
    int64_t rated_pairs;    /* 0: no p */
    double p;               /* of the exact McNemar test over them */
};

/* The @n-th row of the table: class by mode, then the modes' totals. False: there are fewer. */
bool comparison_row(const struct comparison *c, unsigned n, struct class_row *ret);
struct class_row comparison_total(const struct comparison *c, const char *mode);

/* The row as it is shown, under these titles, as table.h has them. */
enum { CELL_INCONSISTENT = 5, CELL_CORRUPT = 8, CLASS_CELLS = 13 };
extern const char *const comparison_titles[CLASS_CELLS + 1];
void comparison_cells(const struct class_row *row, char cells[CLASS_CELLS][64]);

/* "no crash" for "no_crash". */
const char *outcome_words(const char *outcome);

/* What the tables do not say: a line for each sentence. @db: the file, for commands to type. */
void comparison_notes(const struct comparison *c, const char *db, FILE *out);

#endif
