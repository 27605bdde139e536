// SPDX-License-Identifier: GPL-2.0-or-later
/* A lock on a byte of the database file, far behind all that SQLite reads or locks. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "db/private.h"

#define CLAIMS (INT64_C(1) << 62)
#define RETRY_MS 50

int db_campaign_claim(struct db *db, int64_t campaign, int wait_ms, struct err *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = CLAIMS + campaign, .l_len = 1};

    db->claim_fd = open(db->path, O_RDWR | O_CLOEXEC);
    if (db->claim_fd < 0)
        return err_set(err, errno, "%s: %s", db->path, strerror(errno));
    while (fcntl(db->claim_fd, F_OFD_SETLK, &lock)) {
        if (errno != EAGAIN && errno != EACCES)
            return err_set(err, errno, "%s: cannot be locked: %s", db->path, strerror(errno));
        if ((wait_ms -= RETRY_MS) < 0)
            return err_set(err, EBUSY, "%s: another 'wcr run' is at work on this campaign", db->path);
        nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000}, NULL);
    }
    return 0;
}
