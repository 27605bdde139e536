// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: any order of I/O, stores, crashes and claims after which the core calls a
 * page reusable whose bytes are not the block's (I1 to I4), counters that drift, memory
 * that is lost; and a core that is safe because it never says yes.
 *
 * WCR_PROPERTY_SEED=N WCR_PROPERTY_FLAGS=F replays one sequence step by step on stderr,
 * WCR_PROPERTY_RUNS=N runs so many of a kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "warmcache-core/tests/core_model.h"

#define STEPS 400

static uint64_t env_number(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);

    return value ? strtoull(value, NULL, 0) : otherwise;
}

static void run_many(unsigned int flags, struct model_result *ret_sum)
{
    uint64_t seed = env_number("WCR_PROPERTY_SEED", 1);
    uint64_t runs = getenv("WCR_PROPERTY_SEED") ? 1 : env_number("WCR_PROPERTY_RUNS", 1500);
    struct model_result result;

    *ret_sum = (struct model_result){0};
    if (env_number("WCR_PROPERTY_FLAGS", flags) != flags)
        return;
    if (getenv("WCR_PROPERTY_SEED"))
        model_trace = stderr;
    for (; runs; runs--, seed++) {
        struct model_choices choices = {.state = seed * 0x9e3779b97f4a7c15u, .endless = true};

        model_run(&choices, flags, STEPS, &result);
        if (result.error[0])
            fail_msg("WCR_PROPERTY_SEED=%llu WCR_PROPERTY_FLAGS=%u step %lu: %s", (unsigned long long)seed, flags,
                     result.steps, result.error);
        ret_sum->became_reusable += result.became_reusable;
        ret_sum->held += result.held;
        ret_sum->granted += result.granted;
        ret_sum->lives += result.lives;
        ret_sum->stores_seen += result.stores_seen;
        ret_sum->steps += result.steps;
    }
}

/* Enough happened for the run to mean something. */
static void assert_useful(const struct model_result *sum)
{
    if (getenv("WCR_PROPERTY_SEED"))
        return;
    print_message("# %lu steps, %lu lives: %lu reusable, %lu held, %lu granted, %lu stores seen\n",
                  sum->steps, sum->lives, sum->became_reusable, sum->held, sum->granted,
                  sum->stores_seen);
    assert_true(sum->lives > sum->steps / 250);
    assert_true(sum->became_reusable > sum->steps / 50);
    assert_true(sum->held > sum->steps / 100);
    assert_true(sum->granted > sum->steps / 1500);
    assert_true(sum->stores_seen > sum->steps / 100);
}

static void test_honest(void **state)
{
    struct model_result sum;

    (void)state;
    run_many(0, &sum);
    assert_useful(&sum);
}

static void test_hostile(void **state)
{
    struct model_result sum;

    (void)state;
    run_many(MODEL_HOSTILE, &sum);
    assert_useful(&sum);
}

static void test_no_memory(void **state)
{
    struct model_result sum;

    (void)state;
    run_many(MODEL_HOSTILE | MODEL_NO_MEMORY, &sum);
}

/* Nothing overlaps: what should be reusable is. */
static void test_quiet(void **state)
{
    struct model_result sum;

    (void)state;
    run_many(MODEL_QUIET, &sum);
    assert_useful(&sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_quiet),
    };

    return cmocka_run_group_tests_name("core_property", tests, NULL, NULL);
}
