// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wcr inject in domain 0, end to end. Catches: another plan than wcr plan's, bytes that are not
 * written or written too early, a guest that is not as it was where nothing was changed, a
 * refusal that changes something, and exit statuses that are not the documented ones. In a module:
 * a fault at another place than the plan's, or in another module.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
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

/* A module of the guest's, and a function of it that is executed. */
static const struct module {
    const char *file, *name, *function, *load;     /* in the initrd; NULL: it is loaded */
} modules[] = {
    {"lib/wcr/wcr_fuzz.ko", "wcr_fuzz", "calls_one", "load wcr_fuzz"},
    {"lib/wcr/boot/00-xen-blkfront.ko", "xen_blkfront", "blkif_queue_rq", NULL},
};

static char disk[] = "/tmp/wcr-inject.XXXXXX", initrd[] = "/tmp/wcr-initrd.XXXXXX";
static struct plan_source *source, *module_source;
static const struct module *module;

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
static struct plan fatal_plan(struct plan_source *from, const char *target)
{
    struct err err = {0};
    struct plan plan;

    for (unsigned i = 0; i < DRAWS_MAX; i++) {
        if (plan_draw(from, "TEXT", target, 1, i, &plan, &err))
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

/* say() of a wcr inject with that plan. */
static json_t *say_with(const struct plan *plan, const char *options, int status, const char *said)
{
    json_t *json = plan_to_json(plan), *ret;
    char *text = json_dumps(json, JSON_COMPACT), *command;

    assert_true(asprintf(&command, "echo '%s' | " WCR "--domain wcr-guest --json --plan - %s", text,
                         options) > 0);
    ret = say(status, said, command);
    free(command);
    free(text);
    json_decref(json);
    return ret;
}

static struct plan draw(struct plan_source *from, const char *class, const char *target,
                        unsigned index)
{
    struct err err = {0};
    struct plan plan;

    if (plan_draw(from, class, target, 1, index, &plan, &err))
        fail_msg("%s", err.msg);
    return plan;
}

static void a_plan_made_elsewhere_needs_no_kernel(void **state)
{
    struct plan plan = draw(source, "NOP", "func:ext4_resize_fs", 0);

    (void)state;
    json_decref(say_with(&plan, "--at-once --wait 0", 0, "\"changed\": true"));
    refused("its kernel patched this site", GUEST NEVER "--wait 1");
}

static void module_load(void)
{
    struct plan plan = draw(module_source, "NOP", "all", 0);

    if (!module->load)
        return;
    json_decref(say_with(&plan, "", 2, "has no module 'wcr_fuzz' loaded"));
    machine_guest("%s", module->load);
}

static void another_module_is_refused(void **state)
{
    struct plan plan = draw(module_source, "NOP", "all", 0), other = plan;

    (void)state;
    module_load();
    strcpy(other.module.name, "no_such_module");
    json_decref(say_with(&other, "", 2, "has no module 'no_such_module' loaded"));
    other = plan;
    other.module.build_id[19] ^= 1;
    json_decref(say_with(&other, "", 2, "another build of"));
    other = plan;
    other.old_bytes[0] ^= 1;
    json_decref(say_with(&other, "", 2, "its kernel patched this site"));
    refused("has no debugging information", GUEST "-c NOP --module /tmp/d/module.ko");
}

/* A call, of which the loader completed what the plan cannot know. */
static void a_call_in_a_module_is_deleted(void **state)
{
    struct plan plan = draw(module_source, "NOP", "all", 0);

    (void)state;
    module_load();
    for (unsigned i = 1; plan.old_bytes[0] != 0xe8 || !plan.relocated; i++)
        plan = draw(module_source, "NOP", "all", i);
    json_decref(say_with(&plan, "--at-once --wait 0", 0, "\"changed\": true"));
    json_decref(say_with(&plan, "", 2, "the guest has 0f1f440000 where the plan expects e8?" "???????"));
}

static void a_fault_in_a_module_is_executed(void **state)
{
    char target[64];
    struct plan plan;
    json_t *json;

    (void)state;
    snprintf(target, sizeof(target), "func:%s", module->function);
    plan = fatal_plan(module_source, target);
    module_load();
    json = say_with(&plan, "", 0, "\"changed\": true");
    assert_true(json_is_true(json_object_get(json, "activated")));
    json_decref(json);
    machine_exec("grep 'RIP: .*%s+0x%x/0x[0-9a-f]* .%s.' /var/log/xen/console/guest-wcr-guest.log",
                 plan.symbol, (unsigned)plan.offset, module->name);
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
    struct plan plan = fatal_plan(source, "func:vfs_write");
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

/* The first of the modules that the guest's initrd has. */
static int module_open(const struct testbed_config *config, char *ret_path, size_t size,
                       struct err *err)
{
    char command[1024];
    int r;

    if (!mkdtemp(initrd))
        return err_set(err, errno, "%s: %s", initrd, strerror(errno));
    snprintf(command, sizeof(command), "zcat '%s' | cpio -id --quiet -D %s 'lib/wcr/*'",
             config->guest_initrd, initrd);
    if (system(command))
        return err_set(err, EIO, "%s: failed", command);
    for (module = modules; module < modules + 2; module++) {
        snprintf(ret_path, size, "%s/%s", initrd, module->file);
        if (access(ret_path, R_OK) == 0)
            break;
    }
    r = plan_source_open(config->vmlinux, &module_source, err);
    return r ? r : plan_source_use_module(module_source, ret_path, err);
}

static int setup(void **state)
{
    struct testbed_options options = {.disk = disk};
    struct testbed_config config;
    struct err err = {0};
    char command[1024], module_path[64];
    int fd = mkstemp(disk);

    (void)state;
    if (fd < 0 || testbed_config_load(NULL, &config, &err) ||
        plan_source_open(config.vmlinux, &source, &err) ||
        module_open(&config, module_path, sizeof(module_path), &err)) {
        print_error("%s: %s\n", disk, err.msg);
        return -1;
    }
    close(fd);
    snprintf(command, sizeof(command), "campaigns/tests/inject_disk.sh %s build/wcr '%s' %s", disk,
             config.vmlinux, module_path);
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
    char command[64];

    plan_source_free(module_source);
    plan_source_free(source);
    machine_down(state);
    unlink(disk);
    snprintf(command, sizeof(command), "rm -rf %s", initrd);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(refusals_say_why_and_change_nothing, from_warm),
        cmocka_unit_test_setup(a_site_that_is_not_reached_stays_as_it_was, from_warm),
        cmocka_unit_test_setup(a_plan_made_elsewhere_needs_no_kernel, from_warm),
        cmocka_unit_test_setup(an_interrupt_disarms, from_warm),
        cmocka_unit_test_setup(another_module_is_refused, from_warm),
        cmocka_unit_test_setup(a_call_in_a_module_is_deleted, from_warm),
        cmocka_unit_test_setup(a_fault_in_a_module_is_executed, from_warm),
        cmocka_unit_test_setup(a_fault_is_executed_and_kills, from_warm),
    };

    return cmocka_run_group_tests_name("wcr inject, end to end", tests, setup, teardown);
}
