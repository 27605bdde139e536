// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/compare.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/result.h"
#include "analysis/stats.h"
#include "analysis/table.h"

#define GOOD "green"
#define BAD "red"

/* All that is shown of one campaign. */
struct comparison {
    struct result campaign, classes, outcomes, pairs, errors, corrupt;
};

/* Trials in which the mechanism failed, to be looked at. */
static const char query_corrupt[] =
    "SELECT trial_id FROM trial WHERE campaign_id = ?1 AND mode = 'enabled' AND pages_corrupt > 0 "
    "ORDER BY trial_id LIMIT 10";

static void comparison_done(struct comparison *c)
{
    result_done(&c->campaign);
    result_done(&c->classes);
    result_done(&c->outcomes);
    result_done(&c->pairs);
    result_done(&c->errors);
    result_done(&c->corrupt);
}

static int comparison_load(struct db *db, const char *name, struct comparison *c, struct err *err)
{
    int64_t id;
    int r;

    r = db_campaign_find(db, name, &id, err);
    if (!r)
        r = result_query(db, query_campaign, id, &c->campaign, err);
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
    return r;
}

static bool is(const struct result *r, unsigned row, const char *column, const char *value)
{
    return !strcmp(result_text(r, row, column), value);
}

static int64_t sum(const struct result *r, const char *column, const char *mode, bool golden)
{
    int64_t n = 0;

    for (unsigned i = 0; i < r->rows; i++)
        if ((!mode || is(r, i, "mode", mode)) && is(r, i, "fault_class", DB_GOLDEN) == golden)
            n += result_int(r, i, column);
    return n;
}

/* ---- class by mode ---- */

static void percent(struct libscols_line *row, unsigned column, int64_t k, int64_t n)
{
    if (n > 0)
        table_cell(row, column, NULL, "%.1f%%", 100.0 * (double)k / (double)n);
    else
        table_cell(row, column, NULL, "-");
}

struct class_row {
    const char *fault_class, *mode;
    int64_t trials, activated, crashes, rated, inconsistent, corrupt, stale_disk, reused, reusable;
    bool p_known;
    double p;
};

static void class_row_add(struct libscols_table *t, const struct class_row *c)
{
    struct libscols_line *row = table_row(t);
    struct interval i = clopper_pearson(c->inconsistent, c->rated, 0.95);
    bool judged = !strcmp(c->mode, "enabled");

    table_cell(row, 0, NULL, "%s", c->fault_class);
    table_cell(row, 1, NULL, "%s", c->mode);
    table_cell(row, 2, NULL, "%" PRId64, c->trials);
    table_cell(row, 3, NULL, "%" PRId64, c->activated);
    table_cell(row, 4, NULL, "%" PRId64, c->crashes);
    table_cell(row, 5, judged && c->inconsistent ? BAD : NULL, "%" PRId64 "/%" PRId64,
               c->inconsistent, c->rated);
    percent(row, 6, c->inconsistent, c->rated);
    if (c->rated)
        table_cell(row, 7, NULL, "%.1f-%.1f%%", 100 * i.low, 100 * i.high);
    else
        table_cell(row, 7, NULL, "-");
    table_cell(row, 8, !judged ? NULL : c->corrupt ? BAD : GOOD, "%" PRId64, c->corrupt);
    table_cell(row, 9, NULL, "%" PRId64, c->stale_disk);
    table_cell(row, 10, NULL, "%" PRId64, c->reused);
    percent(row, 11, c->reused, c->reusable);
    if (c->p_known && judged)
        table_cell(row, 12, NULL, "%.3g", c->p);
}

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
        .p_known = !result_null(r, i, "p_value") && result_int(r, i, "rated_pairs") > 0 &&
                   !is(r, i, "fault_class", DB_GOLDEN),
        .p = result_real(r, i, "p_value"),
    };
}

static struct class_row total_of(const struct comparison *c, const char *mode)
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
        .p_known = sum(&c->pairs, "rated_pairs", NULL, false) > 0,
        .p = mcnemar_exact(b, d),
    };
}

static int print_classes(const struct comparison *c, FILE *out)
{
    static const char *const titles[] = {"CLASS",     "MODE",    ">TRIALS",       ">EXECUTED",
                                         ">CRASHES",  ">INCONSISTENT", ">RATE",   ">95% INTERVAL",
                                         ">CORRUPT",  ">STALE DISK",   ">PAGES REUSED", ">OF REUSABLE",
                                         ">P",        NULL};
    static const char *const modes[] = {"cold", "disabled", "enabled"};
    struct libscols_table *t = table_new(out, titles);

    if (!t)
        return -ENOMEM;
    for (unsigned i = 0; i < c->classes.rows; i++) {
        struct class_row row = class_row_of(&c->classes, i);

        class_row_add(t, &row);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct class_row row = total_of(c, modes[i]);

        if (row.trials)
            class_row_add(t, &row);
    }
    return table_print(t);
}

/* ---- class by outcome, modes side by side ---- */

static void outcome_cells(struct libscols_line *row, unsigned first, const struct result *r,
                          unsigned i)
{
    bool judged = is(r, i, "mode", "enabled");
    int64_t bad = result_int(r, i, "rated_inconsistent"), corrupt = result_int(r, i, "corrupt_trials");

    table_cell(row, first, NULL, "%" PRId64, result_int(r, i, "trials"));
    table_cell(row, first + 1, judged && bad ? BAD : NULL, "%" PRId64 "/%" PRId64, bad,
               result_int(r, i, "rated"));
    table_cell(row, first + 2, judged && corrupt ? BAD : NULL, "%" PRId64, corrupt);
}

static const char *outcome_words(const char *outcome)
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

static int print_outcomes(const struct comparison *c, FILE *out)
{
    static const char *const titles[] = {"CLASS",    "OUTCOME",       ">DISABLED", ">INCONSISTENT",
                                         ">CORRUPT", ">ENABLED", ">INCONSISTENT", ">CORRUPT", NULL};
    struct libscols_table *t = table_new(out, titles);
    struct libscols_line *row = NULL;
    const struct result *r = &c->outcomes;
    unsigned last = 0;

    if (!t)
        return -ENOMEM;
    for (unsigned i = 0; i < r->rows; i++) {
        if (is(r, i, "mode", "cold"))
            continue;
        if (!row || !is(r, i, "fault_class", result_text(r, last, "fault_class")) ||
            !is(r, i, "outcome", result_text(r, last, "outcome"))) {
            row = table_row(t);
            table_cell(row, 0, NULL, "%s", result_text(r, i, "fault_class"));
            table_cell(row, 1, NULL, "%s", outcome_words(result_text(r, i, "outcome")));
        }
        last = i;
        outcome_cells(row, is(r, i, "mode", "disabled") ? 2 : 5, r, i);
    }
    return table_print(t);
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
        fprintf(out, "in %" PRId64 " both modes rebooted from one and the same crash, in the "
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
        if (is(r, i, "fault_class", DB_GOLDEN) &&
            (!is(r, i, "outcome", "no_crash") ||
             (!is(r, i, "mode", "disabled") && result_int(r, i, "inconsistent_trials"))))
            bad += result_int(r, i, "trials");
    if (!trials)
        fprintf(out, "No fault-free (GOLDEN) trial: nothing shows that the experiment itself is "
                     "sound.\n");
    else if (bad)
        fprintf(out, "WARNING: of %" PRId64 " fault-free (GOLDEN) trials %" PRId64
                     " crashed or reused inconsistent pages: the experiment is not sound.\n",
                trials, bad);
}

static void note_left_out(const struct comparison *c, FILE *out)
{
    int64_t silent = sum(&c->classes, "not_activated", NULL, false);
    int64_t trials = sum(&c->classes, "trials", NULL, false);
    int64_t verified = sum(&c->classes, "verified", NULL, false);

    if (silent)
        fprintf(out, "Rates leave out %" PRId64 " trial%s whose fault was never executed; rate_all "
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
        fprintf(out, "%" PRId64 " plan%s drawn again: %" PRId64 " never executed, %" PRId64
                     " refused by the guest's memory.\n",
                silent + refused, plural(silent + refused), silent, refused);
    if (errors || failed)
        fprintf(out, "Experiment errors, no results: %" PRId64 " trial%s given up, %" PRId64
                     " failed attempt%s made again.\n",
                errors, plural(errors), failed, plural(failed));
    if (environments > 1)
        fprintf(out, "WARNING: the trials ran on %" PRId64 " different environments (kernels, "
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
    fprintf(out, "; see 'wcr show %" PRId64 " --db %s'.\n",
            result_int(&c->corrupt, 0, "trial_id"), db);
}

static int print_table(const struct comparison *c, const char *db, FILE *out)
{
    int64_t done = result_int(&c->campaign, 0, "done");
    int r;

    fprintf(out, "Campaign %s (%s, begun %s): %" PRId64 " trial%s done\n",
            result_text(&c->campaign, 0, "name"), result_text(&c->campaign, 0, "executor"),
            result_text(&c->campaign, 0, "created_at"), done, plural(done));
    if (!done) {
        note_experiment(c, out);
        return -ENODATA;
    }
    fprintf(out, "\nTrials that reused inconsistent pages, by fault class:\n\n");
    r = print_classes(c, out);
    if (r)
        return r;
    fprintf(out, "\nThe same by outcome:\n\n");
    r = print_outcomes(c, out);
    if (r)
        return r;
    fprintf(out, "\n");
    note_pairs(c, out);
    note_left_out(c, out);
    note_experiment(c, out);
    note_golden(c, out);
    note_corrupt(c, db, out);
    return 0;
}

static int print_json(const struct comparison *c, FILE *out)
{
    json_t *all = json_pack("{s:o, s:o, s:o, s:o, s:o}", "campaign",
                            result_row_json(&c->campaign, 0), "classes", result_json(&c->classes),
                            "outcomes", result_json(&c->outcomes), "pairs", result_json(&c->pairs),
                            "errors", result_json(&c->errors));
    int r = all ? json_dumpf(all, out, JSON_INDENT(2)) : -1;

    json_decref(all);
    if (r)
        return ferror(out) ? -EIO : -ENOMEM;
    fputc('\n', out);
    return result_int(&c->campaign, 0, "done") ? 0 : -ENODATA;
}

int compare_print(const char *path, const char *campaign, enum compare_format format, FILE *out,
                  struct err *err)
{
    struct comparison c = {0};
    struct db *db;
    int r;

    r = db_open(path, DB_READ, &db, err);
    if (r)
        return r;
    r = comparison_load(db, campaign, &c, err);
    if (!r) {
        r = format == COMPARE_JSON ? print_json(&c, out) : print_table(&c, path, out);
        if (r == -ENODATA)
            err_set(err, ENODATA, "%s: no trial of this campaign is done yet", path);
        else if (r)
            err_set(err, -r, "cannot print: %s", strerror(-r));
    }
    comparison_done(&c);
    db_close(db);
    return r;
}
