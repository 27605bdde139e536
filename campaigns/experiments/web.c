// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A web server whose files fit the guest's cache, under load, before a crash and after the reboot; and
 * what a neighbour on the same disk gets meanwhile. Clients come again the moment the server listens:
 * how soon a client notices is not measured.
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
#define WINDOW_S 1
#define WANTED 0.95
#define NAP "0.02"              /* of the sampling shell's */
#define SAMPLES_A_SECOND 50
#define SECONDS_MAX 400
#define TAKEN_MAX 8000          /* bytes at once; the agent's answer has room for them */
#define SETTLE_S 2
#define BEFORE_S 5
#define AFTER_S 2               /* more, when all is as before: for the figure */

struct configuration {
    const char *name, *mode, *cmdline;
    bool prefetch;
};

static const struct configuration on_device[] = {
    {"normal", "cold", "", false},
    {"prefetch", "cold", "", true},
    {"warm-on-demand", "enabled", "", false},
    {"warm", "enabled", "wcr.adopt=1", false},
    {0},
};

static const struct configuration on_file[] = {
    {"file-backed", "cold", "", false},
    {"file-backed-warm", "enabled", "wcr.adopt=1", false},
    {0},
};

static const struct configuration beside_a_neighbour[] = {
    {"normal", "cold", "", false},
    {"prefetch", "cold", "", true},
    {"warm", "enabled", "wcr.adopt=1", false},
    {0},
};

/*
 * What the server sent, and what the neighbour read of its disk, sampled in domain 0 all the time. Times
 * are domain 0's uptime.
 */
struct series {
    struct sample server[SAMPLES_A_SECOND * SECONDS_MAX], neighbour[SAMPLES_A_SECOND * SECONDS_MAX];
    size_t len;
    size_t taken;               /* bytes of domain 0's file */
};

/* The server's program and its files on the guest's disk; a script for who asks for them at random. */
static int make_site(struct bed *b, unsigned files, struct err *err)
{
    int r = bed_exec(b, NULL, err, "mkdir /tmp/site && mount -t ext4 %s /tmp/site && "
                     "cp -a /usr/share/wcr/web /tmp/site/ && head -c %u /dev/urandom >/tmp/f && "
                     "for i in $(seq 0 %u); do cp /tmp/f /tmp/site/web/www/f$i || exit; done; umount /tmp/site",
                     b->disk, FILE_KB * 1024, files - 1);

    if (r)
        return r;
    return bed_exec(b, NULL, err, "echo 'request = function() return wrk.format(nil, \"/f\" .. "
                    "math.random(0, %u)) end' >/tmp/files.lua", files - 1);
}

/*
 * Every 20 ms the uptime, all the bytes that came over the bridge, and all the sectors that the neighbour
 * read. The nap is a builtin of the shell's: no process is started while something is measured.
 */
static int series_begin(struct bed *b, struct err *err)
{
    char sectors[80] = "/dev/null";

    if (b->neighbour)
        snprintf(sectors, sizeof(sectors), "/sys/bus/xen-backend/devices/vbd-%u-51712/statistics/rd_sect",
                 b->neighbour);
    return bed_exec(b, NULL, err, "mkfifo /tmp/never; exec 3<>/tmp/never; while read -r t _ </proc/uptime; do "
                    "read -r x </sys/class/net/xenbr0/statistics/rx_bytes; read -r s <%s || s=0; "
                    "echo \"$t $x $s\"; read -r -t " NAP " _ <&3; done >/tmp/samples 2>&1 &", sectors);
}

/* Of complete lines of @text. */
static int series_parse(char *text, struct series *to, struct err *err)
{
    for (char *end; (end = strchr(text, '\n')); text = end + 1) {
        double at, bytes, sectors;

        if (sscanf(text, "%lf %lf %lf", &at, &bytes, &sectors) != 3)
            return err_set(err, EPROTO, "the load's samples: '%.100s'", text);
        if (to->len == sizeof(to->server) / sizeof(to->server[0]))
            return err_set(err, EOVERFLOW, "more than %d seconds of load", SECONDS_MAX);
        to->server[to->len] = (struct sample){at, bytes};
        to->neighbour[to->len++] = (struct sample){at, sectors * 512};
        to->taken += (size_t)(end + 1 - text);
    }
    return 0;
}

/* What was sampled until now. */
static int series_take(struct bed *b, struct series *to, struct err *err)
{
    size_t taken;
    int r;

    do {
        char *output = NULL;

        taken = to->taken;
        r = bed_exec(b, &output, err, "tail -c +%zu /tmp/samples | head -c %d", taken + 1, TAKEN_MAX);
        if (!r)
            r = series_parse(output, to, err);
        free(output);
    } while (!r && to->taken > taken + TAKEN_MAX / 2);
    return r;
}

/* The first sample not before @at; if there is none, the last. */
static size_t series_at(const struct series *s, double at)
{
    size_t i = 0;

    while (i + 1 < s->len && s->server[i].at < at)
        i++;
    return i;
}

static int load_begin(struct bed *b, struct err *err)
{
    int r = bed_ask(b, NULL, err, "{s:s}", "cmd", "guest_resume");

    return r ? r : bed_exec(b, NULL, err, "wrk -t 1 -c 8 -d 1h -s /tmp/files.lua http://10.77.0.2:80/ "
                            ">/tmp/wrk.log 2>&1 & echo $! >/tmp/wrk.pid");
}

static int load_end(struct bed *b, struct err *err)
{
    return bed_exec(b, NULL, err, "kill -9 $(cat /tmp/wrk.pid)");
}

static int load(struct bed *b, unsigned seconds, struct err *err)
{
    int r = load_begin(b, err);

    if (!r)
        r = bed_exec(b, NULL, err, "sleep %u", seconds);
    return r ? r : load_end(b, err);
}

/*
 * Until @wanted bytes a second are there after @listens, and a little more; at most @seconds. @ret_came: when
 * the server had answered the first client. @ret_back: when the bytes were there, negative: they were not.
 */
static int load_until(struct bed *b, double wanted, double listens, unsigned seconds, struct series *to,
                      double *ret_came, double *ret_back, struct err *err)
{
    int r = load_begin(b, err);

    *ret_back = -1;
    for (unsigned s = 0; s < seconds && *ret_back < 0 && !r; s++) {
        size_t from, came;

        r = bed_exec(b, NULL, err, "sleep 1");
        if (!r)
            r = series_take(b, to, err);
        from = series_at(to, listens);
        for (came = from; came + 1 < to->len && to->server[came].bytes == to->server[from].bytes;)
            came++;
        *ret_came = to->server[came].at;
        *ret_back = recovery_at(to->server + from, to->len - from, wanted, WINDOW_S);
    }
    if (!r)
        r = bed_exec(b, NULL, err, "sleep %d", AFTER_S);
    if (!r)
        r = load_end(b, err);
    return r ? r : series_take(b, to, err);
}

/* Of the second half of what was sampled up to @until, a second: not while connections are made. */
static double settled(const struct series *s, const struct sample *of, double until)
{
    size_t len = series_at(s, until);

    return recovery_mean(of + len / 2, len - len / 2);
}

/* Up to a server that has been under load, and is sampled. @ret_rate: bytes a second. */
static int prepare(struct session *s, enum bed_disk disk, double *ret_rate, struct err *err)
{
    static struct series series;
    unsigned site_mb = s->file_mb < SITE_MB_MAX ? s->file_mb : SITE_MB_MAX;
    struct bed_machine machine = {
        .dom0_mb = 512 + (disk == BED_FILE ? 2 * site_mb : 0), .guest_mb = site_mb + 192,
        .disk_mb = (disk == BED_SHARED ? 4 : 2) * site_mb + 128, .disk = disk, .network = true,
    };
    int r = bed_on(&s->bed, &machine, err);

    if (!r)
        r = make_site(&s->bed, site_mb * 1024 / FILE_KB, err);
    if (!r && disk == BED_SHARED)
        r = bed_start_neighbour(&s->bed, err);
    if (!r)
        r = bed_start_guest(&s->bed, &machine, err);
    if (!r)
        r = bed_guest(&s->bed, NULL, err, "stream prefetch web/www");
    if (!r)
        r = bed_guest(&s->bed, NULL, err, "web");
    /* The server needs no disk now. A neighbour on a fast one would take the processor from it. */
    if (!r)
        r = bed_disk_limit(&s->bed, 1, err);
    if (!r)
        r = series_begin(&s->bed, err);
    if (!r)
        r = load(&s->bed, SETTLE_S, err);
    if (!r)
        r = series_take(&s->bed, &series, err);
    if (r)
        return r;
    *ret_rate = settled(&series, series.server, series.server[series.len - 1].at);
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

/* One crash and reboot. */
struct passage {
    struct series series;
    double crashed, listens, came;
    double level;               /* bytes a second before */
    double back;                /* when they were there again; negative: not */
};

static int pass(struct session *s, double share, const struct configuration *c, double rate, struct passage *ret,
                struct err *err)
{
    /* As long as the slowest needs for all files, twice if it has half the disk, and again. */
    unsigned seconds = share ? (unsigned)((s->bed.neighbour ? 2 : 1) / share) + 10 : 20;
    int r = bed_load(&s->bed, READY, err);

    ret->series.len = ret->series.taken = 0;
    if (!r)
        r = bed_disk_limit(&s->bed, share * rate / 1e6, err);
    if (!r)
        r = load(&s->bed, BEFORE_S, err);
    if (!r)
        r = series_take(&s->bed, &ret->series, err);
    if (!r)
        r = reboot(&s->bed, c, &ret->crashed, &ret->listens, err);
    ret->level = settled(&ret->series, ret->series.server, ret->crashed);
    return r ? r : load_until(&s->bed, WANTED * ret->level, ret->listens, seconds, &ret->series, &ret->came,
                              &ret->back, err);
}

/* Two a second, by milliseconds after the crash. */
static void record_series(struct numbers *n, const char *metric, const struct sample *of, const struct passage *p)
{
    const size_t step = SAMPLES_A_SECOND / 2;

    for (size_t i = step; i < p->series.len; i += step)
        number(n, metric, (int64_t)((of[i].at - p->crashed) * 1000), recovery_mean(&of[i - step], step + 1) / 1e6,
               "MB/s");
}

static void record(struct numbers *n, const struct passage *p)
{
    const struct series *s = &p->series;
    size_t crashed = series_at(s, p->crashed), listens = series_at(s, p->listens);
    size_t back = p->back < 0 ? s->len - 1 : series_at(s, p->back);
    double boot = p->listens - p->crashed;

    record_series(n, "throughput", s->server, p);
    number(n, "before", 0, p->level / 1e6, "MB/s");
    number(n, "boot", 0, boot, "s");
    number(n, "clients_came", 0, p->came - p->listens, "s");
    number(n, "first_second", 0, recovery_mean(s->server + listens, SAMPLES_A_SECOND + 1) / 1e6, "MB/s");
    if (p->back >= 0) {
        number(n, "recovered", 0, p->back - p->listens, "s");
        number(n, "recovery_share", 0, (p->back - p->listens) / boot, "share");
    }
    number(n, "lost", 0, (p->level - recovery_mean(s->server + crashed, s->len - crashed)) *
           (s->server[s->len - 1].at - p->crashed) / 1e6, "MB");
    if (s->neighbour[s->len - 1].bytes) {
        double before = settled(s, s->neighbour, p->crashed);
        double loss = before - recovery_mean(s->neighbour + crashed, back - crashed + 1);

        record_series(n, "neighbour", s->neighbour, p);
        number(n, "neighbour_before", 0, before / 1e6, "MB/s");
        number(n, "neighbour_loss", 0, loss / before, "share");
        number(n, "neighbour_lost", 0, loss * (s->server[back].at - s->server[crashed].at) / 1e6, "MB");
    }
}

static int measure(struct session *s, unsigned disk, const struct configuration *c, double rate,
                   struct err *err)
{
    static struct passage p;
    static struct numbers n;
    int r = pass(s, s->disks[disk].share, c, rate, &p, err);

    if (r)
        return err_prefix(err, "%s, disk '%s'", c->name, s->disks[disk].name);
    n = (struct numbers){.configuration = c->name};
    record(&n, &p);
    return session_record(s, disk, &n, err);
}

static int on_machine(struct session *s, enum bed_disk where, const struct configuration *all, struct err *err)
{
    double rate = 0;
    int r = prepare(s, where, &rate, err);

    for (unsigned d = 0; d < s->disks_len; d++)
        for (const struct configuration *c = all; c->name && !r; c++)
            r = measure(s, d, c, rate, err);
    bed_off(&s->bed);
    return r;
}

int experiment_web(struct session *s, struct err *err)
{
    int r = on_machine(s, BED_DEVICE, on_device, err);

    return r ? r : on_machine(s, BED_FILE, on_file, err);
}

int experiment_neighbour(struct session *s, struct err *err)
{
    return on_machine(s, BED_SHARED, beside_a_neighbour, err);
}
