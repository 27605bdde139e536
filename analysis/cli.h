/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands of analysis/ have in common. */
#ifndef WCR_ANALYSIS_CLI_H
#define WCR_ANALYSIS_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/err.h"

#define CLI_DEFAULT_DB "results/quick.db" /* of `make campaign` */

/* One long option: a text, or a flag. */
struct cli_option {
    const char *name;
    char letter;            /* its short form, or 0 */
    const char **value;
    bool *flag;
};

/*
 * Options into the variables that the table names; a name of NULL ends it. --help prints
 * @usage. Returns the exit status, or -1 to go on with the arguments from optind.
 */
int cli_parse(const char *command, void (*usage)(FILE *f), const struct cli_option *options,
              int argc, char **argv);

/*
 * The database: --db @option, or the one argument left at optind, not both. NULL
 * after a message on standard error.
 */
const char *cli_db(const char *command, const char *option, int argc, char **argv);

/* "wcr COMMAND: message"; returns the exit status for the error. */
int cli_fail(const char *command, const struct err *err);

/* "try 'wcr COMMAND --help'"; returns WCR_EXIT_ERROR. */
int cli_usage(const char *command);

/*
 * A file that appears under its name only when it is complete: cli_out_open makes a
 * temporary one beside it, cli_out_close renames it, or removes it unless @keep.
 * A @path of NULL or "-" is standard output.
 */
struct cli_out {
    FILE *file;
    const char *path;
    char *temporary;
};

int cli_out_open(struct cli_out *out, const char *path, struct err *err);
int cli_out_close(struct cli_out *out, int keep, struct err *err);

#endif
