/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a report, each of which writes some sections of the page. */
#ifndef WCR_ANALYSIS_REPORT_INT_H
#define WCR_ANALYSIS_REPORT_INT_H

#include "analysis/comparison.h"

/* All that is shown; read in one transaction, so that its numbers agree during a run, too. */
struct report {
    const char *path;
    struct db *db; /* in the transaction */
    int64_t campaign;
    struct comparison c;
    struct result about; /* one row: where all of it is from, and when */
    struct result facts; /* of each environment */
    struct result effects;
    struct result checked;    /* one row: what was verified, and found */
    struct result violations; /* trials with inconsistent pages though the mechanism was enabled */
    struct result crashes;    /* by signature */
    struct result reboots;    /* that failed, or were not free of oopses */
    struct result errors;     /* what broke the experiment */
    struct result steps;      /* of a trial: how long they take */
    struct result progress;   /* of the campaign, in PROGRESS_BINS equal parts of its time */
};

#define PROGRESS_BINS 48

int report_load(const char *path, const char *campaign, struct report *ret, struct err *err)
    __attribute__((warn_unused_result));
void report_done(struct report *r);

/* Of any page of ours: up to its body, which is open. */
void report_page_begin(FILE *out, const char *title);

/* Trials that reused inconsistent pages in @mode, by class and outcome, as in the publication. */
int report_figure_mode(const struct report *r, const char *mode, FILE *out, struct err *err)
    __attribute__((warn_unused_result));
int report_figure_steps(const struct report *r, FILE *out, struct err *err)
    __attribute__((warn_unused_result));
int report_figure_progress(const struct report *r, FILE *out, struct err *err)
    __attribute__((warn_unused_result));
/* What the colours mean. */
void report_legend(FILE *out);

/* Trials to look at: with inconsistent pages, crashes, failed reboots. */
int report_violations(const struct report *r, FILE *out, struct err *err)
    __attribute__((warn_unused_result));
int report_crashes(const struct report *r, FILE *out, struct err *err)
    __attribute__((warn_unused_result));

void report_provenance(const struct report *r, FILE *out);
void report_definitions(FILE *out);

#endif
