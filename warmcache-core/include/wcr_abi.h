/* SPDX-License-Identifier: MIT */
/*
 * The warm-cache hypercall: one header for the hypervisor, Linux and tools.
 *
 *   long warmcache_op(unsigned int cmd, void *arg)
 *
 * Hypercall number WCR_HYPERCALL. `arg` points at the structure named beside
 * each command. Every field is fixed-width and every structure has the same
 * layout for 64-bit callers everywhere; buffers are passed as the caller's
 * virtual address in a uint64_t. The call returns 0, a count where said, or a
 * negative errno: -EPERM (not your command), -EINVAL (bad argument),
 * -EFAULT (bad buffer), -ENOENT (no such cache), -ENOSYS (unknown command),
 * -E2BIG (nr over the limit), -ENOMEM.
 *
 * Units: pfn and mfn are page numbers; `sector` is in 512-byte sectors of the
 * *virtual* disk; `vbd` is the virtual device number of the disk as XenStore
 * names it (51712 for xvda). A block is WCR_BLOCK_SECTORS sectors: one page.
 */
#ifndef WCR_ABI_H
#define WCR_ABI_H

#ifndef WCR_ABI_NO_STDINT
# ifdef __KERNEL__
#  include <linux/types.h>
# elif !defined(__XEN__)
#  include <stdint.h>
# endif
#endif

#define WCR_ABI_VERSION    2
#define WCR_HYPERCALL      43
#define WCR_BATCH_MAX      512     /* entries a single call may carry */
#define WCR_BLOCK_SECTORS  8

/* What a domain's cache is allowed to do, chosen by domain 0 per UUID. */
enum wcr_mode {
    WCR_MODE_COLD     = 0,  /* track, but retain nothing */
    WCR_MODE_ENABLED  = 1,  /* retain and reuse pages known to equal the disk */
    WCR_MODE_DISABLED = 2,  /* consistency off: retain and reuse every mapped page */
};

/* ---- commands of the guest, about itself ---------------------------- */

/* Turn tracking on. -ENOENT: this domain was given no warm cache. */
#define WCR_OP_register       0   /* struct wcr_register */
struct wcr_register {
    uint32_t version;           /* in: WCR_ABI_VERSION */
    uint32_t mode;              /* out: enum wcr_mode */
    uint64_t direct_map_base;   /* in: virtual address of pfn 0 */
    uint64_t capacity;          /* in: guest frames, pfns are below this */
    uint64_t retained;          /* out: pages kept from the last life */
};

/* Add to and remove from the cache-mapping table, in order. Returns 0. */
#define WCR_OP_map_update     1   /* struct wcr_map_update */
#define WCR_MAP_REMOVE        0
#define WCR_MAP_ADD           1
#define WCR_INODE_DISK        0     /* the disk's own blocks; never trusted unverified */
struct wcr_map_entry {
    uint64_t pfn;
    uint64_t mfn;               /* in, to add: the machine frame behind it */
    uint64_t inode;
    uint64_t index;             /* page index in the file */
    uint32_t fs_id;             /* the guest's own name of the file system (dev_t) */
    uint32_t op;                /* WCR_MAP_*; WCR_PAGE_* flags in retained_list */
};
struct wcr_map_update {
    uint64_t entries;           /* in: struct wcr_map_entry[nr] */
    uint32_t nr;
    uint32_t pad;
};

/* Retained pages not yet overwritten, in PFN order, from first_pfn on. */
#define WCR_OP_retained_list  2   /* struct wcr_retained_list */
struct wcr_retained_list {
    uint64_t first_pfn;         /* in: where to begin; out: where to go on */
    uint64_t entries;           /* in: room for struct wcr_map_entry[nr] */
    uint32_t nr;                /* in: room; out: entries written; 0: the end */
    uint32_t pad;
};

/*
 * "May I use this frame as the block at this sector without reading it?"
 * Per entry: 0 yes (it is recorded as reused), -ESTALE no.
 */
#define WCR_OP_reuse          3   /* struct wcr_reuse */
struct wcr_reuse_entry {
    uint64_t pfn;
    uint64_t sector;
    int32_t  status;            /* out */
    uint32_t pad;
};
struct wcr_reuse {
    uint64_t entries;           /* in/out: struct wcr_reuse_entry[nr] */
    uint32_t nr;
    uint32_t vbd;
};

/*
 * The direct map is complete: from now on a new writable mapping of a retained
 * page is a store. What is kept for memory that this life does not have is given
 * up.
 */
#define WCR_OP_boot_done      4   /* arg: NULL */

/* ---- commands of domain 0 ------------------------------------------- */

/* Give a UUID a warm cache, or change the mode of one. Survives the domain. */
#define WCR_OP_set_policy     16  /* struct wcr_policy */
struct wcr_policy {
    uint8_t  uuid[16];
    uint32_t mode;
    uint32_t max_age;           /* seconds to keep pages for a domain that does not
                                   come back; 0: the host's warmcache_age */
    uint64_t max_pages;         /* most pages to retain; 0: no own limit */
};

/*
 * The backend's requests: announced (begin) after their grants were mapped and before
 * the I/O is submitted, and told the outcome of (end) once they are unmapped, with the
 * same segments. An end may be late, and then costs hits: one call takes many, in
 * order. Returns what the last one does; -ENOENT: nobody has a cache of this disk,
 * its end need not be told.
 */
#define WCR_OP_io             17  /* struct wcr_io_batch */
#define WCR_IO_READ           0
#define WCR_IO_WRITE          1
#define WCR_IO_DISCARD        2   /* also write-zeroes; no segments */
/* A write without segments changes the disk, from pages that are not told. */
#define WCR_IO_BEGIN          0
#define WCR_IO_END            1
struct wcr_io_seg {             /* the segments follow each other on the disk */
    uint64_t mfn;               /* machine frame the grant maps */
    uint32_t sectors;           /* a page is tracked only if this is a block... */
    uint32_t offset;            /* ...and this, bytes into the page, is 0 */
};
struct wcr_io {
    uint64_t segs;              /* struct wcr_io_seg[nr] */
    uint64_t disk;              /* backing device: a number that no other ever has */
    uint64_t start;             /* where on it the virtual disk begins, in sectors */
    uint64_t sector;            /* first sector of the virtual disk */
    uint64_t sectors;           /* of all segments, or changed */
    uint32_t nr;
    uint32_t vbd;
    uint16_t domid;             /* the frontend */
    uint8_t  op;                /* WCR_IO_READ... */
    uint8_t  phase;             /* WCR_IO_BEGIN, WCR_IO_END */
    int32_t  status;            /* end: 0 or negative errno */
};
struct wcr_io_batch {
    uint64_t ios;               /* in: struct wcr_io[nr] */
    uint32_t nr;
    uint32_t pad;
};

/* Why a page that the guest lists is not REUSABLE, or was not kept. */
enum wcr_why {
    WCR_WHY_NOT_READ    = 0,    /* not read from or written to the disk since it is listed */
    WCR_WHY_STORED      = 1,    /* stored to since, and not written back */
    WCR_WHY_WRITABLE    = 2,    /* could be written through another mapping */
    WCR_WHY_CHANGED     = 3,    /* the block was changed by something else */
    WCR_WHY_FAILED      = 4,    /* its I/O failed */
    WCR_WHY_PARTIAL     = 5,    /* its I/O was not of a whole, aligned block */
    WCR_WHY_OVERLAP     = 6,    /* it was in two I/Os that contradict each other */
    WCR_WHY_IN_FLIGHT   = 7,    /* its I/O had not ended */
    WCR_WHY_LIMIT       = 8,    /* the cache's max_pages were kept */
    WCR_WHY_UNTRUSTED   = 9,    /* the domain was migrated, or ran on shadow page tables */
    WCR_WHY_NR          = 10,
};

/* Every warm cache of the host. Returns the number of caches there are. */
#define WCR_OP_list           19  /* struct wcr_list */
struct wcr_cache_info {
    uint8_t  uuid[16];
    uint32_t domid;             /* 0x7ff4 (DOMID_INVALID): no domain now */
    uint32_t mode;
    uint32_t max_age;           /* seconds, of the policy */
    uint32_t pad;
    uint64_t max_pages;
    uint64_t pages_mapped;      /* in the cache-mapping table */
    uint64_t pages_reusable;    /* of a live domain, those that WCR_OP_pages has not looked
                                   at since may have been stored to */
    uint64_t pages_retained;    /* kept, owned by nobody */
    /* counters since the cache was created */
    uint64_t io_reads, io_writes;           /* pages announced */
    uint64_t io_requests, io_calls;         /* begun requests, and hypercalls for them */
    uint64_t map_entries, map_calls;        /* of the guest */
    uint64_t protect_refused;               /* another writable mapping */
    uint64_t stores_seen;                   /* reusable pages spoiled by a store or alias */
    uint64_t retained, returned, overwritten; /* kept; handed back; lost to the builder */
    uint64_t given_up;                      /* kept, then freed: host memory, age, drop */
    uint64_t reuse_ok, reuse_stale;
    uint64_t not_kept[WCR_WHY_NR];          /* listed when the domain died, by why not */
};
struct wcr_list {
    uint64_t entries;           /* in: room for struct wcr_cache_info[nr] */
    uint32_t nr;                /* in: room; out: written */
    uint32_t pad;
};

/* The state of every page of a cache, in PFN order, from first_pfn on. */
#define WCR_OP_pages          20  /* struct wcr_pages */
#define WCR_PAGE_MAPPED       0x01  /* listed in the cache-mapping table */
#define WCR_PAGE_REUSABLE     0x02  /* equals block (vbd, sector) */
#define WCR_PAGE_IN_FLIGHT    0x04
#define WCR_PAGE_RETAINED     0x08  /* came, or waits to come, from the last life */
#define WCR_PAGE_REUSED       0x10  /* the guest took it without I/O */
#define WCR_PAGE_WRITTEN      0x20  /* stored to since it was reused */
struct wcr_page_info {
    uint64_t pfn;
    uint64_t mfn;
    uint64_t inode;
    uint64_t index;
    uint64_t sector;            /* of the last I/O, or as claimed when reused */
    uint32_t vbd;
    uint32_t fs_id;
    uint32_t flags;             /* WCR_PAGE_* */
    uint32_t why;               /* enum wcr_why, if it is not REUSABLE */
};
struct wcr_pages {
    uint8_t  uuid[16];
    uint64_t first_pfn;         /* in: where to begin; out: where to go on */
    uint64_t entries;           /* in: room for struct wcr_page_info[nr] */
    uint32_t nr;                /* in: room; out: written; 0: the end */
    uint32_t pad;
};

/* Forget a cache: scrub and free what it retains. A live domain goes on untracked. */
#define WCR_OP_drop           21  /* struct wcr_drop */
struct wcr_drop {
    uint8_t uuid[16];
};

/* Copy one retained page (no domain owns it) to a 4096-byte buffer. */
#define WCR_OP_read_retained  22  /* struct wcr_read_retained */
struct wcr_read_retained {
    uint8_t  uuid[16];
    uint64_t pfn;
    uint64_t buffer;
};

/* The version this hypervisor speaks, from any domain: returns WCR_ABI_VERSION. */
#define WCR_OP_version        31  /* arg: NULL */

#endif /* WCR_ABI_H */
