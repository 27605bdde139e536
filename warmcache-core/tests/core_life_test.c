// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: pages kept that must not be, or lost that need not be; a page granted as a
 * block it does not hold, or twice, or after it was overwritten; what one life knew
 * leaking into the next; held pages that fall out of the books.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "warmcache-core/tests/core_fixture.h"

static struct wcr_cache *cache_of(void **state)
{
    return ((struct fixture *)*state)->cache;
}

/* The domain dies, and the next one asks for the frame. */
static bool reboot_page(struct wcr_cache *c, uint64_t pfn)
{
    bool kept = retain(c, pfn);
    uint64_t mfn = 0;

    if (!kept)
        cache_forget(c, pfn);
    cache_begin_life(c);
    assert_int_equal(cache_holds(c, pfn), kept);
    assert_int_equal(cache_take(c, pfn, &mfn), kept);
    assert_true(!kept || mfn == fixture_mfn(pfn));
    return kept;
}

static void test_reuse_in_three_lives(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    assert_true(read_page(c, 3, 80));
    for (unsigned int life = 2; life < 5; life++) {
        assert_true(reboot_page(c, 3));
        assert_true(cache_is_retained(c, 3, fixture_mfn(3)));
        assert_int_equal(map_page(c, 3), 0);
        assert_int_equal(reuse(c, 3, 80), 0);
        /* Once: a second claim is somebody else's. */
        assert_int_equal(reuse(c, 3, 80), -ESTALE);
        assert_int_equal(page_flags(c, 3), WCR_PAGE_MAPPED | WCR_PAGE_REUSABLE |
                                           WCR_PAGE_RETAINED | WCR_PAGE_REUSED);
    }
    assert_int_equal(cache_counters(c).retained, 3);
    assert_int_equal(cache_counters(c).returned, 3);
    assert_int_equal(cache_counters(c).reuse_ok, 3);
    assert_int_equal(cache_counters(c).reuse_stale, 3);
    assert_int_equal(cache_counters(c).overwritten, 0);
}

static void test_dirty_page_is_not_kept(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    read_page(c, 3, 80);
    store(c, 3);
    assert_false(reboot_page(c, 3));
    assert_int_equal(page_flags(c, 3), 0);
}

static void test_page_in_flight_is_not_kept(void **state)
{
    struct wcr_cache *c = cache_of(state);

    for (uint32_t mode = WCR_MODE_ENABLED; mode <= WCR_MODE_DISABLED; mode++) {
        cache_set_mode(c, mode, 0);
        map_page(c, 3);
        read_page(c, 3, 80);
        begin_page(c, 3, 80, WCR_IO_READ);
        assert_false(reboot_page(c, 3));
        /* Its end is told to no one; what is begun now has one of its own. */
        map_page(c, 3);
        assert_true(begin_page(c, 3, 80, WCR_IO_READ));
        assert_true(end_page(c, 3, 80, WCR_IO_READ));
    }
}

static void test_unlisted_page_is_not_kept(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    read_page(c, 3, 80);
    unmap_page(c, 3);
    assert_false(reboot_page(c, 3));
}

static void test_cold_keeps_nothing(void **state)
{
    struct wcr_cache *c = cache_of(state);

    cache_set_mode(c, WCR_MODE_COLD, 0);
    map_page(c, 3);
    assert_true(read_page(c, 3, 80));
    assert_false(reboot_page(c, 3));
}

static void test_limit(void **state)
{
    struct wcr_cache *c = cache_of(state);

    cache_set_mode(c, WCR_MODE_ENABLED, 2);
    for (uint64_t pfn = 0; pfn < 4; pfn++) {
        map_page(c, pfn);
        read_page(c, pfn, 8 * pfn);
        assert_int_equal(retain(c, pfn), pfn < 2);
    }
    assert_int_equal(cache_pages_held(c), 2);
}

/* A second crash before the guest came to claim its pages. */
static void test_unclaimed_page_is_kept_again(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    read_page(c, 3, 80);
    assert_true(reboot_page(c, 3));
    assert_true(reboot_page(c, 3));
    /* Overwritten, released or refused it is not. */
    store(c, 3);
    assert_int_equal(cache_counters(c).overwritten, 1);
    assert_false(reboot_page(c, 3));

    map_page(c, 3);
    read_page(c, 3, 80);
    assert_true(reboot_page(c, 3));
    unmap_page(c, 3);
    assert_false(reboot_page(c, 3));

    map_page(c, 3);
    read_page(c, 3, 80);
    assert_true(reboot_page(c, 3));
    assert_int_equal(reuse(c, 3, 88), -ESTALE);
    assert_false(reboot_page(c, 3));
}

static void test_reused_and_removed_is_not_kept(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    read_page(c, 3, 80);
    reboot_page(c, 3);
    map_page(c, 3);
    assert_int_equal(reuse(c, 3, 80), 0);
    unmap_page(c, 3);
    assert_false(reboot_page(c, 3));
}

static void test_claim_as_another_block(void **state)
{
    struct wcr_cache *c = cache_of(state);

    for (unsigned int i = 0; i < 3; i++) {
        map_page(c, 3);
        read_page(c, 3, 80);
        reboot_page(c, 3);
        assert_int_equal(cache_reuse(c, 3, fixture_mfn(3), FIXTURE_VBD + (i == 1) * 16,
                                     i == 0 ? 81 : 80),
                         i < 2 ? -ESTALE : 0);
    }
    assert_int_equal(cache_reuse(c, 3, 1, FIXTURE_VBD, 80), -ESTALE);
    assert_int_equal(reuse(c, 4, 80), -ESTALE);
}

static void test_claim_while_held(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    read_page(c, 3, 80);
    retain(c, 3);
    assert_int_equal(reuse(c, 3, 80), -ESTALE);
    assert_int_equal(map_page(c, 3), -EINVAL);
    unmap_page(c, 3);
    store(c, 3);
    begin_page(c, 3, 88, WCR_IO_READ);
    assert_int_equal(page_flags(c, 3), WCR_PAGE_REUSABLE | WCR_PAGE_RETAINED | WCR_PAGE_HELD);
}

static void test_block_changed_while_held(void **state)
{
    struct wcr_cache *c = cache_of(state);

    for (unsigned int when = 0; when < 4; when++) {
        map_page(c, 3);
        read_page(c, 3, 80);
        if (when == 0)
            change_begin(c, 80, 8);
        retain(c, 3);
        if (when == 1)
            change_begin(c, 80, 8);
        cache_begin_life(c);
        if (when == 2)
            change_begin(c, 80, 8);
        if (when < 3)
            change_end(c, 80, 8);
        if (cache_take(c, 3, &(uint64_t){0}) && when == 3)
            change_begin(c, 80, 8);
        assert_int_equal(reuse(c, 3, 80), -ESTALE);
        change_end(c, 80, 8);
        cache_forget(c, 3);
    }
}

/* The last life's backend is still at it. */
static void test_change_of_the_last_life(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 4);
    change_begin(c, 80, 8);
    map_page(c, 3);
    read_page(c, 3, 88);
    assert_true(reboot_page(c, 3));
    map_page(c, 4);
    assert_false(read_page(c, 4, 80));
    assert_int_equal(reuse(c, 3, 88), 0);
    change_end(c, 80, 8);
    assert_true(read_page(c, 4, 80));
}

static void test_overwritten_by_the_builder(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    read_page(c, 3, 80);
    reboot_page(c, 3);
    store(c, 3);
    assert_int_equal(cache_counters(c).overwritten, 1);
    assert_false(cache_is_retained(c, 3, fixture_mfn(3)));
    assert_int_equal(reuse(c, 3, 80), -ESTALE);
}

static void test_read_into_unclaimed(void **state)
{
    struct wcr_cache *c = cache_of(state);

    map_page(c, 3);
    read_page(c, 3, 80);
    reboot_page(c, 3);
    map_page(c, 3);
    read_page(c, 3, 88);
    assert_false(cache_is_retained(c, 3, fixture_mfn(3)));
    assert_int_equal(reuse(c, 3, 80), -ESTALE);
}

/* WRITTEN: whoever compares reused pages with the disk must leave this one out. */
static void test_reused_then_changed(void **state)
{
    struct wcr_cache *c = cache_of(state);

    for (unsigned int how = 0; how < 6; how++) {
        map_page(c, 3);
        map_page(c, 4);
        read_page(c, 3, 80);
        reboot_page(c, 3);
        map_page(c, 3);
        assert_int_equal(reuse(c, 3, 80), 0);
        switch (how) {
        case 0: store(c, 3); break;
        case 1: read_page(c, 3, 88); break;
        case 2: write_page(c, 3, 88); break;
        case 3: write_page(c, 4, 80); break;
        case 4:
            cache_io_begin(c, 3, fixture_mfn(3), FIXTURE_VBD, 80, WCR_IO_READ, false);
            cache_io_end(c, 3, fixture_mfn(3), FIXTURE_VBD, 80, WCR_IO_READ, true);
            break;
        default: break;
        }
        assert_int_equal(!(page_flags(c, 3) & WCR_PAGE_WRITTEN), how == 5);
        assert_true(page_flags(c, 3) & WCR_PAGE_REUSED);
        assert_int_equal(cache_counters(c).overwritten, 0);
        cache_forget(c, 3);
        cache_forget(c, 4);
    }
}

static void test_disabled_trusts_the_table(void **state)
{
    struct wcr_cache *c = cache_of(state);
    struct wcr_page_info page;

    cache_set_mode(c, WCR_MODE_DISABLED, 0);
    map_page(c, 3);
    read_page(c, 3, 80);
    store(c, 3);
    assert_true(reboot_page(c, 3));
    map_page(c, 3);
    assert_int_equal(reuse(c, 3, 160), 0);
    assert_true(cache_page(c, 3, &page));
    assert_int_equal(page.sector, 160);
    assert_int_equal(page.flags, WCR_PAGE_MAPPED | WCR_PAGE_RETAINED | WCR_PAGE_REUSED);
    /* Even so, a change of the block it was taken for is no fault of the cache. */
    map_page(c, 4);
    write_page(c, 4, 160);
    assert_true(page_flags(c, 3) & WCR_PAGE_WRITTEN);

    /* What the builder overwrote is in no table. */
    assert_true(reboot_page(c, 3));
    store(c, 3);
    assert_int_equal(reuse(c, 3, 160), -ESTALE);
}

static void test_mode_changes_while_held(void **state)
{
    static const struct {
        uint32_t kept, claimed;
        bool clean, granted;
    } cases[] = {
        {WCR_MODE_DISABLED, WCR_MODE_ENABLED, false, false},
        {WCR_MODE_DISABLED, WCR_MODE_ENABLED, true, true},
        {WCR_MODE_ENABLED, WCR_MODE_COLD, true, false},
        {WCR_MODE_ENABLED, WCR_MODE_DISABLED, true, true},
    };
    struct wcr_cache *c = cache_of(state);

    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cache_set_mode(c, cases[i].kept, 0);
        map_page(c, 3);
        read_page(c, 3, 80);
        if (!cases[i].clean)
            store(c, 3);
        assert_true(reboot_page(c, 3));
        cache_set_mode(c, cases[i].claimed, 0);
        assert_int_equal(reuse(c, 3, 80), cases[i].granted ? 0 : -ESTALE);
        cache_forget(c, 3);
    }
}

/* Catches: a file system that is mounted on stale metadata because consistency is off. */
static void test_disk_blocks_are_never_trusted(void **state)
{
    static const struct wcr_key disk = {.inode = WCR_INODE_DISK, .index = 3, .fs_id = 1};
    struct wcr_cache *c = cache_of(state);
    uint64_t mfn;

    cache_set_mode(c, WCR_MODE_DISABLED, 0);
    cache_map_add(c, 3, fixture_mfn(3), &disk);
    read_page(c, 3, 80);
    store(c, 3);
    assert_false(retain(c, 3));
    read_page(c, 3, 80);
    assert_true(retain(c, 3));
    cache_begin_life(c);
    assert_true(cache_take(c, 3, &mfn));
    assert_int_equal(reuse(c, 3, 88), -ESTALE);
}

static void test_a_life_forgets(void **state)
{
    struct wcr_cache *c = cache_of(state);

    for (uint64_t pfn = 0; pfn < 1000; pfn++) {
        map_page(c, pfn);
        read_page(c, pfn, 8 * pfn);
        if (pfn % 3 == 0)
            assert_true(retain(c, pfn));
    }
    begin_page(c, 1, 8, WCR_IO_WRITE);
    cache_begin_life(c);
    for (uint64_t pfn = 0; pfn < 1000; pfn++)
        assert_int_equal(page_flags(c, pfn),
                         pfn % 3 ? 0 : WCR_PAGE_HELD | WCR_PAGE_RETAINED | WCR_PAGE_REUSABLE);
    assert_int_equal(cache_counters(c).pages_mapped, 0);
    assert_int_equal(cache_counters(c).pages_reusable, 334);
    assert_int_equal(cache_pages_held(c), 334);
    /* The held are still found by their blocks, and so are new ones. */
    map_page(c, 1);
    assert_true(read_page(c, 1, 8));
    change_begin(c, 0, 8 * 1000);
    assert_int_equal(cache_counters(c).pages_reusable, 0);
}

static void test_drop(void **state)
{
    struct wcr_cache *c = cache_of(state);
    uint64_t mfn, dropped = 0, sum = 0, want = 0;

    assert_false(cache_drop_next(c, &mfn));
    for (uint64_t pfn = 17; pfn < FIXTURE_CAPACITY; pfn += 4999) {
        map_page(c, pfn);
        read_page(c, pfn, 8 * pfn);
        retain(c, pfn);
        want += fixture_mfn(pfn);
    }
    /* One that comes to be held behind the place of the last drop. */
    assert_true(cache_drop_next(c, &mfn));
    sum += mfn;
    assert_true(cache_drop_next(c, &mfn));
    sum += mfn;
    map_page(c, 2);
    read_page(c, 2, 16);
    retain(c, 2);
    want += fixture_mfn(2);
    for (; cache_drop_next(c, &mfn); dropped++)
        sum += mfn;
    assert_int_equal(sum, want);
    assert_int_equal(cache_pages_held(c), 0);
    assert_int_equal(cache_counters(c).pages_reusable, 0);
    assert_int_equal(page_flags(c, 17), 0);
    assert_false(cache_holds(c, 2));
}

/*
 * A guest that listed two frames under one PFN: the second is held, then the first goes.
 * Forgetting it must not lose the other, which nobody else knows of.
 */
static void test_held_page_is_not_forgotten(void **state)
{
    struct wcr_cache *c = cache_of(state);
    uint64_t mfn;

    map_page(c, 3);
    read_page(c, 3, 80);
    retain(c, 3);
    cache_forget(c, 3);
    assert_int_equal(cache_pages_held(c), 1);
    assert_true(cache_drop_next(c, &mfn));
    assert_int_equal(mfn, fixture_mfn(3));
}

static void test_taken_and_not_used(void **state)
{
    struct wcr_cache *c = cache_of(state);
    uint64_t mfn;

    map_page(c, 3);
    read_page(c, 3, 80);
    retain(c, 3);
    cache_begin_life(c);
    assert_true(cache_take(c, 3, &mfn));
    assert_false(cache_take(c, 3, &mfn));
    cache_forget(c, 3);
    assert_int_equal(page_flags(c, 3), 0);
    assert_int_equal(cache_counters(c).pages_reusable, 0);
    assert_false(retain(c, 3));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(test_reuse_in_three_lives), T(test_dirty_page_is_not_kept),
        T(test_page_in_flight_is_not_kept), T(test_disk_blocks_are_never_trusted), T(test_unlisted_page_is_not_kept),
        T(test_cold_keeps_nothing), T(test_limit), T(test_unclaimed_page_is_kept_again),
        T(test_reused_and_removed_is_not_kept), T(test_claim_as_another_block),
        T(test_claim_while_held), T(test_block_changed_while_held),
        T(test_change_of_the_last_life), T(test_overwritten_by_the_builder),
        T(test_read_into_unclaimed), T(test_reused_then_changed),
        T(test_disabled_trusts_the_table), T(test_mode_changes_while_held),
        T(test_a_life_forgets), T(test_drop), T(test_held_page_is_not_forgotten),
        T(test_taken_and_not_used),
    };

    return cmocka_run_group_tests_name("core_life", tests, NULL, NULL);
}
