// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: a page that stays reusable though its block was changed through another page,
 * in whole or in part, or while it was being read (I3); changes that are forgotten while
 * they are in flight, or never; a bucket that grows without bound.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "warmcache-core/tests/core_fixture.h"

/* As core.h and core.c have them. */
#define CHAIN_MAX   64
#define CHANGES_MAX 1360
#define BUCKETS     (512 * 1024)
#define BLOCK       WCR_BLOCK_SECTORS

static struct wcr_cache *cache_of(void **state)
{
    return ((struct fixture *)*state)->cache;
}

static bool is_reusable(struct wcr_cache *c, uint64_t pfn)
{
    return page_flags(c, pfn) & WCR_PAGE_REUSABLE;
}

static void test_write_through_another_page(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    map_page(c, 4);
    assert_true(read_page(c, 3, 80));
    assert_true(write_page(c, 4, 80));
    assert_false(is_reusable(c, 3));
    assert_true(is_reusable(c, 4));
    /* One more may read it. */
    assert_true(read_page(c, 3, 80));
    assert_true(is_reusable(c, 4));
}

/* Every way in which a change can touch a block, and all in which it just does not. */
static void test_overlap(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    for (uint64_t at = 160; at < 168; at++) {
        for (uint64_t sector = 140; sector < 190; sector++) {
            for (uint64_t sectors = 1; sectors < 40; sectors++) {
                bool hits = sector < at + BLOCK && at < sector + sectors;

                assert_true(read_page(c, 3, at));
                change_begin(c, sector, sectors);
                assert_int_equal(is_reusable(c, 3), !hits);
                /* While it lasts nobody reads the block and is believed. */
                assert_int_equal(read_page(c, 3, at), !hits);
                change_end(c, sector, sectors);
            }
        }
    }
}

static void test_other_disk(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    read_page(c, 3, 80);
    cache_io_range_begin(c, FIXTURE_VBD + 16, 0, ~0ULL, WCR_IO_DISCARD);
    assert_true(is_reusable(c, 3));
    assert_true(read_page(c, 3, 80));
}

static void test_read_changes_nothing(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    read_page(c, 3, 80);
    cache_io_range_begin(c, FIXTURE_VBD, 80, BLOCK, WCR_IO_READ);
    assert_true(is_reusable(c, 3));
    cache_io_range_end(c, FIXTURE_VBD, 80, BLOCK, WCR_IO_READ);
}

static void test_change_within_a_read(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    assert_true(begin_page(c, 3, 80, WCR_IO_READ));
    change_begin(c, 83, 1);
    change_end(c, 83, 1);
    assert_false(end_page(c, 3, 80, WCR_IO_READ));
    assert_true(read_page(c, 3, 80));
}

static void test_read_within_a_change(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    change_begin(c, 83, 1);
    assert_false(begin_page(c, 3, 80, WCR_IO_READ));
    change_end(c, 83, 1);
    assert_false(end_page(c, 3, 80, WCR_IO_READ));
}

/* Which of the two is on the disk in the end? */
static void test_two_writes_of_one_block(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    map_page(c, 4);
    for (unsigned int order = 0; order < 2; order++) {
        cache_io_range_begin(c, FIXTURE_VBD, 80, BLOCK, WCR_IO_WRITE);
        assert_true(begin_page(c, 3, 80, WCR_IO_WRITE));
        cache_io_range_begin(c, FIXTURE_VBD, 80, BLOCK, WCR_IO_WRITE);
        assert_false(begin_page(c, 4, 80, WCR_IO_WRITE));
        assert_false(end_page(c, 3 + order, 80, WCR_IO_WRITE));
        cache_io_range_end(c, FIXTURE_VBD, 80, BLOCK, WCR_IO_WRITE);
        assert_false(end_page(c, 4 - order, 80, WCR_IO_WRITE));
        cache_io_range_end(c, FIXTURE_VBD, 80, BLOCK, WCR_IO_WRITE);
    }
    assert_true(write_page(c, 4, 80));
}

static void test_failed_write_spoils_others(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    map_page(c, 4);
    read_page(c, 3, 80);
    cache_io_range_begin(c, FIXTURE_VBD, 80, BLOCK, WCR_IO_WRITE);
    begin_page(c, 4, 80, WCR_IO_WRITE);
    assert_false(cache_io_end(c, 4, fixture_mfn(4), FIXTURE_VBD, 80, WCR_IO_WRITE, false));
    cache_io_range_end(c, FIXTURE_VBD, 80, BLOCK, WCR_IO_WRITE);
    assert_false(is_reusable(c, 3));
    assert_false(is_reusable(c, 4));
}

static void test_whole_disk(void **state)
{
    static const uint64_t far[] = {0, 8, 8ULL * BUCKETS, 8ULL * BUCKETS - 8, 1ULL << 40, 1ULL << 60};
    struct wcr_cache *c = cache_of(state);

    for (unsigned int i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
        map_page(c, i);
        assert_true(read_page(c, i, far[i]));
    }
    change_begin(c, 0, ~0ULL);
    assert_int_equal(cache_counters(c).pages_reusable, 0);
    change_end(c, 0, ~0ULL);

    /* From the last bucket on around to the first. */
    for (unsigned int i = 0; i < 4; i++)
        assert_true(read_page(c, i, far[i]));
    change_begin(c, 8ULL * BUCKETS - 8, 16);
    assert_true(is_reusable(c, 0) && is_reusable(c, 1));
    assert_false(is_reusable(c, 2) || is_reusable(c, 3));
}

static void test_long_range_over_empty_buckets(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    /* Downwards: the buckets before are not there yet. Every place in a page of them is met. */
    for (uint64_t i = BUCKETS / 511; i; i--) {
        uint64_t sector = i * 511 * 8;

        assert_true(read_page(c, 3, sector));
        change_begin(c, sector < 80000 ? 0 : sector - 80000, 80001);
        assert_false(is_reusable(c, 3));
        change_end(c, sector < 80000 ? 0 : sector - 80000, 80001);
    }
}

static void test_bucket_is_bounded(void **state)
{
    struct wcr_cache *c = cache_of(state);
    uint64_t pfn, reusable = 0;

    /* Blocks of one bucket, then pages of one block. */
    for (pfn = 0; pfn < 2 * CHAIN_MAX; pfn++) {
        map_page(c, pfn);
        reusable += read_page(c, pfn, pfn < CHAIN_MAX / 2 ? pfn * BUCKETS * 8 : 0);
    }
    assert_int_equal(reusable, CHAIN_MAX);
    assert_int_equal(cache_counters(c).pages_reusable, CHAIN_MAX);
    change_begin(c, 0, ~0ULL);
    change_end(c, 0, ~0ULL);
    assert_int_equal(cache_counters(c).pages_reusable, 0);

    /* Who leaves makes room. */
    assert_true(read_page(c, 0, 8));
    assert_true(read_page(c, 2 * CHAIN_MAX - 1, 0));
}

static void test_many_changes(void **state)
{
    struct wcr_cache *c = cache_of(state);
    uint64_t i;

    map_page(c, 3);
    for (i = 0; i < CHANGES_MAX; i++)
        change_begin(c, i * 16, 8);
    for (i = 0; i < CHANGES_MAX; i++) {
        assert_false(read_page(c, 3, i * 16));
        assert_true(read_page(c, 3, i * 16 + 8));
    }
    for (i = 0; i < CHANGES_MAX; i += 2)
        change_end(c, i * 16, 8);
    for (i = 0; i < CHANGES_MAX; i++)
        assert_int_equal(read_page(c, 3, i * 16), i % 2 == 0);
}

static void test_too_many_changes(void **state)
{
    struct wcr_cache *c = cache_of(state);
    uint64_t i;

    map_page(c, 3);
    for (i = 0; i <= CHANGES_MAX; i++)
        change_begin(c, i * 16, 8);
    for (i = 0; i <= CHANGES_MAX; i++)
        change_end(c, i * 16, 8);
    /* One was not listed: who knows whether that end was its own? */
    assert_false(read_page(c, 3, 8));
    cache_begin_life(c);
    map_page(c, 3);
    assert_false(read_page(c, 3, 8));
    cache_begin_life(c);
    map_page(c, 3);
    assert_true(read_page(c, 3, 8));
}

static void test_lost_changes_are_given_up(void **state)
{
    struct wcr_cache *c = cache_of(state);

    for (uint64_t life = 0; life < 3 * CHANGES_MAX; life++) {
        map_page(c, 3);
        change_begin(c, 80, 8);
        assert_false(read_page(c, 3, 80));
        assert_true(read_page(c, 3, 88));
        cache_begin_life(c);
    }
    /* The last one may still come to pass in this life. */
    map_page(c, 3);
    assert_false(read_page(c, 3, 80));
    cache_begin_life(c);
    map_page(c, 3);
    assert_true(read_page(c, 3, 80));
}

static void test_late_end_of_a_change(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    change_begin(c, 80, 8);
    cache_begin_life(c);
    map_page(c, 3);
    change_end(c, 80, 8);
    assert_true(read_page(c, 3, 80));

    /* An end too many ends nobody else's. */
    change_begin(c, 80, 16);
    change_end(c, 80, 8);
    change_end(c, 88, 8);
    assert_false(read_page(c, 3, 80));
    change_begin(c, 80, 16);
    change_end(c, 80, 16);
    assert_false(read_page(c, 3, 80));
    change_end(c, 80, 16);
    assert_true(read_page(c, 3, 80));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(test_write_through_another_page), T(test_overlap), T(test_other_disk),
        T(test_read_changes_nothing), T(test_change_within_a_read),
        T(test_read_within_a_change), T(test_two_writes_of_one_block),
        T(test_failed_write_spoils_others), T(test_whole_disk),
        T(test_long_range_over_empty_buckets), T(test_bucket_is_bounded),
        T(test_many_changes), T(test_too_many_changes), T(test_lost_changes_are_given_up),
        T(test_late_end_of_a_change),
    };

    return cmocka_run_group_tests_name("core_aliases", tests, NULL, NULL);
}
