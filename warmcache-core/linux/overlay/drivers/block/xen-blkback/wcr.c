// SPDX-License-Identifier: GPL-2.0
/*
 * Warm-cache reboot: telling the hypervisor of a guest's I/O.
 */
#include <linux/blkdev.h>
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <xen/features.h>
#include <xen/page.h>
#include <xen/wcr.h>

#include "common.h"

/* Where nobody has a cache, reads are announced only once in so long. */
#define ASK_AGAIN	HZ

/* An end that no other request takes along is told after so long. */
#define END_DELAY	1	/* jiffies */

/* The hypervisor knows no warm caches, and will not learn it. */
static bool unknown __read_mostly;

/* Under the ring's lock. Returns what became of the last one. */
static long send(struct xen_blkbk_wcr_ring *wcr)
{
	struct wcr_io_batch batch = {
		.ios = (unsigned long)wcr->ios,
		.nr = wcr->nr,
	};
	long rc = wcr_hypercall(WCR_OP_io, &batch);

	if (rc == -ENOSYS)
		WRITE_ONCE(unknown, true);
	wcr->nr = 0;
	wcr->nr_segs = 0;
	return rc;
}

static bool begin(struct xen_blkif_ring *ring, const struct wcr_io *io)
{
	struct xen_blkbk_wcr_ring *wcr = &ring->wcr;
	unsigned long flags;
	long rc;

	spin_lock_irqsave(&wcr->lock, flags);
	wcr->ios[wcr->nr++] = *io;
	rc = send(wcr);
	spin_unlock_irqrestore(&wcr->lock, flags);
	/* Nothing has begun then. */
	wcr->nobody = rc == -ENOENT;
	wcr->ask_again = jiffies + ASK_AGAIN;
	return rc == 0;
}

static void end(struct xen_blkif_ring *ring, struct wcr_io *io, int status)
{
	struct xen_blkbk_wcr_ring *wcr = &ring->wcr;
	struct wcr_io_seg *segs;
	unsigned long flags;

	io->phase = WCR_IO_END;
	io->status = status;
	spin_lock_irqsave(&wcr->lock, flags);
	if (wcr->nr == WCR_RING_IOS || wcr->nr_segs + io->nr > WCR_RING_SEGMENTS)
		send(wcr);
	/* The request, which has the segments, is free as soon as it is answered. */
	segs = wcr->segs + wcr->nr_segs;
	memcpy(segs, (void *)(unsigned long)io->segs, io->nr * sizeof(*segs));
	io->segs = (unsigned long)segs;
	wcr->ios[wcr->nr++] = *io;
	wcr->nr_segs += io->nr;
	spin_unlock_irqrestore(&wcr->lock, flags);
	schedule_delayed_work(&wcr->flush, END_DELAY);
}

static void send_queued(struct xen_blkbk_wcr_ring *wcr)
{
	unsigned long flags;

	spin_lock_irqsave(&wcr->lock, flags);
	if (wcr->nr)
		send(wcr);
	spin_unlock_irqrestore(&wcr->lock, flags);
}

static void send_late(struct work_struct *work)
{
	send_queued(container_of(to_delayed_work(work),
				 struct xen_blkbk_wcr_ring, flush));
}

void xen_blkbk_wcr_init(struct xen_blkif_ring *ring)
{
	spin_lock_init(&ring->wcr.lock);
	INIT_DELAYED_WORK(&ring->wcr.flush, send_late);
}

void xen_blkbk_wcr_drain(struct xen_blkif_ring *ring)
{
	cancel_delayed_work_sync(&ring->wcr.flush);
	send_queued(&ring->wcr);
}

static bool may_begin(void)
{
	/* Without a p2m of our own the guest's machine frames are not known. */
	return !READ_ONCE(unknown) &&
	       !xen_feature(XENFEAT_auto_translated_physmap);
}

/* The disk's number in sequence is never given to another, or to other media. */
static struct wcr_io new_io(const struct xen_blkif *blkif, u64 sector, u8 op)
{
	const struct block_device *bdev = blkif->vbd.bdev;

	return (struct wcr_io) {
		.disk = bdev->bd_disk->diskseq,
		.start = bdev->bd_start_sect,
		.sector = sector,
		.vbd = blkif->vbd.handle,
		.domid = blkif->domid,
		.op = op,
		.phase = WCR_IO_BEGIN,
	};
}

void xen_blkbk_wcr_begin(struct pending_req *req, u64 sector)
{
	u8 op = req->operation == BLKIF_OP_READ ? WCR_IO_READ : WCR_IO_WRITE;
	struct xen_blkbk_wcr *wcr = &req->wcr;
	bool nobody;
	int i;

	BUILD_BUG_ON(WCR_MAX_SEGMENTS < MAX_INDIRECT_SEGMENTS);
	BUILD_BUG_ON(WCR_MAX_SEGMENTS > WCR_BATCH_MAX);
	BUILD_BUG_ON(WCR_RING_SEGMENTS < WCR_MAX_SEGMENTS);

	wcr->begun = false;
	if (!req->nr_segs || !may_begin())
		return;
	/*
	 * A read that is not announced costs a hit, if there is a cache after
	 * all; a write may be of a disk that another guest has cached.
	 */
	nobody = req->ring->wcr.nobody &&
		 time_before(jiffies, req->ring->wcr.ask_again);
	if (nobody && op == WCR_IO_READ)
		return;
	wcr->io = new_io(req->ring->blkif, sector, op);
	for (i = 0; nobody && i < req->nr_segs; i++)
		wcr->io.sectors += req->seg[i].nsec;
	for (i = 0; !nobody && i < req->nr_segs; i++) {
		wcr->segs[i].mfn = pfn_to_mfn(page_to_pfn(req->segments[i]->page));
		wcr->segs[i].sectors = req->seg[i].nsec;
		wcr->segs[i].offset = req->seg[i].offset;
		wcr->io.sectors += req->seg[i].nsec;
	}
	wcr->io.segs = (unsigned long)wcr->segs;
	wcr->io.nr = nobody ? 0 : req->nr_segs;
	wcr->begun = begin(req->ring, &wcr->io);
}

void xen_blkbk_wcr_end(struct pending_req *req)
{
	if (req->wcr.begun)
		end(req->ring, &req->wcr.io,
		    req->status == BLKIF_RSP_OKAY ? 0 : -EIO);
}

void xen_blkbk_wcr_begin_discard(struct wcr_io *io, struct xen_blkif_ring *ring,
				 u64 sector, u64 sectors)
{
	*io = new_io(ring->blkif, sector, WCR_IO_DISCARD);
	io->sectors = sectors;
	if (!may_begin() || !begin(ring, io))
		io->sectors = 0;
}

void xen_blkbk_wcr_end_discard(struct wcr_io *io, struct xen_blkif_ring *ring,
			       int err)
{
	if (io->sectors)
		end(ring, io, err);
}
