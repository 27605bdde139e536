// SPDX-License-Identifier: GPL-2.0-or-later
/* What a gate found: for people, as JSON, as JUnit XML. */
#include "analysis/gate.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "analysis/table.h"
#include "analysis/xml.h"

const char *verdict_name(enum verdict verdict)
{
    static const char *const names[] = {"pass", "no data", "fail"};

    return names[verdict];
}

static unsigned checks_with(const struct gate *g, enum verdict verdict)
{
    unsigned n = 0;

    for (unsigned i = 0; i < g->len; i++)
        n += g->checks[i].verdict == verdict;
    return n;
}

int gate_print(const struct gate *g, FILE *out, struct err *err)
{
    static const char *const titles[] = {"VERDICT", "CLASS", "RULE", "FOUND", NULL};
    static const char *const colors[] = {"green", "yellow", "red"};
    static const char *const words[] = {"passed", "cannot be judged: not enough data", "FAILED"};
    struct libscols_table *t = table_new(out, titles);
    int r;

    if (!t)
        return err_set(err, ENOMEM, "out of memory");
    for (unsigned i = 0; i < g->len; i++) {
        const struct check *c = &g->checks[i];
        struct libscols_line *row = table_row(t);

        table_cell(row, 0, colors[c->verdict], "%s", verdict_name(c->verdict));
        table_cell(row, 1, NULL, "%s", c->scope);
        table_cell(row, 2, NULL, "%s", c->rule);
        table_cell(row, 3, NULL, "%s", c->text);
    }
    r = table_print(t);
    if (r)
        return err_set(err, -r, "cannot print: %s", strerror(-r));
    fprintf(out, "\nCampaign %s %s (%u checks: %u passed, %u failed, %u without enough data)\n",
            g->campaign, words[gate_verdict(g)], g->len, checks_with(g, VERDICT_PASS),
            checks_with(g, VERDICT_FAIL), checks_with(g, VERDICT_NO_DATA));
    return 0;
}

int gate_print_json(const struct gate *g, FILE *out, struct err *err)
{
    json_t *checks = json_array(), *all;
    int r;

    for (unsigned i = 0; i < g->len; i++) {
        const struct check *c = &g->checks[i];

        json_array_append_new(checks,
                              json_pack("{s:s, s:s, s:s, s:s}", "verdict", verdict_name(c->verdict),
                                        "class", c->scope, "rule", c->rule, "found", c->text));
    }
    if (json_array_size(checks) != g->len) {
        json_decref(checks);
        return err_set(err, ENOMEM, "out of memory");
    }
    all = json_pack("{s:s, s:s, s:o}", "campaign", g->campaign, "verdict",
                    verdict_name(gate_verdict(g)), "checks", checks);
    r = all ? json_dumpf(all, out, JSON_INDENT(2)) : -1;
    json_decref(all);
    if (r)
        return err_set(err, ferror(out) ? EIO : ENOMEM, "cannot print");
    fputc('\n', out);
    return 0;
}

static void junit_case(const struct gate *g, const struct check *c, FILE *out)
{
    char class[sizeof(g->campaign) + sizeof(c->scope) + 8];

    snprintf(class, sizeof(class), "wcr.%s.%s", g->campaign, c->scope);
    fputs("    <testcase", out);
    xml_attribute(out, "classname", class);
    xml_attribute(out, "name", c->rule);
    switch (c->verdict) {
    case VERDICT_PASS:
        fputs(">\n      <system-out>", out);
        xml_text(out, c->text);
        fputs("</system-out>\n", out);
        break;
    case VERDICT_NO_DATA:
        fputs(">\n      <error type=\"not enough data\"", out);
        xml_attribute(out, "message", c->text);
        fputs("/>\n", out);
        break;
    case VERDICT_FAIL:
        fputs(">\n      <failure type=\"policy\"", out);
        xml_attribute(out, "message", c->text);
        fputs("/>\n", out);
        break;
    }
    fputs("    </testcase>\n", out);
}

void gate_print_junit(const struct gate *g, FILE *out)
{
    char counts[96];

    snprintf(counts, sizeof(counts), " tests=\"%u\" failures=\"%u\" errors=\"%u\"", g->len,
             checks_with(g, VERDICT_FAIL), checks_with(g, VERDICT_NO_DATA));
    fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites%s>\n  <testsuite",
            counts);
    xml_attribute(out, "name", g->campaign);
    fprintf(out, "%s>\n", counts);
    for (unsigned i = 0; i < g->len; i++)
        junit_case(g, &g->checks[i], out);
    fputs("  </testsuite>\n</testsuites>\n", out);
}

void gate_print_junit_error(const char *message, FILE *out)
{
    static const char counts[] = " tests=\"1\" failures=\"0\" errors=\"1\"";

    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites%s>\n"
            "  <testsuite name=\"wcr gate\"%s>\n"
            "    <testcase classname=\"wcr\" name=\"gate\">\n      <error type=\"error\"",
            counts, counts);
    xml_attribute(out, "message", message);
    fputs("/>\n    </testcase>\n  </testsuite>\n</testsuites>\n", out);
}
