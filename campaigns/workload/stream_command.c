// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A large file, as experiments with performance want it. NAME is a file's in DATA_DIR.
 *
 *   stream write NAME MIB
 *	Of so many MiB, on the disk when this returns.
 *   stream read NAME
 *	All of it, in order: "bytes=N ns=N", by the guest's clock.
 *   stream churn NAME
 *	The same without an end, from the disk each time, in four places at once.
 *   stream prefetch NAME
 *	All files of a directory, one after the other, as with "vmtouch -t": "ns=N".
 *   stream adopted
 *	Waits until the kernel has adopted what it was given back: "at=NS" since it booted.
 */
#define _GNU_SOURCE
#include "campaigns/workload/command.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (128u * 1024)
#define CHUNKS_PER_MIB 8
#define CHURN_READERS 4
#define STATS "/sys/kernel/debug/xen_wcr/stats"

static _Alignas(4096) char chunk[CHUNK];

static int stream_write(struct guest *g, int fd, const char *size)
{
    unsigned long mib = strtoul(size, NULL, 10);

    if (!mib)
        return -EINVAL;
    for (unsigned long i = 0; i < mib * CHUNKS_PER_MIB; i++) {
        ssize_t n;

        /* No two pages are the same. */
        for (unsigned page = 0; page < CHUNK; page += 4096)
            memcpy(chunk + page, &(uint64_t[]){i * CHUNK + page}, 8);
        n = write(fd, chunk, CHUNK);
        if (n != CHUNK)
            return n < 0 ? -errno : -ENOSPC;
        init_heartbeat(g);
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* Without a heartbeat: that is a write to another disk. */
static int stream_read(struct guest *g, int fd, const char *unused)
{
    unsigned long long bytes = 0, start = now_ns();
    ssize_t n;

    (void)g, (void)unused;
    while ((n = read(fd, chunk, CHUNK)) > 0)
        bytes += (unsigned long long)n;
    if (n < 0)
        return -errno;
    command_say("bytes=%llu ns=%llu", bytes, (unsigned long long)now_ns() - start);
    return 0;
}

static int stream_churn(struct guest *g, int fd, const char *unused)
{
    off_t chunks = lseek(fd, 0, SEEK_END) / CHUNK, reader = 0;

    (void)g, (void)unused;
    while (reader < CHURN_READERS - 1 && fork() == 0)
        reader++;
    for (off_t i = chunks * reader / CHURN_READERS; pread(fd, chunk, CHUNK, i * CHUNK) >= 0;)
        i = i + 1 < chunks ? i + 1 : 0;
    if (reader)
        _exit(1);
    return -errno;
}

static int stream_prefetch(struct guest *g, int fd, const char *unused)
{
    unsigned long long start = now_ns();
    struct dirent *entry;
    DIR *dir = fdopendir(dup(fd));
    int r = 0;

    (void)g, (void)unused;
    if (!dir)
        return -errno;
    while (!r && (entry = readdir(dir))) {
        int file = entry->d_type == DT_REG ? openat(fd, entry->d_name, O_RDONLY | O_CLOEXEC) : -1;
        ssize_t n = 1;

        while (file >= 0 && n > 0)
            n = read(file, chunk, CHUNK);
        r = n < 0 ? -errno : 0;
        if (file >= 0)
            close(file);
    }
    closedir(dir);
    if (!r)
        command_say("ns=%llu", (unsigned long long)now_ns() - start);
    return r;
}

static int stream_adopted(void)
{
    struct timespec nap = {0, 1000000};
    char text[1024];

    for (;; nanosleep(&nap, NULL)) {
        int fd = open(STATS, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        int error = errno;

        if (fd >= 0)
            close(fd);
        if (n < 0)
            return -error;
        text[n] = '\0';
        if (strstr(text, "\nadopting 0\n"))
            break;
    }
    command_say("at=%llu", (unsigned long long)now_ns());
    return 0;
}

static int cmd_stream(struct guest *g, int argc, char **argv)
{
    static const struct {
        const char *name;
        int argc, flags;
        int (*run)(struct guest *g, int fd, const char *argument);
    } verbs[] = {
        {"write", 4, O_WRONLY | O_CREAT | O_TRUNC, stream_write},
        {"read", 3, O_RDONLY, stream_read},
        {"churn", 3, O_RDONLY | O_DIRECT, stream_churn},
        {"prefetch", 3, O_RDONLY | O_DIRECTORY, stream_prefetch},
    };

    if (argc == 2 && strcmp(argv[1], "adopted") == 0)
        return stream_adopted();
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        char path[PATH_MAX];
        int fd, r;

        if (argc != verbs[i].argc || strcmp(argv[1], verbs[i].name) != 0)
            continue;
        snprintf(path, sizeof(path), DATA_DIR "/%s", argv[2]);
        fd = open(path, verbs[i].flags | O_CLOEXEC, 0600);
        if (fd < 0)
            return -errno;
        r = verbs[i].run(g, fd, argv[3]);
        close(fd);
        return r;
    }
    return -EINVAL;
}

const struct command stream_commands[] = {
    {"stream", cmd_stream},
    {0},
};
