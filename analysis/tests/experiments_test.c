// SPDX-License-Identifier: GPL-2.0-or-later
/* Catches: numbers of another run or disk, a target met that was missed, a page of nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "analysis/experiments.h"
#include "db/experiment.h"
#include "db/tests/expect.h"

static char dir[] = "/tmp/wcr-experiments-XXXXXX", path[64];

/* A file read at @first MB/s after the reboot and 2000 before. */
static void run(const char *disk, double first, bool finished)
{
    const struct db_experiment_value v[] = {
        {"warm", "read", -1, 2000, "MB/s"}, {"warm", "read", 0, first, "MB/s"},
        {"warm", "degradation", 0, 1 - first / 2000, "share"},
    };
    int64_t id;
    struct db *db;

    ok(db_open(path, DB_WRITE, &db, err));
    ok(db_experiment_begin(db, "file-read", disk, "{\"file_mb\": \"<64>\"}", &id, err));
    ok(db_experiment_put(db, id, v, 3, err));
    if (finished)
        ok(db_experiment_finish(db, id, err));
    db_close(db);
}

static char *page(void)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    ok(experiments_write(path, f, err));
    fclose(f);
    return text;
}

static void has(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("the page does not say '%s':\n%s", words, text);
}

static void test_page(void **state)
{
    char *text;

    (void)state;
    run("hdd", 1000, true);
    run("nvme", 1000, true);
    run("nvme", 1910, true);
    run("nvme", 1, false);
    text = page();
    has(text, "<td class=\"\">hdd</td><td class=\"n\">50</td><td class=\"\">%</td><td class=\"n\">16</td><td class=\"n\">5</td><td class=\"\">missed</td>");
    has(text, "<td class=\"\">nvme</td><td class=\"n\">4.5</td><td class=\"\">%</td><td class=\"n\">16</td><td class=\"n\">5</td><td class=\"\">met</td>");
    has(text, "&lt;64&gt;");
    assert_null(strstr(text, "99.9"));
    has(text, "Not measured.");     /* the other experiments */
    has(text, "aria-labelledby=\"reads0-title");
    has(text, "aria-labelledby=\"reads1-title");
    assert_null(strstr(text, "aria-labelledby=\"web"));
    free(text);
}

static void test_nothing(void **state)
{
    struct err err = {0};

    (void)state;
    refused(experiments_write(path, stdout, &err), ENOENT, &err, "x.db");
    run("nvme", 1, false);
    refused(experiments_write(path, stdout, &err), ENODATA, &err, "no experiment is finished yet");
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_page, teardown),
        cmocka_unit_test_teardown(test_nothing, teardown),
    };
    int r;

    if (system("command -v gnuplot >/dev/null"))
        return 77;
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/x.db", dir);
    r = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    return r;
}
