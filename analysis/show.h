/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything recorded about one trial. */
#ifndef WCR_ANALYSIS_SHOW_H
#define WCR_ANALYSIS_SHOW_H

#include <stdio.h>

#include "analysis/result.h"
#include "lib/err.h"

struct shown {
    struct result trial;            /* one row */
    struct result plan;             /* one row; with the fields of text faults */
    struct result pages;            /* that were not consistent */
    struct result events;           /* console excerpts */
    struct result measurements;
    struct result facts;            /* of the environment */
    struct result attempts;         /* that failed, of the same class and seed */
    struct result others;           /* trials of the same plan */
    struct result spec;             /* the campaign's file: spec_text; not printed */
};

/*
 * Load the trial that @address names: its number, or CLASS:SEED:MODE in @campaign (NULL:
 * the only one). -EINVAL: no such form; -ENOENT: no such trial, and which there are.
 */
int show_load(const char *db_path, const char *address, const char *campaign, struct shown *ret,
              struct err *err) __attribute__((warn_unused_result));
/* The trial of that number, if there is one. */
int show_load_trial(struct db *db, int64_t trial, struct shown *ret, struct err *err)
    __attribute__((warn_unused_result));
void show_done(struct shown *shown);

/* What the fault was, and how to get the same again. */
void show_print_plan(const struct shown *shown, FILE *out);
int show_print(const struct shown *shown, FILE *out, struct err *err)
    __attribute__((warn_unused_result));
int show_print_json(const struct shown *shown, FILE *out, struct err *err)
    __attribute__((warn_unused_result));

#endif
