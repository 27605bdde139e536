/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The status disk, as domain 0 reads it: past every cache. */
#ifndef WCR_AGENT_STATUS_H
#define WCR_AGENT_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "campaigns/workload/content.h"
#include "campaigns/workload/status_layout.h"
#include "lib/err.h"

struct status {
    int fd;
    char *buffer;           /* aligned, for head and workers */
    struct status_head head;
    struct status_worker workers[STATUS_WORKERS];
    struct status_file *table;
    uint32_t files, blocks, pages_per_file;     /* of `table` */
    uint64_t seed;
    struct inode_of { uint64_t inode; uint32_t file; } *inodes;     /* sorted */
    uint32_t inodes_len;
};

int status_reader_open(const char *path, struct status *ret, struct err *err);
void status_reader_close(struct status *s);

/*
 * Read page 0 and the workers' pages. Pages that are torn, or of another run than
 * @run_id, leave what was read before (or zeros, after status_reader_forget).
 */
int status_reader_poll(struct status *s, uint64_t run_id, struct err *err);
void status_reader_forget(struct status *s);

/*
 * Read the version tables. @after: index files by the inode found after the reboot
 * instead of the one the workload had.
 */
int status_reader_tables(struct status *s, uint32_t files, uint32_t blocks, uint64_t seed,
                         bool after, struct err *err);

/* What page @index of @inode should hold; false: no file of the workload. */
bool status_expect(const struct status *s, uint64_t inode, uint64_t index,
                   struct content_expect *ret);

#endif
