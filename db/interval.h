/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exact binomial interval of C. J. Clopper and E. S. Pearson, "The use of
 * confidence or fiducial limits illustrated in the case of the binomial",
 * Biometrika 26 (1934) 404-413, by quantiles of the beta distribution. It covers the
 * true rate with at least the confidence asked for, whatever the rate is.
 */
#ifndef WCR_DB_INTERVAL_H
#define WCR_DB_INTERVAL_H

#include <stdint.h>

struct interval {
    double low, high;
};

/*
 * Two-sided interval for @k of @n at @confidence in (0, 1): each side is missed with
 * probability (1 - confidence) / 2 at most. Nothing is known of none: [0, 1] for n = 0.
 * @k outside 0..n is clamped.
 */
struct interval clopper_pearson(int64_t k, int64_t n, double confidence);

/* One-sided upper bound: the rate exceeds it with probability 1 - confidence at most. */
double clopper_pearson_upper(int64_t k, int64_t n, double confidence);

#endif
