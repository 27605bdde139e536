// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the numbers are from, and what they mean. */
#include <inttypes.h>

#include "analysis/html.h"
#include "analysis/report_int.h"
#include "cli/version.h"

static void fact(FILE *out, const char *name, const char *value)
{
    html_element(out, "dt", "%s", name);
    html_element(out, "dd", "%s", *value ? value : "not known");
}

static void environments(const struct report *r, FILE *out)
{
    const struct result *f = &r->facts;
    int64_t last = -1;

    if (!f->rows) {
        fputs("<p>Nothing is recorded of the machine.</p>\n", out);
        return;
    }
    fputs("<p id=\"environments\">", out);
    for (unsigned i = 0; i < f->rows; i++) {
        if (result_int(f, i, "environment") == last)
            continue;
        last = result_int(f, i, "environment");
        html_text(out, "Environment %" PRId64 ": %" PRId64 " trials, first seen %s, hash %s. ",
                  last, result_int(f, i, "trials"), result_text(f, i, "first_seen_at"),
                  result_text(f, i, "hash"));
    }
    fputs("</p>\n", out);
    html_result(out, "facts", "What the trials' machines were made of", f,
                "environment name value");
}

void report_provenance(const struct report *r, FILE *out)
{
    const struct result *a = &r->about;

    fputs("<dl>\n", out);
    fact(out, "Executor", result_text(a, 0, "executor"));
    fact(out, "Campaign made", result_text(a, 0, "created_at"));
    fact(out, "First trial recorded", result_text(a, 0, "first_at"));
    fact(out, "Last trial recorded", result_text(a, 0, "last_at"));
    fact(out, "Hash of the specification", result_text(a, 0, "spec_hash"));
    fact(out, "wcr that ran the campaign", result_text(a, 0, "wcr_version"));
    fact(out, "wcr that wrote this page", WCR_VERSION);
    html_element(out, "dt", "Schema of the database");
    html_element(out, "dd", "%" PRId64, result_int(a, 0, "schema"));
    html_element(out, "dt", "Profile of the workload");
    if (result_null(a, 0, "profile_at"))
        html_element(out, "dd", "none: faults were drawn from all of their targets");
    else
        html_element(
            out, "dd",
            "made %s: faults were drawn from what a run without a fault executed, of %" PRId64
            " basic blocks of %s, kernel build %s",
            result_text(a, 0, "profile_at"), result_int(a, 0, "blocks"),
            result_text(a, 0, "targets"), result_text(a, 0, "build_id"));
    fputs("</dl>\n<details class=\"always\"><summary>The specification</summary>\n", out);
    html_element(out, "pre", "%s", result_text(a, 0, "spec_text"));
    fputs("</details>\n", out);
    environments(r, out);
}

void report_definitions(FILE *out)
{
    fputs("<dl>\n"
          "<dt>Trial</dt><dd>One fault, one crash (or none), one reboot and one verification, in "
          "one mode. Enabled: pages are reused that the hypervisor knows to equal their disk "
          "block. Disabled: whatever the guest's own table lists. Cold: none. GOLDEN: without a "
          "fault; in no total.</dd>\n"
          "<dt>Trials that count</dt><dd>Those that were verified (the guest booted again) and "
          "whose fault is not known to have stayed unexecuted. They are the denominator of every "
          "rate.</dd>\n"
          "<dt>Rate</dt><dd>Of the trials that count, those that reused at least one page whose "
          "memory differs from its disk block.</dd>\n"
          "<dt>Interval</dt><dd>Two-sided 95% interval of Clopper and Pearson: it covers the true "
          "rate with a probability of at least 95%, whatever that rate is.</dd>\n"
          "<dt>P</dt><dd>Of McNemar's exact test, two-sided, over pairs of trials with the same "
          "plan: how likely is such a difference between the modes if there is none.</dd>\n"
          "<dt>Corrupt, stale disk</dt><dd>Which of both is wrong where they differ, by the "
          "workload's self-describing data. Corrupt: the memory; the only true failure. Stale "
          "disk: the memory holds what was written, which has not reached the disk.</dd>\n"
          "<dt>Outcome</dt><dd>Kernel crash: the domain ended. Hang: no sign of life for 2 s while "
          "no disk worked. Process crash: an oops or a dead worker, and the rest goes on. No "
          "crash: none of these until the deadline. No reboot: whatever came before, the guest did "
          "not boot again.</dd>\n"
          "<dt>Experiment error</dt><dd>What broke the experiment and not the guest: tried again, "
          "counted apart, never a result.</dd>\n"
          "</dl>\n",
          out);
}
