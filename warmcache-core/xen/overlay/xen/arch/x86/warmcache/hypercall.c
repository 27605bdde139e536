/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The warm-cache hypercall (wcr_abi.h). Every argument may be hostile:
 * sizes are bounded by WCR_BATCH_MAX, buffers are copied entry by entry,
 * frames are taken only with a reference and only if the domain in question
 * owns them.
 */
#include <xen/event.h>
#include <xen/guest_access.h>
#include <xen/hypercall.h>

#include "private.h"

/* ---- the guest, about itself ---------------------------------------- */

/*
 * A page handed back and not yet claimed, from *pfn on, which moves on; false:
 * none this time, and none at all once *pfn is WCR_NO_PFN.
 */
static bool next_retained(struct domain *d, struct warmcache *wc,
                          uint64_t *pfn, struct wcr_page_info *ret_page)
{
    uint64_t at = WCR_NO_PFN;

    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, d) && cache_pages_unclaimed(wc->core) )
        at = cache_next(wc->core, *pfn, WCR_PAGE_RETAINED, ret_page, pfn);
    else
        *pfn = WCR_NO_PFN;
    spin_unlock(&wc->lock);
    return at != WCR_NO_PFN &&
           !(ret_page->flags & (WCR_PAGE_HELD | WCR_PAGE_REUSED));
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
    /* Bounds the tables of a guest: about 2% of its memory. */
    if ( op.version != WCR_ABI_VERSION || op.capacity > 2UL * d->max_pages ||
         (op.direct_map_base & ~PAGE_MASK) || !__addr_ok(op.direct_map_base) ||
         op.direct_map_base < (1UL << 63) ||
         op.capacity << PAGE_SHIFT > -op.direct_map_base )
        return -EINVAL;

    spin_lock(&wc->lock);
    rc = warmcache_lives(wc, d) ? cache_set_capacity(wc->core, op.capacity)
                                : -ENOENT;
    if ( !rc )
    {
        wc->direct_map = op.direct_map_base;
        wc->frames = op.capacity;
        op.mode = cache_mode(wc->core);
        op.retained = cache_pages_unclaimed(wc->core);
    }
    spin_unlock(&wc->lock);
    if ( rc )
        return rc;
    return write_arg(arg, &op, sizeof(op));
}

/*
 * The guest may have put another frame behind a PFN. A frame's word and the
 * table always name each other, or neither does.
 */
static bool forget_other_frame(struct warmcache *wc, uint64_t pfn)
{
    struct wcr_page_info page;

    if ( !cache_page(wc->core, pfn, &page) || (page.flags & WCR_PAGE_HELD) )
        return false;
    cache_forget(wc->core, pfn);
    if ( warmcache_pfn(page.mfn) == pfn )
        warmcache_frames[page.mfn] = 0;
    return true;
}

/* A frame that is the guest's own at a PFN, referenced; NULL: it is not. */
static struct page_info *own_frame(struct domain *d, uint64_t mfn,
                                   uint64_t pfn)
{
    struct page_info *pg =
        mfn_valid(_mfn(mfn)) ? get_page_from_mfn(_mfn(mfn), d) : NULL;

    /* A PV guest's p2m is its own, the M2P is ours to check. */
    if ( pg && (is_special_page(pg) || get_gpfn_from_mfn(mfn) != pfn) )
    {
        put_page(pg);
        pg = NULL;
    }
    return pg;
}

/*
 * Under the cache's lock. `pg` is what own_frame says; putting it takes that
 * lock, too: later.
 */
static int map_add(struct warmcache *wc, const struct wcr_map_entry *entry,
                   const struct page_info *pg)
{
    const struct wcr_key key = {
        .inode = entry->inode, .index = entry->index, .fs_id = entry->fs_id,
    };
    uint64_t known;
    int rc;

    if ( !pg || entry->pfn >= wc->frames )
        return -EINVAL;
    known = warmcache_pfn(entry->mfn);
    if ( known != WCR_NO_PFN && known != entry->pfn )
        return -EINVAL;
    rc = cache_map_add(wc->core, entry->pfn, entry->mfn, &key);
    if ( rc == -EINVAL && forget_other_frame(wc, entry->pfn) )
        rc = cache_map_add(wc->core, entry->pfn, entry->mfn, &key);
    if ( !rc )
        warmcache_frames[entry->mfn] |= entry->pfn + 1;
    return rc;
}

static void map_remove(struct warmcache *wc, uint64_t pfn)
{
    uint64_t mfn;

    if ( cache_map_remove(wc->core, pfn, &mfn) && warmcache_pfn(mfn) == pfn )
        warmcache_frames[mfn] = 0;
}

static int map_update(struct domain *d, struct warmcache *wc,
                      const struct wcr_map_entry *entries, unsigned int nr)
{
    struct page_info *pages[CHUNK] = {};
    unsigned int i;
    int rc = 0;

    for ( i = 0; i < nr; i++ )
        if ( entries[i].op == WCR_MAP_ADD )
            pages[i] = own_frame(d, entries[i].mfn, entries[i].pfn);
    spin_lock(&wc->lock);
    for ( i = 0; i < nr && !rc; i++ )
    {
        if ( !warmcache_lives(wc, d) )
            rc = -ENOENT;
        else if ( entries[i].op == WCR_MAP_ADD )
            rc = map_add(wc, &entries[i], pages[i]);
        else if ( entries[i].op == WCR_MAP_REMOVE )
            map_remove(wc, entries[i].pfn);
        else
            rc = -EINVAL;
    }
    wc->map_entries += i;
    spin_unlock(&wc->lock);
    for ( i = 0; i < nr; i++ )
        if ( pages[i] )
            put_page(pages[i]);
    return rc;
}

static int op_map_update(struct domain *d, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct warmcache *wc = d->warmcache;
    struct wcr_map_entry entries[CHUNK];
    struct wcr_map_update op;
    unsigned int i, n;
    int rc = read_arg(&op, arg, sizeof(op));

    if ( rc )
        return rc;
    if ( op.nr > WCR_BATCH_MAX )
        return -E2BIG;
    if ( !wc || !wc->direct_map )
        return -ENOENT;
    wc->map_calls++;
    for ( i = 0; i < op.nr && !rc; i += n )
    {
        n = min(op.nr - i, CHUNK + 0U);
        rc = read_entries(entries, op.entries, i, n, sizeof(*entries)) ?:
             map_update(d, wc, entries, n);
    }
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
    for ( room = op.nr, op.nr = 0;
          op.nr < room && op.first_pfn != WCR_NO_PFN; )
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
        rc = write_entries(op.entries, op.nr, 1, &entry, sizeof(entry));
        if ( rc )
            return rc;
        op.nr++;
    }
    return write_arg(arg, &op, sizeof(op));
}

/*
 * Bring what the core knows of a living guest's page up to date. False: the
 * frame is not the guest's there, or cannot be watched.
 */
static bool look_again(struct warmcache_walk *walk, struct warmcache *wc,
                       uint64_t pfn, uint64_t mfn)
{
    struct page_info *pg = own_frame(walk->d, mfn, pfn);
    bool stored = false, ok;
    int mapped = -ESRCH;

    if ( pg )
    {
        mapped = warmcache_look(walk, pfn, _mfn(mfn), false, &stored);
        ok = mapped >= 0 && warmcache_writers(pg) <= mapped;
        put_page(pg);
    }
    else
        ok = false;
    if ( stored || !ok )
    {
        spin_lock(&wc->lock);
        if ( warmcache_lives(wc, walk->d) )
            cache_store_seen(wc->core, pfn, mfn);
        spin_unlock(&wc->lock);
    }
    return ok;
}

static int reuse_one(struct warmcache_walk *walk, struct warmcache *wc,
                     const struct wcr_reuse *op,
                     const struct wcr_reuse_entry *entry)
{
    const struct warmcache_vbd *vbd;
    struct wcr_page_info page;
    int rc = -ESTALE;
    bool known;

    spin_lock(&wc->lock);
    known = warmcache_lives(wc, walk->d) && entry->pfn < wc->frames &&
            cache_page(wc->core, entry->pfn, &page) &&
            !(page.flags & WCR_PAGE_HELD);
    spin_unlock(&wc->lock);
    if ( !known || !look_again(walk, wc, entry->pfn, page.mfn) )
        return rc;

    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, walk->d) )
    {
        vbd = warmcache_find_vbd(wc, op->vbd);
        if ( vbd )
            rc = cache_reuse(wc->core, entry->pfn, page.mfn, vbd->disk,
                             vbd->start + entry->sector);
        else    /* nothing was read from it in this life yet, nor is this */
            cache_store_seen(wc->core, entry->pfn, page.mfn);
    }
    spin_unlock(&wc->lock);
    return rc;
}

static int op_reuse(struct domain *d, XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct warmcache *wc = d->warmcache;
    struct warmcache_walk walk = { .d = d, .wc = wc };
    struct wcr_reuse_entry entries[CHUNK];
    struct wcr_reuse op;
    unsigned int i, j, n;
    int rc = read_arg(&op, arg, sizeof(op));

    if ( rc )
        return rc;
    if ( op.nr > WCR_BATCH_MAX )
        return -E2BIG;
    if ( !wc || !wc->direct_map )
        return -ENOENT;
    for ( i = 0; i < op.nr && !rc; i += n )
    {
        n = min(op.nr - i, CHUNK + 0U);
        rc = read_entries(entries, op.entries, i, n, sizeof(*entries));
        if ( rc )
            break;
        for ( j = 0; j < n; j++ )
            entries[j].status = reuse_one(&walk, wc, &op, &entries[j]);
        /* A copy may fault, and the guest's tables must be free by then. */
        warmcache_walk_end(&walk);
        rc = write_entries(op.entries, i, n, entries, sizeof(*entries));
    }
    return rc;
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

/* ---- administration ------------------------------------------------- */

static int op_set_policy(XEN_GUEST_HANDLE_PARAM(void) arg)
{
    struct wcr_policy op;
    struct domain *d;
    int rc = read_arg(&op, arg, sizeof(op)) ?: warmcache_set_policy(&op);

    if ( rc )
        return rc;
    /* A living domain gets it now, a later one when it is populated. */
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
            info.max_age = wc->max_age;
            info.io_requests = wc->io_requests;
            info.io_calls = wc->io_calls;
            info.map_entries = wc->map_entries;
            info.map_calls = wc->map_calls;
        }
        spin_unlock(&wc->lock);
        if ( !used )
            continue;
        total++;
        if ( op.nr >= room )
            continue;
        rc = write_entries(op.entries, op.nr++, 1, &info, sizeof(info));
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

/* The next page at or after *pfn, which moves on; false: none this time. */
static bool next_page(struct warmcache *wc, uint64_t *pfn,
                      struct wcr_page_info *ret_page)
{
    uint64_t at = WCR_NO_PFN;

    spin_lock(&wc->lock);
    if ( wc->core )
        at = cache_next(wc->core, *pfn, 0, ret_page, pfn);
    else
        *pfn = WCR_NO_PFN;
    spin_unlock(&wc->lock);
    return at != WCR_NO_PFN;
}

/*
 * The domain that may have stored to the page since the core was told,
 * referenced.
 */
static struct domain *get_storer(struct warmcache *wc,
                                 const struct wcr_page_info *page)
{
    struct domain *d = NULL;

    spin_lock(&wc->lock);
    /* A dying one's page tables may go at any time, and tell when they do. */
    if ( wc->core && wc->d && wc->direct_map && !wc->d->is_dying &&
         !(page->flags & WCR_PAGE_HELD) &&
         (page->flags &
          (WCR_PAGE_REUSABLE | WCR_PAGE_RETAINED | WCR_PAGE_REUSED)) &&
         get_domain(wc->d) )
        d = wc->d;
    spin_unlock(&wc->lock);
    return d;
}

static void refresh_page(struct warmcache *wc, struct wcr_page_info *page)
{
    struct domain *d = get_storer(wc, page);

    if ( d )
    {
        struct warmcache_walk walk = { .d = d, .wc = wc };

        look_again(&walk, wc, page->pfn, page->mfn);
        warmcache_walk_end(&walk);
        put_domain(d);
    }
    spin_lock(&wc->lock);
    if ( !wc->core || !cache_page(wc->core, page->pfn, page) )
        page->flags = 0;
    warmcache_name_vbd(wc, page);
    spin_unlock(&wc->lock);
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
    for ( room = op.nr, op.nr = 0;
          op.nr < room && op.first_pfn != WCR_NO_PFN && !rc; )
    {
        if ( !next_page(wc, &op.first_pfn, &page) )
            continue;
        refresh_page(wc, &page);
        page.flags &= ~WCR_PAGE_HELD;
        if ( page.flags )
            rc = write_entries(op.entries, op.nr++, 1, &page, sizeof(page));
    }
    return rc ?: write_arg(arg, &op, sizeof(op));
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
    case WCR_OP_list:          return op_list(arg);
    case WCR_OP_pages:         return op_pages(arg);
    case WCR_OP_read_retained: return op_read_retained(arg);

    case WCR_OP_retained_list: rc = op_retained_list(d, arg); break;
    case WCR_OP_boot_done:     rc = op_boot_done(d); break;
    case WCR_OP_io:            rc = warmcache_op_io(arg); break;
    case WCR_OP_drop:          rc = op_drop(arg); break;
    default:                   return -ENOSYS;
    }
    if ( rc == -ERESTART )
        rc = hypercall_create_continuation(__HYPERVISOR_warmcache_op, "ih",
                                           cmd, arg);
    return rc;
}
