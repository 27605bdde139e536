// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/stats.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <math.h>
#include <stdbool.h>

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

/* The least n from @lo to PLAN_SIZE_MAX that is @enough, as all above it are. */
static int64_t least(int64_t lo, bool (*enough)(int64_t n, const void *ctx), const void *ctx)
{
    int64_t hi = lo;

    while (hi < PLAN_SIZE_MAX && !enough(hi, ctx)) {
        lo = hi + 1;
        hi = 2 * hi < PLAN_SIZE_MAX ? 2 * hi : PLAN_SIZE_MAX;
    }
    if (!enough(hi, ctx))
        return INT64_MAX;
    while (lo < hi) {
        int64_t middle = lo + (hi - lo) / 2;

        if (enough(middle, ctx))
            hi = middle;
        else
            lo = middle + 1;
    }
    return hi;
}

struct question {
    int64_t failures;
    double rate, half_width, b, c, power, confidence;
};

static bool bounds(int64_t n, const void *ctx)
{
    const struct question *q = ctx;

    return clopper_pearson_upper(q->failures, n, q->confidence) <= q->rate + 1e-12;
}

int64_t trials_to_bound_with(int64_t failures, double rate, double confidence)
{
    const struct question q = {.failures = failures, .rate = rate, .confidence = confidence};

    return least(failures + 1, bounds, &q);
}

static bool is_narrow(int64_t n, const void *ctx)
{
    const struct question *q = ctx;
    struct interval i = clopper_pearson(llround(q->rate * (double)n), n, q->confidence);

    return (i.high - i.low) / 2 <= q->half_width + 1e-12;
}

int64_t trials_to_half_width(double rate, double half_width, double confidence)
{
    const struct question q = {.rate = rate, .half_width = half_width, .confidence = confidence};

    return least(1, is_narrow, &q);
}

/*
 * Of @pairs, d differ, by binomial chance; of these k go one way, and the test sees it if k or
 * fewer are too unlikely among d.
 */
double mcnemar_power(int64_t pairs, double b, double c, double confidence)
{
    double differ = b + c, one = differ > 0 ? b / differ : 0, power = 0;
    int64_t critical = -1;      /* the most of d that are seen; grows with d by 1 at most */

    for (int64_t d = 1; d <= pairs; d++) {
        double there = gsl_ran_binomial_pdf((unsigned)d, differ, (unsigned)pairs);

        if (mcnemar_exact(critical + 1, d - critical - 1) <= 1 - confidence)
            critical++;
        if (there < 1e-15 || critical < 0)
            continue;
        power += there * (gsl_cdf_binomial_P((unsigned)critical, one, (unsigned)d) +
                          gsl_cdf_binomial_P((unsigned)critical, 1 - one, (unsigned)d));
    }
    return power;
}

static bool is_powerful(int64_t n, const void *ctx)
{
    const struct question *q = ctx;

    return mcnemar_power(n, q->b, q->c, q->confidence) >= q->power;
}

int64_t pairs_to_difference(double b, double c, double power, double confidence)
{
    const struct question q = {.b = b, .c = c, .power = power, .confidence = confidence};

    return b == c ? INT64_MAX : least(1, is_powerful, &q);
}
