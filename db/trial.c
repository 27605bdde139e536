// SPDX-License-Identifier: GPL-2.0-or-later
/* Plans and trials. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/private.h"

/* The columns of `trial` that are copied as they are. */
static const struct column {
    const char *name;
    char type;          /* as in db_prepare */
    size_t offset;
} columns[] = {
#define TEXT_COLUMN(name, field) {name, 't', offsetof(struct db_trial, field)}
#define INT_COLUMN(name, field) {name, 'i', offsetof(struct db_trial, field)}
    TEXT_COLUMN("mode", mode),
    TEXT_COLUMN("outcome", outcome),
    TEXT_COLUMN("crash_outcome", crash_outcome),
    TEXT_COLUMN("pair", pair),
    TEXT_COLUMN("crash_id", crash_id),
    TEXT_COLUMN("signature", signature),
    TEXT_COLUMN("shutdown_reason", shutdown_reason),
    TEXT_COLUMN("reply_json", reply_json),
    INT_COLUMN("crash_pages_mapped", at_crash.mapped),
    INT_COLUMN("crash_pages_reusable", at_crash.reusable),
    INT_COLUMN("crash_pages_checked", at_crash.checked),
    INT_COLUMN("crash_pages_consistent", at_crash.consistent),
    INT_COLUMN("crash_pages_inconsistent", at_crash.inconsistent),
    INT_COLUMN("crash_pages_corrupt", at_crash.corrupt),
    INT_COLUMN("crash_pages_stale_disk", at_crash.stale_disk),
    INT_COLUMN("crash_pages_unknown", at_crash.unknown),
    INT_COLUMN("crash_pages_unreadable", at_crash.unreadable),
    INT_COLUMN("pages_mapped", at_reboot.mapped),
    INT_COLUMN("pages_reusable", at_reboot.reusable),
    INT_COLUMN("pages_retained", at_reboot.retained),
    INT_COLUMN("pages_reused", at_reboot.reused),
    INT_COLUMN("pages_checked", at_reboot.checked),
    INT_COLUMN("pages_consistent", at_reboot.consistent),
    INT_COLUMN("pages_inconsistent", at_reboot.inconsistent),
    INT_COLUMN("pages_corrupt", at_reboot.corrupt),
    INT_COLUMN("pages_stale_disk", at_reboot.stale_disk),
    INT_COLUMN("pages_unknown", at_reboot.unknown),
    INT_COLUMN("pages_unreadable", at_reboot.unreadable),
    INT_COLUMN("pages_modified", at_reboot.modified),
    INT_COLUMN("inject_ns", inject_ns),
    INT_COLUMN("activated_ns", activated_ns),
    INT_COLUMN("detect_ns", detect_ns),
    INT_COLUMN("reboot_ns", reboot_ns),
    INT_COLUMN("verify_ns", verify_ns),
    INT_COLUMN("wall_ns", wall_ns),
    INT_COLUMN("read_sectors", read_sectors),
    INT_COLUMN("files_read", files_read),
    INT_COLUMN("read_errors", read_errors),
    INT_COLUMN("content_errors", content_errors),
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void counts_init(struct db_counts *c)
{
    *c = (struct db_counts){DB_UNKNOWN, DB_UNKNOWN, DB_UNKNOWN, DB_UNKNOWN, DB_UNKNOWN, DB_UNKNOWN,
                            DB_UNKNOWN, DB_UNKNOWN, DB_UNKNOWN, DB_UNKNOWN, DB_UNKNOWN, DB_UNKNOWN};
}

void db_trial_init(struct db_trial *trial)
{
    *trial = (struct db_trial){.activated = -1, .attempts = 1};
    counts_init(&trial->at_crash);
    counts_init(&trial->at_reboot);
    for (size_t i = 0; i < COLUMNS; i++)
        if (columns[i].type == 'i')
            *(int64_t *)((char *)trial + columns[i].offset) = DB_UNKNOWN;
}

static int check_seed(const struct db_plan *plan, struct err *err)
{
    if (plan->seed > INT64_MAX)
        return err_set(err, EINVAL, "%s: seed %llu is too large (at most %lld)", plan->fault_class,
                       (unsigned long long)plan->seed, (long long)INT64_MAX);
    return 0;
}

/* ---- plans ---- */

/* Plans are drawn anew when a campaign goes on: the same seed must give the same bytes. */
static int plan_changed(struct db *db, int64_t id, const struct db_plan *plan, struct err *err)
{
    bool used;
    int64_t n;
    int r;

    r = db_value(db, &n, &used, err, "SELECT 1 FROM trial WHERE plan_id = ? AND status = 'done'", "i",
                 id);
    if (r)
        return r;
    if (used)
        return err_set(err, EEXIST,
                       "%s: plan %s, seed %llu, index %u differs from the one that a finished trial "
                       "used; was the kernel rebuilt since? Begin a new campaign",
                       db->path, plan->fault_class, (unsigned long long)plan->seed, plan->index);
    return db_exec(db, err, "UPDATE plan SET plan_json = ?, target = ? WHERE plan_id = ?", "tti",
                   plan->json, plan->target, id);
}

static int plan_put(struct db *db, int64_t campaign, const struct db_plan *plan, int64_t *ret_id,
                    struct err *err)
{
    cleanup_stmt sqlite3_stmt *find = NULL;
    int r;

    r = db_prepare(db, &find, err,
                   "SELECT plan_id, plan_json IS ? FROM plan "
                   "WHERE campaign_id = ? AND fault_class = ? AND seed = ? AND plan_index = ?",
                   "titii", plan->json, campaign, plan->fault_class, (int64_t)plan->seed,
                   (int64_t)plan->index);
    if (!r)
        r = db_step(db, find, err);
    if (r < 0)
        return r;
    if (r) {
        *ret_id = sqlite3_column_int64(find, 0);
        return sqlite3_column_int(find, 1) ? 0 : plan_changed(db, *ret_id, plan, err);
    }
    r = db_exec(db, err,
                "INSERT INTO plan (campaign_id, fault_class, seed, plan_index, target, plan_json) "
                "VALUES (?1, ?2, ?3, ?4, coalesce(?5, ?6 ->> '$.target'), ?6)",
                "itiitt", campaign, plan->fault_class, (int64_t)plan->seed, (int64_t)plan->index,
                plan->target, plan->json);
    *ret_id = sqlite3_last_insert_rowid(db->sql);
    return r;
}

static int plan_reject(struct db *db, int64_t campaign, const struct db_plan *plan, const char *why,
                       const char *detail_json, struct err *err)
{
    int64_t id = 0;
    int r = plan_put(db, campaign, plan, &id, err);

    if (r)
        return r;
    return db_exec(db, err, "UPDATE plan SET rejected = ?, rejected_json = ? WHERE plan_id = ?",
                   "tti", why, detail_json, id);
}

int db_plan_reject(struct db *db, int64_t campaign, const struct db_plan *plan, const char *why,
                   const char *detail_json, struct err *err)
{
    int r = check_seed(plan, err);

    if (!r)
        r = db_begin(db, err);
    if (r)
        return r;
    return db_end(db, plan_reject(db, campaign, plan, why, detail_json, err), err);
}

/* ---- trials ---- */

/* What is there of this address: *ret_id 0 is nothing. */
static int trial_find(struct db *db, int64_t campaign, const struct db_plan *plan, const char *mode,
                      int64_t *ret_id, bool *ret_done, struct err *err)
{
    cleanup_stmt sqlite3_stmt *find = NULL;
    int r;

    *ret_id = 0;
    *ret_done = false;
    r = db_prepare(db, &find, err,
                   "SELECT trial_id, status = 'done' FROM trial "
                   "WHERE campaign_id = ? AND fault_class = ? AND seed = ? AND mode = ?",
                   "itit", campaign, plan->fault_class, (int64_t)plan->seed, mode);
    if (!r)
        r = db_step(db, find, err);
    if (r <= 0)
        return r;
    *ret_id = sqlite3_column_int64(find, 0);
    *ret_done = sqlite3_column_int(find, 1);
    return 0;
}

/* One that ended in an error makes room; the new one takes its id. */
static int trial_remove(struct db *db, int64_t id, struct err *err)
{
    return id ? db_exec(db, err, "DELETE FROM trial WHERE trial_id = ?", "i", id) : 0;
}

static char *insert_sql(void)
{
    char *sql = NULL;
    size_t size;
    FILE *f = open_memstream(&sql, &size);

    if (!f)
        return NULL;
    fputs("INSERT INTO trial (trial_id, campaign_id, plan_id, fault_class, seed, status, activated, "
          "attempts, environment_id",
          f);
    for (size_t i = 0; i < COLUMNS; i++)
        fprintf(f, ", %s", columns[i].name);
    fputs(") VALUES (?, ?, ?, ?, ?, 'done', ?, ?, ?", f);
    for (size_t i = 0; i < COLUMNS; i++)
        fputs(", ?", f);
    fputc(')', f);
    if (fclose(f)) {
        free(sql);
        return NULL;
    }
    return sql;
}

static void bind_columns(sqlite3_stmt *stmt, int first, const struct db_trial *trial)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        const void *field = (const char *)trial + columns[i].offset;
        int at = first + (int)i;

        if (columns[i].type == 't')
            sqlite3_bind_text(stmt, at, *(const char *const *)field, -1, SQLITE_STATIC);
        else if (*(const int64_t *)field != DB_UNKNOWN)
            sqlite3_bind_int64(stmt, at, *(const int64_t *)field);
    }
}

static int trial_insert(struct db *db, const struct db_trial *t, int64_t old_id, int64_t plan_id,
                        int64_t *ret_id, struct err *err)
{
    cleanup_stmt sqlite3_stmt *stmt = NULL;
    char *sql = insert_sql();
    int r;

    if (!sql)
        return err_set(err, ENOMEM, "out of memory");
    r = db_prepare(db, &stmt, err, sql, "iiitiiii", old_id ? old_id : DB_UNKNOWN, t->campaign,
                   plan_id, t->plan.fault_class, (int64_t)t->plan.seed,
                   t->activated < 0 ? DB_UNKNOWN : (int64_t)t->activated, (int64_t)t->attempts,
                   t->environment ? t->environment : DB_UNKNOWN);
    free(sql);
    if (r)
        return r;
    bind_columns(stmt, 9, t);
    r = db_step(db, stmt, err);
    *ret_id = sqlite3_last_insert_rowid(db->sql);
    return r;
}

static int pages_insert(struct db *db, int64_t id, const struct db_trial *t, struct err *err)
{
    cleanup_stmt sqlite3_stmt *stmt = NULL;
    int r;

    r = db_prepare(db, &stmt, err,
                   "INSERT INTO page_verdict (trial_id, at, ordinal, pfn, inode, page_index, sector, "
                   "verdict, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   "i", id);
    for (size_t i = 0; i < t->pages_len && !r; i++) {
        const struct db_page *p = &t->pages[i];
        const int64_t numbers[] = {(int64_t)i, p->pfn, p->inode, p->index, p->sector};

        sqlite3_bind_text(stmt, 2, p->when, -1, SQLITE_STATIC);
        for (int n = 0; n < 5; n++)
            if (numbers[n] == DB_UNKNOWN)
                sqlite3_bind_null(stmt, 3 + n);
            else
                sqlite3_bind_int64(stmt, 3 + n, numbers[n]);
        sqlite3_bind_text(stmt, 8, p->verdict, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 9, p->detail, -1, SQLITE_STATIC);
        r = db_step(db, stmt, err);
        sqlite3_reset(stmt);
    }
    return r;
}

static int belongings_insert(struct db *db, int64_t id, const struct db_trial *t, struct err *err)
{
    int r = pages_insert(db, id, t, err);

    for (size_t i = 0; i < t->events_len && !r; i++)
        r = db_exec(db, err,
                    "INSERT INTO event (campaign_id, trial_id, kind, text, data_json) "
                    "VALUES (?, ?, ?, ?, ?)",
                    "iittt", t->campaign, id, t->events[i].kind, t->events[i].text,
                    t->events[i].json);
    for (size_t i = 0; i < t->measurements_len && !r; i++)
        r = db_exec(db, err,
                    "INSERT INTO measurement (trial_id, name, value, unit) VALUES (?, ?, ?, ?)",
                    "itdt", id, t->measurements[i].name, t->measurements[i].value,
                    t->measurements[i].unit);
    return r;
}

int db_intervals_put(struct db *db, int64_t campaign, const char *fault_class, struct err *err)
{
#define PUT                                                                                        \
    "INSERT OR IGNORE INTO interval95 (failures, trials, low, high) SELECT failures, trials, "      \
    "clopper_pearson_low(failures, trials), clopper_pearson_high(failures, trials) FROM "

    if (!fault_class)
        return db_exec(db, err, PUT "interval_needed WHERE campaign_id = ?", "i", campaign);
    /* As interval_needed; but of the views SQLite would look at every class for one. */
    return db_exec(db, err,
                   "WITH outcomes AS MATERIALIZED (SELECT * FROM outcome_counts WHERE campaign_id = ? "
                   "AND fault_class = ?), "
                   "modes AS (SELECT sum(rated) AS rated, sum(verified) AS verified, "
                   "sum(rated_inconsistent) AS rated_inconsistent, sum(rated_corrupt) AS rated_corrupt, "
                   "sum(inconsistent_trials) AS inconsistent_trials FROM outcomes GROUP BY mode), "
                   "needed(failures, trials) AS (SELECT rated_inconsistent, rated FROM modes "
                   "UNION SELECT rated_corrupt, rated FROM modes "
                   "UNION SELECT inconsistent_trials, verified FROM modes "
                   "UNION SELECT rated_inconsistent, rated FROM outcomes "
                   "UNION SELECT rated_corrupt, rated FROM outcomes) " PUT "needed",
                   "it", campaign, fault_class);
#undef PUT
}

static int record(struct db *db, const struct db_trial *t, int64_t *ret_id, bool *ret_new,
                  struct err *err)
{
    int64_t plan_id, old_id;
    bool done;
    int r;

    *ret_new = false;
    r = trial_find(db, t->campaign, &t->plan, t->mode, &old_id, &done, err);
    if (r)
        return r;
    *ret_id = old_id;
    if (done)
        return 0;
    r = plan_put(db, t->campaign, &t->plan, &plan_id, err);
    if (!r)
        r = trial_remove(db, old_id, err);
    if (!r)
        r = trial_insert(db, t, old_id, plan_id, ret_id, err);
    if (!r)
        r = belongings_insert(db, *ret_id, t, err);
    if (!r)
        r = db_intervals_put(db, t->campaign, t->plan.fault_class, err);
    *ret_new = !r;
    return r;
}

int db_trial_record(struct db *db, const struct db_trial *trial, int64_t *ret_id, bool *ret_new,
                    struct err *err)
{
    int64_t id = 0;
    bool new;
    int r = check_seed(&trial->plan, err);

    if (!r)
        r = db_begin(db, err);
    if (!r)
        r = db_end(db, record(db, trial, &id, &new, err), err);
    if (r)
        return r;
    if (ret_id)
        *ret_id = id;
    if (ret_new)
        *ret_new = new;
    return 0;
}

static int record_error(struct db *db, int64_t campaign, const struct db_plan *plan,
                        const char *mode, unsigned attempts, const char *text, const char *console,
                        struct err *err)
{
    int64_t plan_id, id;
    bool done;
    int r;

    r = trial_find(db, campaign, plan, mode, &id, &done, err);
    if (r || done)
        return r;
    r = plan_put(db, campaign, plan, &plan_id, err);
    if (!r)
        r = trial_remove(db, id, err);
    if (!r)
        r = db_exec(db, err,
                    "INSERT INTO trial (trial_id, campaign_id, plan_id, fault_class, seed, mode, "
                    "status, attempts, error) VALUES (?, ?, ?, ?, ?, ?, 'error', ?, ?)",
                    "iiititit", id ? id : DB_UNKNOWN, campaign, plan_id, plan->fault_class,
                    (int64_t)plan->seed, mode, (int64_t)attempts, text);
    id = sqlite3_last_insert_rowid(db->sql);
    if (!r && console)
        r = db_exec(db, err,
                    "INSERT INTO event (campaign_id, trial_id, kind, text) "
                    "VALUES (?, ?, 'error_console', ?)",
                    "iit", campaign, id, console);
    return r;
}

int db_trial_error(struct db *db, int64_t campaign, const struct db_plan *plan, const char *mode,
                   unsigned attempts, const char *text, const char *console, struct err *err)
{
    int r = check_seed(plan, err);

    if (!r)
        r = db_begin(db, err);
    if (r)
        return r;
    return db_end(db, record_error(db, campaign, plan, mode, attempts, text, console, err), err);
}

int db_attempt_error(struct db *db, int64_t campaign, const char *fault_class, uint64_t seed,
                     unsigned index, const char *text, const char *console, struct err *err)
{
    return db_exec(db, err,
                   "INSERT INTO attempt_error (campaign_id, fault_class, seed, plan_index, text, "
                   "console) VALUES (?, ?, ?, ?, ?, ?)",
                   "itiitt", campaign, fault_class, (int64_t)seed, (int64_t)index, text, console);
}

int db_class_rate(struct db *db, int64_t campaign, const char *fault_class, const char *mode,
                  struct db_rate *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *stmt = NULL;
    /*
     * A one-sided bound is the upper end of an interval that is missed there half as often. Not by
     * class_counts: SQLite would look at every class for it.
     */
    int r = db_prepare(db, &stmt, err,
                       "SELECT k, n, clopper_pearson_low(k, n), clopper_pearson_high(k, n), "
                       "clopper_pearson_high(k, n, 0.9) FROM (SELECT total(rated_inconsistent) AS k, "
                       "total(rated) AS n FROM outcome_counts "
                       "WHERE campaign_id = ? AND fault_class = ? AND mode = ?)",
                       "itt", campaign, fault_class, mode);

    if (!r)
        r = db_step(db, stmt, err);
    if (r < 0)
        return r;
    *ret = (struct db_rate){
        .failures = sqlite3_column_int64(stmt, 0),
        .trials = sqlite3_column_int64(stmt, 1),
        .low = sqlite3_column_double(stmt, 2),
        .high = sqlite3_column_double(stmt, 3),
        .upper = sqlite3_column_double(stmt, 4),
    };
    return 0;
}

/* ---- going on ---- */

static int mode_number(const unsigned char *mode)
{
    return mode[0] == 'e' ? 0 : mode[0] == 'd' ? 1 : 2;
}

int db_trial_resume(struct db *db, int64_t campaign, const char *fault_class, uint64_t seed,
                    struct db_resume *ret, struct err *err)
{
    cleanup_stmt sqlite3_stmt *stmt = NULL;
    bool found, any = false;
    int64_t next;
    int r;

    *ret = (struct db_resume){0};
    r = db_prepare(db, &stmt, err,
                   "SELECT t.mode, p.plan_index FROM trial AS t JOIN plan AS p USING (plan_id) "
                   "WHERE t.campaign_id = ? AND t.fault_class = ? AND t.seed = ? "
                   "AND t.status = 'done' ORDER BY p.plan_index",
                   "iti", campaign, fault_class, (int64_t)seed);
    if (r)
        return r;
    while ((r = db_step(db, stmt, err)) > 0) {
        ret->done[mode_number(sqlite3_column_text(stmt, 0))] = true;
        ret->index = (unsigned)sqlite3_column_int64(stmt, 1);
        any = true;
    }
    if (r || any)
        return r;
    r = db_value(db, &next, &found, err,
                 "SELECT max(plan_index) + 1 FROM plan WHERE campaign_id = ? AND fault_class = ? "
                 "AND seed = ? AND rejected IS NOT NULL",
                 "iti", campaign, fault_class, (int64_t)seed);
    if (!r && next != DB_UNKNOWN)
        ret->index = (unsigned)next;
    return r;
}

int db_trial_each_done(struct db *db, int64_t campaign, db_done_fn fn, void *ctx, struct err *err)
{
    cleanup_stmt sqlite3_stmt *stmt = NULL;
    int r;

    r = db_prepare(db, &stmt, err,
                   "SELECT t.fault_class, t.seed, p.plan_index, t.mode FROM trial AS t "
                   "JOIN plan AS p USING (plan_id) WHERE t.campaign_id = ? AND t.status = 'done' "
                   "ORDER BY t.fault_class, t.seed, t.mode",
                   "i", campaign);
    if (r)
        return r;
    while ((r = db_step(db, stmt, err)) > 0) {
        r = fn(ctx, (const char *)sqlite3_column_text(stmt, 0),
               (uint64_t)sqlite3_column_int64(stmt, 1), (unsigned)sqlite3_column_int64(stmt, 2),
               (const char *)sqlite3_column_text(stmt, 3));
        if (r)
            return r;
    }
    return r;
}
