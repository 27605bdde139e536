/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the files of this directory. */
#ifndef WARMCACHE_PRIVATE_H
#define WARMCACHE_PRIVATE_H

#include <xen/guest_access.h>
#include <xen/mm.h>
#include <xen/sched.h>
#include <xen/spinlock.h>
#include <xen/warmcache.h>

#include <asm/flushtlb.h>

#include "core.h"

#define WARMCACHE_SLOTS 64      /* caches of one host */
#define WARMCACHE_DISKS 16      /* of one cache, and of the core's numbers */
#define WARMCACHE_TABLES 64     /* remembered of one guest */

/*
 * One domain UUID's cache. Slots are static and never freed, so that a hook
 * which raced with a drop finds an empty slot and not freed memory.
 */
struct warmcache {
    spinlock_t lock;
    struct wcr_cache *core;     /* NULL: free slot */
    struct domain *d;           /* that lives with it now, or NULL */
    unsigned long direct_map;   /* address of PFN 0, 0: not registered */
    uint64_t frames;            /* the registered guest's PFNs are below */
    bool booting;               /* the direct map may be incomplete yet */
    bool dropped;               /* no cache any more once `d` is gone */
    uint32_t max_age;           /* seconds without a domain; 0: the host's */
    s_time_t orphaned;          /* when the last domain went */
    /* Backing devices by the core's number; 0: none. Survives the domain. */
    uint64_t disks[WARMCACHE_DISKS];
    unsigned int next_disk;     /* number to be given or taken next */
    /* Where this life's virtual disks are, as learned from their I/O. */
    struct warmcache_vbd {
        uint64_t start;
        uint32_t vbd;
        uint32_t disk;
        bool known;
    } vbds[WARMCACHE_DISKS];
    /*
     * Where L1 tables of the direct map were last seen: hints, not protected
     * by the lock.
     */
    struct warmcache_table {
        unsigned long va;       /* shifted by L2_PAGETABLE_SHIFT, 0: none */
        unsigned long mfn;
    } tables[WARMCACHE_TABLES];
    uint64_t io_requests, io_calls, map_entries, map_calls;
};

extern struct warmcache warmcache_slots[WARMCACHE_SLOTS];
extern spinlock_t warmcache_slots_lock;     /* taken before a slot's lock */

/*
 * Whether the slot has a cache and `d` lives with it. Caller holds the slot's
 * lock.
 */
static inline bool warmcache_lives(const struct warmcache *wc,
                                   const struct domain *d)
{
    return wc->core && wc->d == d;
}

/* The PFN that a cache knows the frame by, WCR_NO_PFN: none does. */
static inline uint64_t warmcache_pfn(unsigned long mfn)
{
    uint32_t word = ACCESS_ONCE(warmcache_frames[mfn]);

    return (uint64_t)(word & ~WARMCACHE_WATCHED) - 1;
}

/* The slot of a UUID, or NULL. Caller holds warmcache_slots_lock. */
struct warmcache *warmcache_find(const uint8_t uuid[16]);
/* The slot of a live domain, attached to its UUID's cache if there is one. */
struct warmcache *warmcache_of(struct domain *d);
/* Create or change; -ENOSPC, -ENOMEM, -EINVAL. */
int warmcache_set_policy(const struct wcr_policy *policy);
/* Give up at most `budget` held pages; true: none is left. Takes the lock. */
bool warmcache_release(struct warmcache *wc, unsigned int budget);
/* -ENOENT, or -ERESTART while pages are left. */
int warmcache_drop(const uint8_t uuid[16]);

#define CHUNK 32        /* entries copied, or pages watched, at a time */

/*
 * Copies of a hypercall's arguments: the structure itself, or entries of an
 * array; -EFAULT.
 */
static inline int read_arg(void *ret, XEN_GUEST_HANDLE_PARAM(void) arg,
                           size_t size)
{
    return raw_copy_from_guest(ret, arg.p, size) ? -EFAULT : 0;
}

static inline int write_arg(XEN_GUEST_HANDLE_PARAM(void) arg, const void *from,
                            size_t size)
{
    return raw_copy_to_guest(arg.p, from, size) ? -EFAULT : 0;
}

static inline int read_entries(void *ret, uint64_t array, unsigned int i,
                               unsigned int nr, size_t size)
{
    const void *from = (const void *)(array + i * size);

    return raw_copy_from_guest(ret, from, nr * size) ? -EFAULT : 0;
}

static inline int write_entries(uint64_t array, unsigned int i,
                                unsigned int nr, const void *from, size_t size)
{
    void *to = (void *)(array + i * size);

    return raw_copy_to_guest(to, from, nr * size) ? -EFAULT : 0;
}

/* io.c: WCR_OP_io. -ERESTART: `arg` says what is left. */
int warmcache_op_io(XEN_GUEST_HANDLE_PARAM(void) arg);
/*
 * All under the cache's lock: where a virtual disk lies, NULL: it is not known
 * (yet)...
 */
const struct warmcache_vbd *warmcache_find_vbd(const struct warmcache *wc,
                                               uint32_t vbd);
/* ...and a page's disk as the guest knows it; vbd 0: not in this life. */
void warmcache_name_vbd(const struct warmcache *wc,
                        struct wcr_page_info *page);

/* Looks at a guest's direct map, several pages with one table held. */
struct warmcache_walk {
    struct domain *d;
    struct warmcache *wc;
    unsigned long va;           /* of a page in l1t */
    struct page_info *l1pg;     /* locked; NULL: none */
    l1_pgentry_t *l1t;
};

/*
 * How often the direct map maps the frame writable (0, 1); -ESRCH: not as it
 * should be, it cannot be watched. *ret_stored: there was a store since the
 * last `clear`; after that one TLBs must be flushed. No cache's lock is held.
 */
int warmcache_look(struct warmcache_walk *walk, uint64_t pfn, mfn_t mfn,
                   bool clear, bool *ret_stored);
void warmcache_walk_end(struct warmcache_walk *walk);
/* References through which the page may be written; ~0: no plain page. */
unsigned int warmcache_writers(const struct page_info *pg);

#endif
