/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Warm-cache reboot: what the rest of the kernel calls.
 *
 * The hypervisor keeps, over a crash or reboot of this guest, the page-cache
 * pages it knows to equal a disk block. At boot those pages are reserved. On a
 * page-cache miss a *retained* page is *claimed* in place of a fresh one, and
 * when its read reaches the block layer the hypervisor is asked whether the
 * page holds that very block: if so the read is complete, else it goes to disk.
 *
 * Without wcr=1, or without a hypervisor that plays along, every hook is a
 * branch that is never taken.
 */
#ifndef _XEN_WCR_H
#define _XEN_WCR_H

#include <linux/fs.h>
#include <linux/jump_label.h>
#include <linux/types.h>

struct bio;
struct page;
struct folio;
struct gendisk;
struct request;
struct super_block;

#ifdef CONFIG_XEN_WCR

DECLARE_STATIC_KEY_FALSE(wcr_enabled);

/* struct wcr_* of <xen/interface/wcr_abi.h>; 0 or negative errno. */
long wcr_hypercall(unsigned int cmd, void *arg);

/* Reserve the retained pages, before anything can allocate there. */
void wcr_memory_setup(void);

/* blkfront's disks, by their virtual device number. */
void wcr_disk_add(struct gendisk *disk, u32 vbd);
void wcr_disk_del(struct gendisk *disk);

bool __wcr_folio_left(const struct address_space *mapping);
struct folio *__wcr_folio_claim(struct address_space *mapping, pgoff_t index);
void __wcr_folio_unclaim(struct folio *folio);
void __wcr_folio_activate(struct folio *folio);
void __wcr_folio_added(struct address_space *mapping, struct folio *folio);
void __wcr_folio_removed(struct folio *folio);
void __wcr_pages_freed(const struct page *page, unsigned int order);
bool __wcr_bio_reuse(struct bio *bio);
void __wcr_mounted(struct super_block *sb);

/*
 * The retained page for this page of a file, as the allocator would return a
 * folio of order 0; NULL: there is none, allocate. Nobody writes to the page
 * before its read is complete.
 */
static inline struct folio *wcr_folio_claim(struct address_space *mapping,
					    pgoff_t index)
{
	if (static_branch_unlikely(&wcr_enabled))
		return __wcr_folio_claim(mapping, index);
	return NULL;
}

/* The same, if the mapping is a block device's. */
static inline struct folio *wcr_block_folio_claim(struct address_space *mapping,
						  pgoff_t index)
{
	if (static_branch_unlikely(&wcr_enabled) && mapping->host &&
	    S_ISBLK(mapping->host->i_mode))
		return __wcr_folio_claim(mapping, index);
	return NULL;
}

/* There may be retained pages of this mapping, which are single ones. */
static inline bool wcr_folio_left(const struct address_space *mapping)
{
	return static_branch_unlikely(&wcr_enabled) && __wcr_folio_left(mapping);
}

/* The folio, perhaps claimed, did not make it into the page cache. */
static inline void wcr_folio_unclaim(struct folio *folio)
{
	if (static_branch_unlikely(&wcr_enabled))
		__wcr_folio_unclaim(folio);
}

/* It is about to be listed: a claimed one has proved itself in the last life. */
static inline void wcr_folio_activate(struct folio *folio)
{
	if (static_branch_unlikely(&wcr_enabled))
		__wcr_folio_activate(folio);
}

/* The locked folio is now in the page cache. */
static inline void wcr_folio_added(struct address_space *mapping,
				   struct folio *folio)
{
	if (static_branch_unlikely(&wcr_enabled))
		__wcr_folio_added(mapping, folio);
}

/* The folio leaves the page cache. */
static inline void wcr_folio_removed(struct folio *folio)
{
	if (static_branch_unlikely(&wcr_enabled))
		__wcr_folio_removed(folio);
}

/*
 * The pages are about to be free. The hypervisor must know by now which of them
 * left the page cache, before they are used for something else.
 */
static inline void wcr_pages_freed(const struct page *page, unsigned int order)
{
	if (static_branch_unlikely(&wcr_enabled))
		__wcr_pages_freed(page, order);
}

static inline void wcr_folio_replaced(struct address_space *mapping,
				      struct folio *old, struct folio *new)
{
	if (static_branch_unlikely(&wcr_enabled)) {
		__wcr_folio_removed(old);
		__wcr_folio_added(mapping, new);
	}
}

/*
 * Complete without I/O what claimed pages of this read already hold. True: that
 * was all of it, the bio has ended; false: submit what is left of the bio.
 */
static inline bool wcr_bio_reuse(struct bio *bio)
{
	if (static_branch_unlikely(&wcr_enabled))
		return __wcr_bio_reuse(bio);
	return false;
}

/* A file system can be read from now on; s_umount is held. */
static inline void wcr_mounted(struct super_block *sb)
{
	if (static_branch_unlikely(&wcr_enabled))
		__wcr_mounted(sb);
}

#else /* !CONFIG_XEN_WCR */

static inline void wcr_memory_setup(void) {}
static inline void wcr_disk_add(struct gendisk *disk, u32 vbd) {}
static inline void wcr_disk_del(struct gendisk *disk) {}
static inline struct folio *wcr_folio_claim(struct address_space *mapping,
					    pgoff_t index) { return NULL; }
static inline struct folio *wcr_block_folio_claim(struct address_space *mapping,
						  pgoff_t index) { return NULL; }
static inline bool wcr_folio_left(const struct address_space *mapping) { return false; }
static inline void wcr_folio_unclaim(struct folio *folio) {}
static inline void wcr_folio_activate(struct folio *folio) {}
static inline void wcr_folio_added(struct address_space *mapping,
				   struct folio *folio) {}
static inline void wcr_folio_removed(struct folio *folio) {}
static inline void wcr_folio_replaced(struct address_space *mapping,
				      struct folio *old, struct folio *new) {}
static inline void wcr_pages_freed(const struct page *page, unsigned int order) {}
static inline bool wcr_bio_reuse(struct bio *bio) { return false; }
static inline void wcr_mounted(struct super_block *sb) {}

#endif /* CONFIG_XEN_WCR */

#ifdef CONFIG_XEN_WCR_POKE
/* blkfront is about to push this request. */
void wcr_poke_request(struct request *req);
#else
static inline void wcr_poke_request(struct request *req) {}
#endif

#endif /* _XEN_WCR_H */
