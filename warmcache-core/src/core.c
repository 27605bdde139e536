// SPDX-License-Identifier: MIT
/*
 * The page state machine, the cache-mapping table and the store of held
 * pages. See core.h for the contract. Nothing here blocks, takes a lock or
 * touches a page's bytes.
 */
#include "core.h"

#define PAGE_BYTES        4096u
#define ENTRIES_PER_PAGE  85u
#define POINTERS_PER_PAGE ((uint32_t)(PAGE_BYTES / sizeof(void *)))

/* Buckets of 32-bit heads, allocated a page at a time as blocks are seen. */
#define BUCKETS_PER_PAGE  ((uint32_t)(PAGE_BYTES / sizeof(uint32_t)))
#define BUCKETS           (BUCKETS_PER_PAGE * POINTERS_PER_PAGE)

/* A guest that reads one block into many pages must not make a long chain. */
#define CHAIN_MAX         64

/* Changes in flight at once; beyond that no I/O is trusted for a while. */
#define CHANGES_PER_PAGE  ((uint32_t)(PAGE_BYTES / sizeof(struct change)))
#define CHANGE_PAGES      8u
#define CHANGES_MAX       (CHANGE_PAGES * CHANGES_PER_PAGE)

/* Lives that a change whose end never comes is believed in, its own included. */
#define CHANGE_LIVES      2

/* So many I/Os of one page are no longer counted: it stays in flight for this life. */
#define IN_FLIGHT_MAX     UINT16_MAX

/* Frames looked at under the caller's lock. */
#define SCAN_MAX          4096u

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

/* One page of them. */
struct entries {
    struct entry entry[ENTRIES_PER_PAGE];
    uint32_t held;              /* entries with F_HELD */
    uint32_t pad[3];
};

struct change {
    uint64_t sector;
    uint64_t sectors;           /* 0: free slot */
    uint32_t vbd;
    uint32_t lives;             /* left to be believed in */
};

struct wcr_cache {
    const struct wcr_core_ops *ops;
    void *ctx;
    uint64_t capacity;
    uint64_t unclaimed;         /* handed back, not claimed and not overwritten */
    uint32_t drop_page;         /* page of entries to look for a held page in */
    uint32_t blind_lives;       /* more changes than are listed: trust nothing so long */
    uint32_t changes_end;       /* slots from here on are free */
    struct change *changes[CHANGE_PAGES];
    struct wcr_cache_info info;
    void **dirs;                /* a page of pointers to pages of pointers to entries */
    uint32_t **buckets;         /* a page of pointers to pages of heads */
};

_Static_assert(sizeof(struct entries) == PAGE_BYTES, "entries are packed");
_Static_assert(sizeof(struct wcr_cache) <= PAGE_BYTES, "a cache is one page");
_Static_assert(ENTRIES_PER_PAGE * 512ULL * 512ULL >= WCR_MAX_FRAMES,
               "three levels cover every frame");

static uint32_t entries_pages(const struct wcr_cache *c)
{
    return (uint32_t)((c->capacity + ENTRIES_PER_PAGE - 1) / ENTRIES_PER_PAGE);
}

static struct entries *entries_get(const struct wcr_cache *c, uint32_t page)
{
    void **dir = c->dirs[page / POINTERS_PER_PAGE];

    return dir ? dir[page % POINTERS_PER_PAGE] : NULL;
}

static struct entry *entry_get(const struct wcr_cache *c, uint64_t pfn)
{
    struct entries *page;

    if (pfn >= c->capacity)
        return NULL;
    page = entries_get(c, (uint32_t)pfn / ENTRIES_PER_PAGE);
    return page ? &page->entry[(uint32_t)pfn % ENTRIES_PER_PAGE] : NULL;
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

static bool is_unclaimed(uint16_t flags)
{
    return (flags & (WCR_PAGE_RETAINED | WCR_PAGE_REUSED | F_HELD)) == WCR_PAGE_RETAINED;
}

static void flags_put(struct wcr_cache *c, struct entry *e, uint16_t flags)
{
    c->info.pages_mapped += !!(flags & WCR_PAGE_MAPPED) - !!(e->flags & WCR_PAGE_MAPPED);
    c->info.pages_reusable += !!(flags & WCR_PAGE_REUSABLE) - !!(e->flags & WCR_PAGE_REUSABLE);
    c->unclaimed += is_unclaimed(flags) - is_unclaimed(e->flags);
    e->flags = flags;
}

static void flags_set(struct wcr_cache *c, struct entry *e, uint16_t flags)
{
    flags_put(c, e, e->flags | flags);
}

static void flags_clear(struct wcr_cache *c, struct entry *e, uint16_t flags)
{
    flags_put(c, e, e->flags & ~flags);
}

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

/* Its bytes or its block may from now on differ from those it was reused with. */
static void entry_unwitness(struct wcr_cache *c, struct entry *e)
{
    if (e->flags & WCR_PAGE_REUSED)
        flags_set(c, e, WCR_PAGE_WRITTEN);
}

/* Its bytes are no longer those of the last life. */
static void entry_overwritten(struct wcr_cache *c, struct entry *e)
{
    entry_unwitness(c, e);
    if (!(e->flags & WCR_PAGE_REUSED) && e->flags & WCR_PAGE_RETAINED) {
        flags_clear(c, e, WCR_PAGE_RETAINED);
        c->info.overwritten++;
    }
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
            ranges_overlap(e->sector, WCR_BLOCK_SECTORS, sector, sectors)) {
            entry_doubt(c, e);
            entry_unwitness(c, e);
        }
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

/* I/O in flight stays counted: its end is still to come. */
static void entry_reset(struct wcr_cache *c, uint64_t pfn, struct entry *e)
{
    block_unlink(c, pfn, e);
    flags_clear(c, e, e->in_flight ? ~(WCR_PAGE_IN_FLIGHT | F_WRITE) : ~0);
    if (e->in_flight)
        flags_set(c, e, F_SPOILED);
}

static struct change *change_get(const struct wcr_cache *c, uint32_t i)
{
    return &c->changes[i / CHANGES_PER_PAGE][i % CHANGES_PER_PAGE];
}

static void changes_trim(struct wcr_cache *c)
{
    while (c->changes_end && !change_get(c, c->changes_end - 1)->sectors)
        c->changes_end--;
}

/* The backend may still be at the last life's changes; older ones it has lost. */
static void changes_age(struct wcr_cache *c)
{
    uint32_t i;

    for (i = 0; i < c->changes_end; i++) {
        struct change *change = change_get(c, i);

        if (change->sectors && !--change->lives)
            change->sectors = 0;
    }
    changes_trim(c);
    if (c->blind_lives)
        c->blind_lives--;
}

static void entries_begin_life(struct wcr_cache *c, struct entries *page, uint64_t pfn)
{
    uint32_t i;

    for (i = 0; i < ENTRIES_PER_PAGE; i++) {
        struct entry *e = &page->entry[i];

        if (!(e->flags & F_HELD)) {
            memset(e, 0, sizeof(*e));
        } else if (e->flags & F_HASHED) {
            uint32_t *head = bucket_head(c, bucket_of(e->vbd, e->sector));

            e->chain = *head;
            *head = (uint32_t)(pfn + i) + 1;
            c->info.pages_reusable += !!(e->flags & WCR_PAGE_REUSABLE);
        }
    }
}

void cache_begin_life(struct wcr_cache *c)
{
    uint32_t i, pages = entries_pages(c);

    /* Rather than unlink nearly every page, link the few that stay anew. */
    for (i = 0; i < POINTERS_PER_PAGE; i++)
        if (c->buckets[i])
            memset(c->buckets[i], 0, PAGE_BYTES);
    c->info.pages_mapped = 0;
    c->info.pages_reusable = 0;
    c->unclaimed = 0;
    for (i = 0; i < pages; i++) {
        struct entries *page = entries_get(c, i);

        if (page)
            entries_begin_life(c, page, (uint64_t)i * ENTRIES_PER_PAGE);
    }
    changes_age(c);
    c->drop_page = 0;
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
        /* The other frame may be read-only behind the guest's back, or being read into. */
        if (e->in_flight || e->flags & F_ABI)
            return -EINVAL;
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

/* Changes in flight that touch the block, or that may. */
static unsigned int changes_over(const struct wcr_cache *c, uint32_t vbd, uint64_t sector)
{
    unsigned int n = 0;
    uint32_t i;

    if (c->blind_lives)
        return CHANGES_MAX;
    for (i = 0; i < c->changes_end; i++) {
        const struct change *change = change_get(c, i);

        if (change->sectors && change->vbd == vbd &&
            ranges_overlap(change->sector, change->sectors, sector, WCR_BLOCK_SECTORS))
            n++;
    }
    return n;
}

/* A free slot, or NULL. */
static struct change *change_make(struct wcr_cache *c)
{
    struct change **page;
    uint32_t i;

    for (i = 0; i < c->changes_end; i++)
        if (!change_get(c, i)->sectors)
            return change_get(c, i);
    if (i == CHANGES_MAX)
        return NULL;
    page = &c->changes[i / CHANGES_PER_PAGE];
    if (!*page)
        *page = c->ops->alloc_page(c->ctx);
    if (!*page)
        return NULL;
    c->changes_end++;
    return change_get(c, i);
}

void cache_io_range_begin(struct wcr_cache *c, uint32_t vbd, uint64_t sector,
                          uint64_t sectors, unsigned int op)
{
    struct change *change;

    if (!op_changes_block(op) || !sectors)
        return;
    range_doubt(c, vbd, sector, sectors);
    change = change_make(c);
    if (!change) {
        c->blind_lives = CHANGE_LIVES;
        return;
    }
    change->vbd = vbd;
    change->sector = sector;
    change->sectors = sectors;
    change->lives = CHANGE_LIVES;
}

void cache_io_range_end(struct wcr_cache *c, uint32_t vbd, uint64_t sector,
                        uint64_t sectors, unsigned int op)
{
    uint32_t i;

    if (!op_changes_block(op) || !sectors)
        return;
    for (i = 0; i < c->changes_end; i++) {
        struct change *change = change_get(c, i);

        if (change->vbd == vbd && change->sector == sector && change->sectors == sectors) {
            change->sectors = 0;
            changes_trim(c);
            return;
        }
    }
}

bool cache_io_begin(struct wcr_cache *c, uint64_t pfn, uint64_t mfn, uint32_t vbd,
                    uint64_t sector, unsigned int op, bool whole)
{
    struct entry *e = entry_of_frame(c, pfn, mfn);
    bool write = op == WCR_IO_WRITE;
    bool trusted;

    if (op == WCR_IO_READ)
        c->info.io_reads++;
    else
        c->info.io_writes++;
    if (!e || e->flags & F_HELD)
        return false;
    trusted = whole && e->flags & WCR_PAGE_MAPPED;
    if (!write)
        entry_overwritten(c, e);
    else if (e->vbd != vbd || e->sector != sector)
        entry_unwitness(c, e);
    if (!e->in_flight) {
        block_unlink(c, pfn, e);
        flags_clear(c, e, WCR_PAGE_REUSABLE | F_SPOILED | F_WRITE);
        e->vbd = vbd;
        e->sector = sector;
        flags_set(c, e, WCR_PAGE_IN_FLIGHT | (write ? F_WRITE : 0));
        trusted = trusted && block_link(c, pfn, e);
    } else if (e->vbd != vbd || e->sector != sector || !(e->flags & F_WRITE) != !write) {
        trusted = false;
    }
    /* Every one counts, trusted or not: its end counts down. */
    if (e->in_flight < IN_FLIGHT_MAX)
        e->in_flight++;
    /* A read wants no change of its block in flight, a write only its own. */
    if (!trusted || changes_over(c, vbd, sector) > (write ? 1U : 0U))
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
    if (e->in_flight == IN_FLIGHT_MAX || --e->in_flight)
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
    entry_overwritten(c, e);
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

    if (!e || e->flags & F_HELD || e->in_flight)
        return false;
    /* What the last life left and this one did not get to claim is kept as well. */
    if (!(e->flags & WCR_PAGE_MAPPED) && !cache_is_retained(c, pfn, mfn))
        return false;
    if (c->info.mode == WCR_MODE_COLD ||
        (c->info.mode == WCR_MODE_ENABLED && !(e->flags & WCR_PAGE_REUSABLE)))
        return false;
    if (c->info.max_pages && c->info.pages_retained >= c->info.max_pages)
        return false;
    flags_clear(c, e, WCR_PAGE_MAPPED | WCR_PAGE_DOWNGRADED | WCR_PAGE_REUSED |
                      WCR_PAGE_WRITTEN);
    flags_set(c, e, WCR_PAGE_RETAINED);
    held_set(c, pfn, e, true);
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
            entry_reset(c, first + i, e);
            return true;
        }
        c->drop_page = (c->drop_page + 1) % pages;
    }
    return false;
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
            /* So that a change of the block is seen; a failure costs only that. */
            block_link(c, pfn, e);
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
    ret_page->vbd = e->vbd;
    ret_page->fs_id = e->fs_id;
    ret_page->flags = entry_flags(e);
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
