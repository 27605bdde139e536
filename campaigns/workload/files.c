// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/workload/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 16    /* blocks per write or read */

static _Alignas(CONTENT_BLOCK_SIZE) char buffer[CHUNK * CONTENT_BLOCK_SIZE];

void file_path(char ret[64], uint32_t file, char letter)
{
    snprintf(ret, 64, FILES_DIR "/%c%04u", letter, file);
}

int file_open(struct guest *g, uint32_t file, int flags, char *ret_letter)
{
    static const char letters[] = "fg";
    char path[64];
    int fd = -1;

    (void)g;
    for (int i = 0; letters[i]; i++) {
        file_path(path, file, letters[i]);
        fd = open(path, flags | O_CLOEXEC);
        if (fd >= 0 || errno != ENOENT) {
            if (ret_letter)
                *ret_letter = letters[i];
            break;
        }
    }
    return fd >= 0 ? fd : -errno;
}

int file_inode_set(struct guest *g, uint32_t file, int fd)
{
    struct stat st = {0};

    if (fd >= 0 && fstat(fd, &st) < 0)
        return -errno;
    g->table[file * g->pages_per_file].inode = st.st_ino;
    return status_file_write_all(g, file);
}

int files_dir_sync(void)
{
    int fd = open(FILES_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r;

    if (fd < 0)
        return -errno;
    r = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return r;
}

static int file_fill(struct guest *g, uint32_t file)
{
    uint32_t blocks = g->opt.blocks;
    struct stat st;
    char path[64];
    int fd, r = 0;

    file_path(path, file, 'g');
    unlink(path);
    file_path(path, file, 'f');
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0)
        g->table[file * g->pages_per_file].inode = st.st_ino;
    for (uint32_t b = 0; b < blocks && !r; b += CHUNK) {
        uint32_t n = blocks - b < CHUNK ? blocks - b : CHUNK;
        ssize_t want = (ssize_t)n * CONTENT_BLOCK_SIZE;

        for (uint32_t i = 0; i < n; i++) {
            content_fill(buffer + (size_t)i * CONTENT_BLOCK_SIZE, g->opt.seed, file, b + i, 1);
            status_block_of(g, file, b + i)->issued = 1;
        }
        if (pwrite(fd, buffer, (size_t)want, (off_t)b * CONTENT_BLOCK_SIZE) != want)
            r = errno ? -errno : -ENOSPC;
    }
    close(fd);
    return r;
}

int files_fill(struct guest *g)
{
    if (mkdir(FILES_DIR, 0700) < 0 && errno != EEXIST)
        return -errno;
    for (uint32_t f = 0; f < g->opt.files; f++) {
        int r = file_fill(g, f);

        if (r)
            return r;
        init_heartbeat(g);
    }
    sync();
    for (uint32_t f = 0; f < g->opt.files; f++) {
        int r;

        for (uint32_t b = 0; b < g->opt.blocks; b++)
            status_block_of(g, f, b)->acked = 1;
        r = status_file_write_all(g, f);
        if (r)
            return r;
        init_heartbeat(g);
    }
    return 0;
}

/*
 * The pages just written are clean but came into the cache by being written; drop
 * them and read, so that what a trial starts from is a cache filled by reading.
 */
int files_warm(struct guest *g)
{
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        if (write(fd, "1", 1) != 1)
            fprintf(stderr, "wcr: cannot drop the caches\n");
        close(fd);
    }
    for (uint32_t f = 0; f < g->opt.files; f++) {
        ssize_t n;

        fd = file_open(g, f, O_RDONLY, NULL);
        if (fd < 0)
            return fd;
        while ((n = read(fd, buffer, sizeof(buffer))) > 0)
            ;
        if (n < 0)
            n = -errno;
        close(fd);
        if (n < 0)
            return (int)n;
        init_heartbeat(g);
    }
    return 0;
}
