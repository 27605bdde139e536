// SPDX-License-Identifier: GPL-2.0-or-later
/* Trials to look at, each with its fault, its console, and the command that plays it again. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/html.h"
#include "analysis/report_int.h"
#include "analysis/show.h"

/* So many of a table's rows are told in full: the most frequent, or the worst. */
#define TOLD 60

static int plan_text(const struct shown *s, char **ret)
{
    size_t size;
    FILE *f = open_memstream(ret, &size);

    if (!f)
        return -ENOMEM;
    show_print_plan(s, f);
    return fclose(f) ? -ENOMEM : 0;
}

static void consoles(const struct shown *s, FILE *out)
{
    for (unsigned i = 0; i < s->events.rows; i++) {
        if (!*result_text(&s->events, i, "text"))
            continue;
        html_element(out, "h4", "%s", result_text(&s->events, i, "kind"));
        html_element(out, "pre", "%s", result_text(&s->events, i, "text"));
    }
}

static void tell(const struct report *r, const char *id, const struct shown *s, const char *plan,
                 FILE *out)
{
    const struct result *t = &s->trial;

    fputs("<p>", out);
    html_text(out, "Trial %" PRId64 ", %s, seed %" PRId64 ", %s", result_int(t, 0, "trial_id"),
              result_text(t, 0, "fault_class"), result_int(t, 0, "seed"),
              result_text(t, 0, "mode"));
    if (!result_null(t, 0, "detect_ns"))
        html_text(out, ", failed after %.4g ms", (double)result_int(t, 0, "detect_ns") / 1e6);
    fputs(". Again: <code>", out);
    html_text(out, "wcr replay %" PRId64 " --db %s", result_int(t, 0, "trial_id"), r->path);
    fputs("</code></p>\n", out);
    html_element(out, "pre", "%s", plan + strspn(plan, "\n"));
    if (s->pages.rows) {
        char name[48];

        snprintf(name, sizeof(name), "%s-%" PRId64, id, result_int(t, 0, "trial_id"));
        html_result(out, name, "Pages that were not consistent (256 of a verification at most)",
                    &s->pages, "at pfn inode page_index sector verdict detail");
    }
    consoles(s, out);
}

/* @row of @table, whose column "trial" names one; @id: of the table on the page. */
static int detail(const struct report *r, const char *id, const struct result *table, unsigned row,
                  const char *summary, FILE *out, struct err *err)
{
    struct shown s;
    char *plan = NULL;
    int ret = show_load_trial(r->db, result_int(table, row, "trial"), &s, err);

    if (ret)
        return ret;
    if (plan_text(&s, &plan)) {
        ret = err_set(err, ENOMEM, "out of memory");
    } else {
        fputs("<details>", out);
        html_element(out, "summary", "%s", summary);
        tell(r, id, &s, plan, out);
        fputs("</details>\n", out);
    }
    free(plan);
    show_done(&s);
    return ret;
}

static int details(const struct report *r, const char *id, const struct result *table, FILE *out,
                   struct err *err)
{
    int ret = 0;

    for (unsigned i = 0; !ret && i < table->rows && i < TOLD; i++) {
        const struct cell *first = table->cells + (size_t)i * table->columns;
        char summary[200];

        if (first->type == CELL_TEXT)
            snprintf(summary, sizeof(summary), "%s (%" PRId64 ")", first->text,
                     result_int(table, i, "crashes"));
        else
            snprintf(summary, sizeof(summary), "trial %" PRId64, first->i);
        ret = detail(r, id, table, i, summary, out, err);
    }
    if (table->rows > TOLD)
        html_element(out, "p", "The first %u are told in full; 'wcr show' has any trial.",
                     (unsigned)TOLD);
    return ret;
}

int report_violations(const struct report *r, FILE *out, struct err *err)
{
    const struct result *c = &r->checked;

    fputs("<p>", out);
    html_text(out,
              "Verified with the mechanism enabled: %" PRId64 " pages that were reused in %" PRId64
              " reboots, of which %" PRId64
              " were inconsistent; and, before the reboot, every page "
              "that was reusable in %" PRId64 " crashes, %" PRId64 " pages, of which %" PRId64
              " were inconsistent.",
              result_int(c, 0, "pages_reused"), result_int(c, 0, "reboots"),
              result_int(c, 0, "inconsistent_reused"), result_int(c, 0, "crashes"),
              result_int(c, 0, "pages_at_crash"), result_int(c, 0, "inconsistent_at_crash"));
    fputs("</p>\n", out);
    if (!result_int(c, 0, "reboots") && !result_int(c, 0, "crashes"))
        return 0;
    if (!r->violations.rows) {
        fputs(
            "<p class=\"good\">None: no page that was reused, or could have been, was inconsistent."
            "</p>\n",
            out);
        return 0;
    }
    html_result(out, "violations", "Trials with inconsistent pages, mechanism enabled",
                &r->violations,
                "trial fault_class seed outcome activated at_crash corrupt_at_crash pages_reused "
                "inconsistent corrupt stale_disk unknown");
    return details(r, "violations", &r->violations, out, err);
}

int report_crashes(const struct report *r, FILE *out, struct err *err)
{
    int ret = 0;

    if (!r->crashes.rows) {
        fputs("<p>None.</p>\n", out);
    } else {
        html_result(out, "crashes",
                    "Crashes by signature; each once, however often it was rebooted", &r->crashes,
                    "signature crashes trials fault_classes outcomes modes trial");
        fputs("<p class=\"note\">The trial named is the one that failed soonest after its fault; "
              "<code>",
              out);
        html_text(out, "wcr replay TRIAL --db %s", r->path);
        fputs("</code> plays one again.</p>\n", out);
        ret = details(r, "crashes", &r->crashes, out, err);
    }
    if (ret || !r->reboots.rows)
        return ret;
    html_element(out, "h3", "Reboots that failed, or had an oops of their own");
    html_result(out, "reboots", "Reboots by signature, or by what was wrong", &r->reboots,
                "signature trials fault_classes outcomes modes trial");
    return details(r, "reboots", &r->reboots, out, err);
}
