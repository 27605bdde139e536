// SPDX-License-Identifier: MIT
/* Pages kept over a reboot: held by the cache, handed back, reused. */
#include "cache_int.h"

static void held_set(struct wcr_cache *c, uint64_t pfn, struct entry *e, bool held)
{
    struct entries *page = entries_get(c, (uint32_t)pfn / ENTRIES_PER_PAGE);

    if (held) {
        flags_set(c, e, F_HELD);
        page->held++;
        c->info.pages_retained++;
    } else {
        flags_clear(c, e, F_HELD);
        page->held--;
        c->info.pages_retained--;
    }
}

/* Listed, or left by the last life and not claimed by this one. */
static bool entry_is_wanted(const struct wcr_cache *c, uint64_t pfn, const struct entry *e)
{
    return e->flags & WCR_PAGE_MAPPED || cache_is_retained(c, pfn, e->mfn);
}

/*
 * Whether the table is believed. Not of the disk's own blocks: on top of stale
 * metadata there would be nothing left to compare.
 */
static bool trusts_table(const struct wcr_cache *c, const struct entry *e)
{
    return c->info.mode == WCR_MODE_DISABLED && e->inode != WCR_INODE_DISK;
}

bool cache_retain(struct wcr_cache *c, uint64_t pfn, uint64_t mfn)
{
    struct entry *e = entry_of_frame(c, pfn, mfn);
    enum wcr_why why;

    if (!e || e->flags & F_HELD || c->info.mode == WCR_MODE_COLD ||
        !entry_is_wanted(c, pfn, e))
        return false;
    if (e->in_flight)
        why = WCR_WHY_IN_FLIGHT;
    else if (!trusts_table(c, e) && c->untrusted)
        why = WCR_WHY_UNTRUSTED;
    else if (!trusts_table(c, e) && !(e->flags & WCR_PAGE_REUSABLE))
        why = e->why;
    else if (c->info.max_pages && c->info.pages_retained >= c->info.max_pages)
        why = WCR_WHY_LIMIT;
    else {
        flags_clear(c, e, WCR_PAGE_MAPPED | WCR_PAGE_REUSED | WCR_PAGE_WRITTEN);
        flags_set(c, e, WCR_PAGE_RETAINED);
        held_set(c, pfn, e, true);
        c->info.retained++;
        return true;
    }
    c->info.not_kept[why]++;
    return false;
}

bool cache_holds(const struct wcr_cache *c, uint64_t pfn)
{
    const struct entry *e = entry_get(c, pfn);

    return e && e->flags & F_HELD;
}

bool cache_take(struct wcr_cache *c, uint64_t pfn, uint64_t *ret_mfn)
{
    struct entry *e = entry_get(c, pfn);

    if (!e || !(e->flags & F_HELD))
        return false;
    held_set(c, pfn, e, false);
    c->info.returned++;
    *ret_mfn = e->mfn;
    return true;
}

void cache_forget(struct wcr_cache *c, uint64_t pfn)
{
    struct entry *e = entry_get(c, pfn);

    if (e && !(e->flags & F_HELD))
        entry_reset(c, pfn, e);
}

bool cache_is_retained(const struct wcr_cache *c, uint64_t pfn, uint64_t mfn)
{
    const struct entry *e = entry_of_frame(c, pfn, mfn);

    return e && (e->flags & (WCR_PAGE_RETAINED | WCR_PAGE_REUSED)) == WCR_PAGE_RETAINED;
}

bool cache_drop_next(struct wcr_cache *c, uint64_t *ret_mfn)
{
    uint32_t i, tried, pages = entries_pages(c);

    /* Pages may have come to be held behind the place where the last call ended. */
    for (tried = 0; c->info.pages_retained && tried <= pages; tried++) {
        struct entries *page = entries_get(c, c->drop_page);
        uint64_t first = (uint64_t)c->drop_page * ENTRIES_PER_PAGE;

        for (i = 0; page && page->held && i < ENTRIES_PER_PAGE; i++) {
            struct entry *e = &page->entry[i];

            if (!(e->flags & F_HELD))
                continue;
            *ret_mfn = e->mfn;
            held_set(c, first + i, e, false);
            c->info.given_up++;
            entry_reset(c, first + i, e);
            return true;
        }
        c->drop_page = (c->drop_page + 1) % pages;
    }
    return false;
}

int cache_reuse(struct wcr_cache *c, uint64_t pfn, uint64_t mfn, uint32_t disk,
                uint64_t sector)
{
    struct entry *e = entry_of_frame(c, pfn, mfn);
    bool ok;

    if (!e || !cache_is_retained(c, pfn, mfn) || e->flags & F_HELD || e->in_flight) {
        c->info.reuse_stale++;
        return -ESTALE;
    }
    if (trusts_table(c, e)) {
        /* Trusted for whatever it is claimed as: remember that, to verify it. */
        if (e->disk != disk || e->sector != sector || !(e->flags & WCR_PAGE_REUSABLE)) {
            block_unlink(c, pfn, e);
            flags_clear(c, e, WCR_PAGE_REUSABLE);
            e->disk = disk;
            e->sector = sector;
            /* So that a change of the block is seen; a failure costs only that. */
            block_link(c, pfn, e);
        }
        ok = true;
    } else {
        ok = c->info.mode != WCR_MODE_COLD && !c->untrusted && e->flags & WCR_PAGE_REUSABLE &&
             e->disk == disk && e->sector == sector && !changes_over(c, disk, sector);
    }
    if (!ok) {
        /* The guest will read the block into the page: no longer retained. */
        flags_clear(c, e, WCR_PAGE_RETAINED);
        c->info.reuse_stale++;
        return -ESTALE;
    }
    flags_set(c, e, WCR_PAGE_REUSED);
    c->info.reuse_ok++;
    return 0;
}
