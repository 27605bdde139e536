// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "analysis/table.h"
#include "warmcache-core/bench/cost.h"

#define NOT_ENABLED_TARGET 1.005

static double ratio(uint64_t x, uint64_t y)
{
    return y ? (double)x / (double)y : NAN;
}

/* Of the least totals; NAN where one was not measured. */
static double against_stock(const cost_table *costs, enum machine_kind kind, unsigned w)
{
    const struct cost *c = &(*costs)[kind][w], *stock = &(*costs)[MACHINE_STOCK][w];

    return c->repeats && stock->repeats ? ratio(c->best.total, stock->best.total) : NAN;
}

static double target_of(enum machine_kind kind, unsigned w)
{
    return kind == MACHINE_ENABLED ? workloads[w].target : NOT_ENABLED_TARGET;
}

/* Rounded as it is shown. */
static bool missed(double value, double target)
{
    return target && round(value * 1000) > target * 1000 + 0.001;
}

static void cell_ratio(struct libscols_line *row, unsigned column, const cost_table *costs,
                       enum machine_kind kind, unsigned w)
{
    double v = against_stock(costs, kind, w), target = target_of(kind, w);
    bool bad = missed(v, target);

    if (isnan(v))
        table_cell(row, column, NULL, "-");
    else
        table_cell(row, column, bad ? "red" : NULL, "%.3f%s", v, bad ? " !" : "  ");
}

static void cell_number(struct libscols_line *row, unsigned column, const char *fmt, double v)
{
    char text[32];

    snprintf(text, sizeof(text), fmt, v);
    table_cell(row, column, NULL, "%s", isnan(v) ? "-" : text);
}

static double noise_max(const cost_table *costs, unsigned w)
{
    double ret = 0;

    for (unsigned m = 0; m < MACHINES; m++)
        if ((*costs)[m][w].repeats && (*costs)[m][w].noise > ret)
            ret = (*costs)[m][w].noise;
    return ret;
}

static void cell_size(struct libscols_line *row, unsigned column, uint32_t size)
{
    table_cell(row, column, NULL, "%" PRIu32 "K", size / 1024);
}

static int report_costs(FILE *out, const cost_table *costs)
{
    static const char *const titles[] = {"WORKLOAD", ">SIZE", ">OPS", ">STOCK/OP", ">OFF", ">NONE",
        ">ENABLED", ">TARGET", ">ENABLED/OP", ">GUEST ONLY", ">TIME", ">NOISE", NULL};
    struct libscols_table *t = table_new(out, titles);

    if (!t)
        return -ENOMEM;
    for (unsigned w = 1; w < workloads_len; w++) {
        const struct cost *s = &(*costs)[MACHINE_STOCK][w], *e = &(*costs)[MACHINE_ENABLED][w];
        struct libscols_line *row;
        unsigned c = 0;

        if (!s->repeats && !e->repeats)
            continue;
        row = table_row(t);
        table_cell(row, c++, NULL, "%s", workloads[w].name);
        cell_size(row, c++, workloads[w].size);
        table_cell(row, c++, NULL, "%" PRIu64, s->ops ? s->ops : e->ops);
        cell_number(row, c++, "%.0f", ratio(s->best.total, s->ops));
        cell_ratio(row, c++, costs, MACHINE_OFF, w);
        cell_ratio(row, c++, costs, MACHINE_NONE, w);
        cell_ratio(row, c++, costs, MACHINE_ENABLED, w);
        if (workloads[w].target)
            table_cell(row, c++, NULL, "%.2f", workloads[w].target);
        else
            table_cell(row, c++, NULL, "-");
        cell_number(row, c++, "%.0f", ratio(e->best.total, e->ops));
        cell_number(row, c++, "%.3f", ratio(e->best.guest, s->best.guest));
        cell_number(row, c++, "%.3f", ratio(e->best.ns, s->best.ns));
        table_cell(row, c++, NULL, "%.2f%%", 100 * noise_max(costs, w));
    }
    return table_print(t);
}

static int report_counters(FILE *out, const cost_table *costs)
{
    static const char *const titles[] = {"WORKLOAD", ">SIZE", ">OPS", ">DISK READS", ">DISK WRITES",
        ">IO READS", ">IO WRITES", ">REQUESTS", ">CALLS", ">NAMES", ">NAME CALLS", ">REFUSED",
        ">STORES SEEN", NULL};
    struct libscols_table *t = table_new(out, titles);

    if (!t)
        return -ENOMEM;
    for (unsigned w = 1; w < workloads_len; w++) {
        const struct cost *e = &(*costs)[MACHINE_ENABLED][w];
        struct libscols_line *row;

        if (!e->repeats)
            continue;
        row = table_row(t);
        table_cell(row, 0, NULL, "%s", workloads[w].name);
        cell_size(row, 1, workloads[w].size);
        table_cell(row, 2, NULL, "%" PRIu64, e->ops);
        for (unsigned i = 0; i < COUNTERS; i++)
            table_cell(row, 3 + i, NULL, "%.2f", (double)e->counter[i] / (double)e->ops);
    }
    return table_print(t);
}

int report_tables(FILE *out, const cost_table *costs)
{
    int r;

    fprintf(out, "\nInstructions per operation on stock Xen and Linux, and ratios to that (!: target missed).\n"
            "OFF: Xen booted without warmcache. NONE: the guest has no warm cache. Target of both: %.3f.\n\n",
            NOT_ENABLED_TARGET);
    r = report_costs(out, costs);
    if (r)
        return r;
    fprintf(out, "\nWhat the mechanism counted, per operation, policy enabled. DISK: requests; IO: pages.\n\n");
    return report_counters(out, costs);
}

static json_t *cost_json(const struct cost *c)
{
    json_t *o = json_pack("{s:I, s:I, s:I, s:I, s:f, s:[]}", "ops", (json_int_t)c->ops,
                          "instructions", (json_int_t)c->best.total, "guest_instructions",
                          (json_int_t)c->best.guest, "guest_ns", (json_int_t)c->best.ns,
                          "noise", c->noise, "repeats");

    for (unsigned i = 0; i < c->repeats; i++)
        json_array_append_new(json_object_get(o, "repeats"),
                              json_integer((json_int_t)c->sample[i].total));
    for (unsigned i = 0; i < COUNTERS; i++)
        json_object_set_new(o, counter_names[i], json_integer(c->counter[i]));
    return o;
}

/* One object a line for each workload. */
int report_json(FILE *out, const cost_table *costs)
{
    for (unsigned w = 0; w < workloads_len; w++) {
        json_t *o = json_pack("{s:s, s:i}", "workload", workloads[w].name, "size",
                              (int)workloads[w].size);
        bool any = false;

        if (workloads[w].target)
            json_object_set_new(o, "target", json_real(workloads[w].target));
        for (unsigned m = 0; m < MACHINES; m++) {
            if (!(*costs)[m][w].repeats)
                continue;
            any = true;
            json_object_set_new(o, machine_configs[m].name, cost_json(&(*costs)[m][w]));
        }
        if (any && (json_dumpf(o, out, JSON_COMPACT) || fputc('\n', out) == EOF)) {
            json_decref(o);
            return -EIO;
        }
        json_decref(o);
    }
    return 0;
}
