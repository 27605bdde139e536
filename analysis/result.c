// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/result.h"

#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stats.h"
#include "analysis/utf8.h"

/* b: only disabled reused inconsistent pages; c: only enabled did. */
#define PAIRS                                                                                     \
    "SELECT p.fault_class, count(*) AS pairs, count(*) FILTER (WHERE p.kind = 'snapshot') AS "    \
    "snapshot_pairs, "                                                                            \
    "count(*) FILTER (WHERE p.rated AND p.disabled_inconsistent > 0 AND "                         \
    "p.enabled_inconsistent = 0) AS only_disabled, "                                              \
    "count(*) FILTER (WHERE p.rated AND p.disabled_inconsistent = 0 AND "                         \
    "p.enabled_inconsistent > 0) AS only_enabled, "                                               \
    "count(*) FILTER (WHERE p.rated AND p.disabled_inconsistent > 0 AND "                         \
    "p.enabled_inconsistent > 0) AS both, "                                                       \
    "count(*) FILTER (WHERE p.rated) AS rated_pairs "                                             \
    "FROM pair_summary AS p JOIN campaign AS c ON c.name = p.campaign "                           \
    "WHERE c.campaign_id = ?1 GROUP BY p.fault_class"

const char query_pairs[] =
    "SELECT *, mcnemar_p(only_disabled, only_enabled) AS p_value FROM (" PAIRS ") "
    "ORDER BY fault_class";

/* GOLDEN first; disabled before enabled, as the published figure has them. */
#define ORDER "r.fault_class <> 'GOLDEN', r.fault_class"
#define MODE_ORDER "CASE r.mode WHEN 'cold' THEN 0 WHEN 'disabled' THEN 1 ELSE 2 END"
#define OUTCOME_ORDER                                                                             \
    "CASE r.outcome WHEN 'no_crash' THEN 0 WHEN 'process_crash' THEN 1 WHEN 'kernel_crash' "      \
    "THEN 2 WHEN 'hang' THEN 3 ELSE 4 END"

const char query_classes[] =
    "SELECT r.*, CASE WHEN r.mode <> 'cold' THEN p.rated_pairs END AS rated_pairs, "
    "CASE WHEN r.mode <> 'cold' THEN mcnemar_p(p.only_disabled, p.only_enabled) END AS p_value "
    "FROM class_rates AS r JOIN campaign AS c ON c.name = r.campaign "
    "LEFT JOIN (" PAIRS ") AS p ON p.fault_class = r.fault_class "
    "WHERE c.campaign_id = ?1 ORDER BY " ORDER ", " MODE_ORDER;

const char query_outcomes[] =
    "SELECT r.* FROM outcome_compare AS r JOIN campaign AS c ON c.name = r.campaign "
    "WHERE c.campaign_id = ?1 ORDER BY " ORDER ", " OUTCOME_ORDER ", " MODE_ORDER;

/*
 * Each injection once, however many modes its crash was rebooted in. Outcomes are of those that are
 * not known to have stayed unexecuted.
 */
#define EFFECT_OUTCOME(name)                                                                      \
    "count(*) FILTER (WHERE activated IS NOT 0 AND crash_outcome = '" name "') AS " name ", "

const char query_effects[] =
    "WITH injection AS (SELECT t.*, p.plan_json ->> '$.candidates' AS candidates, row_number() OVER "
    "(PARTITION BY coalesce(t.crash_id, t.trial_id) ORDER BY t.trial_id) AS nth "
    "FROM trial AS t JOIN plan AS p USING (plan_id) "
    "WHERE t.campaign_id = ?1 AND t.status = 'done' AND t.fault_class <> 'GOLDEN'), "
    "delay AS (SELECT fault_class, detect_ns, count(*) OVER class AS of, "
    "row_number() OVER (PARTITION BY fault_class ORDER BY detect_ns) AS nth "
    "FROM injection WHERE nth = 1 AND activated = 1 AND crash_outcome <> 'no_crash' "
    "AND detect_ns IS NOT NULL WINDOW class AS (PARTITION BY fault_class)) "
    "SELECT r.fault_class, max(candidates) AS candidates, count(*) AS injections, "
    "(SELECT count(*) FROM plan AS p WHERE p.campaign_id = ?1 AND p.fault_class = r.fault_class "
    "AND p.rejected = 'not_activated') AS drawn_again, "
    "count(*) FILTER (WHERE activated = 1) AS activated, "
    "count(*) FILTER (WHERE activated IS NULL) AS unknown, " EFFECT_OUTCOME("no_crash")
    EFFECT_OUTCOME("process_crash") EFFECT_OUTCOME("kernel_crash") EFFECT_OUTCOME("hang")
    "(SELECT avg(detect_ns) / 1e6 FROM delay AS d WHERE d.fault_class = r.fault_class "
    "AND d.nth IN ((d.of + 1) / 2, (d.of + 2) / 2)) AS median_ms "
    "FROM injection AS r WHERE nth = 1 GROUP BY r.fault_class ORDER BY " ORDER;

const char query_trials[] =
    "SELECT r.*, p.plan_index, p.target, p.plan_json ->> '$.symbol' AS symbol, "
    "p.plan_json ->> '$.source' AS source, t.crash_outcome, t.pair, t.crash_id, t.attempts, "
    "t.signature, t.error "
    "FROM trial_summary AS r JOIN trial AS t USING (trial_id) JOIN plan AS p USING (plan_id) "
    "WHERE t.campaign_id = ?1 ORDER BY " ORDER ", r.seed, " MODE_ORDER;

const char query_errors[] =
    "SELECT t.fault_class, count(*) AS trials, count(*) FILTER (WHERE t.status = 'error') AS "
    "errors, (SELECT count(*) FROM attempt_error AS a WHERE a.campaign_id = ?1 AND "
    "a.fault_class = t.fault_class) AS failed_attempts "
    "FROM trial AS t WHERE t.campaign_id = ?1 GROUP BY t.fault_class ORDER BY t.fault_class";

const char query_campaign[] =
    "SELECT c.name, c.executor, c.wcr_version, c.created_at, c.spec_hash, "
    "(SELECT count(*) FROM trial AS t WHERE t.campaign_id = ?1 AND t.status = 'done') AS done, "
    "(SELECT count(*) FROM trial AS t WHERE t.campaign_id = ?1 AND t.status = 'error') AS errors, "
    "(SELECT count(*) FROM attempt_error AS a WHERE a.campaign_id = ?1) AS failed_attempts, "
    "(SELECT count(*) FROM plan AS p WHERE p.campaign_id = ?1 AND p.rejected = 'not_activated') "
    "AS plans_not_activated, "
    "(SELECT count(*) FROM plan AS p WHERE p.campaign_id = ?1 AND p.rejected = 'refused') "
    "AS plans_refused, "
    "(SELECT count(DISTINCT environment_id) FROM trial AS t WHERE t.campaign_id = ?1 AND "
    "t.status = 'done') AS environments "
    "FROM campaign AS c WHERE c.campaign_id = ?1";

static void sql_mcnemar(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    (void)argc;
    if (sqlite3_value_type(argv[0]) != SQLITE_NULL && sqlite3_value_type(argv[1]) != SQLITE_NULL)
        sqlite3_result_double(context, mcnemar_exact(sqlite3_value_int64(argv[0]),
                                                     sqlite3_value_int64(argv[1])));
}

static int cell_fill(struct cell *c, sqlite3_stmt *stmt, int column)
{
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_NULL:
        c->type = CELL_NULL;
        return 0;
    case SQLITE_INTEGER:
        c->type = CELL_INT;
        c->i = sqlite3_column_int64(stmt, column);
        c->d = (double)c->i;
        return 0;
    case SQLITE_FLOAT:
        c->type = CELL_REAL;
        c->d = sqlite3_column_double(stmt, column);
        c->i = fabs(c->d) < 9e18 ? (int64_t)c->d : 0;
        return 0;
    default:
        c->type = CELL_TEXT;
        c->text = utf8_clean((const char *)sqlite3_column_text(stmt, column));
        return c->text ? 0 : -ENOMEM;
    }
}

static int names_fill(struct result *r, sqlite3_stmt *stmt)
{
    r->columns = (unsigned)sqlite3_column_count(stmt);
    r->names = calloc(r->columns + 1, sizeof(*r->names));
    if (!r->names)
        return -ENOMEM;
    for (unsigned i = 0; i < r->columns; i++) {
        r->names[i] = strdup(sqlite3_column_name(stmt, (int)i));
        if (!r->names[i])
            return -ENOMEM;
    }
    return 0;
}

static int row_add(struct result *r, unsigned *room, sqlite3_stmt *stmt)
{
    if (r->rows == *room) {
        unsigned more = *room ? *room * 2 : 16;
        struct cell *cells = reallocarray(r->cells, (size_t)more * r->columns, sizeof(*cells));

        if (!cells)
            return -ENOMEM;
        r->cells = cells;
        *room = more;
    }
    memset(&r->cells[(size_t)r->rows * r->columns], 0, r->columns * sizeof(*r->cells));
    r->rows++;
    for (unsigned i = 0; i < r->columns; i++)
        if (cell_fill(&r->cells[(size_t)(r->rows - 1) * r->columns + i], stmt, (int)i))
            return -ENOMEM;
    return 0;
}

int result_query(struct db *db, const char *sql, int64_t arg, struct result *ret, struct err *err)
{
    sqlite3 *handle = db_handle(db);
    sqlite3_stmt *stmt = NULL;
    unsigned room = 0;
    int rc, r = 0;

    *ret = (struct result){0};
    sqlite3_create_function(handle, "mcnemar_p", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                            sql_mcnemar, NULL, NULL);
    if (sqlite3_prepare_v2(handle, sql, -1, &stmt, NULL) != SQLITE_OK) {
        r = db_fail(db, NULL, err);
        goto out;
    }
    sqlite3_bind_int64(stmt, 1, arg);
    r = names_fill(ret, stmt);
    while (!r && (rc = sqlite3_step(stmt)) != SQLITE_DONE)
        r = rc == SQLITE_ROW ? row_add(ret, &room, stmt) : db_fail(db, NULL, err);
    if (r == -ENOMEM)
        err_set(err, ENOMEM, "out of memory");
out:
    sqlite3_finalize(stmt);
    if (r)
        result_done(ret);
    return r;
}

static int column_find(const struct result *r, const char *name, size_t len)
{
    for (unsigned i = 0; i < r->columns; i++)
        if (strlen(r->names[i]) == len && !strncmp(r->names[i], name, len))
            return (int)i;
    return -1;
}

/* @order[n]: which column comes n-th. The others are freed. */
static int reorder(struct result *r, const unsigned *order, unsigned columns, struct err *err)
{
    struct result new = {.columns = columns, .rows = r->rows};

    new.names = calloc(columns + 1, sizeof(*new.names));
    new.cells = calloc((size_t)r->rows * columns + 1, sizeof(*new.cells));
    if (!new.names || !new.cells)
        goto no_memory;
    for (unsigned i = 0; i < columns; i++) {
        new.names[i] = strdup(r->names[order[i]]);
        if (!new.names[i])
            goto no_memory;
    }
    for (unsigned row = 0; row < r->rows; row++) {
        for (unsigned i = 0; i < columns; i++) {
            struct cell *from = &r->cells[(size_t)row * r->columns + order[i]];
            struct cell *to = &new.cells[(size_t)row * columns + i];

            *to = *from;
            to->text = from->text ? strdup(from->text) : NULL;
            if (from->text && !to->text)
                goto no_memory;
        }
    }
    result_done(r);
    *r = new;
    return 0;
no_memory:
    if (!new.cells)
        new.rows = 0;
    result_done(&new);
    return err_set(err, ENOMEM, "out of memory");
}

int result_select(struct result *r, const char *list, struct err *err)
{
    unsigned order[64], n = 0;

    while (*list) {
        size_t len = strcspn(list, ",");
        int found = column_find(r, list, len);

        if (found < 0 || n == sizeof(order) / sizeof(order[0])) {
            char known[700] = "";

            for (unsigned i = 0; i < r->columns; i++)
                snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
                         i ? "," : "", r->names[i]);
            return err_set(err, EINVAL, "unknown column '%.*s' (known: %s)", (int)len, list, known);
        }
        order[n++] = (unsigned)found;
        list += len + (list[len] == ',');
    }
    return reorder(r, order, n, err);
}

void result_done(struct result *result)
{
    for (unsigned i = 0; i < result->columns && result->names; i++)
        free(result->names[i]);
    for (size_t i = 0; i < (size_t)result->rows * result->columns; i++)
        free(result->cells[i].text);
    free(result->names);
    free(result->cells);
    *result = (struct result){0};
}

const struct cell *result_cell(const struct result *r, unsigned row, const char *column)
{
    if (row < r->rows)
        for (unsigned i = 0; i < r->columns; i++)
            if (!strcmp(r->names[i], column))
                return &r->cells[(size_t)row * r->columns + i];
    fprintf(stderr, "wcr: bug: no row %u or no column %s\n", row, column);
    abort();
}

int64_t result_int(const struct result *r, unsigned row, const char *column)
{
    return result_cell(r, row, column)->i;
}

double result_real(const struct result *r, unsigned row, const char *column)
{
    const struct cell *c = result_cell(r, row, column);

    return c->type == CELL_INT || c->type == CELL_REAL ? c->d : NAN;
}

const char *result_text(const struct result *r, unsigned row, const char *column)
{
    const struct cell *c = result_cell(r, row, column);

    return c->text ? c->text : "";
}

bool result_is(const struct result *r, unsigned row, const char *column, const char *text)
{
    return !strcmp(result_text(r, row, column), text);
}

bool result_null(const struct result *r, unsigned row, const char *column)
{
    return result_cell(r, row, column)->type == CELL_NULL;
}

static json_t *cell_json(const struct cell *c)
{
    switch (c->type) {
    case CELL_INT:
        return json_integer(c->i);
    case CELL_REAL:
        return isfinite(c->d) ? json_real(c->d) : json_null();
    case CELL_TEXT:
        return json_string(c->text);
    default:
        return json_null();
    }
}

json_t *result_row_json(const struct result *r, unsigned row)
{
    json_t *o = json_object();

    for (unsigned i = 0; i < r->columns && o; i++) {
        if (json_object_set_new(o, r->names[i],
                                cell_json(&r->cells[(size_t)row * r->columns + i]))) {
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

json_t *result_json(const struct result *r)
{
    json_t *all = json_array();

    for (unsigned i = 0; i < r->rows && all; i++) {
        if (json_array_append_new(all, result_row_json(r, i))) {
            json_decref(all);
            return NULL;
        }
    }
    return all;
}
