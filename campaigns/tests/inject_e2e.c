// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wcr inject in domain 0, end to end. Catches: another plan than wcr plan's, bytes that are not
 * written or written too early, a guest that is not as it was where nothing was changed, a
 * refusal that changes something, and exit statuses that are not the documented ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "injector/plan.h"
#include "testbed/tests/machine.h"

#define WCR "/tmp/d/lib/ld-linux-x86-64.so.2 --library-path /tmp/d/lib /tmp/d/wcr inject "
#define GUEST WCR "--domain wcr-guest --vmlinux /tmp/d/vmlinux --json "
/* Nothing resizes a file system here. */
#define NEVER "--class NOP --target func:ext4_resize_fs "
#define DRAWS_MAX 100000

static char disk[] = "/tmp/wcr-inject.XXXXXX";
static struct plan_source *source;

/* Run in domain 0 with @status; what it said, as text and, if it is JSON, as such. */
static json_t *say(int status, const char *said, const char *command)
{
    char *output;
    int rc = machine_try(&output, "%s", command);
    json_t *json = json_loads(output, JSON_DISABLE_EOF_CHECK, NULL);

    if (rc != status || !strstr(output, said))
        fail_msg("%s: status %d, expected %d and '%s': %s", command, rc, status, said, output);
    free(output);
    return json;
}

static void refused(const char *said, const char *command)
{
    json_decref(say(2, said, command));
}

/* push %r8 to %r15, as most functions begin; and one bit away popa, which 64-bit processors refuse. */
#define PUSH 0x41
#define POPA 0x61
#define BEGIN 32

/* The first plan of class TEXT that does so to a function's begin. */
static struct plan fatal_plan(const char *target)
{
    struct err err = {0};
    struct plan plan;

    for (unsigned i = 0; i < DRAWS_MAX; i++) {
        if (plan_draw(source, "TEXT", target, 1, i, &plan, &err))
            fail_msg("%s", err.msg);
        if (plan.offset < BEGIN && plan.old_bytes[0] == PUSH && plan.new_bytes[0] == POPA)
            return plan;
    }
    fail_msg("%s: no fatal plan in %d", target, DRAWS_MAX);
    return plan;
}

static void refusals_say_why_and_change_nothing(void **state)
{
    (void)state;
    refused("no such domain", WCR "-d nobody --vmlinux /tmp/d/vmlinux " NEVER);
    refused("no such domain", WCR "-d 4711 --vmlinux /tmp/d/vmlinux " NEVER);
    refused("domain 0 would stop", WCR "-d Domain-0 --vmlinux /tmp/d/vmlinux " NEVER);
    refused("another kernel", WCR "-d wcr-guest --vmlinux /tmp/d/other-vmlinux " NEVER);
    refused("no function of that name", GUEST "-c NOP -t func:no_such_function");
    json_decref(say(1, "\"activated\": false", GUEST NEVER "--wait 1"));
}

static void a_site_that_is_not_reached_stays_as_it_was(void **state)
{
    json_t *json = say(1, "", GUEST NEVER "--wait 2");

    (void)state;
    assert_true(json_is_false(json_object_get(json, "changed")));
    assert_true(json_is_false(json_object_get(json, "activated")));
    assert_string_equal(machine_text(json, "state"), "running");
    assert_true(machine_number(json, "watched_ns") >= 2000000000);
    json_decref(json);
    /* The guest can still be injected into, and its bytes are those of the plan. */
    json_decref(say(0, "\"changed\": true", GUEST NEVER "--at-once --wait 0"));
    refused("its kernel patched this site", GUEST NEVER "--wait 1");
}

static void a_plan_made_elsewhere_needs_no_kernel(void **state)
{
    struct plan plan;
    struct err err = {0};
    json_t *json;
    char *text, *command;

    (void)state;
    if (plan_draw(source, "NOP", "func:ext4_resize_fs", 1, 0, &plan, &err))
        fail_msg("%s", err.msg);
    json = plan_to_json(&plan);
    text = json_dumps(json, JSON_COMPACT);
    assert_true(asprintf(&command, "echo '%s' | " WCR "--domain wcr-guest --json --plan - --at-once --wait 0",
                         text) > 0);
    json_decref(say(0, "\"changed\": true", command));
    refused("its kernel patched this site", GUEST NEVER "--wait 1");
    free(command);
    free(text);
    json_decref(json);
}

static void an_interrupt_disarms(void **state)
{
    (void)state;
    json_decref(say(1, "the guest is as it was",
                    WCR "-d wcr-guest --vmlinux /tmp/d/vmlinux " NEVER "--wait 3600 >/tmp/first & p=$!\n"
                    "until grep -q waiting /tmp/first; do sleep 0.1; done\n"
                    GUEST NEVER "2>/tmp/second; [ $? = 2 ] && grep 'another injection waits' /tmp/second || "
                    "kill -9 $p\n"
                    "kill -INT $p; wait $p; s=$?; cat /tmp/first; exit $s"));
    json_decref(say(1, "\"activated\": false", GUEST NEVER "--wait 1"));
}

/* Init itself writes, and the kernel does not live on without it. */
static void a_fault_is_executed_and_kills(void **state)
{
    struct plan plan = fatal_plan("func:vfs_write");
    char command[512];
    json_t *json, *drawn, *mine = plan_to_json(&plan);

    (void)state;
    snprintf(command, sizeof(command), GUEST "--class TEXT --target func:vfs_write --index %u",
             plan.index);
    json = say(0, "", command);
    drawn = json_object_get(json, "plan");
    /* Where the source lies is only known with DWARF. */
    json_object_del(drawn, "source");
    json_object_del(mine, "source");
    assert_true(json_equal(drawn, mine));
    assert_true(json_is_true(json_object_get(json, "activated")));
    assert_string_equal(machine_text(json, "state"), "crashed");
    assert_string_equal(machine_text(json, "shutdown_reason"), "crash");
    assert_in_range(machine_number(json, "activated_ns"), 1, machine_number(json, "watched_ns"));
    json_decref(json);
    json_decref(mine);
    machine_exec("grep 'RIP: .*vfs_write+0x%x/' /var/log/xen/console/guest-wcr-guest.log",
                 (unsigned)plan.offset);
}

static int from_warm(void **state)
{
    machine_from_warm(state);
    machine_exec("mkdir -p /tmp/d && mount -r /dev/vde /tmp/d && xl unpause wcr-guest");
    return 0;
}

static int setup(void **state)
{
    struct testbed_options options = {.disk = disk};
    struct testbed_config config;
    struct err err = {0};
    char command[1024];
    int fd = mkstemp(disk);

    (void)state;
    if (fd < 0 || testbed_config_load(NULL, &config, &err) ||
        plan_source_open(config.vmlinux, &source, &err)) {
        print_error("%s: %s\n", disk, err.msg);
        return -1;
    }
    close(fd);
    snprintf(command, sizeof(command), "campaigns/tests/inject_disk.sh %s build/wcr '%s'", disk,
             config.vmlinux);
    testbed_config_done(&config);
    if (system(command) || machine_boot(&options))
        return -1;
    json_decref(machine_call(0, "{s:s, s:i, s:i}", "cmd", "guest_start", "files", 8,
                             "blocks_per_file", 16));
    machine_save("warm");
    return 0;
}

static int teardown(void **state)
{
    plan_source_free(source);
    machine_down(state);
    unlink(disk);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(refusals_say_why_and_change_nothing, from_warm),
        cmocka_unit_test_setup(a_site_that_is_not_reached_stays_as_it_was, from_warm),
        cmocka_unit_test_setup(a_plan_made_elsewhere_needs_no_kernel, from_warm),
        cmocka_unit_test_setup(an_interrupt_disarms, from_warm),
        cmocka_unit_test_setup(a_fault_is_executed_and_kills, from_warm),
    };

    return cmocka_run_group_tests_name("wcr inject, end to end", tests, setup, teardown);
}
