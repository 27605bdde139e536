// SPDX-License-Identifier: GPL-2.0-or-later
/* wcr experiment */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli.h"
#include "campaigns/experiments/experiment.h"
#include "cli/commands.h"
#include "cli/version.h"

#define MIN_MB 16
#define MAX_MB 16384
/* What the guest has besides its cache: the kernel and the initrd come there again. */
#define KERNEL_MB 64
#define DEFAULT_DB "results/experiments.db"

static const struct experiment experiments[] = {
    {"file-read", "a large cached file, read before and after a reboot", experiment_file_read, false},
    {"service", "from a crash to the first byte, for caches of growing size", experiment_service, true},
    {"web", "a web server's throughput through a crash and a reboot", experiment_web, false},
    {"neighbour", "the same beside a guest that reads the same disk", experiment_neighbour, false},
};

#define EXPERIMENTS (sizeof(experiments) / sizeof(experiments[0]))

static const struct disk disks[] = {
    {"hdd", 0.02}, {"published", 0.10}, {"nvme", 0},
};
enum { NO_LIMIT = 2 };

#define DISKS (sizeof(disks) / sizeof(disks[0]))

static void usage(FILE *f)
{
    fputs("usage: wcr experiment [NAME...] [--db DB] [--disk NAME] [--file-mb N] [--guest-mb N]\n"
          "                      [--testbed FILE]\n\n"
          "Measures how fast a guest is after a reboot, with its file cache kept and without, on a\n"
          "testbed. Time is counted in instructions: what is compared are ratios of one run.\n\n"
          "Experiments (default: all):\n", f);
    for (size_t i = 0; i < EXPERIMENTS; i++)
        fprintf(f, "  %-12s %s\n", experiments[i].name, experiments[i].help);
    fputs("\n"
          "  --db DB         (default: " DEFAULT_DB ")\n"
          "  --disk NAME     only on this one. 'published' reads a tenth as fast as the guest's\n"
          "                  cache, 'hdd' a fiftieth, 'nvme' as fast as the testbed can\n"
          "  --file-mb N     size of the file (1024)\n"
          "  --guest-mb N    memory of the guest (half as much again, and 64)\n"
          "  --testbed FILE  what 'make testbed' built (default $WCR_TESTBED, else\n"
          "                  build/testbed.env)\n\n"
          "Example:\n"
          "  wcr experiment file-read --file-mb 128 --disk published\n\n"
          "Exit status: 0 measured; 2 error.\n", f);
}

void number(struct numbers *n, const char *metric, int64_t ordinal, double value, const char *unit)
{
    if (n->len < NUMBERS_MAX)
        n->value[n->len++] = (struct db_experiment_value){n->configuration, metric, ordinal, value, unit};
}

unsigned session_guest_mb(unsigned file_mb)
{
    return file_mb * 3 / 2 + KERNEL_MB;
}

int session_record(struct session *s, unsigned disk, const struct numbers *n, struct err *err)
{
    int r = db_experiment_put(s->db, s->run[disk], n->value, n->len, err);

    if (r)
        return r;
    printf("%s, disk '%s': %zu numbers;", n->configuration, s->disks[disk].name, n->len);
    /* Series are for the page. */
    for (size_t i = 0; i < n->len; i++)
        if (!n->value[i].ordinal)
            printf(" %s %.6g %s;", n->value[i].metric, n->value[i].value, n->value[i].unit);
    putchar('\n');
    fflush(stdout);
    return 0;
}

/* What is known of the machine before it is there. */
static json_t *facts(const struct session *s, const struct disk *disk)
{
    json_t *ret = json_pack("{s:s, s:i, s:i, s:f, s:s}", "wcr", WCR_VERSION, "file_mb", (int)s->file_mb,
                            "guest_mb", (int)s->guest_mb, "disk_share", disk->share, "clock",
                            "icount shift=1, sleep=on");
    const char *name, *value;

    for (unsigned i = 0; (name = env_file_name(s->bed.config.env, i, &value)); i++)
        if (strlen(name) > 5 && !strcmp(name + strlen(name) - 5, "_HASH"))
            json_object_set_new(ret, name, json_string(value));
    return ret;
}

static int run(struct session *s, const struct experiment *e, struct err *err)
{
    const struct disk *wanted = s->disks;
    unsigned wanted_len = s->disks_len;
    int r = 0;

    if (e->unlimited) {
        s->disks = &disks[NO_LIMIT];
        s->disks_len = 1;
    }
    for (unsigned d = 0; d < s->disks_len && !r; d++) {
        json_t *o = facts(s, &s->disks[d]);
        char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);

        r = text ? db_experiment_begin(s->db, e->name, s->disks[d].name, text, &s->run[d], err)
                 : err_set(err, ENOMEM, "out of memory");
        free(text);
        json_decref(o);
    }
    if (!r)
        r = e->run(s, err);
    for (unsigned d = 0; d < s->disks_len && !r; d++)
        r = db_experiment_finish(s->db, s->run[d], err);
    s->disks = wanted;
    s->disks_len = wanted_len;
    return r ? err_prefix(err, "%s", e->name) : 0;
}

static const struct experiment *find(const char *name)
{
    for (size_t i = 0; i < EXPERIMENTS; i++)
        if (!strcmp(experiments[i].name, name))
            return &experiments[i];
    return NULL;
}

/* All, or the one named. */
static bool take_disks(struct session *s, const char *name)
{
    s->disks = disks;
    s->disks_len = DISKS;
    for (unsigned d = 0; name && d < DISKS; d++) {
        if (strcmp(disks[d].name, name))
            continue;
        s->disks = &disks[d];
        s->disks_len = 1;
        return true;
    }
    return !name;
}

static bool take_sizes(struct session *s, uint64_t file_mb, uint64_t guest_mb)
{
    s->file_mb = (unsigned)file_mb;
    s->guest_mb = guest_mb ? (unsigned)guest_mb : session_guest_mb(s->file_mb);
    if (s->guest_mb > s->file_mb)
        return true;
    fprintf(stderr, "wcr experiment: a file of %u MB does not fit the cache of a guest of %u MB\n", s->file_mb,
            s->guest_mb);
    return false;
}

static int run_named(struct session *s, int argc, char **argv, struct err *err)
{
    int r = 0;

    for (int i = 0; i < argc && !r; i++)
        r = run(s, find(argv[i]), err);
    for (size_t i = 0; !argc && i < EXPERIMENTS && !r; i++)
        r = run(s, &experiments[i], err);
    return r;
}

int cmd_experiment(int argc, char **argv)
{
    const char *db = DEFAULT_DB, *disk = NULL, *testbed = NULL;
    uint64_t file_mb = 1024, guest_mb = 0;
    const struct cli_option options[] = {
        {.name = "db", .value = &db}, {.name = "disk", .value = &disk},
        {.name = "file-mb", .number = &file_mb, .min = MIN_MB, .max = MAX_MB},
        {.name = "guest-mb", .number = &guest_mb, .min = MIN_MB, .max = MAX_MB},
        {.name = "testbed", .value = &testbed}, {0},
    };
    struct session s = {0};
    struct err err = {0};
    int r, status = cli_parse("experiment", usage, options, argc, argv);

    if (status >= 0)
        return status;
    for (int i = optind; i < argc; i++) {
        if (find(argv[i]))
            continue;
        fprintf(stderr, "wcr experiment: there is no experiment '%s'\n", argv[i]);
        return cli_usage("experiment");
    }
    if (!take_disks(&s, disk)) {
        fprintf(stderr, "wcr experiment: there is no disk '%s'\n", disk);
        return cli_usage("experiment");
    }
    if (!take_sizes(&s, file_mb, guest_mb))
        return cli_usage("experiment");
    r = testbed_config_load(testbed, &s.bed.config, &err);
    if (r)
        return cli_fail("experiment", &err);
    testbed_clean_leftovers();
    r = db_open(db, DB_WRITE, &s.db, &err);
    if (!r)
        r = run_named(&s, argc - optind, argv + optind, &err);
    db_close(s.db);
    testbed_config_done(&s.bed.config);
    return r ? cli_fail("experiment", &err) : WCR_EXIT_OK;
}
