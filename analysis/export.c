// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr export */
#include "analysis/export.h"

#include <string.h>

#include "analysis/cli.h"
#include "cli/commands.h"

static const struct {
    const char *name, *query;
    const char *page;       /* the columns that fit on one */
} tables[] = {
    [EXPORT_COMPARE] = {"compare", query_classes,
                        "fault_class,mode,trials,crashes,rated,rated_inconsistent,rate,ci_low,"
                        "ci_high,corrupt_trials,stale_disk_trials,reuse_share,p_value"},
    [EXPORT_OUTCOMES] = {"outcomes", query_outcomes,
                         "fault_class,outcome,mode,trials,rated,rated_inconsistent,rate,ci_low,"
                         "ci_high,corrupt_trials,stale_disk_trials"},
    [EXPORT_EFFECTS] = {"effects", query_effects,
                        "fault_class,candidates,injections,activated,no_crash,process_crash,"
                        "kernel_crash,hang,median_ms"},
    [EXPORT_PAIRS] = {"pairs", query_pairs,
                      "fault_class,rated_pairs,only_disabled,only_enabled,both,p_value"},
    [EXPORT_TRIALS] = {"trials", query_trials,
                       "trial_id,fault_class,seed,mode,status,outcome,activated,pages_reusable,"
                       "pages_reused,pages_inconsistent,pages_corrupt,pages_stale_disk"},
};

int export_table_find(const char *name)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        if (!strcmp(tables[i].name, name))
            return (int)i;
    return -1;
}

int export_write(const char *path, const char *campaign, enum export_table table,
                 enum export_format format, const char *columns, FILE *out, struct err *err)
{
    struct result result;
    struct db *db;
    int64_t id;
    int r;

    r = db_open(path, DB_READ, &db, err);
    if (r)
        return r;
    r = db_campaign_find(db, campaign, &id, err);
    if (!r)
        r = result_query(db, tables[table].query, id, &result, err);
    if (!columns && (format == EXPORT_MARKDOWN || format == EXPORT_LATEX))
        columns = tables[table].page;
    if (!r) {
        if (columns)
            r = result_select(&result, columns, err);
        if (!r)
            r = result_write(&result, format, out, err);
        result_done(&result);
    }
    db_close(db);
    return r;
}

static void usage(FILE *f)
{
    fputs("usage: wcr export DB [--format FORMAT] [--table TABLE] [--columns LIST]\n"
          "                  [--campaign NAME] [--output FILE]\n\n"
          "Writes results for other programs. The numbers are those of 'wcr compare'.\n\n"
          "  --format FORMAT    csv (default), json, markdown or latex\n"
          "  --table TABLE      compare (default): fault class by mode; outcomes: class by\n"
          "                     outcome by mode; effects: what faults did, by class; pairs:\n"
          "                     paired results by class; trials: one row for each trial\n"
          "  --columns LIST     these columns only, separated by commas; default: all in csv and\n"
          "                     json, those that fit on a page in markdown and latex\n"
          "  --db DB            the database, if it is no argument\n"
          "  --campaign NAME    which campaign, if there are several in the database\n"
          "  --output FILE      instead of standard output; replaced only when complete\n\n"
          "docs/database.md says what the columns mean.\n\n"
          "Examples:\n"
          "  wcr export results/quick.db --format latex >table.tex\n"
          "  wcr export results/quick.db --table trials --output trials.csv\n\n"
          "Exit status: 0 written; 2 error.\n",
          f);
}

struct export_cli {
    const char *db, *campaign, *output, *columns, *format, *table;
};

static int parse(struct export_cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {
        {.name = "db", .value = &cli->db},
        {.name = "campaign", .value = &cli->campaign},
        {.name = "format", .letter = 'f', .value = &cli->format},
        {.name = "table", .letter = 't', .value = &cli->table},
        {.name = "columns", .value = &cli->columns},
        {.name = "output", .letter = 'o', .value = &cli->output},
        {0},
    };
    int status = cli_parse("export", usage, options, argc, argv);

    if (status >= 0)
        return status;
    if (export_format_find(cli->format) < 0) {
        fprintf(stderr, "wcr export: unknown format '%s' (known: csv, json, markdown, latex)\n",
                cli->format);
        return WCR_EXIT_ERROR;
    }
    if (export_table_find(cli->table) < 0) {
        fprintf(stderr,
                "wcr export: unknown table '%s' (known: compare, outcomes, effects, pairs, trials)\n",
                cli->table);
        return WCR_EXIT_ERROR;
    }
    cli->db = cli_db("export", cli->db, argc, argv);
    return cli->db ? -1 : cli_usage("export");
}

int cmd_export(int argc, char **argv)
{
    struct export_cli cli = {.table = "compare", .format = "csv"};
    struct err err = {0}, unused;
    struct cli_out out;
    int status = parse(&cli, argc, argv);
    int r;

    if (status >= 0)
        return status;
    r = cli_out_open(&out, cli.output, &err);
    if (r)
        return cli_fail("export", &err);
    r = export_write(cli.db, cli.campaign, (enum export_table)export_table_find(cli.table),
                     (enum export_format)export_format_find(cli.format), cli.columns, out.file,
                     &err);
    if (r)
        cli_out_close(&out, 0, &unused);
    else
        r = cli_out_close(&out, 1, &err);
    return r ? cli_fail("export", &err) : WCR_EXIT_OK;
}
