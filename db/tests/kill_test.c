// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Would catch: a trial lost, doubled or recorded in part when the recorder is killed
 * between any two statements. A child records a campaign and tells through a pipe which
 * trials the database accepted; it is killed at random moments until all are there.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "db/private.h"

#define SEEDS 60
#define PAGES 20

static const char *const modes[] = {"enabled", "disabled", "cold"};
static char dir[64], path[96];

static void must(int r, const struct err *err)
{
    if (r) {
        fprintf(stderr, "child: %s\n", err->msg);
        _exit(9);
    }
}

static void record(struct db *db, int64_t campaign, unsigned seed, unsigned mode)
{
    struct db_page pages[PAGES];
    const struct db_event events[] = {{"console", "Oops", NULL}, {"signature", "x", NULL}};
    const struct db_measurement measurements[] = {{"a", 1, "s"}, {"b", 2, "s"}};
    struct err err = {0};
    struct db_trial t;

    db_trial_init(&t);
    t.campaign = campaign;
    t.plan = (struct db_plan){"PTR", seed, seed % 3, NULL, "{}"};
    t.mode = modes[mode];
    t.outcome = t.crash_outcome = "kernel_crash";
    t.at_reboot.reused = PAGES;
    for (unsigned i = 0; i < PAGES; i++)
        pages[i] = (struct db_page){"reboot", i, i, i, i, "corrupt", NULL};
    t.pages = pages;
    t.pages_len = PAGES;
    t.events = events;
    t.events_len = 2;
    t.measurements = measurements;
    t.measurements_len = 2;
    if (seed % 5 == 0)
        must(db_trial_error(db, campaign, &t.plan, t.mode, 1, "first", "tail", &err), &err);
    must(db_trial_record(db, &t, NULL, NULL, &err), &err);
}

/* As a runner does it: what is done is skipped, whatever happened before. */
static void child(int out)
{
    const struct db_campaign c = {"kill", "x", NULL, "testbed", NULL};
    struct db *db;
    struct err err = {0};
    int64_t campaign;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    must(db_open(path, DB_WRITE, &db, &err), &err);
    must(db_campaign_open(db, &c, &campaign, &err), &err);
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct db_resume resume;

        must(db_trial_resume(db, campaign, "PTR", seed, &resume, &err), &err);
        for (unsigned mode = 0; mode < 3; mode++) {
            unsigned char told[2] = {(unsigned char)seed, (unsigned char)mode};

            if (resume.done[mode])
                continue;
            record(db, campaign, seed, mode);
            if (write(out, told, 2) != 2)
                _exit(9);
        }
    }
    db_close(db);
    _exit(0);
}

static int64_t number(struct db *db, const char *sql)
{
    int64_t n = -1;
    bool found;
    struct err err = {0};

    if (db_value(db, &n, &found, &err, sql, ""))
        fail_msg("%s: %s", sql, err.msg);
    return n;
}

static void check_whole(struct db *db)
{
    assert_int_equal(number(db, "SELECT count(*) FROM pragma_integrity_check "
                                "WHERE integrity_check <> 'ok'"), 0);
    assert_int_equal(number(db, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    assert_int_equal(number(db, "SELECT count(*) FROM trial AS t WHERE status = 'done' AND ("
                                "(SELECT count(*) FROM page_verdict WHERE trial_id = t.trial_id) <> 20 OR "
                                "(SELECT count(*) FROM event WHERE trial_id = t.trial_id) <> 2 OR "
                                "(SELECT count(*) FROM measurement WHERE trial_id = t.trial_id) <> 2)"),
                     0);
    assert_int_equal(number(db, "SELECT count(*) FROM class_rates WHERE ci_low IS NULL"), 0);
}

static void test_kill(void **state)
{
    static bool told[SEEDS][3];
    unsigned kills = 0, runs = 0;
    int status;

    (void)state;
    srandom(1);
    do {
        struct timespec nap = {0, (long)(random() % 25) * 1000000 + random() % 1000000};
        unsigned char message[2];
        struct err err = {0};
        struct db *db;
        int fds[2];
        pid_t pid;

        assert_int_equal(pipe(fds), 0);
        pid = fork();
        if (pid == 0) {
            close(fds[0]);
            child(fds[1]);
        }
        close(fds[1]);
        /* At last one is left alone, so that a slow machine ends, too. */
        if (++runs < 400) {
            nanosleep(&nap, NULL);
            kill(pid, SIGKILL);
        }
        while (read(fds[0], message, 2) == 2) {
            if (told[message[0]][message[1]])
                fail_msg("seed %u %s was done twice", message[0], modes[message[1]]);
            told[message[0]][message[1]] = true;
        }
        close(fds[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        kills += WIFSIGNALED(status);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        if (access(path, F_OK) || db_open(path, DB_READ, &db, &err)) {
            /* Killed before there was anything in it. */
            assert_true(!told[0][0]);
            continue;
        }
        check_whole(db);
        for (unsigned seed = 0; seed < SEEDS; seed++)
            for (unsigned mode = 0; mode < 3; mode++) {
                char sql[200];

                snprintf(sql, sizeof(sql),
                         "SELECT count(*) FROM trial WHERE status = 'done' AND seed = %u AND "
                         "mode = '%s'",
                         seed, modes[mode]);
                if (told[seed][mode])
                    assert_int_equal(number(db, sql), 1);
            }
        db_close(db);
    } while (!(WIFEXITED(status) && WEXITSTATUS(status) == 0));
    print_message("killed %u times in %u runs\n", kills, runs);
    assert_true(kills >= 10);
}

int main(void)
{
    static const char *const names[] = {"", "-wal", "-shm"};
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
    char name[128];
    int r;

    strcpy(dir, "/tmp/wcr-kill-test-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/t.db", dir);
    r = cmocka_run_group_tests(tests, NULL, NULL);
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%s%s", path, names[i]);
        unlink(name);
    }
    rmdir(dir);
    return r;
}
