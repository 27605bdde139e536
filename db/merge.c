// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each file is copied into the attached, temporary database "source"; there its campaign gets
 * the number it has in the new file, 1, and all others are removed. What is then in both is
 * compared, and the rest is inserted by a few statements; maps tell which row became which.
 *
 * The new file is written under another name, which it loses when it is complete.
 */
#include "db/merge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/private.h"

struct merge {
    struct db *out;
    const char *path;       /* of the file being joined */
    const char *first;      /* of the first one; NULL: this is it */
    struct db_merge *result;
};

static const char begin_sql[] =
    "ATTACH '' AS source;"
    "CREATE TEMP TABLE environment_map (old INTEGER PRIMARY KEY, new INTEGER);"
    "CREATE TEMP TABLE plan_map (old INTEGER PRIMARY KEY, new INTEGER);"
    "CREATE TEMP TABLE trial_map (old INTEGER PRIMARY KEY, new INTEGER);";

/* ?1: the campaign. The children follow their parent before the transaction ends. */
static const char *const isolate_sql[] = {
    "DELETE FROM source.campaign WHERE campaign_id <> ?1",
    "UPDATE source.campaign SET campaign_id = 1",
    "UPDATE source.environment SET campaign_id = 1",
    "UPDATE source.plan SET campaign_id = 1",
    "UPDATE source.trial SET campaign_id = 1",
    "UPDATE source.event SET campaign_id = 1",
    "UPDATE source.attempt_error SET campaign_id = 1",
};

/*
 * "{table}" stands for the names of that table's columns, without those that number rows; so
 * columns of later schemas come along.
 */
static const char *const join_sql[] = {
    "DELETE FROM environment_map",
    "DELETE FROM plan_map",
    "DELETE FROM trial_map",

    "INSERT INTO main.environment ({environment}) SELECT {environment} FROM source.environment "
    "WHERE true ON CONFLICT (campaign_id, hash) DO UPDATE SET "
    "first_seen_at = min(first_seen_at, excluded.first_seen_at)",
    "INSERT INTO environment_map SELECT s.environment_id, o.environment_id "
    "FROM source.environment AS s JOIN main.environment AS o USING (hash)",
    "INSERT OR IGNORE INTO main.environment_fact (environment_id, {environment_fact}) "
    "SELECT new, {environment_fact} FROM source.environment_fact JOIN environment_map "
    "ON old = environment_id",

    "INSERT INTO main.plan ({plan}) SELECT {plan} FROM source.plan WHERE true ORDER BY plan_id "
    "ON CONFLICT (campaign_id, fault_class, seed, plan_index) DO UPDATE SET "
    "rejected = coalesce(rejected, excluded.rejected), "
    "rejected_json = coalesce(rejected_json, excluded.rejected_json)",
    "INSERT INTO plan_map SELECT s.plan_id, o.plan_id FROM source.plan AS s "
    "JOIN main.plan AS o USING (fault_class, seed, plan_index)",

    /* A result takes the place of an experiment error. */
    "DELETE FROM main.trial AS o WHERE status = 'error' AND EXISTS (SELECT 1 FROM source.trial AS s "
    "WHERE s.campaign_id = 1 AND s.fault_class = o.fault_class AND s.seed = o.seed AND "
    "s.mode = o.mode AND s.status = 'done')",
    "INSERT INTO trial_map (old) SELECT trial_id FROM source.trial AS s WHERE NOT EXISTS "
    "(SELECT 1 FROM main.trial AS o WHERE o.campaign_id = 1 AND o.fault_class = s.fault_class AND "
    "o.seed = s.seed AND o.mode = s.mode)",
    "INSERT INTO main.trial (plan_id, environment_id, {trial}) SELECT p.new, e.new, {trial} "
    "FROM source.trial JOIN trial_map AS t ON t.old = trial_id JOIN plan_map AS p ON p.old = plan_id "
    "LEFT JOIN environment_map AS e ON e.old = environment_id ORDER BY trial_id",
    "UPDATE trial_map SET new = (SELECT o.trial_id FROM source.trial AS s "
    "JOIN main.trial AS o USING (campaign_id, fault_class, seed, mode) WHERE s.trial_id = old)",

    "INSERT INTO main.page_verdict (trial_id, {page_verdict}) SELECT new, {page_verdict} "
    "FROM source.page_verdict JOIN trial_map ON old = trial_id",
    "INSERT INTO main.measurement (trial_id, {measurement}) SELECT new, {measurement} "
    "FROM source.measurement JOIN trial_map ON old = trial_id",
    "INSERT INTO main.event (trial_id, {event}) SELECT new, {event} "
    "FROM source.event JOIN trial_map ON old = trial_id ORDER BY event_id",

    /* What belongs to no trial has no address: copies of one row are the same in everything. */
    "INSERT INTO main.event ({event}) SELECT {event} FROM source.event AS s WHERE trial_id IS NULL "
    "AND kind <> 'shard' AND NOT EXISTS (SELECT 1 FROM main.event AS o WHERE o.trial_id IS NULL AND "
    "o.kind = s.kind AND (s.kind = 'profile' OR (o.text, o.data_json, o.at) IS "
    "(s.text, s.data_json, s.at))) ORDER BY event_id",
    "INSERT INTO main.attempt_error ({attempt_error}) SELECT {attempt_error} "
    "FROM source.attempt_error AS s WHERE NOT EXISTS (SELECT 1 FROM main.attempt_error AS o "
    "WHERE o.campaign_id = 1 AND o.fault_class = s.fault_class AND o.seed = s.seed AND "
    "(o.plan_index, o.text, o.console, o.at) IS (s.plan_index, s.text, s.console, s.at)) "
    "ORDER BY attempt_error_id",
};

static const char *column(sqlite3_stmt *stmt, int i)
{
    return (const char *)sqlite3_column_text(stmt, i);
}

/* db_prepare, with the names of columns in the place of "{table}". */
static int prepare_expanded(struct db *db, sqlite3_stmt **ret, const char *sql, struct err *err)
{
    cleanup_stmt sqlite3_stmt *expand = NULL;
    int r = db_prepare(db, &expand, err,
                       "WITH RECURSIVE tables(n, name, columns) AS (SELECT row_number() OVER (), t.name, "
                       "(SELECT group_concat(c.name, ', ') FROM pragma_table_info(t.name) AS c WHERE "
                       "c.name NOT IN ('environment_id', 'plan_id', 'trial_id', 'event_id', "
                       "'attempt_error_id')) FROM pragma_table_list AS t "
                       "WHERE t.schema = 'main' AND t.type = 'table'), "
                       "expanded(n, sql) AS (SELECT 0, ? UNION ALL "
                       "SELECT e.n + 1, replace(e.sql, '{' || t.name || '}', t.columns) "
                       "FROM expanded AS e JOIN tables AS t ON t.n = e.n + 1) "
                       "SELECT sql FROM expanded ORDER BY n DESC LIMIT 1", "t", sql);

    *ret = NULL;
    if (!r)
        r = db_step(db, expand, err);
    return r < 0 ? r : db_prepare(db, ret, err, column(expand, 0), "");
}

static int exec_expanded(struct db *db, const char *sql, struct err *err)
{
    cleanup_stmt sqlite3_stmt *stmt = NULL;
    int r = prepare_expanded(db, &stmt, sql, err);

    return r ? r : db_step(db, stmt, err);
}

/* ---- what must be the same ---- */

static int compare_campaigns(const struct merge *m, struct err *err)
{
    cleanup_stmt sqlite3_stmt *stmt = NULL;
    char where[200] = "";
    int r = db_prepare(m->out, &stmt, err,
                       "SELECT o.name, s.name, o.executor, s.executor, o.spec_json, s.spec_json, "
                       "o.spec_hash = s.spec_hash, "
                       "(SELECT data_json FROM main.event WHERE kind = 'profile'), "
                       "(SELECT data_json FROM source.event WHERE kind = 'profile' ORDER BY event_id) "
                       "FROM main.campaign AS o, source.campaign AS s", "");

    if (!r)
        r = db_step(m->out, stmt, err);
    if (r < 0)
        return r;
    if (strcmp(column(stmt, 0), column(stmt, 1)) != 0)
        return err_set(err, EEXIST, "%s holds campaign '%s', and %s '%s': only parts of one campaign "
                       "can be merged", m->first, column(stmt, 0), m->path, column(stmt, 1));
    if (!sqlite3_column_int(stmt, 6)) {
        db_json_difference(column(stmt, 4), column(stmt, 5), where, sizeof(where));
        return err_set(err, EEXIST, "%s and %s hold campaigns '%s' of different specifications%s%s%s",
                       m->first, m->path, column(stmt, 0), *where ? ": '" : "", where,
                       *where ? "' differs" : "");
    }
    if (strcmp(column(stmt, 2), column(stmt, 3)) != 0)
        return err_set(err, EEXIST, "%s was run by the executor '%s', and %s by '%s'", m->first,
                       column(stmt, 2), m->path, column(stmt, 3));
    if (column(stmt, 7) && column(stmt, 8) &&
        db_json_difference(column(stmt, 7), column(stmt, 8), where, sizeof(where)))
        return err_set(err, EEXIST, "%s: its plans were drawn from another profile than those of the "
                       "files before it ('%s' differs)", m->path, where);
    return 0;
}

/*
 * A row of @sql is a difference: class, seed, index or mode, and how many there are. @what: the
 * message, which these follow.
 */
static int refuse_rows(const struct merge *m, const char *sql, const char *what, struct err *err)
{
    cleanup_stmt sqlite3_stmt *stmt = NULL;
    int r = prepare_expanded(m->out, &stmt, sql, err);

    if (!r)
        r = db_step(m->out, stmt, err);
    if (r <= 0)
        return r;
    return err_set(err, EEXIST, "%s: %s: %s:%s:%s%s", m->path, what, column(stmt, 0), column(stmt, 1),
                   column(stmt, 2), sqlite3_column_int(stmt, 3) > 1 ? ", and others" : "");
}

/* Trials that are done in both, as rows that are equal where the trials are. */
#define DONE_IN_BOTH(here, there)                                                                  \
    "SELECT {trial}, (SELECT plan_index FROM " here ".plan AS p WHERE p.plan_id = t.plan_id) "      \
    "FROM " here ".trial AS t WHERE status = 'done' AND EXISTS (SELECT 1 FROM " there ".trial AS o " \
    "WHERE o.campaign_id = 1 AND o.fault_class = t.fault_class AND o.seed = t.seed AND "            \
    "o.mode = t.mode AND o.status = 'done')"

static int compare_rows(const struct merge *m, struct err *err)
{
    int r = refuse_rows(m,
                        "SELECT s.fault_class, s.seed, s.plan_index, count(*) OVER () "
                        "FROM source.plan AS s JOIN main.plan AS o USING (fault_class, seed, plan_index) "
                        "WHERE s.plan_json IS NOT o.plan_json",
                        "a plan is not that of a file before it; was the kernel another?", err);

    if (!r)
        r = refuse_rows(m,
                        "SELECT fault_class, seed, mode, count(*) OVER () FROM ("
                        DONE_IN_BOTH("source", "main") " EXCEPT " DONE_IN_BOTH("main", "source") ")",
                        "a trial was also carried out for a file before it, with another result", err);
    return r;
}

/* A plan is rejected, or led to a result: not in a file each. */
static int compare_rejections(const struct merge *m, struct err *err)
{
    return refuse_rows(m,
                       "SELECT p.fault_class, p.seed, p.plan_index, count(*) OVER () "
                       "FROM main.plan AS p JOIN main.trial AS t USING (plan_id) "
                       "WHERE p.rejected IS NOT NULL AND t.status = 'done'",
                       "a plan was rejected in one of the files and led to a result in another", err);
}

/* ---- joining ---- */

static int isolate(const struct merge *m, int64_t campaign, struct err *err)
{
    int r = db_exec(m->out, err, "PRAGMA defer_foreign_keys = ON", "");

    for (size_t i = 0; i < sizeof(isolate_sql) / sizeof(isolate_sql[0]) && !r; i++)
        r = db_exec(m->out, err, isolate_sql[i], i ? "" : "i", campaign);
    return r;
}

/* Where each part came from: of a file that was itself merged, the parts are there already. */
static int note_origin(const struct merge *m, struct err *err)
{
    return db_exec(m->out, err,
                   "INSERT INTO main.event (campaign_id, kind, data_json) SELECT 1, 'merged', "
                   "json_object('file', ?, 'shard', s.data_json -> '$.shard', 'of', "
                   "s.data_json -> '$.of', 'trials', (SELECT count(*) FROM trial_map)) "
                   "FROM (SELECT 1) LEFT JOIN source.event AS s ON s.kind = 'shard' LIMIT 1",
                   "t", m->path);
}

static int join(struct merge *m, int64_t campaign, struct err *err)
{
    int64_t twice;
    bool found;
    int r = isolate(m, campaign, err);

    if (!r)
        r = m->first ? compare_campaigns(m, err)
                     : exec_expanded(m->out, "INSERT INTO main.campaign ({campaign}) "
                                     "SELECT {campaign} FROM source.campaign", err);
    if (!r)
        r = compare_rows(m, err);
    for (size_t i = 0; i < sizeof(join_sql) / sizeof(join_sql[0]) && !r; i++)
        r = exec_expanded(m->out, join_sql[i], err);
    if (!r)
        r = compare_rejections(m, err);
    if (!r)
        r = note_origin(m, err);
    if (!r)
        r = db_value(m->out, &twice, &found, err,
                     "SELECT count(*) - (SELECT count(*) FROM trial_map JOIN source.trial ON "
                     "trial_id = old WHERE status = 'done') FROM source.trial WHERE status = 'done'", "");
    if (!r)
        m->result->twice += twice;
    return r;
}

static int add_file(struct merge *m, const char *campaign_name, struct err *err)
{
    int64_t campaign;
    struct db *in;
    int r = db_open(m->path, DB_READ, &in, err);

    if (r)
        return r;
    r = db_campaign_find(in, campaign_name, &campaign, err);
    if (!r)
        r = db_copy(in, m->out, "source", err);
    db_close(in);
    if (!r)
        r = db_begin(m->out, err);
    return r ? r : db_end(m->out, join(m, campaign, err), err);
}

/* ---- what became of it ---- */

/* The list that @sql's first row has as JSON. */
static int list_of(struct db *db, const char *sql, json_t **ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *stmt = NULL;
    int r = db_prepare(db, &stmt, err, sql, "");

    if (!r)
        r = db_step(db, stmt, err);
    if (r < 0)
        return r;
    *ret = json_loads(column(stmt, 0), 0, NULL);
    return *ret ? 0 : err_set(err, ENOMEM, "out of memory");
}

static int describe(const struct merge *m, struct err *err)
{
    struct db_merge *res = m->result;
    struct db *db = m->out;
    bool found;
    int r = db_value(db, &res->trials, &found, err,
                     "SELECT count(*) FROM trial WHERE status = 'done'", "");

    if (!r)
        r = db_value(db, &res->errors, &found, err,
                     "SELECT count(*) FROM trial WHERE status = 'error'", "");
    if (!r)
        r = db_value(db, &res->shards, &found, err,
                     "SELECT iif(min(n) = max(n), min(n), 0) FROM (SELECT data_json ->> '$.of' AS n "
                     "FROM event WHERE kind = 'merged')", "");
    if (!r && res->shards == DB_UNKNOWN)
        res->shards = 0;
    if (!r)
        r = list_of(db,
                    "WITH RECURSIVE given AS (SELECT data_json ->> '$.shard' AS number, "
                    "data_json ->> '$.of' AS n FROM event WHERE kind = 'merged' AND n IS NOT NULL), "
                    "every(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM every "
                    "WHERE number < (SELECT max(n) FROM given)) SELECT json_group_array(number) "
                    "FROM every WHERE number NOT IN (SELECT number FROM given) AND "
                    "(SELECT count(DISTINCT n) FROM given) = 1",
                    &res->missing, err);
    if (!r)
        r = list_of(db,
                    "SELECT json_group_array(name) FROM (SELECT name FROM environment_fact "
                    "GROUP BY name HAVING count(DISTINCT value) > 1 ORDER BY name)",
                    &res->differing, err);
    return r;
}

static int merge_all(struct merge *m, const char *const *paths, size_t len, const char *campaign,
                     struct err *err)
{
    int r = sqlite3_exec(m->out->sql, begin_sql, NULL, NULL, NULL) == SQLITE_OK
                ? 0 : db_fail(m->out, NULL, err);

    for (size_t i = 0; i < len && !r; i++) {
        m->path = paths[i];
        m->first = i ? paths[0] : NULL;
        r = add_file(m, campaign, err);
    }
    if (!r)
        r = db_intervals_put(m->out, 1, NULL, err);
    return r ? r : describe(m, err);
}

static void remove_file(const char *path)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    char name[4200];

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", path, parts[i]);
        unlink(name);
    }
}

/* Not even a log may be there: SQLite would take it for the new file's. */
static int check_free(const char *out, struct err *err)
{
    char log[4200];

    snprintf(log, sizeof(log), "%s-wal", out);
    for (size_t i = 0; i < 2; i++)
        if (!access(i ? log : out, F_OK))
            return err_set(err, EEXIST, "%s: is there already; give the merged database another name",
                           i ? log : out);
    return 0;
}

/* What the log still has must be in the file before this gets its name. */
static int complete(struct db *db, struct err *err)
{
    int rc = sqlite3_wal_checkpoint_v2(db->sql, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

    return rc == SQLITE_OK ? 0 : db_fail(db, NULL, err);
}

static int merge_into(const char *temporary, const char *out, struct merge *m,
                      const char *const *paths, size_t len, const char *campaign, struct err *err)
{
    int r = db_open(temporary, DB_WRITE, &m->out, err);

    if (r)
        return r;
    r = merge_all(m, paths, len, campaign, err);
    if (!r)
        r = complete(m->out, err);
    db_close(m->out);
    if (!r && rename(temporary, out))
        r = err_set(err, errno, "%s: %s", out, strerror(errno));
    return r;
}

int db_merge(const char *out, const char *const *paths, size_t len, const char *campaign,
             struct db_merge *ret, struct err *err)
{
    struct merge m = {.result = ret};
    char *temporary;
    int r;

    *ret = (struct db_merge){0};
    r = check_free(out, err);
    if (r)
        return r;
    if (asprintf(&temporary, "%s.%d.tmp", out, (int)getpid()) < 0)
        return err_set(err, ENOMEM, "out of memory");
    remove_file(temporary);
    r = merge_into(temporary, out, &m, paths, len, campaign, err);
    remove_file(temporary);
    free(temporary);
    if (r)
        db_merge_done(ret);
    return r;
}

void db_merge_done(struct db_merge *merge)
{
    json_decref(merge->missing);
    json_decref(merge->differing);
    *merge = (struct db_merge){0};
}
