// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr run */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/compare.h"
#include "campaigns/profile.h"
#include "campaigns/runner.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "injector/profile.h"
#include "testbed/testbed.h"

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
    (void)signal;
    stop = 1;
}

static void usage(FILE *f)
{
    fputs("usage: wcr run SPEC --db FILE [--jobs N] [--json] [--testbed FILE]\n"
          "       wcr run SPEC --db FILE --executor xen [--connect URI] [--agent COMMAND]\n"
          "       wcr run SPEC --db FILE --shard K/N [--profile FILE]\n"
          "       wcr run SPEC --profile FILE\n"
          "       wcr run SPEC --check\n\n"
          "Runs the campaign that the file SPEC describes (campaigns/specs/quick.yaml shows\n"
          "every field) and records it in the database FILE. Stopped or killed at any\n"
          "moment, it goes on where it was when it is started again.\n\n"
          "  --db FILE          the database; made if it is not there\n"
          "  --jobs N           machines at work at once (default 1); one for each processor\n"
          "                     at most makes sense\n"
          "  --json             one JSON object a line for each event, no progress\n"
          "  --check            only check SPEC\n"
          "  --shard K/N        only the K-th of N parts of the campaign, which 'wcr merge' joins\n"
          "  --profile FILE     without --db: only run the workload, without a fault, and write to\n"
          "                     FILE what of the targets it executes, for 'wcr plan', 'wcr faults'\n"
          "                     and shards; with --db: draw plans from that FILE\n"
          "  --executor NAME    testbed (default): QEMU; xen: a Xen host through an agent\n"
          "  --testbed FILE     what 'make testbed' built (default $WCR_TESTBED, else\n"
          "                     build/testbed.env)\n"
          "  --connect URI      xen: libvirt's URI on the agent's side\n"
          "  --agent COMMAND    xen: starts the agent (default 'wcr-agent --stdio'); for\n"
          "                     example 'ssh root@host wcr-agent --stdio'\n"
          "  --vmlinux FILE     the guest's kernel with symbols (default: the testbed's)\n\n"
          "Exit status: 0 every trial is done; 1 done, but trials ended in experiment\n"
          "errors or a fault-free run went wrong; 2 the campaign could not go on or was\n"
          "stopped.\n",
          f);
}

struct run_cli {
    const char *spec, *db, *profile, *vmlinux, *executor;
    struct executor_params params;
    struct shard shard;
    unsigned jobs;
    bool json, check;
};

static int fail(const struct err *err)
{
    fprintf(stderr, "wcr run: %s\n", err->msg);
    return WCR_EXIT_ERROR;
}

static int parse(struct run_cli *cli, int argc, char **argv)
{
    const char *shard = NULL;
    uint64_t jobs = 1;
    const struct cli_option options[] = {
        {.name = "db", .value = &cli->db},
        {.name = "jobs", .letter = 'j', .number = &jobs, .min = 1, .max = 256},
        {.name = "json", .flag = &cli->json},
        {.name = "check", .flag = &cli->check},
        {.name = "shard", .value = &shard},
        {.name = "profile", .value = &cli->profile},
        {.name = "executor", .value = &cli->executor},
        {.name = "testbed", .value = &cli->params.testbed_env},
        {.name = "connect", .value = &cli->params.connect},
        {.name = "agent", .value = &cli->params.agent},
        {.name = "vmlinux", .value = &cli->vmlinux},
        {0},
    };
    int status = cli_parse("run", usage, options, argc, argv);
    struct err err = {0};

    if (status >= 0)
        return status;
    cli->jobs = (unsigned)jobs;
    if (shard && shard_parse(shard, &cli->shard, &err))
        return fail(&err);
    if (optind + 1 != argc) {
        fputs("wcr run: one file, please, that describes the campaign\n", stderr);
        return cli_usage("run");
    }
    cli->spec = argv[optind];
    return -1;
}

/* The kernel that text plans are drawn from; none is needed if no class asks for it. */
static char *find_vmlinux(const struct run_cli *cli)
{
    struct testbed_config config;
    char *ret;

    if (cli->vmlinux)
        return strdup(cli->vmlinux);
    if (testbed_config_load(cli->params.testbed_env, &config, NULL))
        return NULL;
    ret = strdup(config.vmlinux);
    testbed_config_done(&config);
    return ret;
}

static void summary(const struct run_cli *cli, const struct spec *spec,
                    const struct runner_result *r)
{
    double rate = r->wall_s > 0 ? r->done * 3600 / r->wall_s : 0;
    struct err err = {0};

    if (cli->json) {
        printf("{\"event\":\"end\",\"planned\":%u,\"skipped\":%u,\"done\":%u,\"errors\":%u,"
               "\"not_needed\":%u,\"retried\":%u,\"redrawn\":%u,\"golden_bad\":%u,\"wall_s\":%.1f,"
               "\"trials_per_hour\":%.0f}\n",
               r->planned, r->skipped, r->done, r->errors, r->not_needed, r->retried, r->redrawn,
               r->golden_bad, r->wall_s, rate);
        return;
    }
    printf("%u trials done", r->done);
    if (r->skipped)
        printf(", %u before", r->skipped);
    if (r->not_needed)
        printf(", %u not needed", r->not_needed);
    printf(", %u errors, %u retried, %u plans drawn again", r->errors, r->retried, r->redrawn);
    if (r->done)
        printf("; %.0f s, %.0f trials per hour", r->wall_s, rate);
    printf("\n");
    if (r->golden_bad)
        printf("%u fault-free trials crashed or reused wrong pages: do not trust this campaign\n",
               r->golden_bad);
    printf("\n");
    fflush(stdout);
    if (compare_print(cli->db, spec->name, COMPARE_TABLE, stdout, &err))
        fprintf(stderr, "wcr run: %s\n", err.msg);
}

/* The profile that is given; NULL: none. */
static int given_profile(const struct run_cli *cli, const json_t *recorded, json_t **ret,
                         struct err *err)
{
    int r = cli->profile ? profile_load_json(cli->profile, ret, err) : 0;

    if (!r && *ret && recorded && !json_equal(*ret, recorded))
        return err_set(err, EEXIST, "%s: the campaign in %s was begun with another profile: its trials "
                       "would not be comparable", cli->profile, cli->db);
    return r;
}

/*
 * Plans are to be drawn from what the workload executes: the campaign's profile, which is given
 * or made once, and kept, so that the campaign goes on with the same plans.
 */
static int use_profile(const struct run_cli *cli, const struct spec *spec,
                       const struct executor_ops *ops, struct runner_options *o, struct err *err)
{
    json_t *recorded = NULL, *profile = NULL;
    int r = o->store.ops->event_get(o->store.ctx, "profile", &recorded, err);

    if (!r)
        r = given_profile(cli, recorded, &profile, err);
    if (!r && !recorded && !profile) {
        if (o->style != PROGRESS_JSON)
            puts("looking at what the workload executes");
        r = profile_make(spec, ops, &cli->params, &o->planner, &profile, err);
    }
    if (!r)
        r = planner_use_profile(&o->planner, recorded ? recorded : profile, err);
    if (!r && !recorded)
        r = o->store.ops->event(o->store.ctx, "profile", profile, err);
    json_decref(recorded);
    json_decref(profile);
    return r;
}

static int write_profile(const struct run_cli *cli, const struct spec *spec,
                         const struct executor_ops *ops)
{
    char *vmlinux = find_vmlinux(cli);
    struct planner planner;
    struct profile *p = NULL;
    json_t *profile = NULL;
    struct err err = {0};
    int r = planner_open(vmlinux, NULL, &planner, &err);

    free(vmlinux);
    if (r)
        return fail(&err);
    testbed_clean_leftovers();
    r = profile_make(spec, ops, &cli->params, &planner, &profile, &err);
    if (!r)
        r = profile_from_json(profile, &p, &err);
    if (!r && json_dump_file(profile, cli->profile, JSON_PRESERVE_ORDER | JSON_INDENT(1)))
        r = err_set(&err, errno, "%s: cannot be written: %s", cli->profile, strerror(errno));
    if (!r)
        printf("%s: %zu of %" PRIu64 " basic blocks executed\n", cli->profile, p->len, p->blocks);
    profile_free(p);
    json_decref(profile);
    planner_close(&planner);
    return r ? fail(&err) : WCR_EXIT_OK;
}

static int run_campaign(const struct run_cli *cli, const struct spec *spec,
                        const struct executor_ops *ops)
{
    struct runner_options o = {
        .executor = ops,
        .params = cli->params,
        .shard = cli->shard,
        .jobs = cli->jobs,
        .out = stdout,
        .stop = &stop,
    };
    char *vmlinux = find_vmlinux(cli);
    struct runner_result result = {0};
    struct err err = {0};
    int r;

    o.style = cli->json ? PROGRESS_JSON
              : isatty(STDOUT_FILENO) ? PROGRESS_TERMINAL
                                      : PROGRESS_PLAIN;
    r = planner_open(vmlinux, spec->module, &o.planner, &err);
    free(vmlinux);
    if (r)
        return fail(&err);
    r = store_open(cli->db, spec, ops->name, &o.store, &err);
    if (r) {
        planner_close(&o.planner);
        return fail(&err);
    }
    testbed_clean_leftovers();
    r = shard_use(&cli->shard, &o.store, &err);
    if (r)
        err_prefix(&err, "%s", cli->db);
    if (!r && spec_needs_profile(spec))
        r = use_profile(cli, spec, ops, &o, &err);
    if (!r)
        r = runner_run(spec, &o, &result, &err);
    /* Workers that had to be killed left theirs. */
    testbed_clean_leftovers();
    store_close(&o.store);
    planner_close(&o.planner);
    if (r) {
        fail(&err);
        if (r == -EINTR && result.planned)
            fprintf(stderr, "wcr run: %u trials are left; the same command goes on\n",
                    result.planned - result.skipped - result.done - result.not_needed);
        return WCR_EXIT_ERROR;
    }
    summary(cli, spec, &result);
    return result.errors || result.golden_bad ? WCR_EXIT_FAIL : WCR_EXIT_OK;
}

/* Shards are only comparable if they draw their plans from one profile. */
static int check_profile(const struct run_cli *cli, const struct spec *spec, struct err *err)
{
    if (cli->db && cli->profile && !spec_needs_profile(spec))
        return err_set(err, EINVAL, "--profile: %s has no 'executed: true', or no class that changes "
                       "the kernel's text: its plans need no profile", cli->spec);
    if (cli->shard.of && !cli->profile && spec_needs_profile(spec))
        return err_set(err, EINVAL, "--shard: %s has 'executed: true', and all shards must draw from "
                       "the same profile: make it once with 'wcr run %s --profile FILE', and give "
                       "each shard --profile FILE", cli->spec, cli->spec);
    return 0;
}

int cmd_run(int argc, char **argv)
{
    struct run_cli cli = {.executor = "testbed"};
    struct sigaction action = {.sa_handler = on_signal};
    const struct executor_ops *ops;
    struct err err = {0};
    struct spec spec;
    int status = parse(&cli, argc, argv);

    if (status >= 0)
        return status;
    ops = executor_find(cli.executor);
    if (!ops) {
        fprintf(stderr, "wcr run: unknown executor '%s' (known: testbed, xen)\n", cli.executor);
        return WCR_EXIT_ERROR;
    }
    if (!cli.check && !cli.db && (!cli.profile || cli.shard.of)) {
        fputs("wcr run: --db FILE is missing: where should the results go?\n", stderr);
        return WCR_EXIT_ERROR;
    }
    if (spec_load(cli.spec, &spec, &err))
        return fail(&err);
    if (cli.check) {
        printf("%s: %u trials%s\n", cli.spec, spec_trials(&spec),
               spec_has_stop(&spec) ? " at most" : "");
        spec_done(&spec);
        return WCR_EXIT_OK;
    }
    if (check_profile(&cli, &spec, &err)) {
        spec_done(&spec);
        return fail(&err);
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    status = !cli.db ? write_profile(&cli, &spec, ops) : run_campaign(&cli, &spec, ops);
    spec_done(&spec);
    return status;
}
