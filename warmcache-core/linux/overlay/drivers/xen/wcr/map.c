// SPDX-License-Identifier: GPL-2.0
/*
 * The cache-mapping table is the hypervisor's; this keeps it up to date.
 *
 * Updates queue up here, of all processors in one queue, as a page may be
 * removed on one, and added again on another. They are sent when the queue is
 * full, before a removed page can be freed, and after a while: what has no name
 * yet when the guest dies is lost.
 */
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <asm/xen/page.h>
#include "internal.h"

#define SEND_DELAY	(HZ / 10)

static struct wcr_map_entry queue[64];
static unsigned int queued;
/* Taken under i_pages locks. */
static DEFINE_SPINLOCK(queue_lock);

static long send(const struct wcr_map_entry *entries, unsigned int nr)
{
	struct wcr_map_update op = {
		.entries = (unsigned long)entries,
		.nr = nr,
	};

	return wcr_hypercall(WCR_OP_map_update, &op);
}

/* Under queue_lock. */
static void flush(void)
{
	unsigned int i;

	wcr_count(WCR_MAP_FLUSHES);
	/* The first bad entry ends a batch; once more one by one does no harm. */
	if (send(queue, queued))
		for (i = 0; i < queued; i++)
			if (send(&queue[i], 1))
				wcr_count(WCR_MAP_ERRORS);
	for (i = 0; i < queued; i++)
		if (queue[i].op == WCR_MAP_REMOVE)
			clear_bit(queue[i].pfn, wcr_removed);
	WRITE_ONCE(queued, 0);
}

static void send_late(struct work_struct *work)
{
	wcr_map_flush();
}

static DECLARE_DELAYED_WORK(late_work, send_late);

static void enqueue(const struct wcr_map_entry *entry)
{
	unsigned long flags;

	spin_lock_irqsave(&queue_lock, flags);
	queue[queued] = *entry;
	WRITE_ONCE(queued, queued + 1);
	if (queued == ARRAY_SIZE(queue))
		flush();
	else if (queued == 1)
		schedule_delayed_work(&late_work, SEND_DELAY);
	spin_unlock_irqrestore(&queue_lock, flags);
}

/*
 * What the caller queued, or saw queued, is sent when this returns: `queued`
 * drops to 0 only after the hypercall.
 */
void wcr_map_flush(void)
{
	unsigned long flags;

	if (!READ_ONCE(queued))
		return;
	spin_lock_irqsave(&queue_lock, flags);
	if (queued)
		flush();
	spin_unlock_irqrestore(&queue_lock, flags);
}

static void enqueue_add(unsigned long pfn, const struct wcr_file *file,
			u64 index)
{
	struct wcr_map_entry entry = {
		.pfn = pfn,
		.mfn = pfn_to_mfn(pfn),
		.inode = file->inode,
		.index = index,
		.fs_id = file->fs_id,
		.op = WCR_MAP_ADD,
	};

	set_bit(pfn, wcr_mapped);
	enqueue(&entry);
	wcr_count(WCR_MAP_ADDS);
}

void __wcr_folio_added(struct address_space *mapping, struct folio *folio)
{
	unsigned long pfn = folio_pfn(folio);
	long i, nr = folio_nr_pages(folio);
	struct wcr_file file;

	if (!wcr_mapping_file(mapping, &file))
		return;
	for (i = 0; i < nr && pfn + i < wcr_frames; i++) {
		if (!wcr_page_claimed(pfn + i))
			wcr_retained_forget(&file, folio->index + i);
		enqueue_add(pfn + i, &file, folio->index + i);
	}
}

/* Asks what was added, not what would be: the disk may have gone meanwhile. */
void __wcr_folio_removed(struct folio *folio)
{
	unsigned long pfn = folio_pfn(folio);
	long i, nr = folio_nr_pages(folio);

	__wcr_folio_unclaim(folio);
	for (i = 0; i < nr && pfn + i < wcr_frames; i++) {
		struct wcr_map_entry entry = {
			.pfn = pfn + i,
			.op = WCR_MAP_REMOVE,
		};

		if (!test_bit(pfn + i, wcr_mapped) ||
		    !test_and_clear_bit(pfn + i, wcr_mapped))
			continue;
		set_bit(pfn + i, wcr_removed);
		enqueue(&entry);
		wcr_count(WCR_MAP_REMOVES);
	}
}

void __wcr_pages_freed(const struct page *page, unsigned int order)
{
	unsigned long pfn = page_to_pfn(page);
	unsigned long end = min(pfn + (1UL << order), wcr_frames);

	if (READ_ONCE(queued) && find_next_bit(wcr_removed, end, pfn) < end)
		wcr_map_flush();
}

void wcr_map_force(unsigned long pfn, const struct wcr_file *file, u64 index)
{
	enqueue_add(pfn, file, index);
	wcr_map_flush();
}
