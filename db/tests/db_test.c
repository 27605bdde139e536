// SPDX-License-Identifier: GPL-2.0-or-later
/* The database: opening, recording, resuming, and the views as strangers see them. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "db/interval.h"
#include "db/private.h"
#include "db/tests/expect.h"

#define NOBODY 65534

static char dir[64], path[96];

static int setup(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/wcr-db-test-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/t.db", dir);
    return 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"t.db", "t.db-wal", "t.db-shm", "u.db"};
    char name[128];

    (void)state;
    if (seteuid(getuid()))
        return -1;
    chmod(dir, 0700);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
        unlink(name);
    }
    return rmdir(dir);
}

static struct db *open_schema(const struct db_schema *schema, int64_t *campaign)
{
    const struct db_campaign c = {"quick", "name: quick\n", "{\"seed\":1}", "testbed", "0.1"};
    struct db *db = NULL;

    ok(db_open_schema(path, DB_WRITE, schema, &db, err));
    ok(db_campaign_open(db, &c, campaign, err));
    return db;
}

static struct db *open_new(int64_t *campaign)
{
    return open_schema(&db_schema, campaign);
}

/* Through SQLite alone, as anybody's script would: none of our functions is there. */
static sqlite3 *stranger(void)
{
    sqlite3 *sql;

    assert_int_equal(sqlite3_open_v2(path, &sql, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    return sql;
}

/* Every row and column of a query as "a|b\nc|d\n"; reals with four digits. */
static const char *query(const char *text)
{
    static char out[20000];
    sqlite3 *sql = stranger();
    sqlite3_stmt *stmt;
    size_t len = 0;

    out[0] = '\0';
    if (sqlite3_prepare_v2(sql, text, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(sql));
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *s = (const char *)sqlite3_column_text(stmt, i);
            char number[40];

            if (sqlite3_column_type(stmt, i) == SQLITE_FLOAT) {
                snprintf(number, sizeof(number), "%.4f", sqlite3_column_double(stmt, i));
                s = number;
            }
            len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%s", i ? "|" : "",
                                    s ? s : "NULL");
        }
        len += (size_t)snprintf(out + len, sizeof(out) - len, "\n");
    }
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    sqlite3_close(sql);
    return out;
}

static struct db_trial trial(int64_t campaign, const char *fault_class, uint64_t seed,
                             const char *mode)
{
    struct db_trial t;

    db_trial_init(&t);
    t.campaign = campaign;
    t.plan = (struct db_plan){fault_class, seed, 0, NULL, "{\"target\":\"all\",\"va\":\"0x1\"}"};
    t.mode = mode;
    t.pair = "snapshot";
    t.crash_id = "c1";
    t.outcome = t.crash_outcome = "kernel_crash";
    t.activated = 1;
    t.at_crash.mapped = 100;
    t.at_crash.reusable = 90;
    t.at_reboot.mapped = 95;
    t.at_reboot.reused = 80;
    t.at_reboot.inconsistent = t.at_reboot.corrupt = t.at_reboot.stale_disk = 0;
    t.inject_ns = 5;
    t.wall_ns = 7;
    return t;
}

static void assert_version(int version)
{
    char text[16];

    snprintf(text, sizeof(text), "%d\n", version);
    assert_string_equal(query("PRAGMA user_version"), text);
}

/* Would catch: a forgotten pragma, tables that take any type. */
static void test_create(void **state)
{
    int64_t campaign;
    struct db *db = open_new(&campaign);

    (void)state;
    db_close(db);
    assert_string_equal(query("PRAGMA journal_mode"), "wal\n");
    assert_version(db_schema.version);
    assert_string_equal(query("SELECT name FROM pragma_table_list WHERE type = 'table' AND NOT "
                              "strict AND name NOT LIKE 'sqlite_%'"),
                        "");
    assert_string_equal(query("PRAGMA foreign_key_check"), "");
    assert_string_equal(query("SELECT name, spec_text, executor, wcr_version, length(spec_hash) "
                              "FROM campaign"),
                        "quick|name: quick\n|testbed|0.1|32\n");
}

static void test_summary_columns(void **state)
{
    int64_t campaign;

    (void)state;
    db_close(open_new(&campaign));
    assert_string_equal(
        query("SELECT group_concat(name, ' ') FROM pragma_table_info('trial_summary')"),
        "trial_id campaign fault_class seed mode status outcome activated pages_mapped "
        "pages_reusable pages_reused pages_inconsistent pages_corrupt pages_stale_disk inject_ns "
        "detect_ns reboot_ns verify_ns wall_ns\n");
    assert_string_equal(
        query("SELECT group_concat(name, ' ') FROM pragma_table_info('class_compare')"),
        "campaign fault_class mode trials crashes inconsistent_trials corrupt_trials rate ci_low "
        "ci_high\n");
}

/* Would catch: a table, view or column that its readers are not told of. */
static void test_page_has_the_columns(void **state)
{
    char *page = NULL, *names, *save = NULL;
    FILE *f = fopen("docs/database.md", "r");
    size_t size = 0;
    int64_t campaign;

    (void)state;
    assert_non_null(f);
    assert_true(getdelim(&page, &size, '\0', f) > 0);
    fclose(f);
    db_close(open_new(&campaign));
    names = strdup(query("SELECT name FROM pragma_table_list WHERE schema = 'main' AND "
                         "name NOT LIKE 'sqlite_%' UNION "
                         "SELECT c.name FROM pragma_table_list AS t, pragma_table_info(t.name) AS c "
                         "WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%'"));
    for (char *n = strtok_r(names, "\n", &save); n; n = strtok_r(NULL, "\n", &save)) {
        char column[64], view[64];

        snprintf(column, sizeof(column), "`%s`", n);
        snprintf(view, sizeof(view), "**%s**", n);
        if (!strstr(page, column) && !strstr(page, view))
            fail_msg("%s is not in docs/database.md", n);
    }
    free(names);
    free(page);
}

/* Would catch: a reopened campaign whose spec changed silently. */
static void test_campaign_spec(void **state)
{
    struct db_campaign c = {"quick", "x", "{\"seed\": 1}", "testbed", NULL};
    int64_t campaign, again;
    struct db *db = open_new(&campaign);
    struct err err = {0};

    (void)state;
    ok(db_campaign_open(db, &c, &again, err));     /* other text, same meaning */
    assert_int_equal(campaign, again);
    c.spec_json = "{\"seed\": 1, \"classes\": [{\"trials\": 3}]}";
    refused(db_campaign_open(db, &c, &again, &err), EEXIST, &err, "'classes' differs");
    c.name = "other";
    ok(db_campaign_open(db, &c, &again, err));
    c.spec_json = "{\"seed\": 1, \"classes\": [{\"trials\": 4}]}";
    refused(db_campaign_open(db, &c, &again, &err), EEXIST, &err, "'classes[0].trials' differs");
    c.spec_json = "{";
    refused(db_campaign_open(db, &c, &again, &err), EINVAL, &err, "not valid JSON");

    refused(db_campaign_find(db, NULL, &again, &err), ENOENT, &err, "'other', 'quick'");
    refused(db_campaign_find(db, "nix", &again, &err), ENOENT, &err, "no campaign 'nix'");
    ok(db_campaign_find(db, "quick", &again, err));
    assert_int_equal(campaign, again);
    db_close(db);
}

static void test_environment(void **state)
{
    int64_t campaign, a, b, c;
    struct db *db = open_new(&campaign);
    struct err err = {0};

    (void)state;
    ok(db_environment_put(db, campaign, "{\"xen\":\"4.17\",\"abi\":1,\"boot_s\":4.5}", &a, err));
    ok(db_environment_put(db, campaign, "{\"boot_s\":5,\"abi\":1,\"xen\":\"4.17\"}", &b, err));
    ok(db_environment_put(db, campaign, "{\"xen\":\"4.18\",\"abi\":1}", &c, err));
    assert_int_equal(a, b);
    assert_int_not_equal(a, c);
    refused(db_environment_put(db, campaign, "[]", &a, &err), EINVAL, &err, "object");
    db_close(db);
    assert_string_equal(query("SELECT environment_id, name, value FROM environment_fact"),
                        "1|abi|1\n1|xen|4.17\n2|abi|1\n2|xen|4.18\n");
    assert_string_equal(query("SELECT kind, data_json ->> '$.boot_s' FROM event"),
                        "worker_ready|4.5000\nworker_ready|5\nworker_ready|NULL\n");
}

/* Would catch: a doubled trial, belongings recorded twice, a lost column. */
static void test_record_once(void **state)
{
    const struct db_page pages[] = {{"reboot", 7, 12, 3, 4096, "corrupt", "block 3: \xc3\xa9"},
                                    {"crash", 7, 12, 3, DB_UNKNOWN, "unknown", NULL}};
    const struct db_event events[] = {{"console", "Oops\n", NULL}, {"x", NULL, "{\"a\":1}"}};
    const struct db_measurement measurements[] = {{"reboot", 1.5, "s"}};
    int64_t campaign, id, again;
    struct db *db = open_new(&campaign);
    struct db_trial t = trial(campaign, "PTR", 3, "disabled");
    bool is_new;

    (void)state;
    t.pages = pages;
    t.pages_len = 2;
    t.events = events;
    t.events_len = 2;
    t.measurements = measurements;
    t.measurements_len = 1;
    t.at_reboot.inconsistent = 2;
    t.at_reboot.corrupt = 1;
    ok(db_trial_record(db, &t, &id, &is_new, err));
    assert_true(is_new);
    t.outcome = "hang";
    ok(db_trial_record(db, &t, &again, &is_new, err));
    assert_false(is_new);
    assert_int_equal(id, again);
    db_close(db);
    assert_string_equal(query("SELECT * FROM trial_summary"),
                        "1|quick|PTR|3|disabled|done|kernel_crash|1|95|90|80|2|1|0|5|NULL|NULL|NULL|"
                        "7\n");
    assert_string_equal(query("SELECT at, pfn, sector, verdict, detail FROM page_verdict"),
                        "crash|7|NULL|unknown|NULL\nreboot|7|4096|corrupt|block 3: \xc3\xa9\n");
    assert_string_equal(query("SELECT kind, text, data_json FROM event"),
                        "console|Oops\n|NULL\nx|NULL|{\"a\":1}\n");
    assert_string_equal(query("SELECT * FROM measurement"), "1|reboot|1.5000|s\n");
    assert_string_equal(query("SELECT target, va FROM plan_detail"), "all|0x1\n");
}

/* Would catch: half a trial left behind when a part of it is refused. */
static void test_record_all_or_nothing(void **state)
{
    const struct db_page page = {"reboot", 1, 1, 1, 1, "nonsense", NULL};
    int64_t campaign;
    struct db *db = open_new(&campaign);
    struct db_trial t = trial(campaign, "PTR", 3, "disabled");
    struct err err = {0};

    (void)state;
    t.pages = &page;
    t.pages_len = 1;
    refused(db_trial_record(db, &t, NULL, NULL, &err), EINVAL, &err, "CHECK");
    t.pages_len = 0;
    t.mode = "warm";
    refused(db_trial_record(db, &t, NULL, NULL, &err), EINVAL, &err, "CHECK");
    t.mode = "cold";
    t.campaign = 99;
    refused(db_trial_record(db, &t, NULL, NULL, &err), EINVAL, &err, "FOREIGN KEY");
    t.campaign = campaign;
    t.at_reboot.corrupt = 5;
    refused(db_trial_record(db, &t, NULL, NULL, &err), EINVAL, &err, "CHECK");
    t.at_reboot.corrupt = 0;
    t.plan.seed = UINT64_MAX;
    refused(db_trial_record(db, &t, NULL, NULL, &err), EINVAL, &err, "too large");
    db_close(db);
    assert_string_equal(query("SELECT (SELECT count(*) FROM trial), (SELECT count(*) FROM plan)"),
                        "0|0\n");
}

/* Would catch: an error hiding a result, or a result losing its id. */
static void test_error_then_done(void **state)
{
    int64_t campaign, id;
    struct db *db = open_new(&campaign);
    struct db_trial t = trial(campaign, "PTR", 3, "enabled");

    (void)state;
    ok(db_attempt_error(db, campaign, "PTR", 3, 0, "QEMU died", "tail", err));
    ok(db_trial_error(db, campaign, &t.plan, "enabled", 3, "QEMU died", "tail", err));
    ok(db_trial_error(db, campaign, &t.plan, "enabled", 3, "QEMU died", "tail", err));
    assert_string_equal(query("SELECT trial_id, status, outcome, attempts, error FROM trial"),
                        "1|error|NULL|3|QEMU died\n");
    assert_string_equal(query("SELECT count(*) FROM event"), "1\n");
    assert_string_equal(query("SELECT * FROM class_compare"), "");
    assert_string_equal(query("SELECT * FROM class_errors"), "quick|PTR|enabled|1|1|3\n");
    ok(db_trial_record(db, &t, &id, NULL, err));
    assert_int_equal(id, 1);
    ok(db_trial_error(db, campaign, &t.plan, "enabled", 3, "late", NULL, err));
    db_close(db);
    assert_string_equal(query("SELECT trial_id, status, outcome, error FROM trial"),
                        "1|done|kernel_crash|NULL\n");
    assert_string_equal(query("SELECT count(*) FROM event"), "0\n");
    assert_string_equal(query("SELECT fault_class, seed, text, console FROM attempt_error"),
                        "PTR|3|QEMU died|tail\n");
}

static int count_done(void *ctx, const char *fault_class, uint64_t seed, unsigned index,
                      const char *mode)
{
    size_t len = strlen(ctx);

    snprintf((char *)ctx + len, 200 - len, "%s %d %u %s;", fault_class, (int)seed, index, mode);
    return 0;
}

/* Would catch: a pair of two different plans, a rejected plan drawn for ever. */
static void test_resume(void **state)
{
    int64_t campaign;
    struct db *db = open_new(&campaign);
    struct db_trial t = trial(campaign, "DST", 4, "enabled");
    struct db_plan again = t.plan;
    struct db_resume r;
    struct err err = {0};
    char done[200] = "";

    (void)state;
    ok(db_trial_resume(db, campaign, "DST", 4, &r, err));
    assert_true(!r.done[0] && !r.done[1] && !r.done[2] && r.index == 0);
    ok(db_plan_reject(db, campaign, &t.plan, "not_activated", "{\"outcome\":\"no_crash\"}", err));
    again.index = 1;
    ok(db_plan_reject(db, campaign, &again, "refused", NULL, err));
    ok(db_plan_reject(db, campaign, &again, "refused", NULL, err));
    ok(db_trial_resume(db, campaign, "DST", 4, &r, err));
    assert_int_equal(r.index, 2);
    t.plan.index = 2;
    ok(db_trial_record(db, &t, NULL, NULL, err));
    ok(db_trial_resume(db, campaign, "DST", 4, &r, err));
    assert_true(r.done[0] && !r.done[1] && !r.done[2] && r.index == 2);
    t.mode = "cold";
    ok(db_trial_record(db, &t, NULL, NULL, err));
    ok(db_trial_resume(db, campaign, "DST", 4, &r, err));
    assert_true(r.done[0] && !r.done[1] && r.done[2]);
    ok(db_trial_each_done(db, campaign, count_done, done, err));
    assert_string_equal(done, "DST 4 2 cold;DST 4 2 enabled;");

    t.mode = "disabled";
    t.plan.json = "{\"va\":\"0x2\"}";
    refused(db_trial_record(db, &t, NULL, NULL, &err), EEXIST, &err, "kernel rebuilt");
    /* One that no result rests on may change. */
    again.json = t.plan.json;
    ok(db_plan_reject(db, campaign, &again, "refused", NULL, err));
    db_close(db);
}

/* Would catch: a rate over the wrong trials, intervals missing in a plain shell. */
static void test_rates(void **state)
{
    static const struct {
        const char *mode;
        int activated, inconsistent, corrupt;
        const char *outcome;
    } trials[] = {
        {"disabled", 1, 3, 3, "kernel_crash"},  {"disabled", 1, 0, 0, "kernel_crash"},
        {"disabled", -1, 2, 0, "hang"},         {"disabled", 0, 1, 1, "no_crash"},
        {"disabled", 1, -1, -1, "no_reboot"},   {"disabled", 1, 0, 0, "no_crash"},
        {"enabled", 1, 0, 0, "kernel_crash"},   {"enabled", 0, 0, 0, "no_crash"},
    };
    int64_t campaign;
    struct db *db = open_new(&campaign);
    struct interval i = clopper_pearson(2, 4, 0.95);
    struct db_rate rate;
    char expected[200];

    (void)state;
    for (size_t n = 0; n < sizeof(trials) / sizeof(trials[0]); n++) {
        struct db_trial t = trial(campaign, "COPY", n, trials[n].mode);

        t.activated = trials[n].activated;
        t.outcome = trials[n].outcome;
        t.at_reboot.inconsistent = trials[n].inconsistent;
        t.at_reboot.corrupt = trials[n].corrupt;
        if (trials[n].inconsistent < 0)
            t.at_reboot = (struct db_counts){DB_UNKNOWN, DB_UNKNOWN, DB_UNKNOWN, DB_UNKNOWN,
                                             DB_UNKNOWN, DB_UNKNOWN, DB_UNKNOWN, DB_UNKNOWN,
                                             DB_UNKNOWN, DB_UNKNOWN, DB_UNKNOWN, DB_UNKNOWN};
        ok(db_trial_record(db, &t, NULL, NULL, err));
    }
    ok(db_class_rate(db, campaign, "COPY", "disabled", &rate, err));
    assert_true(rate.failures == 2 && rate.trials == 4 && rate.low == i.low && rate.high == i.high);
    assert_true(rate.upper - clopper_pearson_upper(2, 4, 0.95) < 1e-12 &&
                clopper_pearson_upper(2, 4, 0.95) - rate.upper < 1e-12);
    ok(db_class_rate(db, campaign, "COPY", "cold", &rate, err));
    assert_true(!rate.failures && !rate.trials && rate.low == 0 && rate.high == 1 && rate.upper == 1);
    db_close(db);
    snprintf(expected, sizeof(expected),
             "quick|COPY|disabled|6|4|3|2|0.5000|%.4f|%.4f\n"
             "quick|COPY|enabled|2|1|0|0|0.0000|0.0000|0.9750\n",
             i.low, i.high);
    assert_string_equal(query("SELECT * FROM class_compare ORDER BY mode"), expected);
    assert_string_equal(query("SELECT mode, verified, rated, not_activated, corrupt_rate, rate_all "
                              "FROM class_rates ORDER BY mode"),
                        "disabled|5|4|1|0.2500|0.6000\nenabled|2|1|1|0.0000|0.0000\n");
    assert_string_equal(query("SELECT outcome, trials, inconsistent_trials, rate, ci_high IS NULL "
                              "FROM outcome_compare WHERE mode = 'disabled' ORDER BY outcome"),
                        "hang|1|1|1.0000|0\nkernel_crash|2|1|0.5000|0\n"
                        "no_crash|2|1|0.0000|0\nno_reboot|1|0|NULL|0\n");
    assert_string_equal(query("SELECT failures, trials FROM interval_needed EXCEPT "
                              "SELECT failures, trials FROM interval95"),
                        "");
    assert_string_equal(query("SELECT count(*) FROM class_rates WHERE ci_low IS NULL OR "
                              "corrupt_ci_high IS NULL OR all_ci_low IS NULL"),
                        "0\n");
}

/* Would catch: two runs counted as one crash. */
static void test_pairs(void **state)
{
    int64_t campaign;
    struct db *db = open_new(&campaign);

    (void)state;
    for (unsigned seed = 0; seed < 4; seed++) {
        struct db_trial t = trial(campaign, "PTR", seed, "enabled");

        if (seed == 2)
            t.pair = "two_runs";
        ok(db_trial_record(db, &t, NULL, NULL, err));
        t.mode = "disabled";
        t.at_reboot.inconsistent = seed;
        if (seed == 1)
            t.crash_id = "c2";
        if (seed == 3)
            t.plan.index = 1;       /* another plan: no pair */
        ok(db_trial_record(db, &t, NULL, NULL, err));
    }
    db_close(db);
    assert_string_equal(query("SELECT seed, kind, enabled_trial, disabled_trial, "
                              "disabled_inconsistent, rated FROM pair_summary ORDER BY seed"),
                        "0|snapshot|1|2|0|1\n1|two_runs|3|4|1|1\n2|two_runs|5|6|2|1\n");
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* Would catch: foreign files damaged, SQLite's bare messages. */
static void test_open_refused(void **state)
{
    struct err err = {0};
    struct db *db;
    char other[200];
    sqlite3 *sql;

    (void)state;
    refused(db_open(path, DB_READ, &db, &err), ENOENT, &err, "wcr run");
    refused(db_open(dir, DB_READ, &db, &err), EINVAL, &err, "not a file");
    refused(db_open("", DB_WRITE, &db, &err), EINVAL, &err, "empty");
    snprintf(other, sizeof(other), "%s/none/x.db", dir);
    refused(db_open(other, DB_WRITE, &db, &err), ENOENT, &err, "no directory");

    write_file(path, "");
    refused(db_open(path, DB_READ, &db, &err), ENOENT, &err, "empty");
    write_file(path, "this is certainly not a database, and long enough to be read as a header. "
                     "this is certainly not a database, and long enough to be read as a header.");
    refused(db_open(path, DB_READ, &db, &err), EINVAL, &err, "not an SQLite database");
    refused(db_open(path, DB_WRITE, &db, &err), EINVAL, &err, "not an SQLite database");
    unlink(path);

    assert_int_equal(sqlite3_open(path, &sql), SQLITE_OK);
    sqlite3_exec(sql, "CREATE TABLE mine (x)", NULL, NULL, NULL);
    sqlite3_close(sql);
    refused(db_open(path, DB_READ, &db, &err), EINVAL, &err, "not one of wcr");
    refused(db_open(path, DB_WRITE, &db, &err), EINVAL, &err, "not one of wcr");
    assert_string_equal(query("PRAGMA journal_mode"), "delete\n");
}

static void test_newer_schema(void **state)
{
    int64_t campaign;
    struct err err = {0};
    struct db *db = open_new(&campaign);

    (void)state;
    db_close(db);
    query("PRAGMA user_version = 1000");
    refused(db_open(path, DB_READ, &db, &err), ENOTSUP, &err, "newer wcr (schema 1000");
    refused(db_open(path, DB_WRITE, &db, &err), ENOTSUP, &err, "newer wcr (schema 1000");
    query("PRAGMA user_version = -3");
    refused(db_open(path, DB_READ, &db, &err), EINVAL, &err, "-3");
}

static void test_damaged(void **state)
{
    int64_t campaign;
    struct err err = {0};
    struct db *db = open_new(&campaign);
    int fd;

    (void)state;
    db_close(db);
    fd = open(path, O_WRONLY);
    for (off_t at = 4096; at < 200000; at += 4096)
        assert_int_equal(pwrite(fd, "garbage garbage garbage", 20, at), 20);
    close(fd);
    if (!db_open(path, DB_READ, &db, &err)) {
        int r = db_campaign_find(db, "quick", &campaign, &err);

        db_close(db);
        refused(r, EIO, &err, "damaged");
    } else {
        refused(-EIO, EIO, &err, "damaged");
    }
}

/* Would catch: hanging on a lock, or a message that does not say who holds it. */
static void test_locked(void **state)
{
    int64_t campaign;
    struct db *db = open_new(&campaign);
    struct db_trial t = trial(campaign, "PTR", 3, "enabled");
    struct err err = {0};
    sqlite3 *sql = stranger();

    (void)state;
    sqlite3_busy_timeout(db_handle(db), 50);
    assert_int_equal(sqlite3_exec(sql, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    refused(db_trial_record(db, &t, NULL, NULL, &err), EBUSY, &err, "locked by another program");
    assert_int_equal(sqlite3_exec(sql, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ok(db_trial_record(db, &t, NULL, NULL, err));
    sqlite3_close(sql);
    db_close(db);
}

/* The same where another program has it for itself, from before it is opened. */
static void test_locked_at_opening(void **state)
{
    int before = db_busy_ms;
    struct err err = {0};
    int64_t campaign;
    sqlite3 *sql;
    struct db *db;

    (void)state;
    db_close(open_new(&campaign));
    sql = stranger();
    assert_int_equal(sqlite3_exec(sql, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE", NULL, NULL, NULL),
                     SQLITE_OK);
    db_busy_ms = 50;
    refused(db_open(path, DB_READ, &db, &err), EBUSY, &err, "locked by another program");
    refused(db_open(path, DB_WRITE, &db, &err), EBUSY, &err, "locked by another program");
    db_busy_ms = before;
    sqlite3_close(sql);
    db_close(open_new(&campaign));
}

/* Would catch: two runs of one campaign; a claim that outlives its handle, or keeps others out. */
static void test_claim(void **state)
{
    int64_t campaign, same;
    struct db *first = open_new(&campaign), *second = open_new(&same);
    struct err err;

    (void)state;
    assert_int_equal(campaign, same);
    assert_int_equal(db_campaign_claim(first, campaign, 0, &err), 0);
    refused(db_campaign_claim(second, campaign, 100, &err), EBUSY, &err, "another 'wcr run'");
    db_close(second);
    second = open_new(&same);
    assert_int_equal(db_campaign_claim(second, campaign + 1, 0, &err), 0);
    db_close(second);
    db_close(first);
    first = open_new(&campaign);
    assert_int_equal(db_campaign_claim(first, campaign, 0, &err), 0);
    db_close(first);
}

/* Would catch: a decision that is told by each run, and counted again. */
static void test_event_once(void **state)
{
    const struct db_event events[] = {{"stop", NULL, "{\"a\":1}"}, {"stop", NULL, "{\"a\":2}"}, {"stop", "x", NULL}};
    int64_t campaign;
    struct db *db = open_new(&campaign);

    (void)state;
    for (int i = 0; i < 6; i++)
        ok(db_event_put(db, campaign, &events[i % 3], err));
    db_close(db);
    assert_string_equal(query("SELECT count(*) FROM event"), "3\n");
}

/* Would catch: a full disk that leaves the transaction open or the file damaged. */
static void test_full(void **state)
{
    int64_t campaign, pages;
    bool found;
    struct db *db = open_new(&campaign);
    struct db_trial t = trial(campaign, "PTR", 3, "enabled");
    static char text[400000];
    const struct db_event event = {"console", text, NULL};
    struct err err = {0};
    char limit[64];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    t.events = &event;
    t.events_len = 1;
    ok(db_value(db, &pages, &found, err, "PRAGMA page_count", ""));
    snprintf(limit, sizeof(limit), "PRAGMA max_page_count = %d", (int)pages + 3);
    sqlite3_exec(db_handle(db), limit, NULL, NULL, NULL);
    refused(db_trial_record(db, &t, NULL, NULL, &err), ENOSPC, &err, "no space left");
    sqlite3_exec(db_handle(db), "PRAGMA max_page_count = 100000", NULL, NULL, NULL);
    ok(db_trial_record(db, &t, NULL, NULL, err));
    db_close(db);
    assert_string_equal(query("PRAGMA integrity_check"), "ok\n");
    assert_string_equal(query("SELECT count(*), length(text) FROM trial JOIN event USING (trial_id)"),
                        "1|399999\n");
}

/* Would catch: analysis that changes the file, leaves others beside it, or needs to write there. */
static void test_read_only(void **state)
{
    int64_t campaign;
    struct db *db = open_new(&campaign);
    struct db_trial t = trial(campaign, "PTR", 3, "enabled");
    char beside[140];
    struct err err = {0};

    (void)state;
    ok(db_trial_record(db, &t, NULL, NULL, err));
    db_close(db);
    ok(db_open(path, DB_READ, &db, err));
    refused(db_trial_error(db, campaign, &t.plan, "cold", 1, "x", NULL, &err), EROFS, &err,
            "cannot be written");
    db_close(db);
    snprintf(beside, sizeof(beside), "%s-wal", path);
    assert_int_not_equal(access(beside, F_OK), 0);
    if (!geteuid()) {       /* nothing is read-only for root */
        assert_int_equal(chown(dir, NOBODY, NOBODY), 0);
        assert_int_equal(chown(path, NOBODY, NOBODY), 0);
        assert_int_equal(seteuid(NOBODY), 0);
    }
    chmod(path, 0400);
    chmod(dir, 0500);
    ok(db_open(path, DB_READ, &db, err));
    ok(db_campaign_find(db, "quick", &campaign, err));
    db_close(db);
    refused(db_open(path, DB_WRITE, &db, &err), EROFS, &err, "read-only");
}

/* ---- schemas that are not there yet ---- */

/* As a later wcr might have it: a column more, and a table made anew. */
static const char one_more[] =
    "ALTER TABLE campaign ADD COLUMN note TEXT NOT NULL DEFAULT 'none';"
    "CREATE TABLE plan_2 (plan_id INTEGER PRIMARY KEY, campaign_id INTEGER NOT NULL REFERENCES campaign, "
    "fault_class TEXT NOT NULL, seed INTEGER NOT NULL, plan_index INTEGER NOT NULL, plan_json TEXT, "
    "UNIQUE (plan_id, campaign_id, fault_class, seed)) STRICT;"
    "INSERT INTO plan_2 SELECT plan_id, campaign_id, fault_class, seed, plan_index, plan_json FROM plan;"
    "DROP VIEW plan_detail; DROP VIEW pair_summary; DROP TABLE plan; ALTER TABLE plan_2 RENAME TO plan;";
static const char two_more[] = "CREATE TABLE later (x INTEGER) STRICT; INSERT INTO later VALUES (7);";

/* That of this wcr, and one or two more (@last NULL). */
static struct db_schema later(const char *next, const char *last)
{
    static const char *migrations[8];
    int n = db_schema.version;

    assert_true(n + 2 <= 8);
    memcpy(migrations, db_schema.migrations, (size_t)n * sizeof(migrations[0]));
    migrations[n++] = next;
    if (last)
        migrations[n++] = last;
    return (struct db_schema){migrations, n};
}

static void write_trial_in(const struct db_schema *schema)
{
    int64_t campaign;
    struct db *db = open_schema(schema, &campaign);
    struct db_trial t = trial(campaign, "PTR", 3, "enabled");

    ok(db_trial_record(db, &t, NULL, NULL, err));
    db_close(db);
}

static void write_trial(void)
{
    write_trial_in(&db_schema);
}

#define TRIALS "SELECT name, trial.seed, plan_index, outcome FROM trial JOIN plan USING (plan_id) " \
               "JOIN campaign AS c ON c.campaign_id = trial.campaign_id"

static char *file_bytes(size_t *ret_len)
{
    FILE *f = fopen(path, "r");
    char *bytes = malloc(1 << 20);

    assert_non_null(f);
    assert_non_null(bytes);
    *ret_len = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

/* Would catch: rows lost on the way to another schema, or a number skipped. */
static void test_migration(void **state)
{
    struct db_schema later_two = later(one_more, two_more);
    struct err err = {0};
    struct db *db;

    (void)state;
    write_trial();
    ok(db_open_schema(path, DB_WRITE, &later_two, &db, err));
    db_close(db);
    assert_version(later_two.version);
    assert_string_equal(query(TRIALS), "quick|3|0|kernel_crash\n");
    assert_string_equal(query("SELECT note, x FROM campaign, later"), "none|7\n");
    ok(db_open_schema(path, DB_WRITE, &later_two, &db, err));
    db_close(db);
    assert_string_equal(query("SELECT count(*) FROM later"), "1\n");
    refused(db_open(path, DB_WRITE, &db, &err), ENOTSUP, &err, "newer wcr (schema ");
    refused(db_open(path, DB_READ, &db, &err), ENOTSUP, &err, "use that wcr, or another file");
}

/* Would catch: a file of a released schema that this wcr loses something of. */
static void test_released_schemas(void **state)
{
    struct db *db;

    (void)state;
    for (int version = 1; version < db_schema.version; version++) {
        struct db_schema old = {db_schema.migrations, version};

        unlink(path);
        write_trial_in(&old);
        assert_version(version);
        ok(db_open(path, DB_WRITE, &db, err));
        db_close(db);
        assert_version(db_schema.version);
        assert_string_equal(query(TRIALS), "quick|3|0|kernel_crash\n");
    }
}

/* Would catch: an old file that a reader cannot open, or rewrites. */
static void test_old_schema_in_memory(void **state)
{
    struct db_schema next = later(one_more, NULL);
    char *before, *after;
    size_t len, now;
    int64_t n;
    bool found;
    struct db *db;

    (void)state;
    write_trial();
    before = file_bytes(&len);
    ok(db_open_schema(path, DB_READ, &next, &db, err));
    ok(db_value(db, &n, &found, err, "SELECT count(*) FROM trial JOIN campaign USING (campaign_id) "
                "WHERE note = 'none'", ""));
    assert_int_equal(n, 1);
    db_close(db);
    after = file_bytes(&now);
    assert_int_equal(len, now);
    assert_memory_equal(before, after, len);
    free(before);
    free(after);
}

/* Would catch: a file that is half of one schema, half of another. */
static void test_migration_fails(void **state)
{
    static const struct {
        const char *script, *words;
    } cases[] = {
        {"CREATE TABLE half (x); DELETE FROM trial; this is no SQL;", "migrating to schema "},
        {"CREATE TABLE half (x); INSERT INTO plan SELECT * FROM plan;", "migrating to schema "},
        {"CREATE TABLE half (x); DELETE FROM plan;", "rows refer to others that are not there"},
    };
    struct err err = {0};
    int64_t campaign;
    struct db *db;

    (void)state;
    write_trial();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct db_schema next = later(cases[i].script, NULL);

        if (!db_open_schema(path, DB_WRITE, &next, &db, &err) || !strstr(err.msg, cases[i].words))
            fail_msg("%s: '%s'", cases[i].script, err.msg);
        if (!db_open_schema(path, DB_READ, &next, &db, &err) || !strstr(err.msg, cases[i].words))
            fail_msg("%s: '%s'", cases[i].script, err.msg);
        assert_version(db_schema.version);
        assert_string_equal(query("SELECT name FROM sqlite_schema WHERE name = 'half'"), "");
        assert_string_equal(query(TRIALS), "quick|3|0|kernel_crash\n");
    }
    /* This wcr goes on with it. */
    db = open_new(&campaign);
    db_close(db);
}

/* Would catch: a migration beside another program, or one that both carry out. */
static void test_migration_locked(void **state)
{
    struct db_schema later_two = later(one_more, two_more);
    int before = db_busy_ms;
    struct err err = {0};
    sqlite3 *sql;
    struct db *db;

    (void)state;
    write_trial();
    sql = stranger();
    assert_int_equal(sqlite3_exec(sql, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    db_busy_ms = 50;
    refused(db_open_schema(path, DB_WRITE, &later_two, &db, &err), EBUSY, &err, "locked by another program");
    db_busy_ms = before;
    sqlite3_exec(sql, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(sql);
    assert_version(db_schema.version);
    ok(db_open_schema(path, DB_WRITE, &later_two, &db, err));
    db_close(db);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_create),
        TEST(test_summary_columns),
        TEST(test_page_has_the_columns),
        TEST(test_campaign_spec),
        TEST(test_environment),
        TEST(test_record_once),
        TEST(test_record_all_or_nothing),
        TEST(test_error_then_done),
        TEST(test_resume),
        TEST(test_rates),
        TEST(test_pairs),
        TEST(test_open_refused),
        TEST(test_newer_schema),
        TEST(test_damaged),
        TEST(test_locked),
        TEST(test_locked_at_opening),
        TEST(test_claim),
        TEST(test_event_once),
        TEST(test_full),
        TEST(test_read_only),
        TEST(test_migration),
        TEST(test_released_schemas),
        TEST(test_old_schema_in_memory),
        TEST(test_migration_fails),
        TEST(test_migration_locked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
