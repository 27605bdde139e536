// SPDX-License-Identifier: GPL-2.0
/*
 * Damage on request, for tests: what a wild pointer or a confused kernel could
 * do to the page cache. One command a write to debugfs' poke:
 *
 *   store INODE INDEX OFFSET BYTE
 *	Store into the cached page through the direct map. The page is not
 *	marked dirty.
 *   store_inflight_read INODE INDEX OFFSET BYTE
 *   store_inflight_write INODE INDEX OFFSET BYTE
 *	Arm: from the moment the page's next read (write) is handed to the
 *	backend until it has completed, store every 100 us, each time putting the
 *	old byte back at once; then store for good. So the disk keeps what was
 *	right, memory is wrong, and only a store in flight could have told: the
 *	last one meets a page that is writable again. One such command is armed
 *	at a time; a new one replaces it.
 *   badmap INODE_A INDEX_A INODE_B INDEX_B
 *	Register the page that caches A as the cache of B, instead of the page
 *	that is.
 *
 * INODE is looked up on every mounted file system on a Xen disk. -ENOENT: the
 * page is not cached. The stores made are counted as "pokes" in stats.
 */
#include <linux/blk-mq.h>
#include <linux/debugfs.h>
#include <linux/hrtimer.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/uaccess.h>
#include "internal.h"

#define PERIOD	(100 * NSEC_PER_USEC)

struct target {
	u64 inode;
	u64 index;
	unsigned int offset;
	u8 byte;
};

static struct {
	spinlock_t lock;	/* guards the rest */
	struct target target;
	enum req_op op;
	bool armed;
	struct page *page;	/* in flight, with a reference */
	struct hrtimer timer;
} inflight = {
	.lock = __SPIN_LOCK_UNLOCKED(inflight.lock),
};

static void store(struct page *page, const struct target *target)
{
	u8 *byte = page_address(page) + target->offset;

	WRITE_ONCE(*byte, target->byte);
	wcr_count(WCR_POKES);
}

/* ---- finding a cached page ------------------------------------------ */

struct search {
	u64 inode;
	u64 index;
	struct page *page;	/* found, with a reference */
	struct wcr_file file;
};

static void search_super(struct super_block *sb, void *arg)
{
	struct search *search = arg;
	struct inode *inode;

	if (search->page || !sb->s_bdev)
		return;
	inode = ilookup(sb, search->inode);
	if (!inode)
		return;
	if (wcr_mapping_file(inode->i_mapping, &search->file))
		search->page = find_get_page(inode->i_mapping, search->index);
	iput(inode);
}

/* ---- a request in flight -------------------------------------------- */

static bool is_in_flight(struct page *page)
{
	if (inflight.op == REQ_OP_READ)
		return PageLocked(page) && !PageUptodate(page);
	return PageWriteback(page);
}

static enum hrtimer_restart inflight_tick(struct hrtimer *timer)
{
	struct page *page = inflight.page;

	if (is_in_flight(page)) {
		u8 *byte = page_address(page) + inflight.target.offset;
		u8 was = READ_ONCE(*byte);

		store(page, &inflight.target);
		WRITE_ONCE(*byte, was);
		hrtimer_forward_now(timer, PERIOD);
		return HRTIMER_RESTART;
	}
	store(page, &inflight.target);
	inflight.page = NULL;
	put_page(page);
	return HRTIMER_NORESTART;
}

static bool is_target(struct page *page)
{
	struct address_space *mapping = page->mapping;
	struct wcr_file file;

	return mapping && !PageAnon(page) && mapping->host &&
	       mapping->host->i_ino == inflight.target.inode &&
	       page->index == inflight.target.index && wcr_mapping_file(mapping, &file);
}

void wcr_poke_request(struct request *req)
{
	struct req_iterator iter;
	unsigned long flags;
	struct bio_vec bv;

	if (!READ_ONCE(inflight.armed) || req_op(req) != inflight.op)
		return;
	spin_lock_irqsave(&inflight.lock, flags);
	rq_for_each_segment(bv, req, iter) {
		if (!inflight.armed || !is_target(bv.bv_page))
			continue;
		inflight.armed = false;
		get_page(bv.bv_page);
		inflight.page = bv.bv_page;
		hrtimer_start(&inflight.timer, PERIOD, HRTIMER_MODE_REL_HARD);
	}
	spin_unlock_irqrestore(&inflight.lock, flags);
}
EXPORT_SYMBOL_GPL(wcr_poke_request);

static void arm(const struct target *target, enum req_op op)
{
	struct page *page;

	spin_lock_irq(&inflight.lock);
	inflight.armed = false;
	spin_unlock_irq(&inflight.lock);
	hrtimer_cancel(&inflight.timer);
	page = xchg(&inflight.page, NULL);
	if (page)
		put_page(page);

	spin_lock_irq(&inflight.lock);
	inflight.target = *target;
	inflight.op = op;
	WRITE_ONCE(inflight.armed, true);
	spin_unlock_irq(&inflight.lock);
}

/* ---- commands ------------------------------------------------------- */

static int poke_page(const char *verb, const struct target *target)
{
	struct search search = { .inode = target->inode, .index = target->index };

	if (!strcmp(verb, "store_inflight_read")) {
		arm(target, REQ_OP_READ);
		return 0;
	}
	if (!strcmp(verb, "store_inflight_write")) {
		arm(target, REQ_OP_WRITE);
		return 0;
	}
	if (strcmp(verb, "store"))
		return -EINVAL;
	iterate_supers(search_super, &search);
	if (!search.page)
		return -ENOENT;
	store(search.page, target);
	put_page(search.page);
	return 0;
}

static int poke_map(u64 inode_a, u64 index_a, u64 inode_b, u64 index_b)
{
	struct search a = { .inode = inode_a, .index = index_a };
	struct search b = { .inode = inode_b, .index = index_b };
	int rc = -ENOENT;

	iterate_supers(search_super, &a);
	iterate_supers(search_super, &b);
	if (a.page && b.page) {
		__wcr_folio_removed(page_folio(b.page));
		wcr_map_force(page_to_pfn(a.page), &b.file, index_b);
		rc = 0;
	}
	if (a.page)
		put_page(a.page);
	if (b.page)
		put_page(b.page);
	return rc;
}

static ssize_t poke_write(struct file *file, const char __user *buf, size_t len,
			  loff_t *pos)
{
	char line[128], verb[32];
	u64 inode, index, a, b;
	int rc;

	if (len >= sizeof(line))
		return -E2BIG;
	if (copy_from_user(line, buf, len))
		return -EFAULT;
	line[len] = '\0';
	if (sscanf(line, "%31s %llu %llu %llu %llu", verb, &inode, &index, &a, &b) != 5)
		return -EINVAL;
	if (!strcmp(verb, "badmap")) {
		rc = poke_map(inode, index, a, b);
	} else {
		struct target target = {
			.inode = inode, .index = index, .offset = a, .byte = b,
		};

		rc = a < PAGE_SIZE && b < 256 ? poke_page(verb, &target) : -EINVAL;
	}
	return rc ?: len;
}

static const struct file_operations poke_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = poke_write,
};

void __init wcr_poke_init(struct dentry *dir)
{
	hrtimer_init(&inflight.timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	inflight.timer.function = inflight_tick;
	debugfs_create_file("poke", 0200, dir, NULL, &poke_fops);
}
