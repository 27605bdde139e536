// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"

#define OPTIONS_MAX 14
#define FIRST 256       /* behind every letter */

/* -EINVAL, told on standard error. */
static int number(const char *command, const struct cli_option *o, const char *text)
{
    char *end;

    errno = 0;
    *o->number = strtoull(text, &end, 0);
    if (!errno && end != text && !*end && *text != '-' && *o->number >= o->min && *o->number <= o->max)
        return 0;
    fprintf(stderr, "wcr %s: --%s '%s': expected a number from %" PRIu64 " to %" PRIu64 "\n", command, o->name,
            text, o->min, o->max);
    return -EINVAL;
}

/* The one that getopt_long() found. */
static int take(const char *command, const struct cli_option *o)
{
    if (o->number)
        return number(command, o, optarg);
    if (o->value)
        *o->value = optarg;
    else
        *o->flag = true;
    return 0;
}

int cli_parse(const char *command, void (*usage)(FILE *f), const struct cli_option *options,
              int argc, char **argv)
{
    struct option longs[OPTIONS_MAX + 2] = {{"help", no_argument, NULL, 'h'}};
    char shorts[2 * OPTIONS_MAX + 3] = ":h";
    int c, n;

    for (n = 0; options[n].name && n < OPTIONS_MAX; n++) {
        const struct cli_option *o = &options[n];
        char letter[] = {o->letter, o->flag ? '\0' : ':', '\0'};

        longs[n + 1] = (struct option){o->name, o->flag ? no_argument : required_argument, NULL, FIRST + n};
        strcat(shorts, letter);
    }
    while ((c = getopt_long(argc, argv, shorts, longs, NULL)) >= 0) {
        if (c == 'h') {
            usage(stdout);
            return WCR_EXIT_OK;
        }
        if (c == '?' || c == ':') {
            fprintf(stderr, c == ':' ? "wcr %s: option '%s' wants a value\n" : "wcr %s: unknown option '%s'\n",
                    command, argv[optind - 1]);
            return cli_usage(command);
        }
        for (int i = 0; i < n; i++)
            if ((c == FIRST + i || c == options[i].letter) && take(command, &options[i]))
                return WCR_EXIT_ERROR;
    }
    return -1;
}

int cli_parse_all(const char *command, void (*usage)(FILE *f), const struct cli_option *options,
                  int argc, char **argv)
{
    int status = cli_parse(command, usage, options, argc, argv);

    if (status >= 0 || optind == argc)
        return status;
    fprintf(stderr, "wcr %s: unexpected argument '%s'\n", command, argv[optind]);
    return cli_usage(command);
}

int cli_fail(const char *command, const struct err *err)
{
    fprintf(stderr, "wcr %s: %s\n", command, err->msg);
    return err->code == ENODATA ? WCR_EXIT_NO_DATA : WCR_EXIT_ERROR;
}

int cli_usage(const char *command)
{
    fprintf(stderr, "Try 'wcr %s --help'.\n", command);
    return WCR_EXIT_ERROR;
}
