/* SPDX-License-Identifier: MIT */
/* Shared by the files of this folder; core.h has the contract. */
#ifndef WCR_CACHE_INT_H
#define WCR_CACHE_INT_H

#include "core.h"

#define PAGE_BYTES        4096u
#define ENTRIES_PER_PAGE  85u
#define POINTERS_PER_PAGE ((uint32_t)(PAGE_BYTES / sizeof(void *)))

/* Buckets of 32-bit heads, allocated a page at a time as blocks are seen. */
#define BUCKETS_PER_PAGE  ((uint32_t)(PAGE_BYTES / sizeof(uint32_t)))
#define BUCKETS           (BUCKETS_PER_PAGE * POINTERS_PER_PAGE)

/* Changes in flight at once; beyond that no I/O is trusted for a while. */
#define CHANGES_PER_PAGE  ((uint32_t)(PAGE_BYTES / sizeof(struct change)))
#define CHANGE_PAGES      8u
#define CHANGES_MAX       (CHANGE_PAGES * CHANGES_PER_PAGE)

/* Flags of our own beside the ABI's WCR_PAGE_*. */
#define F_SPOILED   0x0100      /* this I/O must not end in REUSABLE */
#define F_HASHED    0x0200
#define F_WRITE     0x0400      /* direction of the I/O in flight */
#define F_HELD      0x0800
#define F_ABI       0x003f

struct entry {
    uint64_t mfn;
    uint64_t inode;
    uint64_t index;
    uint64_t sector;
    uint32_t fs_id;
    uint32_t disk;
    uint32_t chain;             /* next PFN + 1 of the bucket, 0: last */
    uint16_t flags;
    uint16_t in_flight : 12;
    uint16_t why : 4;           /* enum wcr_why, while it is not REUSABLE */
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
    uint32_t disk;
    uint32_t lives;             /* left to be believed in */
};

struct wcr_cache {
    const struct wcr_core_ops *ops;
    void *ctx;
    uint64_t capacity;
    uint32_t drop_page;         /* page of entries to look for a held page in */
    uint32_t blind_lives;       /* more changes than are listed: trust nothing so long */
    uint32_t changes_end;       /* slots from here on are free */
    uint64_t unclaimed;         /* handed back, not claimed and not overwritten */
    bool untrusted;             /* nothing of this life is kept or reused */
    struct change *changes[CHANGE_PAGES];
    struct wcr_cache_info info;
    void **dirs;                /* a page of pointers to pages of pointers to entries */
    uint32_t **buckets;         /* a page of pointers to pages of heads */
};

_Static_assert(sizeof(struct entries) == PAGE_BYTES, "entries are packed");
_Static_assert(sizeof(struct wcr_cache) <= PAGE_BYTES, "a cache is one page");
_Static_assert(ENTRIES_PER_PAGE * 512ULL * 512ULL >= WCR_MAX_FRAMES,
               "three levels cover every frame");

static inline uint32_t entries_pages(const struct wcr_cache *c)
{
    return (uint32_t)((c->capacity + ENTRIES_PER_PAGE - 1) / ENTRIES_PER_PAGE);
}

static inline struct entries *entries_get(const struct wcr_cache *c, uint32_t page)
{
    void **dir = c->dirs[page / POINTERS_PER_PAGE];

    return dir ? dir[page % POINTERS_PER_PAGE] : NULL;
}

static inline struct entry *entry_get(const struct wcr_cache *c, uint64_t pfn)
{
    struct entries *page;

    if (pfn >= c->capacity)
        return NULL;
    page = entries_get(c, (uint32_t)pfn / ENTRIES_PER_PAGE);
    return page ? &page->entry[(uint32_t)pfn % ENTRIES_PER_PAGE] : NULL;
}

/* The entry only if it still speaks of this machine frame. */
static inline struct entry *entry_of_frame(const struct wcr_cache *c, uint64_t pfn,
                                    uint64_t mfn)
{
    struct entry *e = entry_get(c, pfn);

    return e && e->mfn == mfn ? e : NULL;
}

static inline bool is_unclaimed(uint16_t flags)
{
    return (flags & (WCR_PAGE_RETAINED | WCR_PAGE_REUSED | F_HELD)) == WCR_PAGE_RETAINED;
}

/* The counters follow the flags. */
static inline void flags_put(struct wcr_cache *c, struct entry *e, uint16_t flags)
{
    c->info.pages_mapped += !!(flags & WCR_PAGE_MAPPED) - !!(e->flags & WCR_PAGE_MAPPED);
    c->info.pages_reusable += !!(flags & WCR_PAGE_REUSABLE) - !!(e->flags & WCR_PAGE_REUSABLE);
    c->unclaimed += is_unclaimed(flags) - is_unclaimed(e->flags);
    e->flags = flags;
}

static inline void flags_set(struct wcr_cache *c, struct entry *e, uint16_t flags)
{
    flags_put(c, e, e->flags | flags);
}

static inline void flags_clear(struct wcr_cache *c, struct entry *e, uint16_t flags)
{
    flags_put(c, e, e->flags & ~flags);
}

/* cache_block.c: pages by the block they hold. Unlinking what is not linked is fine. */
void block_unlink(struct wcr_cache *c, uint64_t pfn, struct entry *e);
/* False: no memory, or too many pages of that bucket already. */
bool block_link(struct wcr_cache *c, uint64_t pfn, struct entry *e);
/* Begin with no page linked, then link the linked ones that stay. */
void blocks_clear(struct wcr_cache *c);
void block_relink(struct wcr_cache *c, uint64_t pfn, struct entry *e);
/* Doubt every page that holds any sector of the range. */
void range_doubt(struct wcr_cache *c, uint32_t disk, uint64_t sector, uint64_t sectors);

static inline bool ranges_overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
    return a < b ? b - a < a_len : a - b < b_len;
}

/* cache_io.c: a new life begins. */
void changes_age(struct wcr_cache *c);
/* Changes in flight that touch the block, or that may. */
unsigned int changes_over(const struct wcr_cache *c, uint32_t disk, uint64_t sector);

/* cache.c */
/* NULL: no memory. */
struct entry *entry_make(struct wcr_cache *c, uint64_t pfn);
/* The entry is, or becomes, that of this machine frame; false: it is another's. */
bool entry_take(struct wcr_cache *c, uint64_t pfn, struct entry *e, uint64_t mfn);
/* What the page holds is no longer known to be on the disk. */
void entry_doubt(struct wcr_cache *c, struct entry *e, enum wcr_why why);
/* Its bytes or its block may from now on differ from those it was reused with. */
void entry_unwitness(struct wcr_cache *c, struct entry *e);
/* Its bytes are no longer those of the last life. */
void entry_overwritten(struct wcr_cache *c, struct entry *e);
/* Nothing is known any more; I/O in flight stays counted: its end is still to come. */
void entry_reset(struct wcr_cache *c, uint64_t pfn, struct entry *e);

#endif
