// SPDX-License-Identifier: GPL-2.0
/*
 * Warm-cache reboot: turning it on, and which disks it is about.
 */
#define pr_fmt(fmt) "xen_wcr: " fmt

#include <linux/blkdev.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <asm/xen/hypercall.h>
#include <xen/xen-ops.h>
#include "internal.h"

#define __HYPERVISOR_warmcache_op	WCR_HYPERCALL
#define MAX_DISKS			16

DEFINE_STATIC_KEY_FALSE(wcr_enabled);
EXPORT_SYMBOL_GPL(wcr_enabled);

atomic_long_t wcr_stats[WCR_NR_STATS];
unsigned long wcr_frames;
unsigned long *wcr_mapped;
unsigned long *wcr_removed;
unsigned long *wcr_claimed;

/* Looked at without a lock: a slot's vbd is valid once its disk is set. */
static struct {
	struct gendisk *disk;
	u32 vbd;
} disks[MAX_DISKS];
static DEFINE_SPINLOCK(disks_lock);

long wcr_hypercall(unsigned int cmd, void *arg)
{
	return _hypercall2(long, warmcache_op, cmd, arg);
}
EXPORT_SYMBOL_GPL(wcr_hypercall);

long wcr_register(void)
{
	struct wcr_register op = {
		.version = WCR_ABI_VERSION,
		.direct_map_base = PAGE_OFFSET,
		.capacity = wcr_frames,
	};
	long rc = wcr_hypercall(WCR_OP_register, &op);

	if (rc)
		pr_info("the hypervisor has no warm cache for us: %ld\n", rc);
	else
		pr_info("mode %u, %lu frames\n", op.mode, wcr_frames);
	return rc;
}

void wcr_disk_add(struct gendisk *disk, u32 vbd)
{
	unsigned int i;

	spin_lock(&disks_lock);
	for (i = 0; i < MAX_DISKS; i++) {
		if (disks[i].disk)
			continue;
		disks[i].vbd = vbd;
		/* pairs with wcr_disk_find() */
		smp_store_release(&disks[i].disk, disk);
		break;
	}
	spin_unlock(&disks_lock);
}
EXPORT_SYMBOL_GPL(wcr_disk_add);

void wcr_disk_del(struct gendisk *disk)
{
	unsigned int i;

	spin_lock(&disks_lock);
	for (i = 0; i < MAX_DISKS; i++)
		if (disks[i].disk == disk)
			WRITE_ONCE(disks[i].disk, NULL);
	spin_unlock(&disks_lock);
}
EXPORT_SYMBOL_GPL(wcr_disk_del);

bool wcr_disk_find(const struct gendisk *disk, u32 *ret_vbd)
{
	unsigned int i;

	for (i = 0; i < MAX_DISKS; i++) {
		/* pairs with wcr_disk_add() */
		if (smp_load_acquire(&disks[i].disk) != disk)
			continue;
		*ret_vbd = disks[i].vbd;
		return true;
	}
	return false;
}

bool wcr_mapping_file(const struct address_space *mapping, struct wcr_file *ret)
{
	struct inode *inode = mapping->host;
	struct block_device *bdev;
	u32 vbd;

	if (!inode)
		return false;
	if (S_ISREG(inode->i_mode)) {
		bdev = inode->i_sb->s_bdev;
		ret->fs_id = new_encode_dev(inode->i_sb->s_dev);
		ret->inode = inode->i_ino;
	} else if (S_ISBLK(inode->i_mode) && sb_is_blkdev_sb(inode->i_sb)) {
		bdev = I_BDEV(inode);
		ret->fs_id = new_encode_dev(bdev->bd_dev);
		ret->inode = 0;
	} else {
		return false;
	}
	return bdev && wcr_disk_find(bdev->bd_disk, &vbd);
}

/* Parsed by wcr_memory_setup(), long before this could be. */
static int __init wcr_setup(char *arg)
{
	return 1;
}
__setup("wcr=", wcr_setup);

static unsigned long * __init frames_bitmap(void)
{
	return kvcalloc(BITS_TO_LONGS(wcr_frames), sizeof(long), GFP_KERNEL);
}

/* After the block layer (bio sets need it), before blkfront. */
static int __init wcr_init(void)
{
	if (!wcr_frames)
		return 0;
	wcr_mapped = frames_bitmap();
	wcr_removed = frames_bitmap();
	wcr_claimed = frames_bitmap();
	if (!wcr_mapped || !wcr_removed || !wcr_claimed || wcr_bio_init() ||
	    wcr_retained_init()) {
		pr_warn("no memory, staying off\n");
		wcr_retained_give_up();
		return -ENOMEM;
	}
	wcr_keep_cache_off_builder();
	static_branch_enable(&wcr_enabled);
	return 0;
}

/* The block layer is there: it sets itself up one level before. */
fs_initcall(wcr_init);

/*
 * No more of the direct map is built from here on: whoever maps a retained
 * page writable now means to write it.
 */
static void tell_boot_done(void)
{
	long rc = wcr_hypercall(WCR_OP_boot_done, NULL);

	if (rc)
		pr_warn("end of boot not accepted: %ld\n", rc);
}

/*
 * A restored guest is a new domain, whose cache is empty: what is read from now
 * on gets into it.
 */
static int wcr_resumed(struct notifier_block *nb, unsigned long action,
		       void *data)
{
	if (!wcr_register())
		tell_boot_done();
	return NOTIFY_DONE;
}

static struct notifier_block resume_notifier = {
	.notifier_call = wcr_resumed,
};

static int __init wcr_boot_done(void)
{
	if (!static_key_enabled(&wcr_enabled))
		return 0;
	tell_boot_done();
	xen_resume_notifier_register(&resume_notifier);
	wcr_debugfs_init();
	return 0;
}
late_initcall_sync(wcr_boot_done);
