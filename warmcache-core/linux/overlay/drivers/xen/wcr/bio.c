// SPDX-License-Identifier: GPL-2.0
/*
 * Reads of claimed pages: complete those that the hypervisor vouches for.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/init.h>
#include <linux/mm.h>
#include "internal.h"

#define MAX_SEGMENTS	1024	/* of a bio; those beyond are read from disk */
#define BATCH		32	/* questions a hypercall, on the stack */

static struct bio_set split_set;

struct questions {
	struct wcr_reuse_entry entries[BATCH];
	unsigned int segment[BATCH];
	unsigned int nr;
	u32 vbd;
};

/* Set the bits of the segments whose page holds its block. */
static void ask(struct questions *q, unsigned long *held)
{
	struct wcr_reuse op = {
		.entries = (unsigned long)q->entries,
		.nr = q->nr,
		.vbd = q->vbd,
	};
	bool failed = q->nr && wcr_hypercall(WCR_OP_reuse, &op);
	unsigned int i;

	for (i = 0; i < q->nr; i++) {
		if (failed)
			q->entries[i].status = -EIO;
		if (!q->entries[i].status)
			__set_bit(q->segment[i], held);
	}
	wcr_retained_answers(q->entries, q->nr);
	q->nr = 0;
}

static bool bio_has_claimed(struct bio *bio)
{
	struct bvec_iter iter;
	struct bio_vec bv;

	bio_for_each_segment(bv, bio, iter)
		if (wcr_page_claimed(page_to_pfn(bv.bv_page)))
			return true;
	return false;
}

/* Asked or not, no page of the bio is claimed afterwards. Returns segments held. */
static unsigned int ask_bio(struct bio *bio, u32 vbd, bool may_reuse,
			    unsigned long *held)
{
	struct questions q = { .vbd = vbd };
	struct bvec_iter iter;
	struct bio_vec bv;
	unsigned int segment = 0;

	bio_for_each_segment(bv, bio, iter) {
		unsigned long pfn = page_to_pfn(bv.bv_page);
		unsigned int at = segment++;

		if (!wcr_page_claimed(pfn) || !test_and_clear_bit(pfn, wcr_claimed))
			continue;
		if (!may_reuse || at >= MAX_SEGMENTS || bv.bv_offset ||
		    bv.bv_len != PAGE_SIZE) {
			wcr_retained_answers(&(struct wcr_reuse_entry){
				.pfn = pfn, .sector = iter.bi_sector, .status = -EINVAL }, 1);
			continue;
		}
		q.entries[q.nr].pfn = pfn;
		q.entries[q.nr].sector = iter.bi_sector;
		q.segment[q.nr++] = at;
		if (q.nr == BATCH)
			ask(&q, held);
	}
	ask(&q, held);
	return bitmap_weight(held, MAX_SEGMENTS);
}

static bool is_held(unsigned int segment, const unsigned long *held)
{
	return segment < MAX_SEGMENTS && test_bit(segment, held);
}

/*
 * The sectors of the bio's first segments that are all held or all not held.
 * *segment is the number of the first, and becomes that of the next run's.
 */
static unsigned int run_sectors(struct bio *bio, unsigned int *segment,
				const unsigned long *held)
{
	bool kind = is_held(*segment, held);
	unsigned int bytes = 0;
	struct bvec_iter iter;
	struct bio_vec bv;

	bio_for_each_segment(bv, bio, iter) {
		if (is_held(*segment, held) != kind)
			break;
		bytes += bv.bv_len;
		++*segment;
	}
	return bytes >> SECTOR_SHIFT;
}

bool __wcr_bio_reuse(struct bio *bio)
{
	DECLARE_BITMAP(held, MAX_SEGMENTS) = {};
	unsigned int segment = 0;
	bool may_reuse;
	u32 vbd;

	if (bio_op(bio) != REQ_OP_READ || !bio_has_claimed(bio))
		return false;
	/* Splitting may sleep, and a poller waits for a completion of the queue's. */
	may_reuse = wcr_disk_find(bio->bi_bdev->bd_disk, &vbd) &&
		    !(bio->bi_opf & (REQ_NOWAIT | REQ_POLLED));
	if (!ask_bio(bio, may_reuse ? vbd : 0, may_reuse, held))
		return false;

	for (;;) {
		bool reused = is_held(segment, held);
		unsigned int sectors = run_sectors(bio, &segment, held);
		struct bio *split;

		if (sectors == bio_sectors(bio)) {
			if (reused)
				bio_endio(bio);
			return reused;
		}
		split = bio_split(bio, sectors, GFP_NOIO, &split_set);
		bio_chain(split, bio);
		if (reused)
			bio_endio(split);
		else
			submit_bio_noacct(split);
	}
}

int __init wcr_bio_init(void)
{
	return bioset_init(&split_set, BIO_POOL_SIZE, 0,
			   BIOSET_NEED_BVECS | BIOSET_NEED_RESCUER);
}
