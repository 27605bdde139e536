// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Workloads to be measured, not judged: "bench setup" makes the files, then for each
 * workload "bench prepare NAME SIZE" puts the cache into the state it starts from and
 * "bench run NAME SIZE" does it. Everything is fixed, so that two runs do the same.
 */
#define _GNU_SOURCE
#include "campaigns/workload/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIR DATA_DIR "/bench"
#define BIG DIR "/big"          /* read, overwritten, mapped */
#define NEW DIR "/new"          /* written from nothing */
#define BIG_SIZE (16u << 20)
#define PAGE 4096u
#define SIZE_MAX_BYTES (128u << 10)
#define RANDOM_READS 1024u
#define CACHED_PASSES 8u        /* so short is one */
#define APPENDS 256u
#define SMALL_FILES 256u
#define SOURCES 256u
#define SOURCE_SIZE_MAX (4 * PAGE)
#define SETTLE_US 200000

static _Alignas(PAGE) char data[SIZE_MAX_BYTES];
static uint32_t order[BIG_SIZE / PAGE];

struct bench {
    const char *name;
    int (*prepare)(uint32_t size);
    /* Operations done, or -errno. */
    int (*run)(uint32_t size);
};

static int file_put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC), r;

    if (fd < 0)
        return -errno;
    r = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return r;
}

/* Clean pages and the dentries and inodes that are not in use. */
static int caches_drop(void)
{
    sync();
    return file_put("/proc/sys/vm/drop_caches", "3");
}

/* 0 .. n-1 in an order that is always the same. */
static void order_shuffle(uint32_t n)
{
    uint64_t rng = UINT64_C(0x9e3779b97f4a7c15);

    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n - 1; i > 0; i--) {
        uint32_t j, t;

        rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        j = (uint32_t)((rng >> 33) % (i + 1));
        t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
}

static int short_io(ssize_t n)
{
    return n < 0 ? -errno : -EIO;
}

/* The big file's @n operations of @size in order, or in the shuffled one. */
static int big_io(uint32_t size, uint32_t n, bool shuffled, bool write)
{
    int fd = open(BIG, O_RDWR | O_CLOEXEC), r = (int)n;

    if (fd < 0)
        return -errno;
    /* No readahead from a pattern that only looks sequential. */
    if (shuffled)
        posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    for (uint32_t i = 0; i < n; i++) {
        off_t at = (off_t)(shuffled ? order[i] : i) * size;
        ssize_t got = write ? pwrite(fd, data, size, at) : pread(fd, data, size, at);

        if (got != (ssize_t)size) {
            r = short_io(got);
            break;
        }
    }
    close(fd);
    return r;
}

static int big_sync(void)
{
    int fd = open(BIG, O_RDWR | O_CLOEXEC), r;

    if (fd < 0)
        return -errno;
    r = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return r;
}

static uint32_t random_reads(uint32_t size)
{
    uint32_t n = BIG_SIZE / size;

    return n < RANDOM_READS ? n : RANDOM_READS;
}

static int prepare_nothing(uint32_t size)
{
    (void)size;
    return 0;
}

static int prepare_cold(uint32_t size)
{
    order_shuffle(BIG_SIZE / size);
    return caches_drop();
}

/* In the cache by being read, so it is known to equal the disk. */
static int prepare_cached(uint32_t size)
{
    int r = prepare_cold(size);

    if (!r)
        r = big_io(SIZE_MAX_BYTES, BIG_SIZE / SIZE_MAX_BYTES, false, false);
    return r < 0 ? r : 0;
}

static int run_nothing(uint32_t size)
{
    (void)size;
    return 1;
}

static int run_read(uint32_t size)
{
    return big_io(size, BIG_SIZE / size, false, false);
}

static int run_random_read(uint32_t size)
{
    return big_io(size, random_reads(size), true, false);
}

static int run_read_cached(uint32_t size)
{
    int n = 0, r = 0;

    for (uint32_t i = 0; i < CACHED_PASSES && r >= 0; i++, n += r)
        r = run_read(size);
    return r < 0 ? r : n;
}

static int run_random_read_cached(uint32_t size)
{
    int n = 0, r = 0;

    for (uint32_t i = 0; i < CACHED_PASSES && r >= 0; i++, n += r)
        r = big_io(size, BIG_SIZE / size, true, false);
    return r < 0 ? r : n;
}

static int run_overwrite(uint32_t size)
{
    return big_io(size, BIG_SIZE / size, true, true);
}

static int run_overwrite_fsync(uint32_t size)
{
    int n = run_overwrite(size), r = big_sync();

    return r ? r : n;
}

static int new_remove(uint32_t size)
{
    if (unlink(NEW) < 0 && errno != ENOENT)
        return -errno;
    return prepare_cold(size);
}

/* @n writes of @size to a new file; fsync after each @every of them, and at the end. */
static int new_write(uint32_t size, uint32_t n, uint32_t every)
{
    int fd = open(NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r = (int)n;

    if (fd < 0)
        return -errno;
    for (uint32_t i = 1; i <= n && r > 0; i++) {
        ssize_t put = write(fd, data, size);

        if (put != (ssize_t)size)
            r = short_io(put);
        else if ((i % every == 0 || i == n) && fsync(fd) < 0)
            r = -errno;
    }
    close(fd);
    return r;
}

static int run_write(uint32_t size)
{
    return new_write(size, BIG_SIZE / size, UINT32_MAX);
}

static int run_append(uint32_t size)
{
    return new_write(size, APPENDS, 1);
}

/* A store into every page, then all of them are made durable. */
static int run_mmap(uint32_t size)
{
    int fd = open(BIG, O_RDWR | O_CLOEXEC), r = (int)(BIG_SIZE / size);
    volatile char *p;

    if (fd < 0)
        return -errno;
    p = mmap(NULL, BIG_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return -errno;
    for (uint32_t at = 0; at < BIG_SIZE; at += size)
        p[at]++;
    if (msync((void *)p, BIG_SIZE, MS_SYNC) < 0)
        r = -errno;
    munmap((void *)p, BIG_SIZE);
    return r;
}

static int small_write(const char *path, uint32_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n;

    if (fd < 0)
        return -errno;
    n = write(fd, data, size);
    close(fd);
    return n == (ssize_t)size ? 0 : short_io(n);
}

static int small_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -errno;
    while ((n = read(fd, data, sizeof(data))) > 0)
        ;
    close(fd);
    return n < 0 ? -errno : 0;
}

static int run_create_delete(uint32_t size)
{
    char path[64];
    int r = 0;

    for (uint32_t i = 0; i < SMALL_FILES && !r; i++) {
        snprintf(path, sizeof(path), DIR "/small%u", i);
        r = small_write(path, size);
    }
    sync();
    for (uint32_t i = 0; i < SMALL_FILES && !r; i++) {
        snprintf(path, sizeof(path), DIR "/small%u", i);
        if (unlink(path) < 0)
            r = -errno;
    }
    sync();
    return r ? r : (int)SMALL_FILES;
}

static void source_path(char ret[64], uint32_t i)
{
    snprintf(ret, 64, DIR "/source%u", i);
}

/* Like a build: for each object look at four files, read two, write one. */
static int run_mix(uint32_t size)
{
    uint32_t n = SOURCES / 2;
    char path[64];
    int r = 0;

    for (uint32_t i = 0; i < n && !r; i++) {
        struct stat st;

        for (uint32_t j = 0; j < 4 && !r; j++) {
            source_path(path, order[(2 * i + j * 7) % SOURCES]);
            if (stat(path, &st) < 0)
                r = -errno;
        }
        for (uint32_t j = 0; j < 2 && !r; j++) {
            source_path(path, order[2 * i + j]);
            r = small_read(path);
        }
        snprintf(path, sizeof(path), DIR "/object%u", i);
        if (!r)
            r = small_write(path, size);
    }
    sync();
    return r ? r : (int)n;
}

static int prepare_mix(uint32_t size)
{
    char path[64];

    for (uint32_t i = 0; i < SOURCES / 2; i++) {
        snprintf(path, sizeof(path), DIR "/object%u", i);
        if (unlink(path) < 0 && errno != ENOENT)
            return -errno;
    }
    (void)size;
    order_shuffle(SOURCES);
    return caches_drop();
}

static const struct bench benches[] = {
    {"nothing", prepare_nothing, run_nothing},
    {"read-cold", prepare_cold, run_read},
    {"read-cached", prepare_cached, run_read_cached},
    {"random-read-cold", prepare_cold, run_random_read},
    {"random-read-cached", prepare_cached, run_random_read_cached},
    {"write-fsync", new_remove, run_write},
    {"overwrite", prepare_cached, run_overwrite},
    {"overwrite-fsync", prepare_cached, run_overwrite_fsync},
    {"append-fsync", new_remove, run_append},
    {"mmap-write", prepare_cached, run_mmap},
    {"create-delete", prepare_cold, run_create_delete},
    {"mix", prepare_mix, run_mix},
};

/* Nothing is written back but by fsync and sync: the rest would come at any time. */
int bench_setup(void)
{
    char path[64];
    int fd, r = file_put("/proc/sys/vm/dirty_writeback_centisecs", "0");

    if (!r && mkdir(DIR, 0700) < 0)
        r = -errno;
    if (r)
        return r;
    memset(data, 0x5a, sizeof(data));
    fd = open(BIG, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    for (uint32_t at = 0; at < BIG_SIZE && !r; at += sizeof(data))
        if (write(fd, data, sizeof(data)) != (ssize_t)sizeof(data))
            r = errno ? -errno : -ENOSPC;
    close(fd);
    for (uint32_t i = 0; i < SOURCES && !r; i++) {
        source_path(path, i);
        r = small_write(path, PAGE / 2 + (i * 1237) % SOURCE_SIZE_MAX);
    }
    return r ? r : caches_drop();
}

int bench_do(const char *step, const char *name, uint32_t size, struct bench_result *ret)
{
    const struct bench *b = NULL;
    int r;

    for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++)
        if (strcmp(benches[i].name, name) == 0)
            b = &benches[i];
    if (!b || size < 1 || size > SIZE_MAX_BYTES || size % PAGE)
        return -EINVAL;
    *ret = (struct bench_result){0};
    if (strcmp(step, "prepare") == 0) {
        r = b->prepare(size);
        /* What the kernel put off is not to be measured. */
        usleep(SETTLE_US);
        return r;
    }
    if (strcmp(step, "run") != 0)
        return -EINVAL;
    ret->ns = now_ns();
    r = b->run(size);
    ret->ns = now_ns() - ret->ns;
    if (r < 0)
        return r;
    ret->ops = (uint32_t)r;
    return 0;
}
