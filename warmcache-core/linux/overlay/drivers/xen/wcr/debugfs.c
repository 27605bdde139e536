// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/xen_wcr
 */
#include <linux/debugfs.h>
#include <linux/init.h>
#include <linux/seq_file.h>
#include "internal.h"

static const char * const names[WCR_NR_STATS] = {
	[WCR_RETAINED]		= "retained",
	[WCR_LOST]		= "lost",
	[WCR_CLAIMED]		= "claimed",
	[WCR_REUSE_OK]		= "reuse_ok",
	[WCR_REUSE_STALE]	= "reuse_stale",
	[WCR_RELEASED]		= "released",
	[WCR_MAP_ADDS]		= "map_adds",
	[WCR_MAP_REMOVES]	= "map_removes",
	[WCR_MAP_ERRORS]	= "map_errors",
	[WCR_MAP_FLUSHES]	= "map_flushes",
	[WCR_ADOPTING]		= "adopting",
	[WCR_POKES]		= "pokes",
};

static int stats_show(struct seq_file *m, void *unused)
{
	unsigned int i;

	wcr_map_flush();	/* what is shown is what the hypervisor knows */
	for (i = 0; i < WCR_NR_STATS; i++)
		seq_printf(m, "%s %ld\n", names[i], atomic_long_read(&wcr_stats[i]));
	seq_printf(m, "left %u\n", wcr_retained_left());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int reused_show(struct seq_file *m, void *unused)
{
	wcr_retained_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(reused);

void __init wcr_debugfs_init(void)
{
	struct dentry *dir = debugfs_create_dir("xen_wcr", NULL);

	debugfs_create_file("stats", 0444, dir, NULL, &stats_fops);
	debugfs_create_file("reused", 0400, dir, NULL, &reused_fops);
	wcr_poke_init(dir);
}
