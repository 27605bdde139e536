/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Warm-cache reboot: what the rest of Xen calls. Every hook is cheap and does
 * nothing unless booted with `warmcache=1` and the frame is a cache page.
 *
 * Locks: inside a cache's lock only the heap's is taken. Hooks may be called
 * with page locks or the domain's page_alloc_lock held; none takes either.
 */
#ifndef XEN_WARMCACHE_H
#define XEN_WARMCACHE_H

#include <xen/err.h>
#include <xen/mm.h>

struct domain;

#ifdef CONFIG_PV

/*
 * By machine frame: PFN + 1 of a frame that a cache knows, 0 for all others;
 * with WARMCACHE_WATCHED a store into it matters. NULL when the feature is
 * off. Written under the cache's lock.
 */
extern uint32_t *warmcache_frames;
#define WARMCACHE_WATCHED 0x80000000U

static inline bool warmcache_knows(const struct page_info *pg)
{
    return unlikely(warmcache_frames != NULL) &&
           unlikely(warmcache_frames[mfn_x(page_to_mfn(pg))]);
}

static inline bool warmcache_watches(const struct page_info *pg)
{
    return unlikely(warmcache_frames != NULL) &&
           unlikely(warmcache_frames[mfn_x(page_to_mfn(pg))] &
                    WARMCACHE_WATCHED);
}

/*
 * A: somebody has taken a type reference, so may write the page or change its
 * use. Every one counts, not only the first: during a read, the backend's
 * mapping holds the first. `type_info` is the page's, with the reference.
 */
void warmcache_page_typed(struct page_info *pg, unsigned long type_info);

/*
 * `mapper` creates, has changed or has removed an L1 entry that maps the page
 * writable. A booting guest that builds its direct map does not store to the
 * pages that it is to reuse: the first takes the reference without A, the
 * second makes the entry one in which a store shows.
 */
bool warmcache_get_writable(struct page_info *pg, const struct domain *mapper);
l1_pgentry_t warmcache_new_entry(l1_pgentry_t l1e,
                                 const struct domain *mapper);
void warmcache_old_entry(l1_pgentry_t l1e, const struct domain *mapper);

/* The guest's own page tables are no longer those that the processor walks. */
void warmcache_untrust(struct domain *d);

/*
 * `d` no longer owns the page. True, only where `may_keep`: the cache keeps
 * it, and it must not go back to the heap.
 */
bool warmcache_page_freed(struct domain *d, struct page_info *pg,
                          bool may_keep);

/*
 * populate_physmap wants an extent at gpfn: its retained page, assigned to
 * `d`; NULL: none, allocate; ERR_PTR(-EAGAIN): a larger extent covers retained
 * pages, the caller must come back page by page.
 */
struct page_info *warmcache_populate(struct domain *d, unsigned long gpfn,
                                     unsigned int order,
                                     unsigned int memflags);

/*
 * A builder whose domain has retained pages asks for gpfn = list[i] and the
 * `nr` - 1 PFNs behind it page by page: where none is retained, a large extent
 * is cheaper. Returns how many got their page, its MFN is in the list then; 0:
 * go on page by page; -errno: give up.
 */
int warmcache_populate_many(struct domain *d, unsigned long gpfn,
                            unsigned int order, unsigned int memflags,
                            XEN_GUEST_HANDLE(xen_pfn_t) list, unsigned long i,
                            unsigned long nr);

/*
 * The heap has no extent of that order for `d` (or NULL): true if pages kept
 * for others, or else for `d` itself, were freed, and it is worth another try.
 * No page is freed so that a PV domain can be built of large extents.
 */
bool warmcache_make_room(const struct domain *d, unsigned int order);
/* Kept pages are free memory that holds something: how many there are... */
unsigned long warmcache_pages_held(void);
/* ...and are `d`'s own, which need not come from the heap. */
unsigned long warmcache_pages_due(const struct domain *d);
/* `d` claims so many pages in all: make room. -ERESTART: call again. */
int warmcache_claim(const struct domain *d, unsigned long pages);

/* The domain is about to be freed. */
void warmcache_domain_destroy(struct domain *d);

#else /* !CONFIG_PV */

static inline bool warmcache_knows(const struct page_info *pg)
{
    return false;
}
static inline void warmcache_page_typed(struct page_info *pg,
                                        unsigned long type_info)
{
}
static inline bool warmcache_get_writable(struct page_info *pg,
                                          const struct domain *mapper)
{
    return false;
}
static inline l1_pgentry_t warmcache_new_entry(l1_pgentry_t l1e,
                                               const struct domain *mapper)
{
    return l1e;
}
static inline void warmcache_old_entry(l1_pgentry_t l1e,
                                       const struct domain *mapper)
{
}
static inline void warmcache_untrust(struct domain *d) {}
static inline bool warmcache_page_freed(struct domain *d, struct page_info *pg,
                                        bool may_keep)
{
    return false;
}
static inline struct page_info *warmcache_populate(struct domain *d,
                                                   unsigned long gpfn,
                                                   unsigned int order,
                                                   unsigned int memflags)
{
    return NULL;
}
static inline int warmcache_populate_many(struct domain *d,
                                          unsigned long gpfn,
                                          unsigned int order,
                                          unsigned int memflags,
                                          XEN_GUEST_HANDLE(xen_pfn_t) list,
                                          unsigned long i, unsigned long nr)
{
    return 0;
}
static inline bool warmcache_make_room(const struct domain *d,
                                       unsigned int order)
{
    return false;
}
static inline unsigned long warmcache_pages_held(void) { return 0; }
static inline unsigned long warmcache_pages_due(const struct domain *d)
{
    return 0;
}
static inline int warmcache_claim(const struct domain *d, unsigned long pages)
{
    return 0;
}
static inline void warmcache_domain_destroy(struct domain *d) {}

#endif /* CONFIG_PV */

#endif /* XEN_WARMCACHE_H */
