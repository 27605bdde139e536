// SPDX-License-Identifier: GPL-2.0-or-later
#include "campaigns/agent/guest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "campaigns/agent/clock.h"
#include "campaigns/agent/fault.h"
#include "campaigns/agent/guest_xml.h"
#include "campaigns/agent/libvirt.h"
#include "campaigns/agent/proto.h"

#define DATA_VBD 51712
#define GONE_MS 20000
#define QUIET_MS 5000
#define DEADLINE_MAX_MS 3600000

int guest_require(struct agent *a, struct err *err)
{
    struct domain_info info;
    uint32_t domid;
    int r;

    if (!a->domid)
        return err_set(err, ENOENT, "there is no guest: guest_start comes first");
    r = xen_domain_info(a->xen, a->domid, &info, err);
    /* One that was saved and restored is another domain. */
    if (!r && info.state == DOMAIN_GONE && (domid = xen_domain_find(a->xen, a->uuid)))
        a->domid = domid;
    return r;
}

static int create(struct agent *a, const char *mode, struct err *err)
{
    char *xml;
    int r;

    /* Never 0, never the same twice: tells this boot's status pages from older ones. */
    a->run_id = clock_ns() | 1;
    status_reader_forget(&a->status);
    console_attach(&a->console, a->opt.console_dir, a->opt.domain_name);
    xml = guest_xml(&a->opt, &a->params, mode, a->run_id);
    if (!xml)
        return err_set(err, ENOMEM, "out of memory");
    r = libvirt_create(a, xml, err);
    free(xml);
    return r;
}

int guest_wait_phase(struct agent *a, enum status_phase phase, uint64_t deadline_ns,
                     struct err *err)
{
    for (;;) {
        struct domain_info info;
        int r;

        console_poll(&a->console);
        r = status_reader_poll(&a->status, a->run_id, err);
        if (!r)
            r = xen_domain_info(a->xen, a->domid, &info, err);
        if (r)
            return r;
        if (a->status.head.phase == phase)
            return 0;
        if (a->status.head.phase == PHASE_FAILED)
            return err_set(err, ECONNABORTED, "guest: %s", a->status.head.message);
        if (info.state == DOMAIN_CRASHED || info.state == DOMAIN_SHUTDOWN ||
            info.state == DOMAIN_GONE)
            return err_set(err, ECONNABORTED, "guest: the domain ended (%s) before phase %d",
                           info.state == DOMAIN_GONE ? "gone" :
                           xen_shutdown_name(info.shutdown_reason), phase);
        if (deadline_over(deadline_ns))
            return err_set(err, ETIMEDOUT, "guest: phase %d not reached in time (phase is %u)",
                           phase, a->status.head.phase);
        nap(POLL_MS, -1);
    }
}

/* A number from a file of one or two numbers: their sum. */
static int sysfs_sum(const char *path, uint64_t *ret)
{
    unsigned long long x = 0, y = 0;
    FILE *f = fopen(path, "re");
    int n;

    if (!f)
        return -errno;
    n = fscanf(f, "%llu %llu", &x, &y);
    fclose(f);
    *ret = x + y;
    return n > 0 ? 0 : -ENODATA;
}

/* By number: the device mapper's have another name there. */
static uint64_t disk_inflight(const char *device)
{
    struct stat st;
    char path[128];
    uint64_t n;

    if (stat(device, &st))
        return 0;
    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/inflight", major(st.st_rdev), minor(st.st_rdev));
    return sysfs_sum(path, &n) == 0 ? n : 0;
}

bool guest_io_pending(const struct agent *a)
{
    return disk_inflight(a->opt.data_disk) || disk_inflight(a->opt.status_disk);
}

int guest_freeze(struct agent *a, struct err *err)
{
    struct domain_info info;
    uint64_t deadline = clock_ns() + ms_to_ns(QUIET_MS);
    int r = xen_domain_info(a->xen, a->domid, &info, err);

    if (!r && info.state == DOMAIN_RUNNING)
        r = xen_domain_pause(a->xen, a->domid, err);
    while (!r && guest_io_pending(a) && !deadline_over(deadline))
        nap(5, -1);
    return r;
}

int guest_thaw(struct agent *a, struct err *err)
{
    struct domain_info info;
    int r = xen_domain_info(a->xen, a->domid, &info, err);

    if (!r && info.state == DOMAIN_PAUSED)
        r = xen_domain_unpause(a->xen, a->domid, err);
    else if (!r && info.state != DOMAIN_RUNNING)
        r = err_set(err, ESRCH, "the guest does not run any more");
    return r;
}

static int destroy_and_wait(struct agent *a, struct err *err)
{
    uint64_t deadline = clock_ns() + ms_to_ns(GONE_MS);
    struct domain_info info;
    int r;

    fault_release(a);
    r = libvirt_destroy(a, err);
    if (r || !a->domid)
        return r;
    do {
        r = xen_domain_info(a->xen, a->domid, &info, err);
        if (r)
            return r;
        if (info.state == DOMAIN_GONE) {
            a->domid = 0;
            return 0;
        }
        nap(POLL_MS, xen_watch_fd(a->xen));
        xen_watch_drain(a->xen);
    } while (!deadline_over(deadline));
    return err_set(err, ETIMEDOUT, "domain %u is still there %d ms after it was destroyed",
                   a->domid, GONE_MS);
}

void guest_destroy(struct agent *a)
{
    destroy_and_wait(a, NULL);
}

static int policy_set(struct agent *a, enum wcr_mode mode, struct err *err)
{
    return a->mech ? wcr_call_set_policy(a->mech, a->uuid, mode, 0, 0, err) : 0;
}

static int policy_drop(struct agent *a, struct err *err)
{
    int r = a->mech ? wcr_call_drop(a->mech, a->uuid, err) : 0;

    return r == -ENOENT ? 0 : r;
}

static int params_take(const json_t *q, struct guest_params *p, struct err *err)
{
    uint64_t memory, vcpus, partition, files, blocks;
    int r;

    r = request_uint(q, "memory_mb", 256, 64, 16384, &memory, err);
    if (!r)
        r = request_uint(q, "vcpus", 1, 1, 32, &vcpus, err);
    if (!r)
        r = request_uint(q, "partition", 0, 0, 15, &partition, err);
    if (!r)
        r = request_uint(q, "files", 64, 1, STATUS_FILES_MAX, &files, err);
    if (!r)
        r = request_uint(q, "blocks_per_file", 64, 1, STATUS_BLOCKS_MAX, &blocks, err);
    if (!r)
        r = request_uint(q, "seed", 1, 0, UINT64_MAX, &p->seed, err);
    if (!r)
        r = request_bool(q, "network", &p->network, err);
    if (!r)
        r = request_string(q, "filesystem", "ext4", p->filesystem, sizeof(p->filesystem), err);
    if (!r)
        r = request_string(q, "mount_options", "", p->mount_options, sizeof(p->mount_options), err);
    if (!r)
        r = request_string(q, "program", "", p->program, sizeof(p->program), err);
    if (r)
        return r;
    if (strpbrk(p->filesystem, " \t\r\n\"") || strpbrk(p->mount_options, " \t\r\n\"") ||
        strpbrk(p->program, " \t\r\n\""))
        return err_set(err, EINVAL, "file system, mount options and program must not hold spaces or quotes");
    p->memory_mb = (unsigned)memory;
    p->vcpus = (unsigned)vcpus;
    p->partition = (unsigned)partition;
    p->files = (uint32_t)files;
    p->blocks = (uint32_t)blocks;
    return 0;
}

int guest_start(struct agent *a, const json_t *q, json_t **ret, struct err *err)
{
    struct guest_params params = {0};
    enum wcr_mode mode;
    char policy[16];
    bool none;
    uint64_t deadline_ms, start, booted, warm;
    int r;

    r = params_take(q, &params, err);
    if (!r)
        r = request_uint(q, "deadline_ms", 60000, 1, DEADLINE_MAX_MS, &deadline_ms, err);
    if (!r)
        r = request_string(q, "policy", "enabled", policy, sizeof(policy), err);
    none = !r && strcmp(policy, "none") == 0;
    if (!r && !none)
        r = wcr_mode_parse(policy, &mode, err);
    if (!r)
        r = destroy_and_wait(a, err);
    if (!r)
        r = none ? policy_drop(a, err) : policy_set(a, mode, err);
    if (r)
        return r;
    a->params = params;
    a->started = a->rebooted = false;
    start = clock_ns();
    r = create(a, "run", err);
    booted = clock_ns();
    if (!r)
        r = guest_wait_phase(a, PHASE_RUNNING, start + ms_to_ns(deadline_ms), err);
    if (r)
        return r;
    /* Standing still it makes a quiet snapshot; the next request lets it go on. */
    warm = clock_ns();
    r = guest_freeze(a, err);
    if (r)
        return r;
    a->started = true;
    *ret = json_pack("{s:i, s:I, s:I, s:b}", "domid", (int)a->domid, "boot_ns",
                     (json_int_t)(booted - start), "warm_ns", (json_int_t)(warm - booted),
                     "warmcache", a->mech != NULL);
    return 0;
}

int guest_stop(struct agent *a, const json_t *q, json_t **ret, struct err *err)
{
    int r = destroy_and_wait(a, err);

    (void)q, (void)ret;
    a->started = false;
    if (!r && a->mech)
        r = wcr_call_drop(a->mech, a->uuid, err);
    return r;
}

/* A statistic of the guest's data disk, as its backend counts since the guest was created. */
static uint64_t disk_statistic(const struct agent *a, const char *name)
{
    char path[128];
    uint64_t n;

    snprintf(path, sizeof(path), "/sys/bus/xen-backend/devices/vbd-%" PRIu32 "-%d/statistics/%s",
             a->domid, DATA_VBD, name);
    return sysfs_sum(path, &n) == 0 ? n : 0;
}

/* Domain 0's and the guest's running time, with what the hypervisor did for them. */
struct cpu_time {
    uint64_t dom0_ns, guest_ns;
};

static int cpu_time(struct agent *a, struct cpu_time *ret, struct err *err)
{
    struct domain_info guest, dom0;
    int r = xen_domain_info(a->xen, a->domid, &guest, err);

    if (!r)
        r = xen_domain_info(a->xen, 0, &dom0, err);
    if (!r)
        *ret = (struct cpu_time){.dom0_ns = dom0.cpu_ns, .guest_ns = guest.cpu_ns};
    return r;
}

/* What a reboot took, by domain 0's clock. */
struct reboot_times {
    uint64_t start_ns, destroyed_ns, created_ns;
    struct cpu_time before;     /* domain 0's when it began; the guest's is that of another domain */
};

static json_t *reboot_reply(struct agent *a, bool booted, const struct reboot_times *t,
                            uint64_t retained, const struct err *why)
{
    const struct status_head *h = &a->status.head;
    struct cpu_time cpu = {0};
    struct wcr_cache_info info = {0};
    char signature[256];
    json_t *o;

    if (a->mech)
        wcr_call_info(a->mech, a->uuid, &info, NULL);
    cpu_time(a, &cpu, NULL);
    oops_signature(&a->console.oops, signature, sizeof(signature));
    o = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}",
                  "booted", booted, "reboot_ns", (json_int_t)(clock_ns() - t->start_ns),
                  "destroy_ns", (json_int_t)(t->destroyed_ns - t->start_ns), "create_ns",
                  (json_int_t)(t->created_ns - t->destroyed_ns), "kernel_ns",
                  (json_int_t)h->phase_ns[PHASE_BOOT], "mount_ns",
                  (json_int_t)(h->phase_ns[PHASE_READING] - h->phase_ns[PHASE_BOOT]), "dom0_cpu_ns",
                  (json_int_t)(cpu.dom0_ns - t->before.dom0_ns), "guest_cpu_ns",
                  (json_int_t)cpu.guest_ns, "pages_retained",
                  (json_int_t)retained, "read_sectors", (json_int_t)disk_statistic(a, "rd_sect"), "files_read",
                  (json_int_t)h->files_read, "files_missing", (json_int_t)h->files_missing,
                  "blocks_read", (json_int_t)h->blocks_read, "read_errors",
                  (json_int_t)h->read_errors, "content_errors", (json_int_t)h->content_errors,
                  "reuse_ok", (json_int_t)info.reuse_ok, "reuse_stale",
                  (json_int_t)info.reuse_stale, "guest_read_ns",
                  (json_int_t)(h->phase_ns[PHASE_DONE] - h->phase_ns[PHASE_READING]), "signature",
                  signature);
    if (o && why) {
        json_object_set_new(o, "outcome", json_string("no_reboot"));
        json_object_set_new(o, "reason", json_string(why->msg));
        json_object_set_new(o, "console", json_stringn_nocheck(a->console.tail, a->console.tail_len));
    }
    return o;
}

/* How it came to stand still does not matter: it ends as a crash, which is what retains. */
static int end_as_crash(struct agent *a, struct err *err)
{
    struct domain_info info;
    int r = xen_domain_info(a->xen, a->domid, &info, err);

    if (!r && (info.state == DOMAIN_RUNNING || info.state == DOMAIN_PAUSED))
        r = xen_domain_crash(a->xen, a->domid, err);
    return r;
}

int guest_reboot(struct agent *a, const json_t *q, json_t **ret, struct err *err)
{
    struct err why = {0};
    struct wcr_cache_info info = {0};
    struct reboot_times t;
    uint64_t deadline_ms, memory_mb, read;
    enum wcr_mode mode;
    char name[16], cmdline[sizeof(a->params.cmdline)];
    int r;

    r = request_uint(q, "deadline_ms", 60000, 1, DEADLINE_MAX_MS, &deadline_ms, err);
    if (!r)
        r = request_uint(q, "memory_mb", a->params.memory_mb, 64, 16384, &memory_mb, err);
    if (!r)
        r = request_uint(q, "read", 1, 0, 1, &read, err);
    if (!r)
        r = request_string(q, "cmdline", "", cmdline, sizeof(cmdline), err);
    if (!r)
        r = request_string(q, "mode", NULL, name, sizeof(name), err);
    if (!r)
        r = wcr_mode_parse(name, &mode, err);
    if (!r && !a->started)
        r = err_set(err, ENOENT, "there is no guest to reboot: guest_start comes first");
    if (!r)
        r = guest_require(a, err);
    if (!r && mode != WCR_MODE_COLD && !a->mech)
        r = err_set(err, ENOSYS, "mode '%s': this hypervisor has no warm caches", name);
    if (!r)
        r = end_as_crash(a, err);
    if (!r)
        r = policy_set(a, mode, err);
    if (r)
        return r;
    a->params.memory_mb = (unsigned)memory_mb;
    strcpy(a->params.cmdline, cmdline);
    r = cpu_time(a, &t.before, err);
    t.start_ns = clock_ns();
    if (!r)
        r = destroy_and_wait(a, err);
    t.destroyed_ns = clock_ns();
    if (!r && a->mech)
        r = wcr_call_info(a->mech, a->uuid, &info, err);
    if (!r)
        r = create(a, read ? "verify" : "idle", err);
    t.created_ns = clock_ns();
    if (r)
        return r;
    a->rebooted = true;
    r = guest_wait_phase(a, PHASE_DONE, t.start_ns + ms_to_ns(deadline_ms), &why);
    if (r && r != -ETIMEDOUT && r != -ECONNABORTED) {
        *err = why;
        return r;
    }
    *ret = reboot_reply(a, !r, &t, info.pages_retained, r ? &why : NULL);
    return guest_freeze(a, err);
}

int guest_resume(struct agent *a, const json_t *q, json_t **ret, struct err *err)
{
    int r = guest_require(a, err);

    (void)q, (void)ret;
    return r ? r : guest_thaw(a, err);
}

int guest_send(struct agent *a, const char *line, struct err *err)
{
    char path[64], pty[128];
    int r;

    snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/console/tty", a->domid);
    r = xen_store_read(a->xen, path, pty, sizeof(pty));
    if (r)
        return err_set(err, -r, "guest console: XenStore has no %s", path);
    return console_command(&a->console, pty, line, err);
}

/* @ret: what it took from the first byte sent until the answer was here. */
static int say(struct agent *a, const char *line, uint64_t deadline_ms, struct cpu_time *ret,
               struct err *err)
{
    uint64_t deadline = clock_ns() + ms_to_ns(deadline_ms);
    struct cpu_time before;
    char last[600];
    int r = cpu_time(a, &before, err);

    if (!r)
        r = guest_send(a, line, err);
    while (!r) {
        uint64_t now = clock_ns();

        console_poll(&a->console);
        if (a->console.answered)
            break;
        if (now >= deadline) {
            console_last(&a->console, last, sizeof(last));
            return err_set(err, ETIMEDOUT,
                           "the guest did not answer '%.100s' within %" PRIu64 " s; its console's last: %s",
                           line, deadline_ms / 1000, last);
        }
        console_wait(&a->console, (int)((deadline - now) / 1000000) + 1);
    }
    if (!r)
        r = cpu_time(a, ret, err);
    if (r)
        return r;
    ret->dom0_ns -= before.dom0_ns;
    ret->guest_ns -= before.guest_ns;
    return 0;
}

int guest_command(struct agent *a, const json_t *q, json_t **ret, struct err *err)
{
    struct domain_info before;
    struct cpu_time cpu = {0};
    uint64_t deadline_ms;
    char line[512];
    int r;

    r = guest_require(a, err);
    if (!r)
        r = xen_domain_info(a->xen, a->domid, &before, err);
    if (!r)
        r = request_string(q, "line", NULL, line, sizeof(line), err);
    if (!r)
        r = request_uint(q, "deadline_ms", 10000, 1, DEADLINE_MAX_MS, &deadline_ms, err);
    if (!r && before.state == DOMAIN_PAUSED)
        r = xen_domain_unpause(a->xen, a->domid, err);
    if (!r)
        r = say(a, line, deadline_ms, &cpu, err);
    if (before.state == DOMAIN_PAUSED)
        guest_freeze(a, NULL);
    if (r)
        return r;
    *ret = json_pack("{s:i, s:s, s:I, s:I}", "rc", a->console.answer_rc, "answer", a->console.answer,
                     "dom0_cpu_ns", (json_int_t)cpu.dom0_ns, "guest_cpu_ns",
                     (json_int_t)cpu.guest_ns);
    return 0;
}

int guest_counters(struct agent *a, const json_t *q, json_t **ret, struct err *err)
{
    struct wcr_cache_info i = {0};
    int r = guest_require(a, err);

    (void)q;
    if (r)
        return r;
    /* A guest without a warm cache has counted nothing. */
    r = a->mech ? wcr_call_info(a->mech, a->uuid, &i, err) : 0;
    if (r && r != -ENOENT)
        return r;
    *ret = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                     "disk_reads", (json_int_t)disk_statistic(a, "rd_req"),
                     "disk_writes", (json_int_t)disk_statistic(a, "wr_req"),
                     "io_reads", (json_int_t)i.io_reads, "io_writes", (json_int_t)i.io_writes,
                     "io_requests", (json_int_t)i.io_requests,
                     "io_calls", (json_int_t)i.io_calls,
                     "map_entries", (json_int_t)i.map_entries,
                     "map_calls", (json_int_t)i.map_calls,
                     "protect_refused", (json_int_t)i.protect_refused,
                     "stores_seen", (json_int_t)i.stores_seen);
    return 0;
}
