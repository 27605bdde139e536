// SPDX-License-Identifier: GPL-2.0-or-later
/* Catches: a one-sided p-value, a tail off by one, a bound that rounds down. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>

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

static void failures_need_more(void **state)
{
    (void)state;
    /* None is the closed form; the others are the "success run" tables' (95%, 1 and 2 failures). */
    assert_int_equal(trials_to_bound_with(0, 0.01, 0.95), trials_to_bound(0.01, 0.95));
    assert_int_equal(trials_to_bound_with(1, 0.05, 0.95), 93);
    assert_int_equal(trials_to_bound_with(2, 0.05, 0.95), 124);
    assert_int_equal(trials_to_bound_with(1, 0.1, 0.9), 38);
    assert_int_equal(trials_to_bound_with(0, 1e-9, 0.95), INT64_MAX);
}

static void widths_need_trials(void **state)
{
    static const double rates[] = {0, 0.02, 0.1, 0.5};

    (void)state;
    for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
        for (double width = 0.02; width < 0.2; width *= 2) {
            int64_t n = trials_to_half_width(rates[i], width, 0.95);
            struct interval at = clopper_pearson(llround(rates[i] * (double)n), n, 0.95);

            assert_true((at.high - at.low) / 2 <= width + 1e-12);
            at = clopper_pearson(llround(rates[i] * (double)(n - 1)), n - 1, 0.95);
            assert_true((at.high - at.low) / 2 > width);
        }
}

/* All possible results, one by one: how likely are those that the test calls a difference? */
static void power_by_enumeration(void **state)
{
    static const double shares[][2] = {{0.3, 0}, {0.2, 0.05}, {0.4, 0.4}, {0.05, 0.6}};

    (void)state;
    for (unsigned i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
        for (unsigned n = 1; n <= 40; n += 13) {
            double power = 0;

            for (unsigned b = 0; b <= n; b++)
                for (unsigned c = 0; b + c <= n; c++) {
                    double p[] = {shares[i][0], shares[i][1], 1 - shares[i][0] - shares[i][1]};
                    unsigned results[] = {b, c, n - b - c};

                    if (b + c && mcnemar_exact(b, c) <= 0.05)
                        power += gsl_ran_multinomial_pdf(3, p, results);
                }
            near(mcnemar_power(n, shares[i][0], shares[i][1], 0.95), power, 1e-9);
        }
}

static void differences_need_pairs(void **state)
{
    int64_t n = pairs_to_difference(0.3, 0.02, 0.8, 0.95);

    (void)state;
    assert_true(mcnemar_power(n, 0.3, 0.02, 0.95) >= 0.8);
    assert_true(mcnemar_power(n - 1, 0.3, 0.02, 0.95) < 0.8);
    /* Six pairs, all one way, are the fewest that can tell at all. */
    assert_int_equal(pairs_to_difference(1, 0, 0.8, 0.95), 6);
    assert_int_equal(pairs_to_difference(0.1, 0.1, 0.8, 0.95), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mcnemar_by_hand),
        cmocka_unit_test(mcnemar_published),
        cmocka_unit_test(mcnemar_against_gsl),
        cmocka_unit_test(bounds_need_trials),
        cmocka_unit_test(failures_need_more),
        cmocka_unit_test(widths_need_trials),
        cmocka_unit_test(power_by_enumeration),
        cmocka_unit_test(differences_need_pairs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
