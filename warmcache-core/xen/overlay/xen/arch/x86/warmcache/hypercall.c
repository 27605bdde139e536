/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The warm-cache hypercall (wcr_abi.h). Every argument may be hostile:
 * sizes are bounded by WCR_BATCH_MAX, buffers are copied entry by entry, frames
 * are taken only with a reference and only if the domain in question owns them.
 */
#include <xen/event.h>
#include <xen/guest_access.h>
#include <xen/hypercall.h>

#include "private.h"

static int read_arg(void *ret, XEN_GUEST_HANDLE_PARAM(void) arg, size_t size)
{
    return raw_copy_from_guest(ret, arg.p, size) ? -EFAULT : 0;
}

static int write_arg(XEN_GUEST_HANDLE_PARAM(void) arg, const void *from, size_t size)
{
    return raw_copy_to_guest(arg.p, from, size) ? -EFAULT : 0;
}

static int read_entry(void *ret, uint64_t array, unsigned int i, size_t size)
{
    return raw_copy_from_guest(ret, (const void *)(array + i * size), size) ? -EFAULT : 0;
}

static int write_entry(uint64_t array, unsigned int i, const void *from, size_t size)
{
    return raw_copy_to_guest((void *)(array + i * size), from, size) ? -EFAULT : 0;
}

/* ---- the guest, about itself ---------------------------------------- */

/*
 * A page handed back and not yet claimed, from *pfn on, which moves on; false: none
 * this time, and none at all once *pfn is WCR_NO_PFN.
 */
static bool next_retained(struct domain *d, struct warmcache *wc, uint64_t *pfn,
                          struct wcr_page_info *ret_page)
{
    uint64_t at = WCR_NO_PFN;

    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, d) && cache_pages_unclaimed(wc->core) )
        at = cache_next(wc->core, *pfn, WCR_PAGE_RETAINED, ret_page, pfn);
    else
        *pfn = WCR_NO_PFN;
    spin_unlock(&wc->lock);
    return at != WCR_NO_PFN && !(ret_page->flags & (WCR_PAGE_HELD | WCR_PAGE_REUSED));
}

static int op_register(struct domain *d, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct wcr_register op;
    struct warmcache *wc;
    int rc = read_arg(&op, arg, sizeof(op));

    if ( rc )
        return rc;
    wc = warmcache_of(d);
    if ( !wc )
        return -ENOENT;
    /* Bounds what the tables of a guest may grow to: about 2% of its memory. */
    if ( op.version != WCR_ABI_VERSION || op.capacity > 2UL * d->max_pages ||
         (op.direct_map_base & ~PAGE_MASK) ||
         !__addr_ok(op.direct_map_base) || op.direct_map_base < (1UL << 63) ||
         op.direct_map_base + (op.capacity << PAGE_SHIFT) < op.direct_map_base )
        return -EINVAL;

    spin_lock(&wc->lock);
    rc = warmcache_lives(wc, d) ? cache_set_capacity(wc->core, op.capacity) : -ENOENT;
    if ( !rc )
    {
        wc->direct_map = op.direct_map_base;
        wc->frames = op.capacity;
        op.mode = cache_mode(wc->core);
        op.retained = cache_pages_unclaimed(wc->core);
    }
    spin_unlock(&wc->lock);
    return rc ?: write_arg(arg, &op, sizeof(op));
}

/*
 * The guest may have put another frame behind a PFN. A frame's word and the table
 * always name each other, or neither does.
 */
static void forget_other_frame(struct warmcache *wc, uint64_t pfn, mfn_t mfn)
{
    struct wcr_page_info page;

    if ( !cache_page(wc->core, pfn, &page) || page.mfn == mfn_x(mfn) ||
         (page.flags & WCR_PAGE_HELD) )
        return;
    cache_forget(wc->core, pfn);
    if ( warmcache_frames[page.mfn] == pfn + 1 )
        warmcache_frames[page.mfn] = 0;
}

static int map_update_one(struct domain *d, struct warmcache *wc,
                          const struct wcr_map_entry *entry)
{
    struct wcr_key key = {
        .inode = entry->inode, .index = entry->index, .fs_id = entry->fs_id,
    };
    struct page_info *pg;
    mfn_t mfn;
    int rc = 0;

    if ( entry->op == WCR_MAP_REMOVE )
    {
        spin_lock(&wc->lock);
        if ( warmcache_lives(wc, d) )
            cache_map_remove(wc->core, entry->pfn);
        spin_unlock(&wc->lock);
        return 0;
    }
    if ( entry->op != WCR_MAP_ADD || entry->pfn >= wc->frames )
        return -EINVAL;

    /* A PV guest names frames by PFN; its p2m is its own, the M2P is ours to check. */
    mfn = _mfn(entry->mfn);
    pg = mfn_valid(mfn) ? get_page_from_mfn(mfn, d) : NULL;
    if ( !pg )
        return -EINVAL;
    if ( is_special_page(pg) || get_gpfn_from_mfn(mfn_x(mfn)) != entry->pfn )
        rc = -EINVAL;
    else
    {
        uint64_t known;

        spin_lock(&wc->lock);
        known = warmcache_frames[mfn_x(mfn)];
        if ( !warmcache_lives(wc, d) || (known && known != entry->pfn + 1) )
            rc = -EINVAL;
        else
        {
            forget_other_frame(wc, entry->pfn, mfn);
            rc = cache_map_add(wc->core, entry->pfn, mfn_x(mfn), &key);
        }
        if ( !rc )
            warmcache_watch(mfn, entry->pfn);
        spin_unlock(&wc->lock);
    }
    put_page(pg);
    return rc;
}

static int op_map_update(struct domain *d, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct warmcache *wc = d->warmcache;
    struct wcr_map_update op;
    struct wcr_map_entry entry;
    unsigned int i;
    int rc = read_arg(&op, arg, sizeof(op));

    if ( rc )
        return rc;
    if ( op.nr > WCR_BATCH_MAX )
        return -E2BIG;
    if ( !wc || !wc->direct_map )
        return -ENOENT;
    for ( i = 0; i < op.nr && !rc; i++ )
        rc = read_entry(&entry, op.entries, i, sizeof(entry)) ?:
             map_update_one(d, wc, &entry);
    return rc;
}

static int op_retained_list(struct domain *d, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct warmcache *wc = d->warmcache;
    struct wcr_retained_list op;
    struct wcr_page_info page;
    unsigned int room;
    int rc = read_arg(&op, arg, sizeof(op));

    if ( rc )
        return rc;
    if ( op.nr > WCR_BATCH_MAX )
        return -E2BIG;
    if ( !wc )
        return -ENOENT;
    for ( room = op.nr, op.nr = 0; op.nr < room && op.first_pfn != WCR_NO_PFN; )
    {
        struct wcr_map_entry entry = {};

        if ( !next_retained(d, wc, &op.first_pfn, &page) )
        {
            if ( !hypercall_preempt_check() || op.first_pfn == WCR_NO_PFN )
                continue;
            if ( op.nr )
                break;
            /* An empty answer would be the end. */
            op.nr = room;
            return write_arg(arg, &op, sizeof(op)) ?: -ERESTART;
        }
        entry.pfn = page.pfn;
        entry.inode = page.inode;
        entry.index = page.index;
        entry.fs_id = page.fs_id;
        entry.op = page.flags;
        rc = write_entry(op.entries, op.nr, &entry, sizeof(entry));
        if ( rc )
            return rc;
        op.nr++;
    }
    return write_arg(arg, &op, sizeof(op));
}

static int op_reuse(struct domain *d, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct warmcache *wc = d->warmcache;
    struct wcr_reuse_entry entry;
    struct wcr_page_info page;
    struct wcr_reuse op;
    unsigned int i;
    int rc = read_arg(&op, arg, sizeof(op));

    if ( rc )
        return rc;
    if ( op.nr > WCR_BATCH_MAX )
        return -E2BIG;
    if ( !wc )
        return -ENOENT;
    for ( i = 0; i < op.nr; i++ )
    {
        rc = read_entry(&entry, op.entries, i, sizeof(entry));
        if ( rc )
            return rc;
        entry.status = -ESTALE;
        spin_lock(&wc->lock);
        /* The frame that the cache knows must still be this domain's frame there. */
        if ( warmcache_lives(wc, d) && entry.pfn < wc->frames &&
             cache_page(wc->core, entry.pfn, &page) &&
             page_get_owner(mfn_to_page(_mfn(page.mfn))) == d &&
             get_gpfn_from_mfn(page.mfn) == entry.pfn )
            entry.status = cache_reuse(wc->core, entry.pfn, page.mfn, op.vbd,
                                       entry.sector);
        spin_unlock(&wc->lock);
        rc = write_entry(op.entries, i, &entry, sizeof(entry));
        if ( rc )
            return rc;
    }
    return 0;
}

static int op_boot_done(struct domain *d)
{
    struct warmcache *wc = d->warmcache;

    if ( !wc )
        return -ENOENT;
    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, d) )
        wc->booting = false;
    spin_unlock(&wc->lock);
    /* What the new life did not ask for, nobody will. */
    return warmcache_release(wc, 1024) ? 0 : -ERESTART;
}

/* ---- the backend ---------------------------------------------------- */

#define IO_CHUNK 32     /* pages protected between two TLB flushes */

struct io_page {
    struct page_info *pg;       /* referenced */
    uint64_t pfn;
};

/* A reference to the segment's frame if it is `d`'s and a cache knows it. */
static bool io_page_get(struct domain *d, const struct wcr_io_seg *seg,
                        struct io_page *ret)
{
    mfn_t mfn = _mfn(seg->mfn);

    if ( !mfn_valid(mfn) || !warmcache_frames[mfn_x(mfn)] )
        return false;
    ret->pg = get_page_from_mfn(mfn, d);
    if ( !ret->pg )
        return false;
    ret->pfn = (uint64_t)warmcache_frames[mfn_x(mfn)] - 1;
    return true;
}

static void io_page_refuse(struct warmcache *wc, const struct io_page *page)
{
    spin_lock(&wc->lock);
    if ( wc->core )
    {
        cache_spoil(wc->core, page->pfn, mfn_x(page_to_mfn(page->pg)));
        cache_count_protect(wc->core, false);
    }
    spin_unlock(&wc->lock);
}

/*
 * Whether a processor may still hold a writable translation of the frame. The time stamp
 * tells only where no type reference is left, which dropping the last one recorded.
 */
static bool may_be_cached(const struct domain *d, const struct page_info *pg)
{
    cpumask_t *mask = this_cpu(scratch_cpumask);

    if ( warmcache_writers(pg) )
        return !cpumask_empty(d->dirty_cpumask);
    cpumask_copy(mask, d->dirty_cpumask);
    tlbflush_filter(mask, pg->tlbflush_timestamp);
    return !cpumask_empty(mask);
}

static bool seg_is_block(const struct wcr_io_seg *seg)
{
    return seg->sectors == WCR_BLOCK_SECTORS && !seg->offset;
}

static int io_begin_chunk(struct domain *d, struct warmcache *wc, const struct wcr_io *op,
                          unsigned int first, unsigned int last)
{
    struct io_page pages[IO_CHUNK];
    struct wcr_io_seg seg;
    unsigned int i, n = 0, allowed = op->op == WCR_IO_READ;
    bool flush = false;
    int rc = 0;

    for ( i = first; i < last && !rc; i++ )
    {
        bool protect = false;

        rc = read_entry(&seg, op->segs, i, sizeof(seg));
        if ( rc || !io_page_get(d, &seg, &pages[n]) )
            continue;
        spin_lock(&wc->lock);
        if ( warmcache_lives(wc, d) )
            protect = cache_io_begin(wc->core, pages[n].pfn, seg.mfn, op->vbd,
                                     seg.sector, op->op, seg_is_block(&seg));
        spin_unlock(&wc->lock);
        if ( protect )
            n++;
        else
            put_page(pages[n].pg);
    }
    for ( i = 0; i < n; i++ )
    {
        if ( warmcache_protect(wc, d, pages[i].pfn, page_to_mfn(pages[i].pg)) )
            io_page_refuse(wc, &pages[i]);
        else
            flush = flush || may_be_cached(d, pages[i].pg);
    }
    if ( flush )
        flush_tlb_mask(d->dirty_cpumask);
    for ( i = 0; i < n; i++ )
    {
        /* During a read the grant's own mapping is the one writer there may be. */
        if ( warmcache_writers(pages[i].pg) > allowed )
            io_page_refuse(wc, &pages[i]);
        else
        {
            spin_lock(&wc->lock);
            if ( wc->core )
                cache_count_protect(wc->core, true);
            spin_unlock(&wc->lock);
        }
        put_page(pages[i].pg);
    }
    return rc;
}

static int io_end_one(struct domain *d, struct warmcache *wc, const struct wcr_io *op,
                      const struct wcr_io_seg *seg)
{
    struct io_page page;

    if ( !io_page_get(d, seg, &page) )
        return 0;
    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, d) &&
         cache_io_end(wc->core, page.pfn, seg->mfn, op->vbd, seg->sector, op->op,
                      !op->status && seg_is_block(seg)) )
    {
        /* Either we see the writer's reference, or its A sees REUSABLE. */
        smp_mb();
        if ( warmcache_writers(page.pg) )
            cache_spoil(wc->core, page.pfn, seg->mfn);
    }
    spin_unlock(&wc->lock);
    put_page(page.pg);
    return 0;
}

/* The sector range of the whole request: its segments are contiguous on disk. */
static int io_range(const struct wcr_io *op, uint64_t *ret_sector, uint64_t *ret_sectors)
{
    struct wcr_io_seg seg;
    uint64_t sector = 0, sectors = 0;
    unsigned int i;
    int rc;

    for ( i = 0; i < op->nr; i++ )
    {
        rc = read_entry(&seg, op->segs, i, sizeof(seg));
        if ( rc )
            return rc;
        if ( !i )
            sector = seg.sector;
        else if ( seg.sector != sector + sectors )
            return -EINVAL;
        sectors += seg.sectors;
    }
    *ret_sector = sector;
    *ret_sectors = sectors;
    return 0;
}

/* Of the disk, not of a domain: a predecessor that is dying still changes it. */
static void io_range_announce(struct warmcache *wc, const struct domain *d,
                              const struct wcr_io *op, uint64_t sector, uint64_t sectors,
                              bool begin, bool end)
{
    spin_lock(&wc->lock);
    if ( wc->core && !memcmp(cache_uuid(wc->core), d->handle, sizeof(d->handle)) )
    {
        if ( begin )
            cache_io_range_begin(wc->core, op->vbd, sector, sectors, op->op);
        if ( end )
            cache_io_range_end(wc->core, op->vbd, sector, sectors, op->op);
    }
    spin_unlock(&wc->lock);
}

static int op_io(unsigned int cmd, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    bool begin = cmd == WCR_OP_io_begin, pages;
    struct wcr_io op;
    struct wcr_io_seg seg;
    struct warmcache *wc;
    struct domain *d;
    uint64_t sector, sectors;
    unsigned int i;
    int rc = read_arg(&op, arg, sizeof(op));

    if ( rc )
        return rc;
    if ( op.op > WCR_IO_DISCARD )
        return -EINVAL;
    d = rcu_lock_domain_by_id(op.domid);
    if ( !d )
        return -ENOENT;
    wc = d->warmcache;
    if ( !wc )
    {
        rc = -ENOENT;
        goto out;
    }
    /* Pages are the guest's only once it has told where its direct map is. */
    pages = op.op != WCR_IO_DISCARD && wc->direct_map;
    rc = op.nr > WCR_BATCH_MAX ? -E2BIG : io_range(&op, &sector, &sectors);
    if ( !rc && begin )
    {
        io_range_announce(wc, d, &op, sector, sectors, true, false);
        for ( i = 0; pages && i < op.nr && !rc; i += IO_CHUNK )
            rc = io_begin_chunk(d, wc, &op, i, min(op.nr, i + IO_CHUNK));
        if ( rc )
            io_range_announce(wc, d, &op, sector, sectors, false, true);
    }
    else if ( !rc )
    {
        for ( i = 0; pages && i < op.nr && !rc; i++ )
            rc = read_entry(&seg, op.segs, i, sizeof(seg)) ?:
                 io_end_one(d, wc, &op, &seg);
        io_range_announce(wc, d, &op, sector, sectors, false, true);
    }
    /* The backend goes on without us: whatever this disk holds may change now. */
    if ( rc && begin && op.op != WCR_IO_READ )
        io_range_announce(wc, d, &op, 0, ~0ULL, true, true);
 out:
    rcu_unlock_domain(d);
    return rc;
}

/* ---- administration ------------------------------------------------- */

static int op_set_policy(XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct wcr_policy op;
    struct domain *d;
    int rc = read_arg(&op, arg, sizeof(op)) ?:
             warmcache_set_policy(op.uuid, op.mode, op.max_pages);

    if ( rc )
        return rc;
    /* A domain that lives already gets it now; a later one when it is populated. */
    rcu_read_lock(&domlist_read_lock);
    for_each_domain ( d )
        if ( !memcmp(d->handle, op.uuid, sizeof(op.uuid)) )
            warmcache_of(d);
    rcu_read_unlock(&domlist_read_lock);
    return 0;
}

static int op_list(XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct wcr_cache_info info;
    struct wcr_list op;
    unsigned int i, room, total = 0;
    int rc = read_arg(&op, arg, sizeof(op));

    if ( rc )
        return rc;
    room = op.nr;
    op.nr = 0;
    for ( i = 0; i < WARMCACHE_SLOTS; i++ )
    {
        struct warmcache *wc = &warmcache_slots[i];
        bool used;

        spin_lock(&wc->lock);
        used = wc->core;
        if ( used )
        {
            cache_info(wc->core, &info);
            info.domid = wc->d ? wc->d->domain_id : DOMID_INVALID;
        }
        spin_unlock(&wc->lock);
        if ( !used )
            continue;
        total++;
        if ( op.nr >= room )
            continue;
        rc = write_entry(op.entries, op.nr++, &info, sizeof(info));
        if ( rc )
            return rc;
    }
    return write_arg(arg, &op, sizeof(op)) ?: total;
}

/* A slot stays a slot: looking it up and using it need not be one step. */
static struct warmcache *find(const uint8_t uuid[16])
{
    struct warmcache *wc;

    spin_lock(&warmcache_slots_lock);
    wc = warmcache_find(uuid);
    spin_unlock(&warmcache_slots_lock);
    return wc;
}

static int op_pages(XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct wcr_page_info page;
    struct warmcache *wc;
    struct wcr_pages op;
    unsigned int room;
    int rc = read_arg(&op, arg, sizeof(op));

    if ( rc )
        return rc;
    if ( op.nr > WCR_BATCH_MAX )
        return -E2BIG;
    wc = find(op.uuid);
    if ( !wc )
        return -ENOENT;
    for ( room = op.nr, op.nr = 0; op.nr < room && op.first_pfn != WCR_NO_PFN; )
    {
        uint64_t pfn = WCR_NO_PFN;

        spin_lock(&wc->lock);
        if ( wc->core )
            pfn = cache_next(wc->core, op.first_pfn, 0, &page, &op.first_pfn);
        else
            op.first_pfn = WCR_NO_PFN;
        spin_unlock(&wc->lock);
        if ( pfn == WCR_NO_PFN )
            continue;
        page.flags &= ~WCR_PAGE_HELD;
        rc = write_entry(op.entries, op.nr++, &page, sizeof(page));
        if ( rc )
            return rc;
    }
    return write_arg(arg, &op, sizeof(op));
}

static int op_read_retained(XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct wcr_read_retained op;
    struct wcr_page_info page;
    struct warmcache *wc;
    void *copy;
    int rc = read_arg(&op, arg, sizeof(op));

    if ( rc )
        return rc;
    wc = find(op.uuid);
    if ( !wc )
        return -ENOENT;
    copy = alloc_xenheap_page();
    if ( !copy )
        return -ENOMEM;
    spin_lock(&wc->lock);
    if ( !wc->core || !cache_page(wc->core, op.pfn, &page) ||
         !(page.flags & WCR_PAGE_HELD) )
        rc = -ENOENT;
    else
    {
        const void *held = map_domain_page(_mfn(page.mfn));

        copy_page(copy, held);
        unmap_domain_page(held);
    }
    spin_unlock(&wc->lock);
    if ( !rc && raw_copy_to_guest((void *)op.buffer, copy, PAGE_SIZE) )
        rc = -EFAULT;
    clear_page(copy);
    free_xenheap_page(copy);
    return rc;
}

static int op_drop(XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct wcr_drop op;

    return read_arg(&op, arg, sizeof(op)) ?: warmcache_drop(op.uuid);
}

long do_warmcache_op(unsigned int cmd, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct domain *d = current->domain;
    long rc;

    if ( !warmcache_frames )
        return -ENOSYS;
    if ( cmd >= WCR_OP_set_policy && cmd <= WCR_OP_read_retained &&
         !is_control_domain(d) )
        return -EPERM;

    switch ( cmd )
    {
    case WCR_OP_version:       return WCR_ABI_VERSION;
    case WCR_OP_register:      return op_register(d, arg);
    case WCR_OP_map_update:    return op_map_update(d, arg);
    case WCR_OP_reuse:         return op_reuse(d, arg);
    case WCR_OP_set_policy:    return op_set_policy(arg);
    case WCR_OP_io_begin:
    case WCR_OP_io_end:        return op_io(cmd, arg);
    case WCR_OP_list:          return op_list(arg);
    case WCR_OP_pages:         return op_pages(arg);
    case WCR_OP_read_retained: return op_read_retained(arg);

    case WCR_OP_retained_list: rc = op_retained_list(d, arg); break;
    case WCR_OP_boot_done:     rc = op_boot_done(d); break;
    case WCR_OP_drop:          rc = op_drop(arg); break;
    default:                   return -ENOSYS;
    }
    if ( rc == -ERESTART )
        rc = hypercall_create_continuation(__HYPERVISOR_warmcache_op, "ih", cmd, arg);
    return rc;
}
