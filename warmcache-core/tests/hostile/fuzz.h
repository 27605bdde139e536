/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A hostile guest, as a module: threads on every processor throw random and
 * malicious warm-cache hypercalls at the hypervisor, and do forbidden and
 * unusual things with the pages they are about. What happens is drawn from
 * the seed; when, is not. Its own kernel lives on: it touches only memory and
 * disk sectors of its own, and undoes what it does.
 *
 * debugfs' wcr_fuzz tells what came of it.
 */
#ifndef WCR_FUZZ_H
#define WCR_FUZZ_H

#include <linux/blkdev.h>
#include <linux/prandom.h>
#include <linux/types.h>

#define FUZZ_ERRORS 140		/* errno values that are counted */

/* What a thread does with a page; see work.c. */
enum work {
	WORK_STORE, WORK_READ_ONLY, WORK_PIN, WORK_BALLOON, WORK_EXCHANGE,
	WORK_M2P, WORK_ALIAS, WORK_READ, WORK_WRITE, WORK_KINDS
};

struct thread {
	struct rnd_state rnd;
	u8 *arena;		/* arguments and buffers, see calls.c */
	u64 calls;
	u64 violations;
	char violation[128];	/* the first */
	u64 max_ns;		/* the longest call */
	unsigned int max_cmd;
	u32 (*results)[FUZZ_ERRORS];	/* by command and -result */
	u32 done[WORK_KINDS], refused[WORK_KINDS];
	u32 watched;		/* stores to pages that the hypervisor watched */
};

static inline u32 draw(struct thread *t, u32 below)
{
	return prandom_u32_state(&t->rnd) % below;
}

static inline u64 draw64(struct thread *t)
{
	return (u64)prandom_u32_state(&t->rnd) << 32 | prandom_u32_state(&t->rnd);
}

__printf(2, 3) void violation(struct thread *t, const char *fmt, ...);

/* calls.c: one hypercall, judged. */
int calls_init(struct thread *t);
void calls_one(struct thread *t);
const char *calls_name(unsigned int command);
extern const unsigned int calls_commands;

/* work.c: pages that the calls are about. */
int work_init(unsigned int pages, struct block_device *read, struct block_device *write);
void work_one(struct thread *t);
/* Waits for I/O in flight and gives the pages back. */
void work_end(void);
extern const char *const work_names[WORK_KINDS];

/* A frame of a page of ours, or of something that is none of our business. */
void work_draw_frame(struct thread *t, u64 *ret_pfn, u64 *ret_mfn);
u64 work_draw_sector(struct thread *t);

#endif
