// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands that change files and their blocks, for tests. FILE is a number, FIRST and COUNT are in
 * blocks of 4 KiB, and the version table follows, so that whoever reads later
 * can judge what is found. To be used while the workers stand still.
 *
 *   write FILE FIRST COUNT [direct|mmap|keep] [data|msync|sync]
 *	New versions, also behind the end. keep: through a mapping that stays. data: on the disk
 *	when this returns, but no promise; sync: promised.
 *   truncate FILE COUNT [sync]
 *   punch FILE FIRST COUNT, zero FILE FIRST COUNT
 *	Durably: zero is all that may be found there.
 *   collapse FILE FIRST COUNT
 *	Cut out, what follows moves up; neither durable nor in the table: to be lost.
 *   defrag FILE
 *	The whole file moves to other blocks; durable.
 *   create FILE [spare], unlink FILE [sync], replace FILE
 *	spare: under a name that nobody looks for. replace: a new file, renamed over the old
 *	one; durable.
 *   device write|parts|discard|zero FILE FIRST COUNT [DEVICE]
 *	Through the block device (/dev/xvda), behind the file's back, durably. write: new versions; parts:
 *	direct, a sector at a time.
 *   steal FILE FIRST COUNT FROM
 *	Direct reads of file FROM right into the mapped pages of FILE.
 *   drop FILE FIRST COUNT STEP
 *	Every STEP-th page leaves the cache.
 *   scatter FILE
 *	Where blocks are smaller than a page: the second KiB of each page moves to another place.
 *	"scattered=N" pages.
 *   fill [undo]
 *	No block of the file system is free any more; undo: they are.
 *   checkpoint
 *	All is on the disk in its place, and the journal is empty.
 *   trim
 *	Discard what the file system does not use: "trimmed=BYTES".
 */
#define _GNU_SOURCE
#include "campaigns/workload/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE CONTENT_BLOCK_SIZE

static _Alignas(SIZE) char block[SIZE];

struct range {
    unsigned file, first, count;
};

static bool word(int argc, char **argv, const char *wanted)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], wanted) == 0)
            return true;
    return false;
}

/* The path it has now. */
static int path_arg(struct guest *g, int argc, char **argv, char ret_path[64], unsigned *ret_file)
{
    char letter;
    int fd;

    *ret_file = argc > 1 ? (unsigned)atoi(argv[1]) : UINT_MAX;
    if (*ret_file >= g->opt.files)
        return -EINVAL;
    fd = file_open(g, *ret_file, O_RDONLY, &letter);
    if (fd < 0)
        return fd;
    close(fd);
    file_path(ret_path, *ret_file, letter);
    return 0;
}

/* FILE FIRST COUNT from argv[at] on; returns the open file. */
static int range_arg(struct guest *g, int argc, char **argv, int at, int flags, struct range *ret)
{
    if (argc < at + 3)
        return -EINVAL;
    ret->first = (unsigned)atoi(argv[at + 1]);
    ret->count = (unsigned)atoi(argv[at + 2]);
    if (!ret->count || ret->count > g->opt.blocks || ret->first > g->opt.blocks - ret->count)
        return -EINVAL;
    return command_file(g, argc, argv, at, flags, &ret->file);
}

static off_t offset(unsigned b)
{
    return (off_t)b * SIZE;
}

static void block_fill(struct guest *g, unsigned file, unsigned b)
{
    content_fill(block, g->opt.seed, file, b, status_block_of(g, file, b)->issued);
}

static int block_write(int fd, off_t at)
{
    errno = 0;
    if (pwrite(fd, block, SIZE, at) != SIZE)
        return errno ? -errno : -ENOSPC;
    return 0;
}

static void *block_map(int fd, unsigned b)
{
    return mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset(b));
}

static int block_store(int fd, unsigned b, bool keep, bool sync)
{
    void *p = block_map(fd, b);
    int r = 0;

    if (p == MAP_FAILED)
        return -errno;
    memcpy(p, block, SIZE);
    if (sync && msync(p, SIZE, MS_SYNC) < 0)
        r = -errno;
    if (!keep)
        munmap(p, SIZE);
    return r;
}

static int range_sync(struct guest *g, int fd, const struct range *r)
{
    return fsync(fd) < 0 ? -errno : versions_acknowledge(g, r->file, r->first, r->count);
}

static int data_sync(int fd, const struct range *r)
{
    int rc = sync_file_range(fd, offset(r->first), offset(r->count), SYNC_FILE_RANGE_WAIT_BEFORE |
                             SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);

    return rc < 0 ? -errno : 0;
}

static int cmd_write(struct guest *g, int argc, char **argv)
{
    bool keep = word(argc, argv, "keep"), map = keep || word(argc, argv, "mmap");
    int direct = word(argc, argv, "direct") ? O_DIRECT : 0;
    struct range at;
    int fd = range_arg(g, argc, argv, 1, O_RDWR | direct, &at), r;

    if (fd < 0)
        return fd;
    r = versions_issue(g, at.file, at.first, at.count);
    for (unsigned b = at.first; b < at.first + at.count && !r; b++) {
        block_fill(g, at.file, b);
        r = map ? block_store(fd, b, keep, word(argc, argv, "msync")) : block_write(fd, offset(b));
    }
    if (!r && word(argc, argv, "data"))
        r = data_sync(fd, &at);
    if (!r && word(argc, argv, "sync"))
        r = range_sync(g, fd, &at);
    close(fd);
    return r;
}

static int cmd_rewrite(struct guest *g, int argc, char **argv)
{
    char blocks[16];
    char *args[] = {"write", argc > 1 ? argv[1] : "", "0", blocks, "sync"};

    snprintf(blocks, sizeof(blocks), "%u", g->opt.blocks);
    return cmd_write(g, 5, args);
}

static int cmd_truncate(struct guest *g, int argc, char **argv)
{
    unsigned file, keep = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    int fd = command_file(g, argc, argv, 1, O_RDWR, &file), r;

    if (fd < 0)
        return fd;
    r = versions_disown(g, file, keep);
    if (!r && (ftruncate(fd, offset(keep)) < 0 || (word(argc, argv, "sync") && fsync(fd) < 0)))
        r = -errno;
    close(fd);
    return r;
}

/* punch and zero: argv[0] says which. */
static int cmd_fallocate(struct guest *g, int argc, char **argv)
{
    int mode = FALLOC_FL_KEEP_SIZE |
               (strcmp(argv[0], "punch") == 0 ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
    struct range at;
    int fd = range_arg(g, argc, argv, 1, O_RDWR, &at), r = 0;

    if (fd < 0)
        return fd;
    if (fallocate(fd, mode, offset(at.first), offset(at.count)) < 0 || fsync(fd) < 0)
        r = -errno;
    close(fd);
    return r ?: versions_zero(g, at.file, at.first, at.count);
}

static int cmd_collapse(struct guest *g, int argc, char **argv)
{
    struct range at;
    int fd = range_arg(g, argc, argv, 1, O_RDWR, &at), r = 0;

    if (fd < 0)
        return fd;
    if (fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, offset(at.first), offset(at.count)) < 0)
        r = -errno;
    close(fd);
    return r;
}

static int create(unsigned file, char letter)
{
    char path[64];
    int fd;

    file_path(path, file, letter);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

static int cmd_create(struct guest *g, int argc, char **argv)
{
    unsigned file = argc > 1 ? (unsigned)atoi(argv[1]) : UINT_MAX;
    bool spare = word(argc, argv, "spare");
    int fd = file < g->opt.files ? create(file, spare ? 's' : 'f') : -EINVAL, r;

    if (fd < 0)
        return fd;
    r = spare ? 0 : file_inode_set(g, file, fd);
    close(fd);
    return r;
}

static int cmd_unlink(struct guest *g, int argc, char **argv)
{
    unsigned file;
    char path[64];
    int r = path_arg(g, argc, argv, path, &file);

    if (!r)
        r = versions_disown(g, file, 0) ?: file_inode_set(g, file, -1);
    if (!r && unlink(path) < 0)
        r = -errno;
    return r ?: word(argc, argv, "sync") ? files_dir_sync() : 0;
}

static int cmd_replace(struct guest *g, int argc, char **argv)
{
    struct range all = {.count = g->opt.blocks};
    char path[64], temp[64];
    int fd, r = path_arg(g, argc, argv, path, &all.file);

    if (r)
        return r;
    file_path(temp, all.file, 't');
    fd = create(all.file, 't');
    if (fd < 0)
        return fd;
    r = versions_issue(g, all.file, 0, all.count);
    for (unsigned b = 0; b < all.count && !r; b++) {
        block_fill(g, all.file, b);
        r = block_write(fd, offset(b));
    }
    if (!r && (fsync(fd) < 0 || rename(temp, path) < 0))
        r = -errno;
    r = r ?: file_inode_set(g, all.file, fd) ?: files_dir_sync() ?:
        versions_acknowledge(g, all.file, 0, all.count);
    close(fd);
    return r;
}

/* What e4defrag does: a new file gives its blocks, and takes the old ones. */
static int cmd_defrag(struct guest *g, int argc, char **argv)
{
    struct {
        uint32_t reserved, donor;
        uint64_t first, donor_first, blocks, moved;
    } move = {.blocks = g->opt.blocks};
    unsigned file;
    char path[64];
    int fd = command_file(g, argc, argv, 1, O_RDWR, &file), donor, r = 0;

    if (fd < 0)
        return fd;
    donor = create(file, 't');
    move.donor = (uint32_t)donor;
    if (donor < 0)
        r = donor;
    else if (fallocate(donor, 0, 0, offset(g->opt.blocks)) < 0 ||
             ioctl(fd, _IOWR('f', 15, typeof(move)), &move) < 0 || fsync(fd) < 0)
        r = -errno;
    if (!r && move.moved != g->opt.blocks)
        r = -ENOSPC;
    close(donor);
    close(fd);
    file_path(path, file, 't');
    return r ?: unlink(path) < 0 ? -errno : 0;
}

/* Freed blocks are not taken again before they are committed to be free. */
static int page_scatter(struct guest *g, int fd, unsigned file, unsigned b, unsigned *ret_moved)
{
    int kib = (int)(offset(b) / 1024), was = kib + 1, now;

    block_fill(g, file, b);
    if (ioctl(fd, FIBMAP, &was) < 0 ||
        fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, offset(b) + 1024, 1024) < 0 ||
        pwrite(fd, block + 1024, 1024, offset(b) + 1024) != 1024 || fsync(fd) < 0)
        return -errno;
    now = kib + 1;
    if (ioctl(fd, FIBMAP, &now) < 0)
        return -errno;
    *ret_moved += now != was;
    return 0;
}

static int cmd_scatter(struct guest *g, int argc, char **argv)
{
    unsigned file, moved = 0;
    int fd = command_file(g, argc, argv, 1, O_RDWR, &file), size, r = 0;

    if (fd < 0)
        return fd;
    if (ioctl(fd, FIGETBSZ, &size) < 0 || size != 1024)
        r = -EINVAL;
    for (unsigned b = 0; b < g->opt.blocks && !r; b++)
        r = page_scatter(g, fd, file, b, &moved);
    close(fd);
    command_say("scattered=%u", moved);
    return r;
}

/* One request for as many blocks as lie together: a device may ignore small discards. */
static int device_forget(int fd, int disk, unsigned long how, const struct range *at)
{
    uint64_t run[2] = {0};  /* place, bytes */
    int r = 0;

    for (unsigned b = at->first; b <= at->first + at->count && !r; b++) {
        uint64_t place = 0;

        if (b < at->first + at->count)
            r = command_place(fd, b, &place);
        if (!r && run[1] && place != run[0] + run[1]) {
            if (ioctl(disk, how, run) < 0)
                r = -errno;
            run[1] = 0;
        }
        if (!run[1])
            run[0] = place;
        if (place)
            run[1] += SIZE;
    }
    return r;
}

static int device_write(struct guest *g, int fd, int disk, unsigned part, const struct range *at)
{
    int r = versions_issue(g, at->file, at->first, at->count);

    for (unsigned b = at->first; b < at->first + at->count && !r; b++) {
        uint64_t place;

        block_fill(g, at->file, b);
        r = command_place(fd, b, &place);
        if (!r && !place)
            r = -ENXIO;
        for (unsigned i = 0; i < SIZE && !r; i += part)
            if (pwrite(disk, block + i, part, (off_t)(place + i)) != (ssize_t)part)
                r = -errno;
    }
    r = r ?: fsync(disk) < 0 ? -errno : 0;
    return r ?: versions_acknowledge(g, at->file, at->first, at->count);
}

static int cmd_device(struct guest *g, int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    struct range at;
    int fd = range_arg(g, argc, argv, 2, O_RDONLY, &at), disk, r;

    if (fd < 0)
        return fd;
    disk = open(argc > 5 ? argv[5] : g->opt.device,
                O_RDWR | O_CLOEXEC | (strcmp(how, "parts") == 0 ? O_DIRECT : 0));
    if (disk < 0)
        r = -errno;
    else if (strcmp(how, "write") == 0)
        r = device_write(g, fd, disk, SIZE, &at);
    else if (strcmp(how, "parts") == 0)
        r = device_write(g, fd, disk, 512, &at);
    else if (strcmp(how, "zero") == 0)
        r = device_forget(fd, disk, BLKZEROOUT, &at) ?: versions_zero(g, at.file, at.first, at.count);
    else    /* it need not forget what it is told to discard */
        r = device_forget(fd, disk, BLKDISCARD, &at) ?: versions_disown(g, at.file, at.first);
    close(disk);
    close(fd);
    return r;
}

static int cmd_steal(struct guest *g, int argc, char **argv)
{
    struct range at;
    int fd = range_arg(g, argc, argv, 1, O_RDWR, &at), from = -1, r = 0;
    unsigned other;

    if (fd < 0)
        return fd;
    from = command_file(g, argc, argv, 4, O_RDONLY | O_DIRECT, &other);
    if (from < 0)
        r = from;
    for (unsigned b = at.first; b < at.first + at.count && !r; b++) {
        void *p = block_map(fd, b);

        if (p == MAP_FAILED || pread(from, p, SIZE, offset(b)) != SIZE)
            r = -errno;
        if (p != MAP_FAILED)
            munmap(p, SIZE);
    }
    if (from >= 0)
        close(from);
    close(fd);
    return r;
}

static int cmd_drop(struct guest *g, int argc, char **argv)
{
    unsigned step = argc > 4 ? (unsigned)atoi(argv[4]) : 1;
    struct range at;
    int fd = range_arg(g, argc, argv, 1, O_RDONLY, &at), r = 0;

    if (fd < 0)
        return fd;
    for (unsigned b = at.first; b < at.first + at.count && step && !r; b += step)
        r = -posix_fadvise(fd, offset(b), SIZE, POSIX_FADV_DONTNEED);
    close(fd);
    return r;
}

static int cmd_fill(struct guest *g, int argc, char **argv)
{
    static const char path[] = DATA_DIR "/filler";
    off_t size = (off_t)1 << 32, at = 0;
    int fd, r = 0;

    (void)g;
    if (word(argc, argv, "undo"))
        return unlink(path) < 0 ? -errno : 0;
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    for (; size >= SIZE && !r; size /= 2) {
        while (fallocate(fd, 0, at, size) == 0)
            at += size;
        if (errno != ENOSPC && errno != EFBIG)
            r = -errno;
    }
    close(fd);
    return r;
}

static int cmd_checkpoint(struct guest *g, int argc, char **argv)
{
    int fd = open(DATA_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

    (void)g, (void)argc, (void)argv;
    if (fd < 0)
        return -errno;
    if (ioctl(fd, FIFREEZE, 0) < 0 || ioctl(fd, FITHAW, 0) < 0)
        r = -errno;
    close(fd);
    return r;
}

static int cmd_trim(struct guest *g, int argc, char **argv)
{
    struct fstrim_range all = {.len = ULLONG_MAX};
    int fd = open(DATA_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

    (void)g, (void)argc, (void)argv;
    if (fd < 0)
        return -errno;
    if (ioctl(fd, FITRIM, &all) < 0)
        r = -errno;
    else
        command_say("trimmed=%llu", (unsigned long long)all.len);
    close(fd);
    return r;
}

const struct command file_commands[] = {
    {"checkpoint", cmd_checkpoint}, {"collapse", cmd_collapse}, {"create", cmd_create},
    {"defrag", cmd_defrag},         {"device", cmd_device},     {"drop", cmd_drop},
    {"fill", cmd_fill},             {"punch", cmd_fallocate},   {"replace", cmd_replace},
    {"rewrite", cmd_rewrite},       {"scatter", cmd_scatter},   {"steal", cmd_steal},
    {"trim", cmd_trim},             {"truncate", cmd_truncate}, {"unlink", cmd_unlink},
    {"write", cmd_write},           {"zero", cmd_fallocate},    {0},
};
