// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr plan */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "injector/plan_cli.h"
#include "injector/vmlinux.h"

struct options {
    const char *class_name, *target, *profile, *module, *vmlinux, *testbed;
    uint64_t seed, first, count;
    bool json;
};

static void usage(FILE *f)
{
    fputs("usage: wcr plan --class CLASS [OPTION...]\n\n"
          "Print fault plans without running anything. A plan follows from the kernel's build\n"
          "id, the target, the class, the seed and its index: the same every time, anywhere.\n\n"
          "  -c, --class CLASS      fault class; 'wcr faults' lists them\n"
          "  -t, --target TARGET    where text faults go (default: all):\n"
          "                           all               the kernel, but for entry code, init code\n"
          "                                             and what reports crashes\n"
          "                           dir:fs/ext4       functions compiled from this directory\n"
          "                           file:fs/ext4/inode.c\n"
          "                           func:ext4_readdir\n"
          "                           range:START-END   addresses, hexadecimal\n"
          "  -p, --profile FILE     only what 'wcr run --profile' saw executed\n"
          "  -m, --module FILE      into this module (.ko) of the kernel; all, ranges and\n"
          "                         addresses are its own\n"
          "  -s, --seed SEED        (default: 1)\n"
          "  -n, --count N          plans to print (default: 1)\n"
          "      --index I          number of the first one (default: 0)\n"
          "  -j, --json             one object per line\n"
          "      --vmlinux FILE     kernel with symbols (default: the testbed's)\n"
          "      --testbed FILE     testbed description (default: $WCR_TESTBED, else\n"
          "                         build/testbed.env)\n"
          "  -h, --help\n\n"
          "Exit status: 0 success; 2 an error, such as a class with no candidate in the target.\n",
          f);
}

static const char *text(const json_t *plan, const char *name)
{
    const char *s = json_string_value(json_object_get(plan, name));

    return s ? s : "?";
}

static json_int_t number(const json_t *plan, const char *name)
{
    return json_integer_value(json_object_get(plan, name));
}

static void instruction_print(const char *name, const char *bytes, const char *assembly)
{
    size_t len = strlen(bytes) / 2;

    printf("  %s  ", name);
    for (size_t i = 0; i < len; i++)
        printf("%.2s ", bytes + 2 * i);
    printf("%*s %s\n", len < 10 ? 3 * (10 - (int)len) : 0, "", assembly);
}

void plan_print(const json_t *plan)
{
    const json_t *params = json_object_get(plan, "params"), *module = json_object_get(plan, "module");

    if (params) {
        if (json_object_get(params, "hi"))
            printf("  strikes once every %" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT " calls\n",
                   number(params, "lo"), number(params, "hi"));
        printf("  seed of its own: %" JSON_INTEGER_FORMAT "\n", number(params, "seed"));
        return;
    }
    printf("  %s%s%s %s+0x%" PRIx64 "  %s\n", module ? text(module, "name") : "", module ? "+" : "",
           text(plan, "va"), text(plan, "symbol"), (uint64_t)number(plan, "offset"),
           text(plan, "source"));
    instruction_print("old", text(plan, "old"), text(plan, "old_asm"));
    instruction_print("new", text(plan, "new"), text(plan, "new_asm"));
    printf("  one of %" JSON_INTEGER_FORMAT " candidates in %s\n", number(plan, "candidates"),
           text(plan, "target"));
    if (json_object_get(plan, "profile"))
        printf("  that the profile %s says are executed\n", text(plan, "profile"));
}

static int plans_print(const struct options *o, struct plan_source *source, struct err *err)
{
    for (uint64_t i = 0; i < o->count; i++) {
        struct plan plan;
        json_t *json;
        int r = plan_draw(source, o->class_name, o->target, o->seed, (unsigned)(o->first + i),
                          &plan, err);

        if (r)
            return r;
        json = plan_to_json(&plan);
        if (!json)
            return err_set(err, ENOMEM, "out of memory");
        if (o->json) {
            json_dumpf(json, stdout, JSON_PRESERVE_ORDER);
            putchar('\n');
        } else {
            printf("%s seed %" PRIu64 " index %u, after %" PRIu32 " ms\n", plan.class_name, plan.seed,
                   plan.index, plan.delay_ms);
            plan_print(json);
        }
        json_decref(json);
    }
    return 0;
}

int cmd_plan(int argc, char **argv)
{
    struct options o = {.target = "all", .seed = 1, .count = 1};
    const struct cli_option options[] = {
        {.name = "class", .letter = 'c', .value = &o.class_name},
        {.name = "target", .letter = 't', .value = &o.target},
        {.name = "profile", .letter = 'p', .value = &o.profile},
        {.name = "module", .letter = 'm', .value = &o.module},
        {.name = "seed", .letter = 's', .number = &o.seed, .max = INT64_MAX},
        {.name = "count", .letter = 'n', .number = &o.count, .max = UINT32_MAX},
        {.name = "index", .number = &o.first, .max = UINT32_MAX},
        {.name = "json", .letter = 'j', .flag = &o.json},
        {.name = "vmlinux", .value = &o.vmlinux},
        {.name = "testbed", .value = &o.testbed},
        {0},
    };
    int r = 0, status = cli_parse_all("plan", usage, options, argc, argv);
    struct plan_source *source = NULL;
    const struct fault_class *class;
    struct err err = {0};

    if (status >= 0)
        return status;
    if (!o.class_name)
        r = err_set(&err, EINVAL, "--class is needed; 'wcr faults' lists the classes");
    else if (o.count > UINT32_MAX - o.first)
        r = err_set(&err, EINVAL, "--index and --count: too many plans");
    /* An unknown class is told by plan_draw, without a kernel. */
    class = r ? NULL : fault_class_find(o.class_name);
    if (class && class->kind == FAULT_TEXT)
        r = vmlinux_open(o.vmlinux, o.testbed, o.profile, o.module, &source, &err);
    if (!r)
        r = plans_print(&o, source, &err);
    if (r)
        fprintf(stderr, "wcr plan: %s\n", err.msg);
    plan_source_free(source);
    return r ? WCR_EXIT_ERROR : WCR_EXIT_OK;
}
