// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A workload of one's own, as an example: a log as a database writes it. Records are appended and
 * synced, old ones are read again; a log that is long begins anew. A campaign's file names it:
 *
 *   workload: {program: /bin/log}
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RECORD 4096
#define RECORDS 2048

static int fail(const char *what)
{
    perror(what);
    return 1;
}

int main(int argc, char **argv)
{
    static char record[RECORD];
    int fd;

    if (argc != 2 || chdir(argv[1]) < 0)
        return fail("log: the directory to work in");
    fd = open("log", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return fail("log");
    for (unsigned long n = 0;; n++) {
        off_t at = (off_t)(n % RECORDS) * RECORD;

        if (!at && ftruncate(fd, 0) < 0)
            return fail("log: truncate");
        snprintf(record, sizeof(record), "record %lu\n", n);
        if (pwrite(fd, record, RECORD, at) != RECORD || (n % 8 == 7 && fdatasync(fd) < 0))
            return fail("log: write");
        if (pread(fd, record, RECORD, random() % (at / RECORD + 1) * RECORD) != RECORD)
            return fail("log: read");
    }
}
