// SPDX-License-Identifier: GPL-2.0-or-later
/* After a reboot: read every file once, completely, and judge every block. */
#include "campaigns/workload/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 16

static _Alignas(CONTENT_BLOCK_SIZE) char buffer[CHUNK * CONTENT_BLOCK_SIZE];

static void block_judge(struct guest *g, const void *block, uint32_t file, uint32_t index)
{
    const struct status_block *known = status_block_of(g, file, index);
    struct content_expect expect = {
        .seed = g->opt.seed, .file = file, .block = index,
        .issued = known->issued, .acked = known->acked,
    };
    enum content_judgement j = content_judge(block, &expect);
    struct content_header h;

    g->head->blocks_read++;
    g->head->errors_by_kind[j]++;
    if (j == CONTENT_OK)
        return;
    g->head->content_errors++;
    content_identify(block, &h);
    if (g->head->content_errors <= 20)
        printf("wcr: content file %u block %u: %s, holds file %u block %u version %u, "
               "acknowledged %u, issued %u\n", file, index, content_judgement_name(j), h.file,
               h.block, h.version, known->acked, known->issued);
}

/* Blocks that were promised to be there and lie behind the end of the file. */
static void tail_judge(struct guest *g, uint32_t file, uint32_t first)
{
    static _Alignas(CONTENT_BLOCK_SIZE) const char zero[CONTENT_BLOCK_SIZE];

    for (uint32_t b = first; b < g->opt.blocks; b++)
        if (status_block_of(g, file, b)->acked)
            block_judge(g, zero, file, b);
}

static void file_read(struct guest *g, uint32_t file)
{
    struct status_file *t = &g->table[file * g->pages_per_file];
    int fd = file_open(g, file, O_RDONLY, NULL);
    uint32_t b = 0;
    struct stat st = {0};

    if (fd < 0) {
        g->head->files_missing++;
        tail_judge(g, file, 0);
        return;
    }
    if (fstat(fd, &st) == 0)
        t->inode_after = st.st_ino;
    status_file_write_all(g, file);
    for (;;) {
        ssize_t n = pread(fd, buffer, sizeof(buffer), (off_t)b * CONTENT_BLOCK_SIZE);

        if (n < 0) {
            g->head->read_errors++;
            b++;    /* go on behind the page that cannot be read */
            if ((off_t)b * CONTENT_BLOCK_SIZE >= st.st_size)
                break;
            continue;
        }
        for (ssize_t at = 0; at + CONTENT_BLOCK_SIZE <= n && b < g->opt.blocks; at += CONTENT_BLOCK_SIZE)
            block_judge(g, buffer + at, file, b++);
        if (n < (ssize_t)sizeof(buffer) || b >= g->opt.blocks)
            break;
    }
    tail_judge(g, file, b);
    g->head->files_read++;
    close(fd);
}

int reader_run(struct guest *g)
{
    int r = status_tables_load(g);

    for (uint32_t f = 0; f < g->opt.files && !r; f++) {
        file_read(g, f);
        init_heartbeat(g);
    }
    return r;
}
