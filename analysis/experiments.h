/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The performance experiments of a database as one page of HTML. docs/experiments.md. */
#ifndef WCR_ANALYSIS_EXPERIMENTS_H
#define WCR_ANALYSIS_EXPERIMENTS_H

#include <stdio.h>

#include "lib/err.h"

/*
 * The last finished run of each. Needs nothing but itself, as report_write. -ENODATA: no
 * experiment is finished yet; -ENOENT: no such database, or no gnuplot.
 */
int experiments_write(const char *db_path, FILE *out, struct err *err)
    __attribute__((warn_unused_result));

#endif
