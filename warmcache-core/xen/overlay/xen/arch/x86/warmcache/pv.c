/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Protecting the frames of a PV guest, and seeing every store that follows.
 *
 * A frame is protected when no page-table entry maps it writable. The guest's
 * direct map normally holds the only writable reference: its entry loses
 * _PAGE_RW (the page is then *downgraded*) and the reference is dropped. Any
 * later writable reference, by whomever, passes A; a store through the
 * downgraded entry passes C, which gives the entry back and passes A too.
 */
#include <xen/guest_access.h>

#include <asm/page.h>
#include <asm/paging.h>
#include <asm/processor.h>

#include "../pv/mm.h"
#include "private.h"

/* Linux maps the first part of memory a second time, sharing the L1 tables. */
#define KERNEL_ALIAS_BASE 0xffffffff80000000UL
#define KERNEL_ALIAS_SIZE (1UL << 30)
#define GUEST_HIGH_HALF   0xffff800000000000UL

unsigned int warmcache_writers(const struct page_info *pg)
{
    unsigned long x = ACCESS_ONCE(pg->u.inuse.type_info);

    if ( !(x & PGT_count_mask) )
        return 0;
    return (x & PGT_type_mask) == PGT_writable_page ? x & PGT_count_mask : ~0U;
}

/* Follow one level: the table that entry `slot` of `table` points to, referenced. */
static struct page_info *next_table(struct domain *d, mfn_t table, unsigned int slot)
{
    const intpte_t *entries = map_domain_page(table);
    intpte_t entry = ACCESS_ONCE(entries[slot]);

    unmap_domain_page(entries);
    if ( !(entry & _PAGE_PRESENT) || (entry & _PAGE_PSE) )
        return NULL;
    return get_page_from_mfn(_mfn((entry & PADDR_MASK) >> PAGE_SHIFT), d);
}

static bool is_l1_table(const struct page_info *pg)
{
    return (pg->u.inuse.type_info & (PGT_type_mask | PGT_validated)) ==
           (PGT_l1_page_table | PGT_validated);
}

/* The L1 table that maps va in the guest's kernel address space, referenced. */
static struct page_info *find_l1_table(struct domain *d, unsigned long va)
{
    const unsigned int slots[] = {
        l4_table_offset(va), l3_table_offset(va), l2_table_offset(va),
    };
    struct page_info *pg, *next;
    unsigned int i;

    if ( !d->vcpu || !d->vcpu[0] )
        return NULL;
    pg = get_page_from_mfn(pagetable_get_mfn(d->vcpu[0]->arch.guest_table), d);
    for ( i = 0; pg && i < ARRAY_SIZE(slots); i++ )
    {
        next = next_table(d, page_to_mfn(pg), slots[i]);
        put_page(pg);
        pg = next;
    }
    return pg;
}

static void set_downgraded(struct warmcache *wc, struct domain *d, uint64_t pfn, mfn_t mfn,
                           bool downgraded)
{
    struct wcr_page_info page;

    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, d) && cache_page(wc->core, pfn, &page) &&
         page.mfn == mfn_x(mfn) )
        cache_set_downgraded(wc->core, pfn, downgraded);
    spin_unlock(&wc->lock);
}

/* Under the L1 table's page lock. */
static int downgrade_entry(struct warmcache *wc, struct domain *d, uint64_t pfn, mfn_t mfn,
                           l1_pgentry_t *pl1e)
{
    unsigned int tries;
    int rc = -EAGAIN;

    for ( tries = 0; tries < 16; tries++ )
    {
        l1_pgentry_t ol1e = l1e_from_intpte(ACCESS_ONCE(pl1e->l1));

        /* Other than write-back: the frame's non-coherent use is tracked by type. */
        if ( !(l1e_get_flags(ol1e) & _PAGE_PRESENT) ||
             (l1e_get_flags(ol1e) & PAGE_CACHE_ATTRS) != _PAGE_WB ||
             !mfn_eq(l1e_get_mfn(ol1e), mfn) )
        {
            rc = -ESRCH;
            break;
        }
        if ( !(l1e_get_flags(ol1e) & _PAGE_RW) )
            return 0;

        /* Before the reference goes: whoever takes one next must find it set. */
        set_downgraded(wc, d, pfn, mfn, true);
        if ( cmpxchg(&pl1e->l1, ol1e.l1, ol1e.l1 & ~(intpte_t)_PAGE_RW) == ol1e.l1 )
        {
            put_page_type(mfn_to_page(mfn));
            return 0;
        }
    }
    if ( tries )
        set_downgraded(wc, d, pfn, mfn, false);
    return rc;
}

int warmcache_protect(struct warmcache *wc, struct domain *d, uint64_t pfn, mfn_t mfn)
{
    unsigned long va = wc->direct_map + (pfn << PAGE_SHIFT);
    struct page_info *l1pg;
    l1_pgentry_t *l1t;
    int rc = -ESRCH;

    /* With shadow page tables these are not the ones that the processor walks. */
    if ( paging_mode_enabled(d) )
        return -EOPNOTSUPP;
    l1pg = find_l1_table(d, va);
    if ( !l1pg )
        return rc;
    if ( page_lock(l1pg) )
    {
        if ( is_l1_table(l1pg) )
        {
            l1t = map_domain_page(page_to_mfn(l1pg));
            rc = downgrade_entry(wc, d, pfn, mfn, &l1t[l1_table_offset(va)]);
            unmap_domain_page(l1t);
        }
        page_unlock(l1pg);
    }
    put_page(l1pg);
    return rc;
}

void warmcache_page_typed(struct page_info *pg, unsigned long type)
{
    struct domain *d = page_get_owner(pg);
    struct warmcache *wc = d ? d->warmcache : NULL;
    mfn_t mfn = page_to_mfn(pg);
    uint64_t pfn;

    if ( !wc )
        return;
    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, d) && warmcache_frames[mfn_x(mfn)] )
    {
        pfn = warmcache_frames[mfn_x(mfn)] - 1;
        cache_store_seen(wc->core, pfn, mfn_x(mfn));
        /* As a page table it is the guest's business who may write it. */
        if ( type != PGT_writable_page )
            cache_set_downgraded(wc->core, pfn, false);
    }
    spin_unlock(&wc->lock);
}

bool warmcache_map_readonly(struct page_info *pg, const struct domain *owner)
{
    struct domain *d = page_get_owner(pg);
    struct warmcache *wc = d ? d->warmcache : NULL;
    unsigned long mfn = mfn_x(page_to_mfn(pg));
    bool readonly = false;
    uint64_t pfn;

    if ( !wc || d != owner || !wc->booting || paging_mode_enabled(d) )
        return false;
    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, d) && wc->booting && warmcache_frames[mfn] )
    {
        pfn = warmcache_frames[mfn] - 1;
        readonly = cache_is_retained(wc->core, pfn, mfn);
        if ( readonly )
            cache_set_downgraded(wc->core, pfn, true);
    }
    spin_unlock(&wc->lock);
    return readonly;
}

/* Is addr one of the two places where the guest's kernel maps this PFN? */
static bool is_direct_alias(const struct warmcache *wc, unsigned long addr, uint64_t pfn)
{
    unsigned long page = addr & PAGE_MASK;

    if ( page < GUEST_HIGH_HALF )
        return false;
    if ( !wc->direct_map )      /* early boot: the guest has not told us yet */
        return true;
    return page == wc->direct_map + (pfn << PAGE_SHIFT) ||
           ((pfn << PAGE_SHIFT) < KERNEL_ALIAS_SIZE &&
            page == KERNEL_ALIAS_BASE + (pfn << PAGE_SHIFT));
}

/* Under the L1 table's page lock. True: the entry is writable again. */
static bool upgrade_entry(struct warmcache *wc, struct domain *d, unsigned long addr,
                          l1_pgentry_t *pl1e)
{
    l1_pgentry_t ol1e = l1e_from_intpte(ACCESS_ONCE(pl1e->l1));
    mfn_t mfn = l1e_get_mfn(ol1e);
    struct page_info *pg;
    bool ours = false;
    uint64_t pfn = 0;

    if ( !(l1e_get_flags(ol1e) & _PAGE_PRESENT) || (l1e_get_flags(ol1e) & _PAGE_RW) ||
         (l1e_get_flags(ol1e) & PAGE_CACHE_ATTRS) != _PAGE_WB || !mfn_valid(mfn) )
        return false;

    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, d) && warmcache_frames[mfn_x(mfn)] )
    {
        pfn = warmcache_frames[mfn_x(mfn)] - 1;
        ours = cache_is_downgraded(wc->core, pfn, mfn_x(mfn)) &&
               is_direct_alias(wc, addr, pfn);
    }
    spin_unlock(&wc->lock);
    if ( !ours )
        return false;

    pg = mfn_to_page(mfn);
    if ( page_get_owner(pg) != d || !get_page_type(pg, PGT_writable_page) )
        return false;
    /* The processor may set accessed and dirty bits meanwhile. */
    while ( cmpxchg(&pl1e->l1, ol1e.l1, ol1e.l1 | _PAGE_RW) != ol1e.l1 )
    {
        l1_pgentry_t now = l1e_from_intpte(ACCESS_ONCE(pl1e->l1));

        if ( (now.l1 ^ ol1e.l1) & ~(intpte_t)(_PAGE_ACCESSED | _PAGE_DIRTY) )
        {
            put_page_type(pg);
            return false;
        }
        ol1e = now;
    }

    /* The reference was A's to see, whatever else held one; the store is seen here too. */
    set_downgraded(wc, d, pfn, mfn, false);
    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, d) )
    {
        cache_store_seen(wc->core, pfn, mfn_x(mfn));
        cache_count_write_fault(wc->core);
    }
    spin_unlock(&wc->lock);
    return true;
}

bool warmcache_write_fault(unsigned long addr, unsigned int error_code)
{
    const unsigned int write = PFEC_page_present | PFEC_write_access;
    struct domain *d = current->domain;
    struct warmcache *wc = d->warmcache;
    l1_pgentry_t *pl1e;
    struct page_info *l1pg;
    bool mended = false;
    mfn_t l1mfn;

    if ( !wc || (error_code & ~PFEC_user_mode) != write || paging_mode_enabled(d) )
        return false;
    pl1e = map_guest_l1e(addr, &l1mfn);
    if ( !pl1e )
        return false;
    l1pg = get_page_from_mfn(l1mfn, d);
    if ( l1pg && page_lock(l1pg) )
    {
        if ( is_l1_table(l1pg) )
            mended = upgrade_entry(wc, d, addr, pl1e);
        page_unlock(l1pg);
    }
    if ( l1pg )
        put_page(l1pg);
    unmap_domain_page(pl1e);
    return mended;
}
