// SPDX-License-Identifier: GPL-2.0
/*
 * Retained pages: found by (file system, inode, index), claimed by a
 * page-cache miss, or released to the allocator by age or memory pressure.
 *
 *     RETAINED --claim--> CLAIMED --answer--> REUSED | STALE
 *        |                   |
 *        +---- released -----+--> GONE       an ordinary page from then on
 *
 * Until it is claimed or released a page is Reserved, and nobody touches it.
 */
#define pr_fmt(fmt) "xen_wcr: " fmt

#include <linux/hash.h>
#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/page_owner.h>
#include <linux/seq_file.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "internal.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "wcr."

static unsigned int age = 600;
module_param(age, uint, 0444);
MODULE_PARM_DESC(age, "seconds after which unclaimed pages are freed, 0: never");

enum state { GONE, RETAINED, CLAIMED, REUSED, STALE };

struct retained {
	struct hlist_node node;		/* hashed: can be claimed */
	u64 inode;
	u64 index;
	u64 sector;			/* of the block it was reused as */
	u32 fs_id;
	u32 pfn : 29, state : 3;	/* WCR_MAX_FRAMES is 2^24 */
};

static struct retained *pages;		/* in PFN order */
static u32 *page_of;			/* by PFN: which of them, plus 1 */
static unsigned int nr_pages;
static unsigned int nr_left;		/* in state RETAINED */
static unsigned int release_cursor;	/* none is left before this one */
static struct hlist_head *buckets;
static unsigned int bucket_bits;
/* All of the above, once set up, and the pages' fields. */
static DEFINE_SPINLOCK(retained_lock);

static struct hlist_head *bucket_of(u32 fs_id, u64 inode, u64 index)
{
	u32 key[] = { lower_32_bits(inode), upper_32_bits(inode),
		      lower_32_bits(index), upper_32_bits(index) };

	return &buckets[hash_32(jhash2(key, ARRAY_SIZE(key), fs_id), bucket_bits)];
}

/* Under retained_lock: the page for this key. */
static struct retained *lookup(const struct wcr_file *file, u64 index)
{
	struct retained *page;

	hlist_for_each_entry(page, bucket_of(file->fs_id, file->inode, index), node)
		if (page->fs_id == file->fs_id && page->inode == file->inode &&
		    page->index == index)
			return page;
	return NULL;
}

/* The same, no longer to be found. */
static struct retained *unhash(const struct wcr_file *file, u64 index)
{
	struct retained *page = lookup(file, index);

	if (page)
		hlist_del_init(&page->node);
	return page;
}

static struct retained *find(unsigned long pfn)
{
	return pfn < wcr_frames && page_of[pfn] ? &pages[page_of[pfn] - 1] : NULL;
}

/* ---- claiming ------------------------------------------------------- */

bool __wcr_folio_left(const struct address_space *mapping)
{
	struct wcr_file file;

	return READ_ONCE(nr_left) && wcr_mapping_file(mapping, &file);
}

struct folio *__wcr_folio_claim(struct address_space *mapping, pgoff_t index)
{
	struct retained *found;
	struct wcr_file file;
	unsigned long flags;
	struct page *page;

	if (!READ_ONCE(nr_left) || !wcr_mapping_file(mapping, &file))
		return NULL;
	spin_lock_irqsave(&retained_lock, flags);
	found = unhash(&file, index);
	if (found) {
		found->state = CLAIMED;
		nr_left--;
	}
	spin_unlock_irqrestore(&retained_lock, flags);
	if (!found)
		return NULL;

	/* As the allocator gives it; its init_on_alloc would spoil the bytes. */
	page = pfn_to_page(found->pfn);
	ClearPageReserved(page);
	init_page_count(page);
	adjust_managed_page_count(page, 1);
	set_page_owner(page, 0, GFP_HIGHUSER_MOVABLE);
	set_bit(found->pfn, wcr_claimed);
	wcr_count(WCR_CLAIMED);
	return page_folio(page);
}

void wcr_retained_answers(const struct wcr_reuse_entry *entries, unsigned int nr)
{
	unsigned int i, reused = 0;
	unsigned long flags;

	spin_lock_irqsave(&retained_lock, flags);
	for (i = 0; i < nr; i++) {
		struct retained *page = find(entries[i].pfn);

		reused += !entries[i].status;
		if (page && page->state == CLAIMED) {
			page->state = entries[i].status ? STALE : REUSED;
			page->sector = entries[i].sector;
		}
	}
	spin_unlock_irqrestore(&retained_lock, flags);
	atomic_long_add(reused, &wcr_stats[WCR_REUSE_OK]);
	atomic_long_add(nr - reused, &wcr_stats[WCR_REUSE_STALE]);
}

/* Without the lock, for there may be millions: the window's pages are looked up under it. */
bool wcr_retained_next_window(unsigned int *cursor, struct wcr_file *file,
			      u64 *ret_first)
{
	while (*cursor < nr_pages) {
		const struct retained *page = &pages[(*cursor)++];

		if (page->fs_id != file->fs_id || !page->inode ||
		    page->state != RETAINED)
			continue;
		file->inode = page->inode;
		*ret_first = page->index & -(u64)WCR_WINDOW;
		return true;
	}
	return false;
}

u64 wcr_retained_window(const struct wcr_file *file, u64 first)
{
	unsigned long flags;
	unsigned int i;
	u64 ret = 0;

	spin_lock_irqsave(&retained_lock, flags);
	for (i = 0; i < WCR_WINDOW; i++)
		if (lookup(file, first + i))
			ret |= 1ULL << i;
	spin_unlock_irqrestore(&retained_lock, flags);
	return ret;
}

void __wcr_folio_activate(struct folio *folio)
{
	if (wcr_page_claimed(folio_pfn(folio)))
		folio_set_active(folio);
}

/*
 * The bit must go with the claim: the frame's next user may read another block
 * into it, and where consistency is off the hypervisor believes whoever asks.
 */
void __wcr_folio_unclaim(struct folio *folio)
{
	unsigned long pfn = folio_pfn(folio);
	unsigned long flags;
	struct retained *page;

	if (!wcr_page_claimed(pfn) || !test_and_clear_bit(pfn, wcr_claimed))
		return;
	page = find(pfn);
	spin_lock_irqsave(&retained_lock, flags);
	if (page && page->state == CLAIMED)
		page->state = GONE;
	spin_unlock_irqrestore(&retained_lock, flags);
}

/* It stays Reserved until it is released, but nobody finds it any more. */
void wcr_retained_forget(const struct wcr_file *file, u64 index)
{
	unsigned long flags;

	if (!READ_ONCE(nr_left))
		return;
	spin_lock_irqsave(&retained_lock, flags);
	unhash(file, index);
	spin_unlock_irqrestore(&retained_lock, flags);
}

/* ---- releasing ------------------------------------------------------ */

#define RELEASE_BATCH	64

/* Returns how many of at most RELEASE_BATCH pages there were left to free. */
static unsigned int release_some(unsigned int nr)
{
	u32 pfns[RELEASE_BATCH];
	unsigned int i, n = 0;
	unsigned long flags;

	nr = min_t(unsigned int, nr, RELEASE_BATCH);
	spin_lock_irqsave(&retained_lock, flags);
	for (; n < nr && release_cursor < nr_pages; release_cursor++) {
		struct retained *page = &pages[release_cursor];

		if (page->state != RETAINED)
			continue;
		hlist_del_init(&page->node);
		page->state = GONE;
		pfns[n++] = page->pfn;
	}
	nr_left -= n;
	spin_unlock_irqrestore(&retained_lock, flags);

	for (i = 0; i < n; i++)
		free_reserved_page(pfn_to_page(pfns[i]));
	atomic_long_add(n, &wcr_stats[WCR_RELEASED]);
	return n;
}

static void release_aged(struct work_struct *work)
{
	while (release_some(RELEASE_BATCH))
		cond_resched();
}

static DECLARE_DELAYED_WORK(age_work, release_aged);

static unsigned long shrink_count(struct shrinker *shrinker,
				  struct shrink_control *sc)
{
	return READ_ONCE(nr_left) ?: SHRINK_EMPTY;
}

static unsigned long shrink_scan(struct shrinker *shrinker,
				 struct shrink_control *sc)
{
	unsigned long freed = 0;
	unsigned int n;

	while (freed < sc->nr_to_scan) {
		n = release_some(sc->nr_to_scan - freed);
		if (!n)
			break;
		freed += n;
	}
	return freed ?: SHRINK_STOP;
}

static struct shrinker shrinker = {
	.count_objects = shrink_count,
	.scan_objects = shrink_scan,
	.seeks = DEFAULT_SEEKS,
};

/* ---- setting up, looking -------------------------------------------- */

static void __init read_keys(void)
{
	static struct wcr_map_entry entries[64] __initdata;
	unsigned int i, n;
	u64 pfn = 0;

	while ((n = wcr_retained_next(&pfn, entries, ARRAY_SIZE(entries)))) {
		for (i = 0; i < n; i++) {
			struct retained *page = find(entries[i].pfn);

			if (!page)
				continue;
			page->fs_id = entries[i].fs_id;
			page->inode = entries[i].inode;
			page->index = entries[i].index;
			hlist_add_head(&page->node,
				       bucket_of(page->fs_id, page->inode, page->index));
		}
	}
}

int __init wcr_retained_init(void)
{
	unsigned long n = atomic_long_read(&wcr_stats[WCR_RETAINED]);
	unsigned int i, j;

	if (!n)
		return 0;
	bucket_bits = ilog2(roundup_pow_of_two(n)) + 1;
	pages = kvcalloc(n, sizeof(*pages), GFP_KERNEL);
	page_of = kvcalloc(wcr_frames, sizeof(*page_of), GFP_KERNEL);
	buckets = kvcalloc(1UL << bucket_bits, sizeof(*buckets), GFP_KERNEL);
	if (!pages || !page_of || !buckets || register_shrinker(&shrinker, "xen-wcr")) {
		kvfree(pages);
		kvfree(page_of);
		kvfree(buckets);
		return -ENOMEM;
	}
	for (i = 0; i < wcr_nr_runs; i++) {
		for (j = 0; j < wcr_runs[i].nr; j++, nr_pages++) {
			pages[nr_pages].pfn = wcr_runs[i].first + j;
			pages[nr_pages].state = RETAINED;
			page_of[pages[nr_pages].pfn] = nr_pages + 1;
		}
	}
	read_keys();
	WRITE_ONCE(nr_left, nr_pages);
	if (age)
		schedule_delayed_work(&age_work, age * HZ);
	return 0;
}

void __init wcr_retained_give_up(void)
{
	unsigned int i, j;

	for (i = 0; i < wcr_nr_runs; i++)
		for (j = 0; j < wcr_runs[i].nr; j++)
			free_reserved_page(pfn_to_page(wcr_runs[i].first + j));
}

void wcr_retained_show(struct seq_file *m)
{
	const struct retained *page;

	for (page = pages; page < pages + nr_pages; page++)
		if (page->state == REUSED)
			seq_printf(m, "%u %llu %llu %llu\n", page->pfn,
				   page->inode, page->index, page->sector);
}

unsigned int wcr_retained_left(void)
{
	return READ_ONCE(nr_left);
}
