/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The caches of the host, and the pages that outlive their domain.
 *
 * A held page belongs to nobody: no owner, no reference, no M2P entry. It
 * leaves only through warmcache_populate, to a domain of the same UUID, or
 * through the heap, which scrubs it.
 */
#include <xen/err.h>
#include <xen/event.h>
#include <xen/init.h>
#include <xen/param.h>
#include <xen/timer.h>

#include <public/sched.h>

#include "private.h"

static bool __initdata opt_warmcache;
boolean_param("warmcache", opt_warmcache);

/* Seconds to keep pages for a domain that does not come back; 0: for ever. */
static unsigned int __read_mostly opt_warmcache_age = 600;
integer_param("warmcache_age", opt_warmcache_age);

uint32_t *__read_mostly warmcache_frames;
struct warmcache warmcache_slots[WARMCACHE_SLOTS];
DEFINE_SPINLOCK(warmcache_slots_lock);

#define AGE_PERIOD SECONDS(5)   /* how exactly an age is kept */
#define RELEASE_BATCH 64        /* pages freed between looks at the world */
#define EXTENT (1U << PAGE_ORDER_2M)    /* pages of a large one */

static void *core_alloc_page(void *ctx)
{
    void *page = alloc_xenheap_page();

    if ( page )
        clear_page(page);
    return page;
}

static void core_free_page(void *ctx, void *page)
{
    free_xenheap_page(page);
}

static const struct wcr_core_ops core_ops = {
    .alloc_page = core_alloc_page,
    .free_page = core_free_page,
};

/* Pages held by all caches. */
static atomic_t pages_held = ATOMIC_INIT(0);

static struct timer age_timer;
static void cf_check age(void *unused);

static int __init cf_check warmcache_init(void)
{
    unsigned long size = max_page * sizeof(*warmcache_frames);
    unsigned int i, order = get_order_from_bytes(size);

    for ( i = 0; i < WARMCACHE_SLOTS; i++ )
        spin_lock_init(&warmcache_slots[i].lock);
    if ( !opt_warmcache )
        return 0;
    warmcache_frames = alloc_xenheap_pages(order, 0);
    if ( !warmcache_frames )
    {
        printk(XENLOG_ERR "warmcache: no memory for %lu frames, staying off\n",
               max_page);
        return -ENOMEM;
    }
    memset(warmcache_frames, 0, PAGE_SIZE << order);
    init_timer(&age_timer, age, NULL, 0);
    set_timer(&age_timer, NOW() + AGE_PERIOD);
    printk("warmcache: on, ABI %u, %lu KiB of frame table\n", WCR_ABI_VERSION,
           (PAGE_SIZE << order) >> 10);
    return 0;
}
presmp_initcall(warmcache_init);

/* ---- caches by UUID ------------------------------------------------- */

struct warmcache *warmcache_find(const uint8_t uuid[16])
{
    unsigned int i;

    ASSERT(spin_is_locked(&warmcache_slots_lock));
    for ( i = 0; i < WARMCACHE_SLOTS; i++ )
        if ( warmcache_slots[i].core &&
             !memcmp(cache_uuid(warmcache_slots[i].core), uuid, 16) )
            return &warmcache_slots[i];
    return NULL;
}

/* Why a domain cannot have a cache; NULL: it can. */
static const char *unfit(const struct domain *d)
{
    if ( d->is_dying )
        return "it is dying";
    if ( !is_pv_64bit_domain(d) || is_hardware_domain(d) )
        return "it is not a 64-bit PV guest";
    /* A device's own stores would go unseen. */
    if ( is_iommu_enabled(d) )
        return "devices may be passed through to it";
    return NULL;
}

/* Under warmcache_slots_lock. */
static struct warmcache *attach(struct domain *d)
{
    struct warmcache *wc = warmcache_find(d->handle);
    const char *why;

    if ( !wc )
        return NULL;
    why = unfit(d);
    spin_lock(&wc->lock);
    if ( !why && wc->d && wc->d != d && !wc->d->is_dying )
        why = "another domain bears its UUID";
    if ( why )
    {
        spin_unlock(&wc->lock);
        printk(XENLOG_G_WARNING "warmcache: %pd gets no cache: %s\n", d, why);
        return NULL;
    }
    /* A dying predecessor keeps its pointer: its last I/O changes the disk. */
    cache_begin_life(wc->core);
    wc->d = d;
    wc->direct_map = 0;
    wc->frames = 0;
    wc->booting = true;
    memset(wc->vbds, 0, sizeof(wc->vbds));
    memset(wc->tables, 0, sizeof(wc->tables));
    d->warmcache = wc;
    spin_unlock(&wc->lock);
    return wc;
}

struct warmcache *warmcache_of(struct domain *d)
{
    struct warmcache *wc = d->warmcache;

    if ( wc || !warmcache_frames )
        return wc;
    spin_lock(&warmcache_slots_lock);
    wc = d->warmcache ?: attach(d);
    spin_unlock(&warmcache_slots_lock);
    return wc;
}

int warmcache_set_policy(const struct wcr_policy *policy)
{
    static const uint8_t none[sizeof(policy->uuid)];
    struct warmcache *wc;
    unsigned int i;
    int rc = 0;

    if ( policy->mode > WCR_MODE_DISABLED ||
         !memcmp(policy->uuid, none, sizeof(none)) )
        return -EINVAL;
    spin_lock(&warmcache_slots_lock);
    wc = warmcache_find(policy->uuid);
    for ( i = 0; !wc && i < WARMCACHE_SLOTS; i++ )
        if ( !warmcache_slots[i].core )
        {
            wc = &warmcache_slots[i];
            wc->core = cache_create(&core_ops, NULL, policy->uuid);
            if ( !wc->core )
                rc = -ENOMEM;
            break;
        }
    if ( !wc )
        rc = -ENOSPC;
    if ( !rc )
    {
        spin_lock(&wc->lock);
        rc = cache_set_mode(wc->core, policy->mode, policy->max_pages);
        wc->max_age = policy->max_age;
        wc->dropped = false;
        spin_unlock(&wc->lock);
    }
    spin_unlock(&warmcache_slots_lock);
    return rc;
}

/*
 * Free up to `budget` held pages; returns how many. The caller may be the core
 * itself, in want of memory for its tables: then there is none to be had here.
 */
static unsigned int give_up(struct warmcache *wc, unsigned int budget)
{
    unsigned int n;
    uint64_t mfn;

    for ( n = 0; n < budget && spin_trylock(&wc->lock); n++ )
    {
        bool more = wc->core && cache_drop_next(wc->core, &mfn);

        if ( more )
            warmcache_frames[mfn] = 0;
        spin_unlock(&wc->lock);
        if ( !more )
            break;
        atomic_dec(&pages_held);
        /* It has no owner: the heap scrubs it. */
        free_domheap_page(mfn_to_page(_mfn(mfn)));
    }
    return n;
}

bool warmcache_release(struct warmcache *wc, unsigned int budget)
{
    bool left;

    give_up(wc, budget);
    spin_lock(&wc->lock);
    left = wc->core && cache_pages_held(wc->core);
    spin_unlock(&wc->lock);
    return !left;
}

/* Nobody lives with it and it holds no page. Under warmcache_slots_lock. */
static void destroy(struct warmcache *wc)
{
    struct wcr_cache *core = wc->core;

    spin_lock(&wc->lock);
    wc->core = NULL;
    wc->dropped = false;
    memset(wc->disks, 0, sizeof(wc->disks));
    wc->io_requests = wc->io_calls = wc->map_entries = wc->map_calls = 0;
    spin_unlock(&wc->lock);
    cache_destroy(core);
}

int warmcache_drop(const uint8_t uuid[16])
{
    struct warmcache *wc;

    spin_lock(&warmcache_slots_lock);
    wc = warmcache_find(uuid);
    if ( !wc )
    {
        spin_unlock(&warmcache_slots_lock);
        return -ENOENT;
    }
    if ( !warmcache_release(wc, 256) )
    {
        spin_unlock(&warmcache_slots_lock);
        return -ERESTART;
    }
    if ( wc->d )
    {
        /* Hooks and I/O in flight still refer to it: keep the tables. */
        spin_lock(&wc->lock);
        cache_set_mode(wc->core, WCR_MODE_COLD, 0);
        wc->dropped = true;
        spin_unlock(&wc->lock);
    }
    else
        destroy(wc);
    spin_unlock(&warmcache_slots_lock);
    return 0;
}

void warmcache_domain_destroy(struct domain *d)
{
    struct warmcache *wc = d->warmcache;

    if ( !wc )
        return;
    spin_lock(&warmcache_slots_lock);
    spin_lock(&wc->lock);
    if ( wc->d == d )
    {
        wc->d = NULL;
        wc->orphaned = NOW();
    }
    d->warmcache = NULL;
    spin_unlock(&wc->lock);
    if ( wc->dropped && !wc->d )
        destroy(wc);
    spin_unlock(&warmcache_slots_lock);
}

/* ---- pages ---------------------------------------------------------- */

/* A crash or a reboot keeps pages, as does a life that never began. */
static bool keeps_pages(const struct warmcache *wc, const struct domain *d)
{
    if ( !d->is_dying )
        return false;
    if ( d->is_shut_down )
        return d->shutdown_code == SHUTDOWN_crash ||
               d->shutdown_code == SHUTDOWN_reboot;
    return !wc->direct_map;
}

bool warmcache_page_freed(struct domain *d, struct page_info *pg,
                          bool may_keep)
{
    mfn_t mfn = page_to_mfn(pg);
    struct warmcache *wc = d->warmcache;
    uint64_t pfn = warmcache_pfn(mfn_x(mfn));
    struct wcr_page_info page;
    bool keep = false;

    if ( !wc )
    {
        warmcache_frames[mfn_x(mfn)] = 0;
        return false;
    }
    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, d) && cache_page(wc->core, pfn, &page) &&
         page.mfn == mfn_x(mfn) )
    {
        keep = may_keep && keeps_pages(wc, d) &&
               !(pg->count_info & (PGC_extra | PGC_broken | PGC_state)) &&
               cache_retain(wc->core, pfn, mfn_x(mfn));
        if ( !keep )
            cache_forget(wc->core, pfn);
    }
    if ( !keep )
        warmcache_frames[mfn_x(mfn)] = 0;
    spin_unlock(&wc->lock);
    if ( !keep )
        return false;

    atomic_inc(&pages_held);
    page_set_owner(pg, NULL);
    pg->count_info = 0;
    pg->u.inuse.type_info = 0;
    pg->tlbflush_timestamp = tlbflush_current_time();
    set_gpfn_from_mfn(mfn_x(mfn), INVALID_M2P_ENTRY);
    return true;
}

static bool extent_has_held(struct warmcache *wc, unsigned long gpfn,
                            unsigned int order)
{
    unsigned long i;
    bool held = false;

    spin_lock(&wc->lock);
    if ( wc->core && cache_pages_held(wc->core) )
    {
        held = order > PAGE_ORDER_2M;   /* too many to look at: ask for less */
        for ( i = 0; !held && i < (1UL << order); i++ )
            held = cache_holds(wc->core, gpfn + i);
    }
    spin_unlock(&wc->lock);
    return held;
}

struct page_info *warmcache_populate(struct domain *d, unsigned long gpfn,
                                     unsigned int order, unsigned int memflags)
{
    struct warmcache *wc = warmcache_of(d);
    struct page_info *pg;
    uint64_t mfn;
    bool taken;

    if ( !wc )
        return NULL;
    if ( order )
        return extent_has_held(wc, gpfn, order) ? ERR_PTR(-EAGAIN) : NULL;

    spin_lock(&wc->lock);
    taken = warmcache_lives(wc, d) && cache_take(wc->core, gpfn, &mfn);
    if ( taken )
        warmcache_frames[mfn] = (gpfn + 1) | WARMCACHE_WATCHED;
    spin_unlock(&wc->lock);
    if ( !taken )
        return NULL;

    atomic_dec(&pages_held);
    pg = mfn_to_page(_mfn(mfn));
    /* A processor may still hold a translation from the page's last life. */
    filtered_flush_tlb_mask(pg->tlbflush_timestamp);
    if ( assign_pages(pg, 1, d, memflags) )
    {
        spin_lock(&wc->lock);
        if ( wc->core )
            cache_forget(wc->core, gpfn);
        warmcache_frames[mfn] = 0;
        spin_unlock(&wc->lock);
        free_domheap_page(pg);
        return NULL;
    }
    return pg;
}

/* Whether list[i] and those behind it are all PFNs of the extent at gpfn. */
static bool is_extent(XEN_GUEST_HANDLE(xen_pfn_t) list, unsigned long i,
                      unsigned long gpfn)
{
    xen_pfn_t pfns[CHUNK];
    unsigned int done, j;

    for ( done = 0; done < EXTENT; done += CHUNK )
    {
        if ( __copy_from_guest_offset(pfns, list, i + done, CHUNK) )
            return false;
        for ( j = 0; j < CHUNK; j++ )
            if ( pfns[j] != gpfn + done + j )
                return false;
    }
    return true;
}

int warmcache_populate_many(struct domain *d, unsigned long gpfn,
                            unsigned int order, unsigned int memflags,
                            XEN_GUEST_HANDLE(xen_pfn_t) list, unsigned long i,
                            unsigned long nr)
{
    struct warmcache *wc = d->warmcache;
    struct page_info *pg;
    xen_pfn_t mfns[CHUNK];
    unsigned int done, j;
    int rc;

    if ( !wc || order || gpfn % EXTENT || nr < EXTENT ||
         d->creation_finished || !is_extent(list, i, gpfn) ||
         extent_has_held(wc, gpfn, PAGE_ORDER_2M) )
        return 0;
    pg = alloc_domheap_pages(d, PAGE_ORDER_2M, memflags & ~MEMF_no_tlbflush);
    if ( !pg )
        return 0;
    rc = guest_physmap_add_page(d, _gfn(gpfn), page_to_mfn(pg), PAGE_ORDER_2M);
    for ( done = 0; !rc && done < EXTENT; done += CHUNK )
    {
        for ( j = 0; j < CHUNK; j++ )
            mfns[j] = mfn_x(page_to_mfn(pg)) + done + j;
        if ( __copy_to_guest_offset(list, i + done, mfns, CHUNK) )
            rc = -EFAULT;
    }
    return rc ?: EXTENT;
}

/* ---- memory that others need ---------------------------------------- */

unsigned long warmcache_pages_held(void)
{
    return atomic_read(&pages_held);
}

/* Others' pages go before `d`'s own, those of absent domains before all. */
bool warmcache_make_room(const struct domain *d, unsigned int order)
{
    const struct warmcache *own = d ? d->warmcache : NULL;
    unsigned int budget = max(1U << min(order, 9U), RELEASE_BATCH + 0U);
    unsigned int pass, i;

    /* A PV builder comes back page by page; its guest is none the worse. */
    if ( d && is_pv_domain(d) && order && !d->creation_finished )
        return false;
    for ( pass = 0; warmcache_pages_held() && pass < 3; pass++ )
        for ( i = 0; i < WARMCACHE_SLOTS; i++ )
        {
            struct warmcache *wc = &warmcache_slots[i];

            if ( pass != (wc == own ? 2 : !!wc->d) )
                continue;
            if ( give_up(wc, budget) )
                return true;
        }
    return false;
}

unsigned long warmcache_pages_due(const struct domain *d)
{
    struct warmcache *wc = d->warmcache;
    unsigned long pages = 0;

    if ( !wc )
        return 0;
    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, d) )
        pages = cache_pages_held(wc->core);
    spin_unlock(&wc->lock);
    return pages;
}

int warmcache_claim(const struct domain *d, unsigned long pages)
{
    unsigned long claim =
        pages - min(pages, (unsigned long)domain_tot_pages(d));
    unsigned long due = warmcache_pages_due(d);
    uint64_t free, claimed;

    claim -= min(claim, due);
    for ( ; ; )
    {
        unsigned long held = warmcache_pages_held();

        get_outstanding_claims(&free, &claimed); /* held pages are free, too */
        /* Nothing to do, or nothing would help: the claim itself tells. */
        if ( claim + claimed > free || held <= due ||
             claim + claimed + held <= free || !warmcache_make_room(d, 0) )
            return 0;
        if ( hypercall_preempt_check() )
            return -ERESTART;
    }
}

/* Free the pages of caches whose domain does not come back, some at a time. */
static void cf_check age(void *unused)
{
    s_time_t next = AGE_PERIOD;
    unsigned int i;

    for ( i = 0; i < WARMCACHE_SLOTS; i++ )
    {
        struct warmcache *wc = &warmcache_slots[i];
        bool over = false;

        spin_lock(&wc->lock);
        if ( wc->core && !wc->d && cache_pages_held(wc->core) )
        {
            unsigned int max_age = wc->max_age ?: opt_warmcache_age;

            over = max_age && NOW() - wc->orphaned >= SECONDS(max_age);
        }
        spin_unlock(&wc->lock);
        if ( over && !warmcache_release(wc, RELEASE_BATCH) )
            next = MILLISECS(1);
    }
    set_timer(&age_timer, NOW() + next);
}
