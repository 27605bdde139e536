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
 * By machine frame: PFN + 1 of a frame that a cache-mapping table lists or a
 * cache watches, 0 for all others. NULL when the feature is off. Written under
 * the cache's lock.
 */
extern uint32_t *warmcache_frames;

static inline bool warmcache_knows(const struct page_info *pg)
{
    return unlikely(warmcache_frames != NULL) &&
           unlikely(warmcache_frames[mfn_x(page_to_mfn(pg))]);
}

/*
 * A: somebody has taken a type reference, so may write the page or change its
 * use. Every one counts, not only the first: during a read, the backend's
 * mapping holds the first.
 */
void warmcache_page_typed(struct page_info *pg, unsigned long type);

/*
 * B: while the guest boots, a retained page is mapped read-only on its behalf.
 * True: the caller takes no writable reference and installs the entry without
 * _PAGE_RW.
 */
bool warmcache_map_readonly(struct page_info *pg, const struct domain *owner);

/*
 * C: a fault of the guest's kernel, or of ours on its memory: true when it was a
 * write through an entry that we made read-only, which is mended.
 */
bool warmcache_write_fault(unsigned long addr, unsigned int error_code);

/*
 * `d` no longer owns the page. True, only where `may_keep`: the cache keeps it,
 * and it must not go back to the heap.
 */
bool warmcache_page_freed(struct domain *d, struct page_info *pg, bool may_keep);

/*
 * populate_physmap wants an extent at gpfn: its retained page, assigned to
 * `d`; NULL: none, allocate; ERR_PTR(-EAGAIN): a larger extent covers retained
 * pages, the caller must come back page by page.
 */
struct page_info *warmcache_populate(struct domain *d, unsigned long gpfn,
                                     unsigned int order, unsigned int memflags);

/* The domain is about to be freed. */
void warmcache_domain_destroy(struct domain *d);

#else /* !CONFIG_PV */

static inline bool warmcache_knows(const struct page_info *pg) { return false; }
static inline void warmcache_page_typed(struct page_info *pg, unsigned long type) {}
static inline bool warmcache_map_readonly(struct page_info *pg,
                                          const struct domain *owner) { return false; }
static inline bool warmcache_write_fault(unsigned long addr,
                                         unsigned int error_code) { return false; }
static inline bool warmcache_page_freed(struct domain *d, struct page_info *pg,
                                        bool may_keep) { return false; }
static inline struct page_info *warmcache_populate(struct domain *d,
    unsigned long gpfn, unsigned int order, unsigned int memflags) { return NULL; }
static inline void warmcache_domain_destroy(struct domain *d) {}

#endif /* CONFIG_PV */

#endif /* XEN_WARMCACHE_H */
