// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
#include "campaigns/agent/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_PAGES (1 + STATUS_WORKERS)

int status_reader_open(const char *path, struct status *ret, struct err *err)
{
    *ret = (struct status){.fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC)};
    if (ret->fd < 0)
        return err_set(err, errno, "status disk %s: %s", path, strerror(errno));
    ret->buffer = aligned_alloc(STATUS_PAGE_SIZE, HEAD_PAGES * STATUS_PAGE_SIZE);
    if (!ret->buffer) {
        close(ret->fd);
        ret->fd = -1;
        return err_set(err, ENOMEM, "out of memory");
    }
    return 0;
}

void status_reader_close(struct status *s)
{
    if (s->buffer) {
        close(s->fd);
        free(s->buffer);
    }
    free(s->table);
    free(s->inodes);
    *s = (struct status){.fd = -1};
}

void status_reader_forget(struct status *s)
{
    memset(&s->head, 0, sizeof(s->head));
    memset(s->workers, 0, sizeof(s->workers));
}

static int pages_read(struct status *s, void *to, size_t pages, off_t first, struct err *err)
{
    size_t want = pages * STATUS_PAGE_SIZE, done = 0;

    while (done < want) {
        ssize_t n = pread(s->fd, (char *)to + done, want - done,
                          first * STATUS_PAGE_SIZE + (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, errno, "status disk: %s", strerror(errno));
        if (n == 0)
            return err_set(err, ENODATA, "status disk: too small");
        done += (size_t)n;
    }
    return 0;
}

int status_reader_poll(struct status *s, uint64_t run_id, struct err *err)
{
    int r = pages_read(s, s->buffer, HEAD_PAGES, 0, err);
    struct status_head head;

    if (r)
        return r;
    memcpy(&head, s->buffer, sizeof(head));
    if (status_page_sealed(s->buffer) && head.run_id == run_id) {
        s->head = head;
        s->head.message[sizeof(s->head.message) - 1] = '\0';
        if (s->head.workers > STATUS_WORKERS)
            s->head.workers = STATUS_WORKERS;
    }
    for (unsigned i = 0; i < STATUS_WORKERS; i++) {
        const char *page = s->buffer + (1 + i) * STATUS_PAGE_SIZE;
        struct status_worker w;

        memcpy(&w, page, sizeof(w));
        if (status_page_sealed(page) && w.run_id == run_id)
            s->workers[i] = w;
    }
    return 0;
}

static int by_inode(const void *a, const void *b)
{
    const struct inode_of *x = a, *y = b;

    return x->inode < y->inode ? -1 : x->inode > y->inode;
}

static int table_alloc(struct status *s, uint32_t files, uint32_t blocks, struct err *err)
{
    size_t pages;

    free(s->table);
    free(s->inodes);
    s->inodes = NULL;
    s->inodes_len = 0;
    s->files = files;
    s->blocks = blocks;
    s->pages_per_file = status_pages_per_file(blocks);
    pages = (size_t)files * s->pages_per_file;
    s->table = aligned_alloc(STATUS_PAGE_SIZE, pages * STATUS_PAGE_SIZE);
    s->inodes = calloc(files, sizeof(*s->inodes));
    if (!s->table || !s->inodes)
        return err_set(err, ENOMEM, "out of memory for %zu pages of version tables", pages);
    return pages_read(s, s->table, pages, STATUS_FILES_PAGE, err);
}

int status_reader_tables(struct status *s, uint32_t files, uint32_t blocks, uint64_t seed,
                         bool after, struct err *err)
{
    int r;

    if (!files || files > STATUS_FILES_MAX || !blocks || blocks > STATUS_BLOCKS_MAX)
        return err_set(err, EINVAL, "version tables: %u files of %u blocks", files, blocks);
    r = table_alloc(s, files, blocks, err);
    if (r)
        return r;
    s->seed = seed;
    for (uint32_t f = 0; f < files; f++) {
        const struct status_file *t = &s->table[(size_t)f * s->pages_per_file];
        uint64_t inode = after ? t->inode_after : t->inode;

        if (status_page_sealed(t) && t->file == f && inode)
            s->inodes[s->inodes_len++] = (struct inode_of){inode, f};
    }
    qsort(s->inodes, s->inodes_len, sizeof(*s->inodes), by_inode);
    return 0;
}

bool status_expect(const struct status *s, uint64_t inode, uint64_t index,
                   struct content_expect *ret)
{
    struct inode_of key = {.inode = inode};
    const struct inode_of *found;
    const struct status_file *t;
    uint64_t at;

    if (!s->inodes_len || index >= s->blocks)
        return false;
    found = bsearch(&key, s->inodes, s->inodes_len, sizeof(key), by_inode);
    if (!found)
        return false;
    t = &s->table[found->file * (size_t)s->pages_per_file + index / STATUS_BLOCKS_PER_PAGE];
    at = index % STATUS_BLOCKS_PER_PAGE;
    *ret = (struct content_expect){
        .seed = s->seed, .file = found->file, .block = (uint32_t)index,
        .issued = UINT32_MAX,
    };
    /* A table page that is not sound promises nothing. */
    if (status_page_sealed(t) && t->file == found->file) {
        ret->issued = t->blocks[at].issued;
        ret->acked = t->blocks[at].acked;
    }
    return true;
}
