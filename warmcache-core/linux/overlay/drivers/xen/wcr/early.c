// SPDX-License-Identifier: GPL-2.0
/*
 * Reserving the retained pages while memblock still owns all memory.
 *
 * There is no allocator yet in which to remember the pages themselves, so
 * only runs of them are noted; retained.c asks for the list again. A page
 * that is not reserved is not lost by mistake, only lost: whoever gets it
 * writes to it, and the hypervisor no longer vouches for it.
 */
#define pr_fmt(fmt) "xen_wcr: " fmt

#include <linux/init.h>
#include <linux/memblock.h>
#include <linux/page-isolation.h>
#include <linux/pfn.h>
#include <asm/cmdline.h>
#include <asm/bootparam.h>
#include <asm/e820/types.h>
#include <asm/sections.h>
#include <asm/setup.h>
#include <asm/xen/hypervisor.h>
#include <asm/xen/page.h>
#include <xen/xen.h>
#include "internal.h"

#define MAX_RUNS	3584	/* of INIT_MEMBLOCK_RESERVED_REGIONS, 4096 */
#define BATCH		64

struct wcr_run wcr_runs[MAX_RUNS] __initdata;
unsigned int wcr_nr_runs __initdata;

/* The domain builder wrote from the kernel's first frame up to this one. */
static unsigned long builder_end __initdata;

unsigned int __init wcr_retained_next(u64 *pfn, struct wcr_map_entry *entries,
				      unsigned int room)
{
	struct wcr_retained_list op = {
		.first_pfn = *pfn,
		.entries = (unsigned long)entries,
		.nr = room,
	};

	if (wcr_hypercall(WCR_OP_retained_list, &op))
		return 0;
	*pfn = op.first_pfn;
	return op.nr;
}

/* Returns how many of the pages are now reserved for us. */
static unsigned long __init reserve_run(const struct wcr_run *run)
{
	phys_addr_t start = PFN_PHYS(run->first), size = PFN_PHYS(run->nr);

	if (!run->nr || wcr_nr_runs == MAX_RUNS)
		return 0;
	/* The kernel, its page tables or the initrd: not ours, whatever it says. */
	if (memblock_is_region_reserved(start, size))
		return 0;
	if (memblock_reserve(start, size))
		return 0;
	wcr_runs[wcr_nr_runs++] = *run;
	return run->nr;
}

static void __init reserve_retained(void)
{
	static struct wcr_map_entry entries[BATCH] __initdata;
	/* The kernel needs room to boot in, and ISA memory is never a page's. */
	unsigned long limit = wcr_frames - wcr_frames / 4, total = 0, reserved = 0;
	u64 pfn = PFN_UP(ISA_END_ADDRESS);
	struct wcr_run run = {};
	unsigned int i, nr;

	while ((nr = wcr_retained_next(&pfn, entries, BATCH))) {
		for (i = 0; i < nr && reserved + run.nr < limit; i++) {
			if (entries[i].pfn >= wcr_frames)
				break;
			if (run.nr && entries[i].pfn == run.first + run.nr) {
				run.nr++;
				continue;
			}
			reserved += reserve_run(&run);
			run.first = entries[i].pfn;
			run.nr = 1;
		}
		total += nr;
	}
	reserved += reserve_run(&run);
	atomic_long_set(&wcr_stats[WCR_RETAINED], reserved);
	atomic_long_set(&wcr_stats[WCR_LOST], total - reserved);
	pr_info("%lu pages retained, %lu of them reserved in %u runs\n",
		total, reserved, wcr_nr_runs);
}

static unsigned long __init find_builder_end(void)
{
	const struct start_info *si = xen_start_info;

	return max3(PFN_UP(__pa(si->pt_base)) + si->nr_pt_frames,
		    si->mfn_list < __START_KERNEL_map ?
			si->first_p2m_pfn + si->nr_p2m_frames : 0,
		    PFN_UP((u64)boot_params.hdr.ramdisk_image +
			   boot_params.hdr.ramdisk_size));
}

/*
 * Where the domain builder wrote it writes at the next boot too, so what is
 * cached there is lost. Of that memory, init sections and initrd are freed,
 * and would be the first the page cache takes. As unmovable blocks they are
 * the first that the kernel takes for itself, and the last for the cache.
 */
void __init wcr_keep_cache_off_builder(void)
{
	unsigned long pfn = PFN_DOWN(__pa_symbol(_text));

	for (; pfn < builder_end && pfn_valid(pfn); pfn += pageblock_nr_pages) {
		struct page *page = pfn_to_page(pfn);
		struct zone *zone = page_zone(page);

		spin_lock_irq(&zone->lock);
		set_pageblock_migratetype(page, MIGRATE_UNMOVABLE);
		move_freepages_block(zone, page, MIGRATE_UNMOVABLE, NULL);
		spin_unlock_irq(&zone->lock);
	}
}

/*
 * Called once the kernel, the initrd and the p2m are reserved and before
 * memblock knows any memory to allocate. PV guests have no KASLR (it is the
 * decompressor's), so PAGE_OFFSET is final.
 */
void __init wcr_memory_setup(void)
{
	char on[2];

	if (cmdline_find_option(boot_command_line, "wcr", on, sizeof(on)) != 1 ||
	    on[0] != '1')
		return;
	wcr_frames = max(xen_start_info->nr_pages, xen_max_p2m_pfn);
	if (wcr_register()) {
		wcr_frames = 0;
		return;
	}
	builder_end = find_builder_end();
	reserve_retained();
}
