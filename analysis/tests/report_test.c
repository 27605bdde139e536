// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: a page whose numbers are not those of the trials, that fetches or runs something, that
 * a guest's console breaks out of, that differs from run to run, that hides a wrong page; one that
 * is half written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/tests/fixture.h"
#include "analysis/tests/sample.h"
#include "cli/commands.h"

static char *report(void)
{
    char *out, *err;

    if (fixture_command(cmd_report, &out, &err, "report", fixture_path, NULL))
        fail_msg("%s", err);
    assert_string_equal(err, "");
    free(err);
    return out;
}

static void lacks(const char *text, const char *words)
{
    const char *found = strstr(text, words);

    if (found)
        fail_msg("'%s' is in it: %.200s", words, found);
}

/* The fixture's trials, counted by hand. */
static void numbers_by_hand(void **state)
{
    char *page;

    (void)state;
    fixture_write_quick();
    page = report();
    fixture_contains(page, "<title>wcr: campaign quick</title>");
    fixture_contains(page,
                     "With the mechanism enabled 1 of 4 trials reused inconsistent cache "
                     "(25.0%, 95% interval 0.6-80.6%); with it disabled 3 of 3 trials reused "
                     "inconsistent cache (100.0%, 95% interval 29.2-100.0%). Exact McNemar test "
                     "over 3 pairs: p = 0.5. Trials that reused a page "
                     "whose memory is wrong, the only true failure: 0 enabled, 2 disabled.");
    fixture_contains(page, "<tr><th scope=\"row\" class=\"\">PTR</th><td class=\"\">disabled</td>"
                           "<td class=\"n\">2/2</td><td class=\"n\">100.0%</td>");
    fixture_contains(page, "<td class=\"n bad\">1/2</td>");
    /* What compare says beside its tables. */
    fixture_contains(page, "<li>1 plan drawn again: 1 never executed, 0 refused");
    /* Each crash once, and the command that plays one again. */
    fixture_contains(page,
                     "<th scope=\"row\" class=\"\">BUG ext4_read+0x10</th><td class=\"n\">5</td>"
                     "<td class=\"n\">11</td><td class=\"\">DST, PTR</td>");
    fixture_contains(page, "<code>wcr replay 3 --db ");
    fixture_contains(page, "t.db</code>");
    fixture_contains(page, "wcr plan --class PTR --target all --seed 1 --index 0");
    fixture_contains(page, "<th scope=\"row\" class=\"\">the worker died</th><td class=\"n\">2</td>"
                           "<td class=\"n\">1</td>");
    /* The trial that reused what its disk did not have. */
    fixture_contains(page, "of which 2 were inconsistent");
    fixture_contains(page, "<table id=\"violations\"");
    lacks(page, "None: no page");
    free(page);
}

static void says_plainly_that_none_was_wrong(void **state)
{
    static const struct fixture_trial trials[] = {
        {"PTR", 1, "enabled", "kernel_crash", 1, 95, 0, 0},
        {"PTR", 1, "disabled", "kernel_crash", 1, 98, 3, 0},
    };
    char *page;

    (void)state;
    fixture_write("x", trials, 2);
    page = report();
    fixture_contains(page, "<p class=\"verdict good\"");
    fixture_contains(page, "None: no page that was reused, or could have been, was inconsistent.");
    lacks(page, "id=\"violations\"");
    free(page);
}

static void says_plainly_that_one_was(void **state)
{
    static const struct fixture_trial trials[] = {
        {"PTR", 7, "enabled", "kernel_crash", 1, 95, 3, 0}};
    char *page;

    (void)state;
    fixture_write("x", trials, 1);
    page = report();
    fixture_contains(page, "<p class=\"verdict bad\"");
    fixture_contains(page, "the only true failure: 1 enabled.");
    fixture_contains(page,
                     "WARNING: corrupt pages were reused with the mechanism enabled: trial 1;");
    /* The page itself. */
    fixture_contains(page, "<td class=\"\">corrupt</td><td class=\"\">bytes 0-3 differ</td>");
    /* No figure of a mode that was not run. */
    lacks(page, "mechanism disabled</title>");
    free(page);
}

/* A fault-free trial is in no rate. */
static void an_unsound_experiment_looks_so(void **state)
{
    static const struct fixture_trial trials[] = {
        {"GOLDEN", 1, "enabled", "no_crash", -1, 95, 1, 0},
        {"PTR", 1, "enabled", "kernel_crash", 1, 95, 0, 0},
    };
    char *page;

    (void)state;
    fixture_write("x", trials, 2);
    page = report();
    fixture_contains(page, "<p class=\"verdict bad\"");
    fixture_contains(page,
                     "<li class=\"bad\">WARNING: of 1 fault-free (GOLDEN) trials 1 crashed or");
    fixture_contains(page, "<table id=\"violations\"");
    free(page);
}

/* A run that has only begun, a class that was never verified: nothing to divide by. */
static void little_data(void **state)
{
    static const struct fixture_trial trials[] = {
        {"GOLDEN", 1, "cold", "no_crash", -1, 98, 0, 0},
        {"DST", 1, "enabled", "no_reboot", 1, -1, 0, 0},
    };
    char *page;

    (void)state;
    fixture_write("x", trials, 1);
    free(report());
    fixture_write("x", trials, 2);
    page = report();
    fixture_contains(page, "With the mechanism enabled 0 of 0 trials reused inconsistent cache.");
    lacks(page, ">nan");
    free(page);
}

static void the_same_twice(void **state)
{
    char *one, *two;

    (void)state;
    sample_write(fixture_path, 1);
    one = report();
    two = report();
    assert_string_equal(one, two);
    free(one);
    free(two);
}

/* ---- a page that needs nothing, and does nothing ---- */

/* Every tag is one that is written here, or by gnuplot. */
static void tags_are_ours(const char *page)
{
    static const char known[] =
        " html head meta title style body h1 h2 h3 h4 p nav ul li a main div table thead tbody tr "
        "th td "
        "figure figcaption details summary pre code dl dt dd span svg desc g path text polygon "
        "rect ";

    for (const char *p = page; (p = strchr(p, '<')); p++) {
        const char *name = p + 1 + (p[1] == '/');
        char word[24];

        if (!strncmp(p, "<!DOCTYPE html>", 15))
            continue;
        snprintf(word, sizeof(word), " %.*s ",
                 (int)strspn(name, "abcdefghijklmnopqrstuvwxyz0123456"), name);
        if (!strstr(known, word) || strlen(word) < 3)
            fail_msg("a tag of others: %.80s", p);
    }
}

static void ids_are_unique(const char *page)
{
    for (const char *p = page; (p = strstr(p, " id=\""));) {
        char id[64];

        snprintf(id, sizeof(id), "%.*s", (int)strcspn(p + 5, "\"") + 6, p);
        p += 5;
        if (strstr(p, id))
            fail_msg("twice:%s", id);
    }
}

static void is_self_contained(const char *page)
{
    lacks(page, "url(");
    lacks(page, "@import");
    lacks(page, "<link");
    lacks(page, "<script");
    for (const char *p = page; (p = strstr(p, "href")); p++)
        if (strncmp(p, "href=\"#", 7) != 0)
            fail_msg("a reference elsewhere: %.80s", p);
    for (const char *p = page; (p = strstr(p, "://")); p++)
        if (strncmp(p - 4, "http://www.w3.org/2000/svg\"", 27) != 0)
            fail_msg("an address: %.80s", p - 8);
}

static void names_no_other_file(void **state)
{
    char *page;

    (void)state;
    /* With the trial that was wrong, which is also a crash to look at. */
    sample_write(fixture_path, 3);
    page = report();
    is_self_contained(page);
    ids_are_unique(page);
    tags_are_ours(page);
    fixture_contains(page, "&lt;/pre&gt;&lt;script&gt;document.title = 'owned'&lt;/script&gt;");
    free(page);
}

static void execute(sqlite3 *db, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

/* Markup and quotes before every text that the schema lets be any. */
#define EVIL "</pre></td>\"''><script>x</script>&\\\n$"

static void all_text_evil(void)
{
    static const char columns[] =
        "SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c "
        "WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND c.type = 'TEXT' "
        "AND c.name NOT IN ('kind', 'unit')"; /* by which rows are found */
    sqlite3_stmt *stmt;
    unsigned n = 0;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(fixture_path, &db), SQLITE_OK);
    execute(db, "PRAGMA foreign_keys = OFF");
    assert_int_equal(sqlite3_prepare_v2(db, columns, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *table = (const char *)sqlite3_column_text(stmt, 0);
        const char *column = (const char *)sqlite3_column_text(stmt, 1);
        char sql[300];

        /* Where the value is checked, it stays what it is. */
        snprintf(sql, sizeof(sql), "UPDATE OR IGNORE %s SET %s = '" EVIL "%s.%s' || %s", table,
                 column, table, column, column);
        execute(db, sql);
        n++;
    }
    sqlite3_finalize(stmt);
    assert_true(n > 30);
    execute(db,
            "UPDATE plan SET plan_json = (SELECT json_group_object(key, '" EVIL "plan.' || key) "
            "FROM json_each(plan_json)) WHERE plan_json IS NOT NULL");
    execute(db, "UPDATE event SET data_json = json_object('build_id', '" EVIL "profile.build_id', "
                "'blocks', '" EVIL "', 'targets', json_array('" EVIL "profile.targets')) "
                "WHERE kind = 'profile'");
    sqlite3_close(db);
}

static void nothing_in_the_database_is_markup(void **state)
{
    static const char *const shown[] = {"campaign.name",
                                        "campaign.spec_text",
                                        "campaign.spec_hash",
                                        "campaign.executor",
                                        "campaign.wcr_version",
                                        "campaign.created_at",
                                        "environment.hash",
                                        "environment.first_seen_at",
                                        "environment_fact.name",
                                        "environment_fact.value",
                                        "trial.fault_class",
                                        "trial.signature",
                                        "trial.error",
                                        "trial.recorded_at",
                                        "event.text",
                                        "event.at",
                                        "page_verdict.detail",
                                        "measurement.name",
                                        "attempt_error.text",
                                        "attempt_error.at",
                                        "attempt_error.fault_class",
                                        "profile.build_id",
                                        "profile.targets",
                                        "plan.symbol",
                                        "plan.source",
                                        "plan.old_asm",
                                        "plan.new_asm",
                                        "plan.target"};
    char *page;

    (void)state;
    sample_write(fixture_path, 1);
    all_text_evil();
    page = report();
    is_self_contained(page);
    tags_are_ours(page);
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        char words[120];

        snprintf(words, sizeof(words),
                 "&lt;/pre&gt;&lt;/td&gt;&quot;'&gt;&lt;script&gt;x&lt;/script&gt;"
                 "&amp;\\\n$%s",
                 shown[i]);
        fixture_contains(page, words);
    }
    free(page);
}

/* A class's name is part of the program that gnuplot runs. */
static void names_are_no_commands(void **state)
{
    char name[200], path[128], *page;
    struct fixture_trial trials[] = {{name, 1, "enabled", "kernel_crash", 1, 95, 0, 0}};

    (void)state;
    snprintf(path, sizeof(path), "%s/made", fixture_dir);
    snprintf(name, sizeof(name), "x\nEOD\nsystem('touch %s')\n`touch %s`\n", path, path);
    fixture_write("x", trials, 1);
    page = report();
    fixture_contains(page, "<text>x_EOD_system__touch_");
    assert_int_equal(access(path, F_OK), -1);
    free(page);
}

/* ---- the command ---- */

static void without_gnuplot(void **state)
{
    char path[128], *search = strdup(getenv("PATH")), *out, *err, *text;
    glob_t left;
    int status;
    FILE *f;

    (void)state;
    fixture_write_quick();
    snprintf(path, sizeof(path), "%s/page.html", fixture_dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs("old", f);
    fclose(f);
    setenv("PATH", fixture_dir, 1);
    status = fixture_command(cmd_report, &out, &err, "report", fixture_path, "-o", path, NULL);
    assert_string_equal(out, "");
    free(out);
    free(err);
    assert_int_equal(fixture_command(cmd_report, &out, &err, "report", fixture_path, NULL), status);
    setenv("PATH", search, 1);
    free(search);
    assert_int_equal(status, WCR_EXIT_ERROR);
    fixture_contains(err,
                     "gnuplot, which draws the figures, is not there: apt-get install gnuplot-nox");
    assert_string_equal(out, "");
    /* The older page is still there, and nothing beside it. */
    text = fixture_read(path);
    assert_string_equal(text, "old");
    free(text);
    strcat(path, ".*");
    assert_int_equal(glob(path, 0, NULL, &left), GLOB_NOMATCH);
    free(out);
    free(err);
}

static void to_a_file(void **state)
{
    char path[128], *out, *err, *text;

    (void)state;
    fixture_write_quick();
    snprintf(path, sizeof(path), "%s/page.html", fixture_dir);
    assert_int_equal(fixture_command(cmd_report, &out, &err, "report", fixture_path, "--output",
                                     path, "--campaign", "quick", NULL),
                     WCR_EXIT_OK);
    assert_string_equal(out, "");
    assert_string_equal(err, "");
    text = fixture_read(path);
    assert_string_equal(text + strlen(text) - 8, "</html>\n");
    free(text);
    free(out);
    free(err);
}

static void what_cannot_be_told_of(void **state)
{
    static const struct {
        const char *words[3];
        int status;
        const char *err;
    } lines[] = {
        {{NULL}, WCR_EXIT_ERROR, "which database?"},
        {{"/no/such.db"}, WCR_EXIT_ERROR, "/no/such.db"},
        {{fixture_path, "--campaign", "other"}, WCR_EXIT_ERROR, "other"},
        {{fixture_path, "-o", "/no/such/page.html"},
         WCR_EXIT_ERROR,
         "cannot write /no/such/page.html"},
        {{fixture_path}, WCR_EXIT_NO_DATA, "no trial of this campaign is done yet"},
    };

    (void)state;
    fixture_write("empty", NULL, 0);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char *out, *err;

        assert_int_equal(fixture_command(cmd_report, &out, &err, "report", lines[i].words[0],
                                         lines[i].words[1], lines[i].words[2], NULL),
                         lines[i].status);
        fixture_contains(err, lines[i].err);
        assert_string_equal(out, "");
        free(out);
        free(err);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_by_hand),
        TEST(says_plainly_that_none_was_wrong),
        TEST(says_plainly_that_one_was),
        TEST(an_unsound_experiment_looks_so),
        TEST(little_data),
        TEST(the_same_twice),
        TEST(names_no_other_file),
        TEST(nothing_in_the_database_is_markup),
        TEST(names_are_no_commands),
        TEST(without_gnuplot),
        TEST(to_a_file),
        TEST(what_cannot_be_told_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
