// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: addresses that change on their way; a broken profile accepted; a plan outside of what
 * was executed, or a site inside of it that is never drawn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "injector/addresses.h"
#include "injector/plan.h"
#include "injector/rng.h"

#define KERNEL "build/tests/recorded"   /* of recorded.S */
#define BUILD_ID "0102030405060708090a0b0c0d0e0f1011121314"
#define DRAWS 400

static void addresses_come_back(void **state)
{
    struct rng rng = {1};
    struct err err = {0};

    (void)state;
    for (size_t n = 0; n < 300; n++) {
        uint64_t va[300], *back, last = 0xffffffff81000000;
        size_t len;
        char *text;

        for (size_t i = 0; i < n; i++)
            va[i] = last += 1 + rng_below(&rng, 100000);
        text = addresses_format(va, n);
        assert_non_null(text);
        assert_int_equal(addresses_parse(text, &back, &len, &err), 0);
        assert_int_equal(len, n);
        if (n)
            assert_memory_equal(back, va, n * sizeof(*va));
        free(back);
        free(text);
    }
}

static void broken_addresses(void **state)
{
    static const char *const bad[] = {"x", "1 ", " 1", "1  2", "1 0", "0", "-1", "1 -2", "0x1", "1,2",
                                      "ffffffffffffffff 1", "10000000000000000", "1 2 g"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = {0};
        uint64_t *va;
        size_t n;

        if (addresses_parse(bad[i], &va, &n, &err) != -EINVAL)
            fail_msg("'%s' was taken", bad[i]);
        assert_non_null(strstr(err.msg, "character"));
    }
}

static struct profile *profile_of(const char *build_id, const char *executed)
{
    json_t *json = json_pack("{s:s, s:i, s:s}", "build_id", build_id, "blocks", 100, "executed",
                             executed);
    struct profile *ret;
    struct err err = {0};

    if (profile_from_json(json, &ret, &err))
        fail_msg("%s", err.msg);
    json_decref(json);
    return ret;
}

static void broken_profiles(void **state)
{
    static const char *const bad[] = {
        "{}", "[]", "{\"build_id\": \"01\", \"blocks\": 1}",
        "{\"build_id\": \"01\", \"blocks\": \"1\", \"executed\": \"1\"}",
        "{\"build_id\": \"\", \"blocks\": 1, \"executed\": \"1\"}",
        "{\"build_id\": \"01\", \"blocks\": 1, \"executed\": \"1 0\"}",
        "{\"build_id\": \"0102030405060708090a0b0c0d0e0f101112131415\", \"blocks\": 1, "
        "\"executed\": \"1\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *json = json_loads(bad[i], 0, NULL);
        struct err err = {0};
        struct profile *p;

        if (profile_from_json(json, &p, &err) != -EINVAL)
            fail_msg("%s was taken", bad[i]);
        json_decref(json);
    }
}

static struct plan_source *kernel_open(void)
{
    struct plan_source *s;
    struct err err = {0};

    if (plan_source_open(KERNEL, &s, &err))
        fail_msg("%s", err.msg);
    return s;
}

/* The number of the block that an address is in. */
static size_t block_of(const uint64_t *blocks, size_t n, uint64_t va)
{
    size_t i = 0;

    while (i + 1 < n && blocks[i + 1] <= va)
        i++;
    return i;
}

/* Nothing is patched there: blocks are watched where they begin, and end where the next does. */
static void only_what_was_executed(void **state)
{
    struct plan_source *s = kernel_open();
    struct err err = {0};
    uint64_t *blocks, all, some, sum = 0;
    size_t n;

    (void)state;
    assert_int_equal(plan_blocks(s, "all", &blocks, &n, &err), 0);
    assert_true(n > 3);
    assert_int_equal(plan_count(s, "NOP", "all", &all, &err), 0);
    for (size_t b = 0; b < n; b++) {
        char *text = addresses_format(&blocks[b], 1);
        struct profile *p = profile_of(BUILD_ID, text);

        assert_int_equal(plan_source_set_profile(s, p, &err), 0);
        assert_int_equal(plan_count(s, "NOP", "all", &some, &err), 0);
        sum += some;
        for (unsigned i = 0; some && i < DRAWS; i++) {
            struct plan plan;

            assert_int_equal(plan_draw(s, "NOP", "all", 1, i, &plan, &err), 0);
            assert_int_equal(block_of(blocks, n, plan.va), b);
            assert_int_equal(plan.candidates, some);
            assert_string_equal(plan.profile, p->id);
        }
        free(text);
    }
    assert_int_equal(sum, all);
    free(blocks);
    plan_source_free(s);
}

static void refusals(void **state)
{
    struct plan_source *s = kernel_open();
    struct profile *other = profile_of("ff", "1"), *nothing = profile_of(BUILD_ID, "");
    struct err err = {0};
    struct plan plan;

    (void)state;
    assert_int_equal(plan_source_set_profile(s, other, &err), -ESTALE);
    assert_int_equal(plan_source_set_profile(s, nothing, &err), 0);
    assert_int_equal(plan_draw(s, "NOP", "all", 1, 0, &plan, &err), -ENODATA);
    assert_non_null(strstr(err.msg, "executed"));
    plan_source_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_come_back), cmocka_unit_test(broken_addresses),
        cmocka_unit_test(broken_profiles),     cmocka_unit_test(only_what_was_executed),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests_name("profiles", tests, NULL, NULL);
}
