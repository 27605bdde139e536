/* SPDX-License-Identifier: MIT */
/*
 * core.h: what is known of one guest's cache pages.
 *
 * A `struct wcr_cache` belongs to a domain UUID and outlives the domain. It
 * holds, per guest frame (PFN), the cache-mapping entry (file system, inode,
 * index), the disk block its bytes come from, and whether they are still known
 * to equal that block. The core decides; the caller ("glue": the hypervisor, or
 * a test) owns memory, locks and page tables.
 *
 *     UNTRACKED --io_begin--> IN_FLIGHT --io_end(ok)--> REUSABLE
 *         ^                      | store or alias seen      | same
 *         +----------------------+--------------------------+
 *
 * Locking: the caller serialises all calls on one cache. No call blocks,
 * and all are O(1), O(pages per hash bucket: 64) or O(changes in flight: 1360)
 * except where a bound is given.
 * The invariant every function keeps (I1): REUSABLE => the glue watched the page
 * from before its last I/O began, that I/O succeeded, and neither the block nor, as
 * far as the core was told, the page has changed since. In doubt a page is not
 * reusable. The glue may tell of a store late, but before it asks.
 *
 * `disk` is a number that the glue gives to a backing device; sectors are of that.
 *
 * Errors are negative errno values as in wcr_abi.h.
 */
#ifndef WCR_CORE_H
#define WCR_CORE_H

#include "core_env.h"
#include "wcr_abi.h"

/* Most frames a cache can cover: 2^24 of them, 64 GiB. */
#define WCR_MAX_FRAMES   (1ULL << 24)
#define WCR_NO_PFN       (~0ULL)

/*
 * The glue's memory: zeroed blocks of exactly 4096 bytes, NULL when there is
 * none. Released with free_page.
 */
struct wcr_core_ops {
    void *(*alloc_page)(void *ctx);
    void (*free_page)(void *ctx, void *page);
};

struct wcr_cache;

/* What the cache-mapping table says about a page. */
struct wcr_key {
    uint64_t inode;
    uint64_t index;
    uint32_t fs_id;
};

/* NULL: no memory. The cache is COLD, covers no frame and holds no page. */
struct wcr_cache *cache_create(const struct wcr_core_ops *ops, void *ctx,
                               const uint8_t uuid[16]);
/* Holds must have been given up (cache_drop_next) before. */
void cache_destroy(struct wcr_cache *c);

const uint8_t *cache_uuid(const struct wcr_cache *c);
int cache_set_mode(struct wcr_cache *c, uint32_t mode, uint64_t max_pages);
uint32_t cache_mode(const struct wcr_cache *c);
uint64_t cache_pages_held(const struct wcr_cache *c);
/* Pages handed back that this life neither claimed nor overwrote. */
uint64_t cache_pages_unclaimed(const struct wcr_cache *c);
/* Counters and identity; those the glue counts are 0, and `domid` is its to fill. */
void cache_info(const struct wcr_cache *c, struct wcr_cache_info *ret_info);

/*
 * A new life of the domain begins: everything but held pages and changes in
 * flight is forgotten. From now on the end of a page's I/O that the last life
 * began must not be told (cache_io_end): it is no longer counted. That of a
 * range should be: a change whose end never comes is believed to be in flight
 * until the life after its own ends. One pass over the frames ever mapped.
 */
void cache_begin_life(struct wcr_cache *c);

/* Nothing of this life can be trusted: keep and reuse none of its pages. */
void cache_untrust(struct wcr_cache *c);

/* The cache covers frames below `capacity` from now on. -EINVAL, -E2BIG. */
int cache_set_capacity(struct wcr_cache *c, uint64_t capacity);

/* ---- the cache-mapping table ---------------------------------------- */

/*
 * Frame `pfn`, backed by `mfn`, now caches `key`. -ENOMEM; -EINVAL: no such
 * frame, or another machine frame is still known there (cache_forget it). I/O may
 * have begun, and ended, before: what is known of the page needs no name.
 */
int cache_map_add(struct wcr_cache *c, uint64_t pfn, uint64_t mfn,
                  const struct wcr_key *key);
/* True, and the machine frame: nothing is known of it any more, nor need it be watched. */
bool cache_map_remove(struct wcr_cache *c, uint64_t pfn, uint64_t *ret_mfn);
/* Whether the cache knows anything of this machine frame: hooks must tell it of stores. */
bool cache_knows(const struct wcr_cache *c, uint64_t pfn, uint64_t mfn);

/* ---- I/O ------------------------------------------------------------ */

/*
 * A request for [sector, sector + sectors) of `disk` begins or ends. Call
 * io_range_begin before the io_begin of its pages, io_range_end after their
 * io_end. A change of the block (write, discard) makes every page that held
 * it non-reusable and spoils overlapping I/O in flight (I3). Visits the pages
 * of the range, at most every page known. Beyond 1360 changes in flight, or
 * without memory, no I/O is trusted in this life and the next.
 */
void cache_io_range_begin(struct wcr_cache *c, uint32_t disk, uint64_t sector,
                          uint64_t sectors, unsigned int op);
void cache_io_range_end(struct wcr_cache *c, uint32_t disk, uint64_t sector,
                        uint64_t sectors, unsigned int op);

/* What the glue must do when I/O of a page begins. */
enum wcr_begin {
    WCR_BEGIN_IGNORE,       /* nothing */
    WCR_BEGIN_TRACK,        /* watch the frame from now on, or call cache_spoil */
    WCR_BEGIN_TELL,         /* also: was there a store before? cache_stored_before */
};
/*
 * One page of the request: `whole` says that it is a whole block at offset 0.
 * Every begin wants its end, whatever it returns.
 */
enum wcr_begin cache_io_begin(struct wcr_cache *c, uint64_t pfn, uint64_t mfn,
                              uint32_t disk, uint64_t sector, unsigned int op, bool whole);
/* A store was made between the last look at the page and this begin. */
void cache_stored_before(struct wcr_cache *c, uint64_t pfn, uint64_t mfn);
/*
 * True: the page has just become REUSABLE; the caller must now look whether it can
 * be written unwatched, and call cache_spoil if so.
 */
bool cache_io_end(struct wcr_cache *c, uint64_t pfn, uint64_t mfn, uint32_t disk,
                  uint64_t sector, unsigned int op, bool ok);
/* The frame cannot be watched: in doubt, non-reusable. */
void cache_spoil(struct wcr_cache *c, uint64_t pfn, uint64_t mfn);

/* A store, or something that may store, reached or will reach the page. */
void cache_store_seen(struct wcr_cache *c, uint64_t pfn, uint64_t mfn);

/* ---- keeping pages over a reboot ------------------------------------ */

/*
 * The domain died and gives this page back: true: the cache now holds it. Kept
 * are pages that the cache-mapping table lists, and those of the last life that
 * this one neither claimed nor touched.
 */
bool cache_retain(struct wcr_cache *c, uint64_t pfn, uint64_t mfn);
/* The next life asks for its frame: true and the page, once; else false. */
bool cache_take(struct wcr_cache *c, uint64_t pfn, uint64_t *ret_mfn);
bool cache_holds(const struct wcr_cache *c, uint64_t pfn);
/* The frame left the domain, or was taken and could not be used. Held pages stay. */
void cache_forget(struct wcr_cache *c, uint64_t pfn);
/* A page held or handed back, untouched so far and not yet claimed. */
bool cache_is_retained(const struct wcr_cache *c, uint64_t pfn, uint64_t mfn);
/*
 * Give up one held page: true and the page, false when none is left. Looks at
 * one word per 85 frames.
 */
bool cache_drop_next(struct wcr_cache *c, uint64_t *ret_mfn);

/* 0: the guest may use the page as this block; -ESTALE: it may not. */
int cache_reuse(struct wcr_cache *c, uint64_t pfn, uint64_t mfn, uint32_t disk,
                uint64_t sector);

/* ---- looking -------------------------------------------------------- */

/* What is known of a frame, with `vbd` the number of its disk; false: nothing. */
bool cache_page(const struct wcr_cache *c, uint64_t pfn, struct wcr_page_info *ret_page);
/*
 * The first page at or after `pfn` with all of `flags` (WCR_PAGE_*) set;
 * returns its PFN and fills `ret_page`, or WCR_NO_PFN. Looks at no more than
 * 4,096 frames: returns WCR_NO_PFN with *ret_next < WCR_NO_PFN to go on from.
 */
uint64_t cache_next(const struct wcr_cache *c, uint64_t pfn, uint32_t flags,
                    struct wcr_page_info *ret_page, uint64_t *ret_next);

/* Held by the cache itself, owned by no domain: in `flags` of cache_next only. */
#define WCR_PAGE_HELD   0x80000000U

#endif
