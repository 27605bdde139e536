/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The subcommands of wcr. Each gets its own name as argv[0], parses its own
 * options (cli/options.h, with optind at 0 on entry), prints errors to standard error as
 * "wcr NAME: message" and returns the program's exit status.
 */
#ifndef WCR_CLI_COMMANDS_H
#define WCR_CLI_COMMANDS_H

enum wcr_exit {
    WCR_EXIT_OK = 0,
    WCR_EXIT_FAIL = 1,      /* negative verdict: a gate failed, a check found something */
    WCR_EXIT_ERROR = 2,     /* usage, input, environment */
    WCR_EXIT_NO_DATA = 3,   /* not enough data for a verdict */
};

int cmd_run(int argc, char **argv);         /* campaigns/ */
int cmd_experiment(int argc, char **argv);  /* campaigns/ */
int cmd_replay(int argc, char **argv);      /* campaigns/ */
int cmd_plan(int argc, char **argv);        /* injector/ */
int cmd_faults(int argc, char **argv);      /* injector/ */
int cmd_inject(int argc, char **argv);      /* campaigns/ */
int cmd_merge(int argc, char **argv);       /* cli/ */
int cmd_compare(int argc, char **argv);     /* analysis/ */
int cmd_export(int argc, char **argv);      /* analysis/ */
int cmd_report(int argc, char **argv);      /* analysis/ */
int cmd_gate(int argc, char **argv);        /* analysis/ */
int cmd_plan_size(int argc, char **argv);   /* analysis/ */
int cmd_show(int argc, char **argv);        /* analysis/ */
int cmd_doctor(int argc, char **argv);      /* cli/ */
int cmd_testbed(int argc, char **argv);     /* testbed/ */

#endif
