// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr show */
#include <unistd.h>

#include "analysis/cli.h"
#include "analysis/show.h"
#include "cli/commands.h"

static void usage(FILE *f)
{
    fputs("usage: wcr show TRIAL [--db DB] [--campaign NAME] [--json]\n\n"
          "Shows everything recorded about one trial: the fault, the outcome, how long it took,\n"
          "what became of the pages, the guest's console and the environment.\n\n"
          "TRIAL is a trial's number, or its address: CLASS:SEED:MODE.\n\n"
          "  --db DB            (default: " CLI_DEFAULT_DB ")\n"
          "  --campaign NAME    of an address, if there are several in the database\n"
          "  --json             one JSON object\n\n"
          "Examples:\n"
          "  wcr show 7\n"
          "  wcr show PTR:2:disabled --db nightly.db\n\n"
          "Exit status: 0 shown; 2 error.\n",
          f);
}

int cmd_show(int argc, char **argv)
{
    const char *db = CLI_DEFAULT_DB, *campaign = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {.name = "db", .value = &db},
        {.name = "campaign", .value = &campaign},
        {.name = "json", .flag = &json},
        {0},
    };
    struct err err = {0};
    struct shown shown;
    int r, status = cli_parse("show", usage, options, argc, argv);

    if (status >= 0)
        return status;
    if (argc - optind != 1) {
        fprintf(stderr, "wcr show: %s\n",
                argc > optind ? "one trial, please" : "which trial? 'wcr show 1 --db DB'");
        return cli_usage("show");
    }
    r = show_load(db, argv[optind], campaign, &shown, &err);
    if (!r) {
        r = json ? show_print_json(&shown, stdout, &err) : show_print(&shown, stdout, &err);
        show_done(&shown);
    }
    return r ? cli_fail("show", &err) : WCR_EXIT_OK;
}
