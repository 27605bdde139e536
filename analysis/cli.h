/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What commands that speak of a database have in common. */
#ifndef WCR_ANALYSIS_CLI_H
#define WCR_ANALYSIS_CLI_H

#include "cli/options.h"

#define CLI_DEFAULT_DB "results/quick.db" /* of `make campaign` */

/*
 * The database: --db @option, or the one argument left at optind, not both. NULL
 * after a message on standard error.
 */
const char *cli_db(const char *command, const char *option, int argc, char **argv);

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
