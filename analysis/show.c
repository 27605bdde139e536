// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/show.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ?1: the trial. */
static const struct {
    size_t offset;
    const char *sql;
} queries[] = {
    {offsetof(struct shown, trial), "SELECT c.name AS campaign, c.executor, t.* FROM trial AS t "
                                    "JOIN campaign AS c USING (campaign_id) WHERE t.trial_id = ?1"},
    {offsetof(struct shown, plan),
     "SELECT d.*, p.plan_json FROM plan_detail AS d JOIN plan AS p USING (plan_id) "
     "WHERE d.plan_id = (SELECT plan_id FROM trial WHERE trial_id = ?1)"},
    {offsetof(struct shown, pages),
     "SELECT at, pfn, inode, page_index, sector, verdict, detail FROM page_verdict "
     "WHERE trial_id = ?1 ORDER BY at, ordinal"},
    {offsetof(struct shown, events),
     "SELECT kind, text, data_json, at FROM event WHERE trial_id = ?1 ORDER BY event_id"},
    {offsetof(struct shown, measurements),
     "SELECT name, value, unit FROM measurement WHERE trial_id = ?1 ORDER BY name"},
    {offsetof(struct shown, facts),
     "SELECT f.name, f.value FROM environment_fact AS f JOIN trial AS t USING (environment_id) "
     "WHERE t.trial_id = ?1 ORDER BY f.name"},
    {offsetof(struct shown, attempts),
     "SELECT a.plan_index, a.at, a.text, a.console FROM attempt_error AS a JOIN trial AS t "
     "USING (campaign_id, fault_class, seed) WHERE t.trial_id = ?1 ORDER BY a.attempt_error_id"},
    {offsetof(struct shown, others),
     "SELECT o.trial_id, o.mode, o.status, o.outcome, o.pages_reused, o.pages_inconsistent, "
     "o.pages_corrupt, o.crash_id IS t.crash_id AND t.crash_id IS NOT NULL AS same_crash "
     "FROM trial AS t JOIN trial AS o USING (plan_id) "
     "WHERE t.trial_id = ?1 AND o.trial_id <> ?1 ORDER BY o.trial_id"},
    {offsetof(struct shown, spec), "SELECT c.spec_text FROM campaign AS c JOIN trial AS t "
                                   "USING (campaign_id) WHERE t.trial_id = ?1"},
};

#define QUERIES (sizeof(queries) / sizeof(queries[0]))

static struct result *part(struct shown *shown, size_t i)
{
    return (struct result *)((char *)shown + queries[i].offset);
}

static int unknown_number(struct db *db, const char *address, struct err *err)
{
    struct result r;
    int ret = result_query(db,
                           "SELECT count(*) AS n, min(trial_id) AS first, max(trial_id) AS last "
                           "FROM trial",
                           0, &r, err);

    if (ret)
        return ret;
    if (!result_int(&r, 0, "n"))
        ret = err_set(err, ENOENT, "%s: no trial yet", db_path(db));
    else
        ret = err_set(err, ENOENT,
                      "%s: no trial %s (they have the numbers %" PRId64 " to %" PRId64
                      "; 'wcr export %s --table trials' lists them)",
                      db_path(db), address, result_int(&r, 0, "first"), result_int(&r, 0, "last"),
                      db_path(db));
    result_done(&r);
    return ret;
}

/* CLASS:SEED:MODE */
static int address_find(struct db *db, const char *address, const char *campaign, int64_t *ret,
                        struct err *err)
{
    struct result r;
    int64_t id;
    int ret_code = db_campaign_find(db, campaign, &id, err);

    if (!ret_code)
        ret_code = result_query(db,
                                "SELECT trial_id, fault_class || ':' || seed || ':' || mode AS "
                                "address FROM trial WHERE campaign_id = ?1",
                                id, &r, err);
    if (ret_code)
        return ret_code;
    *ret = -1;
    for (unsigned i = 0; i < r.rows && *ret < 0; i++)
        if (!strcmp(result_text(&r, i, "address"), address))
            *ret = result_int(&r, i, "trial_id");
    result_done(&r);
    return *ret < 0 ? err_set(err, ENOENT,
                              "%s: no trial %s (CLASS:SEED:MODE; 'wcr export %s "
                              "--table trials' lists them)",
                              db_path(db), address, db_path(db))
                    : 0;
}

static int trial_find(struct db *db, const char *address, const char *campaign, int64_t *ret,
                      struct err *err)
{
    char *end;

    if (strchr(address, ':'))
        return address_find(db, address, campaign, ret, err);
    errno = 0;
    *ret = strtoll(address, &end, 10);
    if (end == address || *end || errno || *ret < 0)
        return err_set(err, EINVAL, "'%s': expected a trial's number, or CLASS:SEED:MODE", address);
    return 0;
}

int show_load_trial(struct db *db, int64_t id, struct shown *ret, struct err *err)
{
    int r = 0;

    *ret = (struct shown){0};
    for (size_t i = 0; !r && i < QUERIES; i++)
        r = result_query(db, queries[i].sql, id, part(ret, i), err);
    if (r)
        show_done(ret);
    return r;
}

int show_load(const char *path, const char *address, const char *campaign, struct shown *ret,
              struct err *err)
{
    struct db *db;
    int64_t id;
    int r;

    *ret = (struct shown){0};
    r = db_open(path, DB_READ, &db, err);
    if (r)
        return r;
    r = trial_find(db, address, campaign, &id, err);
    if (!r)
        r = show_load_trial(db, id, ret, err);
    if (!r && !ret->trial.rows) {
        r = unknown_number(db, address, err);
        show_done(ret);
    }
    db_close(db);
    return r;
}

void show_done(struct shown *shown)
{
    for (size_t i = 0; i < QUERIES; i++)
        result_done(part(shown, i));
}

/* ---- JSON ---- */

/* Columns that hold JSON become what they hold, without the suffix of their name. */
static void unfold(json_t *row)
{
    static const char *const names[][2] = {{"plan_json", "plan"},
                                           {"reply_json", "reply"},
                                           {"data_json", "data"},
                                           {"params", "params"}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *text = json_string_value(json_object_get(row, names[i][0]));
        json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

        if (!json_object_get(row, names[i][0]))
            continue;
        json_object_del(row, names[i][0]);
        json_object_set_new(row, names[i][1], value ? value : json_null());
    }
}

static json_t *rows_json(const struct result *r)
{
    json_t *all = result_json(r), *row;
    size_t i;

    json_array_foreach(all, i, row) unfold(row);
    return all;
}

static json_t *first_row_json(const struct result *r)
{
    json_t *row = r->rows ? result_row_json(r, 0) : json_null();

    unfold(row);
    return row;
}

static json_t *facts_json(const struct result *r)
{
    json_t *all = json_object();

    for (unsigned i = 0; i < r->rows; i++)
        json_object_set_new(all, result_text(r, i, "name"),
                            json_string(result_text(r, i, "value")));
    return all;
}

int show_print_json(const struct shown *s, FILE *out, struct err *err)
{
    json_t *all = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "trial", first_row_json(&s->trial), "plan",
        first_row_json(&s->plan), "pages", rows_json(&s->pages), "events", rows_json(&s->events),
        "measurements", rows_json(&s->measurements), "environment", facts_json(&s->facts),
        "failed_attempts", rows_json(&s->attempts), "same_plan", rows_json(&s->others));
    int r = all ? json_dumpf(all, out, JSON_INDENT(2)) : -1;

    json_decref(all);
    if (r)
        return err_set(err, ferror(out) ? EIO : ENOMEM, "cannot print");
    fputc('\n', out);
    return 0;
}
