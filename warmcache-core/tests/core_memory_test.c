// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: a core that crashes, lies or loses memory when there is none, at whichever
 * allocation; tables that outgrow what the guest's size allows (I6).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "warmcache-core/tests/core_fixture.h"

/* Some of everything that allocates. Returns how many pages were reusable. */
static uint64_t exercise(struct wcr_cache *c)
{
    uint64_t reusable = 0, mfn, pfn;

    for (pfn = 0; pfn < FIXTURE_CAPACITY; pfn += 9973) {
        int rc = map_page(c, pfn);

        assert_true(rc == 0 || rc == -ENOMEM);
        reusable += read_page(c, pfn, pfn * 8 * 1024);
        if (rc == -ENOMEM)
            assert_false(page_flags(c, pfn) & WCR_PAGE_MAPPED);
    }
    assert_int_equal(cache_counters(c).pages_reusable, reusable);
    for (uint64_t i = 0; i < 600; i++)
        change_begin(c, i * 16, 8);
    for (uint64_t i = 0; i < 600; i++)
        change_end(c, i * 16, 8);
    for (pfn = 0; pfn < FIXTURE_CAPACITY; pfn += 9973)
        if (!retain(c, pfn))
            cache_forget(c, pfn);
    cache_begin_life(c);
    for (pfn = 0; pfn < FIXTURE_CAPACITY; pfn += 9973)
        if (cache_take(c, pfn, &mfn)) {
            reuse(c, pfn, pfn * 8 * 1024);
            map_page(c, pfn);
            write_page(c, pfn, 8);
        }
    while (cache_drop_next(c, &mfn))
        ;
    return reusable;
}

static struct wcr_cache *create(struct fixture_memory *memory)
{
    struct wcr_cache *c = cache_create(&fixture_ops, memory, fixture_uuid);

    if (c) {
        assert_int_equal(cache_set_capacity(c, FIXTURE_CAPACITY), 0);
        assert_int_equal(cache_set_mode(c, WCR_MODE_ENABLED, 0), 0);
        assert_memory_equal(cache_uuid(c), fixture_uuid, 16);
    }
    return c;
}

static void test_every_allocation_fails_once(void **state)
{
    struct fixture_memory memory = {0};
    struct wcr_cache *c = create(&memory);
    unsigned long calls, fail, all;

    (void)state;
    assert_non_null(c);
    all = exercise(c);
    assert_int_equal(all, 11);
    calls = memory.asked;
    cache_destroy(c);
    assert_int_equal(memory.allocated, 0);
    assert_in_range(calls, 20, 100);

    for (fail = 1; fail <= calls; fail++) {
        memory = (struct fixture_memory){.fail_at = fail};
        c = create(&memory);
        if (!c) {
            assert_true(fail <= 4);
            assert_int_equal(memory.allocated, 0);
            continue;
        }
        assert_true(exercise(c) >= all - 1);
        cache_destroy(c);
        assert_int_equal(memory.allocated, 0);
    }
}

static void test_no_memory_at_all_any_more(void **state)
{
    struct fixture_memory memory = {0};
    struct wcr_cache *c = create(&memory);

    (void)state;
    map_page(c, 3);
    read_page(c, 3, 80);
    memory.fail_percent = 100;
    assert_int_equal(map_page(c, 5000), -ENOMEM);
    assert_int_equal(map_page(c, 90000), -ENOMEM);
    /* Where there are tables already, all goes on. */
    assert_int_equal(map_page(c, 4), 0);
    assert_true(read_page(c, 4, 88));
    assert_false(read_page(c, 4, 8 * 500000));
    assert_true(retain(c, 3));
    memory.fail_percent = 0;
    assert_true(read_page(c, 4, 8 * 500000));
    cache_destroy(c);
    assert_int_equal(memory.allocated, 0);
}

/* A change that could not be listed: nothing is believed till it must be over. */
static void test_change_without_memory(void **state)
{
    struct fixture_memory memory = {0};
    struct wcr_cache *c = create(&memory);
    uint64_t i;

    (void)state;
    map_page(c, 3);
    assert_true(read_page(c, 3, 8));
    memory.fail_percent = 100;
    for (i = 0; i < 200; i++)
        change_begin(c, i * 16, 8);
    for (i = 0; i < 200; i++)
        change_end(c, i * 16, 8);
    memory.fail_percent = 0;
    assert_false(read_page(c, 3, 8));
    cache_begin_life(c);
    cache_begin_life(c);
    map_page(c, 3);
    assert_true(read_page(c, 3, 8));
    cache_destroy(c);
    assert_int_equal(memory.allocated, 0);
}

static void test_tables_are_bounded(void **state)
{
    const uint64_t capacity = 20000;
    struct fixture_memory memory = {0};
    struct wcr_cache *c = cache_create(&fixture_ops, &memory, fixture_uuid);

    (void)state;
    assert_int_equal(cache_set_capacity(c, capacity), 0);
    for (unsigned int round = 0; round < 3; round++) {
        for (uint64_t pfn = 0; pfn < capacity; pfn++) {
            map_page(c, pfn);
            read_page(c, pfn, pfn * 8 * (1021 + round));
            change_begin(c, pfn * 8, 1);
        }
        cache_begin_life(c);
    }
    /* Entries and their directory; heads and theirs; changes; the cache. */
    assert_in_range(memory.allocated, capacity / 85, capacity / 85 + 3 + 512 + 1 + 8 + 1);
    cache_destroy(c);
    assert_int_equal(memory.allocated, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_fails_once),
        cmocka_unit_test(test_no_memory_at_all_any_more),
        cmocka_unit_test(test_change_without_memory),
        cmocka_unit_test(test_tables_are_bounded),
    };

    return cmocka_run_group_tests_name("core_memory", tests, NULL, NULL);
}
