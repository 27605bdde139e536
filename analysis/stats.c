// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/stats.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

/* P(X <= k) of n coins, summed up: the small cases come out exact. */
static double half_binomial(int64_t k, int64_t n)
{
    double term = ldexp(1, (int)-n), sum = term;

    for (int64_t i = 1; i <= k; i++) {
        term *= (double)(n - i + 1) / (double)i;
        sum += term;
    }
    return sum;
}

double mcnemar_exact(int64_t b, int64_t c)
{
    int64_t small = b < c ? b : c, n = b + c;
    double p;

    if (small < 0 || n > UINT32_MAX)
        return NAN;
    if (n == 0)
        return 1;
    p = 2 * (n < 1000 ? half_binomial(small, n)
                      : gsl_cdf_binomial_P((unsigned)small, 0.5, (unsigned)n));
    return p < 1 ? p : 1;
}

int64_t trials_to_bound(double rate, double confidence)
{
    double n;

    if (rate >= 1)
        return 1;
    if (!(rate > 0) || !(confidence < 1))
        return INT64_MAX;
    n = ceil(log1p(-confidence) / log1p(-rate) - 1e-9);
    return n < 1 ? 1 : n < 1e18 ? (int64_t)n : INT64_MAX;
}
