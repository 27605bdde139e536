// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A large file that is cached, read three times before a reboot and three times after. All
 * reboots of a machine begin at one and the same snapshot.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "campaigns/experiments/experiment.h"

#define READS 3
#define READY "ready"
#define FILE_NAME "big"

struct configuration {
    const char *name, *mode;
    bool adopt;             /* the kernel reads what it was given back as soon as it can */
    bool prefetch;          /* the file is read once before the service is taken up */
    bool planned;           /* the guest is well, and reboots itself */
};

static const struct configuration on_device[] = {
    {.name = "normal", .mode = "cold"},
    {.name = "prefetch", .mode = "cold", .prefetch = true},
    {.name = "unchecked", .mode = "disabled"},
    {.name = "warm", .mode = "enabled", .adopt = true},
    {.name = "warm-planned", .mode = "enabled", .adopt = true, .planned = true},
    {.name = "warm-on-demand", .mode = "enabled"},
};

static const struct configuration on_file[] = {
    {.name = "file-backed", .mode = "cold"},
    {.name = "file-backed-warm", .mode = "enabled", .adopt = true},
};

struct read_result {
    double mb_per_s, seconds;
};

static int read_file(struct bed *b, struct read_result *ret, struct err *err)
{
    char answer[BED_ANSWER];
    uint64_t bytes, ns;
    int r = bed_guest(b, answer, err, "stream read " FILE_NAME);

    if (r)
        return r;
    if (sscanf(answer, "bytes=%" SCNu64 " ns=%" SCNu64, &bytes, &ns) != 2 || !ns)
        return err_set(err, EPROTO, "the guest's 'stream read' answered '%s'", answer);
    *ret = (struct read_result){.mb_per_s = (double)bytes * 1e3 / (double)ns, .seconds = (double)ns / 1e9};
    return 0;
}

static int read_thrice(struct bed *b, double ret[READS], struct err *err)
{
    struct read_result one;
    int r = 0;

    for (unsigned i = 0; i < READS && !r; i++) {
        r = read_file(b, &one, err);
        ret[i] = one.mb_per_s;
    }
    return r;
}

/* Up to a guest that has read its file. @before: of the three reads. */
static int prepare(struct session *s, bool file_backed, double before[READS], struct err *err)
{
    struct bed_machine machine = {
        .dom0_mb = file_backed ? 2 * s->file_mb + 256 : 512,
        .guest_mb = s->guest_mb,
        .disk_mb = 2 * s->file_mb,
        .disk = file_backed ? BED_FILE : BED_DEVICE,
    };
    int r = bed_on(&s->bed, &machine, err);

    if (!r)
        r = bed_start_guest(&s->bed, &machine, err);
    if (!r)
        r = bed_guest(&s->bed, NULL, err, "stream write " FILE_NAME " %u", s->file_mb);
    if (!r)
        r = read_thrice(&s->bed, before, err);
    return r ? r : bed_save(&s->bed, READY, err);
}

static int reboot(struct bed *b, const struct configuration *c, struct numbers *n, double *ret_mounted_ns,
                  struct err *err)
{
    json_t *reply = NULL;
    int r = c->planned ? bed_guest(b, NULL, err, "end reboot") : 0;

    if (!r)
        r = bed_reboot(b, c->mode, c->adopt ? "wcr.adopt=1" : "", false, &reply, err);
    number(n, "reboot", 0, bed_number(reply, "reboot_ns") / 1e9, "s");
    number(n, "pages_retained", 0, bed_number(reply, "pages_retained"), "pages");
    *ret_mounted_ns = bed_number(reply, "kernel_ns") + bed_number(reply, "mount_ns");
    json_decref(reply);
    return r;
}

/* What is done before the service is taken up. */
static int warm_up(struct bed *b, const struct configuration *c, double mounted_ns, double *ret_s,
                   struct err *err)
{
    struct read_result prefetch = {0};
    char answer[BED_ANSWER];
    double at;
    int r;

    *ret_s = 0;
    if (c->prefetch) {
        r = read_file(b, &prefetch, err);
        *ret_s = prefetch.seconds;
        return r;
    }
    if (!c->adopt)
        return 0;
    r = bed_guest(b, answer, err, "stream adopted");
    if (!r && sscanf(answer, "at=%lf", &at) != 1)
        return err_set(err, EPROTO, "the guest's 'stream adopted' answered '%s'", answer);
    *ret_s = (at - mounted_ns) / 1e9;
    return r;
}

static int sectors_read(struct bed *b, double *ret, struct err *err)
{
    json_t *reply = NULL;
    int r = bed_ask(b, &reply, err, "{s:s}", "cmd", "counters");

    *ret = bed_number(reply, "disk_reads");
    json_decref(reply);
    return r;
}

static int measure(struct session *s, unsigned disk, const struct configuration *c,
                   const double before[READS], struct err *err)
{
    static struct numbers n;
    double after[READS], requests = 0, mounted_ns, warm_up_s;
    int r = bed_load(&s->bed, READY, err);

    n = (struct numbers){.configuration = c->name};
    if (!r)
        r = bed_disk_limit(&s->bed, s->disks[disk].share * before[READS - 1], err);
    if (!r)
        r = reboot(&s->bed, c, &n, &mounted_ns, err);
    if (!r)
        r = warm_up(&s->bed, c, mounted_ns, &warm_up_s, err);
    if (!r)
        r = read_thrice(&s->bed, after, err);
    if (!r)
        r = sectors_read(&s->bed, &requests, err);
    if (r)
        return err_prefix(err, "%s, disk '%s'", c->name, s->disks[disk].name);
    for (int i = 0; i < READS; i++)
        number(&n, "read", i - READS, before[i], "MB/s");
    for (int i = 0; i < READS; i++)
        number(&n, "read", i, after[i], "MB/s");
    number(&n, "degradation", 0, 1 - after[0] / before[READS - 1], "share");
    number(&n, "warm_up", 0, warm_up_s, "s");
    number(&n, "disk_reads", 0, requests, "requests");
    return session_record(s, disk, &n, err);
}

static int on_machine(struct session *s, bool file_backed, const struct configuration *c,
                      size_t configurations, struct err *err)
{
    double before[READS];
    int r = prepare(s, file_backed, before, err);

    for (unsigned d = 0; d < s->disks_len; d++)
        for (size_t i = 0; i < configurations && !r; i++)
            r = measure(s, d, &c[i], before, err);
    bed_off(&s->bed);
    return r;
}

int experiment_file_read(struct session *s, struct err *err)
{
    int r = on_machine(s, false, on_device, sizeof(on_device) / sizeof(on_device[0]), err);

    return r ? r : on_machine(s, true, on_file, sizeof(on_file) / sizeof(on_file[0]), err);
}
