// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr merge */
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>

#include "analysis/cli.h"
#include "cli/commands.h"
#include "db/merge.h"

static void usage(FILE *f)
{
    fputs("usage: wcr merge -o FILE DB... [--campaign NAME] [--json]\n\n"
          "Joins databases of one campaign, such as those of its shards, into the new database\n"
          "FILE. Databases of different campaigns, or with different results for one trial, are\n"
          "refused; then, or when it is killed, there is no FILE. The databases are only read.\n\n"
          "  -o, --output FILE  the new database; must not be there yet\n"
          "  --campaign NAME    which campaign, if there are several in the databases\n"
          "  --json             one JSON object\n\n"
          "Example:\n"
          "  wcr run SPEC --db 1.db --shard 1/2      on one machine\n"
          "  wcr run SPEC --db 2.db --shard 2/2      on another\n"
          "  wcr merge -o all.db 1.db 2.db\n\n"
          "Exit status: 0 merged; 2 error.\n",
          f);
}

static void tell_list(const char *words, const json_t *list)
{
    const json_t *value;
    size_t i;

    if (json_array_size(list))
        fputs(words, stdout);
    json_array_foreach(list, i, value) {
        fputs(i ? ", " : " ", stdout);
        if (json_is_string(value))
            fputs(json_string_value(value), stdout);
        else
            printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    }
    if (json_array_size(list))
        putchar('\n');
}

static void tell(const char *out, int files, const struct db_merge *m, bool json)
{
    char words[64];

    if (json) {
        json_t *o = json_pack("{s:i, s:I, s:I, s:I, s:I, s:O, s:O}", "files", files, "trials",
                              (json_int_t)m->trials, "twice", (json_int_t)m->twice, "errors",
                              (json_int_t)m->errors, "shards", (json_int_t)m->shards, "missing",
                              m->missing, "differing", m->differing);

        json_dumpf(o, stdout, 0);
        json_decref(o);
        putchar('\n');
        return;
    }
    printf("%s: %" PRId64 " trials from %d file%s", out, m->trials, files, files > 1 ? "s" : "");
    if (m->twice)
        printf(", %" PRId64 " of them in more than one", m->twice);
    if (m->errors)
        printf("; experiment errors: %" PRId64, m->errors);
    putchar('\n');
    snprintf(words, sizeof(words), "missing of %" PRId64 " shards:", m->shards);
    tell_list(words, m->missing);
    tell_list("the machines of the trials differ in:", m->differing);
}

int cmd_merge(int argc, char **argv)
{
    const char *out = NULL, *campaign = NULL;
    bool json = false;
    const struct cli_option options[] = {
        {.name = "output", .letter = 'o', .value = &out},
        {.name = "campaign", .value = &campaign},
        {.name = "json", .flag = &json},
        {0},
    };
    int status = cli_parse("merge", usage, options, argc, argv), r;
    struct db_merge merged;
    struct err err = {0};

    if (status >= 0)
        return status;
    if (!out || optind == argc) {
        fputs(out ? "wcr merge: which databases?\n"
                  : "wcr merge: -o FILE is missing: where should the merged database go?\n", stderr);
        return cli_usage("merge");
    }
    r = db_merge(out, (const char *const *)argv + optind, (size_t)(argc - optind), campaign, &merged,
                 &err);
    if (r)
        return cli_fail("merge", &err);
    tell(out, argc - optind, &merged, json);
    db_merge_done(&merged);
    return WCR_EXIT_OK;
}
