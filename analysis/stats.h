/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statistics of trials. Intervals of rates: db/interval.h. */
#ifndef WCR_ANALYSIS_STATS_H
#define WCR_ANALYSIS_STATS_H

#include <stdint.h>

#include "db/interval.h"

/*
 * McNemar's test for paired yes/no results, exact: of the pairs whose two results
 * differ, @b went one way and @c the other; were the two modes alike, each way would
 * be as likely. Two-sided p-value: twice the smaller binomial tail, at most 1.
 * (Q. McNemar, Psychometrika 12 (1947) 153-157; the exact form is the sign test.)
 */
double mcnemar_exact(int64_t b, int64_t c);

/*
 * Trials without a failure after which the one-sided upper bound of the rate at
 * @confidence is @rate or less: ln(1 - confidence) / ln(1 - rate), rounded up.
 * INT64_MAX if there is no such number.
 */
int64_t trials_to_bound(double rate, double confidence);

#endif
