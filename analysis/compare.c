// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/compare.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/comparison.h"
#include "analysis/table.h"

#define GOOD "green"
#define BAD "red"

/* ---- class by mode ---- */

static void class_row_add(struct libscols_table *t, const struct class_row *c)
{
    struct libscols_line *row = table_row(t);
    bool judged = !strcmp(c->mode, "enabled");
    char cells[CLASS_CELLS][64];

    comparison_cells(c, cells);
    for (unsigned i = 0; i < CLASS_CELLS; i++) {
        const char *color = NULL;

        if (judged && i == CELL_INCONSISTENT && c->inconsistent)
            color = BAD;
        else if (judged && i == CELL_CORRUPT)
            color = c->corrupt ? BAD : GOOD;
        table_cell(row, i, color, "%s", cells[i]);
    }
}

static int print_classes(const struct comparison *c, FILE *out)
{
    struct libscols_table *t = table_new(out, comparison_titles);
    struct class_row row;

    if (!t)
        return -ENOMEM;
    for (unsigned i = 0; comparison_row(c, i, &row); i++)
        class_row_add(t, &row);
    return table_print(t);
}

/* ---- class by outcome, modes side by side ---- */

static void outcome_cells(struct libscols_line *row, unsigned first, const struct result *r,
                          unsigned i)
{
    bool judged = result_is(r, i, "mode", "enabled");
    int64_t bad = result_int(r, i, "rated_inconsistent"), corrupt = result_int(r, i, "corrupt_trials");

    table_cell(row, first, NULL, "%" PRId64, result_int(r, i, "trials"));
    table_cell(row, first + 1, judged && bad ? BAD : NULL, "%" PRId64 "/%" PRId64, bad,
               result_int(r, i, "rated"));
    table_cell(row, first + 2, judged && corrupt ? BAD : NULL, "%" PRId64, corrupt);
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
        if (result_is(r, i, "mode", "cold"))
            continue;
        if (!row || !result_is(r, i, "fault_class", result_text(r, last, "fault_class")) ||
            !result_is(r, i, "outcome", result_text(r, last, "outcome"))) {
            row = table_row(t);
            table_cell(row, 0, NULL, "%s", result_text(r, i, "fault_class"));
            table_cell(row, 1, NULL, "%s", outcome_words(result_text(r, i, "outcome")));
        }
        last = i;
        outcome_cells(row, result_is(r, i, "mode", "disabled") ? 2 : 5, r, i);
    }
    return table_print(t);
}

static int print_table(const struct comparison *c, const char *db, FILE *out)
{
    int64_t done = result_int(&c->campaign, 0, "done");
    int r;

    fprintf(out, "Campaign %s (%s, begun %s): %" PRId64 " trial%s done\n",
            result_text(&c->campaign, 0, "name"), result_text(&c->campaign, 0, "executor"),
            result_text(&c->campaign, 0, "created_at"), done, done == 1 ? "" : "s");
    if (!done) {
        comparison_notes(c, db, out);
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
    comparison_notes(c, db, out);
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
    int64_t id;
    int r;

    r = db_open(path, DB_READ, &db, err);
    if (r)
        return r;
    r = db_campaign_find(db, campaign, &id, err);
    if (!r)
        r = comparison_load(db, id, &c, err);
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
