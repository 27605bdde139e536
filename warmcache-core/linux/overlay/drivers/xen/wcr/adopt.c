// SPDX-License-Identifier: GPL-2.0
/*
 * Adopting: when a file system was mounted, the retained pages of its files are
 * read, as readahead would, before anybody asks for them. Each is claimed and
 * answered for as ever; what this saves is the time of who comes first.
 */
#define pr_fmt(fmt) "xen_wcr: " fmt

#include <linux/blkdev.h>
#include <linux/exportfs.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/moduleparam.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include "internal.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "wcr."

static bool adopt;
module_param(adopt, bool, 0444);
MODULE_PARM_DESC(adopt, "read the kept pages of a file system's files when it is mounted");

/* NULL: there is no such file any more, or it cannot be found by its number. */
static struct dentry *file_get(struct super_block *sb, u64 inode)
{
	struct fid fid = { .i32.ino = inode };	/* of any generation */
	struct dentry *dentry;

	if (upper_32_bits(inode))
		return NULL;
	dentry = sb->s_export_op->fh_to_dentry(sb, &fid, 2, FILEID_INO32_GEN);
	return IS_ERR(dentry) ? NULL : dentry;
}

/* The pages of @set from @first on, in runs. */
static void window_read(struct address_space *mapping, u64 first, u64 set)
{
	u64 end = DIV_ROUND_UP_ULL(i_size_read(mapping->host), PAGE_SIZE);
	struct file_ra_state ra = {};

	if (end <= first)
		return;
	if (end - first < WCR_WINDOW)
		set &= (1ULL << (end - first)) - 1;
	while (set) {
		unsigned int start = __ffs64(set);
		u64 clear = ~(set >> start);
		unsigned int nr = clear ? __ffs64(clear) : WCR_WINDOW;
		DEFINE_READAHEAD(ractl, NULL, &ra, mapping, first + start);

		page_cache_ra_unbounded(&ractl, nr, 0);
		set &= ~GENMASK_ULL(start + nr - 1, start);
	}
}

static int adopt_files(void *data)
{
	struct super_block *sb = data;
	struct wcr_file file = { .fs_id = new_encode_dev(sb->s_dev) };
	unsigned int cursor = 0;
	struct dentry *dentry = NULL;
	u64 first, have = 0;

	set_user_nice(current, MAX_NICE);
	/* As long as somebody else has it mounted. */
	while (atomic_read(&sb->s_active) > 1 &&
	       wcr_retained_next_window(&cursor, &file, &first)) {
		if (file.inode != have) {
			dput(dentry);
			have = file.inode;
			dentry = file_get(sb, have);
		}
		if (dentry && S_ISREG(d_inode(dentry)->i_mode))
			window_read(d_inode(dentry)->i_mapping, first,
				    wcr_retained_window(&file, first));
		cond_resched();
	}
	dput(dentry);
	deactivate_super(sb);
	atomic_long_dec(&wcr_stats[WCR_ADOPTING]);
	return 0;
}

void __wcr_mounted(struct super_block *sb)
{
	u32 vbd;

	if (!adopt || !wcr_retained_left() || !sb->s_bdev ||
	    !wcr_disk_find(sb->s_bdev->bd_disk, &vbd) ||
	    !sb->s_export_op || !sb->s_export_op->fh_to_dentry)
		return;
	atomic_inc(&sb->s_active);
	wcr_count(WCR_ADOPTING);
	if (IS_ERR(kthread_run(adopt_files, sb, "wcr-adopt"))) {
		atomic_dec(&sb->s_active);	/* the mount's is left */
		atomic_long_dec(&wcr_stats[WCR_ADOPTING]);
	}
}
