/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One page against its block. The two may differ; the content, which describes itself,
 * and the table of issued and acknowledged versions tell which of them is wrong.
 */
#ifndef WCR_AGENT_VERDICT_H
#define WCR_AGENT_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "campaigns/workload/content.h"

enum verdict {
    VERDICT_CONSISTENT,     /* memory equals the disk */
    VERDICT_CORRUPT,        /* the memory is wrong: the only true failure */
    VERDICT_STALE_DISK,     /* memory holds an issued version that the disk does not have */
    VERDICT_UNKNOWN,        /* they differ, and nothing tells which is right */
};

/*
 * @expect: what the page's (inode, index) should hold; NULL when the inode is no file
 * of the workload. @detail gets a few words on both sides.
 */
enum verdict verdict_judge(const void *memory, const void *disk,
                           const struct content_expect *expect, char *detail, size_t size);

/* 'consistent', 'corrupt', 'stale_disk', 'unknown' */
const char *verdict_name(enum verdict v);

#endif
