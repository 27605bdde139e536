// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands that look at files, for tests. FILE is a number.
 *
 *   sector FILE BLOCK: "sector=N" on the data disk, 0: none
 *   inode FILE: "inode=N"
 *   read FILE: "blocks=N bad=N"
 *   folios FILE: "pages=N large=N", large: in folios of more than a page
 *   survey: for each file that is there "file=N inode=N blocks=N bad=N reused=N error=N", reused: pages
 *	taken over from the last life
 */
#define _GNU_SOURCE
#include "campaigns/workload/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/kernel-page-flags.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE CONTENT_BLOCK_SIZE

static _Alignas(SIZE) char block[SIZE];

static off_t offset(unsigned b)
{
    return (off_t)b * SIZE;
}

int command_file(struct guest *g, int argc, char **argv, int at, int flags, unsigned *ret_file)
{
    *ret_file = argc > at ? (unsigned)atoi(argv[at]) : UINT_MAX;
    return *ret_file < g->opt.files ? file_open(g, *ret_file, flags, NULL) : -EINVAL;
}

int command_place(int fd, unsigned b, uint64_t *ret)
{
    int size, at;

    if (ioctl(fd, FIGETBSZ, &size) < 0)
        return -errno;
    at = (int)(offset(b) / size);
    if (ioctl(fd, FIBMAP, &at) < 0)
        return -errno;
    *ret = (uint64_t)(unsigned)at * (unsigned)size;
    return 0;
}

static int cmd_sector(struct guest *g, int argc, char **argv)
{
    unsigned file, b = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    int fd = command_file(g, argc, argv, 1, O_RDONLY, &file), r;
    uint64_t place;

    if (fd < 0)
        return fd;
    r = command_place(fd, b, &place);
    if (!r)
        command_say("sector=%llu", (unsigned long long)(place / 512));
    close(fd);
    return r;
}

static int cmd_inode(struct guest *g, int argc, char **argv)
{
    struct stat st;
    unsigned file;
    int fd = command_file(g, argc, argv, 1, O_RDONLY, &file), r = 0;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        r = -errno;
    else
        command_say("inode=%llu", (unsigned long long)st.st_ino);
    close(fd);
    return r;
}

static int file_judge(struct guest *g, int fd, unsigned file, unsigned *ret_blocks,
                      unsigned *ret_bad)
{
    ssize_t n = 0;
    unsigned b;

    *ret_bad = 0;
    for (b = 0; b < g->opt.blocks && (n = pread(fd, block, SIZE, offset(b))) == SIZE; b++) {
        const struct status_block *s = status_block_of(g, file, b);
        struct content_expect e = {g->opt.seed, file, b, s->issued, s->acked};

        *ret_bad += content_judge(block, &e) != CONTENT_OK;
    }
    *ret_blocks = b;
    return n < 0 ? -errno : 0;
}

static int cmd_read(struct guest *g, int argc, char **argv)
{
    unsigned file, blocks, bad;
    int fd = command_file(g, argc, argv, 1, O_RDONLY, &file), r;

    if (fd < 0)
        return fd;
    r = file_judge(g, fd, file, &blocks, &bad);
    close(fd);
    command_say("blocks=%u bad=%u", blocks, bad);
    return r;
}

/* The flags of the page frame that is mapped at @p. */
static int page_flags(const void *p, uint64_t *ret)
{
    int map = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    int flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
    uint64_t entry = 0;
    int r = 0;

    if (pread(map, &entry, sizeof(entry), (off_t)((uintptr_t)p / SIZE * sizeof(entry))) !=
        sizeof(entry) || pread(flags, ret, sizeof(*ret),
                               (off_t)((entry & ((UINT64_C(1) << 55) - 1)) * sizeof(*ret))) !=
        sizeof(*ret))
        r = -EIO;
    close(map);
    close(flags);
    return r;
}

static int cmd_folios(struct guest *g, int argc, char **argv)
{
    uint64_t compound = 1ULL << KPF_COMPOUND_HEAD | 1ULL << KPF_COMPOUND_TAIL, flags = 0;
    unsigned file, b = 0, large = 0;
    int fd = command_file(g, argc, argv, 1, O_RDONLY, &file), r = 0;
    struct stat st = {0};

    if (fd < 0)
        return fd;
    fstat(fd, &st);
    for (; offset(b) < st.st_size && !r; b++) {
        /* Memory is locked from the start, so that this brings the page in. */
        void *p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, offset(b));

        r = p == MAP_FAILED ? -errno : page_flags(p, &flags);
        large += (flags & compound) != 0;
        if (p != MAP_FAILED)
            munmap(p, SIZE);
    }
    close(fd);
    command_say("pages=%u large=%u", b, large);
    return r;
}

static int reused_count(unsigned long long inode, unsigned *ret)
{
    FILE *f = fopen("/sys/kernel/debug/xen_wcr/reused", "re");
    unsigned long long of;

    *ret = 0;
    if (!f)
        return -errno;
    while (fscanf(f, "%*u %llu %*u %*u", &of) == 1)
        *ret += of == inode;
    fclose(f);
    return 0;
}

static int cmd_survey(struct guest *g, int argc, char **argv)
{
    (void)argc, (void)argv;
    for (unsigned file = 0; file < g->opt.files; file++) {
        int fd = file_open(g, file, O_RDONLY, NULL), r = fd < 0 ? fd : 0;
        unsigned blocks = 0, bad = 0, reused = 0;
        struct stat st = {0};

        if (fd == -ENOENT)
            continue;
        if (fd >= 0) {
            fstat(fd, &st);
            r = file_judge(g, fd, file, &blocks, &bad) ?: reused_count(st.st_ino, &reused);
            close(fd);
        }
        command_say("file=%u inode=%llu blocks=%u bad=%u reused=%u error=%d", file,
                    (unsigned long long)st.st_ino, blocks, bad, reused, -r);
        init_heartbeat(g);
    }
    return 0;
}

const struct command look_commands[] = {
    {"folios", cmd_folios}, {"inode", cmd_inode}, {"read", cmd_read}, {"sector", cmd_sector},
    {"survey", cmd_survey}, {0},
};
