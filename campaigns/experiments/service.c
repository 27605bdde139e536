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
    return r;
}

static int sizes(struct session *s, struct numbers *normal, struct numbers *warm, struct err *err)
{
    unsigned smallest_mb = s->file_mb < SMALLEST_MB ? s->file_mb : SMALLEST_MB;
    double cold, kept, pages;
    int r = 0;

    for (unsigned mb = smallest_mb; mb <= s->file_mb && !r; mb *= 2) {
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
    return r;
}

int experiment_service(struct session *s, struct err *err)
{
    static struct numbers normal, warm;
    struct bed_machine machine = {
        .dom0_mb = 512, .guest_mb = s->guest_mb, .disk_mb = 2 * s->file_mb,
    };
    int r = bed_on(&s->bed, &machine, err);

    normal = (struct numbers){.configuration = "normal"};
    warm = (struct numbers){.configuration = "warm"};
    if (!r)
        r = bed_start_guest(&s->bed, &machine, err);
    if (!r)
        r = sizes(s, &normal, &warm, err);
    bed_off(&s->bed);
    if (!r)
        r = session_record(s, 0, &normal, err);
    return r ? r : session_record(s, 0, &warm, err);
}
