// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr report */
#include "analysis/cli.h"
#include "analysis/experiments.h"
#include "analysis/report.h"
#include "cli/commands.h"

static void usage(FILE *f)
{
    fputs(
        "usage: wcr report DB [--campaign NAME | --experiments] [--output FILE]\n\n"
        "Writes a page of HTML about a campaign: its result, the inconsistent pages if there are\n"
        "any, the published figures drawn from its trials, what the faults did, crashes by\n"
        "signature with the command that plays each again, times, and where all of it is from.\n"
        "The page needs nothing but itself. The numbers are those of 'wcr compare'.\n\n"
        "  --db DB            the database, if it is no argument\n"
        "  --campaign NAME    which campaign, if there are several in the database\n"
        "  --experiments      about the performance experiments in the database instead\n"
        "  -o, --output FILE  instead of standard output; replaced only when complete\n\n"
        "The figures are drawn by gnuplot (Debian: gnuplot-nox).\n\n"
        "Example:\n"
        "  wcr report results/quick.db -o quick.html\n\n"
        "Exit status: 0 written; 2 error; 3 no trial is done yet.\n",
        f);
}

int cmd_report(int argc, char **argv)
{
    const char *db = NULL, *campaign = NULL, *output = NULL;
    bool experiments = false;
    const struct cli_option options[] = {
        {.name = "db", .value = &db},
        {.name = "campaign", .value = &campaign},
        {.name = "experiments", .flag = &experiments},
        {.name = "output", .letter = 'o', .value = &output},
        {0},
    };
    struct err err = {0}, unused;
    struct cli_out out;
    int r, status = cli_parse("report", usage, options, argc, argv);

    if (status >= 0)
        return status;
    db = cli_db("report", db, argc, argv);
    if (!db)
        return cli_usage("report");
    if (experiments && campaign) {
        fputs("wcr report: --experiments belong to no campaign\n", stderr);
        return cli_usage("report");
    }
    r = cli_out_open(&out, output, &err);
    if (r)
        return cli_fail("report", &err);
    r = experiments ? experiments_write(db, out.file, &err) : report_write(db, campaign, out.file, &err);
    if (r)
        cli_out_close(&out, 0, &unused);
    else
        r = cli_out_close(&out, 1, &err);
    return r ? cli_fail("report", &err) : WCR_EXIT_OK;
}
