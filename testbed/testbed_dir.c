// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A testbed's directory is locked with flock() on the directory itself. QEMU
 * inherits the descriptor, so the lock lasts as long as either of the two lives,
 * and a directory that can be locked belongs to nobody.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "testbed/private.h"

#define DIR_PREFIX "wcr-testbed-"

const char *testbed_tmp_dir(void)
{
    const char *dir = getenv("TMPDIR");

    return dir && *dir ? dir : "/var/tmp";
}

/* Lock, and see that the directory was not removed by a cleaner meanwhile. */
static int lock_dir(const char *dir, int *ret_fd)
{
    struct stat st;
    int fd, r;

    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &st)) {
        r = -errno;
        close(fd);
        return r;
    }
    if (st.st_nlink == 0) {
        close(fd);
        return -ENOENT;
    }
    *ret_fd = fd;
    return 0;
}

int testbed_dir_make(const char *dir, char **ret_dir, int *ret_fd, struct err *err)
{
    int r;

    if (dir) {
        r = lock_dir(dir, ret_fd);
        if (r == -EWOULDBLOCK)
            return err_set(err, EBUSY, "%s: a testbed is running there", dir);
        if (r)
            return err_set(err, -r, "%s: %s", dir, strerror(-r));
        *ret_dir = strdup(dir);
        return *ret_dir ? 0 : err_set(err, ENOMEM, "out of memory");
    }
    for (int tries = 0; tries < 10; tries++) {
        char *path;

        if (asprintf(&path, "%s/" DIR_PREFIX "XXXXXX", testbed_tmp_dir()) < 0)
            return err_set(err, ENOMEM, "out of memory");
        if (!mkdtemp(path)) {
            r = err_set(err, errno, "cannot make a directory in %s: %s (set TMPDIR?)",
                        testbed_tmp_dir(), strerror(errno));
            free(path);
            return r;
        }
        r = lock_dir(path, ret_fd);
        if (!r) {
            *ret_dir = path;
            return 0;
        }
        /* A cleaner was faster than our lock: it removes the directory. */
        free(path);
    }
    return err_set(err, EBUSY, "cannot make a directory in %s", testbed_tmp_dir());
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    if (ftw->level > 0)
        remove(path);
    return 0;
}

void testbed_dir_remove(const char *dir, bool itself)
{
    nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (itself)
        rmdir(dir);
}

unsigned testbed_clean_leftovers(void)
{
    const char *tmp = testbed_tmp_dir();
    unsigned removed = 0;
    struct dirent *e;
    DIR *d;

    d = opendir(tmp);
    if (!d)
        return 0;
    while ((e = readdir(d))) {
        struct stat st;
        char *path;
        int fd;

        if (strncmp(e->d_name, DIR_PREFIX, strlen(DIR_PREFIX)))
            continue;
        if (asprintf(&path, "%s/%s", tmp, e->d_name) < 0)
            break;
        /* Only what is ours: in a shared directory, others have theirs. */
        if (!lstat(path, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
            !lock_dir(path, &fd)) {
            testbed_dir_remove(path, true);
            close(fd);
            removed++;
        }
        free(path);
    }
    closedir(d);
    return removed;
}
