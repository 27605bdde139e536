// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr plan-size */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>

#include "analysis/cli.h"
#include "analysis/stats.h"
#include "cli/commands.h"
#include "lib/share.h"

static void usage(FILE *f)
{
    fputs("usage: wcr plan-size --below RATE [--failures N]\n"
          "       wcr plan-size --half-width WIDTH [--rate RATE]\n"
          "       wcr plan-size --only-disabled RATE [--only-enabled RATE] [--power P]\n\n"
          "How many trials a campaign needs before its numbers say something. Rates, widths\n"
          "and probabilities are from 0 to 1 (or 5%); intervals and tests are those of 'wcr compare'.\n\n"
          "  --below RATE          trials that show a rate below RATE (one-sided bound)...\n"
          "  --failures N          ...with N failures among them (default 0)\n"
          "  --half-width WIDTH    trials until the interval is so narrow to either side...\n"
          "  --rate RATE           ...of this rate (default 0.5, the worst case)\n"
          "  --only-disabled RATE  pairs until McNemar's test finds the difference, if this share\n"
          "                        of them fails only with the mechanism disabled...\n"
          "  --only-enabled RATE   ...and this only with it enabled (default 0)...\n"
          "  --power P             ...with this probability (default 0.8)\n"
          "  --confidence C        (default 0.95)\n"
          "  --json                one JSON object\n\n"
          "Examples:\n"
          "  wcr plan-size --below 0.01            299 trials without a failure bound it at 1%\n"
          "  wcr plan-size --only-disabled 0.1     pairs for a fault that harms one in ten\n\n"
          "Exit status: 0 told; 2 error, or more than a million.\n",
          f);
}

struct plan_size_cli {
    const char *below, *half_width, *rate, *only_disabled, *only_enabled, *power, *confidence;
    uint64_t failures;
    bool json;
};

/* A number from 0 to 1; -EINVAL, told. */
static int share(const char *option, const char *text, double *ret)
{
    if (share_parse(text, ret))
        return 0;
    fprintf(stderr, "wcr plan-size: %s '%s': expected a number from 0 to 1\n", option, text);
    return -EINVAL;
}

static int answer(bool json, const char *what, int64_t n, const char *shows)
{
    if (n == INT64_MAX) {
        fprintf(stderr, "wcr plan-size: more than %d %s, or no number of them, would do\n",
                PLAN_SIZE_MAX, what);
        return WCR_EXIT_ERROR;
    }
    if (json)
        printf("{\"%s\": %" PRId64 "}\n", what, n);
    else
        printf("%" PRId64 " %s%s\n", n, what, shows);
    return WCR_EXIT_OK;
}

static int below(const struct plan_size_cli *cli, double confidence)
{
    char shows[160];
    double rate;

    if (share("--below", cli->below, &rate))
        return WCR_EXIT_ERROR;
    snprintf(shows, sizeof(shows), ", %" PRIu64 " of them failures, show a rate of at most %g%% "
             "(confidence %g%%)", cli->failures, 100 * rate, 100 * confidence);
    return answer(cli->json, "trials", trials_to_bound_with((int64_t)cli->failures, rate, confidence),
                  shows);
}

static int half_width(const struct plan_size_cli *cli, double confidence)
{
    double width, rate;
    char shows[160];

    if (share("--half-width", cli->half_width, &width) || share("--rate", cli->rate, &rate))
        return WCR_EXIT_ERROR;
    snprintf(shows, sizeof(shows), " tell a rate of about %g%% to within %g points (confidence %g%%)",
             100 * rate, 100 * width, 100 * confidence);
    return answer(cli->json, "trials", trials_to_half_width(rate, width, confidence), shows);
}

static int difference(const struct plan_size_cli *cli, double confidence)
{
    double disabled, enabled, power;
    char shows[160];

    if (share("--only-disabled", cli->only_disabled, &disabled) ||
        share("--only-enabled", cli->only_enabled, &enabled) || share("--power", cli->power, &power))
        return WCR_EXIT_ERROR;
    if (disabled + enabled > 1) {
        fputs("wcr plan-size: --only-disabled and --only-enabled: more than all pairs\n", stderr);
        return WCR_EXIT_ERROR;
    }
    snprintf(shows, sizeof(shows), " show the difference (p at most %g) with a probability of %g%%",
             1 - confidence, 100 * power);
    return answer(cli->json, "pairs", pairs_to_difference(disabled, enabled, power, confidence), shows);
}

int cmd_plan_size(int argc, char **argv)
{
    struct plan_size_cli cli = {.rate = "0.5", .only_enabled = "0", .power = "0.8",
                                .confidence = "0.95"};
    const struct cli_option options[] = {
        {.name = "below", .value = &cli.below},
        {.name = "failures", .number = &cli.failures, .max = PLAN_SIZE_MAX},
        {.name = "half-width", .value = &cli.half_width},
        {.name = "rate", .value = &cli.rate},
        {.name = "only-disabled", .value = &cli.only_disabled},
        {.name = "only-enabled", .value = &cli.only_enabled},
        {.name = "power", .value = &cli.power},
        {.name = "confidence", .value = &cli.confidence},
        {.name = "json", .flag = &cli.json},
        {0},
    };
    int status = cli_parse("plan-size", usage, options, argc, argv);
    double confidence;

    if (status >= 0)
        return status;
    if (optind < argc || !!cli.below + !!cli.half_width + !!cli.only_disabled != 1) {
        fputs("wcr plan-size: one of --below, --half-width and --only-disabled, please\n", stderr);
        return cli_usage("plan-size");
    }
    if (share("--confidence", cli.confidence, &confidence))
        return WCR_EXIT_ERROR;
    return cli.below ? below(&cli, confidence)
                     : cli.half_width ? half_width(&cli, confidence) : difference(&cli, confidence);
}
