// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"

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
