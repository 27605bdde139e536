// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr faults */
#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "injector/plan.h"
#include "injector/vmlinux.h"

struct options {
    const char *target, *profile, *module, *vmlinux, *testbed;   /* target NULL: do not count */
    bool json;
};

static void usage(FILE *f)
{
    fputs("usage: wcr faults [OPTION...]\n\n"
          "List the fault classes: what each emulates and what it does. Text faults change\n"
          "instructions from domain 0; run-time faults are modules loaded into the guest.\n\n"
          "  -t, --target TARGET    count the candidates of the text classes there: all,\n"
          "                         dir:fs/ext4, file:..., func:..., range:... (see wcr plan)\n"
          "  -p, --profile FILE     of these only what 'wcr run --profile' saw executed\n"
          "  -m, --module FILE      in this module (.ko) of the kernel\n"
          "  -j, --json             one object per line\n"
          "      --vmlinux FILE     kernel with symbols (default: the testbed's)\n"
          "      --testbed FILE     testbed description (default: $WCR_TESTBED, else\n"
          "                         build/testbed.env)\n"
          "  -h, --help\n",
          f);
}

static const char *kind_name(const struct fault_class *c)
{
    return c->kind == FAULT_TEXT ? "text" : "run-time";
}

/* *@ret_counted: false where there is nothing to count. */
static int count(struct plan_source *source, const struct options *o, const struct fault_class *c,
                 uint64_t *ret, bool *ret_counted, struct err *err)
{
    *ret_counted = source && c->kind == FAULT_TEXT;
    return *ret_counted ? plan_count(source, c->name, o->target, ret, err) : 0;
}

static int json_print(struct plan_source *source, const struct options *o, struct err *err)
{
    for (size_t i = 0; i < fault_classes_len; i++) {
        const struct fault_class *c = &fault_classes[i];
        uint64_t n;
        bool counted;
        json_t *json;
        int r = count(source, o, c, &n, &counted, err);

        if (r)
            return r;
        json = json_pack("{s:s, s:s, s:s, s:s, s:b}", "class", c->name, "kind",
                         c->kind == FAULT_TEXT ? "text" : "runtime", /* as in plans */
                         "emulates", c->emulates, "does", c->does, "rated", c->rated);
        if (!json)
            return err_set(err, ENOMEM, "out of memory");
        if (counted) {
            json_object_set_new(json, "target", json_string(o->target));
            json_object_set_new(json, "candidates", json_integer((json_int_t)n));
        }
        json_dumpf(json, stdout, JSON_PRESERVE_ORDER);
        putchar('\n');
        json_decref(json);
    }
    return 0;
}

static int table_fill(struct libscols_table *table, struct plan_source *source,
                      const struct options *o, struct err *err)
{
    scols_table_new_column(table, "CLASS", 0, 0);
    scols_table_new_column(table, "KIND", 0, 0);
    scols_table_new_column(table, "EMULATES", 0, 0);
    scols_table_new_column(table, "DOES", 0, 0);
    if (source)
        scols_table_new_column(table, "CANDIDATES", 0, SCOLS_FL_RIGHT);
    for (size_t i = 0; i < fault_classes_len; i++) {
        const struct fault_class *c = &fault_classes[i];
        struct libscols_line *line = scols_table_new_line(table, NULL);
        char text[24] = "-";
        uint64_t n;
        bool counted;
        int r = count(source, o, c, &n, &counted, err);

        if (r)
            return r;
        if (!line)
            return err_set(err, ENOMEM, "out of memory");
        if (counted)
            snprintf(text, sizeof(text), "%" PRIu64, n);
        scols_line_set_data(line, 0, c->name);
        scols_line_set_data(line, 1, kind_name(c));
        scols_line_set_data(line, 2, c->emulates);
        scols_line_set_data(line, 3, c->does);
        if (source)
            scols_line_set_data(line, 4, text);
    }
    return 0;
}

static int table_print(struct plan_source *source, const struct options *o, struct err *err)
{
    struct libscols_table *table = scols_new_table();
    int r;

    if (!table)
        return err_set(err, ENOMEM, "out of memory");
    r = table_fill(table, source, o, err);
    if (!r)
        scols_print_table(table);
    scols_unref_table(table);
    return r;
}

int cmd_faults(int argc, char **argv)
{
    struct options o = {0};
    const struct cli_option options[] = {
        {.name = "target", .letter = 't', .value = &o.target},
        {.name = "profile", .letter = 'p', .value = &o.profile},
        {.name = "module", .letter = 'm', .value = &o.module},
        {.name = "json", .letter = 'j', .flag = &o.json},
        {.name = "vmlinux", .value = &o.vmlinux},
        {.name = "testbed", .value = &o.testbed},
        {0},
    };
    int r = 0, status = cli_parse_all("faults", usage, options, argc, argv);
    struct plan_source *source = NULL;
    struct err err = {0};

    if (status >= 0)
        return status;
    if ((o.vmlinux || o.profile || o.module) && !o.target)
        o.target = "all";
    if (o.target)
        r = vmlinux_open(o.vmlinux, o.testbed, o.profile, o.module, &source, &err);
    if (!r)
        r = o.json ? json_print(source, &o, &err) : table_print(source, &o, &err);
    if (r)
        fprintf(stderr, "wcr faults: %s\n", err.msg);
    plan_source_free(source);
    return r ? WCR_EXIT_ERROR : WCR_EXIT_OK;
}
