// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Catches: a merge that loses, doubles or mixes up rows, that joins what does not belong
 * together, that changes its inputs, or leaves half a file behind.
 *
 * A campaign is cut into shards by SQL, which get numbers of their own, and is merged again.
 */
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "analysis/tests/fixture.h"
#include "analysis/tests/sample.h"
#include "cli/commands.h"
#include "db/merge.h"

#define SHARDS 4

static char whole[96], merged[96], shards[SHARDS][96];

static int setup(void **state)
{
    if (fixture_setup(state))
        return -1;
    snprintf(whole, sizeof(whole), "%s/whole.db", fixture_dir);
    snprintf(merged, sizeof(merged), "%s/merged.db", fixture_dir);
    for (unsigned k = 0; k < SHARDS; k++)
        snprintf(shards[k], sizeof(shards[k]), "%s/%u.db", fixture_dir, k + 1);
    sample_write(whole, 3);
    return 0;
}

static void sql(const char *path, const char *text)
{
    char *message = NULL;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s: %s", path, text, message);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Every row of the query, "a|b\n" each; malloc'ed. */
static char *rows(const char *path, const char *text)
{
    char *ret = NULL;
    size_t size;
    FILE *f = open_memstream(&ret, &size);
    sqlite3_stmt *stmt;
    sqlite3 *db;

    assert_non_null(f);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, text, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", text, sqlite3_errmsg(db));
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++)
            fprintf(f, "%s|", (const char *)sqlite3_column_text(stmt, i));
        fputc('\n', f);
    }
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    sqlite3_close(db);
    fclose(f);
    return ret;
}

static void rows_are(const char *path, const char *text, const char *expected)
{
    char *found = rows(path, text);

    if (strcmp(found, expected) != 0)
        fail_msg("%s: %s:\n%s, not\n%s", path, text, found, expected);
    free(found);
}

static void same_rows(const char *text)
{
    char *expected = rows(whole, text);

    rows_are(merged, text, expected);
    free(expected);
}

/* Rows get the numbers 1, 2, ...: those of different shards collide. */
#define RANK(table, column, value) "(SELECT count(*) FROM " table " AS n WHERE n." column " <= " value ")"
#define RENUMBER(table, column, of) "UPDATE " table " SET " column " = " RANK(of, column, table "." column) ";"

/* The part of whole.db whose addresses are in @keep, a condition on fault_class and seed. */
static void cut(unsigned k, const char *keep)
{
    char text[6000];

    unlink(shards[k]);
    snprintf(text, sizeof(text), "VACUUM INTO '%s'", shards[k]);
    sql(whole, text);
    snprintf(text, sizeof(text),
             "PRAGMA foreign_keys = ON; DELETE FROM plan WHERE NOT (%s); "
             "DELETE FROM attempt_error WHERE NOT (%s); PRAGMA foreign_keys = OFF;"
             "UPDATE campaign SET campaign_id = %u; UPDATE environment SET campaign_id = %u;"
             "UPDATE plan SET campaign_id = %u; UPDATE trial SET campaign_id = %u;"
             "UPDATE event SET campaign_id = %u; UPDATE attempt_error SET campaign_id = %u;"
             RENUMBER("trial", "plan_id", "plan") RENUMBER("plan", "plan_id", "plan")
             RENUMBER("page_verdict", "trial_id", "trial") RENUMBER("measurement", "trial_id", "trial")
             "UPDATE event SET trial_id = " RANK("trial", "trial_id", "event.trial_id")
             " WHERE trial_id IS NOT NULL;" RENUMBER("trial", "trial_id", "trial")
             "DELETE FROM interval95; PRAGMA journal_mode = WAL;",
             keep, keep, k + 3, k + 3, k + 3, k + 3, k + 3, k + 3);
    sql(shards[k], text);
    rows_are(shards[k], "PRAGMA foreign_key_check", "");
}

static void shard(unsigned k, unsigned of)
{
    char text[200];

    snprintf(text, sizeof(text),
             "INSERT INTO event (campaign_id, kind, data_json) SELECT campaign_id, 'shard', "
             "'{\"shard\":%u,\"of\":%u}' FROM campaign", k + 1, of);
    sql(shards[k], text);
}

static void merge_says(int status, const char *words, const char *const *in)
{
    char *out, *err;

    assert_int_equal(fixture_command(cmd_merge, &out, &err, "merge", "-o", merged, in[0], in[1], in[2],
                                     in[3], NULL),
                     status);
    if (!strstr(status ? err : out, words))
        fail_msg("no '%s' in:\n%s%s", words, out, err);
    free(out);
    free(err);
}

/* All of both, but for the numbers of rows. */
static void same_campaign(void)
{
    static const char *const tables[] = {"compare", "outcomes", "effects", "pairs", "trials"};
    static const char *const views[] = {"class_compare", "class_rates", "outcome_compare", "class_errors"};
    const char *const address =
        "(SELECT fault_class || ':' || seed || ':' || mode FROM trial AS t WHERE t.trial_id = x.trial_id)";
    char text[600];

    same_rows("SELECT name, spec_text, spec_hash, executor, created_at FROM campaign");
    same_rows("SELECT hash, first_seen_at, name, value FROM environment JOIN environment_fact "
              "USING (environment_id) ORDER BY hash, name");
    same_rows("SELECT fault_class, seed, plan_index, target, plan_json, rejected, rejected_json FROM plan "
              "ORDER BY 1, 2, 3");
    same_rows("SELECT t.fault_class, t.seed, mode, status, plan_index, hash, outcome, crash_outcome, "
              "activated, pair, crash_id, attempts, error, signature, crash_pages_mapped, "
              "crash_pages_reusable, pages_reused, pages_inconsistent, pages_corrupt, inject_ns, detect_ns, "
              "wall_ns, read_sectors, reply_json, recorded_at FROM trial AS t JOIN plan USING (plan_id) "
              "LEFT JOIN environment USING (environment_id) ORDER BY 1, 2, 3");
    snprintf(text, sizeof(text), "SELECT %s, at, ordinal, pfn, inode, page_index, sector, verdict, detail "
             "FROM page_verdict AS x ORDER BY 1, 2, 3", address);
    same_rows(text);
    snprintf(text, sizeof(text), "SELECT %s, name, value, unit FROM measurement AS x ORDER BY 1, 2", address);
    same_rows(text);
    snprintf(text, sizeof(text), "SELECT %s, kind, text, data_json, at FROM event AS x "
             "WHERE kind NOT IN ('shard', 'merged') ORDER BY 1, 2, 3, 4", address);
    same_rows(text);
    same_rows("SELECT fault_class, seed, plan_index, text, console, at FROM attempt_error ORDER BY 1, 2");
    same_rows("SELECT campaign, fault_class, seed, kind, enabled_inconsistent, disabled_corrupt, rated "
              "FROM pair_summary ORDER BY 1, 2, 3");
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        snprintf(text, sizeof(text), "SELECT * FROM %s ORDER BY 1, 2, 3, 4", views[i]);
        same_rows(text);
    }
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        const char *columns = strcmp(tables[i], "trials") ? NULL
                              : "fault_class,seed,mode,status,outcome,pages_reused,pages_corrupt,plan_index,"
                                "target,symbol,crash_id,signature,error";
        char *expected, *found, *err;

        assert_int_equal(fixture_command(cmd_export, &expected, &err, "export", whole, "--table", tables[i],
                                         columns ? "--columns" : NULL, columns, NULL), 0);
        free(err);
        assert_int_equal(fixture_command(cmd_export, &found, &err, "export", merged, "--table", tables[i],
                                         columns ? "--columns" : NULL, columns, NULL), 0);
        free(err);
        assert_true(strlen(expected) > 100);
        assert_string_equal(found, expected);
        free(expected);
        free(found);
    }
    rows_are(merged, "SELECT integrity_check FROM pragma_integrity_check", "ok|\n");
    rows_are(merged, "PRAGMA foreign_key_check", "");
    rows_are(merged, "PRAGMA journal_mode", "wal|\n");
    rows_are(merged, "SELECT failures, trials FROM interval_needed EXCEPT SELECT failures, trials "
                     "FROM interval95", "");
}

static void nothing_is_left(void)
{
    glob_t found;
    char pattern[128];

    snprintf(pattern, sizeof(pattern), "%s*", merged);
    if (!glob(pattern, 0, NULL, &found))
        fail_msg("%s is there", found.gl_pathv[0]);
    globfree(&found);
}

/* Any split, in any order, and with a part that two shards have: always the whole campaign. */
static void random_splits(void **state)
{
    (void)state;
    srandom(7);
    for (unsigned round = 0; round < 6; round++) {
        unsigned salt = (unsigned)random() % 1000, n = 1 + round % SHARDS, first = (unsigned)random() % n;
        const char *in[SHARDS] = {NULL};

        for (unsigned k = 0; k < n; k++) {
            char keep[200];

            /* Some addresses are also in the next shard. */
            snprintf(keep, sizeof(keep),
                     "(unicode(fault_class) * 31 + length(fault_class) + seed * 17 + %u) %% %u = %u OR "
                     "(%u AND seed %% 3 = 2 AND (unicode(fault_class) + %u) %% %u = %u)",
                     salt, n, k, round > 2, salt, n, k);
            cut(k, keep);
            shard(k, n);
            in[(k + first) % n] = shards[k];
        }
        unlink(merged);
        merge_says(WCR_EXIT_OK, round > 2 && n > 1 ? "in more than one" : "merged.db: ", in);
        same_campaign();
        rows_are(merged, "SELECT count(*) FROM event WHERE kind = 'shard'", "0|\n");
    }
}

static const char *const halves[] = {"seed % 2 = 0", "seed % 2 = 1"};

static void cut_halves(void)
{
    for (unsigned k = 0; k < 2; k++)
        cut(k, halves[k]);
}

/* A merged file can be merged again; what is missing is told. */
static void in_two_steps(void **state)
{
    char *out, *err;
    char part[96];

    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        char keep[40];

        snprintf(keep, sizeof(keep), "seed %% 4 = %u", k);
        cut(k, keep);
        shard(k, 4);
    }
    snprintf(part, sizeof(part), "%s/part.db", fixture_dir);
    assert_int_equal(fixture_command(cmd_merge, &out, &err, "merge", "-o", part, "--json", shards[2],
                                     shards[0], NULL), 0);
    assert_string_equal(err, "");
    fixture_contains(out, "\"files\": 2, ");
    fixture_contains(out, "\"shards\": 4, \"missing\": [2, 4], \"differing\": []}");
    free(out);
    free(err);
    merge_says(WCR_EXIT_OK, "missing of 4 shards: 4\n", (const char *[]){part, shards[1], NULL, NULL});
    unlink(merged);
    merge_says(WCR_EXIT_OK, "merged.db: ", (const char *[]){shards[3], shards[1], part, NULL});
    same_campaign();
    rows_are(merged, "SELECT count(*), count(DISTINCT data_json ->> '$.shard') FROM event "
                     "WHERE kind = 'merged' AND data_json ->> '$.of' = 4", "4|4|\n");
}

/* What a run that goes on has only in its log comes along; the files stay as they are. */
static void inputs_are_only_read(void **state)
{
    sqlite3 *writer;
    char *before, *after;

    (void)state;
    cut_halves();
    before = rows(shards[1], "SELECT sum(length(text)), count(*), min(event_id) FROM event");
    assert_int_equal(sqlite3_open(shards[0], &writer), SQLITE_OK);
    sqlite3_exec(writer, "PRAGMA wal_autocheckpoint = 0; UPDATE campaign SET wcr_version = 'in the log'; "
                         "BEGIN IMMEDIATE; DELETE FROM trial", NULL, NULL, NULL);
    merge_says(WCR_EXIT_OK, "merged.db: ", (const char *[]){shards[0], shards[1], NULL, NULL});
    sqlite3_exec(writer, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(writer);
    rows_are(merged, "SELECT wcr_version FROM campaign", "in the log|\n");
    same_campaign();
    after = rows(shards[1], "SELECT sum(length(text)), count(*), min(event_id) FROM event");
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void a_result_wins_over_an_error(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 2; order++) {
        cut_halves();
        /* The second has the trials of the first, too, as errors with a console. */
        cut(1, "true");
        sql(shards[1],
            "UPDATE trial SET status = 'error', error = 'lost', outcome = NULL WHERE seed % 2 = 0 AND "
            "status = 'done';"
            "UPDATE event SET kind = 'error_console' WHERE trial_id IN (SELECT trial_id FROM trial WHERE "
            "error = 'lost')");
        unlink(merged);
        merge_says(WCR_EXIT_OK, "merged.db: ",
                   (const char *[]){shards[order], shards[!order], NULL, NULL});
        same_campaign();
    }
}

static void different_ones_are_refused(void **state)
{
    /* Both halves have the trials of seed 2. */
    static const struct {
        const char *change, *words;
    } cases[] = {
        {"UPDATE campaign SET name = 'other'", "holds campaign 'sample', and "},
        {"UPDATE campaign SET spec_hash = 'x'", "of different specifications"},
        {"UPDATE campaign SET executor = 'xen'", "by the executor 'testbed', and "},
        {"UPDATE event SET data_json = json_set(data_json, '$.build_id', 'x') WHERE kind = 'profile'",
         "another profile than those of the files before it ('build_id' differs)"},
        {"UPDATE plan SET plan_json = '{}' WHERE fault_class = 'PTR' AND seed = 2",
         "2.db: a plan is not that of a file before it; was the kernel another?: PTR:2:0"},
        {"UPDATE trial SET pages_reused = pages_reused - 1 WHERE fault_class = 'PTR' AND seed = 2 AND "
         "mode = 'disabled'",
         "2.db: a trial was also carried out for a file before it, with another result: PTR:2:disabled"},
        {"UPDATE trial SET outcome = 'hang' WHERE seed = 2 AND fault_class = 'PANIC'",
         "PANIC:2:disabled, and others"},
        {"DELETE FROM trial WHERE seed = 2 AND fault_class = 'BR'; UPDATE plan SET rejected = 'refused' "
         "WHERE seed = 2 AND fault_class = 'BR'",
         "a plan was rejected in one of the files and led to a result in another: BR:2:0"},
        {"PRAGMA user_version = 99", "written by a newer wcr"},
        {"PRAGMA application_id = 99", "not one of wcr"},
        {"DELETE FROM campaign", "no campaign in it"},
        {"INSERT INTO campaign (name, spec_text, spec_hash, executor) VALUES ('b', '', '', '')",
         "several campaigns in it, choose with --campaign"},
    };
    char log[104];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cut_halves();
        cut(1, "seed % 2 = 1 OR seed = 2");
        sql(shards[1], cases[i].change);
        merge_says(WCR_EXIT_ERROR, cases[i].words, (const char *[]){shards[0], shards[1], NULL, NULL});
        nothing_is_left();
    }
    cut_halves();
    sql(shards[0], "UPDATE campaign SET spec_json = '{\"classes\":[{\"rate\":1}]}', spec_hash = 'x'");
    sql(shards[1], "UPDATE campaign SET spec_json = '{\"classes\":[{\"rate\":2}]}', spec_hash = 'y'");
    merge_says(WCR_EXIT_ERROR, "different specifications: 'classes[0].rate' differs",
               (const char *[]){shards[0], shards[1], NULL, NULL});
    merge_says(WCR_EXIT_ERROR, "no such file", (const char *[]){shards[0], shards[2], NULL, NULL});
    nothing_is_left();
    sql(merged, "CREATE TABLE mine (x)");
    merge_says(WCR_EXIT_ERROR, "merged.db: is there already", (const char *[]){whole, NULL, NULL, NULL});
    rows_are(merged, "SELECT count(*) FROM mine", "0|\n");
    snprintf(log, sizeof(log), "%s-wal", merged);
    assert_int_equal(rename(merged, log), 0);
    merge_says(WCR_EXIT_ERROR, "merged.db-wal: is there already", (const char *[]){whole, NULL, NULL, NULL});
}

/* The same file twice is the same trials. */
static void twice(void **state)
{
    (void)state;
    merge_says(WCR_EXIT_OK, "126 trials from 2 files, 126 of them in more than one", (const char *[]){whole, whole, NULL, NULL});
    same_campaign();
}

static void command_lines(void **state)
{
    char *out, *err;

    (void)state;
    assert_int_equal(fixture_command(cmd_merge, &out, &err, "merge", whole, NULL), WCR_EXIT_ERROR);
    fixture_contains(err, "-o FILE is missing");
    free(out);
    free(err);
    assert_int_equal(fixture_command(cmd_merge, &out, &err, "merge", "-o", merged, NULL), WCR_EXIT_ERROR);
    fixture_contains(err, "which databases?");
    free(out);
    free(err);
}

static void machines_that_differ_are_told(void **state)
{
    (void)state;
    cut_halves();
    sql(shards[1], "UPDATE environment SET hash = 'another'; "
                   "UPDATE environment_fact SET value = 'other' WHERE name IN ('xen', 'qemu')");
    merge_says(WCR_EXIT_OK, "the machines of the trials differ in: qemu, xen\n",
               (const char *[]){shards[0], shards[1], NULL, NULL});
    rows_are(merged, "SELECT count(DISTINCT environment_id) FROM trial", "2|\n");
}

/* Killed at any moment, there is a whole file or none. */
static void killed(void **state)
{
    unsigned kills = 0;

    (void)state;
    cut_halves();
    srandom(3);
    for (unsigned i = 0; i < 400 && kills < 12; i++) {
        pid_t pid = fork();
        int status;

        if (!pid) {
            const char *const in[] = {shards[0], shards[1]};
            struct db_merge m;

            _exit(db_merge(merged, in, 2, NULL, &m, NULL) ? 1 : 0);
        }
        usleep((useconds_t)(random() % 60000));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        kills += WIFSIGNALED(status);
        assert_true(WIFSIGNALED(status) || !WEXITSTATUS(status));
        if (WIFSIGNALED(status) && access(merged, F_OK))
            continue;
        same_campaign();
        unlink(merged);
    }
    assert_int_equal(kills, 12);
    merge_says(WCR_EXIT_OK, "merged.db: ", (const char *[]){shards[0], shards[1], NULL, NULL});
    same_campaign();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(random_splits),
        TEST(in_two_steps),
        TEST(inputs_are_only_read),
        TEST(a_result_wins_over_an_error),
        TEST(different_ones_are_refused),
        TEST(twice),
        TEST(command_lines),
        TEST(machines_that_differ_are_told),
        TEST(killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
