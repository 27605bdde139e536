// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/comparison.h"

#include <inttypes.h>
#include <string.h>

#include "analysis/stats.h"

/* Trials in which the mechanism failed, to be looked at. */
static const char query_corrupt[] =
    "SELECT trial_id FROM trial WHERE campaign_id = ?1 AND mode = 'enabled' AND pages_corrupt > 0 "
    "ORDER BY trial_id LIMIT 10";

/* Of a class, the last: more trials may have followed a first. */
static const char query_stops[] =
    "SELECT data_json ->> '$.class' AS fault_class, data_json ->> '$.rule' AS rule, "
    "data_json ->> '$.trials' AS trials, max(event_id) FROM event WHERE campaign_id = ?1 AND kind = 'stop' "
    "GROUP BY 1 ORDER BY 1";

void comparison_done(struct comparison *c)
{
    result_done(&c->campaign);
    result_done(&c->classes);
    result_done(&c->outcomes);
    result_done(&c->pairs);
    result_done(&c->errors);
    result_done(&c->corrupt);
    result_done(&c->stops);
}

int comparison_load(struct db *db, int64_t id, struct comparison *c, struct err *err)
{
    int r = result_query(db, query_campaign, id, &c->campaign, err);

    if (!r)
        r = result_query(db, query_classes, id, &c->classes, err);
    if (!r)
        r = result_query(db, query_outcomes, id, &c->outcomes, err);
    if (!r)
        r = result_query(db, query_pairs, id, &c->pairs, err);
    if (!r)
        r = result_query(db, query_errors, id, &c->errors, err);
    if (!r)
        r = result_query(db, query_corrupt, id, &c->corrupt, err);
    if (!r)
        r = result_query(db, query_stops, id, &c->stops, err);
    return r;
}

static int64_t sum(const struct result *r, const char *column, const char *mode, bool golden)
{
    int64_t n = 0;

    for (unsigned i = 0; i < r->rows; i++)
        if ((!mode || result_is(r, i, "mode", mode)) &&
            result_is(r, i, "fault_class", DB_GOLDEN) == golden)
            n += result_int(r, i, column);
    return n;
}

/* ---- class by mode ---- */

static struct class_row class_row_of(const struct result *r, unsigned i)
{
    return (struct class_row){
        .fault_class = result_text(r, i, "fault_class"),
        .mode = result_text(r, i, "mode"),
        .trials = result_int(r, i, "trials"),
        .activated = result_int(r, i, "activated"),
        .crashes = result_int(r, i, "crashes"),
        .rated = result_int(r, i, "rated"),
        .inconsistent = result_int(r, i, "rated_inconsistent"),
        .corrupt = result_int(r, i, "corrupt_trials"),
        .stale_disk = result_int(r, i, "stale_disk_trials"),
        .reused = result_int(r, i, "pages_reused"),
        .reusable = result_int(r, i, "pages_reusable"),
        .rated_pairs = result_is(r, i, "fault_class", DB_GOLDEN) || result_null(r, i, "p_value")
                           ? 0
                           : result_int(r, i, "rated_pairs"),
        .p = result_real(r, i, "p_value"),
    };
}

struct class_row comparison_total(const struct comparison *c, const char *mode)
{
    const struct result *r = &c->classes;
    int64_t b = sum(&c->pairs, "only_disabled", NULL, false);
    int64_t d = sum(&c->pairs, "only_enabled", NULL, false);

    return (struct class_row){
        .fault_class = "all",
        .mode = mode,
        .trials = sum(r, "trials", mode, false),
        .activated = sum(r, "activated", mode, false),
        .crashes = sum(r, "crashes", mode, false),
        .rated = sum(r, "rated", mode, false),
        .inconsistent = sum(r, "rated_inconsistent", mode, false),
        .corrupt = sum(r, "corrupt_trials", mode, false),
        .stale_disk = sum(r, "stale_disk_trials", mode, false),
        .reused = sum(r, "pages_reused", mode, false),
        .reusable = sum(r, "pages_reusable", mode, false),
        .rated_pairs = sum(&c->pairs, "rated_pairs", NULL, false),
        .p = mcnemar_exact(b, d),
    };
}

bool comparison_row(const struct comparison *c, unsigned n, struct class_row *ret)
{
    static const char *const modes[] = {"cold", "disabled", "enabled"};

    if (n < c->classes.rows) {
        *ret = class_row_of(&c->classes, n);
        return true;
    }
    n -= c->classes.rows;
    for (unsigned i = 0; i < 3; i++) {
        *ret = comparison_total(c, modes[i]);
        if (ret->trials && !n--)
            return true;
    }
    return false;
}

/* clang-format off */
const char *const comparison_titles[] = {
    "CLASS", "MODE", ">TRIALS", ">EXECUTED", ">CRASHES", ">INCONSISTENT", ">RATE", ">95% INTERVAL",
    ">CORRUPT", ">STALE DISK", ">PAGES REUSED", ">OF REUSABLE", ">P", NULL};
/* clang-format on */

static void count(char cell[64], int64_t n)
{
    snprintf(cell, 64, "%" PRId64, n);
}

static void percent(char cell[64], int64_t k, int64_t n)
{
    if (n > 0)
        snprintf(cell, 64, "%.1f%%", 100.0 * (double)k / (double)n);
    else
        strcpy(cell, "-");
}

void comparison_cells(const struct class_row *c, char cells[CLASS_CELLS][64])
{
    struct interval i = clopper_pearson(c->inconsistent, c->rated, 0.95);

    snprintf(cells[0], 64, "%s", c->fault_class);
    snprintf(cells[1], 64, "%s", c->mode);
    count(cells[2], c->trials);
    count(cells[3], c->activated);
    count(cells[4], c->crashes);
    snprintf(cells[CELL_INCONSISTENT], 64, "%" PRId64 "/%" PRId64, c->inconsistent, c->rated);
    percent(cells[6], c->inconsistent, c->rated);
    if (c->rated)
        snprintf(cells[7], 64, "%.1f-%.1f%%", 100 * i.low, 100 * i.high);
    else
        strcpy(cells[7], "-");
    count(cells[CELL_CORRUPT], c->corrupt);
    count(cells[9], c->stale_disk);
    count(cells[10], c->reused);
    percent(cells[11], c->reused, c->reusable);
    cells[12][0] = '\0';
    if (c->rated_pairs && !strcmp(c->mode, "enabled"))
        snprintf(cells[12], 64, "%.3g", c->p);
}

const char *outcome_words(const char *outcome)
{
    static const char *const words[][2] = {{"no_crash", "no crash"},
                                           {"process_crash", "process crash"},
                                           {"kernel_crash", "kernel crash"},
                                           {"hang", "hang"},
                                           {"no_reboot", "no reboot"}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (!strcmp(words[i][0], outcome))
            return words[i][1];
    return outcome;
}

/* ---- what the tables do not say ---- */

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

static void note_pairs(const struct comparison *c, FILE *out)
{
    int64_t pairs = sum(&c->pairs, "pairs", NULL, false);
    int64_t exact = sum(&c->pairs, "snapshot_pairs", NULL, false);

    if (!pairs)
        return;
    fprintf(out, "%" PRId64 " pair%s; ", pairs, plural(pairs));
    if (exact == pairs)
        fprintf(out, "both modes rebooted from one and the same crash.");
    else
        fprintf(out,
                "in %" PRId64 " both modes rebooted from one and the same crash, in the "
                "others each mode had a run of its own.",
                exact);
    fprintf(out, " P: exact McNemar test.\n");
}

/* With consistency off even a sound guest's dirty pages are reused: those prove nothing. */
static void note_golden(const struct comparison *c, FILE *out)
{
    const struct result *r = &c->outcomes;
    int64_t trials = sum(r, "trials", NULL, true), bad = 0;

    for (unsigned i = 0; i < r->rows; i++)
        if (result_is(r, i, "fault_class", DB_GOLDEN) &&
            (!result_is(r, i, "outcome", "no_crash") ||
             (!result_is(r, i, "mode", "disabled") && result_int(r, i, "inconsistent_trials"))))
            bad += result_int(r, i, "trials");
    if (!trials)
        fprintf(out, "No fault-free (GOLDEN) trial: nothing shows that the experiment itself is "
                     "sound.\n");
    else if (bad)
        fprintf(out,
                "WARNING: of %" PRId64 " fault-free (GOLDEN) trials %" PRId64
                " crashed or reused inconsistent pages: the experiment is not sound.\n",
                trials, bad);
}

static void note_stops(const struct comparison *c, FILE *out)
{
    const struct result *s = &c->stops;

    if (!s->rows)
        return;
    fprintf(out, "Ended by a stop rule, which looked at the results with the mechanism enabled:");
    for (unsigned i = 0; i < s->rows; i++)
        fprintf(out, "%s %s (%s, at %" PRId64 " trials)", i ? "," : "", result_text(s, i, "fault_class"),
                result_text(s, i, "rule"), result_int(s, i, "trials"));
    fprintf(out, ".\n");
}

static void note_left_out(const struct comparison *c, FILE *out)
{
    int64_t silent = sum(&c->classes, "not_activated", NULL, false);
    int64_t trials = sum(&c->classes, "trials", NULL, false);
    int64_t verified = sum(&c->classes, "verified", NULL, false);

    if (silent)
        fprintf(out,
                "Rates leave out %" PRId64 " trial%s whose fault was never executed; rate_all "
                "of 'wcr export --table compare' has them.\n",
                silent, plural(silent));
    if (verified < trials)
        fprintf(out, "%" PRId64 " trial%s did not boot again: nothing to verify, in no rate.\n",
                trials - verified, plural(trials - verified));
}

static void note_experiment(const struct comparison *c, FILE *out)
{
    int64_t errors = result_int(&c->campaign, 0, "errors");
    int64_t failed = result_int(&c->campaign, 0, "failed_attempts");
    int64_t silent = result_int(&c->campaign, 0, "plans_not_activated");
    int64_t refused = result_int(&c->campaign, 0, "plans_refused");
    int64_t environments = result_int(&c->campaign, 0, "environments");

    if (silent || refused)
        fprintf(out,
                "%" PRId64 " plan%s drawn again: %" PRId64 " never executed, %" PRId64
                " refused by the guest's memory.\n",
                silent + refused, plural(silent + refused), silent, refused);
    if (errors || failed)
        fprintf(out,
                "Experiment errors, no results: %" PRId64 " trial%s given up, %" PRId64
                " failed attempt%s made again.\n",
                errors, plural(errors), failed, plural(failed));
    if (environments > 1)
        fprintf(out,
                "WARNING: the trials ran on %" PRId64 " different environments (kernels, "
                "images or hypervisors).\n",
                environments);
}

static void note_corrupt(const struct comparison *c, const char *db, FILE *out)
{
    if (!c->corrupt.rows)
        return;
    fprintf(out, "WARNING: corrupt pages were reused with the mechanism enabled:");
    for (unsigned i = 0; i < c->corrupt.rows; i++)
        fprintf(out, "%s trial %" PRId64, i ? "," : "", result_int(&c->corrupt, i, "trial_id"));
    fprintf(out, "; see 'wcr show %" PRId64 " --db %s'.\n", result_int(&c->corrupt, 0, "trial_id"),
            db);
}

void comparison_notes(const struct comparison *c, const char *db, FILE *out)
{
    if (!result_int(&c->campaign, 0, "done")) {
        note_experiment(c, out);
        return;
    }
    note_pairs(c, out);
    note_stops(c, out);
    note_left_out(c, out);
    note_experiment(c, out);
    note_golden(c, out);
    note_corrupt(c, db, out);
}
