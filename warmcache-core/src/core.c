// SPDX-License-Identifier: MIT
/*
 * The page state machine, the cache-mapping table and the store of held
 * pages. See core.h for the contract. Nothing here blocks, takes a lock or
 * touches a page's bytes.
 */
#include "core.h"

#define PAGE_BYTES        4096u
#define ENTRIES_PER_PAGE  ((uint32_t)(PAGE_BYTES / sizeof(struct entry)))
#define POINTERS_PER_PAGE ((uint32_t)(PAGE_BYTES / sizeof(void *)))

/* Buckets of 32-bit heads, allocated a page at a time as blocks are seen. */
#define BUCKETS_PER_PAGE  ((uint32_t)(PAGE_BYTES / sizeof(uint32_t)))
#define BUCKETS           (BUCKETS_PER_PAGE * POINTERS_PER_PAGE)

/* A guest that reads one block into many pages must not make a long chain. */
#define CHAIN_MAX         64

/* Changes in flight at once; beyond that no I/O that overlaps in time is trusted. */
#define CHANGES_MAX       128

#define SCAN_MAX          65536u

/* Flags of our own beside the ABI's WCR_PAGE_*. */
#define F_SPOILED   0x0100      /* this I/O must not end in REUSABLE */
#define F_HASHED    0x0200
#define F_WRITE     0x0400      /* direction of the I/O in flight */
#define F_HELD      0x0800
#define F_ABI       0x007f

struct entry {
    uint64_t mfn;
    uint64_t inode;
    uint64_t index;
    uint64_t sector;
    uint32_t fs_id;
    uint32_t vbd;
    uint32_t chain;             /* next PFN + 1 of the bucket, 0: last */
    uint16_t flags;
    uint16_t in_flight;
};

struct change {
    uint64_t sector;
    uint64_t sectors;           /* 0: free slot */
    uint32_t vbd;
};

struct wcr_cache {
    const struct wcr_core_ops *ops;
    void *ctx;
    uint64_t capacity;
    uint64_t drop_cursor;
    uint32_t changes_unlisted;
    struct wcr_cache_info info;
    struct change changes[CHANGES_MAX];
    void **dirs;                /* a page of pointers to pages of pointers to entries */
    uint32_t **buckets;         /* a page of pointers to pages of heads */
};

_Static_assert(sizeof(struct entry) == 48, "entries are packed");
_Static_assert(sizeof(struct wcr_cache) <= PAGE_BYTES, "a cache is one page");
_Static_assert((PAGE_BYTES / 48) * 512ULL * 512ULL >= WCR_MAX_FRAMES,
               "three levels cover every frame");

static struct entry *entry_get(const struct wcr_cache *c, uint64_t pfn)
{
    uint32_t page;
    void **dir;
    struct entry *entries;

    if (pfn >= c->capacity)
        return NULL;
    page = (uint32_t)pfn / ENTRIES_PER_PAGE;
    dir = c->dirs[page / POINTERS_PER_PAGE];
    if (!dir)
        return NULL;
    entries = dir[page % POINTERS_PER_PAGE];
    return entries ? &entries[(uint32_t)pfn % ENTRIES_PER_PAGE] : NULL;
}

/* The entry only if it still speaks of this machine frame. */
static struct entry *entry_of_frame(const struct wcr_cache *c, uint64_t pfn,
                                    uint64_t mfn)
{
    struct entry *e = entry_get(c, pfn);

    return e && e->mfn == mfn ? e : NULL;
}

static struct entry *entry_make(struct wcr_cache *c, uint64_t pfn)
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

/* ---- flags, and the counters that follow them ----------------------- */

static void flags_set(struct wcr_cache *c, struct entry *e, uint16_t flags)
{
    uint16_t fresh = flags & ~e->flags;

    if (fresh & WCR_PAGE_MAPPED)
        c->info.pages_mapped++;
    if (fresh & WCR_PAGE_REUSABLE)
        c->info.pages_reusable++;
    if (fresh & F_HELD)
        c->info.pages_retained++;
    e->flags |= flags;
}

static void flags_clear(struct wcr_cache *c, struct entry *e, uint16_t flags)
{
    uint16_t gone = flags & e->flags;

    if (gone & WCR_PAGE_MAPPED)
        c->info.pages_mapped--;
    if (gone & WCR_PAGE_REUSABLE)
        c->info.pages_reusable--;
    if (gone & F_HELD)
        c->info.pages_retained--;
    e->flags &= ~flags;
}

/* ---- blocks to pages ------------------------------------------------ */

static uint32_t bucket_of(uint32_t vbd, uint64_t sector)
{
    /* Neighbouring blocks share a page of buckets, so a small disk costs little. */
    return (uint32_t)(sector / WCR_BLOCK_SECTORS + vbd * 0x9e3779b1ULL) % BUCKETS;
}

static uint32_t *bucket_head(const struct wcr_cache *c, uint32_t bucket)
{
    uint32_t *page = c->buckets[bucket / BUCKETS_PER_PAGE];

    return page ? &page[bucket % BUCKETS_PER_PAGE] : NULL;
}

static void block_unlink(struct wcr_cache *c, uint64_t pfn, struct entry *e)
{
    uint32_t *link;

    if (!(e->flags & F_HASHED))
        return;
    for (link = bucket_head(c, bucket_of(e->vbd, e->sector)); *link;
         link = &entry_get(c, *link - 1)->chain) {
        if (*link == pfn + 1) {
            *link = e->chain;
            break;
        }
    }
    e->chain = 0;
    flags_clear(c, e, F_HASHED);
}

/* False: no memory, or too many pages of that bucket already. */
static bool block_link(struct wcr_cache *c, uint64_t pfn, struct entry *e)
{
    uint32_t bucket = bucket_of(e->vbd, e->sector), walked = 0;
    uint32_t **page = &c->buckets[bucket / BUCKETS_PER_PAGE], *head, i;

    if (!*page)
        *page = c->ops->alloc_page(c->ctx);
    if (!*page)
        return false;
    head = bucket_head(c, bucket);
    for (i = *head; i; i = entry_get(c, i - 1)->chain)
        if (++walked >= CHAIN_MAX)
            return false;
    e->chain = *head;
    *head = (uint32_t)pfn + 1;
    flags_set(c, e, F_HASHED);
    return true;
}

static bool ranges_overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
    return a < b ? b - a < a_len : a - b < b_len;
}

/* What the page holds is no longer known to be on the disk. */
static void entry_doubt(struct wcr_cache *c, struct entry *e)
{
    flags_clear(c, e, WCR_PAGE_REUSABLE);
    if (e->in_flight)
        flags_set(c, e, F_SPOILED);
}

static void bucket_doubt(struct wcr_cache *c, uint32_t bucket, uint32_t vbd,
                         uint64_t sector, uint64_t sectors)
{
    const uint32_t *head = bucket_head(c, bucket);
    struct entry *e;
    uint32_t i;

    for (i = head ? *head : 0; i; i = e->chain) {
        e = entry_get(c, i - 1);
        if (e->vbd == vbd &&
            ranges_overlap(e->sector, WCR_BLOCK_SECTORS, sector, sectors))
            entry_doubt(c, e);
    }
}

/* Every page that holds any sector of the range; at most BUCKETS buckets. */
static void range_doubt(struct wcr_cache *c, uint32_t vbd, uint64_t sector,
                        uint64_t sectors)
{
    /* A page that begins up to one block earlier reaches into the range. */
    uint64_t first = sector - (sector < WCR_BLOCK_SECTORS ? sector : WCR_BLOCK_SECTORS);
    uint64_t last = sector + (sectors - 1);
    uint64_t blocks, i;
    uint32_t bucket;

    if (last < sector)
        last = ~0ULL;
    blocks = last / WCR_BLOCK_SECTORS - first / WCR_BLOCK_SECTORS + 1;
    if (blocks > BUCKETS)
        blocks = BUCKETS;
    bucket = bucket_of(vbd, first);
    for (i = 0; i < blocks; i++) {
        if (!c->buckets[bucket / BUCKETS_PER_PAGE]) {
            /* Nothing in this page of buckets: on to the next page. */
            uint32_t skip = BUCKETS_PER_PAGE - 1 - bucket % BUCKETS_PER_PAGE;

            i += skip;
            bucket += skip;
        } else {
            bucket_doubt(c, bucket, vbd, sector, sectors);
        }
        bucket = (bucket + 1) % BUCKETS;
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
    if (!c->dirs || !c->buckets) {
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

void cache_info(const struct wcr_cache *c, struct wcr_cache_info *ret_info)
{
    *ret_info = c->info;
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

uint64_t cache_capacity(const struct wcr_cache *c)
{
    return c->capacity;
}

static void entry_reset(struct wcr_cache *c, uint64_t pfn, struct entry *e)
{
    block_unlink(c, pfn, e);
    flags_clear(c, e, 0xffff);
    e->in_flight = 0;
}

void cache_begin_life(struct wcr_cache *c)
{
    uint64_t pfn;

    for (pfn = 0; pfn < c->capacity; pfn++) {
        struct entry *e = entry_get(c, pfn);

        if (!e)     /* the whole page of entries is absent */
            pfn += ENTRIES_PER_PAGE - 1 - pfn % ENTRIES_PER_PAGE;
        else if (!(e->flags & F_HELD))
            entry_reset(c, pfn, e);
    }
    c->drop_cursor = 0;
}

/* ---- the cache-mapping table ---------------------------------------- */

int cache_map_add(struct wcr_cache *c, uint64_t pfn, uint64_t mfn,
                  const struct wcr_key *key)
{
    struct entry *e;

    if (pfn >= c->capacity)
        return -EINVAL;
    e = entry_make(c, pfn);
    if (!e)
        return -ENOMEM;
    if (e->flags & F_HELD)
        return -EINVAL;
    if (e->mfn != mfn) {
        entry_reset(c, pfn, e);
        e->mfn = mfn;
    }
    e->fs_id = key->fs_id;
    e->inode = key->inode;
    e->index = key->index;
    flags_set(c, e, WCR_PAGE_MAPPED);
    return 0;
}

void cache_map_remove(struct wcr_cache *c, uint64_t pfn)
{
    struct entry *e = entry_get(c, pfn);

    if (!e || e->flags & F_HELD)
        return;
    flags_clear(c, e, WCR_PAGE_MAPPED);
    if (!(e->flags & WCR_PAGE_REUSED))
        flags_clear(c, e, WCR_PAGE_RETAINED);
}

/* ---- I/O ------------------------------------------------------------ */

static bool op_changes_block(unsigned int op)
{
    return op != WCR_IO_READ;
}

/* Changes in flight that touch the block. */
static unsigned int changes_over(const struct wcr_cache *c, uint32_t vbd, uint64_t sector)
{
    unsigned int i, n = c->changes_unlisted;

    for (i = 0; i < CHANGES_MAX; i++)
        if (c->changes[i].sectors && c->changes[i].vbd == vbd &&
            ranges_overlap(c->changes[i].sector, c->changes[i].sectors, sector,
                           WCR_BLOCK_SECTORS))
            n++;
    return n;
}

void cache_io_range_begin(struct wcr_cache *c, uint32_t vbd, uint64_t sector,
                          uint64_t sectors, unsigned int op)
{
    unsigned int i;

    if (!op_changes_block(op) || !sectors)
        return;
    range_doubt(c, vbd, sector, sectors);
    for (i = 0; i < CHANGES_MAX; i++)
        if (!c->changes[i].sectors)
            break;
    if (i == CHANGES_MAX) {
        c->changes_unlisted++;
        return;
    }
    c->changes[i].vbd = vbd;
    c->changes[i].sector = sector;
    c->changes[i].sectors = sectors;
}

void cache_io_range_end(struct wcr_cache *c, uint32_t vbd, uint64_t sector,
                        uint64_t sectors, unsigned int op)
{
    unsigned int i;

    if (!op_changes_block(op) || !sectors)
        return;
    for (i = 0; i < CHANGES_MAX; i++) {
        struct change *change = &c->changes[i];

        if (change->vbd == vbd && change->sector == sector && change->sectors == sectors) {
            change->sectors = 0;
            return;
        }
    }
    if (c->changes_unlisted)
        c->changes_unlisted--;
}

bool cache_io_begin(struct wcr_cache *c, uint64_t pfn, uint64_t mfn, uint32_t vbd,
                    uint64_t sector, unsigned int op, bool whole)
{
    struct entry *e = entry_of_frame(c, pfn, mfn);
    bool write = op == WCR_IO_WRITE;

    if (op == WCR_IO_READ)
        c->info.io_reads++;
    else
        c->info.io_writes++;
    if (!e || e->flags & F_HELD)
        return false;
    if (!whole || !(e->flags & WCR_PAGE_MAPPED)) {
        entry_doubt(c, e);
        return false;
    }
    if (e->in_flight == UINT16_MAX) {
        entry_doubt(c, e);
        return false;
    }
    if (e->in_flight++) {
        if (e->vbd != vbd || e->sector != sector || !(e->flags & F_WRITE) != !write)
            flags_set(c, e, F_SPOILED);
    } else {
        block_unlink(c, pfn, e);
        flags_clear(c, e, WCR_PAGE_REUSABLE | F_SPOILED | F_WRITE);
        e->vbd = vbd;
        e->sector = sector;
        flags_set(c, e, WCR_PAGE_IN_FLIGHT | (write ? F_WRITE : 0));
        if (!block_link(c, pfn, e))
            flags_set(c, e, F_SPOILED);
    }
    /* A read wants no change of its block in flight, a write only its own. */
    if (changes_over(c, vbd, sector) > (write ? 1U : 0U))
        flags_set(c, e, F_SPOILED);
    return !(e->flags & F_SPOILED);
}

bool cache_io_end(struct wcr_cache *c, uint64_t pfn, uint64_t mfn, uint32_t vbd,
                  uint64_t sector, unsigned int op, bool ok)
{
    struct entry *e = entry_of_frame(c, pfn, mfn);

    if (!e || !e->in_flight)
        return false;
    if (!ok || e->vbd != vbd || e->sector != sector ||
        !(e->flags & F_WRITE) != (op != WCR_IO_WRITE))
        flags_set(c, e, F_SPOILED);
    if (--e->in_flight)
        return false;
    flags_clear(c, e, WCR_PAGE_IN_FLIGHT);
    if (e->flags & F_SPOILED || !(e->flags & WCR_PAGE_MAPPED)) {
        flags_clear(c, e, F_SPOILED);
        block_unlink(c, pfn, e);
        return false;
    }
    flags_set(c, e, WCR_PAGE_REUSABLE);
    return true;
}

void cache_spoil(struct wcr_cache *c, uint64_t pfn, uint64_t mfn)
{
    struct entry *e = entry_of_frame(c, pfn, mfn);

    if (e)
        entry_doubt(c, e);
}

void cache_store_seen(struct wcr_cache *c, uint64_t pfn, uint64_t mfn)
{
    struct entry *e = entry_of_frame(c, pfn, mfn);

    if (!e || e->flags & F_HELD)
        return;
    if (e->flags & WCR_PAGE_REUSABLE)
        c->info.stores_seen++;
    entry_doubt(c, e);
    if (e->flags & WCR_PAGE_REUSED) {
        flags_set(c, e, WCR_PAGE_WRITTEN);
    } else if (e->flags & WCR_PAGE_RETAINED) {
        flags_clear(c, e, WCR_PAGE_RETAINED);
        c->info.overwritten++;
    }
}

void cache_set_downgraded(struct wcr_cache *c, uint64_t pfn, bool downgraded)
{
    struct entry *e = entry_get(c, pfn);

    if (!e)
        return;
    if (downgraded)
        flags_set(c, e, WCR_PAGE_DOWNGRADED);
    else
        flags_clear(c, e, WCR_PAGE_DOWNGRADED);
}

bool cache_is_downgraded(const struct wcr_cache *c, uint64_t pfn, uint64_t mfn)
{
    const struct entry *e = entry_of_frame(c, pfn, mfn);

    return e && e->flags & WCR_PAGE_DOWNGRADED;
}

bool cache_is_watched(const struct wcr_cache *c, uint64_t pfn, uint64_t mfn)
{
    const struct entry *e = entry_of_frame(c, pfn, mfn);

    return e && (e->in_flight ||
                 e->flags & (WCR_PAGE_REUSABLE | WCR_PAGE_RETAINED | WCR_PAGE_DOWNGRADED) ||
                 (e->flags & (WCR_PAGE_REUSED | WCR_PAGE_WRITTEN)) == WCR_PAGE_REUSED);
}

void cache_count_protect(struct wcr_cache *c, bool ok)
{
    if (ok)
        c->info.protects++;
    else
        c->info.protect_refused++;
}

void cache_count_write_fault(struct wcr_cache *c)
{
    c->info.write_faults++;
}

/* ---- keeping pages over a reboot ------------------------------------ */

bool cache_retain(struct wcr_cache *c, uint64_t pfn, uint64_t mfn)
{
    struct entry *e = entry_of_frame(c, pfn, mfn);

    if (!e || !(e->flags & WCR_PAGE_MAPPED) || e->flags & F_HELD || e->in_flight)
        return false;
    if (c->info.mode == WCR_MODE_COLD ||
        (c->info.mode == WCR_MODE_ENABLED && !(e->flags & WCR_PAGE_REUSABLE)))
        return false;
    if (c->info.max_pages && c->info.pages_retained >= c->info.max_pages)
        return false;
    flags_clear(c, e, WCR_PAGE_MAPPED | WCR_PAGE_DOWNGRADED | WCR_PAGE_REUSED |
                      WCR_PAGE_WRITTEN);
    flags_set(c, e, WCR_PAGE_RETAINED | F_HELD);
    c->info.retained++;
    return true;
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
    flags_clear(c, e, F_HELD);
    c->info.returned++;
    *ret_mfn = e->mfn;
    return true;
}

void cache_forget(struct wcr_cache *c, uint64_t pfn)
{
    struct entry *e = entry_get(c, pfn);

    if (e)
        entry_reset(c, pfn, e);
}

bool cache_is_retained(const struct wcr_cache *c, uint64_t pfn, uint64_t mfn)
{
    const struct entry *e = entry_of_frame(c, pfn, mfn);

    return e && (e->flags & (WCR_PAGE_RETAINED | WCR_PAGE_REUSED)) == WCR_PAGE_RETAINED;
}

bool cache_drop_next(struct wcr_cache *c, uint64_t *ret_mfn)
{
    if (!c->info.pages_retained)
        return false;
    for (;; c->drop_cursor++) {
        struct entry *e;

        if (c->drop_cursor >= c->capacity)
            c->drop_cursor = 0;
        e = entry_get(c, c->drop_cursor);
        if (!e || !(e->flags & F_HELD))
            continue;
        *ret_mfn = e->mfn;
        entry_reset(c, c->drop_cursor, e);
        return true;
    }
}

int cache_reuse(struct wcr_cache *c, uint64_t pfn, uint64_t mfn, uint32_t vbd,
                uint64_t sector)
{
    struct entry *e = entry_of_frame(c, pfn, mfn);
    bool ok;

    if (!e || !cache_is_retained(c, pfn, mfn) || e->flags & F_HELD || e->in_flight) {
        c->info.reuse_stale++;
        return -ESTALE;
    }
    if (c->info.mode == WCR_MODE_DISABLED) {
        /* Trusted for whatever it is claimed as: remember that, to verify it. */
        if (e->vbd != vbd || e->sector != sector || !(e->flags & WCR_PAGE_REUSABLE)) {
            block_unlink(c, pfn, e);
            flags_clear(c, e, WCR_PAGE_REUSABLE);
            e->vbd = vbd;
            e->sector = sector;
        }
        ok = true;
    } else {
        ok = c->info.mode == WCR_MODE_ENABLED && e->flags & WCR_PAGE_REUSABLE &&
             e->vbd == vbd && e->sector == sector && !changes_over(c, vbd, sector);
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

/* ---- looking -------------------------------------------------------- */

bool cache_page(const struct wcr_cache *c, uint64_t pfn, struct wcr_page_info *ret_page)
{
    const struct entry *e = entry_get(c, pfn);
    uint32_t flags;

    if (!e)
        return false;
    flags = (e->flags & F_ABI) | (e->flags & F_HELD ? WCR_PAGE_HELD : 0);
    if (!flags)
        return false;
    memset(ret_page, 0, sizeof(*ret_page));
    ret_page->pfn = pfn;
    ret_page->mfn = e->mfn;
    ret_page->inode = e->inode;
    ret_page->index = e->index;
    ret_page->sector = e->sector;
    ret_page->vbd = e->vbd;
    ret_page->fs_id = e->fs_id;
    ret_page->flags = flags;
    return true;
}

uint64_t cache_next(const struct wcr_cache *c, uint64_t pfn, uint32_t flags,
                    struct wcr_page_info *ret_page, uint64_t *ret_next)
{
    uint64_t end = pfn + SCAN_MAX;

    for (; pfn < c->capacity && pfn < end; pfn++) {
        if (!entry_get(c, pfn)) {
            pfn += ENTRIES_PER_PAGE - 1 - pfn % ENTRIES_PER_PAGE;
            continue;
        }
        if (!cache_page(c, pfn, ret_page) || (ret_page->flags & flags) != flags)
            continue;
        *ret_next = pfn + 1;
        return pfn;
    }
    *ret_next = pfn < c->capacity ? pfn : WCR_NO_PFN;
    return WCR_NO_PFN;
}
