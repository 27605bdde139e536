// SPDX-License-Identifier: GPL-2.0
/*
 * Pages that the calls are about, and what a guest may do with a page of its
 * own: store to it, read and write the disk with it, map it read-only or
 * elsewhere, make it a page table, give it back to the hypervisor, exchange it,
 * lie about its number.
 *
 * Whoever changes what a page is holds it; stores and hypercalls do not, and
 * a store that cannot be made is skipped.
 */
#include <linux/bio.h>
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <asm/xen/hypercall.h>
#include <asm/xen/page.h>
#include <xen/interface/memory.h>
#include <xen/interface/wcr_abi.h>
#include <xen/wcr.h>
#include <xen/xen.h>

#include "fuzz.h"

#define SECTORS		(PAGE_SIZE / 512)
#define WRITE_BLOCKS	64	/* at the end of the disk that may be written */
#define IN_FLIGHT_MAX	32

struct fpage {
	struct page *page;
	unsigned long va, pfn, mfn;
	pte_t *ptep;		/* of va */
	pteval_t pte;		/* writable, without the frame */
	unsigned long held;	/* bit 0 */
	bool lost;		/* no frame is behind it any more */
};

const char *const work_names[WORK_KINDS] = {
	"store", "read_only", "pin", "balloon", "exchange", "m2p", "alias", "read", "write",
};

static struct fpage *pages;
static unsigned int nr_pages;
static struct block_device *read_disk, *write_disk;
static atomic_t in_flight;

static bool hold(struct fpage *p)
{
	return !test_and_set_bit_lock(0, &p->held);
}

static void release(struct fpage *p)
{
	clear_bit_unlock(0, &p->held);
}

/* ---- the direct map's entry ----------------------------------------- */

/* Most often the other processors are not told: that must harm nobody but this guest. */
static int map(struct thread *t, struct fpage *p, pteval_t flags)
{
	pte_t pte = { .pte = flags ? (pteval_t)p->mfn << PAGE_SHIFT | flags : 0 };

	return HYPERVISOR_update_va_mapping(p->va, pte,
					    UVMF_INVLPG | (draw(t, 16) ? UVMF_LOCAL : UVMF_ALL));
}

static int map_writable(struct thread *t, struct fpage *p)
{
	return map(t, p, p->pte);
}

static int map_read_only(struct thread *t, struct fpage *p)
{
	return map(t, p, p->pte & ~_PAGE_RW);
}

/* ---- what is done with a page --------------------------------------- */

static bool store(struct thread *t, struct fpage *p)
{
	/* Where the page is a page table this is an entry: not present, or one of our pages. */
	u64 value = draw64(t) & ~(u64)_PAGE_PRESENT;
	u64 *at = (u64 *)p->va + draw(t, PAGE_SIZE / sizeof(u64));

	if (!draw(t, 8))
		value = (u64)pages[draw(t, nr_pages)].mfn << PAGE_SHIFT |
			_PAGE_PRESENT | (draw(t, 2) ? _PAGE_RW : 0);
	__put_kernel_nofault(at, &value, u64, fault);
	return true;
fault:
	return false;
}

/*
 * Whoever holds a page finds its entry dirty, unless the hypervisor cleared that bit
 * to see the next store. One that came through must have set it.
 */
static bool store_seen(struct thread *t, struct fpage *p)
{
	bool done;

	t->watched += !(READ_ONCE(p->ptep->pte) & _PAGE_DIRTY);
	done = store(t, p);
	if (done && !(READ_ONCE(p->ptep->pte) & _PAGE_DIRTY))
		violation(t, "a store to pfn %#lx went unseen", p->pfn);
	return done;
}

static bool read_only(struct thread *t, struct fpage *p)
{
	int rc = map_read_only(t, p);

	if (!draw(t, 4))
		store(t, p);
	return !(rc | map_writable(t, p));
}

static int pin(struct fpage *p, unsigned int cmd)
{
	struct mmuext_op op = { .cmd = cmd, .arg1.mfn = p->mfn };

	return HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF);
}

static bool make_table(struct thread *t, struct fpage *p)
{
	static const unsigned int cmds[] = {
		MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE, MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE,
	};
	unsigned int i = draw(t, 4) ? 0 : draw(t, ARRAY_SIZE(cmds)), stores = draw(t, 4);
	bool done;

	memset((void *)p->va, 0, PAGE_SIZE);
	if (map_read_only(t, p))
		return false;
	done = !pin(p, cmds[i]);
	while (done && stores--)
		store(t, p);
	if (done)
		pin(p, MMUEXT_UNPIN_TABLE);
	map_writable(t, p);
	return done;
}

static long memory_op(unsigned int cmd, xen_ulong_t *frame)
{
	struct xen_memory_reservation op = { .nr_extents = 1, .domid = DOMID_SELF };

	set_xen_guest_handle(op.extent_start, frame);
	return HYPERVISOR_memory_op(cmd, &op);
}

static void set_frame(struct fpage *p, unsigned long mfn)
{
	p->mfn = mfn;
	xen_p2m_addr[p->pfn] = mfn;
}

static bool balloon(struct thread *t, struct fpage *p)
{
	xen_ulong_t frame = p->mfn;
	unsigned int tries;

	if (map(t, p, 0))
		return false;
	if (memory_op(XENMEM_decrease_reservation, &frame) != 1) {
		map_writable(t, p);
		return false;
	}
	xen_p2m_addr[p->pfn] = INVALID_P2M_ENTRY;
	for (tries = 0; tries < 1000; tries++) {
		frame = p->pfn;
		if (memory_op(XENMEM_populate_physmap, &frame) == 1) {
			set_frame(p, frame);
			return !map_writable(t, p);
		}
		cond_resched();
	}
	p->lost = true;
	return false;
}

static bool exchange(struct thread *t, struct fpage *p)
{
	xen_ulong_t in = p->mfn, out = p->pfn;
	struct xen_memory_exchange op = {
		.in = { .nr_extents = 1, .domid = DOMID_SELF },
		.out = { .nr_extents = 1, .domid = DOMID_SELF },
	};
	bool done;

	if (map(t, p, 0))
		return false;
	set_xen_guest_handle(op.in.extent_start, &in);
	set_xen_guest_handle(op.out.extent_start, &out);
	done = !HYPERVISOR_memory_op(XENMEM_exchange, &op) && op.nr_exchanged == 1;
	if (done)
		set_frame(p, out);
	map_writable(t, p);
	return done;
}

/* Tell the hypervisor that the frame is another page's, for a while. */
static bool lie(struct thread *t, struct fpage *p)
{
	struct mmu_update op = {
		.ptr = (u64)p->mfn << PAGE_SHIFT | MMU_MACHPHYS_UPDATE,
		.val = draw(t, 2) ? pages[draw(t, nr_pages)].pfn : draw64(t),
	};
	unsigned int calls = draw(t, 4);
	bool done = !HYPERVISOR_mmu_update(&op, 1, NULL, DOMID_SELF);

	while (calls--)
		calls_one(t);
	op.val = p->pfn;
	HYPERVISOR_mmu_update(&op, 1, NULL, DOMID_SELF);
	return done;
}

/* A second mapping that can be written through. */
static bool alias(struct thread *t, struct fpage *p)
{
	u64 *at = vmap(&p->page, 1, VM_MAP, PAGE_KERNEL);

	if (!at)
		return false;
	at[draw(t, PAGE_SIZE / sizeof(u64))] = draw64(t);
	vunmap(at);
	return true;
}

static void io_end(struct bio *bio)
{
	release(bio->bi_private);
	bio_put(bio);
	atomic_dec(&in_flight);
}

static u64 draw_written(struct thread *t)
{
	return bdev_nr_sectors(write_disk) - (1 + draw(t, WRITE_BLOCKS)) * SECTORS;
}

u64 work_draw_sector(struct thread *t)
{
	u64 sector = draw64(t);

	if (draw(t, 8))
		sector = sector % (bdev_nr_sectors(read_disk) / SECTORS) * SECTORS;
	return sector;
}

static void list(const struct fpage *p)
{
	struct wcr_map_entry entry = { .pfn = p->pfn, .mfn = p->mfn, .op = WCR_MAP_ADD };
	struct wcr_map_update op = { .entries = (unsigned long)&entry, .nr = 1 };

	wcr_hypercall(WCR_OP_map_update, &op);
}

/* ...and does not forget it by working on something else until it is read. */
static void wait_and_store(struct thread *t, struct fpage *p)
{
	unsigned long end = jiffies + HZ / 10;

	while (test_bit(0, &p->held) && time_before(jiffies, end))
		cpu_relax();
	if (!hold(p))
		return;
	if (!p->lost)
		store_seen(t, p);
	release(p);
}

/* The page is held until the disk is done with it. */
static bool io(struct thread *t, struct fpage *p, bool write)
{
	struct block_device *disk = write || !draw(t, 4) ? write_disk : read_disk;
	unsigned int len = PAGE_SIZE, offset = 0;
	struct bio *bio;
	bool wait;

	if (atomic_inc_return(&in_flight) > IN_FLIGHT_MAX)
		goto no;
	bio = bio_alloc(disk, 1, write ? REQ_OP_WRITE : REQ_OP_READ, GFP_NOIO);
	if (!draw(t, 8)) {
		len = 512 * (1 + draw(t, SECTORS - 1));
		offset = 512 * draw(t, (PAGE_SIZE - len) / 512 + 1);
	}
	bio->bi_iter.bi_sector = disk == write_disk ? draw_written(t) :
		(draw64(t) % (bdev_nr_sectors(disk) / SECTORS - 1)) * SECTORS + !draw(t, 8);
	bio->bi_private = p;
	bio->bi_end_io = io_end;
	__bio_add_page(bio, p->page, len, offset);
	wait = draw(t, 2);
	if (wait)
		list(p);
	/* So that this processor knows the page as writable... */
	store(t, p);
	submit_bio(bio);
	if (wait)
		wait_and_store(t, p);
	return true;
no:
	atomic_dec(&in_flight);
	release(p);
	return false;
}

void work_one(struct thread *t)
{
	static bool (*const works[])(struct thread *t, struct fpage *p) = {
		[WORK_STORE] = store_seen, [WORK_READ_ONLY] = read_only, [WORK_PIN] = make_table, [WORK_BALLOON] = balloon,
		[WORK_EXCHANGE] = exchange, [WORK_M2P] = lie, [WORK_ALIAS] = alias,
	};
	struct fpage *p = &pages[draw(t, nr_pages)];
	enum work kind = draw(t, 2) ? WORK_STORE : draw(t, WORK_KINDS);
	bool done;

	if (!hold(p)) {
		done = kind == WORK_STORE && store(t, p);
	} else if (p->lost) {
		release(p);
		done = false;
	} else if (kind == WORK_READ || kind == WORK_WRITE) {
		done = io(t, p, kind == WORK_WRITE);
	} else {
		done = works[kind](t, p);
		release(p);
	}
	(done ? t->done : t->refused)[kind]++;
}

/* ---- frames to talk about ------------------------------------------- */

static void draw_special(struct thread *t, u64 *ret_pfn, u64 *ret_mfn)
{
	u64 mfn;

	switch (draw(t, 6)) {
	case 0: mfn = xen_start_info->shared_info >> PAGE_SHIFT; break;
	case 1: mfn = xen_start_info->store_mfn; break;
	case 2: mfn = virt_to_mfn(current->active_mm->pgd); break;
	case 3: mfn = draw64(t); break;
	default: mfn = draw64(t) % machine_to_phys_nr; break;
	}
	*ret_mfn = mfn;
	*ret_pfn = mfn_to_pfn(mfn);
}

void work_draw_frame(struct thread *t, u64 *ret_pfn, u64 *ret_mfn)
{
	const struct fpage *p = &pages[draw(t, nr_pages)];

	switch (draw(t, 16)) {
	case 0:
		draw_special(t, ret_pfn, ret_mfn);
		break;
	case 1:		/* any page of this guest */
		*ret_pfn = draw64(t) % get_num_physpages();
		*ret_mfn = pfn_to_mfn(*ret_pfn);
		break;
	default:
		*ret_pfn = p->pfn;
		*ret_mfn = READ_ONCE(p->mfn);
	}
}

/* ---- */

static int page_init(struct fpage *p)
{
	unsigned int level;

	p->page = alloc_page(GFP_KERNEL);
	if (!p->page)
		return -ENOMEM;
	p->va = (unsigned long)page_address(p->page);
	p->pfn = page_to_pfn(p->page);
	p->mfn = pfn_to_mfn(p->pfn);
	p->ptep = lookup_address(p->va, &level);
	if (!p->ptep || level != PG_LEVEL_4K)
		return -EINVAL;
	p->pte = (READ_ONCE(p->ptep->pte) & ~PTE_PFN_MASK) | _PAGE_RW | _PAGE_DIRTY;
	return 0;
}

int work_init(unsigned int nr, struct block_device *read, struct block_device *write)
{
	int rc = 0;

	read_disk = read;
	write_disk = write;
	pages = kvcalloc(nr, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	for (nr_pages = 0; nr_pages < nr && !rc; nr_pages++)
		rc = page_init(&pages[nr_pages]);
	return rc;
}

void work_end(void)
{
	unsigned int i;

	while (atomic_read(&in_flight))
		schedule_timeout_uninterruptible(1);
	for (i = 0; i < nr_pages; i++)
		if (!pages[i].lost)
			__free_page(pages[i].page);
}
