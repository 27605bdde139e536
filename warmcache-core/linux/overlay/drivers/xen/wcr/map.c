// SPDX-License-Identifier: GPL-2.0
/*
 * The cache-mapping table is the hypervisor's; this keeps it up to date.
 *
 * Updates queue up here, of all processors in one queue, as a page may be
 * removed on one, and added again on another. They are sent when the queue is
 * full, before I/O begins, and before a removed page can be freed.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <asm/xen/page.h>
#include "internal.h"

static struct wcr_map_entry queue[64];
static unsigned int queued;
/* Innermost: taken under i_pages locks and blkfront's ring lock. */
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
	WRITE_ONCE(queued, 0);
}

static void enqueue(const struct wcr_map_entry *entry)
{
	unsigned long flags;

	spin_lock_irqsave(&queue_lock, flags);
	queue[queued] = *entry;
	WRITE_ONCE(queued, queued + 1);
	if (queued == ARRAY_SIZE(queue))
		flush();
	spin_unlock_irqrestore(&queue_lock, flags);
}

/*
 * What the caller queued, or saw queued, is sent when this returns: `queued`
 * drops to 0 only after the hypercall.
 */
void __wcr_map_flush(void)
{
	unsigned long flags;

	if (!READ_ONCE(queued))
		return;
	spin_lock_irqsave(&queue_lock, flags);
	if (queued)
		flush();
	spin_unlock_irqrestore(&queue_lock, flags);
}
EXPORT_SYMBOL_GPL(__wcr_map_flush);

static void enqueue_add(unsigned long pfn, u32 fs_id, u64 inode, u64 index)
{
	struct wcr_map_entry entry = {
		.pfn = pfn,
		.mfn = pfn_to_mfn(pfn),
		.inode = inode,
		.index = index,
		.fs_id = fs_id,
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
	const struct inode *inode = mapping->host;
	u32 fs_id;

	if (!wcr_mapping_tracked(mapping))
		return;
	fs_id = wcr_fs_id(inode->i_sb);
	for (i = 0; i < nr && pfn + i < wcr_frames; i++) {
		wcr_retained_forget(fs_id, inode->i_ino, folio->index + i);
		enqueue_add(pfn + i, fs_id, inode->i_ino, folio->index + i);
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
		enqueue(&entry);
		wcr_count(WCR_MAP_REMOVES);
	}
}

void wcr_map_force(unsigned long pfn, u32 fs_id, u64 inode, u64 index)
{
	enqueue_add(pfn, fs_id, inode, index);
	__wcr_map_flush();
}
