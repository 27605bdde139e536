// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"

#define OPTIONS_MAX 12
#define FIRST_VALUE 256 /* behind every letter */

int cli_parse(const char *command, void (*usage)(FILE *f), const struct cli_option *options,
              int argc, char **argv)
{
    struct option longs[OPTIONS_MAX + 2] = {{"help", no_argument, NULL, 'h'}};
    char shorts[2 * OPTIONS_MAX + 2] = "h";
    int c, n;

    for (n = 0; options[n].name && n < OPTIONS_MAX; n++) {
        const struct cli_option *o = &options[n];
        char letter[] = {o->letter, o->value ? ':' : '\0', '\0'};

        longs[n + 1] = (struct option){o->name, o->value ? required_argument : no_argument, NULL,
                                       FIRST_VALUE + n};
        strcat(shorts, letter);
    }
    while ((c = getopt_long(argc, argv, shorts, longs, NULL)) >= 0) {
        if (c == 'h') {
            usage(stdout);
            return WCR_EXIT_OK;
        }
        if (c == '?')
            return cli_usage(command);
        for (int i = 0; i < n; i++) {
            if (c != FIRST_VALUE + i && c != options[i].letter)
                continue;
            if (options[i].value)
                *options[i].value = optarg;
            else
                *options[i].flag = true;
        }
    }
    return -1;
}

const char *cli_db(const char *command, const char *option, int argc, char **argv)
{
    int left = argc - optind;

    if (left + !!option == 1)
        return option ? option : argv[optind];
    if (left + !!option == 0)
        fprintf(stderr, "wcr %s: which database? 'wcr %s results/quick.db'\n", command, command);
    else
        fprintf(stderr, "wcr %s: one database, please: '%s' is too many\n", command,
                argv[option ? optind : optind + 1]);
    return NULL;
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

int cli_out_open(struct cli_out *out, const char *path, struct err *err)
{
    mode_t mask;
    int fd;

    *out = (struct cli_out){.file = stdout, .path = path};
    if (!path || !strcmp(path, "-"))
        return 0;
    if (asprintf(&out->temporary, "%s.XXXXXX", path) < 0) {
        out->temporary = NULL;
        return err_set(err, ENOMEM, "out of memory");
    }
    fd = mkstemp(out->temporary);
    if (fd < 0) {
        int code = errno;

        free(out->temporary);
        return err_set(err, code, "cannot write %s: %s", path, strerror(code));
    }
    mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask);
    out->file = fdopen(fd, "w");
    if (!out->file) {
        close(fd);
        unlink(out->temporary);
        free(out->temporary);
        return err_set(err, ENOMEM, "out of memory");
    }
    return 0;
}

int cli_out_close(struct cli_out *out, int keep, struct err *err)
{
    int bad = ferror(out->file) || fflush(out->file), code = bad ? errno : 0;

    if (!out->temporary)
        return keep && bad ? err_set(err, code ? code : EIO, "cannot write: %s",
                                     strerror(code ? code : EIO))
                           : 0;
    if (fclose(out->file) && !code)
        code = errno;
    if (keep && !code && rename(out->temporary, out->path))
        code = errno;
    if (!keep || code)
        unlink(out->temporary);
    free(out->temporary);
    return code && keep ? err_set(err, code, "cannot write %s: %s", out->path, strerror(code)) : 0;
}
