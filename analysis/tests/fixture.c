// SPDX-License-Identifier: GPL-2.0-or-later
#include "analysis/tests/fixture.h"

#include <dirent.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

char fixture_dir[64], fixture_path[96];

int fixture_setup(void **state)
{
    (void)state;
    strcpy(fixture_dir, "/tmp/wcr-analysis-test-XXXXXX");
    if (!mkdtemp(fixture_dir))
        return -1;
    snprintf(fixture_path, sizeof(fixture_path), "%s/t.db", fixture_dir);
    return 0;
}

int fixture_teardown(void **state)
{
    DIR *d = opendir(fixture_dir);
    struct dirent *e;

    (void)state;
    while (d && (e = readdir(d)))
        unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    return rmdir(fixture_dir);
}

static void must(int r, const struct err *err)
{
    if (r)
        fail_msg("%s", err->msg);
}

static void add(struct db *db, int64_t campaign, const struct fixture_trial *f)
{
    static const struct db_page page = {"reboot", 77, 12, 3, 4096, "corrupt", "bytes 0-3 differ"};
    static const struct db_event event = {"console", "BUG: unable to handle\nOops: 0002\n", NULL};
    static const struct db_measurement measurement = {"restore_warm", 0.5, "s"};
    bool golden = !strcmp(f->fault_class, DB_GOLDEN);
    struct err err = {0};
    char crash[64];
    struct db_trial t;

    db_trial_init(&t);
    t.campaign = campaign;
    t.plan = (struct db_plan){
        .fault_class = f->fault_class,
        .seed = f->seed,
        .json = golden
                    ? NULL
                    : "{\"target\":\"all\",\"va\":\"0xffffffff81000010\",\"symbol\":\"ext4_read\","
                      "\"offset\":16,\"source\":\"fs/ext4/inode.c:7\",\"old\":\"4889c8\","
                      "\"new\":\"4889c1\",\"old_asm\":\"mov rax, rcx\",\"new_asm\":"
                      "\"mov rcx, rax\",\"candidates\":5000}"};
    t.mode = f->mode;
    t.pair = "snapshot";
    snprintf(crash, sizeof(crash), "%s-%u", f->fault_class, f->seed);
    t.crash_id = crash;
    t.outcome = f->outcome;
    t.crash_outcome = strcmp(f->outcome, "no_reboot") ? f->outcome : "kernel_crash";
    t.activated = f->activated;
    t.at_crash.mapped = 120;
    t.at_crash.reusable = 100;
    t.inject_ns = 1000000;
    t.detect_ns = 2500000;
    t.wall_ns = 4000000000;
    if (f->reused >= 0) {
        t.at_reboot.reused = f->reused;
        t.at_reboot.corrupt = f->corrupt;
        t.at_reboot.stale_disk = f->stale_disk;
        t.at_reboot.inconsistent = f->corrupt + f->stale_disk;
        t.reboot_ns = 900000000;
        t.verify_ns = 30000000;
    }
    if (f->corrupt > 0) {
        t.pages = &page;
        t.pages_len = 1;
    }
    if (!golden) {
        t.signature = "BUG ext4_read+0x10";
        t.events = &event;
        t.events_len = 1;
    }
    t.measurements = &measurement;
    t.measurements_len = 1;
    must(db_trial_record(db, &t, NULL, NULL, &err), &err);
}

static struct db *create(const char *name, int64_t *campaign)
{
    const struct db_campaign c = {name, "name: x\n", NULL, "testbed", "0.1"};
    struct err err = {0};
    struct db *db;

    must(db_open(fixture_path, DB_WRITE, &db, &err), &err);
    must(db_campaign_open(db, &c, campaign, &err), &err);
    return db;
}

void fixture_write(const char *campaign, const struct fixture_trial *trials, size_t len)
{
    int64_t id;
    struct db *db = create(campaign, &id);

    for (size_t i = 0; i < len; i++)
        add(db, id, &trials[i]);
    db_close(db);
}

void fixture_write_quick(void)
{
    static const struct fixture_trial trials[] = {
        {"GOLDEN", 1, "enabled", "no_crash", -1, 98, 0, 0},
        {"GOLDEN", 1, "disabled", "no_crash", -1, 98, 0, 0},
        {"PTR", 1, "enabled", "kernel_crash", 1, 95, 0, 0},
        {"PTR", 1, "disabled", "kernel_crash", 1, 98, 3, 0},
        {"PTR", 2, "enabled", "kernel_crash", 1, 90, 0, 0},
        {"PTR", 2, "disabled", "kernel_crash", 1, 97, 1, 1},
        {"PTR", 3, "enabled", "no_crash", 0, 99, 0, 0},
        {"PTR", 3, "disabled", "no_crash", 0, 99, 0, 0},
        {"DST", 1, "enabled", "hang", 1, 80, 0, 2},
        {"DST", 1, "disabled", "hang", 1, 85, 0, 2},
        {"DST", 1, "cold", "hang", 1, 0, 0, 0},
        {"DST", 2, "enabled", "process_crash", 1, 88, 0, 0},
        {"DST", 2, "disabled", "no_reboot", 1, -1, 0, 0},
    };
    const struct db_plan plan = {"DST", 3, 0, NULL, "{}"};
    struct err err = {0};
    int64_t id;
    struct db *db;

    fixture_write("quick", trials, sizeof(trials) / sizeof(trials[0]));
    db = create("quick", &id);
    must(db_trial_error(db, id, &plan, "enabled", 3, "the worker died", "tail", &err), &err);
    must(db_attempt_error(db, id, "DST", 3, 0, "the worker died", NULL, &err), &err);
    must(db_plan_reject(db, id, &(struct db_plan){"PTR", 4, 0, NULL, "{}"}, "not_activated", NULL,
                        &err),
         &err);
    db_close(db);
}

void fixture_contains(const char *text, const char *words)
{
    if (!strstr(text, words))
        fail_msg("no '%s' in:\n%s", words, text);
}

char *fixture_read(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    if (!f)
        fail_msg("cannot read %s", path);
    if (getdelim(&text, &size, '\0', f) < 0) {
        free(text);
        text = strdup("");
    }
    fclose(f);
    return text;
}

char *fixture_capture(int (*function)(FILE *out, void *ctx), void *ctx, int *ret)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    assert_non_null(f);
    *ret = function(f, ctx);
    fclose(f);
    return text;
}

static int redirect(FILE *stream, const char *name, char path[128])
{
    int saved;

    snprintf(path, 128, "%s/%s", fixture_dir, name);
    fflush(stream);
    saved = dup(fileno(stream));
    if (!freopen(path, "w", stream))
        fail_msg("cannot redirect to %s", path);
    return saved;
}

static char *restore(FILE *stream, int saved, const char *path)
{
    fflush(stream);
    dup2(saved, fileno(stream));
    close(saved);
    clearerr(stream);
    return fixture_read(path);
}

int fixture_command(int (*command)(int, char **), char **ret_out, char **ret_err, const char *arg0,
                    ...)
{
    char *argv[20] = {(char *)arg0}, out_path[128], err_path[128];
    int argc = 1, status, out, err;
    va_list ap;

    va_start(ap, arg0);
    while (argc < 19 && (argv[argc] = va_arg(ap, char *)))
        argc++;
    va_end(ap);
    out = redirect(stdout, "stdout", out_path);
    err = redirect(stderr, "stderr", err_path);
    optind = 0;
    status = command(argc, argv);
    *ret_out = restore(stdout, out, out_path);
    *ret_err = restore(stderr, err, err_path);
    return status;
}
