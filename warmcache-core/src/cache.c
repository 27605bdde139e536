// SPDX-License-Identifier: MIT
/*
 * What is known of each page, the cache-mapping table, and the lives of a cache.
 * Nothing in this folder blocks, takes a lock or touches a page's bytes.
 */
#include "cache_int.h"

/* Frames looked at under the caller's lock. */
#define SCAN_MAX 4096u

struct entry *entry_make(struct wcr_cache *c, uint64_t pfn)
{
    uint32_t page = (uint32_t)pfn / ENTRIES_PER_PAGE;
    void **slot = &c->dirs[page / POINTERS_PER_PAGE];
    void **dir;

    if (!*slot)
        *slot = c->ops->alloc_page(c->ctx);
    dir = *slot;
    if (!dir)
        return NULL;
    slot = &dir[page % POINTERS_PER_PAGE];
    if (!*slot)
        *slot = c->ops->alloc_page(c->ctx);
    return entry_get(c, pfn);
}

void entry_doubt(struct wcr_cache *c, struct entry *e, enum wcr_why why)
{
    if (e->flags & WCR_PAGE_REUSABLE || (e->in_flight && !(e->flags & F_SPOILED)))
        e->why = why;
    flags_clear(c, e, WCR_PAGE_REUSABLE);
    if (e->in_flight)
        flags_set(c, e, F_SPOILED);
}

void entry_unwitness(struct wcr_cache *c, struct entry *e)
{
    if (e->flags & WCR_PAGE_REUSED)
        flags_set(c, e, WCR_PAGE_WRITTEN);
}

void entry_overwritten(struct wcr_cache *c, struct entry *e)
{
    entry_unwitness(c, e);
    if (!(e->flags & WCR_PAGE_REUSED) && e->flags & WCR_PAGE_RETAINED) {
        flags_clear(c, e, WCR_PAGE_RETAINED);
        c->info.overwritten++;
    }
}

/* ---- life ----------------------------------------------------------- */

struct wcr_cache *cache_create(const struct wcr_core_ops *ops, void *ctx,
                               const uint8_t uuid[16])
{
    struct wcr_cache *c = ops->alloc_page(ctx);

    if (!c)
        return NULL;
    c->ops = ops;
    c->ctx = ctx;
    memcpy(c->info.uuid, uuid, sizeof(c->info.uuid));
    c->info.mode = WCR_MODE_COLD;
    c->dirs = ops->alloc_page(ctx);
    c->buckets = ops->alloc_page(ctx);
    c->changes[0] = ops->alloc_page(ctx);
    if (!c->dirs || !c->buckets || !c->changes[0]) {
        cache_destroy(c);
        return NULL;
    }
    return c;
}

void cache_destroy(struct wcr_cache *c)
{
    const struct wcr_core_ops *ops = c->ops;
    void *ctx = c->ctx;
    uint32_t i, j;

    for (i = 0; c->dirs && i < POINTERS_PER_PAGE; i++) {
        void **dir = c->dirs[i];

        for (j = 0; dir && j < POINTERS_PER_PAGE; j++)
            if (dir[j])
                ops->free_page(ctx, dir[j]);
        if (dir)
            ops->free_page(ctx, dir);
    }
    for (i = 0; c->buckets && i < POINTERS_PER_PAGE; i++)
        if (c->buckets[i])
            ops->free_page(ctx, c->buckets[i]);
    for (i = 0; i < CHANGE_PAGES; i++)
        if (c->changes[i])
            ops->free_page(ctx, c->changes[i]);
    if (c->dirs)
        ops->free_page(ctx, c->dirs);
    if (c->buckets)
        ops->free_page(ctx, c->buckets);
    ops->free_page(ctx, c);
}

const uint8_t *cache_uuid(const struct wcr_cache *c)
{
    return c->info.uuid;
}

int cache_set_mode(struct wcr_cache *c, uint32_t mode, uint64_t max_pages)
{
    if (mode > WCR_MODE_DISABLED)
        return -EINVAL;
    c->info.mode = mode;
    c->info.max_pages = max_pages;
    return 0;
}

uint32_t cache_mode(const struct wcr_cache *c)
{
    return c->info.mode;
}

uint64_t cache_pages_held(const struct wcr_cache *c)
{
    return c->info.pages_retained;
}

uint64_t cache_pages_unclaimed(const struct wcr_cache *c)
{
    return c->unclaimed;
}

void cache_info(const struct wcr_cache *c, struct wcr_cache_info *ret_info)
{
    *ret_info = c->info;
}

void cache_untrust(struct wcr_cache *c)
{
    c->untrusted = true;
}

int cache_set_capacity(struct wcr_cache *c, uint64_t capacity)
{
    if (capacity == 0)
        return -EINVAL;
    if (capacity > WCR_MAX_FRAMES)
        return -E2BIG;
    /* Held pages beyond a smaller guest stay reachable, to be dropped. */
    if (capacity > c->capacity)
        c->capacity = capacity;
    return 0;
}

void entry_reset(struct wcr_cache *c, uint64_t pfn, struct entry *e)
{
    block_unlink(c, pfn, e);
    flags_clear(c, e, e->in_flight ? ~(WCR_PAGE_IN_FLIGHT | F_WRITE) : ~0);
    if (e->in_flight)
        flags_set(c, e, F_SPOILED);
}

static void entries_begin_life(struct wcr_cache *c, struct entries *page, uint64_t pfn)
{
    uint32_t i;

    for (i = 0; i < ENTRIES_PER_PAGE; i++) {
        struct entry *e = &page->entry[i];

        if (!(e->flags & F_HELD)) {
            memset(e, 0, sizeof(*e));
        } else if (e->flags & F_HASHED) {
            block_relink(c, pfn + i, e);
            c->info.pages_reusable += !!(e->flags & WCR_PAGE_REUSABLE);
        }
    }
}

void cache_begin_life(struct wcr_cache *c)
{
    uint32_t i, pages = entries_pages(c);

    /* Rather than unlink nearly every page, link the few that stay anew. */
    blocks_clear(c);
    c->untrusted = false;
    c->unclaimed = 0;
    c->info.pages_mapped = 0;
    c->info.pages_reusable = 0;
    for (i = 0; i < pages; i++) {
        struct entries *page = entries_get(c, i);

        if (page)
            entries_begin_life(c, page, (uint64_t)i * ENTRIES_PER_PAGE);
    }
    changes_age(c);
    c->drop_page = 0;
}

/* ---- the cache-mapping table ---------------------------------------- */

/* Of another frame's entry that anything is known of nobody else's can be made. */
bool entry_take(struct wcr_cache *c, uint64_t pfn, struct entry *e, uint64_t mfn)
{
    if (e->mfn == mfn)
        return !(e->flags & F_HELD);
    if (e->in_flight || e->flags & (F_ABI | F_HELD))
        return false;
    entry_reset(c, pfn, e);
    e->mfn = mfn;
    return true;
}

int cache_map_add(struct wcr_cache *c, uint64_t pfn, uint64_t mfn,
                  const struct wcr_key *key)
{
    struct entry *e;

    if (pfn >= c->capacity)
        return -EINVAL;
    e = entry_make(c, pfn);
    if (!e)
        return -ENOMEM;
    if (!entry_take(c, pfn, e, mfn))
        return -EINVAL;
    e->fs_id = key->fs_id;
    e->inode = key->inode;
    e->index = key->index;
    flags_set(c, e, WCR_PAGE_MAPPED);
    return 0;
}

bool cache_map_remove(struct wcr_cache *c, uint64_t pfn, uint64_t *ret_mfn)
{
    struct entry *e = entry_get(c, pfn);

    if (!e || !e->flags || e->flags & F_HELD)
        return false;
    flags_clear(c, e, WCR_PAGE_MAPPED);
    if (e->flags & WCR_PAGE_REUSED)
        return false;
    flags_clear(c, e, WCR_PAGE_RETAINED);
    if (e->in_flight)
        return false;
    entry_reset(c, pfn, e);
    *ret_mfn = e->mfn;
    return true;
}

bool cache_knows(const struct wcr_cache *c, uint64_t pfn, uint64_t mfn)
{
    const struct entry *e = entry_of_frame(c, pfn, mfn);

    return e && (e->in_flight || e->flags);
}

/* ---- looking -------------------------------------------------------- */

static uint32_t entry_flags(const struct entry *e)
{
    return (e->flags & F_ABI) | (e->flags & F_HELD ? WCR_PAGE_HELD : 0);
}

bool cache_page(const struct wcr_cache *c, uint64_t pfn, struct wcr_page_info *ret_page)
{
    const struct entry *e = entry_get(c, pfn);

    if (!e || !entry_flags(e))
        return false;
    memset(ret_page, 0, sizeof(*ret_page));
    ret_page->pfn = pfn;
    ret_page->mfn = e->mfn;
    ret_page->inode = e->inode;
    ret_page->index = e->index;
    ret_page->sector = e->sector;
    ret_page->vbd = e->disk;
    ret_page->fs_id = e->fs_id;
    ret_page->flags = entry_flags(e);
    ret_page->why = e->why;
    return true;
}

uint64_t cache_next(const struct wcr_cache *c, uint64_t pfn, uint32_t flags,
                    struct wcr_page_info *ret_page, uint64_t *ret_next)
{
    uint64_t end = pfn + SCAN_MAX;

    for (; pfn < c->capacity && pfn < end; pfn++) {
        const struct entry *e = entry_get(c, pfn);

        if (!e) {
            pfn += ENTRIES_PER_PAGE - 1 - pfn % ENTRIES_PER_PAGE;
            continue;
        }
        if ((entry_flags(e) & flags) != flags || !cache_page(c, pfn, ret_page))
            continue;
        *ret_next = pfn + 1;
        return pfn;
    }
    *ret_next = pfn < c->capacity ? pfn : WCR_NO_PFN;
    return WCR_NO_PFN;
}
