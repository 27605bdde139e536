// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: a page called reusable before its last I/O ended, after a failed or a mixed
 * one, after a store, for a frame that is no longer there; ends counted without their
 * begin; wild numbers that reach memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "warmcache-core/tests/core_fixture.h"

#define READ  WCR_IO_READ
#define WRITE WCR_IO_WRITE

static struct wcr_cache *cache_of(void **state)
{
    return ((struct fixture *)*state)->cache;
}

static bool is_reusable(struct wcr_cache *c, uint64_t pfn)
{
    return page_flags(c, pfn) & WCR_PAGE_REUSABLE;
}

static void test_read_makes_reusable(void **state)
{
    struct wcr_cache *c = cache_of(state);
    struct wcr_page_info page;

    assert_int_equal(map_page(c, 3), 0);
    assert_int_equal(page_flags(c, 3), WCR_PAGE_MAPPED);
    assert_true(begin_page(c, 3, 80, READ));
    assert_int_equal(page_flags(c, 3), WCR_PAGE_MAPPED | WCR_PAGE_IN_FLIGHT);
    assert_true(end_page(c, 3, 80, READ));
    assert_true(cache_page(c, 3, &page));
    assert_int_equal(page.flags, WCR_PAGE_MAPPED | WCR_PAGE_REUSABLE);
    assert_int_equal(page.sector, 80);
    assert_int_equal(page.vbd, FIXTURE_VBD);
    assert_int_equal(page.index, 3);
    assert_int_equal(cache_counters(c).pages_reusable, 1);
}

static void test_write_makes_reusable(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    assert_true(write_page(c, 3, 80));
    /* Written again: still. */
    assert_true(write_page(c, 3, 80));
    assert_true(is_reusable(c, 3));
}

static void test_failed_io(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    assert_true(read_page(c, 3, 80));
    assert_true(begin_page(c, 3, 80, READ));
    assert_false(cache_io_end(c, 3, fixture_mfn(3), FIXTURE_VBD, 80, READ, false));
    assert_int_equal(page_flags(c, 3), WCR_PAGE_MAPPED);
    /* Nothing of it clings to the next. */
    assert_true(read_page(c, 3, 80));
}

static void test_store(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    read_page(c, 3, 80);
    store(c, 3);
    assert_false(is_reusable(c, 3));
    assert_int_equal(cache_counters(c).stores_seen, 1);
    store(c, 3);
    assert_int_equal(cache_counters(c).stores_seen, 1);
}

static void test_store_in_flight(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    for (unsigned int op = READ; op <= WRITE; op++) {
        assert_true(begin_page(c, 3, 80, op));
        store(c, 3);
        assert_false(end_page(c, 3, 80, op));
        assert_false(is_reusable(c, 3));
    }
}

static void test_spoil(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    assert_true(begin_page(c, 3, 80, READ));
    cache_spoil(c, 3, fixture_mfn(3));
    assert_false(end_page(c, 3, 80, READ));
    assert_true(read_page(c, 3, 80));
    cache_spoil(c, 3, fixture_mfn(3));
    assert_false(is_reusable(c, 3));
}

static void test_two_reads_of_one_block(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    assert_true(begin_page(c, 3, 80, READ));
    assert_true(begin_page(c, 3, 80, READ));
    assert_false(end_page(c, 3, 80, READ));
    assert_false(is_reusable(c, 3));
    assert_true(end_page(c, 3, 80, READ));
}

static void test_mixed_io(void **state)
{
    static const struct {
        uint64_t sector;
        unsigned int op;
    } second[] = {{88, READ}, {80, WRITE}, {88, WRITE}};
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    for (unsigned int i = 0; i < 3; i++) {
        for (unsigned int order = 0; order < 2; order++) {
            begin_page(c, 3, 80, READ);
            assert_false(begin_page(c, 3, second[i].sector, second[i].op));
            if (order)
                assert_false(end_page(c, 3, 80, READ));
            assert_false(end_page(c, 3, second[i].sector, second[i].op));
            if (!order)
                assert_false(end_page(c, 3, 80, READ));
            assert_int_equal(page_flags(c, 3), WCR_PAGE_MAPPED);
        }
    }
    assert_true(read_page(c, 3, 80));
}

/* The end of a part must not be taken for that of the whole, nor the other way round. */
static void test_part_of_a_page_counts(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    assert_true(begin_page(c, 3, 80, READ));
    assert_int_equal(WCR_BEGIN_IGNORE, cache_io_begin(c, 3, fixture_mfn(3), FIXTURE_VBD, 88, READ, false));
    assert_false(cache_io_end(c, 3, fixture_mfn(3), FIXTURE_VBD, 88, READ, true));
    assert_false(begin_page(c, 3, 160, READ));
    assert_false(end_page(c, 3, 160, READ));
    /* The first read may land only now. */
    assert_false(is_reusable(c, 3));
    assert_false(end_page(c, 3, 80, READ));
    assert_int_equal(page_flags(c, 3), WCR_PAGE_MAPPED);
}

static void test_part_of_a_page(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    read_page(c, 3, 80);
    assert_int_equal(WCR_BEGIN_IGNORE, cache_io_begin(c, 3, fixture_mfn(3), FIXTURE_VBD, 80, READ, false));
    assert_false(is_reusable(c, 3));
    assert_false(end_page(c, 3, 80, READ));
    assert_false(is_reusable(c, 3));
}

/* Catches: a page whose name comes after its I/O began, or ended, and that is lost. */
static void test_named_late(void **state)
{
    struct wcr_cache *c = cache_of(state);

    assert_true(begin_page(c, 3, 80, READ));
    map_page(c, 3);
    assert_true(end_page(c, 3, 80, READ));
    assert_true(read_page(c, 4, 88));
    assert_false(retain(c, 4));
    map_page(c, 4);
    assert_true(retain(c, 3));
    assert_true(retain(c, 4));
}

static void test_removed_in_flight(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    begin_page(c, 3, 80, READ);
    assert_false(unmap_page(c, 3));
    assert_true(end_page(c, 3, 80, READ));
    assert_int_equal(page_flags(c, 3), WCR_PAGE_REUSABLE);
    assert_false(retain(c, 3));
    assert_true(unmap_page(c, 3));
    assert_int_equal(page_flags(c, 3), 0);
    assert_false(cache_knows(c, 3, fixture_mfn(3)));
}

static void test_added_again_in_flight(void **state)
{
    struct wcr_key other = {.inode = 9, .index = 1, .fs_id = 2};
    struct wcr_cache *c = cache_of(state);
    struct wcr_page_info page;

    map_page(c, 3);
    begin_page(c, 3, 80, READ);
    unmap_page(c, 3);
    assert_int_equal(cache_map_add(c, 3, fixture_mfn(3), &other), 0);
    /* Whose page it is has no bearing on what its bytes are. */
    assert_true(end_page(c, 3, 80, READ));
    assert_true(cache_page(c, 3, &page));
    assert_int_equal(page.inode, 9);
}

/* Freed and given back to the domain while the backend is about to tell the end. */
static void test_forgotten_in_flight(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    begin_page(c, 3, 80, READ);
    cache_forget(c, 3);
    assert_false(retain(c, 3));
    map_page(c, 3);
    begin_page(c, 3, 80, READ);
    assert_false(end_page(c, 3, 80, READ));
    assert_false(is_reusable(c, 3));
    assert_false(end_page(c, 3, 80, READ));
    assert_true(read_page(c, 3, 80));
}

static void test_end_without_begin(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    assert_false(end_page(c, 3, 80, READ));
    assert_int_equal(page_flags(c, 3), WCR_PAGE_MAPPED);
    assert_true(begin_page(c, 3, 80, READ));
    assert_true(end_page(c, 3, 80, READ));
    assert_false(end_page(c, 3, 80, READ));
    assert_true(is_reusable(c, 3));
}

static void test_other_frame_at_the_pfn(void **state)
{
    struct wcr_key key = {.inode = 1};
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    read_page(c, 3, 80);
    /* Nothing said of another machine frame concerns this one. */
    cache_store_seen(c, 3, 42);
    cache_spoil(c, 3, 42);
    assert_int_equal(WCR_BEGIN_IGNORE, cache_io_begin(c, 3, 42, FIXTURE_VBD, 88, READ, true));
    assert_false(cache_io_end(c, 3, 42, FIXTURE_VBD, 88, READ, true));
    assert_false(cache_retain(c, 3, 42));
    assert_true(is_reusable(c, 3));

    /* It may take its place only when the first has gone: there may be I/O into it. */
    assert_int_equal(cache_map_add(c, 3, 42, &key), -EINVAL);
    assert_true(is_reusable(c, 3));
    cache_forget(c, 3);
    assert_int_equal(cache_map_add(c, 3, 42, &key), 0);
    assert_int_equal(page_flags(c, 3), WCR_PAGE_MAPPED);
    assert_int_equal(cache_counters(c).pages_mapped, 1);
    assert_int_equal(cache_counters(c).pages_reusable, 0);
}

static void test_io_beyond_counting(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    for (unsigned int i = 0; i < 70000; i++)
        begin_page(c, 3, 80, READ);
    for (unsigned int i = 0; i < 80000; i++)
        assert_false(end_page(c, 3, 80, READ));
    assert_false(is_reusable(c, 3));
    assert_false(retain(c, 3));
    cache_begin_life(c);
    map_page(c, 3);
    assert_true(read_page(c, 3, 80));
}

/* Catches: a store between two overlapping begins, whose record the second one clears. */
static void test_store_before_an_overlapping_begin(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    assert_int_equal(cache_io_begin(c, 3, fixture_mfn(3), FIXTURE_VBD, 80, WRITE, true),
                     WCR_BEGIN_TRACK);
    assert_int_equal(cache_io_begin(c, 3, fixture_mfn(3), FIXTURE_VBD, 80, WRITE, true),
                     WCR_BEGIN_TELL);
    cache_stored_before(c, 3, fixture_mfn(3));
    end_page(c, 3, 80, WRITE);
    assert_false(end_page(c, 3, 80, WRITE));
    assert_false(is_reusable(c, 3));

    /* Before an I/O alone a store does no harm: a read overwrites it, a write writes it. */
    assert_int_equal(cache_io_begin(c, 3, fixture_mfn(3), FIXTURE_VBD, 80, WRITE, true),
                     WCR_BEGIN_TRACK);
    cache_stored_before(c, 3, fixture_mfn(3));
    assert_true(end_page(c, 3, 80, WRITE));
}

/* Catches: a page that was reused, stored to and written back, and still counts as reused. */
static void test_store_before_the_write_of_a_reused_page(void **state)
{
    struct wcr_cache *c = cache_of(state);
    uint64_t mfn;

    map_page(c, 3);
    read_page(c, 3, 80);
    assert_true(retain(c, 3));
    cache_begin_life(c);
    assert_true(cache_take(c, 3, &mfn));
    map_page(c, 3);
    assert_int_equal(reuse(c, 3, 80), 0);
    assert_int_equal(cache_io_begin(c, 3, fixture_mfn(3), FIXTURE_VBD, 80, WRITE, true),
                     WCR_BEGIN_TELL);
    cache_stored_before(c, 3, fixture_mfn(3));
    assert_true(end_page(c, 3, 80, WRITE));
    assert_true(page_flags(c, 3) & WCR_PAGE_WRITTEN);
}

/* Catches: a page lost without, or with the wrong, reason. */
static void test_why_not(void **state)
{
    static const struct { uint64_t pfn; enum wcr_why why; } cases[] = {
        {10, WCR_WHY_NOT_READ}, {11, WCR_WHY_STORED}, {12, WCR_WHY_WRITABLE},
        {13, WCR_WHY_CHANGED}, {14, WCR_WHY_FAILED}, {15, WCR_WHY_PARTIAL},
        {16, WCR_WHY_OVERLAP}, {17, WCR_WHY_IN_FLIGHT},
    };
    struct wcr_cache *c = cache_of(state);
    struct wcr_page_info page;

    for (uint64_t pfn = 10; pfn < 20; pfn++)
        map_page(c, pfn);
    read_page(c, 11, 88);
    store(c, 11);
    begin_page(c, 12, 96, READ);
    cache_spoil(c, 12, fixture_mfn(12));
    end_page(c, 12, 96, READ);
    read_page(c, 13, 104);
    change_begin(c, 104, 1);
    change_end(c, 104, 1);
    begin_page(c, 14, 112, READ);
    cache_io_end(c, 14, fixture_mfn(14), FIXTURE_VBD, 112, READ, false);
    cache_io_begin(c, 15, fixture_mfn(15), FIXTURE_VBD, 120, READ, false);
    cache_io_end(c, 15, fixture_mfn(15), FIXTURE_VBD, 120, READ, true);
    begin_page(c, 16, 128, READ);
    begin_page(c, 16, 136, READ);
    end_page(c, 16, 136, READ);
    end_page(c, 16, 128, READ);
    begin_page(c, 17, 144, READ);
    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(cache_page(c, cases[i].pfn, &page));
        assert_true(cases[i].why == WCR_WHY_IN_FLIGHT || page.why == cases[i].why);
        assert_false(retain(c, cases[i].pfn));
        assert_int_equal(cache_counters(c).not_kept[cases[i].why], 1);
    }
    read_page(c, 18, 152);
    read_page(c, 19, 160);
    cache_set_mode(c, WCR_MODE_ENABLED, 1);
    assert_true(retain(c, 18));
    assert_false(retain(c, 19));
    assert_int_equal(cache_counters(c).not_kept[WCR_WHY_LIMIT], 1);
    cache_untrust(c);
    assert_false(retain(c, 19));
    assert_int_equal(cache_counters(c).not_kept[WCR_WHY_UNTRUSTED], 1);
}

/* Catches: a domain on shadow page tables whose pages are believed. */
static void test_untrusted_life(void **state)
{
    struct wcr_cache *c = cache_of(state);
    uint64_t mfn;

    map_page(c, 3);
    read_page(c, 3, 80);
    assert_true(retain(c, 3));
    cache_begin_life(c);
    assert_true(cache_take(c, 3, &mfn));
    cache_untrust(c);
    assert_int_equal(reuse(c, 3, 80), -ESTALE);
    map_page(c, 4);
    assert_false(begin_page(c, 4, 88, READ));
    assert_false(end_page(c, 4, 88, READ));
    cache_begin_life(c);
    map_page(c, 4);
    assert_true(read_page(c, 4, 88));
    assert_true(retain(c, 4));
}

static void test_wild_numbers(void **state)
{
    static const uint64_t pfns[] = {FIXTURE_CAPACITY, WCR_MAX_FRAMES, 1ULL << 32,
                                    (1ULL << 32) + 3, ~0ULL - 1, ~0ULL};
    static const uint64_t sectors[] = {0, 1, 7, 8, 1ULL << 63, ~0ULL - 8, ~0ULL - 7, ~0ULL};
    struct wcr_key key = {.inode = 1};
    struct wcr_cache *c = cache_of(state);
    struct wcr_page_info page;
    uint64_t mfn, next;

    map_page(c, 3);
    for (unsigned int i = 0; i < sizeof(pfns) / sizeof(pfns[0]); i++) {
        assert_int_equal(cache_map_add(c, pfns[i], 1, &key), -EINVAL);
        assert_false(cache_map_remove(c, pfns[i], &mfn));
        cache_store_seen(c, pfns[i], 0);
        cache_spoil(c, pfns[i], 0);
        cache_forget(c, pfns[i]);
        assert_int_equal(WCR_BEGIN_IGNORE, cache_io_begin(c, pfns[i], 0, 1, 8, READ, true));
        assert_false(cache_io_end(c, pfns[i], 0, 1, 8, READ, true));
        assert_false(cache_retain(c, pfns[i], 0));
        assert_false(cache_take(c, pfns[i], &mfn));
        assert_false(cache_holds(c, pfns[i]));
        assert_false(cache_page(c, pfns[i], &page));
        assert_int_equal(cache_reuse(c, pfns[i], 0, 1, 8), -ESTALE);
        assert_int_equal(cache_next(c, pfns[i], 0, &page, &next), WCR_NO_PFN);
        assert_int_equal(next, WCR_NO_PFN);
    }
    for (unsigned int i = 0; i < sizeof(sectors) / sizeof(sectors[0]); i++) {
        for (unsigned int j = 0; j < sizeof(sectors) / sizeof(sectors[0]); j++) {
            change_begin(c, sectors[i], sectors[j]);
            begin_page(c, 3, sectors[i], WRITE);
            change_end(c, sectors[i], sectors[j]);
            end_page(c, 3, sectors[i], WRITE);
        }
        assert_true(read_page(c, 3, sectors[i]));
        change_begin(c, sectors[i], ~0ULL);
        change_end(c, sectors[i], ~0ULL);
        assert_false(is_reusable(c, 3));
    }
    assert_int_equal(cache_set_capacity(c, 0), -EINVAL);
    assert_int_equal(cache_set_capacity(c, WCR_MAX_FRAMES + 1), -E2BIG);
    assert_int_equal(cache_set_mode(c, 3, 0), -EINVAL);
    assert_int_equal(cache_mode(c), WCR_MODE_ENABLED);
}

static void test_every_frame(void **state)
{
    struct wcr_cache *c = cache_of(state);
    uint64_t last = WCR_MAX_FRAMES - 1, next = 0, found = 0;
    struct wcr_page_info page;

    assert_int_equal(cache_set_capacity(c, WCR_MAX_FRAMES), 0);
    assert_int_equal(map_page(c, last), 0);
    assert_true(read_page(c, last, 80));
    assert_int_equal(map_page(c, last), 0);
    while (next != WCR_NO_PFN)
        found += cache_next(c, next, WCR_PAGE_REUSABLE, &page, &next) == last;
    assert_int_equal(found, 1);
    /* A smaller guest: what lies beyond stays within reach. */
    assert_int_equal(cache_set_capacity(c, 10), 0);
    assert_true(is_reusable(c, last));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(test_read_makes_reusable), T(test_write_makes_reusable), T(test_failed_io),
        T(test_store_before_an_overlapping_begin),
        T(test_store_before_the_write_of_a_reused_page), T(test_why_not),
        T(test_untrusted_life), T(test_store), T(test_store_in_flight), T(test_spoil),
        T(test_two_reads_of_one_block), T(test_mixed_io), T(test_part_of_a_page_counts),
        T(test_part_of_a_page), T(test_named_late), T(test_removed_in_flight),
        T(test_added_again_in_flight), T(test_forgotten_in_flight),
        T(test_end_without_begin), T(test_other_frame_at_the_pfn),
        T(test_io_beyond_counting), T(test_wild_numbers), T(test_every_frame),
    };

    return cmocka_run_group_tests_name("core_states", tests, NULL, NULL);
}
