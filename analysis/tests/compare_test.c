// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: figures that differ from the trials they are counted from, modes or classes
 * exchanged, trials that must not count (not executed, not verified, errors) in a rate,
 * and errors about the database that do not say what is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare.h"
#include "analysis/tests/fixture.h"
#include "cli/commands.h"
#include "db/db.h"

static json_t *row_find(const json_t *all, const char *table, const char *class, const char *mode)
{
    json_t *row;
    size_t i;

    json_array_foreach(
        json_object_get(all, table), i,
        row) if (!strcmp(json_string_value(json_object_get(row, "fault_class")), class) &&
                 (!mode ||
                  !strcmp(json_string_value(json_object_get(row, "mode")), mode))) return row;
    fail_msg("no %s %s in %s", class, mode ? mode : "", table);
    return NULL;
}

static void figure(const json_t *row, const char *name, double value)
{
    double found = json_number_value(json_object_get(row, name));

    if (!json_is_number(json_object_get(row, name)) || found < value - 1e-6 || found > value + 1e-6)
        fail_msg("%s is %g, not %g", name, found, value);
}

/* The fixture's trials, counted by hand; the intervals are 1 - 0.025^(1/2) and its mirror. */
static void figures_by_hand(void **state)
{
    char *out, *err;
    json_t *all, *row;

    (void)state;
    fixture_write_quick();
    assert_int_equal(
        fixture_command(cmd_compare, &out, &err, "compare", fixture_path, "--json", NULL), 0);
    all = json_loads(out, 0, NULL);
    assert_non_null(all);
    row = row_find(all, "classes", "PTR", "disabled");
    figure(row, "trials", 3);
    figure(row, "activated", 2);
    figure(row, "crashes", 2);
    figure(row, "rated", 2);
    figure(row, "rated_inconsistent", 2);
    figure(row, "rate", 1);
    figure(row, "ci_low", 0.158113883);
    figure(row, "ci_high", 1);
    figure(row, "rate_all", 2.0 / 3);
    figure(row, "pages_reused", 98 + 97 + 99);
    figure(row, "pages_inconsistent", 3 + 2);
    figure(row, "p_value", 0.5);
    row = row_find(all, "classes", "PTR", "enabled");
    figure(row, "rate", 0);
    figure(row, "ci_high", 0.841886117);
    figure(row, "corrupt_trials", 0);
    row = row_find(all, "classes", "DST", "enabled");
    figure(row, "rate", 0.5);
    figure(row, "stale_disk_trials", 1);
    /* One of them did not boot again: verified is not done. */
    row = row_find(all, "classes", "DST", "disabled");
    figure(row, "trials", 2);
    figure(row, "verified", 1);
    figure(row_find(all, "classes", "DST", "cold"), "pages_reused", 0);
    row = row_find(all, "pairs", "PTR", NULL);
    figure(row, "pairs", 3);
    figure(row, "snapshot_pairs", 3);
    figure(row, "rated_pairs", 2);
    figure(row, "only_disabled", 2);
    figure(row, "only_enabled", 0);
    row = row_find(all, "pairs", "DST", NULL);
    figure(row, "both", 1);
    figure(row, "only_disabled", 0);
    figure(row, "only_enabled", 0);
    row = json_object_get(all, "campaign");
    figure(row, "done", 13);
    figure(row, "errors", 1);
    figure(row, "failed_attempts", 1);
    figure(row, "plans_not_activated", 1);
    json_decref(all);
    free(out);
    free(err);
}

static void table_for_people(void **state)
{
    char *out, *err;

    (void)state;
    fixture_write_quick();
    assert_int_equal(
        fixture_command(cmd_compare, &out, &err, "compare", "--db", fixture_path, NULL), 0);
    fixture_contains(out, "Campaign quick (testbed, begun ");
    fixture_contains(out, "15.8-100.0%");
    fixture_contains(out, "5 pairs; both modes rebooted from one and the same crash.");
    fixture_contains(out, "Rates leave out 2 trials whose fault was never executed");
    fixture_contains(out, "1 trial did not boot again");
    fixture_contains(out, "Experiment errors, no results: 1 trial given up, 1 failed attempt");
    if (strstr(out, "WARNING") || strchr(out, '\033'))
        fail_msg("a warning or a colour:\n%s", out);
    assert_string_equal(err, "");
    free(out);
    free(err);
}

/* Told again after more trials. */
static void a_stop_rule_is_named(void **state)
{
    static const struct db_event events[] = {
        {"stop", NULL, "{\"class\":\"PTR\",\"rule\":\"rate_below\",\"trials\":10}"},
        {"stop", NULL, "{\"class\":\"PTR\",\"rule\":\"half_width\",\"trials\":12}"},
    };
    struct err error = {0};
    char *out, *err;
    struct db *db;

    (void)state;
    fixture_write_quick();
    assert_int_equal(db_open(fixture_path, DB_WRITE, &db, &error), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(db_event_put(db, 1, &events[i], &error), 0);
    db_close(db);
    assert_int_equal(fixture_command(cmd_compare, &out, &err, "compare", "--db", fixture_path, NULL), 0);
    fixture_contains(out, "Ended by a stop rule, which looked at the results with the mechanism enabled: "
                     "PTR (half_width, at 12 trials).\n");
    free(out);
    free(err);
}

static void failures_are_named(void **state)
{
    static const struct fixture_trial trials[] = {
        {"GOLDEN", 1, "enabled", "no_crash", -1, 98, 1, 0},
        {"PTR", 1, "enabled", "kernel_crash", 1, 95, 4, 0},
    };
    char *out, *err;

    (void)state;
    fixture_write("bad", trials, 2);
    assert_int_equal(fixture_command(cmd_compare, &out, &err, "compare", fixture_path, NULL), 0);
    fixture_contains(
        out, "WARNING: corrupt pages were reused with the mechanism enabled: trial 1, trial 2");
    fixture_contains(
        out, "WARNING: of 1 fault-free (GOLDEN) trials 1 crashed or reused inconsistent pages");
    free(out);
    free(err);
}

/* Dirty pages of a sound guest that were reused with consistency off prove nothing. */
static void golden_without_consistency(void **state)
{
    static const struct fixture_trial trials[] = {
        {"GOLDEN", 1, "enabled", "no_crash", -1, 98, 0, 0},
        {"GOLDEN", 1, "disabled", "no_crash", -1, 98, 1, 0},
    };
    char *out, *err;

    (void)state;
    fixture_write("dirty", trials, 2);
    assert_int_equal(fixture_command(cmd_compare, &out, &err, "compare", fixture_path, NULL), 0);
    assert_null(strstr(out, "WARNING"));
    free(out);
    free(err);
}

static void campaign_by_name(void **state)
{
    static const struct fixture_trial one[] = {{"PTR", 1, "enabled", "hang", 1, 95, 0, 0}};
    char *out, *err;

    (void)state;
    fixture_write("a", one, 1);
    fixture_write("b", one, 0);
    assert_int_equal(fixture_command(cmd_compare, &out, &err, "compare", fixture_path, NULL),
                     WCR_EXIT_ERROR);
    fixture_contains(err, "a");
    fixture_contains(err, "b");
    free(out);
    free(err);
    assert_int_equal(
        fixture_command(cmd_compare, &out, &err, "compare", fixture_path, "--campaign", "a", NULL),
        0);
    fixture_contains(out, "Campaign a ");
    fixture_contains(out, "No fault-free (GOLDEN) trial");
    free(out);
    free(err);
    /* Nothing done yet is no success. */
    assert_int_equal(
        fixture_command(cmd_compare, &out, &err, "compare", fixture_path, "--campaign", "b", NULL),
        WCR_EXIT_NO_DATA);
    fixture_contains(err, "no trial of this campaign is done yet");
    free(out);
    free(err);
    assert_int_equal(
        fixture_command(cmd_compare, &out, &err, "compare", fixture_path, "--campaign", "c", NULL),
        WCR_EXIT_ERROR);
    fixture_contains(err, "c");
    free(out);
    free(err);
}

static void fails_with(const char *path, const char *words)
{
    char *out, *err;

    assert_int_equal(fixture_command(cmd_compare, &out, &err, "compare", path, NULL),
                     WCR_EXIT_ERROR);
    fixture_contains(err, "wcr compare: ");
    fixture_contains(err, words);
    assert_string_equal(out, "");
    free(out);
    free(err);
}

static void run_sql(const char *sql)
{
    sqlite3 *s;

    assert_int_equal(sqlite3_open(fixture_path, &s), SQLITE_OK);
    assert_int_equal(sqlite3_exec(s, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(s);
}

static void wrong_databases(void **state)
{
    char *out, *err;
    FILE *f;

    (void)state;
    fails_with("/nonexistent/x.db", "no such file");
    fails_with("/tmp", "not a file");
    f = fopen(fixture_path, "w");
    assert_non_null(f);
    fputs("this is no database, but it is long enough to be read as a header by a library\n", f);
    fclose(f);
    fails_with(fixture_path, fixture_path);
    remove(fixture_path);
    run_sql("CREATE TABLE trial (x)");
    fails_with(fixture_path, "not one of wcr");
    remove(fixture_path);
    fixture_write_quick();
    run_sql("PRAGMA user_version = 99");
    fails_with(fixture_path, "newer wcr");
    assert_int_equal(fixture_command(cmd_compare, &out, &err, "compare", NULL), WCR_EXIT_ERROR);
    fixture_contains(err, "which database?");
    free(out);
    free(err);
    assert_int_equal(fixture_command(cmd_compare, &out, &err, "compare", "a.db", "b.db", NULL),
                     WCR_EXIT_ERROR);
    fixture_contains(err, "'b.db' is too many");
    free(out);
    free(err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(figures_by_hand),  TEST(table_for_people), TEST(a_stop_rule_is_named), TEST(failures_are_named),
        TEST(campaign_by_name), TEST(wrong_databases),  TEST(golden_without_consistency),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
