// SPDX-License-Identifier: GPL-2.0-or-later
/* The page: from the answer to what it is made of. */
#include "analysis/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/html.h"
#include "analysis/report_int.h"
#include "lib/embed.h"

EMBED(report_style, "analysis/report.css");

static const struct {
    const char *id, *title;
} sections[] = {
    {"result", "Result"},
    {"wrong", "Inconsistent pages with the mechanism enabled"},
    {"figures", "Fault injection results"},
    {"effects-of", "What the faults did"},
    {"triage", "Crashes"},
    {"pairs-of", "Pairs"},
    {"time", "Time"},
    {"experiment", "Experiment errors"},
    {"provenance", "Provenance"},
    {"definitions", "Definitions"},
};

static void section(FILE *out, const char *id)
{
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        if (!strcmp(sections[i].id, id))
            fprintf(out, "<h2 id=\"%s\">%s</h2>\n", id, sections[i].title);
}

/* ---- the answer ---- */

static void rate(const struct class_row *row, FILE *out)
{
    char cells[CLASS_CELLS][64];

    comparison_cells(row, cells);
    html_text(out, "%" PRId64 " of %" PRId64 " trials reused inconsistent cache", row->inconsistent,
              row->rated);
    if (row->rated)
        html_text(out, " (%s, 95%% interval %s)", cells[CELL_INCONSISTENT + 1],
                  cells[CELL_INCONSISTENT + 2]);
}

static void verdict(const struct report *r, FILE *out)
{
    struct class_row on = comparison_total(&r->c, "enabled");
    struct class_row off = comparison_total(&r->c, "disabled");
    char cells[CLASS_CELLS][64];

    /* Of fault-free trials, too: there it is the experiment that failed. */
    fprintf(out, "<p class=\"verdict%s\" id=\"verdict\">",
            r->c.corrupt.rows                 ? " bad"
            : on.rated && !r->violations.rows ? " good"
                                              : "");
    fputs("With the mechanism enabled ", out);
    rate(&on, out);
    if (off.trials) {
        fputs("; with it disabled ", out);
        rate(&off, out);
    }
    comparison_cells(&on, cells);
    if (on.rated_pairs)
        html_text(out, ". Exact McNemar test over %" PRId64 " pairs: p = %s", on.rated_pairs,
                  cells[CLASS_CELLS - 1]);
    html_text(out,
              ". Trials that reused a page whose memory is wrong, the only true failure: %" PRId64
              " enabled",
              on.corrupt);
    if (off.trials)
        html_text(out, ", %" PRId64 " disabled", off.corrupt);
    fputs(".</p>\n", out);
}

void report_page_begin(FILE *out, const char *title)
{
    /* Nothing is fetched and nothing runs, whatever a guest wrote on its console. */
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" "
          "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          out);
    html_text(out, "%s", title);
    fprintf(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n", report_style);
}

static void head(const struct report *r, FILE *out)
{
    const char *name = result_text(&r->c.campaign, 0, "name");
    char title[200];

    snprintf(title, sizeof(title), "wcr: campaign %s", name);
    report_page_begin(out, title);
    html_element(out, "h1", "Campaign %s", name);
    verdict(r, out);
    fputs("<p class=\"note\">", out);
    html_text(out, "%" PRId64 " trials on %s, from %s to %s.",
              result_int(&r->c.campaign, 0, "done"), result_text(&r->about, 0, "executor"),
              result_text(&r->about, 0, "first_at"), result_text(&r->about, 0, "last_at"));
    fputs("</p>\n<nav aria-label=\"Sections\"><ul>\n", out);
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        fprintf(out, "<li><a href=\"#%s\">%s</a></li>\n", sections[i].id, sections[i].title);
    fputs("</ul></nav>\n<main>\n", out);
}

/* ---- results ---- */

static void notes(const struct report *r, FILE *out)
{
    char *text = NULL, *rest, *line;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return;
    comparison_notes(&r->c, r->path, f);
    fclose(f);
    fputs("<ul>\n", out);
    for (rest = text; (line = strsep(&rest, "\n"));)
        if (*line) {
            fprintf(out, "<li%s>", !strncmp(line, "WARNING", 7) ? " class=\"bad\"" : "");
            html_text(out, "%s", line);
            fputs("</li>\n", out);
        }
    fputs("</ul>\n", out);
    free(text);
}

static void result(const struct report *r, FILE *out)
{
    /* What a narrow screen shows without scrolling comes first. */
    static const unsigned order[CLASS_CELLS] = {0, 1, 5, 6, 7, 12, 8, 9, 2, 3, 4, 10, 11};
    const char *titles[CLASS_CELLS + 1] = {NULL};
    struct class_row row;
    struct html_table t;

    section(out, "result");
    for (unsigned i = 0; i < CLASS_CELLS; i++)
        titles[i] = comparison_titles[order[i]];
    html_table_begin(&t, out, "compare", "Trials that reused inconsistent pages, by fault class",
                     titles);
    for (unsigned n = 0; comparison_row(&r->c, n, &row); n++) {
        bool judged = !strcmp(row.mode, "enabled");
        char cells[CLASS_CELLS][64];

        comparison_cells(&row, cells);
        html_row(&t);
        for (unsigned i = 0; i < CLASS_CELLS; i++) {
            bool bad = judged && ((order[i] == CELL_INCONSISTENT && row.inconsistent) ||
                                  (order[i] == CELL_CORRUPT && row.corrupt));

            html_cell(&t, bad ? "bad" : NULL, "%s", cells[order[i]]);
        }
    }
    html_table_end(&t);
    notes(r, out);
}

static int figures(const struct report *r, FILE *out, struct err *err)
{
    int ret;

    section(out, "figures");
    fputs("<p>For each fault class two bars. The upper one: how all its trials ended. The lower "
          "one: of the trials that count, those that reused inconsistent cache (k/n), by the same "
          "outcomes, with the 95% Clopper-Pearson interval of the total.</p>\n",
          out);
    report_legend(out);
    fputs("<div class=\"figures\">\n", out);
    ret = report_figure_mode(r, "disabled", out, err);
    if (!ret)
        ret = report_figure_mode(r, "enabled", out, err);
    fputs("</div>\n<details><summary>The numbers of the figures</summary>\n", out);
    html_result(out, "outcomes", "Trials by fault class, outcome and mode", &r->c.outcomes,
                "fault_class outcome mode trials activated rated rated_inconsistent rate ci_low "
                "ci_high corrupt_trials stale_disk_trials");
    fputs("</details>\n", out);
    return ret;
}

static void effects(const struct report *r, FILE *out)
{
    section(out, "effects-of");
    html_result(out, "effects", "Each injection once, however often its crash was rebooted",
                &r->effects,
                "fault_class candidates injections drawn_again activated unknown no_crash "
                "process_crash kernel_crash hang median_ms");
    fputs(
        "<p class=\"note\">Outcomes are of faults that were executed, or may have been; median ms "
        "is from the execution of the fault to the failure.</p>\n",
        out);
}

static void pairs(const struct report *r, FILE *out)
{
    section(out, "pairs-of");
    if (!r->c.pairs.rows) {
        fputs("<p>None.</p>\n", out);
        return;
    }
    html_result(out, "pairs", "One plan, rebooted with the mechanism enabled and disabled",
                &r->c.pairs,
                "fault_class pairs snapshot_pairs rated_pairs only_disabled only_enabled both "
                "p_value");
    fputs("<p class=\"note\">Of the rated pairs: those where only one mode, or both, reused "
          "inconsistent cache.</p>\n",
          out);
}

static int times(const struct report *r, FILE *out, struct err *err)
{
    double seconds = (double)result_int(&r->about, 0, "seconds");
    int64_t done = result_int(&r->c.campaign, 0, "done");
    int ret;

    section(out, "time");
    fputs("<p id=\"rate\">", out);
    html_text(out, "%" PRId64 " trials in %.2f hours", done, seconds / 3600);
    if (seconds > 0)
        html_text(out, ": %.0f an hour, pauses included", (double)done * 3600 / seconds);
    fputs(".</p>\n<div class=\"figures\">\n", out);
    ret = report_figure_progress(r, out, err);
    if (!ret)
        ret = report_figure_steps(r, out, err);
    fputs("</div>\n", out);
    if (r->steps.rows)
        html_result(out, "steps", "Steps of a trial, seconds of wall time", &r->steps,
                    "step trials median_s max_s total_s");
    return ret;
}

static void errors(const struct report *r, FILE *out)
{
    section(out, "experiment");
    if (!r->errors.rows) {
        fputs("<p>None.</p>\n", out);
        return;
    }
    fputs("<p>What broke the experiment and not the guest is no result, and in no number above."
          "</p>\n",
          out);
    html_result(out, "errors", "Errors by message", &r->errors,
                "error times trials_given_up fault_classes first last");
}

static int page(const struct report *r, FILE *out, struct err *err)
{
    int ret;

    head(r, out);
    result(r, out);
    section(out, "wrong");
    ret = report_violations(r, out, err);
    if (!ret)
        ret = figures(r, out, err);
    if (ret)
        return ret;
    effects(r, out);
    section(out, "triage");
    ret = report_crashes(r, out, err);
    if (ret)
        return ret;
    pairs(r, out);
    ret = times(r, out, err);
    if (ret)
        return ret;
    errors(r, out);
    section(out, "provenance");
    report_provenance(r, out);
    section(out, "definitions");
    report_definitions(out);
    fputs("</main>\n</body>\n</html>\n", out);
    return 0;
}

int report_write(const char *path, const char *campaign, FILE *out, struct err *err)
{
    char *text = NULL;
    size_t size;
    struct report r;
    FILE *whole;
    int ret = report_load(path, campaign, &r, err);

    if (ret)
        return ret;
    whole = open_memstream(&text, &size);
    if (!whole)
        ret = err_set(err, ENOMEM, "out of memory");
    else if (!result_int(&r.c.campaign, 0, "done"))
        ret = err_set(err, ENODATA, "%s: no trial of this campaign is done yet", path);
    else
        ret = page(&r, whole, err);
    if (whole && fclose(whole) && !ret)
        ret = err_set(err, ENOMEM, "out of memory");
    if (!ret && (fwrite(text, 1, size, out) != size || fflush(out)))
        ret = err_set(err, errno, "cannot write: %s", strerror(errno));
    free(text);
    report_done(&r);
    return ret;
}
