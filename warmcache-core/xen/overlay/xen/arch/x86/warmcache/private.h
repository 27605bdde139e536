/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the files of this directory. */
#ifndef WARMCACHE_PRIVATE_H
#define WARMCACHE_PRIVATE_H

#include <xen/mm.h>
#include <xen/sched.h>
#include <xen/spinlock.h>
#include <xen/warmcache.h>

#include <asm/flushtlb.h>

#include "core.h"

#define WARMCACHE_SLOTS 64      /* caches of one host */

/*
 * One domain UUID's cache. Slots are static and never freed, so that a hook
 * which raced with a drop finds an empty slot and not freed memory.
 */
struct warmcache {
    spinlock_t lock;
    struct wcr_cache *core;     /* NULL: free slot */
    struct domain *d;           /* the domain that lives with it now, or NULL */
    unsigned long direct_map;   /* virtual address of PFN 0, 0: not registered */
    uint64_t frames;            /* PFNs below this are the registered guest's */
    bool booting;               /* B is active */
    bool dropped;               /* no cache any more once `d` is gone */
};

extern struct warmcache warmcache_slots[WARMCACHE_SLOTS];
extern spinlock_t warmcache_slots_lock;     /* taken before a slot's lock */

/* Whether the slot has a cache and `d` lives with it. Caller holds the slot's lock. */
static inline bool warmcache_lives(const struct warmcache *wc, const struct domain *d)
{
    return wc->core && wc->d == d;
}

/* The slot of a UUID, or NULL. Caller holds warmcache_slots_lock. */
struct warmcache *warmcache_find(const uint8_t uuid[16]);
/* The slot of a live domain, attaching it to its UUID's cache if there is one. */
struct warmcache *warmcache_of(struct domain *d);
/* Create or change; -ENOSPC, -ENOMEM, -EINVAL. */
int warmcache_set_policy(const uint8_t uuid[16], uint32_t mode, uint64_t max_pages);
/* Give up held pages, at most `budget`; true when none is left. Takes the lock. */
bool warmcache_release(struct warmcache *wc, unsigned int budget);
/* -ENOENT, or -ERESTART while pages are left. */
int warmcache_drop(const uint8_t uuid[16]);

/* Frames -> PFN bookkeeping, under the slot's lock. */
void warmcache_watch(mfn_t mfn, uint64_t pfn);

/*
 * Make the direct-map entry of the frame read-only and drop its writable
 * reference. 0, and the caller must flush; -errno: refused.
 */
int warmcache_protect(struct warmcache *wc, struct domain *d, uint64_t pfn, mfn_t mfn);
/* References through which the page may be written, ~0 if it is no plain page. */
unsigned int warmcache_writers(const struct page_info *pg);

#endif
