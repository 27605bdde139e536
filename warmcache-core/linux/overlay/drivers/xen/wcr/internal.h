/* SPDX-License-Identifier: GPL-2.0 */
/* Shared by the files of this directory; see <xen/wcr.h> for the idea. */
#ifndef _DRIVERS_XEN_WCR_INTERNAL_H
#define _DRIVERS_XEN_WCR_INTERNAL_H

#include <linux/bitops.h>
#include <linux/fs.h>
#include <linux/kdev_t.h>
#include <xen/interface/wcr_abi.h>
#include <xen/wcr.h>

struct dentry;
struct seq_file;

/* Counted since boot; the names are those of debugfs' stats. */
enum wcr_stat {
	WCR_RETAINED,		/* pages reserved at boot */
	WCR_LOST,		/* retained, but not reserved in time */
	WCR_CLAIMED,
	WCR_REUSE_OK,
	WCR_REUSE_STALE,
	WCR_RELEASED,		/* given to the allocator, unclaimed */
	WCR_MAP_ADDS,
	WCR_MAP_REMOVES,
	WCR_MAP_ERRORS,
	WCR_MAP_FLUSHES,
	WCR_ADOPTING,		/* file systems whose pages are being adopted now */
	WCR_POKES,		/* stores done by debugfs' poke */
	WCR_NR_STATS
};

extern atomic_long_t wcr_stats[WCR_NR_STATS];

static inline void wcr_count(enum wcr_stat stat)
{
	atomic_long_inc(&wcr_stats[stat]);
}

/* main.c */
extern unsigned long wcr_frames;	/* PFNs are below this */
extern unsigned long *wcr_mapped;	/* by PFN: listed in the cache map */
extern unsigned long *wcr_removed;	/* by PFN: no longer, and that is queued */
extern unsigned long *wcr_claimed;	/* by PFN: claimed, not yet answered */

/* Says what our memory is, wcr_frames and PAGE_OFFSET; logs the answer. */
long wcr_register(void);
bool wcr_disk_find(const struct gendisk *disk, u32 *ret_vbd);
/* Names what a mapping caches over a reboot. */
struct wcr_file {
	u32 fs_id;
	u64 inode;			/* 0: the block device itself */
};

/* False: it caches neither a regular file on one of our disks nor such a disk. */
bool wcr_mapping_file(const struct address_space *mapping, struct wcr_file *ret);

static inline bool wcr_page_claimed(unsigned long pfn)
{
	return pfn < wcr_frames && test_bit(pfn, wcr_claimed);
}

/* early.c: what was reserved at boot, in PFN order. */
struct wcr_run {
	u32 first;
	u32 nr;
};

extern struct wcr_run wcr_runs[];
extern unsigned int wcr_nr_runs;

/* Once the page allocator is up; __init. */
void wcr_keep_cache_off_builder(void);

/* The next page of retained_list from *pfn on; returns entries, 0 at the end. */
unsigned int wcr_retained_next(u64 *pfn, struct wcr_map_entry *entries,
			       unsigned int room);

/* retained.c: take over what early.c reserved, or free it. Both __init. */
int wcr_retained_init(void);
void wcr_retained_give_up(void);
/* Another page now caches this: a retained one for it is worth nothing. */
void wcr_retained_forget(const struct wcr_file *file, u64 index);
/* The hypervisor's answers for claimed pages: status 0 is reused. */
void wcr_retained_answers(const struct wcr_reuse_entry *entries, unsigned int nr);
/* One line for each page reused since boot: pfn inode index sector. */
void wcr_retained_show(struct seq_file *m);
unsigned int wcr_retained_left(void);

#define WCR_WINDOW	64	/* pages of a file, aligned to as many */

/*
 * The next window, from *cursor on, of a file of file->fs_id with a page left;
 * false: there is none.
 */
bool wcr_retained_next_window(unsigned int *cursor, struct wcr_file *file,
			      u64 *ret_first);
/* Which of its pages are left, as bits. */
u64 wcr_retained_window(const struct wcr_file *file, u64 first);

/* bio.c */
int wcr_bio_init(void);

/* map.c: tell the hypervisor all that is queued. */
void wcr_map_flush(void);
/* Register a page under a key, at once and whatever the cache says. */
void wcr_map_force(unsigned long pfn, const struct wcr_file *file, u64 index);

#ifdef CONFIG_DEBUG_FS
void wcr_debugfs_init(void);
#else
static inline void wcr_debugfs_init(void) {}
#endif

#ifdef CONFIG_XEN_WCR_POKE
void wcr_poke_init(struct dentry *dir);
#else
static inline void wcr_poke_init(struct dentry *dir) {}
#endif

#endif /* _DRIVERS_XEN_WCR_INTERNAL_H */
