// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A worker: random operations on the files that are its own, for ever. A block's
 * version is written to the status disk before it is handed to the file system
 * ("issued"), and again when it is known to be durable ("acknowledged"), so that the
 * status disk always brackets what the data disk may hold.
 */
#define _GNU_SOURCE
#include "campaigns/workload/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHUNK 16    /* blocks handled at once */

enum op {
    OP_READ, OP_OVERWRITE, OP_MMAP, OP_TRUNCATE, OP_RENAME, OP_RECREATE, OP_APPEND, OP_FSYNC,
    OP_DIRECT_WRITE, OP_DIRECT_READ, OP_REPLACE, OPS
};

/* Out of 64. */
static const unsigned char op_weight[OPS] = {
    [OP_READ] = 22, [OP_OVERWRITE] = 10, [OP_MMAP] = 6, [OP_TRUNCATE] = 3, [OP_RENAME] = 3,
    [OP_RECREATE] = 2, [OP_APPEND] = 5, [OP_FSYNC] = 4, [OP_DIRECT_WRITE] = 4,
    [OP_DIRECT_READ] = 3, [OP_REPLACE] = 2,
};

struct worker {
    struct guest *g;
    unsigned index;
    uint64_t rng;
    struct status_worker *status;
    /* After a failed fsync the kernel may call lost pages clean: trust no later one. */
    bool tainted[STATUS_FILES_MAX];
};

static struct worker self;
static _Alignas(CONTENT_BLOCK_SIZE) char buffer[CHUNK * CONTENT_BLOCK_SIZE];

static uint32_t draw(struct worker *w, uint32_t below)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return (uint32_t)((w->rng >> 11) % below);
}

static int file_blocks(int fd, uint32_t *ret)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    *ret = (uint32_t)(st.st_size / CONTENT_BLOCK_SIZE);
    return 0;
}

/* What was issued of a file of @blocks blocks was synced. */
static int blocks_acknowledge(struct worker *w, uint32_t file, uint32_t blocks)
{
    return w->tainted[file] ? 0 : versions_acknowledge(w->g, file, 0, blocks);
}

static int file_sync(struct worker *w, uint32_t file, int fd)
{
    uint32_t blocks;

    if (fsync(fd) < 0) {
        w->tainted[file] = true;
        return -errno;
    }
    return file_blocks(fd, &blocks) ?: blocks_acknowledge(w, file, blocks);
}

static void buffer_fill(struct worker *w, uint32_t file, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        content_fill(buffer + (size_t)i * CONTENT_BLOCK_SIZE, w->g->opt.seed, file, first + i,
                     status_block_of(w->g, file, first + i)->issued);
}

/* A write that failed half way leaves blocks whose version nobody knows. */
static int blocks_write(struct worker *w, uint32_t file, int fd, uint32_t first, uint32_t count)
{
    ssize_t want = (ssize_t)count * CONTENT_BLOCK_SIZE, n;

    buffer_fill(w, file, first, count);
    n = pwrite(fd, buffer, (size_t)want, (off_t)first * CONTENT_BLOCK_SIZE);
    if (n == want)
        return 0;
    w->tainted[file] = true;
    return n < 0 ? -errno : -ENOSPC;
}

static int range_write(struct worker *w, uint32_t file, int fd, uint32_t first, uint32_t count)
{
    int r = versions_issue(w->g, file, first, count);

    for (uint32_t b = 0; b < count && !r; b += CHUNK)
        r = blocks_write(w, file, fd, first + b, count - b < CHUNK ? count - b : CHUNK);
    return r;
}

static int op_read(struct worker *w, uint32_t file, int fd, uint32_t blocks)
{
    uint32_t first, count;
    ssize_t n;

    if (!blocks)
        return 0;
    first = draw(w, blocks);
    count = 1 + draw(w, CHUNK);
    n = pread(fd, buffer, count * (size_t)CONTENT_BLOCK_SIZE, (off_t)first * CONTENT_BLOCK_SIZE);
    if (n < 0)
        return -errno;
    for (uint32_t i = 0; (i + 1) * (ssize_t)CONTENT_BLOCK_SIZE <= n; i++) {
        const struct status_block *s = status_block_of(w->g, file, first + i);
        struct content_expect expect = {
            .seed = w->g->opt.seed, .file = file, .block = first + i,
            .issued = s->issued, .acked = s->acked,
        };

        if (content_judge(buffer + (size_t)i * CONTENT_BLOCK_SIZE, &expect) != CONTENT_OK)
            w->status->content_errors++;
    }
    return 0;
}

static int op_overwrite(struct worker *w, uint32_t file, int fd, uint32_t blocks)
{
    uint32_t first, count;

    if (!blocks)
        return 0;
    first = draw(w, blocks);
    count = 1 + draw(w, blocks - first < 4 ? blocks - first : 4);
    return range_write(w, file, fd, first, count) ?: draw(w, 2) ? file_sync(w, file, fd) : 0;
}

static int op_mmap(struct worker *w, uint32_t file, int fd, uint32_t blocks)
{
    uint32_t block;
    void *p;
    int r;

    if (!blocks)
        return 0;
    block = draw(w, blocks);
    p = mmap(NULL, CONTENT_BLOCK_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
             (off_t)block * CONTENT_BLOCK_SIZE);
    if (p == MAP_FAILED)
        return -errno;
    r = versions_issue(w->g, file, block, 1);
    if (!r) {
        buffer_fill(w, file, block, 1);
        memcpy(p, buffer, CONTENT_BLOCK_SIZE);
        if (draw(w, 2))
            r = msync(p, CONTENT_BLOCK_SIZE, MS_SYNC) < 0 ? -errno : file_sync(w, file, fd);
    }
    munmap(p, CONTENT_BLOCK_SIZE);
    return r;
}

static int op_truncate(struct worker *w, uint32_t file, int fd, uint32_t blocks)
{
    uint32_t keep = blocks / 2 + draw(w, blocks / 2 + 1);
    int r;

    if (!blocks)
        return 0;
    r = versions_disown(w->g, file, keep);
    if (!r && ftruncate(fd, (off_t)keep * CONTENT_BLOCK_SIZE) < 0)
        r = -errno;
    if (!r && keep < blocks && draw(w, 2))
        r = range_write(w, file, fd, keep, blocks - keep);
    return r ?: draw(w, 2) ? file_sync(w, file, fd) : 0;
}

static int op_rename(struct worker *w, uint32_t file, char letter)
{
    char from[64], to[64];

    file_path(from, file, letter);
    file_path(to, file, letter == 'f' ? 'g' : 'f');
    if (rename(from, to) < 0)
        return -errno;
    return draw(w, 2) ? files_dir_sync() : 0;
}

static int op_recreate(struct worker *w, uint32_t file, char letter)
{
    char path[64];
    int r, fd;

    /* The inode number may be another file's before this one has its new one. */
    r = versions_disown(w->g, file, 0) ?: file_inode_set(w->g, file, -1);
    if (r)
        return r;
    file_path(path, file, letter);
    if (unlink(path) < 0)
        return -errno;
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    w->tainted[file] = false;
    r = file_inode_set(w->g, file, fd) ?: range_write(w, file, fd, 0, w->g->opt.blocks);
    if (!r)
        r = files_dir_sync() ?: file_sync(w, file, fd);
    close(fd);
    return r;
}

static int op_append(struct worker *w, uint32_t file, int fd, uint32_t blocks)
{
    uint32_t room = w->g->opt.blocks - blocks;

    if (!room)
        return op_truncate(w, file, fd, blocks);
    return range_write(w, file, fd, blocks, 1 + draw(w, room < 4 ? room : 4)) ?:
           draw(w, 2) ? file_sync(w, file, fd) : 0;
}

static int op_direct(struct worker *w, uint32_t file, char letter, uint32_t blocks, bool write)
{
    char path[64];
    int fd, r;

    if (!blocks)
        return 0;
    file_path(path, file, letter);
    fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (write) {
        uint32_t first = draw(w, blocks);

        r = range_write(w, file, fd, first, 1 + draw(w, blocks - first < 4 ? blocks - first : 4));
        if (!r)
            r = file_sync(w, file, fd);
    } else {
        r = op_read(w, file, fd, blocks);
    }
    close(fd);
    return r;
}

/* The editor's way: a new file with new content, made durable, renamed over the old. */
static int op_replace(struct worker *w, uint32_t file, char letter)
{
    char path[64], temp[64];
    int fd, r;

    file_path(temp, file, 't');
    file_path(path, file, letter);
    fd = open(temp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    r = range_write(w, file, fd, 0, w->g->opt.blocks);
    if (!r && fsync(fd) < 0)
        r = -errno;
    if (!r && rename(temp, path) < 0)
        r = -errno;
    if (!r) {
        w->tainted[file] = false;
        r = file_inode_set(w->g, file, fd) ?: files_dir_sync() ?:
            blocks_acknowledge(w, file, w->g->opt.blocks);
    }
    close(fd);
    return r;
}

static int op_run(struct worker *w, enum op op, uint32_t file)
{
    uint32_t blocks = 0;
    char letter = 'f';
    int fd, r;

    fd = file_open(w->g, file, op == OP_READ ? O_RDONLY : O_RDWR, &letter);
    if (fd < 0)
        return fd;
    r = file_blocks(fd, &blocks);
    if (blocks > w->g->opt.blocks)
        blocks = w->g->opt.blocks;
    if (!r) {
        switch (op) {
        case OP_READ:         r = op_read(w, file, fd, blocks); break;
        case OP_OVERWRITE:    r = op_overwrite(w, file, fd, blocks); break;
        case OP_MMAP:         r = op_mmap(w, file, fd, blocks); break;
        case OP_TRUNCATE:     r = op_truncate(w, file, fd, blocks); break;
        case OP_RENAME:       r = op_rename(w, file, letter); break;
        case OP_RECREATE:     r = op_recreate(w, file, letter); break;
        case OP_APPEND:       r = op_append(w, file, fd, blocks); break;
        case OP_FSYNC:        r = file_sync(w, file, fd); break;
        case OP_DIRECT_WRITE: r = op_direct(w, file, letter, blocks, true); break;
        case OP_DIRECT_READ:  r = op_direct(w, file, letter, blocks, false); break;
        case OP_REPLACE:      r = op_replace(w, file, letter); break;
        case OPS:             break;
        }
    }
    close(fd);
    return r;
}

static enum op op_draw(struct worker *w)
{
    unsigned at = draw(w, 64);

    for (unsigned op = 0; op < OPS; op++) {
        if (at < op_weight[op])
            return op;
        at -= op_weight[op];
    }
    return OP_READ;
}

/*
 * Only files of the hot quarter are written, each by the one worker it belongs to;
 * nobody else reads them, for a store through a mapping may be seen half done.
 */
static bool file_draw(struct worker *w, enum op op, uint32_t *ret)
{
    const struct guest_options *o = &w->g->opt;

    for (int tries = 0; tries < 64; tries++) {
        uint32_t f = draw(w, o->files);
        bool hot = f % 4 >= o->cold_files_in_four, own = f / 4 % o->workers == w->index;

        if (hot ? own : op == OP_READ || op == OP_DIRECT_READ) {
            *ret = f;
            return true;
        }
    }
    return false;
}

static void pause_us(uint32_t us)
{
    struct timespec ts = {us / 1000000, us % 1000000 * 1000};

    if (us)
        nanosleep(&ts, NULL);
}

_Noreturn void worker_main(struct guest *g, unsigned index)
{
    struct worker *w = &self;
    uint32_t file;

    w->g = g;
    w->index = index;
    w->status = status_worker_of(g, index);
    w->rng = (g->opt.seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + index * UINT64_C(0x2545f4914f6cdd1d);
    mlockall(MCL_CURRENT | MCL_FUTURE);
    w->status->run_id = g->opt.run_id;
    for (;;) {
        enum op op = op_draw(w);
        int r = 0;

        if (g->quiesce) {
            if (w->status->state != WORKER_QUIET) {
                w->status->state = WORKER_QUIET;
                status_worker_write(g, index);
            }
            pause_us(20000);
            continue;
        }
        w->status->state = WORKER_RUNS;
        if (file_draw(w, op, &file))
            r = op_run(w, op, file);
        w->status->ops++;
        w->status->ops_by_kind[op]++;
        w->status->last_op = op;
        if (r) {
            w->status->op_errors++;
            w->status->last_errno = (uint32_t)-r;
        }
        w->status->heartbeat++;
        status_worker_write(g, index);
        pause_us(g->opt.pace_us);
    }
}
