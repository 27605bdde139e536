/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Self-describing file content. Every 4 KiB block of a workload file says which
 * block of which file it is and in which version, and carries a checksum over all
 * of it, so that anybody who holds the block can tell whether it is right without
 * a second copy. Shared by the workload in the guest and the verifier in domain 0.
 */
#ifndef WCR_WORKLOAD_CONTENT_H
#define WCR_WORKLOAD_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#define CONTENT_BLOCK_SIZE 4096
#define CONTENT_MAGIC      UINT64_C(0x314b4c4252435700)   /* "\0WCRBLK1" */

/* The first bytes of a block; the rest is a PRNG's output, seeded by these. */
struct content_header {
    uint64_t magic;
    uint64_t seed;          /* of the workload: tells one campaign's data from another's */
    uint32_t file;
    uint32_t block;
    uint32_t version;       /* from 1; 0 is never written */
    uint32_t pad;
    uint64_t checksum;      /* XXH64 of the block with this field 0 */
};

enum content_kind {
    CONTENT_VALID,          /* header and checksum are right */
    CONTENT_ZERO,           /* all zero: a hole, or never written */
    CONTENT_BROKEN,         /* our magic, wrong checksum */
    CONTENT_FOREIGN,        /* none of the above */
};

/* What a reader may find in one block, from the version table. */
struct content_expect {
    uint64_t seed;
    uint32_t file;
    uint32_t block;
    uint32_t issued;        /* highest version ever handed to the file system */
    uint32_t acked;         /* version known to be durable; 0: nothing is promised */
};

enum content_judgement {
    CONTENT_OK,             /* a version in [acked, issued], or zero where nothing is promised */
    CONTENT_LOST,           /* right place, older than acknowledged; or zero instead of it */
    CONTENT_FUTURE,         /* right place, a version never issued */
    CONTENT_MISPLACED,      /* valid, of another file, block or workload */
    CONTENT_DAMAGED,        /* broken or foreign */
};

/* Fill @block (CONTENT_BLOCK_SIZE bytes, 8-byte aligned). */
void content_fill(void *block, uint64_t seed, uint32_t file, uint32_t block_index,
                  uint32_t version);

/* @ret may be NULL; it is filled for VALID and, for what it is worth, BROKEN. */
enum content_kind content_identify(const void *block, struct content_header *ret);

enum content_judgement content_judge(const void *block, const struct content_expect *expect);

const char *content_judgement_name(enum content_judgement j);

#endif
