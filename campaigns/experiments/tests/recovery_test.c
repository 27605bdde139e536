// SPDX-License-Identifier: GPL-2.0-or-later
/* Catches: a throughput that is called back for a moment's peak, or never, or too late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "campaigns/experiments/recovery.h"

#define N 100

static struct sample s[N];

/* @rate(i) bytes in the tenth of a second before sample i. */
static void series(double (*rate)(int i))
{
    s[0] = (struct sample){5, 1000};
    for (int i = 1; i < N; i++)
        s[i] = (struct sample){5 + i / 10.0, s[i - 1].bytes + rate(i)};
}

static double constant(int i)
{
    (void)i;
    return 10;
}

static double from_30(int i)
{
    return i > 30 ? 10 : 1;
}

static double a_peak(int i)
{
    return i == 20 ? 50 : i > 60 ? 10 : 1;
}

static double half(int i)
{
    (void)i;
    return 5;
}

static void test_back(void **state)
{
    (void)state;
    series(constant);
    assert_float_equal(recovery_mean(s, N), 100, 1e-6);
    assert_float_equal(recovery_at(s, N, 95, 1), 5, 1e-6);
    series(from_30);
    /* A window may begin a little before: 95% is not all. */
    assert_float_equal(recovery_at(s, N, 95, 1), 8, 0.11);
    series(a_peak);
    assert_float_equal(recovery_at(s, N, 95, 1), 11, 0.11);
}

static void test_not_back(void **state)
{
    (void)state;
    series(half);
    assert_true(recovery_at(s, N, 95, 1) < 0);
    /* Not for long enough that it could be said. */
    series(constant);
    assert_true(recovery_at(s, N, 95, 20) < 0);
    assert_true(recovery_at(s, 0, 95, 1) < 0);
    assert_float_equal(recovery_mean(s, 1), 0, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_back),
        cmocka_unit_test(test_not_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
