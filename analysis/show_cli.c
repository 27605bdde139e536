// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr show */
#include <getopt.h>

#include "analysis/cli.h"
#include "analysis/show.h"
#include "cli/commands.h"

#define DEFAULT_DB "results/quick.db"       /* of `make campaign` */

static void usage(FILE *f)
{
    fputs("usage: wcr show TRIAL [--db DB] [--campaign NAME] [--json]\n\n"
          "Shows everything recorded about one trial: the fault, the outcome, how long it took,\n"
          "what became of the pages, the guest's console and the environment.\n\n"
          "TRIAL is a trial's number, or its address: CLASS:SEED:MODE.\n\n"
          "  --db DB            (default: " DEFAULT_DB ")\n"
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
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},
        {"db", required_argument, NULL, 'd'},
        {"campaign", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    const char *db = DEFAULT_DB, *campaign = NULL;
    struct err err = {0};
    struct shown shown;
    bool json = false;
    int c, r;

    while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
        switch (c) {
        case 'h':
            usage(stdout);
            return WCR_EXIT_OK;
        case 'd':
            db = optarg;
            break;
        case 'c':
            campaign = optarg;
            break;
        case 'j':
            json = true;
            break;
        default:
            return cli_usage("show");
        }
    }
    if (argc - optind != 1) {
        fprintf(stderr, "wcr show: %s\n", argc > optind ? "one trial, please"
                                                        : "which trial? 'wcr show 1 --db DB'");
        return cli_usage("show");
    }
    r = show_load(db, argv[optind], campaign, &shown, &err);
    if (!r) {
        r = json ? show_print_json(&shown, stdout, &err) : show_print(&shown, stdout, &err);
        show_done(&shown);
    }
    return r ? cli_fail("show", &err) : WCR_EXIT_OK;
}
