// SPDX-License-Identifier: MIT
/* Which pages hold a block: a hash table of chains through the entries. */
#include "cache_int.h"

/* A guest that reads one block into many pages must not make a long chain. */
#define CHAIN_MAX 64

static uint32_t bucket_of(uint32_t disk, uint64_t sector)
{
    /* Neighbouring blocks share a page of buckets, so a small disk costs little. */
    return (uint32_t)(sector / WCR_BLOCK_SECTORS + disk * 0x9e3779b1ULL) % BUCKETS;
}

static uint32_t *bucket_head(const struct wcr_cache *c, uint32_t bucket)
{
    uint32_t *page = c->buckets[bucket / BUCKETS_PER_PAGE];

    return page ? &page[bucket % BUCKETS_PER_PAGE] : NULL;
}

void block_unlink(struct wcr_cache *c, uint64_t pfn, struct entry *e)
{
    uint32_t *link;

    if (!(e->flags & F_HASHED))
        return;
    for (link = bucket_head(c, bucket_of(e->disk, e->sector)); *link;
         link = &entry_get(c, *link - 1)->chain) {
        if (*link == pfn + 1) {
            *link = e->chain;
            break;
        }
    }
    e->chain = 0;
    flags_clear(c, e, F_HASHED);
}

bool block_link(struct wcr_cache *c, uint64_t pfn, struct entry *e)
{
    uint32_t bucket = bucket_of(e->disk, e->sector), walked = 0;
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

void blocks_clear(struct wcr_cache *c)
{
    uint32_t i;

    for (i = 0; i < POINTERS_PER_PAGE; i++)
        if (c->buckets[i])
            memset(c->buckets[i], 0, PAGE_BYTES);
}

void block_relink(struct wcr_cache *c, uint64_t pfn, struct entry *e)
{
    uint32_t *head = bucket_head(c, bucket_of(e->disk, e->sector));

    e->chain = *head;
    *head = (uint32_t)pfn + 1;
}

static void bucket_doubt(struct wcr_cache *c, uint32_t bucket, uint32_t disk,
                         uint64_t sector, uint64_t sectors)
{
    const uint32_t *head = bucket_head(c, bucket);
    struct entry *e;
    uint32_t i;

    for (i = head ? *head : 0; i; i = e->chain) {
        e = entry_get(c, i - 1);
        if (e->disk == disk &&
            ranges_overlap(e->sector, WCR_BLOCK_SECTORS, sector, sectors)) {
            entry_doubt(c, e, WCR_WHY_CHANGED);
            entry_unwitness(c, e);
        }
    }
}

/* Every page that holds any sector of the range; at most BUCKETS buckets. */
void range_doubt(struct wcr_cache *c, uint32_t disk, uint64_t sector,
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
    bucket = bucket_of(disk, first);
    for (i = 0; i < blocks; i++) {
        if (!c->buckets[bucket / BUCKETS_PER_PAGE]) {
            /* Nothing in this page of buckets: on to the next page. */
            uint32_t skip = BUCKETS_PER_PAGE - 1 - bucket % BUCKETS_PER_PAGE;

            i += skip;
            bucket += skip;
        } else {
            bucket_doubt(c, bucket, disk, sector, sectors);
        }
        bucket = (bucket + 1) % BUCKETS;
    }
}
