// SPDX-License-Identifier: GPL-2.0
#define pr_fmt(fmt) "wcr_fuzz: " fmt

#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "fuzz.h"

static ulong seed = 1;
module_param(seed, ulong, 0444);
static ulong calls = 1000000;
module_param(calls, ulong, 0444);
MODULE_PARM_DESC(calls, "hypercalls to make, of all threads");
static uint seconds = 3600;
module_param(seconds, uint, 0444);
MODULE_PARM_DESC(seconds, "end after so long");
static uint pages = 128;
module_param(pages, uint, 0444);
static char *disk = "/dev/xvda";
module_param(disk, charp, 0444);
MODULE_PARM_DESC(disk, "is read from");
static char *scratch_disk = "/dev/xvdb";
module_param(scratch_disk, charp, 0444);
MODULE_PARM_DESC(scratch_disk, "its last blocks are overwritten");

static struct thread *threads;
static unsigned int nr_threads;
static atomic_t running;
static bool done;

void violation(struct thread *t, const char *fmt, ...)
{
	va_list ap;

	if (t->violations++)
		return;
	va_start(ap, fmt);
	vscnprintf(t->violation, sizeof(t->violation), fmt, ap);
	va_end(ap);
	pr_err("violation: %s\n", t->violation);
}

static int run(void *arg)
{
	struct thread *t = arg;
	unsigned long end = jiffies + seconds * HZ;

	while (t->calls < calls / nr_threads && time_before(jiffies, end)) {
		if (!draw(t, 32))
			work_one(t);
		calls_one(t);
		cond_resched();
	}
	if (atomic_dec_and_test(&running)) {
		work_end();
		/* pairs with report_show() */
		smp_store_release(&done, true);
		pr_info("done\n");
	}
	return 0;
}

/* ---- the report ----------------------------------------------------- */

static u64 sum_results(unsigned int command, unsigned int error)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < nr_threads; i++)
		sum += threads[i].results[command][error];
	return sum;
}

static void report_command(struct seq_file *m, unsigned int command)
{
	unsigned int e;

	seq_printf(m, "%s", calls_name(command));
	for (e = 0; e < FUZZ_ERRORS; e++)
		if (sum_results(command, e))
			seq_printf(m, " %d=%llu", -(int)e, sum_results(command, e));
	seq_puts(m, "\n");
}

static int report_show(struct seq_file *m, void *unused)
{
	u64 sum = 0, violations = 0, watched = 0, max_ns = 0, worked, refused;
	const char *first = "", *max_name = "";
	/* pairs with run() */
	bool over = smp_load_acquire(&done);
	unsigned int i, k;

	for (i = 0; i < nr_threads; i++) {
		struct thread *t = &threads[i];

		sum += t->calls;
		violations += t->violations;
		watched += t->watched;
		first = t->violations ? t->violation : first;
		if (t->max_ns > max_ns) {
			max_ns = t->max_ns;
			max_name = calls_name(t->max_cmd);
		}
	}
	seq_printf(m, "done=%d\ncalls=%llu\nthreads=%u\nmax_ns=%llu (%s)\n", over, sum, nr_threads,
		   max_ns, max_name);
	seq_printf(m, "violations=%llu %s\n", violations, first);
	seq_printf(m, "watched=%llu\n", watched);
	for (i = 0; i < calls_commands; i++)
		report_command(m, i);
	for (k = 0; k < WORK_KINDS; k++) {
		for (i = 0, worked = 0, refused = 0; i < nr_threads; i++) {
			worked += threads[i].done[k];
			refused += threads[i].refused[k];
		}
		seq_printf(m, "%s=%llu/%llu\n", work_names[k], worked, worked + refused);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(report);

/* ---- */

static int thread_start(struct thread *t, unsigned int cpu)
{
	struct task_struct *task;
	int rc = calls_init(t);

	if (rc)
		return rc;
	prandom_seed_state(&t->rnd, seed * 1000003 + cpu);
	task = kthread_create(run, t, "wcr_fuzz/%u", cpu);
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, cpu);
	atomic_inc(&running);
	wake_up_process(task);
	return 0;
}

static int __init fuzz_init(void)
{
	struct block_device *from = blkdev_get_by_path(disk, FMODE_READ, NULL), *to;
	unsigned int i = 0, cpu;
	int rc;

	to = blkdev_get_by_path(scratch_disk, FMODE_READ | FMODE_WRITE, NULL);
	if (IS_ERR(from) || IS_ERR(to))
		return -ENODEV;
	nr_threads = num_online_cpus();
	threads = kcalloc(nr_threads, sizeof(*threads), GFP_KERNEL);
	if (!threads)
		return -ENOMEM;
	rc = work_init(pages, from, to);
	for_each_online_cpu(cpu)
		if (!rc && i < nr_threads)
			rc = thread_start(&threads[i++], cpu);
	debugfs_create_file("wcr_fuzz", 0444, NULL, NULL, &report_fops);
	return rc;
}
module_init(fuzz_init);
MODULE_LICENSE("GPL");
