// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr compare */
#include "analysis/cli.h"
#include "analysis/compare.h"
#include "cli/commands.h"

static void usage(FILE *f)
{
    fputs("usage: wcr compare DB [--campaign NAME] [--json]\n\n"
          "Shows how often trials reused inconsistent pages with the mechanism enabled and\n"
          "disabled: by fault class, then by class and outcome.\n\n"
          "  --db DB            the database, if it is no argument\n"
          "  --campaign NAME    which campaign, if there are several in the database\n"
          "  --json             the same as one JSON object\n\n"
          "The columns:\n"
          "  EXECUTED      trials whose fault was seen to be executed\n"
          "  CRASHES       trials with any outcome but 'no crash'\n"
          "  INCONSISTENT  trials that reused a page unlike the disk, of those that count:\n"
          "                verified, and not known to have a fault that was never executed\n"
          "  RATE, 95% INTERVAL  of the same, with the exact (Clopper-Pearson) interval\n"
          "  CORRUPT       trials that reused a page that is itself wrong: true failures\n"
          "  STALE DISK    trials that reused a page that is right while the disk is not\n"
          "  OF REUSABLE   pages reused, of those that were reusable at the crash\n"
          "  P             of the exact McNemar test over pairs of one crash: how likely is\n"
          "                such a difference between the modes if there is none?\n\n"
          "Examples:\n"
          "  wcr compare results/quick.db\n"
          "  wcr compare results/quick.db --json | jq '.classes[] | select(.rate > 0)'\n\n"
          "Exit status: 0 shown; 2 error; 3 no trial is done yet.\n",
          f);
}

int cmd_compare(int argc, char **argv)
{
    const char *db = NULL, *campaign = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {.name = "db", .value = &db},
        {.name = "campaign", .value = &campaign},
        {.name = "json", .flag = &json},
        {0},
    };
    struct err err = {0};
    int status = cli_parse("compare", usage, options, argc, argv);

    if (status >= 0)
        return status;
    db = cli_db("compare", db, argc, argv);
    if (!db)
        return cli_usage("compare");
    return compare_print(db, campaign, json ? COMPARE_JSON : COMPARE_TABLE, stdout, &err)
               ? cli_fail("compare", &err)
               : WCR_EXIT_OK;
}
