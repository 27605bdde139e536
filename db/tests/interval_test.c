// SPDX-License-Identifier: GPL-2.0-or-later
/* Would catch: a wrong tail, an off-by-one in the beta parameters, edges at 0 and n. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <gsl/gsl_cdf.h>

#include "db/interval.h"

static void near(double a, double b, double tolerance)
{
    if (fabs(a - b) > tolerance)
        fail_msg("%.9g is not %.9g", a, b);
}

/*
 * Known values: 0 of n has the upper end 1 - 0.025^(1/n) (the closed form), 10 of 100 and
 * 3 of 10 as R's binom.test prints them, 81 of 263 from R. G. Newcombe, Statistics in
 * Medicine 17 (1998) 857-872, table I, method 5 (with 15/148, 0/20 and 1/29).
 */
static void test_published(void **state)
{
    static const struct {
        int k, n;
        double low, high, tolerance;
    } cases[] = {
        {3, 10, 0.06673951, 0.6524529, 1e-6}, {10, 100, 0.04900469, 0.1762226, 1e-6},
        {81, 263, 0.2527, 0.3676, 5e-5},      {15, 148, 0.0578, 0.1617, 5e-5},
        {0, 20, 0, 0.1684, 5e-5},             {1, 29, 0.0009, 0.1776, 5e-5},
        {29, 29, 0.8806, 1, 5e-5},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct interval r = clopper_pearson(cases[i].k, cases[i].n, 0.95);

        near(r.low, cases[i].low, cases[i].tolerance);
        near(r.high, cases[i].high, cases[i].tolerance);
    }
    near(clopper_pearson(0, 30, 0.95).high, 1 - pow(0.025, 1.0 / 30), 1e-12);
    near(clopper_pearson_upper(0, 59, 0.95), 1 - pow(0.05, 1.0 / 59), 1e-12);
}

/* By definition: the binomial tails at the ends are what may be missed. */
static void test_definition(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 60; n++) {
        for (unsigned k = 0; k <= n; k++) {
            struct interval r = clopper_pearson(k, n, 0.95);

            assert_true(r.low >= 0 && r.low <= (double)k / n && (double)k / n <= r.high &&
                        r.high <= 1);
            if (k > 0)
                near(gsl_cdf_binomial_Q(k - 1, r.low, n), 0.025, 1e-9);
            if (k < n)
                near(gsl_cdf_binomial_P(k, r.high, n), 0.025, 1e-9);
        }
    }
}

static void test_edges(void **state)
{
    struct interval r = clopper_pearson(0, 0, 0.95);

    (void)state;
    assert_true(r.low == 0 && r.high == 1);
    assert_true(clopper_pearson_upper(0, 0, 0.95) == 1);
    r = clopper_pearson(-1, 5, 0.95);
    assert_true(r.low == 0);
    r = clopper_pearson(9, 5, 0.95);
    assert_true(r.high == 1 && r.low > 0.4);
    r = clopper_pearson(0, 1000000, 0.95);
    near(r.high, 3.688872e-6, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_definition),
        cmocka_unit_test(test_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
