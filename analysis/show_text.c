// SPDX-License-Identifier: GPL-2.0-or-later
/* A trial for people: what was done, what came of it, when, and what was left. */
#include "analysis/show.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "analysis/table.h"
#include "db/db.h"

static void field(FILE *out, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void field(FILE *out, const char *name, const char *fmt, ...)
{
    va_list ap;

    fprintf(out, "  %-18s", name);
    va_start(ap, fmt);
    vfprintf(out, fmt, ap);
    va_end(ap);
    fputc('\n', out);
}

static void text_field(FILE *out, const char *name, const struct result *r, const char *column)
{
    const char *text = result_text(r, 0, column);

    if (*text)
        field(out, name, "%s", text);
}

/* A crashed guest's console may hold anything; a terminal must not be told it. */
static void block(FILE *out, const char *text)
{
    fputs("    ", out);
    for (; *text; text++) {
        if (*text == '\n' && text[1])
            fputs("\n    ", out);
        else if (*text == '\n' || *text == '\r')
            continue;
        else if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            fputc('?', out);
        else
            fputc(*text, out);
    }
    fputc('\n', out);
}

/* ---- the fault ---- */

static void print_bytes(FILE *out, const char *name, const struct result *plan, const char *bytes,
                        const char *assembly)
{
    field(out, name, "%-24s %s", result_text(plan, 0, bytes), result_text(plan, 0, assembly));
}

void show_print_plan(const struct shown *s, FILE *out)
{
    const struct result *p = &s->plan;

    if (!p->rows || result_null(p, 0, "plan_json")) {
        fputs("\nNo fault: a golden run\n", out);
        return;
    }
    fprintf(out, "\nFault\n");
    if (result_null(p, 0, "va")) {
        text_field(out, "parameters", p, "params");
    } else {
        field(out, "site", "%s %s+0x%" PRIx64 "  %s", result_text(p, 0, "va"),
              result_text(p, 0, "symbol"), result_int(p, 0, "offset"), result_text(p, 0, "source"));
        print_bytes(out, "old", p, "old", "old_asm");
        print_bytes(out, "new", p, "new", "new_asm");
        field(out, "candidates", "%" PRId64 " in %s", result_int(p, 0, "candidates"),
              result_text(p, 0, "target"));
    }
    fprintf(out, "  %-18swcr plan --class %s", "again", result_text(p, 0, "fault_class"));
    if (!result_null(p, 0, "va"))
        fprintf(out, " --target %s", result_text(p, 0, "target"));
    fprintf(out, " --seed %" PRId64 " --index %" PRId64 "\n", result_int(p, 0, "seed"),
            result_int(p, 0, "plan_index"));
}

/* ---- what came of it ---- */

static const char *activation(const struct result *t)
{
    if (result_null(t, 0, "activated"))
        return "nobody can tell";
    return result_int(t, 0, "activated") ? "yes" : "no";
}

static void print_result(const struct result *t, FILE *out)
{
    fprintf(out, "\nResult\n");
    text_field(out, "error", t, "error");
    text_field(out, "outcome", t, "outcome");
    if (strcmp(result_text(t, 0, "outcome"), result_text(t, 0, "crash_outcome")) != 0)
        text_field(out, "at the crash", t, "crash_outcome");
    if (!result_null(t, 0, "outcome"))
        field(out, "fault executed", "%s", activation(t));
    text_field(out, "signature", t, "signature");
    text_field(out, "shutdown reason", t, "shutdown_reason");
    text_field(out, "crash", t, "crash_id");
    text_field(out, "pair", t, "pair");
    field(out, "attempts", "%" PRId64, result_int(t, 0, "attempts"));
}

static void print_times(const struct result *t, FILE *out)
{
    static const char *const times[][2] = {
        {"inject_ns", "injection"}, {"activated_ns", "activation"}, {"detect_ns", "detection"},
        {"reboot_ns", "reboot"},    {"verify_ns", "verification"},  {"wall_ns", "wall clock, all"},
    };
    bool any = false;

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (result_null(t, 0, times[i][0]))
            continue;
        if (!any)
            fprintf(out, "\nTimes (of domain 0's clock; detection is from the activation, or else "
                         "the injection)\n");
        any = true;
        field(out, times[i][1], "%14.6f s", (double)result_int(t, 0, times[i][0]) / 1e9);
    }
}

/* ---- pages ---- */

static void count_cell(struct libscols_line *row, unsigned column, const struct result *t,
                       const char *prefix, const char *name, const char *color)
{
    char full[48];

    snprintf(full, sizeof(full), "%s%s", prefix, name);
    for (unsigned i = 0; i < t->columns; i++) {
        if (strcmp(t->names[i], full) != 0)
            continue;
        if (t->cells[i].type == CELL_INT)
            table_cell(row, column, t->cells[i].i ? color : NULL, "%" PRId64, t->cells[i].i);
        return;
    }
}

static int print_counts(const struct result *t, FILE *out)
{
    static const char *const names[] = {"mapped",     "reusable",   "retained",     "reused",
                                        "checked",    "consistent", "inconsistent", "corrupt",
                                        "stale_disk", "unknown",    "unreadable",   "modified"};
    static const char *const titles[] = {"", ">BEFORE THE REBOOT", ">REUSED AFTER IT", NULL};
    struct libscols_table *table;

    if (result_null(t, 0, "crash_pages_reusable") && result_null(t, 0, "pages_reused"))
        return 0;
    fprintf(out, "\nPages\n");
    table = table_new(out, titles);
    if (!table)
        return -ENOMEM;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct libscols_line *row = table_row(table);
        const char *color = !strcmp(names[i], "corrupt") ? "red" : NULL;

        table_cell(row, 0, NULL, "  %s", names[i]);
        count_cell(row, 1, t, "crash_pages_", names[i], color);
        count_cell(row, 2, t, "pages_", names[i], color);
    }
    return table_print(table);
}

static int print_pages(const struct result *pages, FILE *out)
{
    static const char *const titles[] = {"  AT",    ">FRAME",  ">INODE", ">INDEX",
                                         ">SECTOR", "VERDICT", "DETAIL", NULL};
    static const char *const numbers[] = {"pfn", "inode", "page_index", "sector"};
    struct libscols_table *table;

    if (!pages->rows)
        return 0;
    fprintf(out, "\nPages that were not consistent\n");
    table = table_new(out, titles);
    if (!table)
        return -ENOMEM;
    for (unsigned i = 0; i < pages->rows; i++) {
        struct libscols_line *row = table_row(table);

        table_cell(row, 0, NULL, "  %s", result_text(pages, i, "at"));
        for (unsigned k = 0; k < 4; k++)
            if (!result_null(pages, i, numbers[k]))
                table_cell(row, k + 1, NULL, "%" PRId64, result_int(pages, i, numbers[k]));
        table_cell(row, 5, NULL, "%s", result_text(pages, i, "verdict"));
        table_cell(row, 6, NULL, "%s", result_text(pages, i, "detail"));
    }
    return table_print(table);
}

/* ---- the rest ---- */

static void print_others(const struct result *o, FILE *out)
{
    if (o->rows)
        fprintf(out, "\nTrials of the same plan\n");
    for (unsigned i = 0; i < o->rows; i++) {
        fprintf(out, "  trial %-5" PRId64 " %-10s %s", result_int(o, i, "trial_id"),
                result_text(o, i, "mode"),
                *result_text(o, i, "outcome") ? result_text(o, i, "outcome") : "error");
        if (!result_null(o, i, "pages_reused"))
            fprintf(out,
                    ", %" PRId64 " pages reused, %" PRId64 " inconsistent, %" PRId64 " corrupt",
                    result_int(o, i, "pages_reused"), result_int(o, i, "pages_inconsistent"),
                    result_int(o, i, "pages_corrupt"));
        fprintf(out, "%s\n", result_int(o, i, "same_crash") ? " (from the same crash)" : "");
    }
}

static void print_named(const struct result *r, const char *title, FILE *out)
{
    if (r->rows)
        fprintf(out, "\n%s\n", title);
    for (unsigned i = 0; i < r->rows; i++) {
        char name[40];

        snprintf(name, sizeof(name), "%s", result_text(r, i, "name"));
        if (r->columns == 3)
            field(out, name, "%.6g %s", result_real(r, i, "value"), result_text(r, i, "unit"));
        else
            field(out, name, "%s", result_text(r, i, "value"));
    }
}

static void print_attempts(const struct result *a, FILE *out)
{
    if (a->rows)
        fprintf(out, "\nAttempts that failed (no results)\n");
    for (unsigned i = 0; i < a->rows; i++) {
        fprintf(out, "  %s, plan %" PRId64 ": %s\n", result_text(a, i, "at"),
                result_int(a, i, "plan_index"), result_text(a, i, "text"));
        if (*result_text(a, i, "console"))
            block(out, result_text(a, i, "console"));
    }
}

static void print_events(const struct result *e, FILE *out)
{
    for (unsigned i = 0; i < e->rows; i++) {
        fprintf(out, "\n%s\n", result_text(e, i, "kind"));
        if (*result_text(e, i, "text"))
            block(out, result_text(e, i, "text"));
        if (*result_text(e, i, "data_json"))
            block(out, result_text(e, i, "data_json"));
    }
}

int show_print(const struct shown *s, FILE *out, struct err *err)
{
    const struct result *t = &s->trial;
    int r;

    fprintf(out, "Trial %" PRId64 ": %s, seed %" PRId64 ", %s (campaign %s, %s, recorded %s)\n",
            result_int(t, 0, "trial_id"), result_text(t, 0, "fault_class"),
            result_int(t, 0, "seed"), result_text(t, 0, "mode"), result_text(t, 0, "campaign"),
            result_text(t, 0, "executor"), result_text(t, 0, "recorded_at"));
    show_print_plan(s, out);
    print_result(t, out);
    print_times(t, out);
    r = print_counts(t, out);
    if (!r)
        r = print_pages(&s->pages, out);
    if (r)
        return err_set(err, -r, "cannot print: %s", strerror(-r));
    print_others(&s->others, out);
    print_named(&s->measurements, "Measurements", out);
    print_attempts(&s->attempts, out);
    print_events(&s->events, out);
    print_named(&s->facts, "Environment", out);
    return 0;
}
