// SPDX-License-Identifier: GPL-2.0-or-later
/* Catches: a one-sided p-value, a tail off by one, a bound that rounds down. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gsl/gsl_cdf.h>

#include "analysis/stats.h"

static void near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.17g is not %.17g", a, b);
}

/* Twice a binomial tail, by hand: 2 * 1/2^5, 2 * (1 + 6)/2^6, 2 * (1 + 10 + 45)/2^10. */
static void mcnemar_by_hand(void **state)
{
    (void)state;
    near(mcnemar_exact(5, 0), 0.0625, 0);
    near(mcnemar_exact(0, 5), 0.0625, 0);
    near(mcnemar_exact(5, 1), 0.21875, 0);
    near(mcnemar_exact(2, 8), 0.109375, 0);
    near(mcnemar_exact(10, 0), 0.001953125, 0);
    near(mcnemar_exact(0, 0), 1, 0);
    near(mcnemar_exact(1, 0), 1, 0);
    near(mcnemar_exact(4, 4), 1, 0);
}

/*
 * A published example: A. Agresti, Categorical Data Analysis, the ratings of the prime
 * minister, 86 and 150 discordant pairs, z^2 = 17.36 (p about 3e-5); exact: below 1e-4.
 */
static void mcnemar_published(void **state)
{
    double p = mcnemar_exact(86, 150);

    (void)state;
    assert_true(p > 1e-5 && p < 1e-4);
    near(p, 2 * gsl_cdf_binomial_P(86, 0.5, 236), 1e-15);
}

/* Two ways of summing must meet where one takes over from the other. */
static void mcnemar_against_gsl(void **state)
{
    (void)state;
    for (int64_t n = 1; n <= 1100; n += n < 60 ? 1 : 47) {
        for (int64_t b = 0; b <= n / 2; b += 1 + n / 20) {
            double p = 2 * gsl_cdf_binomial_P((unsigned)b, 0.5, (unsigned)n);

            near(mcnemar_exact(b, n - b), p < 1 ? p : 1, 1e-9);
            near(mcnemar_exact(n - b, b), mcnemar_exact(b, n - b), 0);
        }
    }
}

/* "Rule of three" and the numbers that the default policy quotes. */
static void bounds_need_trials(void **state)
{
    static const double rates[] = {0.5, 0.25, 0.1, 0.05, 0.01, 0.001};

    (void)state;
    assert_int_equal(trials_to_bound(0.25, 0.95), 11);
    assert_int_equal(trials_to_bound(0.05, 0.95), 59);
    assert_int_equal(trials_to_bound(0.01, 0.95), 299);
    assert_int_equal(trials_to_bound(0.01, 0.99), 459);
    assert_int_equal(trials_to_bound(0.5, 0.5), 1);
    assert_int_equal(trials_to_bound(1, 0.95), 1);
    assert_int_equal(trials_to_bound(0, 0.95), INT64_MAX);
    for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        int64_t n = trials_to_bound(rates[i], 0.95);

        assert_true(clopper_pearson_upper(0, n, 0.95) <= rates[i] + 1e-12);
        assert_true(clopper_pearson_upper(0, n - 1, 0.95) > rates[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mcnemar_by_hand),
        cmocka_unit_test(mcnemar_published),
        cmocka_unit_test(mcnemar_against_gsl),
        cmocka_unit_test(bounds_need_trials),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
