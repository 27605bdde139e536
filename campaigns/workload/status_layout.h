/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The status disk: what the workload says about itself, kept outside the guest's
 * file systems. The guest writes whole pages with O_DIRECT; the agent reads them
 * with O_DIRECT from the backing device. One writer per page, so pages need no
 * lock; each carries a checksum because a faulty kernel may write anything.
 *
 *   page 0                              struct status_head, by init
 *   pages 1 .. STATUS_WORKERS           struct status_worker, by each worker
 *   page STATUS_FILES_PAGE + f * k ...  struct status_file of file f, k pages each
 *
 * k = status_pages_per_file(blocks). Little-endian, as the machine.
 */
#ifndef WCR_WORKLOAD_STATUS_LAYOUT_H
#define WCR_WORKLOAD_STATUS_LAYOUT_H

#include <stdint.h>

#define STATUS_PAGE_SIZE   4096
#define STATUS_MAGIC       UINT64_C(0x3154415453524357)    /* "WCRSTAT1" */
#define STATUS_WORKERS     8
#define STATUS_FILES_PAGE  16
#define STATUS_FILES_MAX   4096
#define STATUS_BLOCKS_MAX  4096     /* of one file */

/* Every page begins with this; `checksum` is XXH64 of what follows it in the page. */
struct status_mark {
    uint64_t magic;
    uint64_t checksum;
};

enum status_phase {
    PHASE_NONE,             /* the page was never written */
    PHASE_BOOT,             /* init runs, the disk is not mounted yet */
    PHASE_FILL,             /* mode run: writing the files */
    PHASE_WARM,             /* mode run: reading them back */
    PHASE_RUNNING,          /* mode run: workers are at it */
    PHASE_READING,          /* mode verify: reading every file */
    PHASE_DONE,             /* mode verify: results below are final */
    PHASE_FAILED,           /* the experiment cannot go on: `message` says why */
};

struct status_head {
    struct status_mark mark;
    uint32_t phase;         /* enum status_phase */
    uint32_t workers;
    uint64_t heartbeat;     /* of init */
    uint64_t run_id;        /* from the kernel command line: tells this boot from the last */
    uint64_t seed;
    uint32_t files;
    uint32_t blocks;        /* of one file, at most */
    uint64_t phase_ns[8];   /* guest's CLOCK_MONOTONIC at the start of each phase */
    /* mode verify */
    uint64_t files_read, files_missing, read_errors, blocks_read, content_errors;
    uint64_t errors_by_kind[8];     /* enum content_judgement */
    char message[256];
};

enum worker_state { WORKER_NONE, WORKER_RUNS, WORKER_QUIET, WORKER_DEAD };

struct status_worker {
    struct status_mark mark;
    uint64_t run_id;
    uint64_t heartbeat;
    uint64_t ops;
    uint64_t op_errors;
    uint32_t state;         /* enum worker_state; DEAD is written by init */
    int32_t wait_status;    /* as from waitpid, when DEAD */
    uint32_t last_errno;
    uint32_t last_op;
    uint64_t content_errors;    /* seen by its own reads */
    uint64_t ops_by_kind[16];
};

struct status_block {
    uint32_t issued;        /* highest version handed to the file system, ever */
    uint32_t acked;         /* durable; 0: nothing is promised any more */
};

#define STATUS_BLOCKS_PER_PAGE \
    ((STATUS_PAGE_SIZE - 64) / sizeof(struct status_block))

struct status_file {
    struct status_mark mark;
    uint64_t run_id;        /* of the boot that wrote it */
    uint64_t inode;         /* while the workload runs; 0: between two inodes */
    uint64_t inode_after;   /* found by mode verify; 0: missing, or not looked at yet */
    uint32_t file;
    uint32_t first_block;
    uint64_t pad[2];
    struct status_block blocks[STATUS_BLOCKS_PER_PAGE];
};

_Static_assert(sizeof(struct status_head) <= STATUS_PAGE_SIZE, "head fits a page");
_Static_assert(sizeof(struct status_worker) <= STATUS_PAGE_SIZE, "worker fits a page");
_Static_assert(sizeof(struct status_file) == STATUS_PAGE_SIZE, "file fills a page");

static inline uint32_t status_pages_per_file(uint32_t blocks)
{
    return (blocks + STATUS_BLOCKS_PER_PAGE - 1) / STATUS_BLOCKS_PER_PAGE;
}

/* Set and test the checksum of a page. */
void status_page_seal(void *page);
int status_page_sealed(const void *page);

#endif
