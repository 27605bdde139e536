/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Warm-cache reboot, the backend's part: the hypervisor must know of every I/O
 * to a guest's pages and disks. Each request is announced when its grants are
 * mapped and nothing is submitted yet, and its outcome told when they are
 * unmapped and no response is on the ring yet.
 *
 * Persistent grants hide the page cache behind bounce pages: correct, but
 * nothing is retained. Use feature_persistent=0.
 */
#ifndef __XEN_BLKIF__BACKEND__WCR_H__
#define __XEN_BLKIF__BACKEND__WCR_H__

#include <linux/types.h>
#include <xen/interface/wcr_abi.h>

struct pending_req;
struct xen_blkif;

#ifdef CONFIG_XEN_WCR

#define WCR_MAX_SEGMENTS	256	/* of an indirect request */
#define WCR_DISCARD_SEGMENTS	16	/* of just under 2 TiB each */

struct xen_blkbk_wcr {
	struct wcr_io io;
	bool begun;			/* an end is due */
	struct wcr_io_seg segs[WCR_MAX_SEGMENTS];
};

struct xen_blkbk_wcr_discard {
	struct wcr_io io;
	bool begun;
	struct wcr_io_seg segs[WCR_DISCARD_SEGMENTS];
};

/* `sector` is the first one, as the frontend numbers them. */
void xen_blkbk_wcr_begin(struct pending_req *req, u64 sector);
void xen_blkbk_wcr_end(struct pending_req *req);

/* -EOPNOTSUPP: too large to be announced, so it must not be done. */
int xen_blkbk_wcr_begin_discard(struct xen_blkbk_wcr_discard *wcr,
				const struct xen_blkif *blkif, u64 sector,
				u64 sectors);
void xen_blkbk_wcr_end_discard(struct xen_blkbk_wcr_discard *wcr, int err);

#else

struct xen_blkbk_wcr {};
struct xen_blkbk_wcr_discard {};

static inline void xen_blkbk_wcr_begin(struct pending_req *req, u64 sector) {}
static inline void xen_blkbk_wcr_end(struct pending_req *req) {}
static inline int xen_blkbk_wcr_begin_discard(struct xen_blkbk_wcr_discard *wcr,
					      const struct xen_blkif *blkif,
					      u64 sector, u64 sectors)
{
	return 0;
}
static inline void xen_blkbk_wcr_end_discard(struct xen_blkbk_wcr_discard *wcr,
					     int err) {}

#endif

#endif /* __XEN_BLKIF__BACKEND__WCR_H__ */
