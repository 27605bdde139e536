/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Warm-cache reboot, the backend's part: the hypervisor must know of every I/O
 * to a guest's pages and disks. Each request is announced when its grants are
 * mapped and nothing is submitted yet, and its outcome told once they are
 * unmapped: with the next request of the ring that is announced, or a moment
 * later, so that a hypercall a request is enough.
 *
 * Persistent grants hide the page cache behind bounce pages: correct, but
 * nothing is retained. Use feature_persistent=0.
 */
#ifndef __XEN_BLKIF__BACKEND__WCR_H__
#define __XEN_BLKIF__BACKEND__WCR_H__

#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <xen/interface/wcr_abi.h>

struct pending_req;
struct xen_blkif;
struct xen_blkif_ring;

#ifdef CONFIG_XEN_WCR

#define WCR_MAX_SEGMENTS	256	/* of an indirect request */
#define WCR_RING_SEGMENTS	512	/* of requests whose end is not told yet */
#define WCR_RING_IOS		32

struct xen_blkbk_wcr {
	struct wcr_io io;
	bool begun;			/* an end is due */
	struct wcr_io_seg segs[WCR_MAX_SEGMENTS];
};

/* What the hypervisor is told next; the last one may be a begin. */
struct xen_blkbk_wcr_ring {
	spinlock_t lock;		/* guards the rest */
	unsigned int nr;
	unsigned int nr_segs;
	bool nobody;			/* has a cache of the guest's or this disk */
	unsigned long ask_again;	/* when, in jiffies */
	struct delayed_work flush;
	struct wcr_io ios[WCR_RING_IOS + 1];
	struct wcr_io_seg segs[WCR_RING_SEGMENTS];
};

void xen_blkbk_wcr_init(struct xen_blkif_ring *ring);
/* No request is in flight, and none will be. */
void xen_blkbk_wcr_drain(struct xen_blkif_ring *ring);

/* `sector` is the first one, as the frontend numbers them. */
void xen_blkbk_wcr_begin(struct pending_req *req, u64 sector);
void xen_blkbk_wcr_end(struct pending_req *req);

void xen_blkbk_wcr_begin_discard(struct wcr_io *io, struct xen_blkif_ring *ring,
				 u64 sector, u64 sectors);
void xen_blkbk_wcr_end_discard(struct wcr_io *io, struct xen_blkif_ring *ring,
			       int err);

#else

struct xen_blkbk_wcr {};
struct xen_blkbk_wcr_ring {};

static inline void xen_blkbk_wcr_init(struct xen_blkif_ring *ring) {}
static inline void xen_blkbk_wcr_drain(struct xen_blkif_ring *ring) {}
static inline void xen_blkbk_wcr_begin(struct pending_req *req, u64 sector) {}
static inline void xen_blkbk_wcr_end(struct pending_req *req) {}
static inline void xen_blkbk_wcr_begin_discard(struct wcr_io *io,
					       struct xen_blkif_ring *ring,
					       u64 sector, u64 sectors) {}
static inline void xen_blkbk_wcr_end_discard(struct wcr_io *io,
					     struct xen_blkif_ring *ring,
					     int err) {}

#endif

#endif /* __XEN_BLKIF__BACKEND__WCR_H__ */
