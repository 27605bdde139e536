// SPDX-License-Identifier: GPL-2.0-or-later
/* Catches: numbers of half a configuration, or of a run that was interrupted, taken for results. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "db/experiment.h"
#include "db/private.h"
#include "db/tests/expect.h"

static char dir[] = "/tmp/wcr-experiment-XXXXXX", path[64];
static struct db *db;

static int setup(void **state)
{
    (void)state;
    ok(db_open(path, DB_WRITE, &db, err));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    db_close(db);
    return unlink(path);
}

static int64_t number(const char *sql)
{
    int64_t n;
    bool found;

    ok(db_value(db, &n, &found, err, sql, ""));
    assert_true(found);
    return n;
}

static int64_t run_of(double first, bool finished)
{
    const struct db_experiment_value v[] = {
        {"normal", "throughput", 1, first, "MB/s"}, {"normal", "throughput", 2, 800, "MB/s"},
    };
    int64_t run;

    ok(db_experiment_begin(db, "file-read", "sata", "{\"file_mb\": 64}", &run, err));
    ok(db_experiment_put(db, run, v, 2, err));
    if (finished)
        ok(db_experiment_finish(db, run, err));
    return run;
}

static void test_latest(void **state)
{
    (void)state;
    run_of(80, true);
    run_of(90, true);
    run_of(100, false);
    assert_int_equal(number("SELECT count(*) FROM experiment_latest"), 2);
    assert_int_equal(number("SELECT value FROM experiment_latest WHERE metric = 'throughput' AND "
                            "ordinal = 1"), 90);
}

static void test_all_or_none(void **state)
{
    const struct db_experiment_value v[] = {
        {"warm", "throughput", 1, 780, "MB/s"}, {"normal", "throughput", 2, 1, "MB/s"},
    };
    struct err err = {0};
    int64_t run = run_of(80, true);

    (void)state;
    refused(db_experiment_put(db, run, v, 2, &err), EINVAL, &err, "UNIQUE");
    assert_int_equal(number("SELECT count(*) FROM experiment_value WHERE configuration = 'warm'"), 0);
    refused(db_experiment_put(db, run + 1, v, 1, &err), EINVAL, &err, "FOREIGN KEY");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_latest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_or_none, setup, teardown),
    };
    int r;

    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/x.db", dir);
    r = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return r;
}
