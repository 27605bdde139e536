// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a panic to the first byte of a file, and what keeping a cache adds to a boot, for caches of
 * growing size.
 */
#include "campaigns/experiments/experiment.h"

#define READY "ready"
#define SMALLEST_MB 64

static int crash(struct bed *b, double *ret_detect_ns, struct err *err)
{
    json_t *reply = NULL;
    int r = bed_ask(b, &reply, err, "{s:s, s:s, s:{}, s:i}", "cmd", "inject", "class", "PANIC", "params",
                    "deadline_ms", 30000);

    *ret_detect_ns = bed_number(reply, "detect_ns");
    json_decref(reply);
    return r;
}

static double instructions(const json_t *reply)
{
    return (bed_number(reply, "dom0_cpu_ns") + bed_number(reply, "guest_cpu_ns")) / BED_NS_PER_INSTRUCTION;
}

/* One crash and reboot from the snapshot. The guest reads its only small file. */
static int measure(struct bed *b, const char *mode, unsigned mb, struct numbers *n, double *ret_instructions,
                   double *ret_pages, struct err *err)
{
    static const struct {
        const char *metric, *field;
    } parts[] = {
        {"total", "reboot_ns"}, {"destroy", "destroy_ns"}, {"create", "create_ns"},
        {"kernel", "kernel_ns"}, {"mount", "mount_ns"}, {"first-read", "guest_read_ns"},
    };
    json_t *reply = NULL;
    double detect_ns;
    int r = bed_load(b, READY, err);

    if (!r)
        r = crash(b, &detect_ns, err);
    if (!r)
        r = bed_reboot(b, mode, "", true, &reply, err);
    if (!r) {
        number(n, "detect", mb, detect_ns / 1e9, "s");
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
            number(n, parts[i].metric, mb, bed_number(reply, parts[i].field) / 1e9, "s");
        *ret_pages = bed_number(reply, "pages_retained");
        *ret_instructions = instructions(reply);
        number(n, "pages_retained", mb, *ret_pages, "pages");
        number(n, "instructions", mb, *ret_instructions, "instructions");
    }
    json_decref(reply);
    return r ? err_prefix(err, "%s, a cache of %u MiB", n->configuration, mb) : 0;
}

/* A guest of @guest_mb, with caches of @mb, twice that and so on, up to @most_mb. */
static int on_guest(struct session *s, unsigned guest_mb, unsigned mb, unsigned most_mb, struct numbers *normal,
                    struct numbers *warm, struct err *err)
{
    struct bed_machine machine = {
        .dom0_mb = 512, .guest_mb = guest_mb, .disk_mb = 2 * most_mb + 64,
    };
    double cold, kept, pages;
    int r = bed_on(&s->bed, &machine, err);

    if (!r)
        r = bed_start_guest(&s->bed, &machine, err);
    for (; mb <= most_mb && !r; mb *= 2) {
        r = bed_guest(&s->bed, NULL, err, "stream write big %u", mb);
        if (!r)
            r = bed_save(&s->bed, READY, err);
        if (!r)
            r = measure(&s->bed, "cold", mb, normal, &cold, &pages, err);
        if (!r)
            r = measure(&s->bed, "enabled", mb, warm, &kept, &pages, err);
        if (!r && pages)
            number(warm, "added", mb, (kept - cold) / pages, "instructions/page");
        if (!r)
            r = bed_load(&s->bed, READY, err);
    }
    bed_off(&s->bed);
    return r;
}

/* In one large guest, and in guests that are as large as their caches want them. */
int experiment_service(struct session *s, struct err *err)
{
    static struct numbers n[] = {
        {.configuration = "normal"}, {.configuration = "warm"},
        {.configuration = "normal-fitted"}, {.configuration = "warm-fitted"},
    };
    unsigned smallest_mb = s->file_mb < SMALLEST_MB ? s->file_mb : SMALLEST_MB;
    int r = on_guest(s, s->guest_mb, smallest_mb, s->file_mb, &n[0], &n[1], err);

    for (unsigned mb = smallest_mb; mb <= s->file_mb && !r; mb *= 2)
        r = on_guest(s, session_guest_mb(mb), mb, mb, &n[2], &n[3], err);
    for (size_t i = 0; i < sizeof(n) / sizeof(n[0]) && !r; i++)
        r = session_record(s, 0, &n[i], err);
    return r;
}
