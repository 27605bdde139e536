/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of wcr's commands, and how they fail. */
#ifndef WCR_CLI_OPTIONS_H
#define WCR_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"

/* One long option: a text, a number or a flag. A table ends with a NULL name, and has at most 14. */
struct cli_option {
    const char *name;
    char letter;            /* its short form, or 0 */
    const char **value;
    uint64_t *number;
    uint64_t min, max;      /* of the number; INT64_MAX at most: what JSON and the database hold */
    bool *flag;
};

/*
 * Options into the variables that the table names. --help prints @usage. Returns the exit status, or -1 to
 * go on with the arguments from optind.
 */
int cli_parse(const char *command, void (*usage)(FILE *f), const struct cli_option *options,
              int argc, char **argv);

/* The same, for a command that has no arguments. */
int cli_parse_all(const char *command, void (*usage)(FILE *f), const struct cli_option *options,
                  int argc, char **argv);

/* "wcr COMMAND: message"; returns the exit status for the error. */
int cli_fail(const char *command, const struct err *err);

/* "try 'wcr COMMAND --help'"; returns WCR_EXIT_ERROR. */
int cli_usage(const char *command);

#endif
