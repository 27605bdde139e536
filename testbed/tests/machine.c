// SPDX-License-Identifier: GPL-2.0-or-later
#include "testbed/tests/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testbed/jsonl.h"

#define BOOT_MS 240000
#define CALL_MS 300000
/* Of the guest's clock, which an emulator lets run ahead while its disks are busy. */
#define GUEST_MS 120000

struct testbed_config machine_config;
struct testbed *machine;

static void must(int r, const struct err *err)
{
    if (r)
        fail_msg("%s", err->msg);
}

static json_t *call(int expect, const char *fmt, va_list ap)
{
    struct err err = {0};
    json_t *request = json_vpack_ex(NULL, 0, fmt, ap), *reply = NULL;
    int r;

    assert_non_null(request);
    r = testbed_agent_call(machine, request, CALL_MS, &reply, &err);
    json_decref(request);
    if (!expect)
        must(r, &err);
    else if (r != expect)
        fail_msg("expected error %d, got %d: %s", expect, r, r ? err.msg : "no error");
    return reply;
}

json_t *machine_call(int expect, const char *fmt, ...)
{
    json_t *reply;
    va_list ap;

    va_start(ap, fmt);
    reply = call(expect, fmt, ap);
    va_end(ap);
    return reply;
}

const char *machine_text(const json_t *reply, const char *name)
{
    const char *s = json_string_value(json_object_get(reply, name));

    return s ? s : "";
}

int64_t machine_number(const json_t *reply, const char *name)
{
    const json_t *v = json_object_get(reply, name);

    if (!json_is_integer(v))
        fail_msg("the reply has no number '%s'", name);
    return json_integer_value(v);
}

void machine_restore(const char *name)
{
    struct err err = {0};

    must(testbed_snapshot_load(machine, name, &err), &err);
}

void machine_save(const char *name)
{
    struct err err = {0};

    must(testbed_snapshot_save(machine, name, &err), &err);
}

static int shell(char **ret_output, const char *fmt, va_list ap)
{
    char *line = NULL;
    json_t *reply;
    int rc;

    assert_true(vasprintf(&line, fmt, ap) >= 0);
    reply = machine_call(0, "{s:s, s:s}", "cmd", "exec", "line", line);
    free(line);
    rc = (int)machine_number(reply, "rc");
    if (ret_output)
        *ret_output = strdup(machine_text(reply, "output"));
    json_decref(reply);
    return rc;
}

int machine_try(char **ret_output, const char *fmt, ...)
{
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = shell(ret_output, fmt, ap);
    va_end(ap);
    return rc;
}

void machine_exec(const char *fmt, ...)
{
    char *output;
    va_list ap;
    int rc;

    va_start(ap, fmt);
    rc = shell(&output, fmt, ap);
    va_end(ap);
    if (rc)
        fail_msg("domain 0's '%s': status %d: %s", fmt, rc, output);
    free(output);
}

static json_t *guest_say(const char *fmt, va_list ap)
{
    char line[512];

    assert_true(vsnprintf(line, sizeof(line), fmt, ap) < (int)sizeof(line));
    return machine_call(0, "{s:s, s:s, s:i}", "cmd", "guest_command", "line", line, "deadline_ms",
                        GUEST_MS);
}

json_t *machine_guest_reply(const char *fmt, ...)
{
    json_t *ret;
    va_list ap;

    va_start(ap, fmt);
    ret = guest_say(fmt, ap);
    va_end(ap);
    return ret;
}

static void guest_must(const char *fmt, const json_t *reply)
{
    if (machine_number(reply, "rc"))
        fail_msg("the guest's '%s': rc=%d %s", fmt, (int)machine_number(reply, "rc"),
                 machine_text(reply, "answer"));
}

int machine_guest_try(const char *fmt, ...)
{
    json_t *reply;
    va_list ap;
    int rc;

    va_start(ap, fmt);
    reply = guest_say(fmt, ap);
    va_end(ap);
    rc = (int)machine_number(reply, "rc");
    json_decref(reply);
    return rc;
}

void machine_guest(const char *fmt, ...)
{
    json_t *reply;
    va_list ap;

    va_start(ap, fmt);
    reply = guest_say(fmt, ap);
    va_end(ap);
    guest_must(fmt, reply);
    json_decref(reply);
}

int64_t machine_guest_number(const char *key, const char *fmt, ...)
{
    const char *at;
    json_t *reply;
    int64_t value;
    va_list ap;

    va_start(ap, fmt);
    reply = guest_say(fmt, ap);
    va_end(ap);
    guest_must(fmt, reply);
    at = strstr(machine_text(reply, "answer"), key);
    if (!at || !strchr("= ", at[strlen(key)]))
        fail_msg("the guest's '%s' says no %s: %s", fmt, key, machine_text(reply, "answer"));
    value = strtoll(at + strlen(key) + 1, NULL, 10);
    json_decref(reply);
    return value;
}

void machine_guest_quiet(void)
{
    machine_guest("quiesce");
    machine_guest("sync");
}

void machine_guest_no_writeback(void)
{
    machine_guest("set /proc/sys/vm/dirty_writeback_centisecs 0");
    /* A disk that was written to little so far has a share of nearly no dirty pages. */
    machine_guest("set /sys/block/xvda/bdi/min_ratio 50");
}

struct machine_life machine_reboot(const char *mode)
{
    return machine_reboot_as("{s:s, s:s}", "cmd", "reboot", "mode", mode);
}

struct machine_life machine_reboot_as(const char *fmt, ...)
{
    json_t *reboot, *verify;
    struct machine_life l;
    va_list ap;

    va_start(ap, fmt);
    reboot = call(0, fmt, ap);
    va_end(ap);
    if (!json_is_true(json_object_get(reboot, "booted")))
        fail_msg("the guest did not boot again: %s: %s", machine_text(reboot, "reason"),
                 machine_text(reboot, "console"));
    verify = machine_call(0, "{s:s, s:s}", "cmd", "verify", "when", "reboot");
    l = (struct machine_life){
        .blocks = machine_number(reboot, "blocks_read"),
        .files_missing = machine_number(reboot, "files_missing"),
        .read_errors = machine_number(reboot, "read_errors"),
        .content_errors = machine_number(reboot, "content_errors"),
        .reused = machine_number(verify, "pages_reused"),
        .inconsistent = machine_number(verify, "pages_inconsistent"),
        .corrupt = machine_number(verify, "pages_corrupt"),
        .read_sectors = machine_number(reboot, "read_sectors"),
        .pages = json_incref(json_object_get(verify, "pages")),
    };
    print_message("# %d blocks, %d pages reused, %d inconsistent, %d corrupt, %d sectors read, %d "
                  "wrong blocks seen by the guest\n", (int)l.blocks, (int)l.reused,
                  (int)l.inconsistent, (int)l.corrupt, (int)l.read_sectors, (int)l.content_errors);
    json_decref(reboot);
    json_decref(verify);
    return l;
}

void machine_life_done(struct machine_life *life)
{
    json_decref(life->pages);
    life->pages = NULL;
}

static int64_t number_in(const char *line, const char *key)
{
    const char *at = strstr(line, key);

    assert_non_null(at);
    return strtoll(at + strlen(key), NULL, 10);
}

void machine_survey(const struct machine_life *life, struct machine_file *ret, unsigned n)
{
    json_t *reply = machine_guest_reply("survey"), *page;
    char *lines = strdup(machine_text(reply, "answer")), *save = NULL;
    size_t i;

    guest_must("survey", reply);
    memset(ret, 0, n * sizeof(*ret));
    for (char *s = strtok_r(lines, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
        int64_t f = number_in(s, "file=");

        assert_true(f < n);
        ret[f] = (struct machine_file){
            .there = true, .inode = number_in(s, "inode="),
            .blocks = (unsigned)number_in(s, "blocks="), .bad = (unsigned)number_in(s, "bad="),
            .reused = (unsigned)number_in(s, "reused="), .error = (int)number_in(s, "error="),
        };
    }
    json_array_foreach(life->pages, i, page)
        for (unsigned f = 0; f < n; f++)
            ret[f].inconsistent += ret[f].there && machine_number(page, "inode") == ret[f].inode;
    free(lines);
    json_decref(reply);
}

/* ---- another guest -------------------------------------------------- */

void machine_other_says(const char *what)
{
    machine_exec("for i in $(seq 300); do grep -q '%s' " MACHINE_OTHER_CONSOLE " && exit 0; sleep 0.2; done; "
                 "echo \"waited for '%s'\"; tail -n 20 " MACHINE_OTHER_CONSOLE "; exit 1", what, what);
}

void machine_other_start(const char *mode, int vcpus)
{
    bool run = !strcmp(mode, "run");

    if (run)
        machine_exec("/sbin/mke2fs -q -F -t ext4 -b 4096 /dev/ram14 && "
                     "wcctl policy " MACHINE_OTHER_UUID " enabled");
    machine_exec("rm -f " MACHINE_OTHER_CONSOLE "; cat >/tmp/other <<E\n"
                 "name = \"other\"\nuuid = \"" MACHINE_OTHER_UUID "\"\ntype = \"pv\"\n"
                 "kernel = \"/tools/guest-vmlinuz\"\nramdisk = \"/tools/guest-initrd.img\"\n"
                 "memory = 96\nvcpus = %d\non_crash = \"preserve\"\n"
                 "extra = \"console=hvc0 panic=-1 xen_blkfront.feature_persistent=0 wcr=1 "
                 "wcr.mode=%s wcr.files=%d wcr.blocks=%d wcr.seed=2\"\n"
                 "disk = [ \"phy:/dev/ram14,xvda,w\", \"phy:/dev/ram15,xvdb,w\" ]\nE\n"
                 "xl create /tmp/other", vcpus, mode, MACHINE_OTHER_FILES, MACHINE_OTHER_BLOCKS);
    machine_other_says(run ? "wcr: running" : "wcr: done");
}

void machine_other(const char *command)
{
    static unsigned tag;
    char answer[64];

    machine_exec("echo '@%u %s' >$(xenstore-read /local/domain/$(xl domid other)/console/tty)", ++tag,
                 command);
    snprintf(answer, sizeof(answer), "wcr: @%u .*rc=0", tag);
    machine_other_says(answer);
}

/* ---- the machine ---------------------------------------------------- */

int machine_boot(const struct testbed_options *options)
{
    int64_t start = wall_ms();
    struct err err = {0};
    json_t *reply = NULL;
    int r = testbed_config_load(NULL, &machine_config, &err);

    if (!r)
        r = testbed_start(&machine_config, options, &machine, &err);
    if (!r)
        r = testbed_wait_agent(machine, BOOT_MS, &reply, &err);
    json_decref(reply);
    if (r) {
        print_error("%s\n", err.msg);
        return -1;
    }
    print_message("# machine up after %.1f s\n", (double)(wall_ms() - start) / 1000);
    return 0;
}

int machine_up(int files, int blocks)
{
    int64_t start;

    if (machine_boot(NULL))
        return -1;
    start = wall_ms();
    json_decref(machine_call(0, "{s:s, s:i, s:i}", "cmd", "guest_start", "files", files,
                             "blocks_per_file", blocks));
    machine_save("warm");
    print_message("# guest warm and saved %.1f s later\n", (double)(wall_ms() - start) / 1000);
    return 0;
}

int machine_down(void **state)
{
    (void)state;
    testbed_stop(machine);
    testbed_config_done(&machine_config);
    return 0;
}

int machine_from_warm(void **state)
{
    (void)state;
    machine_restore("warm");
    return 0;
}
