// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/experiments/bed.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Wall time: a gigabyte is written and read by an emulated processor. */
#define BOOT_MS 240000
#define CALL_MS 1200000
/* The machine's own time. */
#define GUEST_MS 600000

#define XEN_MB 256          /* of the hypervisor's own, and a spare */
#define BACKING "/run/backing"
#define NEIGHBOUR_MB 96
#define NEIGHBOUR_FILE_MB "64"
#define NEIGHBOUR_CONSOLE "/var/log/xen/console/guest-neighbour.log"
/* Complete, or the kernel would go on with it while something is measured. */
#define MKFS "/sbin/mke2fs -q -F -t ext4 -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "

int bed_ask(struct bed *b, json_t **ret, struct err *err, const char *fmt, ...)
{
    json_t *request;
    va_list ap;
    int r;

    va_start(ap, fmt);
    request = json_vpack_ex(NULL, 0, fmt, ap);
    va_end(ap);
    if (!request)
        return err_set(err, ENOMEM, "out of memory");
    r = testbed_agent_call(b->tb, request, CALL_MS, ret, err);
    json_decref(request);
    return r;
}

double bed_number(const json_t *reply, const char *name)
{
    return json_number_value(json_object_get(reply, name));
}

static const char *text(const json_t *reply, const char *name)
{
    const char *s = json_string_value(json_object_get(reply, name));

    return s ? s : "";
}

int bed_exec(struct bed *b, char **ret_output, struct err *err, const char *fmt, ...)
{
    json_t *reply = NULL;
    char line[1024];
    va_list ap;
    int r;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    r = bed_ask(b, &reply, err, "{s:s, s:s}", "cmd", "exec", "line", line);
    if (!r && bed_number(reply, "rc"))
        r = err_set(err, EREMOTEIO, "domain 0's '%s': status %g: %s", line, bed_number(reply, "rc"),
                    text(reply, "output"));
    if (!r && ret_output && !(*ret_output = strdup(text(reply, "output"))))
        r = err_set(err, ENOMEM, "out of memory");
    json_decref(reply);
    return r;
}

int bed_guest(struct bed *b, char answer[BED_ANSWER], struct err *err, const char *fmt, ...)
{
    json_t *reply = NULL;
    char line[256];
    va_list ap;
    int r;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    r = bed_ask(b, &reply, err, "{s:s, s:s, s:i}", "cmd", "guest_command", "line", line,
                "deadline_ms", GUEST_MS);
    if (!r && bed_number(reply, "rc"))
        r = err_set(err, EREMOTEIO, "the guest's '%s' failed: %s", line,
                    strerror(-(int)bed_number(reply, "rc")));
    if (!r && answer)
        snprintf(answer, BED_ANSWER, "%s", text(reply, "answer"));
    json_decref(reply);
    return r;
}

int bed_save(struct bed *b, const char *snapshot, struct err *err)
{
    return testbed_snapshot_save(b->tb, snapshot, err);
}

int bed_load(struct bed *b, const char *snapshot, struct err *err)
{
    return testbed_snapshot_load(b->tb, snapshot, err);
}

/*
 * The block layer of domain 0 makes requests wait. Unlike QEMU it does so in the machine's time, so
 * that the disk keeps its proportion to the processor however fast that is emulated.
 */
int bed_disk_limit(struct bed *b, double mb_per_s, struct err *err)
{
    return bed_exec(b, NULL, err, "cd /run/blkio && for f in read write; do "
                    "echo \"$(cat /sys/block/vdb/dev) %.0f\" >blkio.throttle.${f}_bps_device || exit; done",
                    mb_per_s * 1e6);
}

static const struct {
    const char *name, *agent;       /* agent: words for the agent of domain 0 */
} disk_names[] = {
    [BED_DEVICE] = {"/dev/vdb", ""},
    [BED_FILE] = {"/dev/loop0", " wcr.agent=--data-disk=/dev/loop0"},
    [BED_SHARED] = {"/dev/mapper/main", " wcr.agent=--data-disk=/dev/mapper/main"},
};

static int make_disk(struct bed *b, const struct bed_machine *m, struct err *err)
{
    int r = bed_exec(b, NULL, err, "mkdir /run/blkio && mount -t cgroup -o blkio blkio /run/blkio");

    if (!r && m->disk == BED_FILE)
        r = bed_exec(b, NULL, err, MKFS "/dev/vdb && mkdir " BACKING " && mount -t ext4 /dev/vdb " BACKING " && "
                     "fallocate -l %uM " BACKING "/disk && losetup /dev/loop0 " BACKING "/disk",
                     m->disk_mb * 3 / 4);
    if (!r && m->disk == BED_SHARED)
        r = bed_exec(b, NULL, err, "half=$(($(blockdev --getsz /dev/vdb) / 2)) && "
                     "dmsetup create main --noudevsync --table \"0 $half linear /dev/vdb 0\" && "
                     "dmsetup create neighbour --noudevsync --table \"0 $half linear /dev/vdb $half\" && "
                     "dmsetup mknodes && " MKFS "/dev/mapper/neighbour");
    b->disk = disk_names[m->disk].name;
    return r ? r : bed_exec(b, NULL, err, MKFS "%s", b->disk);
}

int bed_on(struct bed *b, const struct bed_machine *m, struct err *err)
{
    struct testbed_options options = {
        .memory_mb = m->dom0_mb + m->guest_mb + XEN_MB + (m->disk == BED_SHARED ? NEIGHBOUR_MB : 0),
        .data_mb = m->disk_mb,
        .idle_waits = true,
    };
    char xen[64], dom0[160];
    int r;

    snprintf(xen, sizeof(xen), "dom0_mem=%uM,max:%uM", m->dom0_mb, m->dom0_mb);
    snprintf(dom0, sizeof(dom0), "wcr.agent=--cmdline=wcr.workers=0%s", disk_names[m->disk].agent);
    options.xen_append = xen;
    options.dom0_append = dom0;
    r = testbed_start(&b->config, &options, &b->tb, err);
    if (!r)
        r = testbed_wait_agent(b->tb, BOOT_MS, NULL, err);
    return r ? r : make_disk(b, m, err);
}

int bed_start_guest(struct bed *b, const struct bed_machine *m, struct err *err)
{
    return bed_ask(b, NULL, err, "{s:s, s:i, s:i, s:i, s:b}", "cmd", "guest_start", "memory_mb",
                   (int)m->guest_mb, "files", 1, "blocks_per_file", 1, "network", m->network);
}

static int neighbour_says(struct bed *b, const char *what, struct err *err)
{
    return bed_exec(b, NULL, err, "for i in $(seq 300); do grep -q '%s' " NEIGHBOUR_CONSOLE " && exit 0; sleep 0.2; "
                    "done; echo \"waited for '%s'\"; tail -n 20 " NEIGHBOUR_CONSOLE "; exit 1", what, what);
}

/* As the agent does it, by the guest's console. */
static int neighbour_told(struct bed *b, unsigned tag, const char *command, struct err *err)
{
    return bed_exec(b, NULL, err, "echo '@%u %s' >$(xenstore-read /local/domain/%u/console/tty)", tag, command,
                    b->neighbour);
}

int bed_start_neighbour(struct bed *b, struct err *err)
{
    char *domid = NULL;
    int r = bed_exec(b, NULL, err, "cat >/tmp/neighbour <<E && xl create /tmp/neighbour\n"
                     "name = \"neighbour\"\ntype = \"pv\"\nmemory = %d\n"
                     "kernel = \"/tools/guest-vmlinuz\"\nramdisk = \"/tools/guest-initrd.img\"\n"
                     "extra = \"console=hvc0 wcr.mode=run wcr.workers=0 wcr.files=1 wcr.blocks=1\"\n"
                     "disk = [ \"phy:/dev/mapper/neighbour,xvda,w\", \"phy:/dev/ram15,xvdb,w\" ]\nE\n",
                     NEIGHBOUR_MB);

    if (!r)
        r = bed_exec(b, &domid, err, "xl domid neighbour");
    if (!r)
        b->neighbour = (unsigned)strtoul(domid, NULL, 10);
    free(domid);
    if (!r)
        r = neighbour_says(b, "wcr: running", err);
    if (!r)
        r = neighbour_told(b, 1, "stream write big " NEIGHBOUR_FILE_MB, err);
    if (!r)
        r = neighbour_says(b, "wcr: @1 .*rc=0", err);
    return r ? r : neighbour_told(b, 2, "stream churn big", err);
}

int bed_reboot(struct bed *b, const char *mode, const char *cmdline, bool read_file, json_t **ret,
               struct err *err)
{
    int r = bed_ask(b, ret, err, "{s:s, s:s, s:s, s:i}", "cmd", "reboot", "mode", mode, "cmdline", cmdline,
                    "read", read_file);

    if (r || json_is_true(json_object_get(*ret, "booted")))
        return r;
    r = err_set(err, EREMOTEIO, "the guest did not boot again: %s", text(*ret, "reason"));
    json_decref(*ret);
    *ret = NULL;
    return r;
}

void bed_off(struct bed *b)
{
    testbed_stop(b->tb);
    b->tb = NULL;
    b->neighbour = 0;
}
