// SPDX-License-Identifier: GPL-2.0-or-later
/* The status disk, as the guest writes it. */
#define _GNU_SOURCE
#include "campaigns/workload/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define STATUS_DEVICE "/dev/xvdb"
#define HEARTBEAT_NS UINT64_C(100000000)

uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void *shared_pages(size_t pages)
{
    void *p = mmap(NULL, pages * STATUS_PAGE_SIZE, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

int status_open(struct guest *g)
{
    struct guest_options *o = &g->opt;

    g->pages_per_file = status_pages_per_file(o->blocks);
    g->head = shared_pages(1);
    g->worker_pages = shared_pages(STATUS_WORKERS);
    g->table = shared_pages((size_t)o->files * g->pages_per_file);
    if (!g->head || !g->worker_pages || !g->table)
        return -ENOMEM;
    g->status_fd = open(STATUS_DEVICE, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (g->status_fd < 0)
        return -errno;
    g->head->run_id = o->run_id;
    g->head->seed = o->seed;
    g->head->files = o->files;
    g->head->blocks = o->blocks;
    g->head->workers = strcmp(o->mode, "run") == 0 ? o->workers : 0;
    return 0;
}

static int page_write(struct guest *g, void *page, uint64_t index)
{
    ssize_t n;

    status_page_seal(page);
    do
        n = pwrite(g->status_fd, page, STATUS_PAGE_SIZE, (off_t)(index * STATUS_PAGE_SIZE));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return n == STATUS_PAGE_SIZE ? 0 : -ENOSPC;
}

int status_head_write(struct guest *g)
{
    g->head->heartbeat++;
    g->head_last_ns = now_ns();
    return page_write(g, g->head, 0);
}

void init_heartbeat(struct guest *g)
{
    if (now_ns() - g->head_last_ns >= HEARTBEAT_NS)
        status_head_write(g);
}

void status_phase_set(struct guest *g, enum status_phase phase)
{
    g->head->phase = phase;
    g->head->phase_ns[phase] = now_ns();
    status_head_write(g);
}

int status_worker_write(struct guest *g, unsigned worker)
{
    return page_write(g, status_worker_of(g, worker), 1 + worker);
}

int status_file_write(struct guest *g, uint32_t file, uint32_t block)
{
    uint32_t page = file * g->pages_per_file + block / STATUS_BLOCKS_PER_PAGE;

    g->table[page].inode = g->table[file * g->pages_per_file].inode;
    g->table[page].inode_after = g->table[file * g->pages_per_file].inode_after;
    return page_write(g, &g->table[page], STATUS_FILES_PAGE + page);
}

int status_file_write_all(struct guest *g, uint32_t file)
{
    int r = 0;

    for (uint32_t i = 0; i < g->pages_per_file && !r; i++)
        r = status_file_write(g, file, i * STATUS_BLOCKS_PER_PAGE);
    return r;
}

void status_tables_init(struct guest *g)
{
    for (uint32_t f = 0; f < g->opt.files; f++)
        for (uint32_t i = 0; i < g->pages_per_file; i++) {
            struct status_file *t = &g->table[f * g->pages_per_file + i];

            memset(t, 0, sizeof(*t));
            t->run_id = g->opt.run_id;
            t->file = f;
            t->first_block = i * STATUS_BLOCKS_PER_PAGE;
        }
}

int status_tables_load(struct guest *g)
{
    size_t pages = (size_t)g->opt.files * g->pages_per_file;

    for (size_t i = 0; i < pages; i++) {
        struct status_file *t = &g->table[i];
        ssize_t n = pread(g->status_fd, t, STATUS_PAGE_SIZE,
                          (off_t)((STATUS_FILES_PAGE + i) * STATUS_PAGE_SIZE));

        if (n < 0)
            return -errno;
        if (n == STATUS_PAGE_SIZE && status_page_sealed(t) && t->file == i / g->pages_per_file)
            continue;
        memset(t, 0, sizeof(*t));
        t->file = (uint32_t)(i / g->pages_per_file);
        t->first_block = (uint32_t)(i % g->pages_per_file * STATUS_BLOCKS_PER_PAGE);
        for (size_t b = 0; b < STATUS_BLOCKS_PER_PAGE; b++)
            t->blocks[b].issued = UINT32_MAX;
    }
    return 0;
}
