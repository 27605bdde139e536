// SPDX-License-Identifier: GPL-2.0-or-later
/* The benchmark's command line. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "warmcache-core/bench/cost.h"

static const char usage[] =
    "usage: cost [--json] [--repeats N] [--machines LIST] [--stock FILE] [WORKLOAD...]\n"
    "  --json           one object a line for each workload\n"
    "  --repeats N      of each workload, from one snapshot (4)\n"
    "  --machines LIST  of stock,off,none,enabled (all but off)\n"
    "  --stock FILE     what was built without the mechanism (build/stock/testbed.env)\n"
    "What was built with it: $WCR_TESTBED, or build/testbed.env.\n";

static cost_table costs;

static bool in_list(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = list; p; p = strchr(p, ',')) {
        p += *p == ',';
        if (!strncmp(p, name, len) && (!p[len] || p[len] == ','))
            return true;
    }
    return false;
}

static bool machines_known(const char *list)
{
    for (const char *p = list; p; p = strchr(p, ',')) {
        bool known = false;

        p += *p == ',';
        for (unsigned m = 0; m < MACHINES; m++)
            known |= strcspn(p, ",") == strlen(machine_configs[m].name) &&
                     !strncmp(p, machine_configs[m].name, strcspn(p, ","));
        if (!known) {
            fprintf(stderr, "cost: no machine '%.*s'\n", (int)strcspn(p, ","), p);
            return false;
        }
    }
    return true;
}

/* The empty workload is always wanted; all are where none is named. */
static bool workloads_take(int argc, char **argv, bool *ret)
{
    unsigned known = 0;

    for (unsigned w = 0; w < workloads_len; w++)
        ret[w] = !w || !argc;
    for (int i = 0; i < argc; i++, known = 0) {
        for (unsigned w = 0; w < workloads_len; w++) {
            if (strcmp(workloads[w].name, argv[i]))
                continue;
            ret[w] = true;
            known++;
        }
        if (!known) {
            fprintf(stderr, "cost: no workload '%s'\n", argv[i]);
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},           {"repeats", required_argument, NULL, 'r'},
        {"machines", required_argument, NULL, 'm'}, {"stock", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    const char *stock = "build/stock/testbed.env", *machines = "stock,none,enabled";
    bool json = false, wanted[WORKLOADS_MAX];
    struct err err = {0};
    int c, repeats = 4;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 'j': json = true; break;
        case 'r': repeats = atoi(optarg); break;
        case 'm': machines = optarg; break;
        case 's': stock = optarg; break;
        case 'h': fputs(usage, stdout); return 0;
        default:  fputs(usage, stderr); return 2;
        }
    }
    if (repeats < 1 || repeats > REPEATS_MAX || !machines_known(machines) ||
        !workloads_take(argc - optind, argv + optind, wanted)) {
        fputs(usage, stderr);
        return 2;
    }
    for (unsigned m = 0; m < MACHINES; m++) {
        const char *env = machine_configs[m].stock ? stock : NULL;

        if (in_list(machines, machine_configs[m].name) &&
            measure_machine(m, env, (unsigned)repeats, wanted, costs[m], &err)) {
            fprintf(stderr, "cost: %s: %s\n", machine_configs[m].name, err.msg);
            return 2;
        }
    }
    return (json ? report_json(stdout, &costs) : report_tables(stdout, &costs)) ? 2 : 0;
}
