// SPDX-License-Identifier: MIT
/* I/O in flight: of pages, and changes of ranges of a disk. */
#include "cache_int.h"

/* Lives that a change whose end never comes is believed in, its own included. */
#define CHANGE_LIVES  2

/* So many I/Os of one page are no longer counted: it stays in flight for this life. */
#define IN_FLIGHT_MAX 4095u

/* ---- changes of ranges ---------------------------------------------- */

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
void changes_age(struct wcr_cache *c)
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

static bool op_changes_block(unsigned int op)
{
    return op != WCR_IO_READ;
}

unsigned int changes_over(const struct wcr_cache *c, uint32_t disk, uint64_t sector)
{
    unsigned int n = 0;
    uint32_t i;

    if (c->blind_lives)
        return CHANGES_MAX;
    for (i = 0; i < c->changes_end; i++) {
        const struct change *change = change_get(c, i);

        if (change->sectors && change->disk == disk &&
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

void cache_io_range_begin(struct wcr_cache *c, uint32_t disk, uint64_t sector,
                          uint64_t sectors, unsigned int op)
{
    struct change *change;

    if (!op_changes_block(op) || !sectors)
        return;
    range_doubt(c, disk, sector, sectors);
    change = change_make(c);
    if (!change) {
        c->blind_lives = CHANGE_LIVES;
        return;
    }
    change->disk = disk;
    change->sector = sector;
    change->sectors = sectors;
    change->lives = CHANGE_LIVES;
}

void cache_io_range_end(struct wcr_cache *c, uint32_t disk, uint64_t sector,
                        uint64_t sectors, unsigned int op)
{
    uint32_t i;

    if (!op_changes_block(op) || !sectors)
        return;
    for (i = 0; i < c->changes_end; i++) {
        struct change *change = change_get(c, i);

        if (change->disk == disk && change->sector == sector && change->sectors == sectors) {
            change->sectors = 0;
            changes_trim(c);
            return;
        }
    }
}

/* Why an I/O that begins now cannot make the page REUSABLE; WCR_WHY_NOT_READ: it can. */
static enum wcr_why begin_why(struct wcr_cache *c, const struct entry *e, uint32_t disk,
                              uint64_t sector, bool write, bool whole)
{
    if (!whole)
        return WCR_WHY_PARTIAL;
    if (c->untrusted)
        return WCR_WHY_UNTRUSTED;
    if (e->in_flight && (e->disk != disk || e->sector != sector ||
                         !(e->flags & F_WRITE) != !write))
        return WCR_WHY_OVERLAP;
    /* A read wants no change of its block in flight, a write only its own. */
    if (changes_over(c, disk, sector) > (write ? 1U : 0U))
        return WCR_WHY_CHANGED;
    return WCR_WHY_NOT_READ;
}

enum wcr_begin cache_io_begin(struct wcr_cache *c, uint64_t pfn, uint64_t mfn,
                              uint32_t disk, uint64_t sector, unsigned int op, bool whole)
{
    struct entry *e = pfn < c->capacity ? entry_make(c, pfn) : NULL;
    bool write = op == WCR_IO_WRITE, first;
    enum wcr_begin ret = WCR_BEGIN_TRACK;
    enum wcr_why why;

    if (op == WCR_IO_READ)
        c->info.io_reads++;
    else
        c->info.io_writes++;
    if (!e || !entry_take(c, pfn, e, mfn))
        return WCR_BEGIN_IGNORE;
    first = !e->in_flight;
    if (!first || e->flags & (WCR_PAGE_RETAINED | WCR_PAGE_REUSED))
        ret = WCR_BEGIN_TELL;
    if (!write)
        entry_overwritten(c, e);
    else if (e->disk != disk || e->sector != sector)
        entry_unwitness(c, e);
    why = begin_why(c, e, disk, sector, write, whole);
    if (first) {
        block_unlink(c, pfn, e);
        flags_clear(c, e, WCR_PAGE_REUSABLE | F_SPOILED | F_WRITE);
        e->why = WCR_WHY_NOT_READ;
        e->disk = disk;
        e->sector = sector;
        flags_set(c, e, WCR_PAGE_IN_FLIGHT | (write ? F_WRITE : 0));
    }
    /* Every one counts, trusted or not: its end counts down. */
    if (e->in_flight < IN_FLIGHT_MAX)
        e->in_flight++;
    if (why != WCR_WHY_NOT_READ)
        entry_doubt(c, e, why);
    else if (first && !block_link(c, pfn, e))
        entry_doubt(c, e, WCR_WHY_NOT_READ);
    return e->flags & F_SPOILED ? WCR_BEGIN_IGNORE : ret;
}

void cache_stored_before(struct wcr_cache *c, uint64_t pfn, uint64_t mfn)
{
    struct entry *e = entry_of_frame(c, pfn, mfn);

    if (!e || e->flags & F_HELD)
        return;
    if (e->in_flight > 1)
        entry_doubt(c, e, WCR_WHY_STORED);
    entry_overwritten(c, e);
}

bool cache_io_end(struct wcr_cache *c, uint64_t pfn, uint64_t mfn, uint32_t disk,
                  uint64_t sector, unsigned int op, bool ok)
{
    struct entry *e = entry_of_frame(c, pfn, mfn);

    if (!e || !e->in_flight)
        return false;
    if (!ok)
        entry_doubt(c, e, WCR_WHY_FAILED);
    else if (e->disk != disk || e->sector != sector ||
             !(e->flags & F_WRITE) != (op != WCR_IO_WRITE))
        entry_doubt(c, e, WCR_WHY_OVERLAP);
    if (e->in_flight == IN_FLIGHT_MAX || --e->in_flight)
        return false;
    flags_clear(c, e, WCR_PAGE_IN_FLIGHT);
    if (e->flags & F_SPOILED) {
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

    if (!e)
        return;
    c->info.protect_refused++;
    entry_doubt(c, e, WCR_WHY_WRITABLE);
}

void cache_store_seen(struct wcr_cache *c, uint64_t pfn, uint64_t mfn)
{
    struct entry *e = entry_of_frame(c, pfn, mfn);

    if (!e || e->flags & F_HELD)
        return;
    if (e->flags & WCR_PAGE_REUSABLE)
        c->info.stores_seen++;
    entry_doubt(c, e, WCR_WHY_STORED);
    entry_overwritten(c, e);
}
