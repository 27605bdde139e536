// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr gate */
#include <string.h>

#include "analysis/cli.h"
#include "analysis/gate.h"
#include "cli/commands.h"

static void usage(FILE *f)
{
    fputs("usage: wcr gate DB --policy FILE [--campaign NAME] [--junit FILE] [--json]\n\n"
          "Judges a campaign by the rules of a policy file, for continuous integration.\n\n"
          "  --policy FILE      YAML; analysis/policies/default.yaml shows every rule\n"
          "  --db DB            the database, if it is no argument\n"
          "  --campaign NAME    which campaign, if there are several in the database\n"
          "  --junit FILE       write the checks as JUnit XML, too ('-': standard output,\n"
          "                     instead of the table)\n"
          "  --json             print one JSON object instead of the table\n\n"
          "A rule fails when what was seen is beyond its limit. A rate that was not seen to be\n"
          "too high, but that so few trials cannot bound below its limit, is not enough data; so\n"
          "is a class with too few trials. In JUnit that is an error, in contrast to a failure.\n\n"
          "Examples:\n"
          "  wcr gate results/quick.db --policy analysis/policies/default.yaml\n"
          "  wcr gate results/quick.db --policy release.yaml --junit gate.xml\n\n"
          "Exit status: 0 passed; 1 a rule failed; 2 error; 3 nothing failed, but there is not\n"
          "enough data.\n",
          f);
}

struct gate_cli {
    const char *db, *policy, *campaign, *junit;
    bool json;
};

static int parse(struct gate_cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {
        {.name = "db", .value = &cli->db},
        {.name = "policy", .letter = 'p', .value = &cli->policy},
        {.name = "campaign", .value = &cli->campaign},
        {.name = "junit", .value = &cli->junit},
        {.name = "json", .flag = &cli->json},
        {0},
    };
    int status = cli_parse("gate", usage, options, argc, argv);

    if (status >= 0)
        return status;
    cli->db = cli_db("gate", cli->db, argc, argv);
    if (cli->db && cli->policy)
        return -1;
    if (cli->db)
        fputs("wcr gate: which policy? --policy analysis/policies/default.yaml\n", stderr);
    return cli_usage("gate");
}

/* @gate NULL: it could not judge, for the reason in @why. */
static int write_junit(const char *path, const struct gate *gate, const char *why, struct err *err)
{
    struct cli_out out;
    int r;

    if (!path)
        return 0;
    r = cli_out_open(&out, path, err);
    if (r)
        return r;
    if (gate)
        gate_print_junit(gate, out.file);
    else
        gate_print_junit_error(why, out.file);
    return cli_out_close(&out, 1, err);
}

static int report(const struct gate_cli *cli, const struct gate *gate, struct err *err)
{
    bool shown = !cli->junit || strcmp(cli->junit, "-") != 0;
    int r = write_junit(cli->junit, gate, NULL, err);

    if (r || !shown)
        return r;
    return cli->json ? gate_print_json(gate, stdout, err) : gate_print(gate, stdout, err);
}

static int status_of(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_PASS:
        return WCR_EXIT_OK;
    case VERDICT_FAIL:
        return WCR_EXIT_FAIL;
    default:
        return WCR_EXIT_NO_DATA;
    }
}

int cmd_gate(int argc, char **argv)
{
    struct gate_cli cli = {0};
    struct policy policy;
    struct err err = {0};
    struct gate gate = {0};
    int status = parse(&cli, argc, argv);
    int r;

    if (status >= 0)
        return status;
    r = policy_load(cli.policy, &policy, &err);
    if (!r) {
        r = gate_judge(cli.db, cli.campaign, &policy, &gate, &err);
        policy_done(&policy);
    }
    if (r) {
        struct err second = {0};

        if (write_junit(cli.junit, NULL, err.msg, &second))
            cli_fail("gate", &second);
        cli_fail("gate", &err);
        return WCR_EXIT_ERROR;
    }
    status = status_of(gate_verdict(&gate));
    if (report(&cli, &gate, &err)) {
        cli_fail("gate", &err);
        status = WCR_EXIT_ERROR;
    }
    gate_done(&gate);
    return status;
}
