// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr replay */
#include <errno.h>
#include <inttypes.h>
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/cli.h"
#include "analysis/show.h"
#include "analysis/table.h"
#include "campaigns/replay.h"
#include "cli/commands.h"
#include "testbed/testbed.h"

static void usage(FILE *f)
{
    fputs("usage: wcr replay TRIAL [--db DB] [--campaign NAME] [--record DIR] [--testbed FILE]\n"
          "       wcr replay --from DIR [--gdb [--script FILE]] [--testbed FILE]\n\n"
          "Runs one trial once more on a testbed of its own: the same fault in the same guest,\n"
          "rebooted in the same mode; and tells what came out then and now. The machine is\n"
          "another one, so that a fault whose effect depends on chance may end differently.\n\n"
          "With --record DIR, the trial is recorded. From DIR it can then be replayed as often as\n"
          "you like, the same to the last instruction: to see whether its console says the same\n"
          "to the last byte, or under gdb, which stops where the fault is executed (or in panic)\n"
          "and can go backwards (reverse-stepi, reverse-continue).\n\n"
          "TRIAL is a trial's number, or its address: CLASS:SEED:MODE.\n\n"
          "  --db DB            (default: " CLI_DEFAULT_DB ")\n"
          "  --campaign NAME    of an address, if there are several in the database\n"
          "  --record DIR       a directory that is empty or not there; needs about 1 GB\n"
          "  --from DIR         replay what was recorded there\n"
          "  --gdb              under gdb\n"
          "  --script FILE      gdb's commands, instead of yours\n"
          "  --testbed FILE     what 'make testbed' built (default $WCR_TESTBED, else\n"
          "                     build/testbed.env)\n\n"
          "Examples:\n"
          "  wcr replay 7\n"
          "  wcr replay PTR:2:disabled --record /var/tmp/ptr2 && wcr replay --from /var/tmp/ptr2 --gdb\n\n"
          "Exit status: 0 it ended as recorded; 1 it ended differently; 2 error; with --gdb, gdb's.\n",
          f);
}

struct replay_cli {
    const char *db, *campaign, *record, *from, *script, *testbed;
    bool gdb;
};

/* ---- then and now ---- */

static const json_t *at(const json_t *replies, const char *reply, const char *name)
{
    return json_object_get(json_object_get(replies, reply), name);
}

static void value(struct libscols_line *row, unsigned column, const json_t *v)
{
    if (json_is_integer(v))
        table_cell(row, column, NULL, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_string(v))
        table_cell(row, column, NULL, "%s", json_string_value(v));
    else
        table_cell(row, column, NULL, "%s", json_is_true(v) ? "yes" : json_is_false(v) ? "no" : "-");
}

/* What a trial is judged by; counts of pages depend on when exactly it crashed. */
static bool same_verdict(const json_t *a, const json_t *b)
{
    static const char *const bad[] = {"pages_inconsistent", "pages_corrupt"};
    bool same = json_equal(at(a, "inject", "outcome"), at(b, "inject", "outcome")) &&
                json_equal(at(a, "reboot", "booted"), at(b, "reboot", "booted"));

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        same = same && !json_integer_value(at(a, "verify", bad[i])) ==
                           !json_integer_value(at(b, "verify", bad[i]));
    return same;
}

static int print_both(const json_t *then, const json_t *now, struct err *err)
{
    static const char *const fields[][3] = {
        {"inject", "outcome", "outcome"},
        {"inject", "activated", "fault executed"},
        {"inject", "signature", "signature"},
        {"crash", "pages_reusable", "reusable pages at the crash"},
        {"reboot", "booted", "booted again"},
        {"verify", "pages_reused", "reused pages"},
        {"verify", "pages_inconsistent", "of these inconsistent"},
        {"verify", "pages_corrupt", "of these corrupt"},
    };
    static const char *const titles[] = {"", "then", "now", NULL};
    struct libscols_table *t = table_new(stdout, titles);
    int r;

    for (size_t i = 0; t && i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct libscols_line *row = table_row(t);

        table_cell(row, 0, NULL, "%s", fields[i][2]);
        value(row, 1, at(then, fields[i][0], fields[i][1]));
        value(row, 2, at(now, fields[i][0], fields[i][1]));
    }
    r = t ? table_print(t) : -ENOMEM;
    return r ? err_set(err, -r, "cannot print: %s", strerror(-r)) : 0;
}

/* ---- a trial of the database ---- */

static json_t *column_json(const struct result *r, const char *column)
{
    return result_null(r, 0, column) ? NULL : json_loads(result_text(r, 0, column), 0, NULL);
}

static int empty_dir(const char *dir, struct err *err)
{
    if (mkdir(dir, 0700) && errno != EEXIST)
        return err_set(err, errno, "%s: %s", dir, strerror(errno));
    if (rmdir(dir))
        return err_set(err, errno, "%s: %s (--record wants an empty directory)", dir, strerror(errno));
    return mkdir(dir, 0700) ? err_set(err, errno, "%s: %s", dir, strerror(errno)) : 0;
}

static int describe(const struct replay_cli *cli, const struct result *trial, json_t *plan,
                    json_t *replies, struct err *err)
{
    struct testbed_config config;
    json_t *about;
    int r = testbed_config_load(cli->testbed, &config, err);

    if (r)
        return r;
    about = json_pack("{s:s, s:I, s:s, s:I, s:s, s:s, s:O?, s:O}", "campaign",
                      result_text(trial, 0, "campaign"), "trial",
                      (json_int_t)result_int(trial, 0, "trial_id"), "class",
                      result_text(trial, 0, "fault_class"), "seed",
                      (json_int_t)result_int(trial, 0, "seed"), "mode",
                      result_text(trial, 0, "mode"), "vmlinux", config.vmlinux, "plan", plan,
                      "replies", replies);
    r = about ? replay_describe(cli->record, about, err) : err_set(err, ENOMEM, "out of memory");
    json_decref(about);
    testbed_config_done(&config);
    return r;
}

static int run_shown(const struct replay_cli *cli, const struct shown *shown, bool *ret_same,
                     struct err *err)
{
    struct executor_params params = {.testbed_env = cli->testbed, .record = cli->record};
    const struct result *trial = &shown->trial;
    json_t *plan = column_json(&shown->plan, "plan_json"), *message = NULL;
    json_t *then = column_json(trial, "reply_json");
    struct spec spec = {0};
    int r = spec_parse("the campaign's spec", result_text(&shown->spec, 0, "spec_text"), &spec, err);

    if (!r && cli->record)
        r = empty_dir(cli->record, err);
    if (!r)
        r = replay_run(&spec, &testbed_executor, &params, result_text(trial, 0, "fault_class"),
                       result_text(trial, 0, "mode"), plan, &message, err);
    if (!r && cli->record)
        r = describe(cli, trial, plan, message, err);
    if (!r)
        r = print_both(then, message, err);
    if (!r)
        *ret_same = same_verdict(then, message);
    spec_done(&spec);
    json_decref(plan);
    json_decref(then);
    json_decref(message);
    return r;
}

static int again(const struct replay_cli *cli, const char *address)
{
    struct err err = {0};
    struct shown shown;
    bool same = false;
    int r = show_load(cli->db, address, cli->campaign, &shown, &err);

    if (r)
        return cli_fail("replay", &err);
    if (strcmp(result_text(&shown.trial, 0, "status"), "done"))
        r = err_set(&err, EINVAL, "trial %s ended in an experiment error: there is nothing to compare with",
                    address);
    testbed_clean_leftovers();
    if (!r)
        r = run_shown(cli, &shown, &same, &err);
    show_done(&shown);
    if (r)
        return cli_fail("replay", &err);
    puts(same ? "the same verdict" : "another verdict");
    if (cli->record)
        printf("recorded: 'wcr replay --from %s' replays it, with --gdb under gdb\n", cli->record);
    return same ? WCR_EXIT_OK : WCR_EXIT_FAIL;
}

/* ---- a recording ---- */

static int from(const struct replay_cli *cli)
{
    struct err err = {0};
    int64_t bytes;
    int status, r;

    if (cli->gdb) {
        r = replay_gdb(cli->from, cli->testbed, cli->script, &status, &err);
        return r ? cli_fail("replay", &err) : status;
    }
    r = replay_again(cli->from, cli->testbed, &bytes, &err);
    if (!r)
        printf("replayed to its end: console and agent said the same, %" PRId64 " bytes\n", bytes);
    else if (r == -EILSEQ)
        printf("%s\n", err.msg);
    return !r ? WCR_EXIT_OK : r == -EILSEQ ? WCR_EXIT_FAIL : cli_fail("replay", &err);
}

int cmd_replay(int argc, char **argv)
{
    struct replay_cli cli = {.db = CLI_DEFAULT_DB};
    const struct cli_option options[] = {
        {.name = "db", .value = &cli.db},
        {.name = "campaign", .value = &cli.campaign},
        {.name = "record", .value = &cli.record},
        {.name = "from", .value = &cli.from},
        {.name = "gdb", .flag = &cli.gdb},
        {.name = "script", .value = &cli.script},
        {.name = "testbed", .value = &cli.testbed},
        {0},
    };
    int status = cli_parse("replay", usage, options, argc, argv);

    if (status >= 0)
        return status;
    if (argc - optind != !cli.from || (cli.from && cli.record) || (cli.gdb && !cli.from) ||
        (cli.script && !cli.gdb)) {
        fputs(cli.from ? "wcr replay: --from DIR stands alone, or with --gdb\n"
                       : "wcr replay: one trial, please: 'wcr replay 1 --db DB'; --gdb needs --from\n",
              stderr);
        return cli_usage("replay");
    }
    return cli.from ? from(&cli) : again(&cli, argv[optind]);
}
