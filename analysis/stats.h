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

/*
 * The same with @failures among them. How many trials it takes until the two-sided interval around
 * @rate is @half_width or less to either side of its middle; and how many pairs until McNemar's
 * exact test finds a difference at level 1 - @confidence with probability @power, if a
 * share @b of all pairs goes one way and @c the other. INT64_MAX: more than PLAN_SIZE_MAX.
 */
#define PLAN_SIZE_MAX 1000000
int64_t trials_to_bound_with(int64_t failures, double rate, double confidence);
int64_t trials_to_half_width(double rate, double half_width, double confidence);
int64_t pairs_to_difference(double b, double c, double power, double confidence);

/* The probability of that with @pairs pairs. */
double mcnemar_power(int64_t pairs, double b, double c, double confidence);

#endif
