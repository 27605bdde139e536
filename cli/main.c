// SPDX-License-Identifier: GPL-2.0-or-later
/* The subcommand table of wcr, and nothing else. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/version.h"

static const struct command {
    const char *name;
    int (*entry)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"run", cmd_run, "run a campaign of fault-injection trials, or go on with one"},
    {"replay", cmd_replay, "run one trial again, record it, or debug what was recorded"},
    {"plan", cmd_plan, "print fault plans without running anything"},
    {"faults", cmd_faults, "list the fault classes"},
    {"inject", cmd_inject, "put a fault into a running guest, from domain 0"},
    {"merge", cmd_merge, "join databases of one campaign, such as those of its shards"},
    {"compare", cmd_compare, "compare the outcomes with the mechanism enabled and disabled"},
    {"export", cmd_export, "write the results as csv, json, markdown or latex"},
    {"report", cmd_report, "write a page of HTML about a campaign, with figures"},
    {"gate", cmd_gate, "judge a campaign by a policy file; for continuous integration"},
    {"plan-size", cmd_plan_size, "tell how many trials it takes to show something"},
    {"show", cmd_show, "show one trial with everything recorded about it"},
    {"experiment", cmd_experiment, "measure how fast a guest is after a reboot"},
    {"doctor", cmd_doctor, "tell what is missing on this machine and how to get it"},
    {"testbed", cmd_testbed, "start, enter and stop a testbed by hand"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *f)
{
    fputs("usage: wcr COMMAND [ARGUMENT...]\n"
          "       wcr help [COMMAND]\n"
          "       wcr --version\n\n"
          "Warm-cache reboots for Xen guests, and the fault injection that judges them.\n\n"
          "Commands:\n",
          f);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].help);
    fputs("  help       describe a command\n\n"
          "Exit status: 0 success; 1 a negative verdict (a gate failed, a check found\n"
          "something); 2 an error in usage, input or environment; 3 not enough data.\n",
          f);
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;

    return m < c ? m : c;
}

/* Levenshtein's distance; words longer than the table are far from everything. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[32];
    size_t la = strlen(a), lb = strlen(b);

    if (la >= 32 || lb >= 32)
        return 32;
    for (size_t j = 0; j <= lb; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned diagonal = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned above = row[j];

            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[lb];
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    unsigned best = distance(name, "help") < 3 ? distance(name, "help") : 3;
    const char *hint = best < 3 ? "help" : NULL;

    for (size_t i = 0; i < COMMANDS; i++) {
        unsigned d = distance(name, commands[i].name);

        if (!strncmp(name, commands[i].name, strlen(name)) && *name)
            d = 0;
        if (d < best) {
            best = d;
            hint = commands[i].name;
        }
    }
    fprintf(stderr, "wcr: unknown command '%s'", name);
    if (hint)
        fprintf(stderr, "; did you mean '%s'?\n", hint);
    else
        fputs("; 'wcr help' lists them\n", stderr);
    return WCR_EXIT_ERROR;
}

static int run(const struct command *c, int argc, char **argv)
{
    int status;

    optind = 0;
    status = c->entry(argc, argv);
    /* A full disk or a closed pipe must not look like success. */
    if (fflush(stdout) && errno != EPIPE) {
        fprintf(stderr, "wcr %s: cannot write: %s\n", c->name, strerror(errno));
        return status ? status : WCR_EXIT_ERROR;
    }
    return status;
}

int main(int argc, char **argv)
{
    const struct command *c;
    const char *name;

    if (argc < 2) {
        usage(stderr);
        return WCR_EXIT_ERROR;
    }
    name = argv[1];
    if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
        puts("wcr " WCR_VERSION);
        return WCR_EXIT_OK;
    }
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || (!strcmp(name, "help") && argc == 2)) {
        usage(stdout);
        return WCR_EXIT_OK;
    }
    if (!strcmp(name, "help")) {
        char *args[] = {argv[2], (char[]){"--help"}, NULL};

        c = find(argv[2]);
        return c ? run(c, 2, args) : unknown(argv[2]);
    }
    c = find(name);
    return c ? run(c, argc - 1, argv + 1) : unknown(name);
}
