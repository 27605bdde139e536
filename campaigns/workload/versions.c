// SPDX-License-Identifier: GPL-2.0-or-later
/* Which version of each block was handed to the file system, and which is durable. */
#include "campaigns/workload/guest.h"

static int table_write(struct guest *g, uint32_t file, uint32_t first, uint32_t count)
{
    uint32_t per = STATUS_BLOCKS_PER_PAGE;
    int r = 0;

    for (uint32_t b = first / per * per; b < first + count && !r; b += per)
        r = status_file_write(g, file, b);
    return r;
}

int versions_issue(struct guest *g, uint32_t file, uint32_t first, uint32_t count)
{
    for (uint32_t b = first; b < first + count; b++)
        status_block_of(g, file, b)->issued++;
    return table_write(g, file, first, count);
}

int versions_disown(struct guest *g, uint32_t file, uint32_t first)
{
    for (uint32_t b = first; b < g->opt.blocks; b++)
        status_block_of(g, file, b)->acked = 0;
    return table_write(g, file, first, g->opt.blocks - first);
}

int versions_zero(struct guest *g, uint32_t file, uint32_t first, uint32_t count)
{
    for (uint32_t b = first; b < first + count; b++)
        *status_block_of(g, file, b) = (struct status_block){0};
    return table_write(g, file, first, count);
}

int versions_acknowledge(struct guest *g, uint32_t file, uint32_t first, uint32_t count)
{
    for (uint32_t b = first; b < first + count && b < g->opt.blocks; b++) {
        struct status_block *s = status_block_of(g, file, b);

        s->acked = s->issued;
    }
    return table_write(g, file, first, count ? count : 1);
}
