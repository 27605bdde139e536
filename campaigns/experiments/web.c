// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A web server whose files fit the guest's cache, under load, before a crash and after the reboot.
 * Clients come again the moment the server listens: how soon a client notices is not measured.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaigns/experiments/experiment.h"
#include "campaigns/experiments/recovery.h"

#define READY "ready"
#define FILE_KB 256
#define SITE_MB_MAX 64
#define BEFORE_S 5
#define WINDOW_S 1.0
#define WANTED 0.95
#define SAMPLES_MAX 512         /* what one request's answer holds */

struct configuration {
    const char *name, *mode, *cmdline;
    bool prefetch;
};

static const struct configuration configurations[] = {
    {"normal", "cold", "", false},
    {"prefetch", "cold", "", true},
    {"warm-on-demand", "enabled", "", false},
    {"warm", "enabled", "wcr.adopt=1", false},
};

struct series {
    struct sample sample[SAMPLES_MAX];
    size_t len;
};

/* The server's program and its files on the guest's disk; a script for who asks for them at random. */
static int make_site(struct bed *b, unsigned files, struct err *err)
{
    int r = bed_exec(b, NULL, err, "mkdir /tmp/site && mount -t ext4 /dev/vdb /tmp/site && "
                     "cp -a /usr/share/wcr/web /tmp/site/ && head -c %u /dev/urandom >/tmp/f && "
                     "for i in $(seq 0 %u); do cp /tmp/f /tmp/site/web/www/f$i || exit; done; umount /tmp/site",
                     FILE_KB * 1024, files - 1);

    if (r)
        return r;
    return bed_exec(b, NULL, err, "echo 'request = function() return wrk.format(nil, \"/f\" .. math.random(0, %u)) end' "
                    ">/tmp/files.lua", files - 1);
}

/* Bytes a second in the second half: not while connections are made. */
static double settled(const struct series *s)
{
    return recovery_mean(s->sample + s->len / 2, s->len - s->len / 2);
}

static int series_parse(char *text, struct series *ret, struct err *err)
{
    char *save = NULL;

    ret->len = 0;
    for (char *l = strtok_r(text, "\n", &save); l && ret->len < SAMPLES_MAX; l = strtok_r(NULL, "\n", &save)) {
        struct sample *s = &ret->sample[ret->len++];

        if (sscanf(l, "%lf %lf", &s->at, &s->bytes) != 2)
            return err_set(err, EPROTO, "the load's samples: '%.100s'", l);
    }
    return ret->len > 1 ? 0 : err_set(err, EPROTO, "the load left no samples");
}

/*
 * Load for so many seconds, and every 100 ms domain 0's uptime and all the bytes that came over the
 * bridge. The nap is a builtin of the shell's: no process is started while something is measured.
 */
static int load(struct bed *b, unsigned seconds, struct series *ret, struct err *err)
{
    char *output = NULL;
    int r = bed_ask(b, NULL, err, "{s:s}", "cmd", "guest_resume");

    if (!r)
        r = bed_exec(b, &output, err, "mkfifo /tmp/never; exec 3<>/tmp/never; rm /tmp/never; "
                            "wrk -t 1 -c 8 -d 1h -s /tmp/files.lua http://10.77.0.2:80/ >/tmp/wrk.log 2>&1 & n=%u; "
                            "while [ $n -gt 0 ]; do n=$((n - 1)); read -r t _ </proc/uptime; "
                            "read -r x </sys/class/net/xenbr0/statistics/rx_bytes; echo \"$t $x\"; "
                            "read -r -t 0.1 _ <&3; done; kill -9 %%1; exit 0", seconds * 10);
    if (!r)
        r = series_parse(output, ret, err);
    free(output);
    return r;
}

/* Up to a server that has served each of its files. @ret_mb_per_s: what comes then. */
static int prepare(struct session *s, unsigned files, double *ret_mb_per_s, struct err *err)
{
    struct bed_machine machine = {
        .dom0_mb = 512, .guest_mb = files * FILE_KB / 1024 + 192, .disk_mb = 2 * files * FILE_KB / 1024 + 64,
        .network = true,
    };
    static struct series series;
    int r = bed_on(&s->bed, &machine, err);

    if (!r)
        r = make_site(&s->bed, files, err);
    if (!r)
        r = bed_start_guest(&s->bed, &machine, err);
    if (!r)
        r = bed_guest(&s->bed, NULL, err, "stream prefetch web/www");
    if (!r)
        r = bed_guest(&s->bed, NULL, err, "web");
    if (!r)
        r = load(&s->bed, 2, &series, err);
    if (r)
        return r;
    *ret_mb_per_s = settled(&series) / 1e6;
    return bed_save(&s->bed, READY, err);
}

static int uptime(struct bed *b, double *ret, struct err *err)
{
    char *output = NULL;
    int r = bed_exec(b, &output, err, "cat /proc/uptime");

    if (!r)
        *ret = strtod(output, NULL);
    free(output);
    return r;
}

/* From the crash until the server listens; both in domain 0's uptime. */
static int reboot(struct bed *b, const struct configuration *c, double *ret_crashed, double *ret_listens,
                  struct err *err)
{
    json_t *reply = NULL;
    int r = uptime(b, ret_crashed, err);

    if (!r)
        r = bed_reboot(b, c->mode, c->cmdline, false, &reply, err);
    json_decref(reply);
    if (!r && c->prefetch)
        r = bed_guest(b, NULL, err, "stream prefetch web/www");
    if (!r)
        r = bed_guest(b, NULL, err, "web");
    return r ? r : uptime(b, ret_listens, err);
}

static void record_series(struct numbers *n, const struct series *s, double zero)
{
    for (size_t i = 1; i < s->len; i++)
        number(n, "throughput", (int64_t)((s->sample[i].at - zero) * 1000),
               recovery_mean(&s->sample[i - 1], 2) / 1e6, "MB/s");
}

static int measure(struct session *s, unsigned disk, const struct configuration *c, double rate,
                   struct err *err)
{
    static struct series before, after;
    static struct numbers n;
    double share = s->disks[disk].share, crashed, listens, level, back;
    /* As long as the slowest needs for all files, and again. */
    unsigned seconds = share ? (unsigned)(1 / share) / 2 + 10 : 10;
    int r = bed_load(&s->bed, READY, err);

    n = (struct numbers){.configuration = c->name};
    if (!r)
        r = bed_disk_limit(&s->bed, share * rate, err);
    if (!r)
        r = load(&s->bed, BEFORE_S, &before, err);
    if (!r)
        r = reboot(&s->bed, c, &crashed, &listens, err);
    if (!r)
        r = load(&s->bed, seconds, &after, err);
    if (r)
        return r;
    level = settled(&before);
    back = recovery_at(after.sample, after.len, WANTED * level, WINDOW_S);
    record_series(&n, &before, crashed);
    number(&n, "throughput", 1, 0, "MB/s");
    number(&n, "throughput", (int64_t)((listens - crashed) * 1000), 0, "MB/s");
    record_series(&n, &after, crashed);
    number(&n, "before", 0, level / 1e6, "MB/s");
    number(&n, "boot", 0, listens - crashed, "s");
    number(&n, "first_second", 0, recovery_mean(after.sample, after.len < 11 ? after.len : 11) / 1e6, "MB/s");
    if (back >= 0) {
        number(&n, "recovered", 0, back - listens, "s");
        number(&n, "recovery_share", 0, (back - listens) / (listens - crashed), "share");
    }
    number(&n, "lost", 0, level * (after.sample[after.len - 1].at - crashed) / 1e6 -
           (after.sample[after.len - 1].bytes - after.sample[0].bytes) / 1e6, "MB");
    return session_record(s, disk, &n, err);
}

int experiment_web(struct session *s, struct err *err)
{
    unsigned site_mb = s->file_mb < SITE_MB_MAX ? s->file_mb : SITE_MB_MAX;
    double rate = 0;
    int r = prepare(s, site_mb * 1024 / FILE_KB, &rate, err);

    for (unsigned d = 0; d < s->disks_len; d++)
        for (size_t i = 0; i < sizeof(configurations) / sizeof(configurations[0]) && !r; i++)
            r = measure(s, d, &configurations[i], rate, err);
    bed_off(&s->bed);
    return r;
}
