/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The backend's I/O: which pages it is of, and which disks it changes.
 */
#include <xen/event.h>

#include <asm/flushtlb.h>

#include "private.h"

/* ---- disks, all under the cache's lock ------------------------------- */

const struct warmcache_vbd *warmcache_find_vbd(const struct warmcache *wc,
                                               uint32_t vbd)
{
    unsigned int i;

    for ( i = 0; i < WARMCACHE_DISKS; i++ )
        if ( wc->vbds[i].known && wc->vbds[i].vbd == vbd )
            return &wc->vbds[i];
    return NULL;
}

/* The core's number of a backing device, WARMCACHE_DISKS: none. */
static unsigned int find_disk(const struct warmcache *wc, uint64_t disk)
{
    unsigned int i;

    for ( i = 0; i < WARMCACHE_DISKS && wc->disks[i] != disk; i++ )
        ;
    return disk ? i : WARMCACHE_DISKS;
}

static unsigned int make_disk(struct warmcache *wc, uint64_t disk)
{
    unsigned int i = find_disk(wc, disk);

    if ( i < WARMCACHE_DISKS || !disk )
        return i;
    i = wc->next_disk++ % WARMCACHE_DISKS;
    if ( wc->disks[i] )
    {
        unsigned int v;

        /* Of the disk that had this number nothing is believed any more. */
        cache_io_range_begin(wc->core, i, 0, ~0ULL, WCR_IO_DISCARD);
        cache_io_range_end(wc->core, i, 0, ~0ULL, WCR_IO_DISCARD);
        for ( v = 0; v < WARMCACHE_DISKS; v++ )
            if ( wc->vbds[v].disk == i )
                wc->vbds[v].known = false;
    }
    wc->disks[i] = disk;
    return i;
}

/* A request tells where its virtual disk lies. */
static void learn_vbd(struct warmcache *wc, const struct wcr_io *io,
                      unsigned int disk)
{
    struct warmcache_vbd *vbd = (void *)warmcache_find_vbd(wc, io->vbd);
    unsigned int i;

    for ( i = 0; !vbd && i < WARMCACHE_DISKS; i++ )
        if ( !wc->vbds[i].known )
            vbd = &wc->vbds[i];
    if ( vbd )
        *vbd = (struct warmcache_vbd){
            .start = io->start, .vbd = io->vbd, .disk = disk, .known = true,
        };
}

void warmcache_name_vbd(const struct warmcache *wc, struct wcr_page_info *page)
{
    unsigned int i;

    for ( i = 0; i < WARMCACHE_DISKS; i++ )
        if ( wc->vbds[i].known && wc->vbds[i].disk == page->vbd &&
             page->sector >= wc->vbds[i].start )
        {
            page->vbd = wc->vbds[i].vbd;
            page->sector -= wc->vbds[i].start;
            return;
        }
    page->vbd = 0;
}

/* ---- pages ---------------------------------------------------------- */

struct io_page {
    struct page_info *pg;
    uint64_t pfn;
    uint64_t sector;            /* of the backing device */
    enum wcr_begin begin;
    unsigned int writers;       /* that there may be */
    bool whole;                 /* a whole block */
    bool referenced;
    bool watched;
    bool stored;                /* before it was watched */
};

/* At most CHUNK pages of a request. */
struct io_chunk {
    struct io_page pages[CHUNK];
    unsigned int nr;
    unsigned int disk;          /* the core's number */
};

/*
 * A frame that is known needs no reference: its word cannot change while the
 * cache's lock is held, and if it did before, the core does not know the frame
 * any more.
 */
static bool get_io_page(struct domain *d, const struct warmcache *wc,
                        struct io_page *page)
{
    unsigned long mfn = mfn_x(page_to_mfn(page->pg));

    page->pfn = warmcache_pfn(mfn);
    page->referenced = page->pfn == WCR_NO_PFN;
    if ( !page->referenced )
        return true;
    page->pg = get_page_from_mfn(_mfn(mfn), d);
    if ( !page->pg )
        return false;
    page->pfn = get_gpfn_from_mfn(mfn);
    if ( page->pfn < wc->frames && !is_special_page(page->pg) )
        return true;
    put_page(page->pg);
    return false;
}

/* Under the cache's lock. */
static bool is_still_known(const struct domain *d, const struct page_info *pg,
                           uint64_t pfn)
{
    return warmcache_pfn(mfn_x(page_to_mfn(pg))) == pfn &&
           page_get_owner(pg) == d;
}

static void get_chunk(struct domain *d, struct warmcache *wc,
                      const struct wcr_io_seg *segs, unsigned int nr,
                      uint64_t sector, struct io_chunk *ret)
{
    unsigned int i;

    ret->nr = 0;
    for ( i = 0; i < nr; sector += segs[i++].sectors )
    {
        struct io_page *page = &ret->pages[ret->nr];

        if ( !mfn_valid(_mfn(segs[i].mfn)) )
            continue;
        page->pg = mfn_to_page(_mfn(segs[i].mfn));
        page->sector = sector;
        page->whole = segs[i].sectors == WCR_BLOCK_SECTORS && !segs[i].offset;
        ret->nr += get_io_page(d, wc, page);
    }
}

static void put_chunk(struct io_chunk *chunk)
{
    unsigned int i;

    for ( i = 0; i < chunk->nr; i++ )
        if ( chunk->pages[i].referenced )
            put_page(chunk->pages[i].pg);
}

/* From here on a store shows. */
static void watch_pages(struct domain *d, struct warmcache *wc,
                        struct io_chunk *chunk, unsigned int op)
{
    struct warmcache_walk walk = { .d = d, .wc = wc };
    bool flush = false;
    unsigned int i;

    for ( i = 0; i < chunk->nr; i++ )
    {
        struct io_page *page = &chunk->pages[i];
        int mapped;

        if ( page->begin == WCR_BEGIN_IGNORE )
            continue;
        page->stored = false;
        mapped = warmcache_look(&walk, page->pfn, page_to_mfn(page->pg), true,
                                &page->stored);
        page->watched = mapped >= 0;
        /* During a read the grant's own mapping is the one other writer. */
        page->writers = mapped + (op == WCR_IO_READ);
        /* Even if it was clear: who cleared it may not have flushed yet. */
        flush = true;
    }
    warmcache_walk_end(&walk);
    if ( flush )
        flush_tlb_mask(d->dirty_cpumask);
}

static enum wcr_begin begin_page(struct domain *d, struct warmcache *wc,
                                 const struct io_page *page, unsigned int disk,
                                 unsigned int op)
{
    unsigned long mfn = mfn_x(page_to_mfn(page->pg));
    enum wcr_begin begin;

    if ( !page->referenced && !is_still_known(d, page->pg, page->pfn) )
        return WCR_BEGIN_IGNORE;
    begin = cache_io_begin(wc->core, page->pfn, mfn, disk, page->sector, op,
                           page->whole);
    /* Before it is watched: who takes a reference after that must tell. */
    if ( cache_knows(wc->core, page->pfn, mfn) )
        warmcache_frames[mfn] = (page->pfn + 1) | WARMCACHE_WATCHED;
    return begin;
}

static void begin_chunk(struct domain *d, struct warmcache *wc,
                        struct io_chunk *chunk, unsigned int op)
{
    unsigned int i;

    spin_lock(&wc->lock);
    for ( i = 0; i < chunk->nr; i++ )
        chunk->pages[i].begin =
            warmcache_lives(wc, d)
                ? begin_page(d, wc, &chunk->pages[i], chunk->disk, op)
                : WCR_BEGIN_IGNORE;
    spin_unlock(&wc->lock);

    watch_pages(d, wc, chunk, op);

    spin_lock(&wc->lock);
    for ( i = 0; i < chunk->nr && warmcache_lives(wc, d); i++ )
    {
        const struct io_page *page = &chunk->pages[i];
        unsigned long mfn = mfn_x(page_to_mfn(page->pg));

        if ( page->begin == WCR_BEGIN_IGNORE )
            continue;
        if ( !page->watched || warmcache_writers(page->pg) > page->writers )
            cache_spoil(wc->core, page->pfn, mfn);
        else if ( page->stored && page->begin == WCR_BEGIN_TELL )
            cache_stored_before(wc->core, page->pfn, mfn);
    }
    spin_unlock(&wc->lock);
}

static void end_segs(struct domain *d, struct warmcache *wc,
                     const struct wcr_io *io, unsigned int disk,
                     const struct wcr_io_seg *segs, unsigned int nr,
                     uint64_t sector)
{
    unsigned int i;

    spin_lock(&wc->lock);
    for ( i = 0; i < nr && warmcache_lives(wc, d);
          sector += segs[i++].sectors )
    {
        bool ok = !io->status && segs[i].sectors == WCR_BLOCK_SECTORS &&
                  !segs[i].offset;
        unsigned long mfn = segs[i].mfn;
        struct page_info *pg;
        uint64_t pfn;

        if ( !mfn_valid(_mfn(mfn)) )
            continue;
        pg = mfn_to_page(_mfn(mfn));
        pfn = warmcache_pfn(mfn);
        if ( !is_still_known(d, pg, pfn) ||
             !cache_io_end(wc->core, pfn, mfn, disk, sector, io->op, ok) )
            continue;
        /* Either we see the writer's reference, or its A sees REUSABLE. */
        smp_mb();
        if ( warmcache_writers(pg) > 1 )
            cache_spoil(wc->core, pfn, mfn);
    }
    spin_unlock(&wc->lock);
}

/* Every page of the request. */
static int io_pages(struct domain *d, struct warmcache *wc,
                    const struct wcr_io *io, unsigned int disk)
{
    uint64_t sector = io->start + io->sector, end = sector + io->sectors;
    struct io_chunk chunk = { .disk = disk };
    struct wcr_io_seg segs[CHUNK];
    unsigned int i, j, n;

    for ( i = 0; i < io->nr; i += n )
    {
        n = min(io->nr - i, CHUNK + 0U);
        if ( read_entries(segs, io->segs, i, n, sizeof(*segs)) )
            return -EFAULT;
        if ( io->phase == WCR_IO_BEGIN )
        {
            get_chunk(d, wc, segs, n, sector, &chunk);
            begin_chunk(d, wc, &chunk, io->op);
            put_chunk(&chunk);
        }
        else
            end_segs(d, wc, io, disk, segs, n, sector);
        for ( j = 0; j < n; j++ )
            sector += segs[j].sectors;
    }
    return sector == end ? 0 : -EINVAL;
}

/*
 * A change of the disk begins or ends, in one cache that knows the disk;
 * false: it does not. Of a disk, not of a domain: a predecessor that is dying
 * changes it, too.
 */
static bool announce_to(struct warmcache *wc, const struct wcr_io *io,
                        uint64_t sector, uint64_t sectors)
{
    unsigned int disk = WARMCACHE_DISKS;

    if ( !wc->core )
        return false;
    spin_lock(&wc->lock);
    if ( wc->core )
        disk = find_disk(wc, io->disk);
    if ( disk < WARMCACHE_DISKS && io->phase == WCR_IO_BEGIN )
        cache_io_range_begin(wc->core, disk, sector, sectors, io->op);
    else if ( disk < WARMCACHE_DISKS )
        cache_io_range_end(wc->core, disk, sector, sectors, io->op);
    spin_unlock(&wc->lock);
    return disk < WARMCACHE_DISKS;
}

/* True: somebody's cache knows the disk. */
static bool announce(const struct wcr_io *io, uint64_t sector,
                     uint64_t sectors)
{
    bool known = false;
    unsigned int i;

    if ( io->op == WCR_IO_READ )
        return false;
    for ( i = 0; i < WARMCACHE_SLOTS; i++ )
        known |= announce_to(&warmcache_slots[i], io, sector, sectors);
    return known;
}

/* The disk's number in its domain's own cache, WARMCACHE_DISKS: none. */
static unsigned int own_disk(struct warmcache *wc, struct domain *d,
                             const struct wcr_io *io)
{
    unsigned int disk = WARMCACHE_DISKS;

    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, d) )
    {
        disk = io->phase == WCR_IO_BEGIN ? make_disk(wc, io->disk)
                                         : find_disk(wc, io->disk);
        if ( disk < WARMCACHE_DISKS && io->phase == WCR_IO_BEGIN )
        {
            learn_vbd(wc, io, disk);
            wc->io_requests++;
        }
    }
    spin_unlock(&wc->lock);
    return disk;
}

static int io_one(const struct wcr_io *io, struct warmcache **ret_wc)
{
    unsigned int disk = WARMCACHE_DISKS;
    bool begin = io->phase == WCR_IO_BEGIN, known;
    struct warmcache *wc;
    struct domain *d;
    int rc = 0;

    if ( io->op > WCR_IO_DISCARD || io->phase > WCR_IO_END ||
         io->nr > WCR_BATCH_MAX || (io->op == WCR_IO_DISCARD && io->nr) )
        return -EINVAL;
    d = rcu_lock_domain_by_id(io->domid);
    wc = d ? d->warmcache : NULL;
    if ( wc )
    {
        *ret_wc = wc;
        disk = own_disk(wc, d, io);
    }
    /* A page's I/O lies within that of its range. */
    known = begin && announce(io, io->start + io->sector, io->sectors);
    /* Pages are the guest's only once it has told where its direct map is. */
    if ( disk < WARMCACHE_DISKS && io->nr && wc->direct_map )
        rc = io_pages(d, wc, io, disk);
    if ( !begin )
        announce(io, io->start + io->sector, io->sectors);
    else if ( rc )
    {
        const struct wcr_io end = {
            .disk = io->disk, .op = io->op, .phase = WCR_IO_END,
        };

        /* The backend goes on without us: all of the disk may change now. */
        announce(io, 0, ~0ULL);
        announce(&end, 0, ~0ULL);
        announce(&end, io->start + io->sector, io->sectors);
    }
    else if ( disk == WARMCACHE_DISKS && !known )
        rc = -ENOENT;
    if ( d )
        rcu_unlock_domain(d);
    return rc;
}

int warmcache_op_io(XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct warmcache *wc = NULL;
    struct wcr_io_batch op;
    struct wcr_io io;
    int rc = read_arg(&op, arg, sizeof(op));

    if ( rc )
        return rc;
    if ( op.nr > WCR_BATCH_MAX )
        return -E2BIG;
    while ( op.nr )
    {
        rc = read_entries(&io, op.ios, 0, 1, sizeof(io));
        if ( rc )
            break;
        rc = io_one(&io, &wc);
        op.ios += sizeof(io);
        op.nr--;
        if ( op.nr && hypercall_preempt_check() )
            return write_arg(arg, &op, sizeof(op)) ?: -ERESTART;
    }
    if ( wc )
        wc->io_calls++;
    return rc;
}
