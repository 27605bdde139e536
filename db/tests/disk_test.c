// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: something recorded that is lost, a damaged file, or a bare message of SQLite's, when
 * the disk is full or read-only. The disk is a small one in memory, which only this process sees.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include <cmocka.h>

#include "db/merge.h"
#include "db/private.h"
#include "db/tests/expect.h"

static char dir[64], path[96];

static void disk(unsigned long flags, const char *size)
{
    if (mount("wcr", dir, "tmpfs", flags, size))
        fail_msg("%s: %s", size, strerror(errno));
}

static int setup(void **state)
{
    (void)state;
    return mount("wcr", dir, "tmpfs", 0, "size=64k");
}

static int teardown(void **state)
{
    (void)state;
    return umount(dir);
}

static struct db *open_new(int64_t *campaign)
{
    const struct db_campaign c = {"quick", "name: quick\n", NULL, "testbed", NULL};
    struct db *db = NULL;

    ok(db_open(path, DB_WRITE, &db, err));
    ok(db_campaign_open(db, &c, campaign, err));
    return db;
}

static int record(struct db *db, int64_t campaign, uint64_t seed, struct err *err)
{
    static char console[9000];
    const struct db_event event = {"console", console, NULL};
    struct db_trial t;

    memset(console, 'x', sizeof(console) - 1);
    db_trial_init(&t);
    t.campaign = campaign;
    t.plan = (struct db_plan){"PTR", seed, 0, NULL, "{}"};
    t.mode = "enabled";
    t.outcome = "hang";
    t.events = &event;
    t.events_len = 1;
    return db_trial_record(db, &t, NULL, NULL, err);
}

/* Until there is no room; how many the database accepted. */
static unsigned fill(struct db *db, int64_t campaign)
{
    struct err err = {0};
    unsigned n = 0;
    int r;

    while (!(r = record(db, campaign, n, &err)))
        n++;
    refused(r, ENOSPC, &err, "no space left on its file system; nothing that was recorded is lost");
    return n;
}

static void holds(struct db *db, const char *sql, int64_t expected)
{
    int64_t n;
    bool found;

    ok(db_value(db, &n, &found, err, sql, ""));
    assert_int_equal(n, expected);
}

static void whole(struct db *db, unsigned trials)
{
    holds(db, "SELECT count(*) FROM trial JOIN event USING (trial_id)", trials);
    holds(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'", 0);
    holds(db, "SELECT count(*) FROM pragma_foreign_key_check", 0);
}

static void full_from_the_start(void **state)
{
    struct err err = {0};
    int64_t campaign;
    struct db *db;

    (void)state;
    refused(db_open(path, DB_WRITE, &db, &err), ENOSPC, &err, "no space left");
    disk(MS_REMOUNT, "size=4m");
    db = open_new(&campaign);
    ok(record(db, campaign, 1, err));
    whole(db, 1);
    db_close(db);
}

/* On a disk that has room for so many trials, and they are there. */
static struct db *open_full(int64_t *campaign, unsigned *ret_n)
{
    struct db *db;

    disk(MS_REMOUNT, "size=1500k");
    db = open_new(campaign);
    *ret_n = fill(db, *campaign);
    assert_true(*ret_n > 5);
    return db;
}

static void full_while_recording(void **state)
{
    int64_t campaign;
    unsigned n;
    struct db *db = open_full(&campaign, &n);

    (void)state;
    whole(db, n);
    /* The same handle goes on when there is room. */
    disk(MS_REMOUNT, "size=4m");
    ok(record(db, campaign, n, err));
    whole(db, n + 1);
    db_close(db);
}

/* The run ended; others look at it, and the next one goes on. */
static void full_and_closed(void **state)
{
    int64_t campaign;
    unsigned n;
    struct db *db = open_full(&campaign, &n);

    (void)state;
    db_close(db);
    ok(db_open(path, DB_READ, &db, err));
    whole(db, n);
    db_close(db);
    disk(MS_REMOUNT, "size=4m");
    db = open_new(&campaign);
    ok(record(db, campaign, n, err));
    whole(db, n + 1);
    db_close(db);
}

static void full_while_migrating(void **state)
{
    const char *migrations[8] = {NULL};
    static const char next[] =
        "CREATE TABLE copy (n INTEGER, text TEXT); INSERT INTO copy SELECT value, text FROM event, "
        "json_each('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29]')";
    const struct db_schema later = {migrations, db_schema.version + 1};
    struct err err = {0};
    int64_t campaign;
    struct db *db;

    (void)state;
    assert_true(later.version <= 8);
    memcpy(migrations, db_schema.migrations, (size_t)db_schema.version * sizeof(migrations[0]));
    migrations[db_schema.version] = next;
    disk(MS_REMOUNT, "size=1500k");
    db = open_new(&campaign);
    for (unsigned seed = 0; seed < 10; seed++)
        ok(record(db, campaign, seed, err));
    db_close(db);
    refused(db_open_schema(path, DB_WRITE, &later, &db, &err), ENOSPC, &err, "no space left");
    db = open_new(&campaign);
    whole(db, 10);
    db_close(db);
    disk(MS_REMOUNT, "size=40m");
    ok(db_open_schema(path, DB_WRITE, &later, &db, err));
    whole(db, 10);
    holds(db, "SELECT count(*) FROM copy", 290);
    db_close(db);
}

static void full_while_merging(void **state)
{
    const char *const paths[] = {path};
    struct err err = {0};
    int64_t campaign;
    struct db_merge m;
    char out[96];
    struct db *db;

    (void)state;
    snprintf(out, sizeof(out), "%s/merged.db", dir);
    disk(MS_REMOUNT, "size=40m");
    db = open_new(&campaign);
    for (unsigned seed = 0; seed < 40; seed++)
        ok(record(db, campaign, seed, err));
    db_close(db);
    disk(MS_REMOUNT, "size=1m");
    refused(db_merge(out, paths, 1, NULL, &m, &err), ENOSPC, &err, "no space left");
    assert_int_equal(access(out, F_OK), -1);
    disk(MS_REMOUNT, "size=40m");
    ok(db_merge(out, paths, 1, NULL, &m, err));
    assert_int_equal(m.trials, 40);
    db_merge_done(&m);
    ok(db_open(out, DB_READ, &db, err));
    whole(db, 40);
    db_close(db);
}

static void read_only(void **state)
{
    struct err err = {0};
    int64_t campaign;
    struct db *db;

    (void)state;
    disk(MS_REMOUNT, "size=4m");
    db = open_new(&campaign);
    ok(record(db, campaign, 1, err));
    db_close(db);
    disk(MS_REMOUNT | MS_RDONLY, NULL);
    refused(db_open(path, DB_WRITE, &db, &err), EROFS, &err, "read-only");
    ok(db_open(path, DB_READ, &db, err));
    whole(db, 1);
    db_close(db);
}

/* What a killed run left in its log cannot be had without writing an index. */
static void read_only_with_a_log(void **state)
{
    char log[120];
    struct err err = {0};
    int64_t campaign;
    struct db *db;
    int fd;

    (void)state;
    disk(MS_REMOUNT, "size=4m");
    db = open_new(&campaign);
    snprintf(log, sizeof(log), "%s-wal", path);
    ok(record(db, campaign, 1, err));
    db_close(db);
    fd = open(log, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "left", 4), 4);
    close(fd);
    disk(MS_REMOUNT | MS_RDONLY, NULL);
    refused(db_open(path, DB_READ, &db, &err), EROFS, &err, "was not closed properly");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(full_from_the_start),
        TEST(full_while_recording),
        TEST(full_and_closed),
        TEST(full_while_migrating),
        TEST(full_while_merging),
        TEST(read_only),
        TEST(read_only_with_a_log),
    };
    int r;

    strcpy(dir, "/tmp/wcr-disk-test-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/t.db", dir);
    if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || setup(NULL) ||
        teardown(NULL)) {
        printf("cannot mount a small disk: %s\n", strerror(errno));
        rmdir(dir);
        return 77;
    }
    r = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return r;
}
