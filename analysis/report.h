/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A campaign as one page of HTML. */
#ifndef WCR_ANALYSIS_REPORT_H
#define WCR_ANALYSIS_REPORT_H

#include <stdio.h>

#include "lib/err.h"

/*
 * Write a page about @campaign (NULL: the only one) in the database @db_path. It needs nothing
 * but itself, and is the same for the same database. -ENODATA: no trial is done yet; -ENOENT: no
 * such database or campaign, or no gnuplot. Nothing is written before all of it is made.
 */
int report_write(const char *db_path, const char *campaign, FILE *out, struct err *err)
    __attribute__((warn_unused_result));

#endif
