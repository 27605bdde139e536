/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watching the frames of a PV guest: no store goes unseen.
 *
 * The guest's page tables are validated, so Xen knows every writable mapping
 * of a frame. Watching begins by clearing the *dirty* bit of the frame's entry
 * in the guest's direct map and flushing the TLBs; from then on
 *
 *  - a store through the direct map sets that bit, in hardware, before it
 *    takes effect. It is looked for when somebody wants to know, and at the
 *    latest when the dead domain's page tables are taken down;
 *  - A: any other way to write takes a reference of type writable (or makes
 *    the frame a page table) first, and that is a store;
 *  - a guest that changes or removes the entry could lose the bit: that is a
 *    store, too.
 *
 * The guest runs at full speed: no fault, no entry it does not expect.
 */
#include <asm/page.h>
#include <asm/paging.h>

#include "../pv/mm.h"
#include "private.h"

#define DIRTY_BIT 6     /* of _PAGE_DIRTY */

unsigned int warmcache_writers(const struct page_info *pg)
{
    unsigned long x = ACCESS_ONCE(pg->u.inuse.type_info);

    if ( !(x & PGT_count_mask) )
        return 0;
    return (x & PGT_type_mask) == PGT_writable_page ? x & PGT_count_mask : ~0U;
}

/* ---- the guest's direct map ----------------------------------------- */

/*
 * Follow one level: the table that entry `slot` of `table` points to,
 * referenced.
 */
static struct page_info *next_table(struct domain *d, mfn_t table,
                                    unsigned int slot)
{
    const intpte_t *entries = map_domain_page(table);
    intpte_t entry = ACCESS_ONCE(entries[slot]);

    unmap_domain_page(entries);
    if ( !(entry & _PAGE_PRESENT) || (entry & _PAGE_PSE) )
        return NULL;
    return get_page_from_mfn(_mfn((entry & PADDR_MASK) >> PAGE_SHIFT), d);
}

/* The L1 table that maps va of the guest's kernel, referenced. */
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

static bool is_l1_table(const struct page_info *pg)
{
    return (pg->u.inuse.type_info & (PGT_type_mask | PGT_validated)) ==
           (PGT_l1_page_table | PGT_validated);
}

void warmcache_walk_end(struct warmcache_walk *walk)
{
    if ( !walk->l1pg )
        return;
    unmap_domain_page(walk->l1t);
    page_unlock(walk->l1pg);
    put_page(walk->l1pg);
    walk->l1pg = NULL;
}

/* Takes over the reference. */
static bool walk_use(struct warmcache_walk *walk, struct page_info *pg,
                     unsigned long va)
{
    if ( !pg )
        return false;
    if ( !page_lock(pg) )
    {
        put_page(pg);
        return false;
    }
    walk->l1pg = pg;
    walk->l1t = map_domain_page(page_to_mfn(pg));
    walk->va = va;
    if ( is_l1_table(pg) )
        return true;
    warmcache_walk_end(walk);
    return false;
}

/*
 * The table that maps the page, NULL: none does. Frames that are used together
 * tend to share one: it is kept, and where it was is remembered. A table that
 * is not the right one does no harm: whatever entry is looked at, if it maps
 * the frame and no other entry does so writable, it is the one through which
 * stores must come.
 */
static l1_pgentry_t *walk_to(struct warmcache_walk *walk, unsigned long va,
                             mfn_t mfn)
{
    unsigned long tag = va >> L2_PAGETABLE_SHIFT;
    struct warmcache_table *seen = &walk->wc->tables[tag % WARMCACHE_TABLES];
    unsigned int offset = l1_table_offset(va);

    if ( !walk->l1pg || walk->va >> L2_PAGETABLE_SHIFT != tag )
    {
        warmcache_walk_end(walk);
        if ( seen->va == tag )
            walk_use(walk, get_page_from_mfn(_mfn(seen->mfn), walk->d), va);
    }
    if ( walk->l1pg && mfn_eq(l1e_get_mfn(walk->l1t[offset]), mfn) )
        return &walk->l1t[offset];
    warmcache_walk_end(walk);
    if ( !walk_use(walk, find_l1_table(walk->d, va), va) )
        return NULL;
    seen->mfn = mfn_x(page_to_mfn(walk->l1pg));
    seen->va = tag;
    return &walk->l1t[offset];
}

int warmcache_look(struct warmcache_walk *walk, uint64_t pfn, mfn_t mfn,
                   bool clear, bool *ret_stored)
{
    unsigned long va = walk->wc->direct_map + (pfn << PAGE_SHIFT);
    l1_pgentry_t *pl1e, l1e;

    /* The processor walks the shadow page tables, not these. */
    if ( paging_mode_enabled(walk->d) )
        return -ESRCH;
    pl1e = walk_to(walk, va, mfn);
    if ( !pl1e )
        return -ESRCH;
    l1e = l1e_from_intpte(ACCESS_ONCE(pl1e->l1));
    /* Not write-back: the frame's non-coherent use is tracked by type. */
    if ( !(l1e_get_flags(l1e) & _PAGE_PRESENT) ||
         (l1e_get_flags(l1e) & PAGE_CACHE_ATTRS) != _PAGE_WB ||
         !mfn_eq(l1e_get_mfn(l1e), mfn) )
        return -ESRCH;
    /* Under the table's page lock only the processor changes the entry. */
    *ret_stored = l1e_get_flags(l1e) & _PAGE_DIRTY;
    BUILD_BUG_ON(_PAGE_DIRTY != 1U << DIRTY_BIT);
    if ( clear )
        *ret_stored = test_and_clear_bit(DIRTY_BIT, &pl1e->l1);
    return !!(l1e_get_flags(l1e) & _PAGE_RW);
}

/* ---- hooks ---------------------------------------------------------- */

/* The reference that warmcache_get_writable is taking, which is no store. */
static DEFINE_PER_CPU(const struct page_info *, mapping);

static void store_seen(struct page_info *pg)
{
    struct domain *d = page_get_owner(pg);
    struct warmcache *wc = d ? d->warmcache : NULL;
    unsigned long mfn = mfn_x(page_to_mfn(pg));

    if ( !wc )
        return;
    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, d) )
        cache_store_seen(wc->core, warmcache_pfn(mfn), mfn);
    spin_unlock(&wc->lock);
}

void warmcache_page_typed(struct page_info *pg, unsigned long type_info)
{
    if ( this_cpu(mapping) != pg || (type_info & PGT_count_mask) != 1 )
        store_seen(pg);
}

/* A booting guest builds its direct map: a retained page's first mapping. */
static bool is_first_mapping(struct page_info *pg, const struct domain *mapper)
{
    struct domain *d = page_get_owner(pg);
    struct warmcache *wc = d ? d->warmcache : NULL;
    unsigned long mfn = mfn_x(page_to_mfn(pg));
    bool first;

    if ( !wc || d != mapper || !wc->booting )
        return false;
    spin_lock(&wc->lock);
    first = warmcache_lives(wc, d) && wc->booting &&
            cache_is_retained(wc->core, warmcache_pfn(mfn), mfn);
    spin_unlock(&wc->lock);
    return first;
}

bool warmcache_get_writable(struct page_info *pg, const struct domain *mapper)
{
    bool ok;

    this_cpu(mapping) = is_first_mapping(pg, mapper) ? pg : NULL;
    ok = get_page_type(pg, PGT_writable_page);
    this_cpu(mapping) = NULL;
    return ok;
}

l1_pgentry_t warmcache_new_entry(l1_pgentry_t l1e, const struct domain *mapper)
{
    const unsigned int flags = _PAGE_PRESENT | _PAGE_RW | _PAGE_DIRTY;
    mfn_t mfn = l1e_get_mfn(l1e);

    if ( (l1e_get_flags(l1e) & flags) == flags && mfn_valid(mfn) &&
         warmcache_watches(mfn_to_page(mfn)) &&
         is_first_mapping(mfn_to_page(mfn), mapper) )
        l1e_remove_flags(l1e, _PAGE_DIRTY);
    return l1e;
}

void warmcache_old_entry(l1_pgentry_t l1e, const struct domain *mapper)
{
    struct page_info *pg = mfn_to_page(l1e_get_mfn(l1e));

    if ( page_get_owner(pg) != mapper )
        return;
    /* Nobody stores to a dead domain's pages: the bit is the last word. */
    if ( !mapper->is_dying || (l1e_get_flags(l1e) & _PAGE_DIRTY) )
        store_seen(pg);
}

void warmcache_untrust(struct domain *d)
{
    struct warmcache *wc = d->warmcache;

    if ( !wc )
        return;
    spin_lock(&wc->lock);
    if ( warmcache_lives(wc, d) )
        cache_untrust(wc->core);
    spin_unlock(&wc->lock);
    printk(XENLOG_INFO
           "warmcache: %pd is on shadow page tables: its cache is not kept\n",
           d);
}
