// SPDX-License-Identifier: GPL-2.0
/*
 * Warm-cache reboot: telling the hypervisor of a guest's I/O.
 */
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <xen/features.h>
#include <xen/page.h>
#include <xen/wcr.h>

#include "common.h"

/* The hypervisor knows no warm caches, and will not learn it. */
static bool unknown __read_mostly;

static bool io_begin(struct wcr_io *io, struct wcr_io_seg *segs)
{
	long rc;

	io->segs = (unsigned long)segs;
	io->status = 0;
	rc = wcr_hypercall(WCR_OP_io_begin, io);
	if (rc == -ENOSYS)
		WRITE_ONCE(unknown, true);
	/* Most often -ENOENT, a domain without a warm cache: nothing has begun. */
	return rc == 0;
}

static void io_end(struct wcr_io *io, int status)
{
	io->status = status;
	wcr_hypercall(WCR_OP_io_end, io);
}

static bool may_begin(void)
{
	/* Without a p2m of our own the guest's machine frames are not known. */
	return !READ_ONCE(unknown) && !xen_feature(XENFEAT_auto_translated_physmap);
}

void xen_blkbk_wcr_begin(struct pending_req *req, u64 sector)
{
	const struct xen_blkif *blkif = req->ring->blkif;
	struct xen_blkbk_wcr *wcr = &req->wcr;
	int i;

	BUILD_BUG_ON(WCR_MAX_SEGMENTS < MAX_INDIRECT_SEGMENTS);
	BUILD_BUG_ON(WCR_MAX_SEGMENTS > WCR_BATCH_MAX);

	wcr->begun = false;
	if (!req->nr_segs || !may_begin())
		return;
	for (i = 0; i < req->nr_segs; i++) {
		wcr->segs[i].mfn = pfn_to_mfn(page_to_pfn(req->segments[i]->page));
		wcr->segs[i].sector = sector;
		wcr->segs[i].sectors = req->seg[i].nsec;
		wcr->segs[i].offset = req->seg[i].offset;
		sector += req->seg[i].nsec;
	}
	wcr->io.nr = req->nr_segs;
	wcr->io.vbd = blkif->vbd.handle;
	wcr->io.domid = blkif->domid;
	wcr->io.op = req->operation == BLKIF_OP_READ ? WCR_IO_READ : WCR_IO_WRITE;
	wcr->begun = io_begin(&wcr->io, wcr->segs);
}

void xen_blkbk_wcr_end(struct pending_req *req)
{
	if (req->wcr.begun)
		io_end(&req->wcr.io, req->status == BLKIF_RSP_OKAY ? 0 : -EIO);
}

int xen_blkbk_wcr_begin_discard(struct xen_blkbk_wcr_discard *wcr,
				const struct xen_blkif *blkif, u64 sector,
				u64 sectors)
{
	struct wcr_io_seg *seg = wcr->segs;

	wcr->begun = false;
	if (!sectors || !may_begin())
		return 0;
	for (; sectors && seg < wcr->segs + WCR_DISCARD_SEGMENTS; seg++) {
		seg->mfn = 0;
		seg->sector = sector;
		seg->sectors = min_t(u64, sectors, round_down(U32_MAX, WCR_BLOCK_SECTORS));
		seg->offset = 0;
		sector += seg->sectors;
		sectors -= seg->sectors;
	}
	if (sectors)
		return -EOPNOTSUPP;
	wcr->io.nr = seg - wcr->segs;
	wcr->io.vbd = blkif->vbd.handle;
	wcr->io.domid = blkif->domid;
	wcr->io.op = WCR_IO_DISCARD;
	wcr->begun = io_begin(&wcr->io, wcr->segs);
	return 0;
}

void xen_blkbk_wcr_end_discard(struct xen_blkbk_wcr_discard *wcr, int err)
{
	if (wcr->begun)
		io_end(&wcr->io, err);
}
