// SPDX-License-Identifier: GPL-2.0-or-later
#include "db/interval.h"

#include <gsl/gsl_cdf.h>

static int64_t clamp(int64_t k, int64_t n)
{
    return k < 0 ? 0 : k > n ? n : k;
}

static double lower(int64_t k, int64_t n, double miss)
{
    return k == 0 ? 0 : gsl_cdf_beta_Pinv(miss, (double)k, (double)(n - k + 1));
}

static double upper(int64_t k, int64_t n, double miss)
{
    return k == n ? 1 : gsl_cdf_beta_Qinv(miss, (double)(k + 1), (double)(n - k));
}

struct interval clopper_pearson(int64_t k, int64_t n, double confidence)
{
    double miss = (1 - confidence) / 2;

    if (n <= 0)
        return (struct interval){0, 1};
    k = clamp(k, n);
    return (struct interval){lower(k, n, miss), upper(k, n, miss)};
}

double clopper_pearson_upper(int64_t k, int64_t n, double confidence)
{
    return n <= 0 ? 1 : upper(clamp(k, n), n, 1 - confidence);
}
